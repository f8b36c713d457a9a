"""Writing the table of contents, one atomic step at a time (docs/store-format.md, "What is written together").

One table is current: readers see it. A rebuild writes the next one beside it. The caller holds the writer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from memtool.model.calendar import Calendar
from memtool.model.levels import Level, Period, Segment, parents_of, place_of
from memtool.model.records import Cut, Failure, Node, NodeId, Write
from memtool.store import codec, keys
from memtool.store.engine import RawBatch
from memtool.store.store import Begun, Store, put_meta


class Seen(msgspec.Struct, frozen=True):
    """The mark that a period had before its inputs were read: it is cleared only if it still has this number."""

    period: Period
    number: int | None


def see(store: Store, period: Period) -> Seen:
    return Seen(period, store.mark(period))


def mark_again(store: Store, period: Period) -> Seen:
    """Mark a period that is to be worked on without having been marked; return the mark."""
    with store.batch(sync=False) as batch:
        return Seen(period, mark(store, batch, [period]))


def replace_cuts(store: Store, day: int, old: Sequence[Cut], new: Sequence[Cut]) -> None:
    """Replace one session's cuts of a day in one batch; the nodes of vanished segments go with them."""
    kept = {cut.id for cut in new}
    with store.batch(sync=False) as batch:
        for cut in old:
            drop_cut(store, batch, cut, with_node=cut.id not in kept)
        for cut in new:
            segment = place_of(cut.id)
            assert isinstance(segment, Segment), cut.id
            assert segment.day == day, (cut.id, day)
            key = keys.cut(store.generation, segment, cut.start_us)
            batch.put(keys.CUTS, key, codec.CUT.encode(cut))


def drop_cut(store: Store, batch: RawBatch, cut: Cut, *, with_node: bool) -> None:
    segment = place_of(cut.id)
    assert isinstance(segment, Segment), cut.id
    batch.delete(keys.CUTS, keys.cut(store.generation, segment, cut.start_us))
    if with_node:
        drop_node(store, batch, cut.id)


def put_node(store: Store, node: Node, write: Write, *, seen: Seen | None) -> None:
    """Write a node with all that belongs to it; `seen` is the period's mark to clear (None for a segment)."""
    before = store.node(node.id)
    key = keys.node(store.generation, node.id)
    old = {grip.id for grip in before.grips} if before else set()
    new = {grip.id for grip in node.grips}
    with store.batch(sync=False) as batch:
        for grip_id in sorted(old - new):
            batch.delete(keys.GRIPS, keys.grip(store.generation, grip_id, node.id))
        for grip_id in sorted(new - old):
            batch.put(keys.GRIPS, keys.grip(store.generation, grip_id, node.id), b"")
        batch.put(keys.NODES, key, codec.NODE.encode(node))
        batch.put(keys.WRITES, key, codec.WRITE.encode(write))
        batch.delete(keys.FAILURES, key)
        _clear_mark(store, batch, seen)
        if before is None or before.content != node.content:
            _mark_parents(store, batch, place_of(node.id))
            mark_for_index(store, batch, [place_of(node.id).period.first])


def settle(store: Store, seen: Seen) -> None:
    """Clear the mark of a period whose node is right as it is."""
    with store.batch(sync=False) as batch:
        _clear_mark(store, batch, seen)
        if store.failure(seen.period.id) is not None:
            batch.delete(keys.FAILURES, keys.place(store.generation, seen.period))


def remove_node(store: Store, seen: Seen) -> bool:
    """Remove the node of a period that has no inputs any more, and clear its mark; return whether it had one."""
    with store.batch(sync=False) as batch:
        existed = drop_node(store, batch, seen.period.id)
        _clear_mark(store, batch, seen)
        if existed:
            _mark_parents(store, batch, seen.period)
    return existed


def put_failure(store: Store, node_id: NodeId, failure: Failure) -> None:
    key = keys.node(store.generation, node_id)
    with store.batch(sync=False) as batch:
        batch.put(keys.FAILURES, key, codec.FAILURE.encode(failure))


def drop_node(store: Store, batch: RawBatch, node_id: NodeId) -> bool:
    """Delete a node with all that belongs to it, and its failure; return whether there was one."""
    key = keys.node(store.generation, node_id)
    node = store.node(node_id)
    if node is not None:
        for grip in node.grips:
            batch.delete(keys.GRIPS, keys.grip(store.generation, grip.id, node_id))
        batch.delete(keys.NODES, key)
        batch.delete(keys.WRITES, key)
        mark_for_index(store, batch, [place_of(node_id).period.first])
    if store.failure(node_id) is not None:
        batch.delete(keys.FAILURES, key)
    return node is not None


