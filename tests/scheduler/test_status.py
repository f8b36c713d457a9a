"""The status model: what the newest runs say of each job, in the table's order, healthy or not."""

from __future__ import annotations

import pytest

from memtool.ledger.file import RESULTS, Left, Run
from memtool.ledger.reading import History
from memtool.systemd.jobs import JOBS
from memtool.systemd.pauses import Pause
from memtool.systemd.problems import JobStatus, Look
from memtool.systemd.states import ServiceState, TimerState
from memtool.systemd.status import VERSION, status_json, status_of
from memtool.systemd.systemctl import Timers
from tests.scheduler.ledgers import history_of

_COUNT = iter(range(1000))


def run(job: str, result: str | None, *, at: int = 0, left: Left | None = None) -> Run:
    """Return a run of 2 s that began at this second."""
    name = f"r{next(_COUNT)}"
    begun = Run(name, job, "timer", at * 1_000_000, 7, "0.1.0", left=left)
    return begun if result is None else begun._replace(result=result, ended_us=(at + 2) * 1_000_000)


def row(history: History, job: str) -> JobStatus:
    """Return one job's row."""
    return next(row for row in status_of(history).jobs if row.job.name == job)


def test_every_job_has_its_row_in_the_tables_order() -> None:
    assert [row.job for row in status_of(History()).jobs] == list(JOBS)


def test_a_job_that_never_ran_is_healthy() -> None:
    status = status_of(History())
    assert status.is_healthy
    assert all(row.last is None and row.runs == 0 for row in status.jobs)


@pytest.mark.parametrize("result", RESULTS)
def test_only_a_failed_or_died_last_run_is_unhealthy(result: str) -> None:
    history = history_of(run("ingest", "done"), run("ingest", result))
    assert status_of(history).is_healthy == (result not in ("failed", "died"))
    assert status_of(history_of(*history.runs, run("ingest", "done"))).is_healthy


def test_a_skip_is_counted_and_is_not_the_last_run() -> None:
    history = history_of(run("ingest", "failed", at=1), run("ingest", "skipped", at=9))
    assert (row(history, "ingest").runs, row(history, "ingest").skips) == (1, 1)
    assert row(history, "ingest").last == history.runs[0]
    assert not row(history, "ingest").is_healthy


def test_counts_hold_what_was_folded_away() -> None:
    folded = {"ingest": {"done": 100, "failed": 3, "died": 1, "skipped": 7}}
    history = history_of(run("ingest", "stopped"), run("ingest", None), folded=folded)
    counted = row(history, "ingest")
    assert (counted.runs, counted.errors, counted.skips) == (105, 4, 7)


def test_a_run_on_its_way_is_shown_beside_the_last_one() -> None:
    history = History((run("ingest", "done"), run("ingest", None)))
    assert row(history, "ingest").running == history.runs[1]
    assert row(history, "ingest").last == history.runs[0]


def test_the_last_run_is_the_last_to_begin_though_the_clock_went_back() -> None:
    history = History((run("ingest", "failed", at=900), run("ingest", "done", at=5)))
    assert row(history, "ingest").last == history.runs[1]


def test_what_waits_for_a_rollup_is_what_the_newest_look_found() -> None:
    history = History(
        (
            run("week-rollup", "partial", at=1, left={"week": {"stale": 9}, "day": {"stale": 9}}),
            run("ingest", "done", at=2, left={"segment": {"failed": 1}, "day": {"stale": 2}, "file": {"waiting": 4}}),
            run("compaction", "done", at=3),
        )
    )  # fmt: skip
    waits = {row.job.name: row.left for row in status_of(history).jobs if row.waits}
    assert waits == {
        "ingest": {"file": {"waiting": 4}},
        "day-rollup": {"segment": {"failed": 1}, "day": {"stale": 2}},
    }
    assert row(history, "day-rollup").waits == 3


def test_a_look_that_found_nothing_clears_what_waited() -> None:
    history = History(
        (run("ingest", "done", at=1, left={"day": {"stale": 2}}), run("day-rollup", "done", at=2, left={}))
    )  # fmt: skip
    assert row(history, "day-rollup").left == {}


def test_the_run_of_another_job_that_wrote_the_level_is_told() -> None:
    wrote = run("day-rollup", "done", at=3)._replace(details={"wrote_day": 9, "wrote_week": 2})
    later = run("day-rollup", "done", at=5)._replace(details={"wrote_day": 1})
    history = History((wrote, later))
    assert row(history, "week-rollup").written_by == wrote
    assert row(history, "month-rollup").written_by is None
    assert row(history, "day-rollup").written_by is None


IDLE = ServiceState("inactive")
ASKED = Look(9_000_000, Timers("user", {"ingest": TimerState("armed", 5, service=IDLE)}))


def test_timers_are_told_where_they_were_asked_for() -> None:
    assert status_json(status_of(History()))["timers"] is None
    status = status_of(History(), ASKED)
    assert status.timers.is_known
    assert status.jobs[0].timer == TimerState("armed", 5, service=IDLE)
    assert status.jobs[1].timer is None


def test_a_systemd_that_did_not_answer_is_told_and_no_problem() -> None:
    status = status_of(History(), Look(0, Timers("user", problem="no systemd runs for this user")))
    assert status.is_healthy
    told = status_json(status)
    assert told["timers"] is None
    assert told["manager"] == {
        "scope": "user",
        "problem": "no systemd runs for this user",
        "hint": "",
    }


def test_a_pause_is_told_and_is_healthy() -> None:
    pause = Pause("all", 1, None, "alice", "quiet")
    status = status_of(History(), Look(9, pauses={"ingest": pause}))
    assert (status.jobs[0].pause, status.jobs[1].pause) == (pause, None)
    assert status.is_healthy


def test_json_tells_all_of_it() -> None:
    history = history_of(run("ingest", "failed", at=1), run("ingest", None, at=9))._replace(
        damaged_lines=2
    )
    told = status_json(status_of(history, ASKED))
    assert VERSION == 2
    assert set(told) == {"healthy", "timers", "manager", "damaged_lines", "warnings", "jobs"}
    assert (told["healthy"], told["timers"], told["damaged_lines"]) == (False, "systemd", 2)
    assert told["warnings"] == [
        {"kind": "failed", "job": "ingest", "text": "ingest failed", "since_us": 1_000_000,
         "hint": "memtool scheduler logs ingest"}
    ]  # fmt: skip
    jobs = told["jobs"]
    assert isinstance(jobs, list)
    assert set(jobs[0]) == {
        "job", "description", "healthy", "timer", "next_us", "pause",
        "running", "last", "written_by", "runs", "errors", "skips", "left", "waits_for",
    }  # fmt: skip
    assert (jobs[0]["next_us"], jobs[0]["last"]["duration_us"]) == (5, 2_000_000)
    assert jobs[0]["running"]["result"] is None
    assert jobs[1]["last"] is None


def test_a_ledger_that_is_damaged_is_a_warning_of_its_own() -> None:
    status = status_of(
        History(problem="the ledger /m is damaged", hint="the next job sets it aside")
    )
    assert not status.is_healthy
    (told,) = [row for row in status_json(status)["warnings"] if isinstance(row, dict)]  # type: ignore[attr-defined]
    assert (told["kind"], told["job"]) == ("ledger", None)
    assert (told["text"], told["hint"]) == (
        "the ledger /m is damaged",
        "the next job sets it aside",
    )
