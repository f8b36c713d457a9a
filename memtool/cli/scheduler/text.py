"""The text of memtool scheduler: tables, times, lengths, pauses and problems in words."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap

from memtool.cli.output import clean, console, print_line
from memtool.cli.scheduler.place import Place
from memtool.ledger.file import Run
from memtool.systemd.exits import exit_name
from memtool.systemd.pauses import ALL, Pause
from memtool.systemd.problems import JobStatus, sentence, waiting_words
from memtool.systemd.states import ServiceState
from memtool.systemd.status import Status

WIDTH = 80
_NARROWEST = 20
_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_TENTHS_BELOW_S = 10
_CLOCK_SLACK_S = 60
_DAY_US = 86_400_000_000
_YEAR_IS_SHOWN_AFTER_US = 300 * _DAY_US


def screen_width(environ: Mapping[str, str]) -> int:
    """Return how many columns a line may have: those of the terminal, not more than what suits a table."""
    columns = environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and int(columns):
        return max(_NARROWEST, min(WIDTH, int(columns)))
    try:
        found = os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError, AttributeError):  # no terminal, or no stdout
        return WIDTH
    return max(_NARROWEST, min(WIDTH, found)) if found else WIDTH


def moment(time_us: int, now_us: int) -> str:
    """Return the local time of this machine, with the year in the place of the hour where it is far away."""
    is_far = abs(now_us - time_us) > _YEAR_IS_SHOWN_AFTER_US
    return local(time_us, "%Y-%m-%d" if is_far else "%m-%d %H:%M")


def coming(time_us: int, now_us: int) -> str:
    """Return when something will be, relative and absolute, in 18 characters at most."""
    left_s = (time_us - now_us) // 1_000_000
    is_today = 0 <= time_us - now_us < _DAY_US
    when = local(time_us, "%H:%M") if is_today else moment(time_us, now_us)
    return f"in {span(left_s)} {when}" if left_s > 0 else f"now {when}"


def local(time_us: int, pattern: str) -> str:
    """Return the time in the machine's zone."""
    return time.strftime(pattern, time.localtime(time_us / 1_000_000))


def ago(time_us: int, now_us: int) -> str:
    """Return how long ago something was. Of what began while this was asked, that is no time."""
    past_s = (now_us - time_us) // 1_000_000
    return "in the future" if past_s < -_CLOCK_SLACK_S else f"{span(max(0, past_s))} ago"


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


def history_lines(runs: Sequence[Run], width: int = WIDTH) -> list[str]:
    """Return the runs as a table, or where that is too wide as paragraphs, with what went wrong below each."""
    if not runs:
        return ["No run is recorded."]
    if width < WIDTH:
        return [line for run in runs for line in _history_paragraph(run, width)]
    lines = [_HISTORY_ROW.format("STARTED", "JOB", "RESULT", "TOOK", "BY", "DID")]
    for run in runs:
        when = local(run.started_us, "%Y-%m-%d %H:%M:%S")
        spent = took(run, run.started_us)
        first, *more = _did_lines(run) or [""]
        cells = (when, clean(run.job), run.result or "running", spent, run.trigger, first)
        lines.append(_HISTORY_ROW.format(*cells).rstrip())
        lines += [" " * _DID_COLUMN + text for text in more]
        lines += _said(run, width)
    return lines


def _history_paragraph(run: Run, width: int) -> Iterator[str]:
    yield f"{local(run.started_us, '%Y-%m-%d %H:%M:%S')} {clean(run.job)}"
    ended = f"{run.result or 'running'} after {took(run, run.started_us)}, by {run.trigger}"
    yield from _wrapped(f"  {', '.join([ended, *_counted(run)])}", width)
    yield from _said(run, width)


def _said(run: Run, width: int) -> Iterator[str]:
    """Give what went wrong or was left, and what to do."""
    for text in (run.error, run.reason):
        if text:
            yield from _wrapped(f"    {clean(text)}", width)
    if run.hint:
        yield from _wrapped(f"    hint: {clean(run.hint)}", width)


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
_BY_ANOTHER = "*"
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
    width = screen_width(place.call.environ)
    store = f"Store: {place.root} ({place.store.why})"
    for line in _wrapped(store, width) if width < WIDTH else [store]:
        print_line(line)
    print_line()
    heads, rows = _heads(state), [_cells(row, state, now_us) for row in state.jobs]
    right = frozenset(index for index, head in enumerate(heads) if head in _RIGHT)
    lines = table([heads, *rows], right=right)
    colours = ["", *(_colour(row) for row in state.jobs)]
    if width < WIDTH and max(map(len, lines)) > width:
        lines, colours = _paragraphs(heads, rows, colours[1:], width)
    _print_coloured(lines, colours, place.call.environ)
    below = [*_below(state, now_us, width), *_warnings(state, now_us, width)]
    if below:
        print_line()
    for line in below:
        print_line(line)


