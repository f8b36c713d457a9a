"""The one place where jobs begin and end: lock, record, work, record, exit code.

Reads their clock, catches everything, prints nothing.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

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
from memtool.ledger.file import MAX_DETAILS, MAX_LEFT, Result, Run, Trigger
from memtool.ledger.reading import record_end, record_start
from memtool.locks import Holder, Lock, holder_of, job_lock_path, try_lock, wait_for
from memtool.systemd.jobs import Runnable
from memtool.systemd.pauses import ALL, admit, described, pause_of
from memtool.text import first_line

Body = Callable[[RunContext], None]
_STOP_CODES = {signal.SIGTERM: TERMINATED, signal.SIGINT: INTERRUPTED}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: its exit code, its record, and the error to show where there is one."""

    exit_code: int
    run: Run
    error: MemtoolError | None = None
    tally: Tally | None = None


@dataclass(frozen=True, slots=True)
class _Verdict:
    """How the body ended, before it is recorded."""

    result: Result
    exit_code: int
    error: MemtoolError | None = None
    reason: str = ""
    crash: Exception | None = None


def system_now_us() -> int:
    """Return the machine's clock, in microseconds since 1970."""
    return time.time_ns() // 1000


def trigger_of(environ: Mapping[str, str], pid: int) -> Trigger:
    """Return what started this process. Before systemd 252 a timer's run shows as `systemd`.

    A terminal inherits INVOCATION_ID from the unit that it runs in; SYSTEMD_EXEC_PID tells a unit's own process from
    these.
    """
    if environ.get("SYSTEMD_EXEC_PID") != str(pid):
        return "manual"
    return "timer" if environ.get("TRIGGER_UNIT", "").endswith(".timer") else "systemd"


def run_job(
    job: Runnable,
    body: Body,
    *,
    root: Path,
    trigger: Trigger = "manual",
    limits: Limits = Limits(),  # noqa: B008 - frozen
    reports: Reports = Reports(),  # noqa: B008 - frozen
    clock: Callable[[], int] = system_now_us,
) -> Outcome:
    """Run the body under the job's lock, record it, and return how it ended.

    An unexpected exception is recorded and raised again. A job that is paused is skipped where systemd began the run.

    Raise StorageError where the job's lock file cannot be made: then nothing can be recorded either.
    """
    run = Run(os.urandom(6).hex(), job.name, trigger, clock(), os.getpid(), __version__)
    holder = Holder(run.pid, job.name, run.started_us, run.run)
    with Signals() as signals:
        context = RunContext(root, run.started_us, holder, Tally(), limits, reports, signals)
        if (pause := _pause(run, context)) is not None:
            return _skip(run, context, pause)
        try:
            own = _own_lock(context, job_lock_path(root, job.name))
        except Stopped as stop:
            return _conclude(run, _stopped(stop), context, clock())
        if own is None:
            return _skip(run, context, _already_running(run, context))
        with own:
            _record(record_start, run, context)
            verdict = _judge(body, context)
            outcome = _conclude(run, verdict, context, clock())
    if verdict.crash is not None:
        raise verdict.crash
    return outcome


def _own_lock(context: RunContext, path: Path) -> Lock | None:
    """Return the job's own lock; None where the same job is running and does not end within the bound (mostly none)."""
    if context.limits.job_wait_s <= 0:
        return try_lock(path, context.holder)
    try:
        return wait_for(path, context.holder, context.patience("job", context.limits.job_wait_s))
    except UnavailableError:
        return None


def _pause(run: Run, context: RunContext) -> SkippedError | None:
    """Return why this run must not be, because its job is paused. A run by hand is told of it, and goes on."""
    if run.trigger == "manual":
        pause = pause_of(context.root, run.job, run.started_us)
        if pause is not None:
            context.reports.talk(
                f"{run.job} is {described(pause)}; running it by hand all the same"
            )
        return None
    by_hand = run.trigger == "systemd"
    pause = admit(context.root, run.job, run.started_us, may_ignore=by_hand)
    if pause is None:
        return None
    hint = f"memtool scheduler resume {pause.who if pause.who != ALL else '--all'}"
    return SkippedError(f"{run.job} is {described(pause)}", hint=hint)


