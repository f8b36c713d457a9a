"""The words of the design as values: events, cuts, nodes, bullets, grips. Field order is part of the store format."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache, cached_property
from typing import TYPE_CHECKING, NewType

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable
    from hashlib import blake2b

DIGEST_BYTES = 16


@cache
def _hash() -> Callable[..., blake2b]:
    """Return BLAKE2b. hashlib loads OpenSSL: that takes milliseconds, and most readers need no digest."""
    from hashlib import blake2b

    return blake2b


def digest_of(*parts: str | int | bytes) -> str:
    """Return 32 hex digits over the parts, each framed by its length, so that no two lists of parts collide."""
    framed: list[bytes] = []
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        framed += (len(data).to_bytes(8, "big"), data)
    return _hash()(b"".join(framed), digest_size=DIGEST_BYTES).hexdigest()


EventId = NewType("EventId", str)
RecordId = NewType("RecordId", str)
NodeId = NewType("NodeId", str)
GripId = NewType("GripId", str)

FENCE = "<memtool-memory"
"""How text begins that memtool itself has put into a conversation."""
EVENT_ID_DIGITS = 32
RECORD_DIGITS = 28
FIRST_INSTANT_US = 0
LAST_INSTANT_US = 7_258_118_400_000_000  # 2200-01-01T00:00:00Z, exclusive
EXCERPT_CHARACTERS = 600

ROLES = {
    "prompt": "user",
    "answer": "assistant",
    "thinking": "assistant",
    "tool_call": "assistant",
    "tool_result": "tool",
    "command": "user",
    "note": "system",
    "compaction": "system",
    "session_start": "system",
    "session_end": "system",
    "subagent_start": "assistant",
    "subagent_end": "tool",
    "error": "system",
    "title": "assistant",
    "recap": "assistant",
    "settled": "user",
}
"""Every kind of event, and whose words it holds. A new kind is one row here."""


HAND = "memtool"
"""The agent of what a person says to memtool itself: notes, and that something open is settled."""
BY_HAND = "by-hand-"
"""How its sessions begin; the UTC day follows."""


SETTLED_THREAD, SETTLED_ITEM, SETTLED_TIME = "thread", "item", "settled_us"
"""What the metadata of an event says that settles an open item: whose, which, and when that was said."""


def hand_session(time_us: int) -> str:
    """Return the session of what is said by hand about this instant: one for each UTC day."""
    return f"{BY_HAND}{(datetime(1970, 1, 1) + timedelta(microseconds=time_us)).date()}"  # noqa: DTZ001


def is_by_hand(session: str) -> bool:
    """Return whether the session is no conversation, but what was said to memtool itself."""
    return session.startswith(BY_HAND)


class Claim(msgspec.Struct, frozen=True, order=True):
    """A session that holds the record, and the project it was in there."""

    session: str
    project: str


class Event(msgspec.Struct, frozen=True):
    """One immutable record (or block of one) of a source. Equal `digest` means the same record."""

    id: EventId
    agent: str
    claims: tuple[Claim, ...]
    time_us: int
    kind: str
    role: str
    text: str
    digest: str
    group: str = ""
    parent: str = ""
    metadata: dict[str, str] = {}
    revision: int = 0
    redaction: int = 0
    rewound: bool = False
    reader: int = 0

    @property
    def session(self) -> str:
        """The session it belongs to: the smallest that claims it."""
        return self.claims[0].session

    @property
    def project(self) -> str:
        """The project it belongs to, by the same rule."""
        return self.claims[0].project

    @property
    def record(self) -> RecordId:
        """The record that this event is a block of."""
        return RecordId(self.id[:RECORD_DIGITS])

    def body_digest(self) -> str:
        """Return the digest of what a reader or summarizer sees of it; claims count only by the owner."""
        pairs = [text for pair in sorted(self.metadata.items()) for text in pair]
        return digest_of(
            self.agent,
            self.session,
            self.project,
            self.time_us,
            self.kind,
            self.role,
            self.text,
            self.group,
            self.parent,
            *pairs,
        )


def event_id(record_digest: str, block: int) -> EventId:
    """Return the id of a block of the record whose full digest is given; block 0 is derived, content starts at 1."""
    assert 0 <= block < 1 << 16, block
    return EventId(f"{record_digest[:RECORD_DIGITS]}{block:04x}")


class Tombstone(msgspec.Struct, frozen=True):
    """An id that must never come back; `reason` is `forgotten`, or `session` for that of `session_stone`."""

    id: EventId
    reason: str
    time_us: int


WHOLE_SESSION = "session"


def session_stone(session: str) -> EventId:
    """Return the id of the tombstone that keeps a forgotten session's prompts out, where a list of prompts has them."""
    return event_id(digest_of("forgotten session", session), 0)


