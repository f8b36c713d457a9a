"""Reads a session as the messages that people saw: in order, the records of one message joined. Streams."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from msgspec import Struct, field
from msgspec.structs import asdict

from memtool.model.levels import heading, place_of
from memtool.model.records import FIRST_INSTANT_US, Event, EventId, Grip, GripId, NodeId
from memtool.model.segmenting import in_order
from memtool.model.summary import verbatim
from memtool.query.events import ShownEvent, claims, shown_event
from memtool.query.names import ShortNames, grip_digits, grip_named
from memtool.query.reader import Reader
from memtool.store.store import Store

_HOUR_US = 3600 * 1_000_000
_REACHES_US = (_HOUR_US, 24 * _HOUR_US, 30 * 24 * _HOUR_US, 1 << 62)
"""How far around the cited events to look, in turn, until there are messages enough on both sides."""


Message = tuple[Event, ...]
"""What one side said at one time: the events of one group or record, in order."""


class Excerpt(NamedTuple):
    """A part of a conversation: messages before, those that hold the wanted events, and messages after."""

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
        if any(event.id in wanted for event in message):
            cited += [*after, message]
            after = []
            left -= {event.id for event in message}
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
            yield tuple(held)
            held = []
        held.append(event)
    if held:
        yield tuple(held)


def _ordered(store: Store, session: str, start_us: int, end_us: int) -> Iterator[Event]:
    events = store.events(max(start_us, FIRST_INSTANT_US), end_us)
    own = (event for event in events if not event.rewound and claims(event, session))
    for _, same_time in groupby(own, key=lambda event: event.time_us):
        yield from in_order(same_time)


def _are_joined(one: Event, other: Event) -> bool:
    if one.role != other.role:
        return False
    return one.record == other.record or (one.group != "" and one.group == other.group)


class CitedEvent(ShownEvent, frozen=True):
    """An event, and which of its characters the grip covers."""

    span: tuple[int, int] | None


class ShownMessage(Struct, frozen=True):
    """What one side said at one time."""

    role: str
    time_us: int
    events: tuple[CitedEvent, ...]


class Gone(Struct, frozen=True):
    """An event that is not there, or not current: rewound, forgotten or missing."""

    event: EventId
    reason: str


class Citing(Struct, frozen=True):
    """A node that cites the grip."""

    id: NodeId
    scope: str
    title: str


class Proof(Struct, frozen=True):
    """A grip in its conversation."""

    exists: bool = False
    id: GripId | None = None
    short: str | None = None
    zone: str = "UTC"
    excerpt: str | None = None
    start: int | None = None
    end: int | None = None
    events: tuple[EventId, ...] = ()
    verbatim: bool = False
    gone: tuple[Gone, ...] = ()
    session: str = ""
    project: str = ""
    agent: str = ""
    before: tuple[ShownMessage, ...] = ()
    cited: tuple[ShownMessage, ...] = ()
    after: tuple[ShownMessage, ...] = ()
    nodes: tuple[Citing, ...] = ()
    short_session: str = field(name="_short_session", default="")


def prove(reader: Reader, text: str, *, before: int, after: int) -> Proof:
    """Return the grip with this prefix, with messages before and after it.

    Raise UsageError if there is no such grip.
    """
    with reader.memory() as store:
        if store is None:
            grip_digits(text)
            return Proof()
        grip_id = grip_named(store, text)
        grip = store.grip(grip_id)
        assert grip is not None, grip_id
        found = {wanted: store.event(wanted) for wanted in grip.events}
        events = [event for event in found.values() if event is not None and not event.rewound]
        is_verbatim = len(events) == len(grip.events) and verbatim(grip, [e.text for e in events])
        reasons = ((wanted, _absence(store, wanted, event)) for wanted, event in found.items())
        names, first = ShortNames(store), events[0] if events else None
        part = Excerpt() if first is None else _conversation(store, events, (before, after))

        def shown(messages: tuple[Message, ...]) -> tuple[ShownMessage, ...]:
            cited = grip if is_verbatim else None
            return tuple(_shown_message(message, cited) for message in messages)

        return Proof(
            exists=True,
            id=grip.id,
            short=names.grip(grip_id),
            zone=store.calendar.zone,
            excerpt=grip.excerpt,
            start=grip.start,
            end=grip.end,
            events=grip.events,
            verbatim=is_verbatim,
            gone=tuple(Gone(wanted, why) for wanted, why in reasons if why),
            session=first.session if first else "",
            project=first.project if first else "",
            agent=first.agent if first else "",
            before=shown(part.before),
            cited=shown(part.cited),
            after=shown(part.after),
            nodes=_citing(store, grip),
            short_session=names.session(first.session) if first else "",
        )


def _shown_message(message: Message, grip: Grip | None) -> ShownMessage:
    events = tuple(CitedEvent(**asdict(shown_event(one)), span=_span(grip, one)) for one in message)
    return ShownMessage(message[0].role, message[0].time_us, events)


def _span(grip: Grip | None, event: Event) -> tuple[int, int] | None:
    """Return which characters of an event the grip covers."""
    if grip is None or event.id not in grip.events:
        return None
    start = grip.start if event.id == grip.events[0] else 0
    end = grip.end if event.id == grip.events[-1] else len(event.text)
    return start, min(end, start + len(grip.excerpt))


def _citing(store: Store, grip: Grip) -> tuple[Citing, ...]:
    """Return the nodes that cite the grip, from the segment up."""
    nodes = [store.node(node_id) for _, node_id in store.citations(grip.id)]
    return tuple(
        Citing(node.id, heading(place_of(node.id).period), node.title)
        for node in nodes
        if node is not None
    )


def _absence(store: Store, event_id: EventId, event: Event | None) -> str:
    """Return why an event does not count, "" if it does."""
    if event is not None:
        return "rewound" if event.rewound else ""
    return "forgotten" if store.identity(event_id).tombstone else "missing"


def _conversation(store: Store, events: list[Event], sides: tuple[int, int]) -> Excerpt:
    """Return the conversation around the events, in the session of the first."""
    session = events[0].session
    own = [event for event in events if claims(event, session)]
    times_us = [event.time_us for event in own]
    wanted = frozenset(event.id for event in own)
    return excerpt(store, session, wanted, (min(times_us), max(times_us)), sides)
