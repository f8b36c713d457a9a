"""Whole tables of contents: one is current, a rebuild writes the next beside it. Each function is one synced batch.

Readers see the current one only. The caller holds the tree and the writer.
"""

from __future__ import annotations

from collections.abc import Iterator

from memtool.model.calendar import Calendar, transitions
from memtool.store import codec, families, keys
from memtool.store.engine import RawBatch
from memtool.store.families import GENERATION_FAMILIES
from memtool.store.marks import mark_days
from memtool.store.store import BUILDING, BUILDING_ZONE, Store, ZoneTable, encode_zone


def begin_generation(store: Store, calendar: Calendar) -> Store:
    """Begin the next table of contents, with this calendar and every day that holds an event marked; return it.

    From here on whatever marks days marks them in both. One that is half built already is dropped.
    """
    number = store.generation + 1
    batch = store.engine.batch()
    _drop(batch, number)
    begun = {"generation": number, "calendar": calendar.describe()}
    batch.put(families.META, BUILDING, codec.encode_json(begun))
    table = store.zone_table()
    if table is not None:
        batch.put(families.META, BUILDING_ZONE, encode_zone(_todays(calendar, table)))
    view = Store(store.engine, begun=begun)
    mark_days(view, batch, view.days())
    store.engine.write(batch, sync=True)
    return view


def _todays(calendar: Calendar, table: ZoneTable) -> ZoneTable:
    """Return today's zone data of the calendar over the span of the table."""
    first, last = table.first_year, table.last_year
    return ZoneTable(first, last, transitions(calendar.zone, first, last))


def flip(store: Store) -> Store:
    """Make the half-built table of contents the current one, and drop the one before it; return the new one."""
    view = store.building()
    assert view is not None, "nothing was begun"
    batch = store.engine.batch()
    _drop(batch, store.generation)
    batch.put(families.META, b"generation", codec.encode_json(view.generation))
    batch.put(families.META, b"calendar", codec.encode_json(view.calendar.describe()))
    if (table := view.zone_table()) is not None:
        batch.put(families.META, store.zone_key, encode_zone(table))
    _forget_building(batch)
    store.engine.write(batch, sync=True)
    return Store(store.engine)


def drop_half_built(store: Store) -> bool:
    """Drop the table of contents that a rebuild has half built, all of it; return whether there was one.

    Forgetting does this first: a rebuild would go on with nodes that still hold the words.
    """
    view = store.building()
    if view is None:
        return False
    batch = store.engine.batch()
    _drop(batch, view.generation)
    _forget_building(batch)
    store.engine.write(batch, sync=True)
    return True


def _forget_building(batch: RawBatch) -> None:
    batch.delete(families.META, BUILDING)
    batch.delete(families.META, BUILDING_ZONE)


def _drop(batch: RawBatch, number: int) -> None:
    """Drop every key of a generation: a range each family, however much lies in it. Compaction gives the room back."""
    prefix = keys.generation(number)
    for family in GENERATION_FAMILIES:
        batch.delete_range(family, prefix, keys.after_prefix(prefix))


def generations_found(store: Store) -> Iterator[tuple[str, int]]:
    """Yield each family and each generation that it holds a key of."""
    for family in GENERATION_FAMILIES:
        start = b""
        while (row := next(store.engine.scan(family, start), None)) is not None:
            number = keys.read_generation(row[0])
            yield family, number
            start = keys.after_prefix(keys.generation(number))
