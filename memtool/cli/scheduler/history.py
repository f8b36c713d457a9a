"""The text of `memtool scheduler history`, and how one run went in a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap

from memtool.cli.output import clean
from memtool.cli.scheduler.words import WIDTH, local, took
from memtool.ledger.run import Run

_TALLIED = ("events", "nodes", "calls", "tokens")
_ROW = "{:<19}  {:<12}  {:<7}  {:>5}  {:<7}  {}"
_DID_COLUMN = 60
_TIED = "\u00a0"
"""Stands for a space at which no line may end: a number stays with what it counts."""


def history_lines(runs: Iterable[Run]) -> list[str]:
    """Return the runs as a table, with what went wrong below each."""
    lines = [_ROW.format("STARTED", "JOB", "RESULT", "TOOK", "BY", "DID")]
    for run in runs:
        when = local(run.started_us, "%Y-%m-%d %H:%M:%S")
        spent = took(run, run.started_us)
        first, *more = _did_lines(run) or [""]
        cells = (when, clean(run.job), run.result or "running", spent, run.trigger, first)
        lines.append(_ROW.format(*cells).rstrip())
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
