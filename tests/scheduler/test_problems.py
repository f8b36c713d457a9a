"""What status warns of: what a person should act on, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from memtool.ledger.file import Left, Run
from memtool.ledger.reading import History
from memtool.systemd.jobs import JOBS
from memtool.systemd.pauses import Pause
from memtool.systemd.problems import Look, Problem, sentence
from memtool.systemd.states import ServiceState, TimerState, UnitState
from memtool.systemd.status import status_of
from memtool.systemd.systemctl import Timers


def us(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


NOW_US = us("2026-11-24T12:00")
BOOTED_US = us("2026-11-01")
IDLE = ServiceState("inactive", "success")
WEEKLY = ("Sun *-*-* 02:00:00 UTC",)
RAN_ON_TIME = us("2026-11-22T02:03")


def timer(state: str = "armed", **changed: object) -> TimerState:
    """Return a timer that is due on Sundays at 02:00 UTC, and well."""
    well = TimerState(
        state=state,
        next_us=us("2026-11-29T02:03") if state == "armed" else None,
        enabled="enabled",
        last_trigger_us=RAN_ON_TIME,
        active_since_us=BOOTED_US,
        schedule=WEEKLY,
        randomized_delay_s=300,
        service=IDLE,
    )
    return well._replace(**changed)  # type: ignore[arg-type] # one helper for all fields


def run(
    at_us: int, result: str | None = "done", *, trigger: str = "timer", left: Left | None = None
) -> Run:
    return Run(
        f"r{at_us}", "week-rollup", trigger, at_us, 7, "0.1.0",
        ended_us=None if result is None else at_us + 1, result=result, left=left,
        error="no answer" if result == "failed" else "", exit_code=69 if result == "failed" else 0,
    )  # fmt: skip


def found(
    week: TimerState,
    *runs: Run,
    pauses: Mapping[str, Pause] | None = None,
    others: str = "disabled",
    now_us: int = NOW_US,
    skips_on_battery: bool = False,
    others_found: Mapping[str, UnitState] | None = None,
    **timers: object,
) -> list[Problem]:
    """Return the problems of a system whose week-rollup is like this, and the other timers have this state."""
    idle = ServiceState() if others == "missing" else IDLE
    states = {job.name: TimerState(others, service=idle) for job in JOBS} | {"week-rollup": week}
    asked = Timers("system", states, others_found or {})._replace(**timers)  # type: ignore[arg-type] # as above
    look = Look(now_us, asked, pauses or {}, skips_on_battery)
    return list(status_of(History(runs), look).problems)


def kinds(problems: list[Problem]) -> list[str]:
    return [problem.kind for problem in problems]


WELL = run(RAN_ON_TIME)


def test_what_is_well_is_not_told() -> None:
    assert found(timer(), WELL) == []


def test_what_the_admin_wants_is_no_problem() -> None:
    assert found(timer("disabled"), run(us("2020-01-01"))) == []


@pytest.mark.parametrize("state", ["disabled", "armed"])
def test_a_job_that_never_ran_and_was_never_due_is_no_problem(state: str) -> None:
    assert found(timer(state, active_since_us=us("2026-11-23")), others=state) == []


def test_a_failed_run_is_told_with_its_first_error_line() -> None:
    (problem,) = found(timer(), run(RAN_ON_TIME, "failed"))
    assert sentence(problem, "2d ago") == "week-rollup failed 2d ago (exit 69): no answer"
    assert problem.hint == "memtool scheduler logs week-rollup"
    (problem,) = found(timer(), run(RAN_ON_TIME, "failed")._replace(hint="put the key there"))
    assert problem.hint == "put the key there"


def test_a_unit_that_failed_before_python_ran_is_told() -> None:
    service = ServiceState("failed", "exit-code", RAN_ON_TIME + 7 * 86_400_000_000, 203)
    (problem,) = found(timer(service=service), OLD)
    assert problem.kind == "unit"
    assert sentence(problem) == (
        "week-rollup failed before it could record a run (exit 203): "
        "its program cannot be started: it or its interpreter is missing or may not be run"
    )


@pytest.mark.parametrize(
    ("service", "text"),
    [
        (ServiceState("failed", "timeout", RAN_ON_TIME, -15), "took too long (signal TERM)"),
        (ServiceState("failed", "oom-kill", RAN_ON_TIME, -9), "ran out of memory (signal KILL)"),
        (ServiceState("failed", "start-limit-hit", None, None), "(start-limit-hit)"),
    ],
)
def test_a_run_that_systemd_ended_is_told_though_it_stopped_cleanly(
    service: ServiceState, text: str
) -> None:
    (problem,) = found(timer(service=service), run(RAN_ON_TIME, "stopped"))
    assert sentence(problem).endswith(text)


def test_a_unit_that_failed_after_its_run_was_recorded_is_told() -> None:
    service = ServiceState("failed", "exit-code", RAN_ON_TIME, 1)
    (problem,) = found(timer(service=service), run(RAN_ON_TIME + 400_000))
    assert sentence(problem) == "week-rollup failed after its run was recorded (exit 1)"


def test_a_failure_without_a_record_is_told_before_the_next_try_too() -> None:
    service = ServiceState("retrying", "signal", failed_us=NOW_US)
    (problem,) = found(timer(service=service), run(RAN_ON_TIME))
    assert (problem.kind, problem.since_us) == ("unit", NOW_US)
    assert sentence(problem) == "week-rollup failed before it could record a run (signal)"
    service = ServiceState("retrying", "exit-code", RAN_ON_TIME, 69)
    assert kinds(found(timer(service=service), run(RAN_ON_TIME, "failed"))) == ["failed"]


def test_a_failure_is_told_once() -> None:
    service = ServiceState("failed", "exit-code", RAN_ON_TIME, 69)
    assert kinds(found(timer(service=service), run(RAN_ON_TIME + 400_000, "failed"))) == ["failed"]


def test_a_failed_unit_whose_job_ran_well_since_is_no_problem() -> None:
    service = ServiceState("failed", "exit-code", RAN_ON_TIME, 1)
    later = run(RAN_ON_TIME + 3_600_000_000, trigger="manual")
    assert found(timer(service=service), later) == []


@pytest.mark.parametrize("state", ["dead", "failed"])
def test_a_timer_that_never_fires_again_is_told_with_the_drop_in(state: str) -> None:
    (problem,) = found(timer(state, drop_ins=("/etc/x.conf",)), WELL)
    assert problem.kind == "no-next"
    assert "/etc/x.conf" in problem.detail
    assert problem.hint.endswith("systemctl restart memtool-week-rollup.timer")


def test_a_timer_that_is_enabled_and_not_started_is_told() -> None:
    (problem,) = found(timer("stopped"), WELL, scope="user")
    assert problem.kind == "not-armed"
    assert problem.hint == "systemctl --user start memtool-week-rollup.timer"


def test_a_timer_that_is_started_and_not_enabled_is_told() -> None:
    (problem,) = found(timer(enabled="disabled"), WELL)
    assert (problem.kind, problem.hint) == (
        "not-enabled",
        "systemctl enable memtool-week-rollup.timer",
    )


APPLY = "sudo memtool scheduler apply"


@pytest.mark.parametrize(
    ("state", "hint"),
    [
        ("masked", "sudo systemctl unmask UNIT && {APPLY}"),
        ("missing", "{APPLY}"),
        ("broken", "correct it: /etc/x.conf; systemd-analyze verify UNIT"),
    ],
)
def test_a_unit_that_systemd_cannot_use_is_told(state: str, hint: str) -> None:
    hint = hint.replace("{APPLY}", APPLY)
    broken = ServiceState(state, drop_ins=("/etc/x.conf",), load_error="it says why")
    (problem,) = found(timer(service=broken), WELL, sudo="sudo ")
    assert (problem.kind, problem.detail) == (state, "it says why")
    assert problem.hint == hint.replace("UNIT", "memtool-week-rollup.service")
    (problem,) = found(timer(state, drop_ins=("/etc/x.conf",)), WELL, sudo="sudo ")
    again = "restart" if state == "broken" else "enable --now"
    unit = "memtool-week-rollup.timer"
    assert problem.hint == f"{hint} && sudo systemctl {again} UNIT".replace("UNIT", unit)
    if state == "broken":  # by a file of memtool's own
        (problem, _) = found(timer(service=broken), WELL, sudo="sudo ", differing=("x.service",))
        assert problem.hint == APPLY


@pytest.mark.parametrize(
    ("name", "state", "kind", "hint"),
    [
        ("memtool.slice", "masked", "masked", "systemctl unmask memtool.slice && memtool scheduler apply"),
        ("memtool-spool.path", "stopped", "not-armed", "systemctl restart memtool-spool.path"),
        ("memtool-spool.path", "failed", "not-armed", "systemctl restart memtool-spool.path"),
    ],
)  # fmt: skip
def test_what_the_jobs_need_beside_their_units_is_told(
    name: str, state: str, kind: str, hint: str
) -> None:
    (problem,) = found(timer(), WELL, others_found={name: UnitState(state)})
    assert (problem.kind, problem.job, problem.hint) == (kind, "", hint)
    assert name in problem.what
    assert found(timer(), WELL, others_found={name: UnitState("missing")}) == []


def test_files_that_replace_those_of_memtool_are_told() -> None:
    (problem,) = found(timer(), WELL, replaced=("/etc/x.service",), sudo="sudo ")
    assert (problem.kind, problem.detail) == ("replaced", "/etc/x.service")
    assert problem.hint == "sudo rm /etc/x.service && sudo systemctl daemon-reload"


def test_files_that_systemd_has_not_read_again_are_named() -> None:
    stale = timer(needs_reload=True, service=IDLE._replace(needs_reload=True))
    (problem,) = found(stale, WELL, scope="user")
    assert (problem.kind, problem.job) == ("reload", "")
    assert problem.detail == "memtool-week-rollup.timer, memtool-week-rollup.service"
    assert problem.hint == "systemctl --user daemon-reload"


def test_a_manager_that_does_not_answer_is_a_problem_where_units_are_installed() -> None:
    asked = Timers("user", problem="no systemd runs for this user", hint="do this")
    assert status_of(History(), Look(NOW_US, asked)).is_healthy
    (problem,) = status_of(History(), Look(NOW_US, asked._replace(is_installed=True))).problems
    assert (problem.kind, problem.detail, problem.hint) == ("manager", asked.problem, "do this")


def test_a_run_in_the_future_is_a_problem_of_the_clock() -> None:
    assert found(timer(), run(NOW_US + 50_000_000)) == []
    (problem,) = found(timer(), run(NOW_US + 3_600_000_000))
    assert (problem.kind, problem.hint) == ("future", "timedatectl set-ntp true")


OLD = run(us("2026-11-15T02:03"))


DUE = timer(next_us=us("2026-11-22T02:03"), last_trigger_us=OLD.started_us)


def test_a_run_that_did_not_come_is_overdue() -> None:
    (problem,) = found(DUE, OLD)
    assert (problem.kind, problem.since_us) == ("overdue", DUE.next_us)
    assert problem.detail == "its timer did not fire"


def test_a_timer_that_fired_and_left_no_record_is_overdue() -> None:
    (problem,) = found(timer(), OLD)
    assert problem.detail == "its timer fired, but no run is recorded"


def test_a_rollup_that_was_skipped_on_battery_is_not_overdue() -> None:
    assert found(timer(), OLD, skips_on_battery=True) == []
    assert kinds(found(DUE, OLD, skips_on_battery=True)) == ["overdue"]


def test_unit_files_that_differ_are_one_problem_that_names_them() -> None:
    names = tuple(job.unit for job in JOBS)
    (problem,) = found(timer(), WELL, differing=names[:2], sudo="sudo ")
    assert sentence(problem) == (
        "unit files are not as this version of memtool writes them: "
        "memtool-ingest.service, memtool-day-rollup.service"
    )
    assert problem.hint == "sudo memtool scheduler apply"
    (problem,) = found(timer(), WELL, differing=names)
    assert problem.detail.endswith(f"{names[4]} and {len(names) - 5} more")


def test_a_job_that_never_ran_since_its_timer_was_started_is_overdue() -> None:
    assert kinds(found(timer())) == ["overdue"]


def test_a_run_that_may_still_come_is_not_overdue() -> None:
    for state in (DUE, timer()):
        assert found(state, OLD, now_us=us("2026-11-22T02:22")) == []
        assert kinds(found(state, OLD, now_us=us("2026-11-22T02:24"))) == ["overdue"]


def test_what_a_timer_did_before_it_was_started_says_nothing() -> None:
    """Where a timer has never fired, systemd tells when it was enabled instead."""
    new = timer(active_since_us=RAN_ON_TIME + 1000)
    assert found(new) == []
    assert found(new, OLD) == []


@pytest.mark.parametrize("state", ["running", "queued"])
def test_a_run_on_its_way_is_not_overdue(state: str) -> None:
    assert found(timer(service=ServiceState(state)), OLD) == []


def test_a_paused_job_is_not_overdue() -> None:
    assert found(timer(), OLD, pauses={"week-rollup": Pause("week-rollup", BOOTED_US)}) == []


def test_a_skip_shows_that_the_job_was_begun() -> None:
    assert found(timer(), OLD, run(RAN_ON_TIME, "skipped")) == []


def test_a_job_that_fires_in_both_managers_is_told() -> None:
    (problem,) = found(timer(), WELL, elsewhere=frozenset({"week-rollup", "ingest"}))
    assert (problem.kind, problem.job, problem.detail) == ("both", "", "ingest, week-rollup")


def test_lingering_that_is_off_is_told_where_timers_fire() -> None:
    (problem,) = found(timer(), WELL, scope="user", lacks_linger="alice")
    assert (problem.job, problem.hint) == ("", "loginctl enable-linger alice")
    assert found(timer("disabled"), WELL, scope="user", lacks_linger="alice") == []


def test_a_sandbox_that_was_not_tried_is_told() -> None:
    (problem,) = found(timer(), WELL, is_sandbox_untried=True)
    assert (problem.kind, problem.hint) == ("sandbox", "memtool scheduler apply")


STALE: Left = {"week": {"stale": 2}, "month": {"stale": 1}}


def test_work_of_its_own_that_a_timers_run_left_is_told() -> None:
    (problem,) = found(timer(), run(RAN_ON_TIME, "partial", left=STALE))
    assert (problem.kind, problem.what) == ("backlog", "left work behind: 2 weeks stale")


def test_work_of_other_levels_and_of_a_run_by_hand_is_no_backlog() -> None:
    assert found(timer(), run(RAN_ON_TIME, left={"month": {"stale": 1}})) == []
    assert found(timer(), run(RAN_ON_TIME, left=STALE, trigger="manual")) == []


def test_a_backlog_that_is_gone_since_is_not_told() -> None:
    later = run(RAN_ON_TIME + 1_000_000, left={}, trigger="manual")
    assert found(timer(), run(RAN_ON_TIME, "partial", left=STALE), later) == []
