"""Writing the table of contents, one atomic step at a time (docs/store-format.md, "What is written together")."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from memtool.model.calendar import Calendar, transitions
from memtool.model.levels import Level, Period, SegmentKey, parents_of, parse_segment, period_named
from memtool.model.records import Cut, GripId, Node, NodeId
from memtool.store import codec, keys
from memtool.store.codec import Failure, Write
from memtool.store.engine import RawBatch
from memtool.store.keys import GENERATION_FAMILIES
from memtool.store.store import BUILDING, BUILDING_ZONE, Store, ZoneTable, encode_zone


class Seen(msgspec.Struct, frozen=True):
    """The mark that a period had before its inputs were read: it is cleared only if it still has this number."""

    period: Period
    number: int | None


def see(store: Store, period: Period) -> Seen:
    """Return the period's mark as of now."""
    return Seen(period, store.mark(period))


def mark_again(store: Store, period: Period) -> Seen:
    """Mark a period that is to be worked on without having been marked; return the mark."""
    batch = store.engine.batch()
    number = mark(store, batch, [period])
    store.engine.write(batch, sync=False)
    return Seen(period, number)


def replace_cuts(store: Store, day: int, old: Sequence[Cut], new: Sequence[Cut]) -> None:
    """Replace one session's cuts of a day in one batch; the nodes of vanished segments go with them."""
    batch = store.engine.batch()
    kept = {cut.id for cut in new}
    for cut in old:
        batch.delete(keys.CUTS, _cut_key(store, cut))
        if cut.id not in kept:
            drop_node(store, batch, cut.id)
    for cut in new:
        batch.put(keys.CUTS, _cut_key(store, cut), codec.CUT.encode(cut))
    assert all(_segment(cut).day == day for cut in (*old, *new)), day
    store.engine.write(batch, sync=False)


def put_node(store: Store, node: Node, write: Write, *, seen: Seen | None) -> None:
    """Write a node with all that belongs to it; `seen` is the period's mark to clear (None for a segment)."""
    batch = store.engine.batch()
    before = store.node(node.id)
    key = keys.node(store.generation, node.id)
    _put_grips(store, batch, before, node)
    batch.put(keys.NODES, key, codec.NODE.encode(node))
    batch.put(keys.WRITES, key, codec.WRITE.encode(write))
    batch.delete(keys.FAILURES, key)
    _clear_mark(store, batch, seen)
    if before is None or before.content != node.content:
        _mark_parents(store, batch, node.id)
    store.engine.write(batch, sync=False)


def settle(store: Store, seen: Seen) -> None:
    """Clear the mark of a period whose node is right as it is."""
    batch = store.engine.batch()
    _clear_mark(store, batch, seen)
    if store.failure(seen.period.id) is not None:
        batch.delete(keys.FAILURES, keys.node(store.generation, seen.period.id))
    if len(batch):
        store.engine.write(batch, sync=False)


def remove_node(store: Store, seen: Seen) -> bool:
    """Remove the node of a period that has no inputs any more, and clear its mark; return whether it had one."""
    batch = store.engine.batch()
    existed = drop_node(store, batch, seen.period.id)
    _clear_mark(store, batch, seen)
    if existed:
        _mark_parents(store, batch, seen.period.id)
    if len(batch):
        store.engine.write(batch, sync=False)
    return existed


def put_failure(store: Store, node_id: NodeId, failure: Failure) -> None:
    """Record that a node could not be written."""
    batch = store.engine.batch()
    batch.put(keys.FAILURES, keys.node(store.generation, node_id), codec.FAILURE.encode(failure))
    store.engine.write(batch, sync=False)


def _segment(cut: Cut) -> SegmentKey:
    place = parse_segment(cut.id)
    assert place is not None, cut.id
    return place


def _cut_key(store: Store, cut: Cut) -> bytes:
    return keys.cut(store.generation, _segment(cut), cut.start_us)


