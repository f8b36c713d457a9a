"""Checks the store's integrity: coverage, provenance, digests, indexes. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import count, groupby

from msgspec import Struct, field

from memtool.agents.registry import agent_named
from memtool.errors import DamagedError
from memtool.model.calendar import year_of
from memtool.model.levels import (
    Level,
    Period,
    Segment,
    inputs_of,
    parents_of,
    place_of,
    stale_periods,
)
from memtool.model.records import (
    GAP,
    ROLES,
    Child,
    Cut,
    Event,
    EventId,
    Grip,
    GripId,
    Node,
    NodeId,
    grip_id,
)
from memtool.model.segmenting import segments_of
from memtool.model.summary import period_inputs, segment_inputs, verbatim
from memtool.query.bodies import problems_of_period, problems_of_segment
from memtool.query.node import FailedNode
from memtool.query.reader import Reader
from memtool.redact.rules import RULESET_VERSION
from memtool.search.index import differences
from memtool.store.store import Store, erasing

MAX_LISTED = 50


class Problem(Struct, frozen=True):
    """What is wrong, and where."""

    where: str
    what: str


class StrangeEvent(Struct, frozen=True):
    """An event at an unlikely time."""

    id: EventId
    time_us: int


class Since(Struct, frozen=True):
    """When something began that has not ended."""

    since_us: int


class Verification(Struct):
    """What a walk through the store found. `exists` is whether there is a store.

    Stale periods and failed nodes only wait: they are no problem. `half_built`: a rebuild has begun and not ended.
    `erasing`: deleted bytes may still be in the files.
    """

    exists: bool = False
    zone: str = "UTC"
    healthy: bool = True
    counts: dict[str, int] = field(default_factory=dict)
    problem_count: int = 0
    problems: list[Problem] = field(default_factory=list)
    strange_count: int = 0
    strange_events: list[StrangeEvent] = field(default_factory=list)
    old_count: int = 0
    """Events that an older reader gave: their transcripts are gone, or were not read again yet."""
    old_rules_count: int = 0
    """Events, and superseded revisions, that only older rules of redaction have looked at."""
    stale: list[NodeId] = field(default_factory=list)
    failed: list[FailedNode] = field(default_factory=list)
    half_built: bool = False
    erasing: Since | None = None

    def say(self, where: str, what: str) -> None:
        """Note a problem; the first ones are kept in full."""
        self.healthy = False
        self.problem_count += 1
        if len(self.problems) < MAX_LISTED:
            self.problems.append(Problem(where, what))


class Walk(Struct):
    """The store, the present, what is stale in it, and what was found so far."""

    store: Store
    now_us: int
    stale: frozenset[Period]
    found: Verification

    def is_stale(self, node_id: NodeId) -> bool:
        """Return whether the node waits for a rollup: then its inputs can differ from it."""
        return place_of(node_id).period in self.stale


_OLDEST_LIKELY_YEAR = 2015
_DAY_US = 24 * 3600 * 1_000_000


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
        period = place_of(cut.id).period
        if period.first not in seen and period not in walk.stale:
            walk.found.say(cut.id, "a segment of a day that has no events")
        yield "segments"


def _events(walk: Walk) -> Iterator[Event]:
    for event, is_in_place in walk.store.placed_events():
        if not is_in_place:
            walk.found.say(event.id, "its key does not match its time and id")
        yield event


def _check_event(walk: Walk, event: Event) -> None:
    store, say = walk.store, walk.found.say
    if store.time_of(event.id) != event.time_us:
        say(event.id, "the index by id does not lead to it")
    if store.tombstone(event.id) is not None:
        say(event.id, "it is there although it was forgotten")
    if event.kind not in ROLES or list(event.claims) != sorted(event.claims) or not event.claims:
        say(event.id, "its kind or its claims are not well formed")
    for claim in event.claims:
        session = store.session(claim.session)
        if session is None or not session.first_us <= event.time_us <= session.last_us:
            say(event.id, f"it lies outside the bounds of its session {claim.session}")
    walk.found.old_rules_count += event.redaction < RULESET_VERSION
    agent = agent_named(event.agent)
    walk.found.old_count += agent is not None and event.reader < agent.format.reader
    if year_of(event.time_us) < _OLDEST_LIKELY_YEAR or event.time_us > walk.now_us + _DAY_US:
        walk.found.strange_count += 1
        if len(walk.found.strange_events) < MAX_LISTED:
            walk.found.strange_events.append(StrangeEvent(event.id, event.time_us))


def _check_day(walk: Walk, day: int, events: list[Event]) -> None:
    period = Period(Level.DAY, day)
    if period in walk.stale:
        return
    expected = [cut for cut, _ in segments_of(events, day)]
    standing = walk.store.cuts(day)
    if sorted(standing, key=lambda cut: cut.id) != sorted(expected, key=lambda cut: cut.id):
        walk.found.say(period.id, "its segments do not cover its events exactly")
    for cut in standing:
        if not walk.store.has_node(cut.id) and walk.store.failure(cut.id) is None:
            walk.found.say(cut.id, "the segment has no node, and no failure is recorded")


def check_ids(walk: Walk) -> Iterator[str]:
    """Check that the index by id leads to events only."""
    for event_id, _ in walk.store.times():
        if not walk.store.has_event(event_id):
            walk.found.say(event_id, "the index by id leads to no event")
        yield "ids"


def check_revisions(walk: Walk) -> Iterator[str]:
    """Check that superseded revisions have the right key, and a current revision."""
    for event, is_in_place in walk.store.placed_revisions():
        if not is_in_place:
            walk.found.say(event.id, "the key of a superseded revision does not match it")
        walk.found.old_rules_count += event.redaction < RULESET_VERSION
        if not walk.store.has_event(event.id):
            walk.found.say(event.id, "a superseded revision of an event that is not there")
        yield "revisions"


def check_nodes(walk: Walk) -> Iterator[str]:
    """Check each node, and if it is not stale, its inputs."""
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
    place = place_of(node.id)
    if isinstance(place, Segment):
        yield from _segment_problems(walk, node, walk.store.cuts(place.day))
    else:
        yield from _period_problems(walk, node, place)


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
        if not walk.store.is_cited(grip.id, node.id):
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
    yield from problems_of_segment(walk.store, node, cut)


def _period_problems(walk: Walk, node: Node, period: Period) -> Iterator[str]:
    children = _children(
        walk, period, {child.id for child in node.children if child.content == GAP}
    )
    if tuple(children) != node.children:
        yield "its children are not those that it was made from"
    if period_inputs(node.id, walk.store.calendar.bounds_us(period), node.children) != node.inputs:
        yield "its digest of inputs does not fit its children"
    nodes = [walk.store.node(child.id) for child in node.children]
    yield from problems_of_period(walk.store, node, period, [each for each in nodes if each])


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
    for place in walk.store.node_places():
        if place.level in (Level.SEGMENT, Level.YEAR):
            continue
        for parent in parents_of(place, walk.store.calendar.week_start):
            if parent not in walk.stale and not walk.store.has_node(parent.id):
                what = f"it has no node and no mark although {place.id} feeds it"
                walk.found.say(parent.id, what)
        yield "edges"


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


def check_generations(walk: Walk) -> Iterator[str]:
    """Check that every key of a table of contents belongs to one that is known."""
    known = {each.generation for each in walk.store.generations()}
    for family, number in walk.store.generations_found():
        if number not in known:
            what = f"keys of it in {family}, although it is neither the current one nor half built"
            walk.found.say(f"generation {number}", what)
    for _ in known:
        yield "generations"


def verify(
    store: Store, now_us: int, checkpoint: Callable[[], None] = lambda: None
) -> Verification:
    """Return what is wrong with the store, and what is worth knowing; `checkpoint` can stop the check."""
    calendar, note = store.calendar, erasing(store)
    stale = stale_periods(store.marks(), calendar.week_start)
    found = Verification(
        exists=True,
        zone=calendar.zone,
        stale=[period.id for period in sorted(stale) if calendar.is_closed(period, now_us)],
        failed=[FailedNode(node_id, row.error) for node_id, row in store.failures().items()],
        half_built=store.building() is not None,
        erasing=Since(note.since_us) if note else None,
    )
    walk = Walk(store, now_us, stale, found)
    for what, check in _CHECKS:
        try:
            for counted in check(walk):
                walk.found.counts[counted] = walk.found.counts.get(counted, 0) + 1
                checkpoint()
        except DamagedError as error:  # it ends this check; an error of the machine ends the walk
            walk.found.say(what, error.message)
    return found


def _check_rest(walk: Walk) -> Iterator[str]:
    """Decode what no other check reads."""
    for _ in walk.store.tombstones():
        yield "tombstones"
    for _ in walk.store.sessions():
        yield "sessions"
    for _ in walk.store.sources():
        yield "sources"
    for _ in walk.store.other_rows():
        yield "rows"


_CHECKS: tuple[tuple[str, Callable[[Walk], Iterator[str]]], ...] = (
    ("events", check_events_and_days),
    ("ids", check_ids),
    ("revisions", check_revisions),
    ("nodes", check_nodes),
    ("parents", check_parents),
    ("grips", check_citations),
    ("generations", check_generations),
    ("the rest", _check_rest),
)


SHOWN_EVERY = 500


def check(reader: Reader, on_progress: Callable[[int], None]) -> Verification:
    """Return what is wrong with the store; `on_progress` is told now and then how many things were looked at."""
    steps = count(1)

    def checkpoint() -> None:
        done = next(steps)
        if done % SHOWN_EVERY == 0:
            on_progress(done)

    with reader.store() as store:
        if store is None:
            return Verification()
        found = verify(store, reader.now_us, checkpoint)
        for what in differences(reader.root, store, checkpoint):
            found.say("search index", what)
        return found
