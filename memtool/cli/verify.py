"""`memtool verify`: check the store's integrity."""

from __future__ import annotations

from collections import Counter

import typer

from memtool.cli.options import JsonOption, invocation
from memtool.cli.output import Page, number, print_json, progress
from memtool.cli.reading import reader_of, say_no_memory
from memtool.errors import FAILED, OK, ExitCode
from memtool.model.clock import Clock
from memtool.model.levels import Level, place_of
from memtool.query.verify import Verification, check

VERSION = 1
_MARGIN = "  "
_MOST_LINES = 20
_WAY_BACK = (
    "Not healthy. Nothing was changed. `memtool restore BACKUP --replace` restores a backup and keeps this "
    "store; `memtool rebuild` repairs summaries."
)
_WALKED = (
    "events",
    "days",
    "segments",
    "nodes",
    "grips",
    "sessions",
    "sources",
    "revisions",
    "tombstones",
)


def verify(context: typer.Context, *, json: JsonOption = False) -> ExitCode:
    """Check the store's integrity: coverage, provenance, digests. Exits 1 if there is a problem."""
    call = invocation(context)
    with progress(call.environ, "checking the store") as show:
        found = check(reader_of(call), lambda done: show(f"{done:,} checked"))
    if not found.exists:
        say_no_memory(call)
    if json:
        print_json("verify", VERSION, found)
    elif found.exists:
        page = Page(call.environ)
        _print_problems(page, found)
        _print_worth_knowing(page, found)
        _print_verdict(page, found)
    return OK if found.healthy else FAILED


def _print_problems(page: Page, found: Verification) -> None:
    if found.healthy:
        return
    page.line((f"{number(found.problem_count, 'problem')}:", "bold red"))
    for problem in found.problems:
        page.line((problem.where, "bold"), " ", problem.what, first=_MARGIN, rest=_MARGIN * 2)
    _print_more(page, found.problem_count - len(found.problems))
    page.blank()


def _print_more(page: Page, count: int) -> None:
    if count > 0:
        page.line((f"… and {count:,} more", "dim"), first=_MARGIN)


def _print_worth_knowing(page: Page, found: Verification) -> None:
    clock = Clock(found.zone)
    if found.old_count:
        page.line(
            f"{number(found.old_count, 'event')} as an older memtool read them: "
            "their transcripts are gone, or the next ingest reads them again."
        )
        page.blank()
    if found.old_rules_count:
        events = number(found.old_rules_count, "event")
        what = f"{events} masked by older rules only; memtool redact --again applies today's."
        page.line((what, "yellow"))
        page.blank()
    if found.strange_count:
        page.line(
            (
                f"{number(found.strange_count, 'event')} at a strange time, before 2015 or in the future:",
                "yellow",
            )
        )
        for event in found.strange_events[:_MOST_LINES]:
            page.line(f"{event.id} {clock.moment(event.time_us)}", first=_MARGIN)
        _print_more(page, found.strange_count - min(len(found.strange_events), _MOST_LINES))
        page.blank()
    if found.failed:
        page.line(
            (
                f"{number(len(found.failed), 'node')} could not be summarized and will be retried:",
                "yellow",
            )
        )
        for node in found.failed[:_MOST_LINES]:
            page.line((node.id, "bold"), " ", node.error, first=_MARGIN, rest=_MARGIN * 2)
        _print_more(page, len(found.failed) - _MOST_LINES)
        page.blank()
    if found.half_built:
        page.line(
            (
                "A rebuild is not finished: memtool rebuild continues it, --abandon drops it.",
                "yellow",
            )
        )
    if found.erasing is not None:
        since = clock.moment(found.erasing.since_us)
        what = f"What was forgotten or masked since {since} may still be in the files; memtool compact removes it."
        page.line((what, "yellow"))
    if found.stale:
        page.line((f"Stale: {_by_level(found)}; memtool rollup all updates it.", "yellow"))


def _by_level(found: Verification) -> str:
    counts = Counter(place_of(node_id).level.word for node_id in found.stale)
    return ", ".join(
        number(counts[level.word], level.word) for level in Level if counts[level.word]
    )


def _print_verdict(page: Page, found: Verification) -> None:
    walked = [number(found.counts[name], name[:-1]) for name in _WALKED if found.counts.get(name)]
    page.line(f"Checked {', '.join(walked)}." if walked else "The store is empty.")
    if found.healthy:
        page.line(("Healthy: every event is in its place and every bullet is proven.", "green"))
    else:
        page.line(
            (
                _WAY_BACK,
                "red",
            )
        )
