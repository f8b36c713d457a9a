"""`memtool redact --again`: apply today's rules of redaction to what is already stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from memtool.cli.options import JsonOption, invocation
from memtool.cli.output import Page, number, print_json, print_line, progress, to_json
from memtool.cli.reading import reader_of, say_no_memory, span_of
from memtool.cli.running import conclude, outcome_json, run
from memtool.errors import OK, ExitCode, UsageError
from memtool.jobs.redact import Found, Report, look, redact_again
from memtool.jobs.runner import Outcome
from memtool.model.clock import Clock
from memtool.model.levels import Level, Period
from memtool.query.verify import Since

VERSION = 1
_MARGIN = "  "
_SHOWN_EVERY = 500


def redact(
    context: typer.Context,
    *,
    again: Annotated[
        bool, typer.Option("--again", help="Apply the rules of this version to stored events.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be masked.")
    ] = False,
    json: JsonOption = False,
) -> ExitCode:
    """Mask the secrets that the rules of this version find in what older versions stored.

    New events are always masked before they are stored. Event IDs stay. Summaries that may quote a masked secret are
    deleted and written again by the next rollup, and the files are rewritten, so that no byte of it is left. What is
    masked cannot be brought back; `memtool backup DIRECTORY` makes a copy first."""
    if not again:
        raise UsageError(
            "memtool redact applies the rules to what is stored, and only if --again says so",
            hint="memtool redact --again --dry-run shows what would be masked",
        )
    call = invocation(context)
    if dry_run:
        found = _looked(call.environ, context)
        if json:
            print_json("redact", VERSION, {"dry_run": True, **_found_json(found)})
        elif not found.exists:
            say_no_memory(call)
        else:
            _print_found(Page(call.environ), found)
        return OK
    report = Report()
    outcome = run(call, "redact", lambda running: redact_again(running, report), waits=True)
    if json:
        print_json(
            "redact", VERSION, {"dry_run": False, **outcome_json(outcome), **_done_json(report)}
        )
    else:
        _print_done(report, outcome)
    return conclude(outcome)


def _looked(environ: Mapping[str, str], context: typer.Context) -> Found:
    with progress(environ, "looking for secrets") as show:

        def on_progress(done: int) -> None:
            if done % _SHOWN_EVERY == 0:
                show(f"{done:,} events")

        return look(reader_of(invocation(context)), on_progress)


def _print_found(page: Page, found: Found) -> None:
    clock = Clock(found.zone)
    if found.is_done:
        page.line("Nothing to do: today's rules were applied to every event.")
        return
    if found.older:
        page.line(f"{number(found.older, 'event')} that only older rules have looked at.")
    if found.events:
        page.line(
            (f"{_masks(found.masks)} in {number(found.events, 'event')}", "bold"),
            f" of {number(len(found.days), 'day')}, {span_of(found.days)}:",
        )
        for sample in found.samples:
            head = f"{clock.moment(sample.time_us)} {sample.kind}: "
            page.line((head, "dim"), sample.excerpt, first=_MARGIN, rest=_MARGIN * 2)
        if found.events > len(found.samples):
            page.line((f"… and {found.events - len(found.samples):,} more", "dim"), first=_MARGIN)
        if found.nodes:
            page.line(
                f"{number(found.nodes, 'summary', 'summaries')} of days and longer periods may quote them and "
                "would be deleted; the next rollup writes them again.",
                rest=_MARGIN,
            )
    elif found.older:
        page.line("Today's rules find no secret in them.")
    if found.erasing is not None:
        since = clock.moment(found.erasing.since_us)
        page.line((f"What was masked since {since} may still be in the files.", "yellow"))


def _masks(masks: Mapping[str, int]) -> str:
    total = number(sum(masks.values()), "secret")
    kinds = ", ".join(f"{name} {count:,}" for name, count in sorted(masks.items()))
    return f"{total} ({kinds})"


def _print_done(report: Report, outcome: Outcome) -> None:
    if report.looked_at:
        masked = f": {_masks(report.masks)} masked in {number(report.masked, 'event')}."
        print_line(
            f"{number(report.looked_at, 'event')} looked at{masked if report.masked else ', no secret found.'}"
        )
    elif outcome.error is None:
        print_line("Today's rules were applied to every event already.")
    if report.compaction.erased:
        print_line("No file of the store holds what was masked.")
    elif report.masked:
        print_line(
            "Their bytes may still be in the files: the same command, or memtool compact, finishes it."
        )
    if report.masked and outcome.error is None:
        print_line("Summaries of these days: memtool rollup all")


def _found_json(found: Found) -> dict[str, object]:
    since = None if found.erasing is None else Since(found.erasing.since_us)
    return {
        "exists": found.exists,
        "zone": found.zone,
        "rules": found.rules,
        "older": found.older,
        "events": found.events,
        "masks": dict(sorted(found.masks.items())),
        "days": [Period(Level.DAY, day).id for day in sorted(found.days)],
        "nodes": found.nodes,
        "samples": to_json(found.samples, found.zone),
        "erasing": to_json(since, found.zone),
    }


def _done_json(report: Report) -> dict[str, object]:
    return {
        "looked_at": report.looked_at,
        "masked": report.masked,
        "masks": dict(sorted(report.masks.items())),
        "erased": report.compaction.erased,
    }
