"""`memtool scheduler`: how the jobs went, from the ledger. Opens no store and imports nothing that could."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from memtool.base.errors import FAILED, OK, ExitCode
from memtool.base.paths import StoreChoice
from memtool.cli.options import JsonOption, invocation
from memtool.cli.output import clean, console, print_json, print_line
from memtool.scheduler.jobs import job_named
from memtool.scheduler.ledger import look
from memtool.scheduler.run import Left, Run, as_json
from memtool.scheduler.status import VERSION, JobStatus, Status, status_json, status_of

if TYPE_CHECKING:
    from rich.table import Table

HISTORY_VERSION = 1
_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_TENTHS_BELOW_S = 10
_YEAR_IS_SHOWN_AFTER_S = 300 * 86_400
_COLOURS = {"failed": "red", "died": "red", "partial": "yellow", "stopped": "yellow"}
_TALLIED = ("events", "nodes", "calls")

scheduler = typer.Typer(add_completion=False, rich_markup_mode=None)


@scheduler.command()
def status(context: typer.Context, *, json: JsonOption = False) -> ExitCode:
    """Show each job: its last run, how it went, and what waits. Exits 1 where one failed or died."""
    call = invocation(context)
    state = status_of(look(call.store.root))
    if json:
        print_json("scheduler-status", VERSION, {"store": _store(call.store), **status_json(state)})
    else:
        print_line(f"Store: {call.store.root} ({call.store.why})")
        print_line()
        console(call.environ).print(_table(state, call.now_us))
        for line in (*_below(state, call.now_us), *_warnings(state, call.now_us)):
            print_line(line)
    return OK if state.is_healthy else FAILED


@scheduler.command()
def history(
    context: typer.Context,
    job: Annotated[str | None, typer.Argument(metavar="[JOB]", help="Only this job.")] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="How many runs at most.")] = 20,
    json: JsonOption = False,
) -> None:
    """List the runs, the newest first."""
    call = invocation(context)
    name = job_named(job).name if job else None
    past = look(call.store.root)
    runs = [run for run in reversed(past.runs) if name in (None, run.job)][:limit]
    if json:
        shown = [{**as_json(run), "duration_us": run.duration_us} for run in runs]
        extra = {"damaged_lines": past.damaged_lines, "runs": shown}
        print_json("scheduler-history", HISTORY_VERSION, {"store": _store(call.store), **extra})
        return
    for line in _history_lines(runs):
        print_line(line)


def _store(store: StoreChoice) -> Mapping[str, str]:
    return {"path": str(store.root), "why": store.why}


def _table(state: Status, now_us: int) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), collapse_padding=True)
    for header in ("JOB", "LAST RUN", "RESULT"):
        table.add_column(header, no_wrap=True)
    for header in ("TOOK", "RUNS", "ERRORS", "SKIPS", "WAITS"):
        table.add_column(header, justify="right", no_wrap=True)
    for row in state.jobs:
        table.add_row(*_cells(row, now_us), style=_colour(row))
    return table


def _cells(row: JobStatus, now_us: int) -> list[str]:
    shown = row.running or row.last
    numbers = [str(number) if number else "-" for number in (row.errors, row.skips, row.waits)]
    if shown is None:
        return [row.job.name, "never", "-", "-", str(row.runs), *numbers]
    when = f"{_moment(shown.started_us, now_us)}  {_ago(shown.started_us, now_us)}"
    result = "running" if row.running else str(shown.result)
    return [row.job.name, when, result, _took(shown, now_us), str(row.runs), *numbers]


def _colour(row: JobStatus) -> str:
    return _COLOURS.get(row.last.result or "", "") if row.last else ""


def _below(state: Status, now_us: int) -> list[str]:
    """Return what the table has no room for: who runs, what waits, and what was not asked."""
    running = [row.running for row in state.jobs if row.running]
    lines = ["", *(f"{run.job} runs now (pid {run.pid})." for run in running)]
    waiting = [f"  {row.job.name}: {_words(row.left)}" for row in state.jobs if row.waits]
    if waiting:
        lines += [f"Waiting{_as_of(state.looked_by, now_us)}:", *waiting]
    if not any(row.last or row.running for row in state.jobs):
        lines.append("No job has run on this store yet.")
    if not state.has_timers:
        lines.append("Timers: not looked at; this is what memtool's own ledger says.")
    return lines


def _as_of(run: Run | None, now_us: int) -> str:
    return f", as of {run.job} {_ago(run.ended_us or run.started_us, now_us)}" if run else ""


def _warnings(state: Status, now_us: int) -> list[str]:
    lines = [_bad(row.last, now_us) for row in state.jobs if row.last and not row.is_healthy]
    if state.damaged_lines:
        plural = (
            "line in the ledger was" if state.damaged_lines == 1 else "lines in the ledger were"
        )
        lines.append(f"warning: {state.damaged_lines} damaged {plural} passed over")
    return lines


def _bad(run: Run, now_us: int) -> str:
    code = "" if run.exit_code is None else f" (exit {run.exit_code})"
    return f"warning: {run.job} {run.result} {_ago(run.started_us, now_us)}{code}: {run.error}"


def _words(left: Left) -> str:
    parts = [
        f"{count} {level if count == 1 else level + 's'} {reason}"
        for level, reasons in left.items()
        for reason, count in reasons.items()
    ]
    return ", ".join(parts)


def _history_lines(runs: Iterable[Run]) -> list[str]:
    row = "{:<19}  {:<12}  {:<7}  {:>5}  {:<7}  {}"
    lines = [row.format("STARTED", "JOB", "RESULT", "TOOK", "BY", "DID").rstrip()]
    for run in runs:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.started_us / 1_000_000))
        took = _took(run, run.started_us)
        cells = (when, clean(run.job), run.result or "running", took, run.trigger, _did(run))
        lines.append(row.format(*cells).rstrip())
        lines += [f"    {text}" for text in (run.error, run.reason) if text]
    return lines if len(lines) > 1 else ["No run is recorded."]


def _did(run: Run) -> str:
    numbers = ((getattr(run, name), name) for name in _TALLIED)
    return ", ".join(f"{number} {name}" for number, name in numbers if number)


def _moment(time_us: int, now_us: int) -> str:
    """Return the local time of this machine, with the year in the place of the hour where it is long ago."""
    is_old = abs(now_us - time_us) > _YEAR_IS_SHOWN_AFTER_S * 1_000_000
    pattern = "%Y-%m-%d" if is_old else "%m-%d %H:%M"
    return time.strftime(pattern, time.localtime(time_us / 1_000_000))


def _ago(time_us: int, now_us: int) -> str:
    past_s = (now_us - time_us) // 1_000_000
    return f"in {_span(-past_s)}" if past_s < 0 else f"{_span(past_s)} ago"


def _took(run: Run, now_us: int) -> str:
    """Return how long it took, or has taken so far."""
    spent_us = max(0, now_us - run.started_us) if run.result is None else run.duration_us
    if spent_us is None:
        return "-"
    spent_s = spent_us / 1_000_000
    return f"{spent_s:.1f}s" if spent_s < _TENTHS_BELOW_S else _span(int(spent_s))


def _span(length_s: int) -> str:
    """Return a length in its largest whole unit."""
    for size_s, unit in _UNITS:
        if length_s >= size_s:
            return f"{length_s // size_s}{unit}"
    return "0s"
