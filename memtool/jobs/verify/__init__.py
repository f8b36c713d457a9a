"""Walks the whole store and names what is wrong: coverage, provenance, digests, indexes. Reads only; mends nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from memtool.core.planning import stale_periods
from memtool.jobs.verify.events import check_events_and_days, check_ids, check_revisions
from memtool.jobs.verify.nodes import check_citations, check_nodes, check_parents
from memtool.jobs.verify.walk import Problem, Verification, Walk
from memtool.store.store import Store

__all__ = ["Problem", "Verification", "verify"]


def verify(
    store: Store, now_us: int, checkpoint: Callable[[], None] = lambda: None
) -> Verification:
    """Return what is wrong with the store, and what is worth knowing; `checkpoint` may stop the walk."""
    stale = stale_periods(store.marks(), store.calendar.week_start)
    walk = Walk(store, now_us, stale, Verification())
    walk.found.stale = [
        period.id for period in sorted(stale) if store.calendar.is_closed(period, now_us)
    ]
    walk.found.failed = {node_id: failure.error for node_id, failure in store.failures().items()}
    for check in _CHECKS:
        for counted in check(walk):
            walk.found.counts[counted] = walk.found.counts.get(counted, 0) + 1
            checkpoint()
    return walk.found


_CHECKS:
        for counted in check(walk):
            walk.found.counts[counted] = walk.found.counts.get(counted, 0) + 1
            checkpoint()
    return walk.found


def check_events_and_days(walk: Walk) -> Iterator[str]:
    """Check every event, and the cuts of every day that has any."""
    days = groupby(_events(walk), key=lambda event: walk.store.calendar.day_of(event.time_us))
    seen: set[int] = set()
    for day, events in days:
        seen.add(day)
        held = []
        for event in events:
            _check_event(walk, event)
            held.append(event)
            yield "events"
        _check_day(walk, day, held)
        yield "days"
    for cut in walk.store.cuts(1, 1 << 31):
        segment = parse_segment(cut.id)
        if segment is None or (segment.day not in seen and not _is_stale(walk, cut.id)):
            walk.found.say(cut.id, "a segment of a day that has no events")
        yield "segments"


def _events(walk: Walk) -> Iterator[Event]:
    for key, value in walk.store.engine.scan(families.EVENTS):
        event = codec.EVENT.decode(value, key)
        if keys.event(event.time_us, event.id) != key:
            walk.found.say(event.id, "its key does not match its time and id")
        yield event


def _check_event(walk: Walk, event: Event) -> None:
    store, say = walk.store, walk.found.say
    raw = keys.identifier(event.id)
    if store.engine.get(families.IDS, raw) != keys.instant(event.time_us):
        say(event.id, "the index by id does not lead to it")
    if store.engine.get(families.TOMBSTONES, raw) is not None:
        say(event.id, "it is there although it was forgotten")
    if event.kind not in ROLES or list(event.claims) != sorted(event.claims) or not event.claims:
        say(event.id, "its kind or its claims are not well formed")
    for claim in event.claims:
        session = store.session(claim.session)
        if session is None or not session.first_us <= event.time_us <= session.last_us:
            say(event.id, f"it lies outside the bounds of its session {claim.session}")
    if year_of(event.time_us) < _OLDEST_LIKELY_YEAR or event.time_us > walk.now_us + _DAY_US:
        walk.found.strange_count += 1
        if len(walk.found.strange_events) < MAX_LISTED:
            walk.found.strange_events.append((event.id, event.time_us))


def _check_day(walk: Walk, day: int, events: list[Event]) -> None:
    period = Period(Level.DAY, day)
    if period in walk.stale:
        return
    expected = [cut for held in by_session(events).values() for cut in cuts_of(held, day)]
    standing = walk.store.cuts(day)
    if sorted(standing, key=lambda cut: cut.id) != sorted(expected, key=lambda cut: cut.id):
        walk.found.say(period.id, "its segments do not cover its events exactly")
    for cut in standing:
        if walk.store.node(cut.id) is None and walk.store.failure(cut.id) is None:
            walk.found.say(cut.id, "the segment has no node, and no failure is recorded")


def _ids(walk: Walk) -> Iterator[str]:
    """Check that the index by id leads to events only."""
    for key, _ in walk.store.engine.scan(families.IDS):
        if walk.store.event(EventId(key.hex())) is None:
            walk.found.say(key.hex(), "the index by id leads to no event")
        yield "ids"


def _revisions(walk: Walk) -> Iterator[str]:
    for key, value in walk.store.engine.scan(families.REVISIONS):
        event = codec.EVENT.decode(value, key)
        if keys.revision(event.id, event.digest) != key:
            walk.found.say(event.id, "the key of a superseded revision does not match it")
        if walk.store.event(event.id) is None:
            walk.found.say(event.id, "a superseded revision of an event that is not there")
        yield "revisions"


def _nodes(walk: Walk) -> Iterator[str]:
    """Check every node by itself, and against its inputs where it is not stale."""
    for level in Level:
        for node in walk.store.nodes(level):
            for what in _node_problems(walk, node):
                walk.found.say(node.id, what)
            yield "nodes"


def _node_problems(walk: Walk, node: Node) -> Iterator[str]:
    yield from _claim_problems(walk, node)
    if node.frozen or _is_stale(walk, node.id):
        return
    yield from _proof_problems(walk, node)
    segment = parse_segment(node.id)
    if segment is not None:
        yield from _segment_problems(walk, node, walk.store.cuts(segment.day))
    else:
        yield from _period_problems(walk, node)


def _is_stale(walk: Walk, node_id: NodeId) -> bool:
    segment = parse_segment(node_id)
    period = Period(Level.DAY, segment.day) if segment else period_named(node_id)
    return period in walk.stale


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
        if walk.store.engine.get(families.GRIPS, key) is None:
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


def _missing(walk: Walk) -> Iterator[str]:
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


def _grips(walk: Walk) -> Iterator[str]:
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


def _rest(walk: Walk) -> Iterator[str]:
    """Decode what no other check reads."""
    for _ in walk.store.tombstones():
        yield "tombstones"
    for _ in walk.store.sessions():
        yield "sessions"
    for _ in walk.store.sources():
        yield "sources"


_CHECKS: tuple[Callable[[Walk], Iterator[str]], ...] = (
    check_events_and_days,
    check_ids,
    check_revisions,
    check_nodes,
    check_parents,
    check_citations,
    _check_rest,
)
