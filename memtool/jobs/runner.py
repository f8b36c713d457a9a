"""The one place where jobs begin and end: lock, record, work, record, exit code.

Reads their clock, catches everything, prints nothing.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from memtool import __version__
from memtool.context import DeadlineReached, Limits, Reports, RunContext, Signals, Stopped, Tally
from memtool.errors import (
    FAILED,
    INTERRUPTED,
    OK,
    TERMINATED,
    MemtoolError,
    SkippedError,
    StorageError,
    UnavailableError,
)
from memtool.files import storage_error
from memtool.ledger.file import MAX_DETAILS, MAX_LEFT, Run, Trigger
from memtool.ledger.reading import record_end, record_start
from memtool.locks import Holder, Lock, holder_of, job_lock_path, try_lock, wait_for
from memtool.systemd.jobs import JOBS, Runnable
from memtool.systemd.pauses import ALL, Pause, admit, described, paused
from memtool.text import first_line

Body = Callable[[RunContext], None]
_NO_CRASH = (Stopped, DeadlineReached)
_STOP_CODES = {signal.SIGTERM: TERMINATED.code, signal.SIGINT: INTERRUPTED.code}


class Outcome(Struct, frozen=True):
    """How a run ended: its exit code, its record, and the error to show where there is one."""

    exit_code: int
    run: Run
    error: MemtoolError | None = None
    tally: Tally | None = None


def system_now_us() -> int:
    """Return the machine's clock, in microseconds since 1970."""
    return time.time_ns() // 1000


def trigger_of(environ: Mapping[str, str], pid: int, *, is_scheduled: bool = False) -> Trigger:
    """Return what started this process: a path unit counts as a timer. Before systemd 252 both show as `systemd`.

    A terminal inherits INVOCATION_ID from the unit that it runs in; SYSTEMD_EXEC_PID tells a unit's own process from
    these. `is_scheduled` is what another scheduler, such as cron, says of itself.
    """
    if environ.get("SYSTEMD_EXEC_PID") != str(pid):
        return "cron" if is_scheduled else "manual"
    return "timer" if environ.get("TRIGGER_UNIT", "").endswith((".timer", ".path")) else "systemd"


def run_job(
    job: Runnable,
    body: Body,
    *,
    root: Path,
    trigger: Trigger = "manual",
    limits: Limits = Limits(),  # noqa: B008 - frozen
    reports: Reports = Reports(),  # noqa: B008 - frozen
    clock: Callable[[], int] = system_now_us,
    is_recorded: bool = True,
) -> Outcome:
    """Run the body under the job's lock, record it, and return how it ended.

    Without `is_recorded` there is neither a lock nor a record: for a body that only reads a store in which nothing may
    be written.

    An unexpected exception is recorded and raised again. A job that is paused is skipped where the run is scheduled,
    and a scheduled run is told which levels it must not write, since their jobs are paused.

    Raise StorageError where the job's lock file cannot be made: then nothing can be recorded either.
    """
    run = Run(os.urandom(6).hex(), job.name, trigger, clock(), os.getpid(), __version__)
    holder = Holder(run.pid, job.name, run.started_us, run.run)
    problem: Exception | None = None
    with Signals() as signals, ExitStack() as held:
        context = RunContext(root, run.started_us, holder, Tally(), limits, reports, signals)
        try:
            context = _with_pauses(run, context)
            if is_recorded:
                held.enter_context(_own_lock(context, job.name))
        except (SkippedError, Stopped) as error:
            problem = error
        else:
            if is_recorded:
                _record(record_start, run, context)
                context = replace(context, aside=_stepping_aside(run, context, held, clock))
            try:
                body(context)
            except Exception as error:  # noqa: BLE001 - recorded here, a crash is raised again below
                problem = error
            if problem is None and signals.received:  # what follows this job must stop too
                problem = Stopped(signals.received)
        outcome = _ended(run, problem, context, clock)
        unrecorded = _record(record_end, outcome.run, context) if is_recorded else None
    if problem is not None and not outcome.error and not isinstance(problem, _NO_CRASH):
        raise problem
    if unrecorded is not None and outcome.exit_code == OK.code:  # status would not know of it
        return Outcome(unrecorded.exit_code.code, outcome.run, unrecorded, context.tally)
    return outcome


def _stepping_aside(
    run: Run, context: RunContext, held: ExitStack, clock: Callable[[], int]
) -> Callable[[str], AbstractContextManager[None]]:
    """Return `RunContext.aside`: meanwhile the run is recorded as partial, and does not hold its job's lock."""

    @contextmanager
    def aside(why: str) -> Iterator[None]:
        context.tally.cut_short = why
        _record(record_end, _ended(run, None, context, clock).run, context)
        held.close()
        yield
        context.tally.cut_short = ""
        wait = context.lock_wait(run.job, context.limits.lock_wait_s)
        held.enter_context(wait_for(job_lock_path(context.root, run.job), context.holder, wait))

    return aside


