"""Writing the table of contents, one atomic step at a time (docs/store-format.md, "What is written together")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from memtool.model.levels import Level, Period, SegmentKey, parents_of, parse_segment, period_named
from memtool.model.records import Cut, GripId, Node, NodeId
from memtool.store import codec, families, keys
from memtool.store.codec import Failure, Write
from memtool.store.engine import RawBatch
from memtool.store.marks import mark
from memtool.store.store import Store


@dataclass(frozen=True, slots=True)
class Seen:
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
        batch.delete(families.CUTS, _cut_key(store, cut))
        if cut.id not in kept:
            drop_node(store, batch, cut.id)
    for cut in new:
        batch.put(families.CUTS, _cut_key(store, cut), codec.CUT.encode(cut))
    assert all(_segment(cut).day == day for cut in (*old, *new)), day
    store.engine.write(batch, sync=False)


def put_node(store: Store, node: Node, write: Write, *, seen: Seen | None) -> None:
    """Write a node with all that belongs to it; `seen` is the period's mark to clear (None for a segment)."""
    batch = store.engine.batch()
    before = store.node(node.id)
    key = keys.node(store.generation, node.id)
    _put_grips(store, batch, before, node)
    batch.put(families.NODES, key, codec.NODE.encode(node))
    batch.put(families.WRITES, key, codec.WRITE.encode(write))
    batch.delete(families.FAILURES, key)
    _clear_mark(store, batch, seen)
    if before is None or before.content != node.content:
        _mark_parents(store, batch, node.id)
    store.engine.write(batch, sync=False)


def settle(store: Store, seen: Seen) -> None:
    """Clear the mark of a period whose node is right as it is."""
    batch = store.engine.batch()
    _clear_mark(store, batch, seen)
    if store.failure(seen.period.id) is not None:
        batch.delete(families.FAILURES, keys.node(store.generation, seen.period.id))
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
    batch.put(
        families.FAILURES, keys.node(store.generation, node_id), codec.FAILURE.encode(failure)
    )
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
            batch.delete(families.GRIPS, keys.grip(store.generation, grip.id, node_id))
        batch.delete(families.NODES, key)
        batch.delete(families.WRITES, key)
    if store.failure(node_id) is not None:
        batch.delete(families.FAILURES, key)
    return node is not None


def _put_grips(store: Store, batch: RawBatch, before: Node | None, node: Node) -> None:
    old: set[GripId] = {grip.id for grip in before.grips} if before else set()
    new = {grip.id for grip in node.grips}
    for grip_id in sorted(old - new):
        batch.delete(families.GRIPS, keys.grip(store.generation, grip_id, node.id))
    for grip_id in sorted(new - old):
        batch.put(families.GRIPS, keys.grip(store.generation, grip_id, node.id), b"")


def _clear_mark(store: Store, batch: RawBatch, seen: Seen | None) -> None:
    if seen is not None and seen.number is not None and store.mark(seen.period) == seen.number:
        batch.delete(families.MARKS, keys.period(store.generation, seen.period))


def _mark_parents(store: Store, batch: RawBatch, node_id: NodeId) -> None:
    """Mark the parents that are not marked already: a new number would only hide what a run has seen."""
    place = parse_segment(node_id)
    if place is not None:
        parents: tuple[Period, ...] = (Period(Level.DAY, place.day),)
    else:
        parents = parents_of(period_named(node_id), store.calendar.week_start)
    mark(store, batch, [parent for parent in parents if store.mark(parent) is None])
