"""The steps of a rollup: re-cut a day, write its segments, write a period; lower before upper, each step one batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from memtool.model.levels import Level, Period, heading, inputs_of
from memtool.model.records import GAP, Child, Cut, Event, Node, NodeId
from memtool.model.segmenting import by_session, cuts_of
from memtool.model.summary import (
    Origin,
    gaps_of,
    period_inputs,
    period_request,
    segment_inputs,
    segment_label,
    segment_request,
)
from memtool.rollup.work import Work, summarised
from memtool.store.store import Store
from memtool.store.toc import Seen, mark_again, put_node, remove_node, replace_cuts, see, settle

_TRIES = 3


class InputsMoved(Exception):  # noqa: N818 - no error: the period is simply taken up again
    """The day's events are not those that it was cut from."""


async def bring_up_to_date(work: Work, period: Period) -> Child | None:
    """Write the period's node, after those below it, where its inputs changed.

    Return what its parent is made from: the node's content, a gap where it failed, or None where there is nothing.
    """
    for _ in range(_TRIES):
        try:
            step = _day if period.level is Level.DAY else _upper
            child = await step(work, period)
        except InputsMoved:
            continue
        work.done.add(period)
        return child
    # Somebody ingests into this very day without pause: it stays stale, and the next run takes it up.
    work.tally.waiting[period.id] = "its events kept changing"
    return Child(period.id, GAP)


async def _upper(work: Work, period: Period) -> Child | None:
    seen = see(work.lease.store(), period)
    below = [await _child(work, lower) for lower in inputs_of(period, work.calendar.week_start)]
    return await _write_period(work, seen, [child for child in below if child is not None])


async def _child(work: Work, period: Period) -> Child | None:
    if period not in work.done and (period in work.stale or period in work.forced):
        return await bring_up_to_date(work, period)
    if work.has_gap(period.id):
        return Child(period.id, GAP)
    return _child_of(work.lease.store(), period.id)


async def _day(work: Work, day: Period) -> Child | None:
    work.checkpoint()
    store = work.lease.store()
    # The mark stays until the day's own node is written, whatever happens to its segments until then.
    seen = see(store, day)
    if seen.number is None:
        seen = mark_again(store, day)
    _recut(store, day)
    cuts = store.cuts(day.first)
    children = await work.side_by_side(_segment(work, seen, cut) for cut in cuts)
    return await _write_period(work, seen, children, cuts)


def _recut(store: Store, day: Period) -> None:
    """Bring the day's cuts in line with its events, one batch a session; no summarizer is called."""
    sessions = by_session(store.events(*store.calendar.bounds_us(day)))
    standing: dict[str, list[Cut]] = {}
    for cut in store.cuts(day.first):
        standing.setdefault(cut.session, []).append(cut)
    for session in sorted(sessions.keys() | standing.keys()):
        old = standing.get(session, [])
        new = cuts_of(sessions.get(session, []), day.first)
        if old != new:
            replace_cuts(store, day.first, old, new)


def _unmoved(work: Work, seen: Seen) -> Store:
    """Return the store; raise InputsMoved if the period was marked anew since it was looked at."""
    store = work.lease.store()
    if store.mark(seen.period) != seen.number:
        raise InputsMoved
    return store


async def _segment(work: Work, seen: Seen, cut: Cut) -> Child:
    work.checkpoint()
    store = _unmoved(work, seen)
    events = _events_of(store, cut)
    origin = Origin(cut.id, segment_inputs(cut, events), work.summarizer.recipe)
    node = work.standing(store, cut.id, origin.inputs)
    if node is None:
        request = segment_request(cut, events, heading(seen.period))
        node = await summarised(work, store, request, origin)
        if node is None:
            return Child(cut.id, GAP)
        put_node(_unmoved(work, seen), node, work.write, seen=None)
        work.tally.written.append(node.id)
    return Child(cut.id, node.content)


async def _write_period(
    work: Work, seen: Seen, children: Sequence[Child], cuts: Sequence[Cut] = ()
) -> Child | None:
    period = seen.period
    work.checkpoint()
    store = _unmoved(work, seen)
    if not children:
        if remove_node(store, seen):
            work.tally.removed.append(period.id)
        return None
    if all(child.content == GAP for child in children):
        work.tally.waiting.setdefault(period.id, "nothing below it could be summarised")
        return Child(period.id, GAP)
    inputs = period_inputs(period.id, work.calendar.bounds_us(period), children)
    node = work.standing(store, period.id, inputs)
    if node is not None:
        settle(store, seen)
        return Child(period.id, node.content)
    nodes = _nodes_of(store, children)
    gaps = gaps_of(children, nodes)
    origin = Origin(period.id, inputs, work.summarizer.recipe, tuple(children), gaps)
    request = period_request(period, _labelled(nodes, cuts))
    node = await summarised(work, store, request, origin)
    if node is None:
        return Child(period.id, GAP)
    put_node(_unmoved(work, seen), node, work.write, seen=seen)
    work.tally.written.append(node.id)
    return Child(node.id, node.content)


def _events_of(store: Store, cut: Cut) -> list[Event]:
    """Return the segment's events, in order. Raise InputsMoved where one is gone since the day was cut."""
    found = [store.event(event_id) for event_id in cut.events]
    events = [event for event in found if event is not None]
    if len(events) != len(cut.events):
        raise InputsMoved
    return events


def _child_of(store: Store, node_id: NodeId) -> Child | None:
    """Return the node as its parent takes it, None where there is none."""
    node = store.node(node_id)
    return None if node is None else Child(node.id, node.content)


def _nodes_of(store: Store, children: Sequence[Child]) -> list[Node]:
    """Return the nodes of those children that are no gaps. Nobody may have taken one away meanwhile."""
    found = [store.node(child.id) for child in children if child.content != GAP]
    nodes = [node for node in found if node is not None]
    assert len(nodes) == len(found), "only a run that holds the tree takes nodes away"
    return nodes


def _labelled(nodes: Iterable[Node], cuts: Iterable[Cut]) -> Iterator[tuple[Node, str, str]]:
    labels = {cut.id: (segment_label(cut), cut.project) for cut in cuts}
    return ((node, *labels.get(node.id, _dated(node.id))) for node in nodes)


def _dated(node_id: NodeId) -> tuple[str, str]:
    return node_id.partition(":")[2], ""
