"""`memtool compact`: free disk space in the store."""

from __future__ import annotations

import typer

from memtool.cli.options import JsonOption, ScheduledOption, invocation
from memtool.cli.output import print_json, print_line
from memtool.cli.running import conclude, outcome_json, run
from memtool.errors import ExitCode
from memtool.jobs.compact import Report
from memtool.jobs.compact import compact as compact_body
from memtool.text import size

VERSION = 1


def compact(
    context: typer.Context,
    *,
    scheduled: ScheduledOption = False,  # noqa: ARG001 - its callback has noted it
    json: JsonOption = False,
) -> ExitCode:
    """Free disk space that replaced and deleted data takes. Can be interrupted at any time."""
    call, report = invocation(context), Report()
    outcome = run(call, "compaction", lambda running: compact_body(running, report))
    if json:
        sizes = {
            "bytes_before": report.before_bytes,
            "bytes_after": report.after_bytes,
            "families": report.families,
            "erased": report.erased,
        }
        print_json("compact", VERSION, {**outcome_json(outcome), **sizes})
    else:
        _print_sizes(report)
    return conclude(outcome)


def _print_sizes(report: Report) -> None:
    if report.slices:
        before, after = size(report.before_bytes), size(report.after_bytes)
        print_line(
            f"{len(report.families)} families in {report.slices} slices: {before} -> {after}"
        )
    if report.erased:
        print_line("No file of the store holds anything that was forgotten.")
