"""The runner: one run of a job at a time, each recorded, with the documented exit codes; signals wait for a step."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from memtool.context import Limits, Progress, Reports, RunContext
from memtool.errors import (
    BadDataError,
    ConfigError,
    MemtoolError,
    SkippedError,
    StorageError,
    UnavailableError,
    UsageError,
)
from memtool.jobs.runner import Body, Outcome, run_job, trigger_of
from memtool.ledger.file import Run, ledger_path
from memtool.ledger.reading import look
from memtool.locks import TREE, WRITER, Holder, is_free, job_lock_path, lock_path, try_lock
from memtool.systemd.jobs import JOBS, job_named
from tests.scheduler.children import finish, start, start_ready

JOB = job_named("day-rollup")
OTHER = Holder(4711, "other", 0)


def nothing(_: RunContext) -> None:
    """Do nothing, well."""


def never(_: RunContext) -> None:
    """Must not be run."""
    pytest.fail("it ran")


def raising(error: Exception) -> Body:
    """Return a body that raises."""

    def body(_: RunContext) -> None:
        raise error

    return body


def only_run(root: Path) -> Run:
    """Return the one run in the ledger."""
    (run,) = look(root).runs
    return run


def test_a_run_is_recorded_with_what_it_did(tmp_path: Path) -> None:
    times = iter([1_000_000, 5_000_000])

    def body(context: RunContext) -> None:
        assert context.now_us == 1_000_000
        assert [run.result for run in look(tmp_path).runs] == [None]
        context.tally.nodes += 2
        context.tally.calls += 3
        context.tally.details["bytes_before"] = 10
        for number in range(30):
            context.tally.add_period(f"day:{number}")
        context.tally.leave("week", "stale")
        context.tally.leave("week", "stale", 2)

    outcome = run_job(JOB, body, root=tmp_path, trigger="timer", clock=lambda: next(times))
    run = only_run(tmp_path)
    assert outcome == Outcome(0, run, None, outcome.tally)
    assert (run.job, run.trigger, run.result, run.exit_code) == ("day-rollup", "timer", "done", 0)
    assert (run.started_us, run.ended_us, run.pid) == (1_000_000, 5_000_000, os.getpid())
    assert (run.nodes, run.calls, run.periods_count, len(run.periods)) == (2, 3, 30, 20)
    assert run.left == {"week": {"stale": 3}}
    assert run.details == {"bytes_before": 10}
    assert is_free(job_lock_path(tmp_path, JOB.name))


def test_a_run_that_did_not_look_says_nothing_of_what_waits(tmp_path: Path) -> None:
    run_job(JOB, nothing, root=tmp_path)
    run_job(JOB, lambda context: context.tally.looked(), root=tmp_path)
    assert [run.left for run in look(tmp_path).runs] == [None, {}]


def test_a_second_run_of_a_job_is_skipped_and_recorded(tmp_path: Path) -> None:
    outcomes: list[Outcome] = []

    def body(_: RunContext) -> None:
        outcomes.append(run_job(JOB, never, root=tmp_path))

    assert run_job(JOB, body, root=tmp_path).exit_code == 0
    (skipped,) = outcomes
    assert skipped.exit_code == 75
    assert isinstance(skipped.error, SkippedError)
    assert f"day-rollup is already running (pid {os.getpid()})" in skipped.error.message
    assert [run.result for run in look(tmp_path).runs] == ["done", "skipped"]
    assert look(tmp_path).runs[1].reason == skipped.error.message


def test_a_run_with_work_of_its_own_waits_for_the_other_of_the_same_job(tmp_path: Path) -> None:
    held = try_lock(job_lock_path(tmp_path, JOB.name), OTHER)
    assert held is not None
    told: list[str] = []

    def talk(text: str) -> None:
        told.append(text)
        held.release()

    limits = Limits(job_wait_s=60)
    outcome = run_job(JOB, nothing, root=tmp_path, limits=limits, reports=Reports(talk=talk))
    assert outcome.run.result == "done"
    assert "waiting" in told[0]


def test_that_wait_has_a_bound_and_ends_as_a_skip(tmp_path: Path) -> None:
    with try_lock(job_lock_path(tmp_path, JOB.name), OTHER) or pytest.fail("not free"):
        outcome = run_job(JOB, never, root=tmp_path, limits=Limits(job_wait_s=0.05))
    assert (outcome.exit_code, outcome.run.result) == (75, "skipped")


def test_a_holder_that_does_not_say_who_it_is_is_called_that(tmp_path: Path) -> None:
    path = job_lock_path(tmp_path, JOB.name)
    with try_lock(path, OTHER) or pytest.fail("held"):
        path.write_bytes(b"")
        outcome = run_job(JOB, nothing, root=tmp_path)
    assert outcome.error is not None
    assert "did not say who" in outcome.error.message


def test_different_jobs_do_not_skip_each_other(tmp_path: Path) -> None:
    codes: list[int] = []

    def body(_: RunContext) -> None:
        codes.extend(
            run_job(job, nothing, root=tmp_path).exit_code for job in JOBS if job is not JOB
        )

    run_job(JOB, body, root=tmp_path)
    assert codes == [0] * (len(JOBS) - 1)


@pytest.mark.parametrize(
    ("kind", "code", "result"),
    [
        (UsageError, 2, "failed"),
        (BadDataError, 65, "failed"),
        (UnavailableError, 69, "failed"),
        (StorageError, 74, "failed"),
        (SkippedError, 75, "skipped"),
        (ConfigError, 78, "failed"),
    ],
)
def test_an_operating_error_ends_the_run_with_its_code(
    tmp_path: Path, kind: type[MemtoolError], code: int, result: str
) -> None:
    error = kind("first\nsecond", hint="hint")
    outcome = run_job(JOB, raising(error), root=tmp_path)
    run = only_run(tmp_path)
    assert (outcome.exit_code, outcome.error) == (code, error)
    assert (run.result, run.exit_code) == (result, code)
    assert "first" in (run.error, run.reason)
    assert is_free(job_lock_path(tmp_path, JOB.name))


def test_a_part_that_fails_makes_the_run_fail_and_is_named(tmp_path: Path) -> None:
    def body(context: RunContext) -> None:
        context.tally.cut_short = "the budget is used up"
        for number in range(30):
            context.tally.fail(f"day:{number}", "no\nsense")

    outcome = run_job(JOB, body, root=tmp_path)
    assert outcome.exit_code == 1
    assert outcome.error is not None
    assert outcome.error.message == "day:0: no (and 29 more)"
    run = only_run(tmp_path)
    assert (run.result, run.error) == ("failed", "day:0: no (and 29 more)")
    assert run.reason == "the budget is used up"


def test_one_failure_is_named_alone(tmp_path: Path) -> None:
    outcome = run_job(JOB, lambda context: context.tally.fail("day:1", "no"), root=tmp_path)
    assert outcome.error is not None
    assert outcome.error.message == "day:1: no"


def test_work_that_a_limit_left_is_partial_and_fine(tmp_path: Path) -> None:
    def body(context: RunContext) -> None:
        context.tally.cut_short = "the budget of 3 calls is used up"

    assert run_job(JOB, body, root=tmp_path).exit_code == 0
    run = only_run(tmp_path)
    assert (run.result, run.exit_code, run.reason) == (
        "partial",
        0,
        "the budget of 3 calls is used up",
    )


def test_a_deadline_ends_the_run_between_two_steps(tmp_path: Path) -> None:
    def body(context: RunContext) -> None:
        assert context.remaining_s <= 0.05
        while True:
            context.tally.nodes += 1
            context.checkpoint()

    outcome = run_job(JOB, body, root=tmp_path, limits=Limits(deadline_s=0.05))
    run = only_run(tmp_path)
    assert (outcome.exit_code, run.result) == (0, "partial")
    assert run.nodes >= 1
    assert run.reason == "the deadline of 0.05 s was reached"


def test_without_a_deadline_there_is_always_time(tmp_path: Path) -> None:
    def body(context: RunContext) -> None:
        assert context.remaining_s == float("inf")
        assert not context.should_stop()
        context.checkpoint()

    assert run_job(JOB, body, root=tmp_path).exit_code == 0


def test_an_unexpected_exception_is_recorded_and_raised_again(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        run_job(JOB, raising(ZeroDivisionError("by nought\nand so on")), root=tmp_path)
    run = only_run(tmp_path)
    assert (run.result, run.exit_code) == ("failed", 1)
    assert run.error == "ZeroDivisionError: by nought"
    assert is_free(job_lock_path(tmp_path, JOB.name))


def test_an_error_of_the_system_becomes_a_storage_error_that_names_the_path(tmp_path: Path) -> None:
    def body(_: RunContext) -> None:
        (tmp_path / "absent").read_bytes()

    outcome = run_job(JOB, body, root=tmp_path)
    assert outcome.exit_code == 74
    assert only_run(tmp_path).error == f"{tmp_path / 'absent'}: no such file or directory"


def test_a_lock_that_is_not_free_in_time_ends_the_run_with_69(tmp_path: Path) -> None:
    said: list[str] = []

    def body(context: RunContext) -> None:
        with context.writer():
            pytest.fail("it was held")

    limits, reports = Limits(lock_wait_s=0.05), Reports(talk=said.append)
    with try_lock(lock_path(tmp_path, WRITER), OTHER) or pytest.fail("held"):
        outcome = run_job(JOB, body, root=tmp_path, limits=limits, reports=reports)
    assert outcome.exit_code == 69
    assert "other (pid 4711)" in only_run(tmp_path).error
    assert said == ["waiting for the store: other (pid 4711) is at work"]


def test_a_deadline_breaks_a_wait(tmp_path: Path) -> None:
    def body(context: RunContext) -> None:
        with context.tree():
            pytest.fail("it was held")

    with try_lock(lock_path(tmp_path, TREE), OTHER) or pytest.fail("held"):
        outcome = run_job(JOB, body, root=tmp_path, limits=Limits(deadline_s=0.05))
    assert (outcome.exit_code, outcome.run.result) == (0, "partial")


def test_progress_reaches_who_watches(tmp_path: Path) -> None:
    seen: list[Progress] = []
    reports = Reports(progress=seen.append)
    run_job(JOB, lambda context: context.progress(1, 2, "days"), root=tmp_path, reports=reports)
    run_job(JOB, lambda context: context.progress(1, 2, "days"), root=tmp_path)
    assert seen == [Progress(1, 2, "days")]


def test_a_job_runs_though_the_ledger_cannot_be_written_and_then_says_so(tmp_path: Path) -> None:
    ledger_path(tmp_path).mkdir(parents=True)
    said: list[str] = []
    worked: list[int] = []
    outcome = run_job(
        JOB,
        lambda _: worked.append(1),
        root=tmp_path,
        reports=Reports(talk=said.append),
    )
    assert worked == [1]
    assert outcome.exit_code == 74
    assert outcome.run.result == "done"
    assert isinstance(outcome.error, StorageError)
    assert len(said) == 2
    assert all("the ledger was not written, ignoring" in line for line in said)
    assert run_job(JOB, raising(ConfigError("no key")), root=tmp_path).exit_code == 78


def test_a_job_does_not_begin_where_its_lock_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("")
    with pytest.raises(StorageError, match="locks"):
        run_job(JOB, never, root=tmp_path)


def test_outside_the_main_thread_signals_are_left_alone(tmp_path: Path) -> None:
    codes: list[int] = []
    thread = threading.Thread(
        target=lambda: codes.append(run_job(JOB, nothing, root=tmp_path).exit_code)
    )
    thread.start()
    thread.join()
    assert codes == [0]


def test_handlers_are_put_back(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    run_job(JOB, nothing, root=tmp_path)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


STEPS = """
def body(context):
    for step in range(1000):
        context.tally.nodes += 1
        ready()
        while not context.should_stop(): time.sleep(0.01)
        time.sleep(0.1)
        (root / "steps").open("a").write("whole ")
        context.checkpoint()
