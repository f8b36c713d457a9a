"""The body of forgetting: tombstones first, batch by batch, then no byte of it in any file. May be killed anywhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from memtool.jobs.compact import Report as Compaction
from memtool.jobs.compact import compact_store
from memtool.jobs.context import RunContext
from memtool.jobs.forget.finding import Found, find
from memtool.jobs.forget.leftovers import remove_leftovers
from memtool.jobs.forget.selecting import Selector
from memtool.ledger.reading import blank
from memtool.query.reader import Reader
from memtool.store import erase
from memtool.store.access import Access, Lease
from memtool.store.generations import drop_half_built

SLICE = 500
"""How many events, or nodes, one batch takes away: the writer is let go, and signals are heeded, in between."""
_NAMED = re.compile(r"\b(?:segment|day|week|month|year):[0-9]{4}(?:-[0-9]{2}){0,2}")

T = TypeVar("T")


@dataclass(slots=True)
class Report:
    """What forgetting came to; right however the run ends. `found` is None where it did not get as far as to look."""

    found: Found | None = None
    forgotten: int = 0
    blanked: int = 0
    compaction: Compaction = field(default_factory=Compaction)


def forget(context: RunContext, reader: Reader, selector: Selector, report: Report) -> None:
    """Take away all that the selector finds; finish first what an earlier run, that was killed, has left."""
    access = Access(context.root)
    if not access.exists():
        return
    with context.tree():  # a rollup could write down again what it has read before
        with access.reading() as store:
            found = report.found = find(reader, store, selector)
            speaks = _speaking_of(found, store.calendar.week_start)
        if not found.is_empty:
            report.blanked = blank(context.root, speaks)
            remove_leftovers(context.root)
            with access.lease(context.writer) as lease:
                _take_away(context, lease, found, report)
    if not found.is_empty or found.erasing is not None:
        compact_store(context, access, report.compaction)


def _take_away(context: RunContext, lease: Lease, found: Found, report: Report) -> None:
    now_us = context.now_us
    drop_half_built(lease.store())
    for nodes in _slices(context, found.suspects, "stale nodes"):
        erase.drop_nodes(lease.store(), nodes, now_us)
    for paths in _slices(context, found.sources, "sources"):
        erase.drop_sources(lease.store(), paths, now_us)
    for ids in _slices(context, found.ids, "events"):
        erase.forget_events(lease.store(), ids, now_us)
        report.forgotten += len(ids)
        context.tally.details["events_forgotten"] = report.forgotten


def _slices(context: RunContext, rows: Sequence[T], label: str) -> Iterator[Sequence[T]]:
    for start in range(0, len(rows), SLICE):
        context.checkpoint()
        context.progress(start, len(rows), label)
        yield rows[start : start + SLICE]


def _speaking_of(found: Found, week_start: int) -> Callable[[str], bool]:
    """Return whether a text names a node that goes, or a session or project of what is forgotten."""
    going = {str(period.id) for period in erase.periods_over(found.days, week_start)}
    going |= {one.replace("day:", "segment:", 1) for one in going if one.startswith("day:")}
    names = found.names

    def speaks(text: str) -> bool:
        named = set(_NAMED.findall(text))
        return not named.isdisjoint(going) or any(name in text for name in names)

    return speaks
