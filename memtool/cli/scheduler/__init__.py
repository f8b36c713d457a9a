"""`memtool scheduler`: the jobs' timers, and how the jobs went. Opens no store and imports nothing that could."""

from __future__ import annotations

import os
import re
from contextlib import nullcontext
from typing import Annotated

import typer

from memtool.agents.hooks import spool
from memtool.cli.options import JsonOption, command_group, invocation, jobs
from memtool.cli.output import note, number, print_json, print_line
from memtool.cli.scheduler.place import Place, ScopeOption, nothing_installed, place_of, state_of
from memtool.cli.scheduler.text import (
    did,
    history_lines,
    moment,
    pause_words,
    print_status,
    queue_words,
    screen_width,
    took,
)
from memtool.errors import (
    EXIT_CODES,
    FAILED,
    OK,
    ExitCode,
    MemtoolError,
    SkippedError,
    StorageError,
    UsageError,
)
from memtool.ledger.file import Run, as_json
from memtool.ledger.reading import look, look_newest
from memtool.paths import StoreChoice, name_of
from memtool.process import Finished, stream
from memtool.systemd.jobs import JOBS, Job, job_named, runnable_named
from memtool.systemd.pauses import (
    ALL,
    Pause,
    end_pause,
    ignoring,
    instant_of,
    pause_of,
    paused,
    seconds_of,
    set_pause,
)
from memtool.systemd.problems import JobStatus, waiting_words
from memtool.systemd.status import VERSION, status_json
from memtool.systemd.systemctl import Manager, failure, is_booted, meaning

HISTORY_VERSION = RUN_VERSION = 1
_NO_FILES = "No journal files were found"
_HIDDEN = rf"insufficient permissions|not seeing messages|{_NO_FILES}"
_PLAIN = ("--no-pager", "--no-hostname")
_EMPTY = "-- No entries --"

JobArgument = Annotated[
    str, typer.Argument(metavar="JOB", autocompletion=jobs, help="Such as day-rollup.")
]
SomeJobArgument = Annotated[
    str | None,
    typer.Argument(metavar="[JOB]", autocompletion=jobs, help="Such as day-rollup; or --all."),
]
AllOption = Annotated[bool, typer.Option("--all", help="Every job.")]

scheduler = command_group()


@scheduler.command()
def status(
    context: typer.Context, *, is_system: ScopeOption = None, json: JsonOption = False
) -> ExitCode:
    """Show each job: its last run, the result, its next run, what waits. Exits 1 if something is wrong."""
    call = invocation(context)
    place = place_of(call, is_system)
    state = state_of(place)
    if json:
        print_json(
            "scheduler-status", VERSION, {"store": _store(place.store), **status_json(state)}
        )
    else:
        print_status(state, place, call.now_us)
    return OK if state.is_healthy else FAILED


@scheduler.command()
def history(
    context: typer.Context,
    job: Annotated[
        str | None, typer.Argument(metavar="[JOB]", autocompletion=jobs, help="Only this job.")
    ] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="Show at most N runs.")] = 20,
    is_system: ScopeOption = None,
    json: JsonOption = False,
) -> None:
    """List the runs, newest first."""
    name = runnable_named(job).name if job else ""
    place = place_of(invocation(context), is_system)
    past = look(place.root, job=name, limit=limit)
    runs = past.runs[::-1]
    if json:
        shown = [{**as_json(run), "duration_us": run.duration_us} for run in runs]
        extra = {"damaged_lines": past.damaged_lines, "runs": shown}
        print_json("scheduler-history", HISTORY_VERSION, {"store": _store(place.store), **extra})
        return
    for line in history_lines(runs, screen_width(place.call.environ)):
        print_line(line)


