"""What `memtool scheduler run` does: start the job's unit, wait for it, and tell from the ledger how it went."""

from __future__ import annotations

from contextlib import nullcontext

from memtool.cli.output import note, print_json, print_line
from memtool.cli.scheduler.history import did
from memtool.cli.scheduler.place import Place
from memtool.cli.scheduler.words import pause_words, took
from memtool.errors import EXIT_CODES, FAILED, ExitCode, MemtoolError, SkippedError
from memtool.ledger.reading import look
from memtool.ledger.run import Run, as_json
from memtool.systemd.jobs import Job
from memtool.systemd.pauses import Pause, ignoring, pause_of
from memtool.systemd.systemctl import Manager, failure

RUN_VERSION = 1


def run_unit(place: Place, job: Job, *, ignores_pause: bool, json: bool) -> ExitCode:
    """Start the job's unit and return the exit code of its run. Raise MemtoolError where there was none."""
    paused = pause_of(place.root, job.name, place.call.now_us)
    if paused is not None and not ignores_pause:
        raise _refusal(job, paused, place.call.now_us)
    before = {run.run for run in look(place.root, job=job.name).runs if run.result is not None}
    with ignoring(place.root, job.name) if paused is not None else nullcontext():
        error = _start(place, job)
    runs = [run for run in look(place.root, job=job.name).runs if run.run not in before]
    if not runs:
        raise error or _no_run(job)
    _show(place, runs[-1], json=json)
    return _exit_code(runs[-1])


def _refusal(job: Job, paused: Pause, now_us: int) -> SkippedError:
    return SkippedError(
        f"{job.name} is paused {pause_words(paused, now_us)}",
        hint=f"memtool scheduler resume {job.name}, or: memtool scheduler run {job.name} --ignore-pause",
    )


def _start(place: Place, job: Job) -> MemtoolError | None:
    """Start the unit, wait until it has ended, and return what systemd had against it."""
    manager = _manager(place, job)
    # A person who asks counts for more than StartLimitBurst=. Where this is refused, so is the start, which tells why.
    manager.call("reset-failed", job.unit)
    try:
        done = manager.call("start", job.unit, timeout_s=None)
    except KeyboardInterrupt:
        command = " ".join(("systemctl", *manager.arguments, "stop", job.unit))
        note(f"{job.name} goes on; to end it: {command}")
        raise
    if done.is_ok:
        return None
    error = failure(done, manager, f"{job.unit} did not run")
    error.hint = error.hint or f"memtool scheduler logs {job.name}"
    return error


def _manager(place: Place, job: Job) -> Manager:
    try:
        return place.manager
    except MemtoolError as error:
        command = f"run it without systemd: memtool {' '.join(job.command)}"
        raise MemtoolError(error.message, hint=command) from error


def _no_run(job: Job) -> MemtoolError:
    return MemtoolError(
        f"{job.unit} was started, but recorded no run in this store",
        hint=f"memtool scheduler logs {job.name} shows what it said; is it the store of this unit?",
    )


def _show(place: Place, run: Run, *, json: bool) -> None:
    if json:
        store = {"path": str(place.root), "why": place.store.why}
        shown = {**as_json(run), "duration_us": run.duration_us}
        print_json("scheduler-run", RUN_VERSION, {"store": store, "run": shown})
        return
    counted = f": {did(run)}" if did(run) else ""
    print_line(f"{run.job} {run.result or 'runs'} after {took(run, place.call.now_us)}{counted}")
    for text in (run.error, run.reason):
        if text:
            print_line(f"    {text}")


def _exit_code(run: Run) -> ExitCode:
    """Return the run's own exit code; of one that died, or has not ended, there is none."""
    return next((row for row in EXIT_CODES if row.code == run.exit_code), FAILED)