sys.exit(run_job(JOBS[0], body, root=root).exit_code)
"""


@pytest.mark.parametrize(
    ("number", "code", "name"), [(signal.SIGTERM, 143, "SIGTERM"), (signal.SIGINT, 130, "SIGINT")]
)
def test_a_signal_lets_the_step_end_and_is_recorded(
    tmp_path: Path, number: signal.Signals, code: int, name: str
) -> None:
    child = start_ready(tmp_path, STEPS)
    child.send_signal(number)
    finish(child, code)
    run = only_run(tmp_path)
    assert (run.result, run.exit_code, run.nodes) == ("stopped", code, 1)
    assert run.reason == f"stopped by {name} after its step"
    assert (tmp_path / "steps").read_text() == "whole "


HANGS = """
def body(context):
    ready()
    while not context.should_stop(): time.sleep(0.01)
    print("noticed", flush=True)
    time.sleep(3600)
run_job(JOBS[0], body, root=root)
"""


def test_a_second_interrupt_kills_at_once_and_the_run_died(tmp_path: Path) -> None:
    child = start_ready(tmp_path, HANGS)
    child.send_signal(signal.SIGINT)
    assert child.stdout is not None
    assert child.stdout.readline() == "noticed\n"
    child.send_signal(signal.SIGINT)
    finish(child, -signal.SIGINT)
    assert only_run(tmp_path).result == "died"


WAITS = """
def body(context):
    ready()
    with context.tree(): pass