@scheduler.command()
def pause(
    context: typer.Context,
    job: SomeJobArgument = None,
    *,
    is_all: AllOption = False,
    length: Annotated[
        str,
        typer.Option(
            "--for",
            metavar="DURATION",
            help="Such as 90min, 2h, 2d or 1w. Default: until resumed.",
        ),
    ] = "",
    until: Annotated[
        str,
        typer.Option(
            "--until", metavar="WHEN", help="Such as 18:30, 2026-12-01 or '2026-12-01 18:30'."
        ),
    ] = "",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Shown by status.")] = "",
    is_system: ScopeOption = None,
) -> None:
    """Pause a job: no scheduled run writes what it writes. A run under way continues; by hand you can run all jobs."""
    place, who = place_of(invocation(context), is_system), _who(job, is_all=is_all)
    now_us = place.call.now_us
    if length and until:
        raise UsageError("--for and --until do not go together", hint="name one of them")
    until_us = now_us + seconds_of(length) * 1_000_000 if length else None
    if until:
        until_us = instant_of(until, now_us)
    _check_scheduled(place)
    if place.call.administers is not None:  # one that was deleted
        from memtool.systemd.setup import make_store

        make_store(place.root, place.call.administers, is_of_system=True)
    by = place.call.environ.get("SUDO_USER") or name_of(os.getuid())
    made = Pause(who, now_us, until_us, by, reason)
    set_pause(place.root, made)
    end = f"until {moment(until_us, now_us)}" if until_us is not None else "until resumed"
    print_line(f"Paused {_jobs_named(who)} {end}{f': {reason}' if reason else ''}.")
    for run in look_newest(place.root).open_runs():
        if who in (ALL, run.job):
            note(f"{run.job} runs now (pid {run.pid}) and continues.")


@scheduler.command()
def resume(
    context: typer.Context,
    job: SomeJobArgument = None,
    *,
    is_all: AllOption = False,
    is_system: ScopeOption = None,
) -> None:
    """End a job's pause, or all pauses; show what waits, and start what was missed."""
    place, who = place_of(invocation(context), is_system), _who(job, is_all=is_all)
    now_us = place.call.now_us
    before = paused(place.root, [one.name for one in JOBS if who in (ALL, one.name)], now_us)
    if not before:
        print_line("Nothing is paused." if who == ALL else f"{who} is not paused.")
    end_pause(place.root, who)
    for name in before:
        rest = pause_of(place.root, name, now_us)
        if rest is not None:
            raise MemtoolError(
                f"{name} is still paused {pause_words(rest, now_us)}",
                hint="memtool scheduler resume --all",
            )
    for name in [ALL] if who == ALL and before else before:
        print_line(f"Resumed {_jobs_named(name)}.")
    rows = [row for row in state_of(place).jobs if row.job.name in before]
    heard = [row for row in rows if row.job.path and _ring(place, row.job)]
    _make_up(
        place,
        [row for row in rows if row not in heard and _has_missed(row, before[row.job.name])],
    )


def _ring(place: Place, job: Job) -> bool:
    """Have the job's path unit start it where hooks wait: a person may do that who may not start the unit."""
    waiting = len(spool.names(place.root))
    if not waiting or place.scope is None or not place.manager.call("is-active", job.path).is_ok:
        return False
    if not spool.ring(place.root):
        return False
    print_line(f"Started {job.name}: {number(waiting, 'payload')} of hooks to be read.")
    return True