def _already_running(run: Run, context: RunContext) -> SkippedError:
    other = holder_of(job_lock_path(context.root, run.job))
    who = f"pid {other.pid}" if other else "by a process that did not say who it is"
    return SkippedError(
        f"{run.job} is already running ({who})", hint="nothing to do: that run does the work"
    )


def _skip(run: Run, context: RunContext, error: SkippedError) -> Outcome:
    code = error.exit_code.code
    reason = first_line(error.message)
    ended = run._replace(ended_us=run.started_us, result="skipped", exit_code=code, reason=reason)
    _record(record_end, ended, context)
    return Outcome(code, ended, error)


def _judge(body: Body, context: RunContext) -> _Verdict:
    """Run the body and return how it ended."""
    try:
        body(context)
        if (
            context.signals.received
        ):  # after its last checkpoint: what follows this job must stop, too
            return _stopped(Stopped(context.signals.received))
    except Stopped as stop:
        return _stopped(stop)
    except DeadlineReached:
        deadline_s = context.limits.deadline_s
        context.tally.cut_short = f"the deadline of {deadline_s:g} s was reached"
    except MemtoolError as error:
        return _failed(error)
    except (OSError, MemoryError) as error:
        return _failed(storage_error(error, getattr(error, "filename", None) or context.root))
    except Exception as error:  # noqa: BLE001 - recorded here, raised again by run_job
        return _Verdict("failed", FAILED.code, crash=error)
    return _finished(context.tally)


def _stopped(stop: Stopped) -> _Verdict:
    code = _STOP_CODES[signal.Signals(stop.signal_number)].code
    return _Verdict("stopped", code, reason=f"stopped by {stop} after its step")


def _failed(error: MemtoolError) -> _Verdict:
    if isinstance(error, SkippedError):
        return _Verdict("skipped", error.exit_code.code, error, reason=error.message)
    return _Verdict("failed", error.exit_code.code, error)


def _finished(tally: Tally) -> _Verdict:
    """Return the verdict on a body that came to its end or to its deadline. A failure outranks work that was left."""
    if tally.failures_count:
        more = tally.failures_count - 1
        message = tally.failures[0] + (f" (and {more} more)" if more else "")
        hint = "the rest was done; the next run tries again what failed"
        return _Verdict("failed", FAILED.code, MemtoolError(message, hint=hint), tally.cut_short)
    if tally.cut_short:
        return _Verdict("partial", OK.code, reason=tally.cut_short)
    return _Verdict("done", OK.code)


def _conclude(run: Run, verdict: _Verdict, context: RunContext, ended_us: int) -> Outcome:
    """Record the end.

    Work that is done but could not be recorded is an error of its own: status would not know of it.
    """
    ended = _ended(run, verdict, context.tally, ended_us)
    trouble = _record(record_end, ended, context)
    if trouble is not None and verdict.exit_code == OK.code:
        return Outcome(trouble.exit_code.code, ended, trouble, context.tally)
    return Outcome(verdict.exit_code, ended, verdict.error, context.tally)


def _ended(run: Run, verdict: _Verdict, tally: Tally, ended_us: int) -> Run:
    return run._replace(
        ended_us=ended_us,
        result=verdict.result,
        exit_code=verdict.exit_code,
        nodes=tally.nodes,
        events=tally.events,
        calls=tally.calls,
        tokens=tally.tokens,
        periods=tuple(tally.periods),
        periods_count=tally.periods_count,
        error=_error_text(verdict, tally),
        reason=first_line(verdict.reason),
        left=None if tally.left is None else dict(list(tally.left.items())[:MAX_LEFT]),
        details=dict(list(tally.details.items())[:MAX_DETAILS]),
    )


def _error_text(verdict: _Verdict, tally: Tally) -> str:
    if verdict.crash is not None:
        return first_line(f"{type(verdict.crash).__name__}: {verdict.crash}")
    if verdict.result == "failed" and verdict.error is not None:
        return first_line(verdict.error.message)
    return tally.failures[0] if tally.failures else ""


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
