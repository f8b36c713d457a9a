"""The text of memtool scheduler: tables, times, lengths, pauses and problems in words."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import wrap

from memtool.cli.output import clean, console, print_line
from memtool.cli.scheduler.place import Place
from memtool.ledger.file import Run
from memtool.systemd.pauses import ALL, Pause
from memtool.systemd.status import JobStatus, Problem, Status, sentence, waiting_words

WIDTH = 80
_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_TENTHS_BELOW_S = 10
_DAY_US = 86_400_000_000
_YEAR_IS_SHOWN_AFTER_US = 300 * _DAY_US


def moment(time_us: int, now_us: int) -> str:
    """Return the local time of this machine, with the year in the place of the hour where it is far away."""
    is_far = abs(now_us - time_us) > _YEAR_IS_SHOWN_AFTER_US
    return local(time_us, "%Y-%m-%d" if is_far else "%m-%d %H:%M")


def coming(time_us: int, now_us: int) -> str:
    """Return when something will be, relative and absolute, in 18 characters at most."""
    is_today = 0 <= time_us - now_us < _DAY_US
    when = local(time_us, "%H:%M") if is_today else moment(time_us, now_us)
    return f"{ago(time_us, now_us)} {when}"


def local(time_us: int, pattern: str) -> str:
    """Return the time in the machine's zone."""
    return time.strftime(pattern, time.localtime(time_us / 1_000_000))


def ago(time_us: int, now_us: int) -> str:
    """Return how long ago, or in how long, something is."""
    past_s = (now_us - time_us) // 1_000_000
    return f"in {span(-past_s)}" if past_s < 0 else f"{span(past_s)} ago"


def took(run: Run, now_us: int) -> str:
    """Return how long it took, or has taken so far."""
    spent_us = max(0, now_us - run.started_us) if run.result is None else run.duration_us
    if spent_us is None:
        return "-"
    spent_s = spent_us / 1_000_000
    return f"{spent_s:.1f}s" if spent_s < _TENTHS_BELOW_S else span(int(spent_s))


def span(length_s: int) -> str:
    """Return a length in its largest whole unit."""
    for size_s, unit in _UNITS:
        if length_s >= size_s:
            return f"{length_s // size_s}{unit}"
    return "0s"


def pause_words(pause: Pause, now_us: int) -> str:
    """Return since when, until when and why a job is paused."""
    since = f"since {moment(pause.since_us, now_us)} ({ago(pause.since_us, now_us)})"
    by = f" by {pause.by}" if pause.by else ""
    until = "" if pause.until_us is None else f" until {moment(pause.until_us, now_us)}"
    together = ", with all jobs" if pause.who == ALL else ""
    why = f": {pause.reason}" if pause.reason else ""
    return f"{since}{by}{until}{together}{why}"


def table(rows: Sequence[Sequence[str]], *, right: frozenset[int]) -> list[str]:
    """Return the rows as lines, columns aligned: two spaces between them, one where the terminal is too narrow."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    gap = "  " if sum(widths) + 2 * (len(widths) - 1) <= WIDTH else " "
    return [
        gap.join(
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


_TALLIED = ("events", "nodes", "calls", "tokens")
_HISTORY_ROW = "{:<19}  {:<12}  {:<7}  {:>5}  {:<7}  {}"
_DID_COLUMN = 60
_TIED = "\u00a0"
"""A space at which no line may end: a number stays with its unit."""


def history_lines(runs: Iterable[Run]) -> list[str]:
    """Return the runs as a table, with what went wrong below each."""
    lines = [_HISTORY_ROW.format("STARTED", "JOB", "RESULT", "TOOK", "BY", "DID")]
    for run in runs:
        when = local(run.started_us, "%Y-%m-%d %H:%M:%S")
        spent = took(run, run.started_us)
        first, *more = _did_lines(run) or [""]
        cells = (when, clean(run.job), run.result or "running", spent, run.trigger, first)
        lines.append(_HISTORY_ROW.format(*cells).rstrip())
        lines += [" " * _DID_COLUMN + text for text in more]
        lines += [f"    {text}" for text in (run.error, run.reason) if text]
    return lines if len(lines) > 1 else ["No run is recorded."]


def did(run: Run) -> str:
    """Return what a run counted, such as "3 nodes, 5 calls, 12,043 tokens"."""
    return ", ".join(_counted(run))


def _did_lines(run: Run) -> list[str]:
    text = ", ".join(part.replace(" ", _TIED) for part in _counted(run))
    return [line.replace(_TIED, " ") for line in wrap(text, WIDTH - _DID_COLUMN)]


def _counted(run: Run) -> Iterator[str]:
    numbers = ((getattr(run, name), name) for name in _TALLIED)
    for number, name in numbers:
        if number:
            yield f"{number:,} {name if number != 1 else name.removesuffix('s')}"


_COLOURS = {"failed": "red", "died": "red", "partial": "yellow", "stopped": "yellow"}
_RIGHT = ("TOOK", "RUNS", "ERRORS", "SKIPS", "WAITS")
# Shown instead of the next run if there is none.
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
    waiting = [f"  {row.job.name}: {waiting_words(row)}" for row in state.jobs if row.waits]
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
    said: set[str] = set()
    for job, pause in pauses:
        name = "all jobs" if pause.who == ALL else job
        if name not in said:
            said.add(name)
            text = pause_words(pause, now_us).replace(", with all jobs", "")
            yield from _wrapped(f"Paused: {name} {text}")


def _as_of(run: Run | None, now_us: int) -> str:
    return f", as of {run.job} {ago(run.ended_us or run.started_us, now_us)}" if run else ""


def _warnings(state: Status, now_us: int) -> Iterator[str]:
    for problem in state.problems:
        yield from _warning(problem, now_us)
    if state.damaged_lines:
        is_one = state.damaged_lines == 1
        records = "record of the ledger was" if is_one else "records of the ledger were"
        yield f"warning: {state.damaged_lines} damaged {records} passed over"


def _warning(problem: Problem, now_us: int) -> Iterator[str]:
    when = "" if problem.since_us is None else ago(problem.since_us, now_us)
    yield from _wrapped(f"warning: {clean(sentence(problem, when))}")
    if problem.hint:
        yield from _wrapped(f"  hint: {problem.hint}")


def _wrapped(text: str) -> list[str]:
    return wrap(
        text, WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
