"""Reads a session as the messages that people saw: in order, the records of one message joined. Streams."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import groupby

from msgspec import Struct

from memtool.model.records import FIRST_INSTANT_US, Event, EventId, Grip, NodeId
from memtool.model.segmenting import in_order
from memtool.model.summary import verbatim
from memtool.query.names import ShortNames, grip_digits, grip_named
from memtool.query.reader import NoMemoryError, Reader
from memtool.store.store import Store

_HOUR_US = 3600 * 1_000_000
_REACHES_US = (_HOUR_US, 24 * _HOUR_US, 30 * 24 * _HOUR_US, 1 << 62)
"""How far around the cited events to look, in turn, until there are messages enough on both sides."""


class Message(Struct, frozen=True):
    """What one side said at one time: the events of one group or record, in order."""

    events: tuple[Event, ...]

    @property
    def role(self) -> str:
        """Whose words it holds."""
        return self.events[0].role

    @property
    def time_us(self) -> int:
        """When it began."""
        return self.events[0].time_us

    def holds(self, wanted: frozenset[EventId]) -> bool:
        """Return whether one of the events is in it."""
        return any(event.id in wanted for event in self.events)


class Excerpt(Struct, frozen=True):
    """A stretch of a conversation: messages before, those that hold the wanted events, and messages after."""

    before: tuple[Message, ...] = ()
    cited: tuple[Message, ...] = ()
    after: tuple[Message, ...] = ()


def excerpt(
    store: Store,
    session: str,
    wanted: frozenset[EventId],
    span_us: tuple[int, int],
    sides: tuple[int, int],
) -> Excerpt:
    """Return the messages that hold the wanted events, which lie in the span, with some on both sides."""
    bounds = store.session(session)
    assert bounds is not None, session
    found = Excerpt()
    for reach_us in _REACHES_US:
        low_us = max(bounds.first_us, span_us[0] - reach_us)
        high_us = min(bounds.last_us, span_us[1] + reach_us)
        found = _around(messages(store, session, low_us, high_us + 1), wanted, sides)
        # A message at the edge of the window may be torn: it takes one more than wanted to be sure of the rest.
        has_before = low_us == bounds.first_us or len(found.before) > sides[0]
        has_after = high_us == bounds.last_us or len(found.after) > sides[1]
        if has_before and has_after:
            break
    before = found.before[-sides[0] :] if sides[0] else ()
    return Excerpt(before, found.cited, found.after[: sides[1]])


def _around(
    stream: Iterator[Message], wanted: frozenset[EventId], sides: tuple[int, int]
) -> Excerpt:
    """Return the messages that hold the wanted events and one more on each side than asked for."""
    before: deque[Message] = deque(maxlen=sides[0] + 1)
    cited: list[Message] = []
    after: list[Message] = []
    left = set(wanted)
    for message in stream:
        if message.holds(wanted):
            cited += [*after, message]
            after = []
            left -= {event.id for event in message.events}
        elif not cited:
            before.append(message)
        else:
            after.append(message)
        if cited and not left and len(after) > sides[1]:
            break
    return Excerpt(tuple(before), tuple(cited), tuple(after))


def messages(store: Store, session: str, start_us: int, end_us: int) -> Iterator[Message]:
    """Yield the session's messages from one instant to before another, in the order of the conversation."""
    held: list[Event] = []
    for event in _ordered(store, session, start_us, end_us):
        if held and not _are_joined(held[-1], event):
            yield Message(tuple(held))
            held = []
        held.append(event)
    if held:
        yield Message(tuple(held))


def _ordered(store: Store, session: str, start_us: int, end_us: int) -> Iterator[Event]:
    events = store.events(max(start_us, FIRST_INSTANT_US), end_us)
    own = (event for event in events if not event.rewound and claims(event, session))
    for _, same_time in groupby(own, key=lambda event: event.time_us):
        yield from in_order(same_time)


def claims(event: Event, session: str) -> bool:
    """Return whether the session holds the event: a fork shares its beginning with the session it came from."""
    return any(claim.session == session for claim in event.claims)


def _are_joined(one: Event, other: Event) -> bool:
    if one.role != other.role:
        return False
    return one.record == other.record or (one.group != "" and one.group == other.group)


class Proof(Struct, frozen=True):
    """A grip in its conversation. `gone` says of events that are not there, or not current, why:
    rewound, forgotten or missing.
    """

    zone: str
    grip: Grip
    short: str
    citing: tuple[tuple[NodeId, str], ...]
    gone: dict[EventId, str]
    is_verbatim: bool
    session: str
    short_session: str
    project: str
    agent: str
    excerpt: Excerpt

    def span_in(self, event: Event) -> tuple[int, int] | None:
        """Return which characters of an event the grip covers, or None."""
        events = self.grip.events
        if not self.is_verbatim or event.id not in events:
            return None
        start = self.grip.start if event.id == events[0] else 0
        end = self.grip.end if event.id == events[-1] else len(event.text)
        return start, min(end, start + len(self.grip.excerpt))


def prove(reader: Reader, text: str, *, before: int, after: int) -> Proof:
    """Return the grip that begins with these digits, with so many messages around it.

    Raise UsageError where there is no such grip, NoMemoryError where nothing is remembered yet.
    """
    with reader.memory() as store:
        if store is None:
            grip_digits(text)
            raise NoMemoryError(reader.root)
        grip_id = grip_named(store, text)
        grip = store.grip(grip_id)
        assert grip is not None, grip_id
        found = {wanted: store.event(wanted) for wanted in grip.events}
        events = [event for event in found.values() if event is not None and not event.rewound]
        first = events[0] if events else None
        names = ShortNames(store)
        return Proof(
            zone=store.calendar.zone,
            grip=grip,
            short=names.grip(grip_id),
            citing=_citing(store, grip),
            gone={
                wanted: why
                for wanted, event in found.items()
                if (why := _absence(store, wanted, event))
            },
            is_verbatim=len(events) == len(grip.events)
            and verbatim(grip, [one.text for one in events]),
            session=first.session if first else "",
            short_session=names.session(first.session) if first else "",
            project=first.project if first else "",
            agent=first.agent if first else "",
            excerpt=_conversation(store, events, (before, after)),
        )


def _citing(store: Store, grip: Grip) -> tuple[tuple[NodeId, str], ...]:
    """Return the nodes that cite the grip with their titles, from the segment up."""
    ids = [node_id for _, node_id in store.citations(grip.id)]
    nodes = [store.node(node_id) for node_id in ids]
    return tuple((node.id, node.title) for node in nodes if node is not None)


def _absence(store: Store, event_id: EventId, event: Event | None) -> str:
    """Return why an event does not count (any more), "" where it does."""
    if event is not None:
        return "rewound" if event.rewound else ""
    return "forgotten" if store.identity(event_id).tombstone else "missing"


def _conversation(store: Store, events: list[Event], sides: tuple[int, int]) -> Excerpt:
    """Return the conversation around the events, in the session of the first."""
    if not events:
        return Excerpt()
    session = events[0].session
    own = [event for event in events if any(claim.session == session for claim in event.claims)]
    times_us = [event.time_us for event in own]
    wanted = frozenset(event.id for event in own)
    return excerpt(store, session, wanted, (min(times_us), max(times_us)), sides)