def drop_node(store: Store, batch: RawBatch, node_id: NodeId) -> bool:
    key = keys.node(store.generation, node_id)
    node = store.node(node_id)
    if node is not None:
        for grip in node.grips:
            batch.delete(keys.GRIPS, keys.grip(store.generation, grip.id, node_id))
        batch.delete(keys.NODES, key)
        batch.delete(keys.WRITES, key)
    if store.failure(node_id) is not None:
        batch.delete(keys.FAILURES, key)
    return node is not None


def _put_grips(store: Store, batch: RawBatch, before: Node | None, node: Node) -> None:
    old: set[GripId] = {grip.id for grip in before.grips} if before else set()
    new = {grip.id for grip in node.grips}
    for grip_id in sorted(old - new):
        batch.delete(keys.GRIPS, keys.grip(store.generation, grip_id, node.id))
    for grip_id in sorted(new - old):
        batch.put(keys.GRIPS, keys.grip(store.generation, grip_id, node.id), b"")


def _clear_mark(store: Store, batch: RawBatch, seen: Seen | None) -> None:
    if seen is not None and seen.number is not None and store.mark(seen.period) == seen.number:
        batch.delete(keys.MARKS, keys.period(store.generation, seen.period))


def _mark_parents(store: Store, batch: RawBatch, node_id: NodeId) -> None:
    """Mark the parents that are not marked already: a new number would only hide what a run has seen."""
    place = parse_segment(node_id)
    if place is not None:
        parents: tuple[Period, ...] = (Period(Level.DAY, place.day),)
    else:
        parents = parents_of(period_named(node_id), store.calendar.week_start)
    mark(store, batch, [parent for parent in parents if store.mark(parent) is None])


def mark_moments(store: Store, batch: RawBatch, moments_us: Iterable[int]) -> set[int]:
    """Mark the day that holds each instant, in every table of contents by its own calendar.

    Whatever changes events calls this: a rebuild then loses nothing that came while it was at work. Return the days of
    this table of contents.
    """
    moments = set(moments_us)
    for each in store.generations():
        mark_days(each, batch, {each.calendar.day_of(moment_us) for moment_us in moments})
    return {store.calendar.day_of(moment_us) for moment_us in moments}


def mark_days(store: Store, batch: RawBatch, days: Iterable[int]) -> None:
    """Mark days of this table of contents alone, with a new number."""
    mark(store, batch, [Period(Level.DAY, day) for day in sorted(days)])


def mark(store: Store, batch: RawBatch, periods: Iterable[Period]) -> int:
    """Mark periods of this table of contents alone, with a new number; return the number."""
    number = store.sequence() + 1
    marked = list(periods)
    for period in marked:
        batch.put(keys.MARKS, keys.period(store.generation, period), keys.instant(number))
    if marked:
        batch.put(keys.META, b"sequence", codec.encode_json(number))
    return number


def begin_generation(store: Store, calendar: Calendar) -> Store:
    """Begin the next table of contents, with this calendar and every day that holds an event marked; return it.

    From here on whatever marks days marks them in both. One that is half built already is dropped.
    """
    number = store.generation + 1
    batch = store.engine.batch()
    _drop(batch, number)
    begun = {"generation": number, "calendar": calendar.describe()}
    batch.put(keys.META, BUILDING, codec.encode_json(begun))
    table = store.zone_table()
    if table is not None:
        batch.put(keys.META, BUILDING_ZONE, encode_zone(_todays(calendar, table)))
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
    batch.put(keys.META, b"generation", codec.encode_json(view.generation))
    batch.put(keys.META, b"calendar", codec.encode_json(view.calendar.describe()))
    if (table := view.zone_table()) is not None:
        batch.put(keys.META, store.zone_key, encode_zone(table))
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
    batch.delete(keys.META, BUILDING)
    batch.delete(keys.META, BUILDING_ZONE)


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
