"""What a node is made from, read from the store: its origin and its request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from memtool.core.drafting import (
    Origin,
    gaps_of,
    period_request,
    segment_label,
    segment_request,
)
from memtool.core.levels import Period, heading
from memtool.core.model import GAP, Child, Cut, Event, Node, NodeId, Recipe
from memtool.core.planning import period_inputs, segment_inputs
from memtool.core.summary import Request
from memtool.store.store import Store


class InputsMoved(Exception):  # noqa: N818 - no error: the period is simply taken up again
    """The day's events are not those that it was cut from."""


def events_of(store: Store, cut: Cut) -> list[Event]:
    """Return the segment's events, in order. Raise InputsMoved where one is gone since the day was cut."""
    found = [store.event(event_id) for event_id in cut.events]
    events = [event for event in found if event is not None]
    if len(events) != len(cut.events):
        raise InputsMoved
    return events


def child_of(store: Store, node_id: NodeId) -> Child | None:
    """Return the node as its parent takes it, None where there is none."""
    node = store.node(node_id)
    return None if node is None else Child(node.id, node.content)


def segment_origin(cut: Cut, events: Sequence[Event], recipe: Recipe) -> Origin:
    """Return what the segment's node is made from."""
    return Origin(cut.id, segment_inputs(cut, events), recipe)


def request_of_segment(cut: Cut, events: Sequence[Event], day: Period) -> Request:
    """Return the request for the segment's node."""
    return segment_request(cut, events, heading(day))


def period_origin(
    store: Store, period: Period, children: Sequence[Child], recipe: Recipe
) -> Origin:
    """Return what the period's node is made from."""
    inputs = period_inputs(period.id, store.calendar.bounds_us(period), children)
    gaps = gaps_of(children, nodes_of(store, children))
    return Origin(period.id, inputs, recipe, tuple(children), gaps)


def request_of_period(
    store: Store, period: Period, children: Sequence[Child], cuts: Iterable[Cut]
) -> Request:
    """Return the request for the period's node; `cuts` are those of a day."""
    return period_request(period, _labelled(nodes_of(store, children), cuts))


def nodes_of(store: Store, children: Sequence[Child]) -> list[Node]:
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
