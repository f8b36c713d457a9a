"""The state of all jobs, made from the ledger, the pauses and systemd's answers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from memtool.ledger.file import BAD_RESULTS, PAUSED, WROTE, Left, Run, as_json
from memtool.ledger.reading import History
from memtool.systemd.jobs import BY_NAME, JOBS, Job
from memtool.systemd.pauses import Pause
from memtool.systemd.problems import (
    SILENT,
    JobStatus,
    Look,
    Problem,
    clock_behind,
    common_problems,
    problems_of,
    sentence,
    unfinished_forgetting,
)
from memtool.systemd.systemctl import Timers


class Status(NamedTuple):
    """All jobs in the table's order. `looked_by` is the run that found what waits for the rollups."""

    jobs: tuple[JobStatus, ...]
    looked_by: Run | None
    damaged_lines: int
    timers: Timers
    problems: tuple[Problem, ...]
    """Those of the jobs, in their order, then the common ones."""

    @property
    def is_healthy(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


VERSION = 2
_ROLLED_UP = frozenset(level for job in JOBS for level in job.levels)


def status_of(history: History, look: Look | None = None) -> Status:
    """Return how the jobs are; without a look, by the ledger alone."""
    look = look or Look()
    looked_by = _last_look(history.runs)
    jobs = tuple(_judged(_job_status(job, history, looked_by), look) for job in JOBS)
    found = [problem for row in jobs for problem in row.problems]
    found += common_problems(look.timers)
    if (behind := clock_behind(history, look.now_us)) is not None and look.now_us:
        found.append(behind)
    if (forgetting := unfinished_forgetting(history)) is not None:
        found.append(forgetting)
    if history.problem:
        found.append(Problem("ledger", "", history.problem, hint=history.hint))
    return Status(jobs, looked_by, history.damaged_lines, look.timers, tuple(found))


def status_json(status: Status) -> dict[str, object]:
    """Return the status as the versioned contract of docs/ledger.md has it, without kind, version and store."""
    return {
        "healthy": status.is_healthy,
        "timers": "systemd" if status.timers.is_known else None,
        "manager": {
            "scope": status.timers.scope,
            "problem": status.timers.problem,
            "hint": status.timers.hint,
        },
        "damaged_lines": status.damaged_lines,
        "warnings": [_problem_json(problem) for problem in status.problems],
        "jobs": [_job_json(row) for row in status.jobs],
    }


def _judged(row: JobStatus, look: Look) -> JobStatus:
    """Return the row with its timer, its pause, and what is wrong."""
    name = row.job.name
    row = row._replace(timer=look.timers.states.get(name), pause=look.pauses.get(name))
    row = _with_pauses(row, look.pauses)
    return row._replace(problems=problems_of(row, look))


def _with_pauses(row: JobStatus, pauses: Mapping[str, Pause]) -> JobStatus:
    """Return the row with the paused jobs that it waits for. What waited behind pauses that are over is stale."""
    if row.pause or not any(PAUSED in reasons for reasons in row.left.values()):
        return row
    below = tuple(name for name in row.job.after if name in pauses and BY_NAME[name].levels)
    if below:
        return row._replace(waits_for=below)
    left: dict[str, dict[str, int]] = {}
    for level, reasons in row.left.items():
        found = left.setdefault(level, {})
        for reason, number in reasons.items():
            now = "stale" if reason == PAUSED else reason
            found[now] = found.get(now, 0) + number
    return row._replace(left=left)


def _job_status(job: Job, history: History, looked_by: Run | None) -> JobStatus:
    own, counts = history.of_job(job.name), history.counts.get(job.name, {})
    ended = [run for run in own if run.result not in SILENT]
    return JobStatus(
        job=job,
        running=_last(run for run in own if run.result is None),
        last=_last(ended),
        newest=_last(own),
        last_by_timer=_last(run for run in ended if run.trigger != "manual"),
        runs=sum(number for result, number in counts.items() if result not in SILENT),
        errors=sum(number for result, number in counts.items() if result in BAD_RESULTS),
        skips=counts.get("skipped", 0),
        left=_waiting_for(job, own, looked_by),
        written_by=_last(run for run in history.runs if run.job != job.name and _wrote(run, job)),
    )


def _wrote(run: Run, job: Job) -> bool:
    return any(run.details.get(f"{WROTE}{level}") for level in job.levels)


def _last(runs: Iterable[Run]) -> Run | None:
    """Return the run that began last: the file's order, which no change of the clock disturbs."""
    return next(reversed(list(runs)), None)


def _last_look(runs: Iterable[Run]) -> Run | None:
    """Return the run that was the last to look at what waits: it looked when it ended."""
    looked = (run for run in runs if run.left is not None)
    return max(looked, key=lambda run: run.ended_us or 0, default=None)


def _waiting_for(job: Job, own: Iterable[Run], looked_by: Run | None) -> Left:
    """Return what waits for this job: for a rollup what the last look at its levels found, whichever job looked."""
    if job.levels:
        return {level: row for level, row in _left(looked_by).items() if level in job.levels}
    left = _left(_last_look(own))
    return {level: row for level, row in left.items() if level not in _ROLLED_UP}


def _left(run: Run | None) -> Left:
    return {} if run is None or run.left is None else run.left


def _problem_json(problem: Problem) -> dict[str, object]:
    return {
        "kind": problem.kind,
        "job": problem.job or None,
        "text": sentence(problem),
        "since_us": problem.since_us,
        "hint": problem.hint,
    }


def _job_json(row: JobStatus) -> dict[str, object]:
    timer = row.timer
    return {
        "job": row.job.name,
        "description": row.job.description,
        "healthy": row.is_healthy,
        "timer": timer and {**timer._asdict(), "service": timer.service._asdict()},
        "next_us": timer.next_us if timer else None,
        "pause": row.pause._asdict() if row.pause else None,
        "running": as_json(row.running) if row.running else None,
        "last": {**as_json(row.last), "duration_us": row.last.duration_us} if row.last else None,
        "written_by": as_json(row.written_by) if row.written_by else None,
        "runs": row.runs,
        "errors": row.errors,
        "skips": row.skips,
        "left": row.left,
        "waits_for": list(row.waits_for),
    }
