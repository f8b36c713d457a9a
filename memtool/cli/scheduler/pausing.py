"""What `memtool scheduler pause` and `resume` do: files in the store's directory, and a start of what was missed."""

from __future__ import annotations

import os
from collections.abc import Iterable

from memtool.cli.output import note, print_line
from memtool.cli.scheduler.looking import state_of
from memtool.cli.scheduler.place import Place
from memtool.cli.scheduler.words import pause_words
from memtool.errors import MemtoolError
from memtool.ledger.reading import look_newest
from memtool.systemd.jobs import JOBS
from memtool.systemd.pauses import ALL, Pause, end_pause, pause_of, paused, seconds_of, set_pause
from memtool.systemd.state import JobStatus, words
from memtool.systemd.systemctl import meaning, user_name


def pause(place: Place, who: str, *, length: str, reason: str) -> None:
    """Pause a job, or all, for a while or until it is resumed."""
    now_us = place.call.now_us
    until_us = now_us + seconds_of(length) * 1_000_000 if length else None
    made = Pause(who, now_us, until_us, _person(place), reason)
    set_pause(place.root, made)
    end = "until resumed" if until_us is None else f"for {length}"
    print_line(f"Paused {_name(who)} {end}{f': {reason}' if reason else ''}.")
    for run in look_newest(place.root).open_runs():
        if who in (ALL, run.job):
            note(f"{run.job} runs now (pid {run.pid}) and goes on to its end.")


def _person(place: Place) -> str:
    environ = place.call.environ
    return environ.get("SUDO_USER") or user_name(environ, os.getuid())


def _name(who: str) -> str:
    return "all jobs" if who == ALL else who


def resume(place: Place, who: str) -> None:
    """End the pause of a job, or every pause, say what waits, and start what was missed."""
    now_us = place.call.now_us
    names = [job.name for job in JOBS if who in (ALL, job.name)]
    before = paused(place.root, names, now_us)
    if not before:
        print_line(f"Nothing is paused: {_name(who)} {'run' if who == ALL else 'runs'} as planned.")
    end_pause(place.root, who)
    for job in before:
        rest = pause_of(place.root, job, now_us)
        if rest is not None:
            raise MemtoolError(
                f"{job} is still paused {pause_words(rest, now_us)}",
                hint="memtool scheduler resume --all",
            )
    for name in [ALL] if who == ALL and before else before:
        print_line(f"Resumed {_name(name)}.")
    rows = [row for row in state_of(place).jobs if row.job.name in before]
    _make_up(place, [row for row in rows if _has_missed(row, before[row.job.name])])


def _has_missed(row: JobStatus, pause: Pause) -> bool:
    """Return whether something waits, or the timer fired, or a run was skipped, while the job was paused."""
    fired_us = row.timer.last_trigger_us if row.timer else None
    was_skipped = row.newest is not None and row.newest.result == "skipped"
    return bool(
        row.waits
        or any(trouble.kind == "overdue" for trouble in row.troubles)
        or (fired_us is not None and fired_us >= pause.since_us)
        or (was_skipped and row.newest is not None and row.newest.started_us >= pause.since_us)
    )


def _make_up(place: Place, rows: list[JobStatus]) -> None:
    """Start the jobs that missed something; those whose timers the admin turned off are only named."""
    for row in rows:
        if row.waits:
            print_line(f"  waiting for {row.job.name}: {words(row.left)}")
    live = [row for row in rows if row.timer is not None and row.timer.is_live]
    if live and _start(place, live):
        print_line(f"Started, to make up for what was missed: {_names(live)}.")
        rows = [row for row in rows if row not in live]
    for row in rows:
        print_line(f"To make up for what was missed: memtool {' '.join(row.job.command)}")


def _start(place: Place, rows: list[JobStatus]) -> bool:
    done = place.manager.call("start", "--no-block", *(row.job.unit for row in rows))
    if not done.is_ok:
        text, hint = meaning(done, place.manager)
        note(f"not started: {text}{f' ({hint})' if hint else ''}")
    return done.is_ok


def _names(rows: Iterable[JobStatus]) -> str:
    return ", ".join(row.job.name for row in rows)
