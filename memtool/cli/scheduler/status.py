"""The text of `memtool scheduler status`: one table, and below it only what matters. Decides nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from textwrap import wrap

from memtool.cli.output import clean, console, print_line
from memtool.cli.scheduler.place import Place
from memtool.cli.scheduler.words import WIDTH, ago, coming, moment, pause_words, table, took
from memtool.ledger.run import Run
from memtool.systemd.pauses import ALL
from memtool.systemd.state import JobStatus, Status, Trouble, words
from memtool.systemd.troubles import sentence

_COLOURS = {"failed": "red", "died": "red", "partial": "yellow", "stopped": "yellow"}
_RIGHT = ("TOOK", "RUNS", "ERRORS", "SKIPS", "WAITS")
# What stands in the place of the next run where there is none.
_STATES = {
    "armed": "armed",
    "running": "after this run",
    "dead": "never again",
    "stopped": "not started",
    "disabled": "disabled",
    "masked": "masked",
    "missing": "not installed",
    "broken": "broken",
    "failed": "broken",
}


def print_status(state: Status, place: Place, now_us: int) -> None:
    """Print the store, the table, and what is below it."""
    print_line(f"Store: {place.root} ({place.store.why})")
    print_line()
    rows = [_heads(state), *(_cells(row, state, now_us) for row in state.jobs)]
    right = frozenset(index for index, head in enumerate(rows[0]) if head in _RIGHT)
    lines = table(rows, right=right)
    colours = ["", *(_colour(row) for row in state.jobs)]
    _print_coloured(lines, colours, place.call.environ)
    below = [*_below(state, now_us), *_warnings(state, now_us)]
    if below:
        print_line()
    for line in below:
        print_line(line)


def _print_coloured(lines: list[str], colours: list[str], environ: Mapping[str, str]) -> None:
    """Print the lines; rich is loaded only where there is a terminal, and something to colour."""
    if not sys.stdout.isatty() or not any(colours):
        for line in lines:
            print_line(line)
        return
    screen = console(environ)
    for line, colour in zip(lines, colours, strict=True):
        screen.print(clean(line, lines=True), style=colour or None, soft_wrap=True)


def _heads(state: Status) -> list[str]:
    next_run = ["NEXT RUN"] if state.timers.is_known else []
    return ["JOB", "LAST RUN", "RESULT", "TOOK", *next_run, "RUNS", "ERRORS", "SKIPS", "WAITS"]


def _cells(row: JobStatus, state: Status, now_us: int) -> list[str]:
    next_run = [_next_run(row, now_us)] if state.timers.is_known else []
    numbers = [str(number) if number else "-" for number in (row.errors, row.skips, row.waits)]
    return [row.job.name, *_last_run(row, state, now_us), *next_run, str(row.runs), *numbers]


def _last_run(row: JobStatus, state: Status, now_us: int) -> list[str]:
    shown = row.running or row.last
    if shown is None:
        return ["never", "-", "-"]
    when = ago(shown.started_us, now_us)
    if not state.timers.is_known:  # then there is room for both
        when = f"{moment(shown.started_us, now_us)}  {when}"
    result = "running" if row.running else str(shown.result)
    return [when, result, took(shown, now_us)]


def _next_run(row: JobStatus, now_us: int) -> str:
    if row.timer is None:
        return "-"
    if row.pause is not None and row.timer.is_live:
        return "paused"
    if row.timer.next_us is not None:
        return coming(row.timer.next_us, now_us)
    return _STATES[row.timer.state]


def _colour(row: JobStatus) -> str:
    return _COLOURS.get(row.last.result or "", "") if row.last else ""


def _below(state: Status, now_us: int) -> Iterator[str]:
    """Give what the table has no room for: who runs, what is paused, what waits, and what was not asked."""
    for row in state.jobs:
        if row.running:
            yield f"{row.job.name} runs now (pid {row.running.pid})."
        elif row.timer and row.timer.service.state in ("queued", "retrying"):
            yield f"{row.job.name} {_QUEUED[row.timer.service.state]}."
    yield from _paused(state, now_us)
    waiting = [f"  {row.job.name}: {words(row.left)}" for row in state.jobs if row.waits]
    if waiting:
        yield f"Waiting{_as_of(state.looked_by, now_us)}:"
        yield from waiting
    if not any(row.last or row.running for row in state.jobs):
        yield "No job has run on this store yet."
    if not state.timers.is_known:
        yield from _wrapped(
            f"Timers: unknown, {state.timers.problem}. The ledger is memtool's own."
        )
        if state.timers.hint:
            yield from _wrapped(f"  hint: {state.timers.hint}")


_QUEUED = {
    "queued": "waits for other jobs to end",
    "retrying": "failed and will be tried again soon",
}


def _paused(state: Status, now_us: int) -> Iterator[str]:
    pauses = [(row.job.name, row.pause) for row in state.jobs if row.pause is not None]
    told: set[str] = set()
    for job, pause in pauses:
        name = "all jobs" if pause.who == ALL else job
        if name not in told:
            told.add(name)
            text = pause_words(pause, now_us).replace(", with all jobs", "")
            yield from _wrapped(f"Paused: {name} {text}")


def _as_of(run: Run | None, now_us: int) -> str:
    return f", as of {run.job} {ago(run.ended_us or run.started_us, now_us)}" if run else ""


def _warnings(state: Status, now_us: int) -> Iterator[str]:
    for trouble in state.troubles:
        yield from _warning(trouble, now_us)
    if state.damaged_lines:
        is_one = state.damaged_lines == 1
        records = "record of the ledger was" if is_one else "records of the ledger were"
        yield f"warning: {state.damaged_lines} damaged {records} passed over"


def _warning(trouble: Trouble, now_us: int) -> Iterator[str]:
    when = "" if trouble.since_us is None else ago(trouble.since_us, now_us)
    yield from _wrapped(f"warning: {clean(sentence(trouble, when))}")
    if trouble.hint:
        yield from _wrapped(f"  hint: {trouble.hint}")


def _wrapped(text: str) -> list[str]:
    return wrap(
        text, WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