class Rewind(msgspec.Struct, frozen=True):
    """The source took the event back, up to and including this revision of it."""

    id: EventId
    revision: int


Record = Event | Tombstone | Rewind
"""What a source can say."""


class Cut(msgspec.Struct, frozen=True):
    """Where a segment begins and ends, and which events it holds, in order."""

    id: NodeId
    session: str
    agent: str
    project: str
    start_us: int
    end_us: int
    events: tuple[EventId, ...]
    tokens: int


class Grip(msgspec.Struct, frozen=True):
    """The words that prove a bullet: a span over one or more events, verbatim."""

    id: GripId
    events: tuple[EventId, ...]
    start: int
    end: int
    excerpt: str


def grip_id(events: tuple[EventId, ...], start: int, end: int) -> GripId:
    """Return the id that is the same for every citation of the same words."""
    return GripId(digest_of("grip", start, end, *events))


class Bullet(msgspec.Struct, frozen=True):
    """One claim, and the grips that prove it (never none)."""

    text: str
    grips: tuple[GripId, ...]


class Recipe(msgspec.Struct, frozen=True):
    """Who writes summaries, and with what: another recipe makes a node outdated, not stale."""

    summarizer: str
    model: str = ""
    prompt: str = ""
    settings: str = ""


GAP = "gap"
"""Stands for the content of a child that could not be summarized."""


class Child(msgspec.Struct, frozen=True):
    """An input of a node as it was when the node was written; `content` is its digest, or GAP."""

    id: NodeId
    content: str


class Node(msgspec.Struct, frozen=True, dict=True):
    """The table-of-contents entry of a segment or a period."""

    id: NodeId
    title: str
    bullets: tuple[Bullet, ...]
    keywords: tuple[str, ...]
    grips: tuple[Grip, ...]
    children: tuple[Child, ...]
    gaps: tuple[NodeId, ...]
    inputs: str
    recipe: Recipe
    body: bytes = b""
    """What it is made of, as JSON: the turns of a segment, the threads of a period (`model/threads.py`)."""

    @cached_property
    def content(self) -> str:
        """The digest of what this node says; a rewritten node that says the same costs its parent nothing."""
        parts: list[str | int] = [self.title, len(self.bullets)]
        for bullet in self.bullets:
            parts += [bullet.text, len(bullet.grips), *bullet.grips]
        parts += [len(self.keywords), *self.keywords, len(self.gaps), *self.gaps]
        parts += [text for grip in self.grips for text in (grip.id, grip.excerpt)]
        if self.body:
            parts.append(digest_of(self.body))
        return digest_of(*parts)


class Source(msgspec.Struct, frozen=True):
    """How far a transcript file was read, and what was wrong with it (docs/store-format.md, "Sources")."""

    inode: int = 0
    size_bytes: int = 0
    mtime_ns: int = 0
    offset: int = 0
    fingerprint: str = ""
    format: str = ""
    waiting_bytes: int = 0
    damaged: int = 0
    skipped: int = 0
    problem: str = ""
    reader: int = 0
    cursor: str = ""


class Session(msgspec.Struct, frozen=True):
    """Bounds that hold all events of a session, and what was seen in it."""

    first_us: int
    last_us: int
    agents: tuple[str, ...]
    projects: tuple[str, ...]


class Failure(msgspec.Struct, frozen=True):
    """A node that could not be written: from which inputs, how often, when to try again."""

    inputs: str
    recipe: Recipe
    count: int
    retry_us: int
    error: str


class Write(msgspec.Struct, frozen=True):
    """When a node was written and by which run."""

    written_us: int
    run: str
