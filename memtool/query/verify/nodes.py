"""Verifies nodes: every claim proven, every digest made of today's inputs, every index both ways."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from memtool.model.levels import (
    PERIOD_LEVELS,
    Level,
    Period,
    inputs_of,
    parents_of,
    parse_segment,
    period_named,
)
from memtool.model.records import GAP, Child, Cut, Grip, GripId, Node, NodeId, grip_id
from memtool.model.summary import period_inputs, segment_inputs, verbatim
from memtool.query.verify.walk import Walk
from memtool.store import keys
from memtool.store.store import Store


def check_nodes(walk: Walk) -> Iterator[str]:
    """Check every node by itself, and against its inputs where it is not stale."""
    for level in Level:
        for node in walk.store.nodes(level):
            for what in _node_problems(walk, node):
                walk.found.say(node.id, what)
            yield "nodes"


def _node_problems(walk: Walk, node: Node) -> Iterator[str]:
    yield from _claim_problems(walk, node)
    if walk.is_stale(node.id):
        return
    yield from _proof_problems(walk, node)
    segment = parse_segment(node.id)
    if segment is not None:
        yield from _segment_problems(walk, node, walk.store.cuts(segment.day))
    else:
        yield from _period_problems(walk, node)


def _claim_problems(walk: Walk, node: Node) -> Iterator[str]:
    held = {grip.id for grip in node.grips}
    cited = {wanted for bullet in node.bullets for wanted in bullet.grips}
    if not node.title.strip() or not node.bullets:
        yield "it has no title or no bullet"
    if any(not bullet.grips for bullet in node.bullets):
        yield "a bullet has no grip"
    if held != cited:
        yield "the grips that it holds are not those that its bullets cite"
    for grip in node.grips:
        key = keys.grip(walk.store.generation, grip.id, node.id)
        if walk.store.engine.get(keys.GRIPS, key) is None:
            yield f"the index of grips does not know that it cites {grip.id}"


def _proof_problems(walk: Walk, node: Node) -> Iterator[str]:
    for grip in node.grips:
        if grip.id != grip_id(grip.events, grip.start, grip.end):
            yield f"the id of grip {grip.id} is not made of its events and span"
        texts = _texts(walk.store, grip)
        if texts is None:
            yield f"grip {grip.id} points at an event that is not there"
        elif not verbatim(grip, texts):
            yield f"the excerpt of grip {grip.id} is not what its events say"


def _texts(store: Store, grip: Grip) -> list[str] | None:
    events = [store.event(event_id) for event_id in grip.events]
    texts = [event.text for event in events if event is not None and not event.rewound]
    return texts if len(texts) == len(events) else None


def _segment_problems(walk: Walk, node: Node, cuts: Iterable[Cut]) -> Iterator[str]:
    cut = next((cut for cut in cuts if cut.id == node.id), None)
    if cut is None:
        yield "a node of a segment that is not there"
        return
    found = [walk.store.event(event_id) for event_id in cut.events]
    events = [event for event in found if event is not None]
    if len(events) != len(found) or segment_inputs(cut, events) != node.inputs:
        yield "its inputs are not those that it was made from"


def _period_problems(walk: Walk, node: Node) -> Iterator[str]:
    period = period_named(node.id)
    children = _children(
        walk, period, {child.id for child in node.children if child.content == GAP}
    )
    if tuple(children) != node.children:
        yield "its children are not those that it was made from"
    if period_inputs(node.id, walk.store.calendar.bounds_us(period), node.children) != node.inputs:
        yield "its digest of inputs does not fit its children"


def _children(walk: Walk, period: Period, gaps: set[NodeId]) -> list[Child]:
    if period.level is Level.DAY:
        ids = [cut.id for cut in walk.store.cuts(period.first)]
    else:
        ids = [below.id for below in inputs_of(period, walk.store.calendar.week_start)]
    children: list[Child] = []
    for child_id in ids:
        node = walk.store.node(child_id)
        if child_id in gaps:
            children.append(Child(child_id, GAP))
        elif node is not None:
            children.append(Child(child_id, node.content))
    return children


def check_parents(walk: Walk) -> Iterator[str]:
    """Check that what has inputs and is not marked has a node."""
    for level in PERIOD_LEVELS[:-1]:
        for node in walk.store.nodes(level):
            for parent in _parents(walk, node.id):
                if parent not in walk.stale and walk.store.node(parent.id) is None:
                    walk.found.say(
                        parent.id, f"it has no node and no mark although {node.id} feeds it"
                    )
            yield "edges"


def _parents(walk: Walk, node_id: NodeId) -> Iterable[Period]:
    return parents_of(period_named(node_id), walk.store.calendar.week_start)


def check_citations(walk: Walk) -> Iterator[str]:
    """Check that the index of grips leads to nodes that cite them."""
    by_node: dict[NodeId, set[GripId]] = defaultdict(set)
    for wanted, node_id in walk.store.citations():
        by_node[node_id].add(wanted)
        yield "grips"
    for node_id, wanted_grips in sorted(by_node.items()):
        node = walk.store.node(node_id)
        held = {grip.id for grip in node.grips} if node else set()
        for wanted in sorted(wanted_grips - held):
            walk.found.say(
                node_id, f"the index of grips says that it cites {wanted}, which it does not"
            )
