"""memtool scheduler pause, resume, run and logs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import nullcontext

from memtool.cli.output import note, print_json, print_line
from memtool.cli.scheduler.place import Place, state_of
from memtool.cli.scheduler.text import did, pause_words, took
from memtool.errors import EXIT_CODES, FAILED, ExitCode, MemtoolError, SkippedError, StorageError
from memtool.ledger.file import Run, as_json
from memtool.ledger.reading import look, look_newest
from memtool.paths import name_of
from memtool.process import Finished, stream
from memtool.systemd.jobs import JOBS, Job
from memtool.systemd.pauses import (
    ALL,
    Pause,
    end_pause,
    ignoring,
    pause_of,
    paused,
    seconds_of,
    set_pause,
)
from memtool.systemd.status import JobStatus, words
from memtool.systemd.systemctl import Manager, failure, meaning


def pause(place: Place, who: str, *, length: str, reason: str) -> None:
    """Pause a job, or all, for a while or until it is resumed."""
    now_us = place.call.now_us
    until_us = now_us + seconds_of(length) * 1_000_000 if length else None
    made = Pause(who, now_us, until_us, _person(place), reason)
    set_pause(place.root, made)
    end = "until resumed" if until_us is None else f"for {length}"
    print_line(f"Paused {_who_words(who)} {end}{f': {reason}' if reason else ''}.")
    for run in look_newest(place.root).open_runs():
        if who in (ALL, run.job):
            note(f"{run.job} runs now (pid {run.pid}) and goes on to its end.")


def _person(place: Place) -> str:
    environ = place.call.environ
    return environ.get("SUDO_USER") or name_of(os.getuid())


def _who_words(who: str) -> str:
    return "all jobs" if who == ALL else who


def resume(place: Place, who: str) -> None:
    """End the pause of a job, or every pause, say what waits, and start what was missed."""
    now_us = place.call.now_us
    names = [job.name for job in JOBS if who in (ALL, job.name)]
    before = paused(place.root, names, now_us)
    if not before:
        print_line(
            f"Nothing is paused: {_who_words(who)} {'run' if who == ALL else 'runs'} as planned."
        )
    end_pause(place.root, who)
    for job in before:
        rest = pause_of(place.root, job, now_us)
        if rest is not None:
            raise MemtoolError(
                f"{job} is still paused {pause_words(rest, now_us)}",
                hint="memtool scheduler resume --all",
            )
    for name in [ALL] if who == ALL and before else before:
        print_line(f"Resumed {_who_words(name)}.")
    rows = [row for row in state_of(place).jobs if row.job.name in before]
    _make_up(place, [row for row in rows if _has_missed(row, before[row.job.name])])


def _has_missed(row: JobStatus, pause: Pause) -> bool:
    """Return whether something waits, or the timer fired, or a run was skipped, while the job was paused."""
    fired_us = row.timer.last_trigger_us if row.timer else None
    was_skipped = row.newest is not None and row.newest.result == "skipped"
    return bool(
        row.waits
        or any(problem.kind == "overdue" for problem in row.problems)
        or (fired_us is not None and fired_us >= pause.since_us)
        or (was_skipped and row.newest is not None and row.newest.started_us >= pause.since_us)
    )


def _make_up(place: Place, rows: list[JobStatus]) -> None:
    """Start the jobs that missed something; those whose timers the admin turned off are only named."""
    for row in rows:
        if row.waits:
            print_line(f"  waiting for {row.job.name}: {words(row.left)}")
    live = [row for row in rows if row.timer is not None and row.timer.is_live]
    if live and _start_missed(place, live):
        print_line(f"Started, to make up for what was missed: {_names(live)}.")
        rows = [row for row in rows if row not in live]
    for row in rows:
        print_line(f"To make up for what was missed: memtool {' '.join(row.job.command)}")


def _start_missed(place: Place, rows: list[JobStatus]) -> bool:
    done = place.manager.call("start", "--no-block", *(row.job.unit for row in rows))
    if not done.is_ok:
        text, hint = meaning(done, place.manager)
        note(f"not started: {text}{f' ({hint})' if hint else ''}")
    return done.is_ok


def _names(rows: Iterable[JobStatus]) -> str:
    return ", ".join(row.job.name for row in rows)


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


_HIDDEN = re.compile(r"insufficient permissions|not seeing messages|No journal files were found")
_PLAIN = ("--no-pager", "--no-hostname")
_EMPTY = "-- No entries --"


def print_logs(place: Place, job: Job, *, lines: int, follows: bool) -> None:
    """Print what the journal has of the job. Raise StorageError where it may not be read."""
    manager = place.manager
    argv = ["journalctl", *manager.arguments, "-u", job.unit, "-n", str(lines), *_PLAIN]
    count = 0

    def show(line: str) -> None:
        nonlocal count
        if line != _EMPTY:
            count += 1
            print_line(line)

    done = stream([*argv, "--follow"] if follows else argv, manager.environ, show)
    if not count:
        _explain(done, job)


def _explain(done: Finished, job: Job) -> None:
    """Say why there is nothing to see."""
    if done.is_missing:
        raise MemtoolError(f"{done.said}: there is no journal to read", hint=_history(job))
    if _HIDDEN.search(done.stderr):
        raise StorageError(
            "you may not read the journal of this unit",
            hint=f"use sudo, or join the group systemd-journal; {_history(job)}",
        )
    if not done.is_ok:
        raise MemtoolError(f"the journal was not read: {done.said}", hint=_history(job))
    note(f"The journal has nothing of {job.unit}; {_history(job)}.")


def _history(job: Job) -> str:
    return f'"memtool scheduler history {job.name}" shows what memtool recorded'