# Marks. A mark says that the inputs of its period changed.


def _clear_mark(store: Store, batch: RawBatch, seen: Seen | None) -> None:
    if seen is not None and seen.number is not None and store.mark(seen.period) == seen.number:
        batch.delete(keys.MARKS, keys.place(store.generation, seen.period))


def _mark_parents(store: Store, batch: RawBatch, place: Period | Segment) -> None:
    """Mark the parents that are not marked already: a new number would only hide what a run has seen."""
    parents = parents_of(place, store.calendar.week_start)
    mark(store, batch, [parent for parent in parents if store.mark(parent) is None])


def mark_for_index(store: Store, batch: RawBatch, days: Iterable[int]) -> None:
    """Record that the text index has to read these days again: UTC days of events, first days of nodes.

    It reads the current table of contents only, and all of it when another one becomes current.
    """
    if not store.is_current:
        return
    marked = sorted(set(days))
    if not marked:
        return
    number = store.sequence() + 1
    for day in marked:
        batch.put(keys.MARKS, keys.index_mark(day), keys.instant(number))
    put_meta(batch, "sequence", number)


def mark_moments(store: Store, batch: RawBatch, moments_us: Iterable[int]) -> set[int]:
    """Mark the day that holds each instant, in every table of contents by its own calendar.

    Every change of events calls this: a rebuild then loses nothing that came while it ran. Return the days of
    this table of contents.
    """
    moments = sorted(set(moments_us))
    for each in store.generations():
        mark_days(each, batch, each.calendar.days_of(moments))
    return store.calendar.days_of(moments)


def mark_days(store: Store, batch: RawBatch, days: Iterable[int]) -> None:
    """Mark days of this table of contents alone, with a new number."""
    mark(store, batch, [Period(Level.DAY, day) for day in sorted(days)])


def mark(store: Store, batch: RawBatch, periods: Iterable[Period]) -> int:
    """Mark periods of this table of contents alone, with a new number; return the number."""
    number = store.sequence() + 1
    marked = list(periods)
    for period in marked:
        batch.put(keys.MARKS, keys.place(store.generation, period), keys.instant(number))
    if marked:
        put_meta(batch, "sequence", number)
    return number


# Generations. Each step is synced.


def begin_generation(store: Store, calendar: Calendar) -> Store:
    """Begin the next table of contents, with this calendar and every day that holds an event marked; return it.

    From here on a change of events marks the days in both. One that is half built already is dropped.
    """
    begun = Begun(store.generation + 1, calendar.describe())
    view = Store(store.engine, begun=begun)
    with store.batch(sync=True) as batch:
        _drop(batch, begun.generation)
        put_meta(batch, "building", begun)
        if (table := store.zone_table()) is not None:
            put_meta(batch, view.zone_key, table.today(calendar.zone))
        mark_days(view, batch, view.days())
    return view


def flip(store: Store) -> Store:
    """Make the half-built table of contents the current one, and drop the one before it; return the new one."""
    view = store.building()
    assert view is not None, "nothing was begun"
    with store.batch(sync=True) as batch:
        _drop(batch, store.generation)
        put_meta(batch, "generation", view.generation)
        put_meta(batch, "calendar", view.calendar.describe())
        if (table := view.zone_table()) is not None:
            put_meta(batch, store.zone_key, table)
        _drop_building(batch, view)
    return Store(store.engine)


def drop_half_built(store: Store) -> bool:
    """Drop the table of contents that a rebuild has half built, all of it; return whether there was one.

    Forgetting does this first: a rebuild would go on with nodes that still hold the words.
    """
    view = store.building()
    if view is None:
        return False
    with store.batch(sync=True) as batch:
        _drop(batch, view.generation)
        _drop_building(batch, view)
    return True


def _drop_building(batch: RawBatch, view: Store) -> None:
    batch.delete(keys.META, b"building")
    batch.delete(keys.META, view.zone_key.encode())


def _drop(batch: RawBatch, number: int) -> None:
    """Drop every key of a generation: a range each family, however much lies in it. Compaction gives the room back."""
    prefix = keys.generation(number)
    for family in keys.GENERATION_FAMILIES:
        batch.delete_range(family, prefix, keys.after_prefix(prefix))
