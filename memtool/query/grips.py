"""Reads one grip: the words that prove a bullet, where they stand in their conversation, and which nodes cite them."""

from __future__ import annotations

from dataclasses import dataclass

from memtool.model.records import Event, EventId, Grip, NodeId
from memtool.model.summary import verbatim
from memtool.query.conversation import Excerpt, excerpt
from memtool.query.names import ShortNames, grip_digits, grip_named
from memtool.query.reader import NoMemoryError, Reader
from memtool.store.store import Store


@dataclass(frozen=True, slots=True)
class Proof:
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
            excerpt=_around(store, events, (before, after)),
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


def _around(store: Store, events: list[Event], sides: tuple[int, int]) -> Excerpt:
    """Return the conversation around the events, in the session of the first."""
    if not events:
        return Excerpt()
    session = events[0].session
    own = [event for event in events if any(claim.session == session for claim in event.claims)]
    times_us = [event.time_us for event in own]
    wanted = frozenset(event.id for event in own)
    return excerpt(store, session, wanted, (min(times_us), max(times_us)), sides)