def _with_pauses(run: Run, context: RunContext) -> RunContext:
    """Return the context with the paused levels. Raise SkippedError if the job itself is paused and must not run.

    A run by hand goes on, with a note, and writes every level.
    """
    root, names, now_us = context.root, [job.name for job in JOBS], run.started_us
    if run.trigger == "manual":
        found = paused(root, names, now_us)
        if (pause := found.get(run.job)) is not None:
            context.reports.talk(
                f"{run.job} is {described(pause)}; running it by hand all the same"
            )
        return replace(context, paused=_levels(found))
    respected = admit(root, run.job, names, now_us, may_ignore=run.trigger == "systemd")
    if (pause := respected.get(run.job)) is not None:
        hint = f"memtool scheduler resume {pause.who if pause.who != ALL else '--all'}"
        raise SkippedError(f"{run.job} is {described(pause)}", hint=hint)
    found = respected or paused(root, names, now_us)
    return replace(context, paused=_levels(found), held=_levels(respected))


def _levels(pauses: Mapping[str, Pause]) -> frozenset[str]:
    return frozenset(level for job in JOBS if job.name in pauses for level in job.levels)


def _own_lock(context: RunContext, job: str) -> Lock:
    """Return the job's own lock. Raise SkippedError where the same job is running and does not end in time."""
    path, wait_s = job_lock_path(context.root, job), context.limits.job_wait_s
    try:
        if wait_s > 0:
            return wait_for(path, context.holder, context.lock_wait("job", wait_s))
        lock = try_lock(path, context.holder)
    except UnavailableError:
        lock = None
    if lock is not None:
        return lock
    other = holder_of(path)
    who = f"pid {other.pid}" if other else "by a process that did not say who it is"
    raise SkippedError(
        f"{job} is already running ({who})", hint="nothing to do: that run does the work"
    )


def _ended(
    run: Run, problem: Exception | None, context: RunContext, clock: Callable[[], int]
) -> Outcome:
    """Return how the run ended, before that is recorded. A failure outranks work that was left."""
    tally = context.tally
    error: MemtoolError | None = None
    result, code, reason, text = "done", OK.code, tally.problem, ""
    if isinstance(problem, DeadlineReached):
        tally.cut_short = f"the deadline of {context.limits.deadline_s:g} s was reached"
        problem = None
    elif isinstance(problem, OSError | MemoryError):
        problem = storage_error(problem, getattr(problem, "filename", None) or context.root)
    if isinstance(problem, Stopped):
        result, code = "stopped", _STOP_CODES[signal.Signals(problem.signal_number)]
        reason = f"stopped by {problem} after its step"
    elif isinstance(problem, SkippedError):
        result, code, error, reason = "skipped", problem.exit_code.code, problem, problem.message
    elif isinstance(problem, MemtoolError):
        result, code, error, text = "failed", problem.exit_code.code, problem, problem.message
    elif problem is not None:
        result, code, text = "failed", FAILED.code, f"{type(problem).__name__}: {problem}"
    elif tally.failures_count:
        more = tally.failures_count - 1
        text = tally.failures[0] + (f" (and {more} more)" if more else "")
        hint = "the rest was done; the next run tries again what failed"
        result, code, error = "failed", FAILED.code, MemtoolError(text, hint=hint)
        reason = tally.cut_short
    elif tally.cut_short:
        result, reason = "partial", tally.cut_short
    record = run._replace(
        ended_us=clock(),
        result=result,
        exit_code=code,
        nodes=tally.nodes,
        events=tally.events,
        calls=tally.calls,
        tokens=tally.tokens,
        periods=tuple(tally.periods),
        periods_count=tally.periods_count,
        error=first_line(text or next(iter(tally.failures), "")),
        reason=first_line(reason),
        left=None if tally.left is None else dict(list(tally.left.items())[:MAX_LEFT]),
        details=dict(list(tally.details.items())[:MAX_DETAILS]),
        hint=first_line(error.hint) if error and result == "failed" else "",
    )
    return Outcome(code, record, error, tally)


def _record(
    write: Callable[..., None], run: Run, context: RunContext
) -> StorageError | UnavailableError | None:
    """Write to the ledger and return None, or the error that kept it from being written, after saying so.

    A job goes on without its record: on a full disk it is compaction that makes room.
    """
    try:
        write(context.root, run, talk=context.reports.talk)
    except (StorageError, UnavailableError) as error:
        context.reports.talk(f"the ledger was not written, ignoring: {error.message}")
        return error
    return None