sys.exit(run_job(JOBS[0], body, root=root).exit_code)
"""


def test_a_signal_breaks_a_wait_for_a_lock(tmp_path: Path) -> None:
    with try_lock(lock_path(tmp_path, TREE), OTHER) or pytest.fail("held"):
        child = start_ready(tmp_path, WAITS)
        child.send_signal(signal.SIGTERM)
        finish(child, 143)
    assert only_run(tmp_path).result == "stopped"


def test_a_killed_run_died_and_the_next_one_goes_on(tmp_path: Path) -> None:
    child = start_ready(tmp_path, STEPS)
    child.kill()
    finish(child, -signal.SIGKILL)
    assert only_run(tmp_path).result == "died"
    assert run_job(JOBS[0], nothing, root=tmp_path).exit_code == 0
    assert [run.result for run in look(tmp_path).runs] == ["died", "done"]


@pytest.mark.slow
def test_of_sixteen_starts_one_runs_and_the_others_are_skipped(tmp_path: Path) -> None:
    code = """
    def body(context):
        ready()
        sys.stdin.readline()
    sys.exit(run_job(JOBS[0], body, root=root).exit_code)
    """
    first = start_ready(tmp_path, code)
    others = [start(tmp_path, code) for _ in range(15)]
    for child in others:
        finish(child, 75)
    finish(first)
    assert look(tmp_path).counts == {"ingest": {"done": 1, "skipped": 15}}


FULL_DISK = """
root = root / "small"
for size in (4096, 1):
    try:
        with (root / "filler").open("ab", buffering=0) as file:
            while True: file.write(b"x" * size)
    except OSError: pass
