"""Yields all that a store knows of events, as records that another store can take in. Reads only, one row at a time."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field
from msgspec.structs import replace

from memtool.model.records import EventId, Record
from memtool.query.events import Fitting, Query, bounds_us, fitting_of
from memtool.query.reader import Reader
from memtool.store.store import Store


class Report(Struct):
    """What was exported so far, and into which file."""

    path: str | None = None
    events: int = 0
    revisions: int = 0
    rewinds: int = 0
    tombstones: int = 0
    exists: bool = field(name="_exists", default=False)


def export(reader: Reader, query: Query, report: Report) -> Iterator[Record]:
    """Yield the events that fit, by time and id; then their superseded revisions and rewinds, by id.

    Tombstones follow where nothing is asked for in particular: they tell no time, session or project. `report` counts
    along. Raise UsageError if the query names a session that does not exist, or no time.
    """
    with reader.store() as store:
        if store is None:
            return
        chosen = _Chosen(store, fitting_of(store, query), bounds_us(reader, store, query))
        for event in store.events(*chosen.bounds):
            if chosen.fitting.fits(event):
                report.events += 1
                yield event
        for revision in store.revisions():
            if chosen.holds(revision.id):
                report.revisions += 1
                yield revision
        is_all = query == replace(Query(), limit=query.limit)
        for rewind in store.rewinds():
            if is_all or chosen.holds(rewind.id):
                report.rewinds += 1
                yield rewind
        for tombstone in store.tombstones() if is_all else ():
            report.tombstones += 1
            yield tombstone


class _Chosen(Struct, frozen=True):
    """The events that fit, by their current revisions."""

    store: Store
    fitting: Fitting
    bounds: tuple[int, int]

    def holds(self, event_id: EventId) -> bool:
        """Return whether this event is one of them."""
        event = self.store.event(event_id)
        start_us, end_us = self.bounds
        return event is not None and start_us <= event.time_us < end_us and self.fitting.fits(event)