def _paragraphs(
    heads: Sequence[str], rows: Sequence[Sequence[str]], colours: Sequence[str], width: int
) -> tuple[list[str], list[str]]:
    """Return the rows of a table that is too wide as a paragraph each, and the colour of each line."""
    lines: list[str] = []
    styles: list[str] = []
    for row, colour in zip(rows, colours, strict=True):
        told = [
            f"{head.lower()} {cell}"
            for head, cell in zip(heads[1:], row[1:], strict=True)
            if cell not in ("-", "0")
        ]
        found = [row[0], *_wrapped(f"  {', '.join(told)}", width)]
        lines += found
        styles += [colour] * len(found)
    return lines, styles


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
    shown, star = row.running or row.last, ""
    if _is_by_another(row):
        shown, star = row.written_by, _BY_ANOTHER
    result, spent = "-", "-"
    started_us = shown.started_us if shown else None
    if shown is not None:
        result = str(shown.result or "running")
        spent = "-" if star else took(shown, now_us)
    if row.failed_unit is not None and not row.running:
        result, spent = "failed", "-"
        started_us = row.failed_unit.started_us or row.failed_unit.failed_us or started_us
    if started_us is None:
        return ["never", result, spent]
    when = f"{ago(started_us, now_us)}{star}"
    if not state.timers.is_known:  # then there is room for both
        when = f"{moment(started_us, now_us)}  {when}"
    return [when, result, spent]


def _next_run(row: JobStatus, now_us: int) -> str:
    if row.timer is None:
        return "-"
    if row.pause is not None and row.timer.is_live:
        return "paused"
    if row.timer.next_us is not None:
        return coming(row.timer.next_us, now_us)
    return _STATES[row.timer.state]


def _colour(row: JobStatus) -> str:
    if row.failed_unit is not None:
        return _COLOURS["failed"]
    return _COLOURS.get(row.last.result or "", "") if row.last else ""


def _below(state: Status, now_us: int, width: int) -> Iterator[str]:
    """Give what the table has no room for: who runs, what is paused, what waits, and what was not asked."""
    for row in state.jobs:
        if row.running:
            yield from _wrapped(f"{row.job.name} runs now (pid {row.running.pid}).", width)
        elif row.timer is not None and row.timer.service.state in ("queued", "retrying"):
            waiting = queue_words(row, state, now_us)
            yield from _wrapped(f"{row.job.name} {waiting}.", width)
    yield from _paused(state, now_us, width)
    waiting_for = [f"  {row.job.name}: {waiting_words(row)}" for row in state.jobs if row.waits]
    if waiting_for:
        yield from _wrapped(f"Waiting{_as_of(state.looked_by, now_us)}:", width)
        for text in waiting_for:
            yield from _wrapped(text, width)
    yield from _written_by_others(state, width)
    if not any(row.last or row.running for row in state.jobs):
        yield "No job has run on this store yet."
    if not state.timers.is_known:
        text = f"Timers: unknown, {state.timers.problem}. The ledger is memtool's own."
        yield from _wrapped(text, width)
        if state.timers.hint and not state.timers.is_installed:  # else it is a warning
            yield from _wrapped(f"  hint: {state.timers.hint}", width)


def queue_words(row: JobStatus, state: Status, now_us: int) -> str:
    """Return what the job waits for, or would wait for if it were started now; empty if it need not wait."""
    service = row.timer.service if row.timer else ServiceState()
    if service.state == "retrying":
        code = service.exit_code
        why = f" ({exit_name(code) if code else service.result})"
        when = "soon" if service.retry_us is None else coming(service.retry_us, now_us)
        return f"failed{why} and will be tried again {when}"
    first = [
        other.job.name
        for other in state.jobs
        if other.job.name in row.job.after
        and other.timer is not None
        and other.timer.service.state in ("running", "queued")
    ]
    if first:
        return f"waits until {' and '.join(first)} {'has' if len(first) == 1 else 'have'} run"
    return "waits for its turn" if service.state == "queued" else ""


def _is_by_another(row: JobStatus) -> bool:
    """Return whether the job never ran, and the run of another job wrote its levels."""
    return row.written_by is not None and not (row.last or row.running or row.failed_unit)


def _written_by_others(state: Status, width: int) -> Iterator[str]:
    """Explain the stars in the table."""
    levels: dict[str, list[str]] = {}
    for row in state.jobs:
        if row.written_by is not None and _is_by_another(row):
            levels.setdefault(row.written_by.job, []).append(f"{row.job.levels[-1]}s")
    for job, names in levels.items():
        what = f"{_BY_ANOTHER} {job} wrote the {' and '.join(names)} that have ended"
        yield from _wrapped(f"{what}: a rollup also updates the levels above it.", width)


def _paused(state: Status, now_us: int, width: int) -> Iterator[str]:
    pauses = [(row.job.name, row.pause) for row in state.jobs if row.pause is not None]
    said: set[str] = set()
    for job, pause in pauses:
        name = "all jobs" if pause.who == ALL else job
        if name not in said:
            said.add(name)
            text = pause_words(pause, now_us).replace(", with all jobs", "")
            yield from _wrapped(f"Paused: {name} {text}", width)


def _as_of(run: Run | None, now_us: int) -> str:
    return f", as of {run.job} {ago(run.ended_us or run.started_us, now_us)}" if run else ""


def _warnings(state: Status, now_us: int, width: int) -> Iterator[str]:
    for problem in state.problems:
        when = "" if problem.since_us is None else ago(problem.since_us, now_us)
        yield from _wrapped(f"warning: {clean(sentence(problem, when))}", width)
        if problem.hint:
            yield from _wrapped(f"  hint: {clean(problem.hint)}", width)
    if state.damaged_lines:
        is_one = state.damaged_lines == 1
        records = "record of the ledger was" if is_one else "records of the ledger were"
        yield from _wrapped(f"note: {state.damaged_lines} damaged {records} passed over", width)


def _wrapped(text: str, width: int) -> list[str]:
    return wrap(
        text, width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