@scheduler.command()
def run(
    context: typer.Context,
    job: JobArgument,
    *,
    ignores_pause: Annotated[
        bool,
        typer.Option(
            "--ignore-pause", help="Run it, with what it needs, in spite of pauses. These stay."
        ),
    ] = False,
    is_system: ScopeOption = None,
    json: JsonOption = False,
) -> ExitCode:
    """Start a job's unit, wait for it, and show the result. Exits with the exit code of the run."""
    row, place = job_named(job), place_of(invocation(context), is_system)
    pause = pause_of(place.root, row.name, place.call.now_us)
    if pause is not None and not ignores_pause:
        raise SkippedError(
            f"{row.name} is paused {pause_words(pause, place.call.now_us)}",
            hint=f"memtool scheduler resume {row.name}, or: memtool scheduler run {row.name} --ignore-pause",
        )
    before = {run.run for run in look(place.root, job=row.name).runs if run.result is not None}
    pauses = paused(place.root, (one.name for one in JOBS), place.call.now_us)
    with ignoring(place.root, row.name) if ignores_pause and pauses else nullcontext():
        error = _start(place, row)
    runs = [run for run in look(place.root, job=row.name).runs if run.run not in before]
    if not runs:
        raise error or _unrecorded(place, row)
    _show(place, runs[-1], json=json)
    # A run that died, or has not ended, has no exit code.
    return next((code for code in EXIT_CODES if code.code == runs[-1].exit_code), FAILED)


@scheduler.command()
def logs(
    context: typer.Context,
    job: JobArgument,
    *,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=1, metavar="N", help="Show the last N lines.")
    ] = 50,
    follows: Annotated[
        bool, typer.Option("--follow", "-f", help="Keep showing new lines.")
    ] = False,
    is_system: ScopeOption = None,
) -> None:
    """Show the journal of a job's unit."""
    row, manager = job_named(job), place_of(invocation(context), is_system).manager
    argv = ["journalctl", *manager.arguments, "-u", row.unit, "-n", str(lines), *_PLAIN]
    count = 0

    def show(line: str) -> None:
        nonlocal count
        if line != _EMPTY:
            count += 1
            print_line(line)

    done = stream([*argv, "--follow"] if follows else argv, manager.environ, show)
    if not count:
        _explain(done, row)


@scheduler.command()
def apply(
    context: typer.Context,
    *,
    is_dry: Annotated[bool, typer.Option("--dry-run", help="Show what would change.")] = False,
    is_system: ScopeOption = None,
) -> None:
    """Bring unit files and drop-ins up to date with this version of memtool and with the settings."""
    from memtool.cli.scheduler.apply import apply_settings

    apply_settings(place_of(invocation(context), is_system), is_dry=is_dry)


@scheduler.command()
def crontab(context: typer.Context) -> None:
    """Print crontab lines that do what the timers would, for machines without systemd."""
    from memtool.cli.scheduler.apply import crontab_of
    from memtool.program import running_program

    call = invocation(context)
    for line in crontab_of(place_of(call, None), running_program().launcher()):
        print_line(line)


def _check_scheduled(place: Place) -> None:
    """Raise MemtoolError if no timer of this place and no other scheduler starts jobs: there is nothing to pause."""
    has_timers = place.scope is not None and place.scope in place.installed
    if has_timers or any(run.trigger == "cron" for run in look_newest(place.root).runs):
        return
    if not is_booted():
        note("There are no timers here: this holds for runs with --scheduled, as cron makes them.")
        return
    text, hint = nothing_installed(place)
    raise MemtoolError(f"there is nothing to pause: {text}", hint=hint)


def _who(job: str | None, *, is_all: bool) -> str:
    """Return the job's name, or `all`. Raise UsageError unless just one of the two was named."""
    if is_all == (job is not None):
        raise UsageError(
            "name one job, or --all", hint=f"the jobs are: {', '.join(one.name for one in JOBS)}"
        )
    return job_named(job).name if job is not None else ALL


def _jobs_named(who: str) -> str:
    return "all jobs" if who == ALL else who


def _store(store: StoreChoice) -> dict[str, str]:
    return {"path": str(store.root), "why": store.why}


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
            print_line(f"  waiting for {row.job.name}: {waiting_words(row)}")
    live = [row for row in rows if row.timer is not None and row.timer.is_live]
    if live and _start_missed(place, live):
        print_line(
            f"Started, to make up for what was missed: {', '.join(row.job.name for row in live)}."
        )
        rows = [row for row in rows if row not in live]
    for row in rows:
        print_line(f"To make up for what was missed: memtool {' '.join(row.job.command)}")


