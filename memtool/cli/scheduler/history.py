"""The text of `memtool scheduler history`, and how one run went in a line."""

from __future__ import annotations

from collections.abc import Iterable

from memtool.cli.output import clean
from memtool.cli.scheduler.words import local, took
from memtool.scheduler.run import Run

_TALLIED = ("events", "nodes", "calls")


def history_lines(runs: Iterable[Run]) -> list[str]:
    """Return the runs as a table, with what went wrong below each."""
    row = "{:<19}  {:<12}  {:<7}  {:>5}  {:<7}  {}"
    lines = [row.format("STARTED", "JOB", "RESULT", "TOOK", "BY", "DID").rstrip()]
    for run in runs:
        when = local(run.started_us, "%Y-%m-%d %H:%M:%S")
        spent = took(run, run.started_us)
        cells = (when, clean(run.job), run.result or "running", spent, run.trigger, did(run))
        lines.append(row.format(*cells).rstrip())
        lines += [f"    {text}" for text in (run.error, run.reason) if text]
    return lines if len(lines) > 1 else ["No run is recorded."]


def did(run: Run) -> str:
    """Return what a run counted, such as "12 events, 3 nodes"."""
    numbers = ((getattr(run, name), name) for name in _TALLIED)
    return ", ".join(
        f"{number} {name if number != 1 else name.removesuffix('s')}"
        for number, name in numbers
        if number
    )
