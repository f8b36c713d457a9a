"""Yields the events of a store, with their history, as records that another store can ingest. One row at a time."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field

from memtool.model.records import EventId, Record
from memtool.query.events import Query, bounds_us, matcher
from memtool.query.reader import Reader


class Report(Struct):
    """What was exported so far, and into which file."""

    path: str | None = None
    events: int = 0
    revisions: int = 0
    rewinds: int = 0
    tombstones: int = 0
    exists: bool = field(name="_exists", default=False)


def export(reader: Reader, query: Query, report: Report) -> Iterator[Record]:
    """Yield the matching events by time and ID; then their superseded revisions and rewinds, by ID.

    Tombstones follow if the query is empty: they have no time, session or project. `report` counts them all.
    Raise UsageError if a session, project or time of the query is unknown.
    """
    with reader.store() as store:
        if store is None:
            return
        matches, (start_us, end_us) = matcher(store, query), bounds_us(reader, store, query)

        def is_exported(event_id: EventId) -> bool:
            event = store.event(event_id)
            return event is not None and start_us <= event.time_us < end_us and matches(event)

        for event in filter(matches, store.events(start_us, end_us)):
            report.events += 1
            yield event
        for revision in store.revisions():
            if is_exported(revision.id):
                report.revisions += 1
                yield revision
        is_all = query == Query(limit=query.limit, here=query.here)
        for rewind in store.rewinds():
            if is_all or is_exported(rewind.id):
                report.rewinds += 1
                yield rewind
        for tombstone in store.tombstones() if is_all else ():
            report.tombstones += 1
            yield tombstone