def _start_missed(place: Place, rows: list[JobStatus]) -> bool:
    done = place.manager.call("start", "--no-block", *(row.job.unit for row in rows))
    if not done.is_ok:
        text, hint = meaning(done, place.manager)
        note(f"not started: {text}{f' ({hint})' if hint else ''}")
    return done.is_ok


def _start(place: Place, job: Job) -> MemtoolError | None:
    """Start the unit, wait until it has ended, and return what systemd had against it."""
    manager = _manager(place, job)
    verb = "start"
    state = state_of(place)
    row = next(row for row in state.jobs if row.job is job)
    if waiting := queue_words(row, state, place.call.now_us):
        note(f"{job.name} {waiting}.")
    if row.timer is not None and row.timer.service.state == "retrying":
        # A start would wait for the next try, too.
        note("It runs now instead.")
        verb = "restart"
    # A person who asks counts for more than StartLimitBurst=. Where this is refused, so is the start, which tells why.
    manager.call("reset-failed", job.unit)
    try:
        done = manager.call(verb, job.unit, timeout_s=None)
    except KeyboardInterrupt:
        command = " ".join(("systemctl", *manager.arguments, "stop", job.unit))
        note(f"{job.name} continues; to stop it: {command}")
        raise
    if done.is_ok:
        return None
    error = failure(done, manager, f"{job.unit} did not run")
    error.hint = error.hint or f"memtool scheduler logs {job.name}"
    return error


def _unrecorded(place: Place, job: Job) -> MemtoolError:
    """Return why a unit that was started without an error has recorded no run."""
    done = place.manager.call("show", "-p", "ConditionResult", job.unit)
    if "ConditionResult=no" in done.stdout:
        command = " ".join(("systemctl", *place.manager.arguments, "status", job.unit))
        text = f"{job.unit} did not run: a condition in its unit file is not met"
        return MemtoolError(text, hint=f"{command} says which")
    text = f"{job.unit} was started, but recorded no run in this store"
    hint = f"memtool scheduler logs {job.name} shows what it said; is it the store of this unit?"
    return MemtoolError(text, hint=hint)


def _manager(place: Place, job: Job) -> Manager:
    try:
        return place.manager
    except MemtoolError as error:
        command = f"run it without systemd: memtool {' '.join(job.command)}"
        raise MemtoolError(error.message, hint=command) from error


def _show(place: Place, run: Run, *, json: bool) -> None:
    if json:
        store = {"path": str(place.root), "why": place.store.why}
        shown = {**as_json(run), "duration_us": run.duration_us}
        print_json("scheduler-run", RUN_VERSION, {"store": store, "run": shown})
        return
    counted = f": {did(run)}" if did(run) else ""
    print_line(f"{run.job} {run.result or 'runs'} after {took(run, place.call.now_us)}{counted}")
    for text in (run.error, run.reason, f"hint: {run.hint}" if run.hint else ""):
        if text:
            print_line(f"    {text}")


def _explain(done: Finished, job: Job) -> None:
    """Say why there is nothing to see."""
    if done.is_missing:
        raise MemtoolError(f"{done.said}: there is no journal to read", hint=_history(job))
    if os.getuid() == 0 and _NO_FILES in done.stderr:  # for others, that means that they may not
        raise MemtoolError("there is no journal to read", hint=_history(job))
    if re.search(_HIDDEN, done.stderr):
        raise StorageError(
            "you may not read the journal of this unit",
            hint=f"use sudo, or join the group systemd-journal; {_history(job)}",
        )
    if not done.is_ok:
        raise MemtoolError(f"the journal was not read: {done.said}", hint=_history(job))
    note(f"The journal has nothing of {job.unit}; {_history(job)}.")


def _history(job: Job) -> str:
    return f'"memtool scheduler history {job.name}" shows what memtool recorded'
