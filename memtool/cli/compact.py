"""`memtool compact`: give back the room that replaced and deleted data takes."""

from __future__ import annotations

from typing import Annotated

import typer

from memtool.base.errors import OK, ExitCode
from memtool.base.sizes import size
from memtool.cli.options import Invocation, JsonOption, invocation
from memtool.cli.output import print_json, print_line
from memtool.cli.render import number
from memtool.cli.running import conclude, outcome_json, run
from memtool.jobs.compact import Report
from memtool.jobs.compact import compact as compact_body
from memtool.jobs.retention import Sweep, forecast
from memtool.store.access import Access

VERSION = 1


DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only say which events have had their time.")
]


def compact(
    context: typer.Context, *, dry_run: DryRunOption = False, json: JsonOption = False
) -> ExitCode:
    """Sweep events that have had their time, if that is set, and compact the store. May be interrupted at any time."""
    call = invocation(context)
    report, days = Report(), call.config.retention.events_days
    if dry_run:
        return _show_forecast(call, as_json=json)
    outcome = run(
        call, "compaction", lambda running: compact_body(running, report, events_days=days)
    )
    if json:
        sizes = {
            "bytes_before": report.before_bytes,
            "bytes_after": report.after_bytes,
            "families": report.families,
            "erased": report.erased,
        }
        swept = {"retention": _sweep_json(report.swept)}
        print_json("compact", VERSION, {**outcome_json(outcome), **sizes, **swept})
    else:
        _print_sweep(report.swept, "swept", "frozen")
        _print_sizes(report)
    return conclude(outcome)


def _show_forecast(call: Invocation, *, as_json: bool) -> ExitCode:
    days, access = call.config.retention.events_days, Access(call.store.root)
    swept = Sweep()
    if days and access.exists():
        with access.reading() as store:
            swept = forecast(store, call.now_us, days)
    if as_json:
        print_json("compact-forecast", VERSION, {"retention": _sweep_json(swept)})
    elif not days:
        print_line("Events are kept for ever: retention.events_days is 0.")
    else:
        _print_sweep(swept, "would be swept", "would be frozen")
    return OK


def _print_sweep(swept: Sweep, done: str, frozen: str) -> None:
    if swept.horizon is None:
        return
    before = swept.horizon.id.partition(":")[2]
    print_line(
        f"Before {before}: {number(swept.events, 'event')} of {number(swept.days, 'day')} {done}, "
        f"{number(swept.frozen, 'node')} {frozen}"
    )
    if swept.waiting_count:
        print_line(
            f"{number(swept.waiting_count, 'day')} before it not summarised yet and kept: "
            f"{', '.join(swept.waiting)}; memtool rollup all"
        )


def _print_sizes(report: Report) -> None:
    if report.slices:
        before, after = size(report.before_bytes), size(report.after_bytes)
        print_line(
            f"{len(report.families)} families in {report.slices} slices: {before} -> {after}"
        )
    if report.erased:
        print_line("No file of the store holds any of what was taken away.")


def _sweep_json(swept: Sweep) -> dict[str, object]:
    return {
        "horizon": swept.horizon.id if swept.horizon else None,
        "events": swept.events,
        "days": swept.days,
        "nodes": swept.frozen,
        "waiting": swept.waiting,
        "waiting_count": swept.waiting_count,
    }