worked, said = [], []
reports = Reports(talk=said.append)
outcome = run_job(JOBS[-1], lambda context: worked.append(1), root=root, reports=reports)
assert (worked, outcome.exit_code, len(said)) == ([1], 74, 2), (worked, outcome, said)
def compact(context):
    (root / "filler").unlink()
outcome = run_job(JOBS[-1], compact, root=root, reports=reports)
assert (outcome.exit_code, len(said)) == (0, 3), (outcome, said)
assert [run.result for run in look(root).runs] == ["done"]
"""


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small tmpfs, which needs root")
def test_on_a_full_disk_the_job_that_makes_room_runs_and_is_recorded(tmp_path: Path) -> None:
    small = tmp_path / "small"
    (small / "locks").mkdir(parents=True)
    mount = (
        f"mount -t tmpfs -o size=64k,mode=700 none {small} && mkdir {small}/locks {small}/ledger"
    )
    touch = f"touch {small}/locks/job-compaction"
    shell = ["unshare", "-m", "sh", "-c", f'{mount} && {touch} && exec "$@"', "sh"]
    finish(start(tmp_path, FULL_DISK, before=shell))


@pytest.mark.parametrize(
    ("environ", "trigger"),
    [
        ({}, "manual"),
        ({"SYSTEMD_EXEC_PID": "7", "TRIGGER_UNIT": "memtool-ingest.timer"}, "timer"),
        ({"SYSTEMD_EXEC_PID": "7", "INVOCATION_ID": "x"}, "systemd"),
        ({"SYSTEMD_EXEC_PID": "1", "INVOCATION_ID": "x", "TRIGGER_UNIT": "x.timer"}, "manual"),
    ],
)
def test_what_started_a_run_is_told_from_a_terminal_inside_a_unit(
    environ: dict[str, str], trigger: str
) -> None:
    assert trigger_of(environ, 7) == trigger
