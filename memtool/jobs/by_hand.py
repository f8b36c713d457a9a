"""What a person tells memtool itself: notes, and that something open is settled. Each is an event, and undoable."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from memtool.agents.drafts import filled, sanitize
from memtool.context import RunContext
from memtool.errors import UsageError
from memtool.model.calendar import Calendar
from memtool.model.records import (
    HAND,
    SETTLED_ITEM,
    SETTLED_THREAD,
    SETTLED_TIME,
    Claim,
    Event,
    Record,
    Rewind,
    digest_of,
    event_id,
    hand_session,
)
from memtool.search import index
from memtool.store.access import Access
from memtool.store.capture import capture

SETTLED_TEXT = "Settled by hand."


class Author(Struct, frozen=True):
    """Whose note it is: the project, and the agent that keeps it with its session; by default the person."""

    project: str
    branch: str = ""
    agent: str = ""
    session: str = ""


def note_event(text: str, author: Author, time_us: int, now_us: int) -> tuple[Event, int]:
    """Return a note as an event, and how many secrets were masked in it. Raise UsageError for a note without words."""
    if not text.strip():
        raise UsageError("a note needs words", hint='memtool note "ask Ada about the invoice font"')
    about = filled({"branch": author.branch, "session": author.session})
    return _event("note", text.strip(), about, author, (time_us, now_us))


class Settled(Struct, frozen=True):
    """An open item of a thread, as one day has it; `time_us` is when it was said last on that day."""

    thread: str
    key: str
    project: str
    time_us: int


def settled_event(item: Settled, now_us: int) -> Event:
    """Return the event that settles an item. It lies where the item was said: the day then tells how it ended."""
    about = {
        SETTLED_THREAD: item.thread,
        SETTLED_ITEM: item.key,
        SETTLED_TIME: str(max(now_us, item.time_us + 1)),
    }
    return _event("settled", SETTLED_TEXT, about, Author(item.project), (item.time_us, now_us))[0]


def _event(
    kind: str, text: str, about: dict[str, str], author: Author, times_us: tuple[int, int]
) -> tuple[Event, int]:
    """Return what was said, about one instant and at another, and how many secrets were masked in it."""
    time_us, now_us = times_us
    clean = sanitize(kind, text, about)
    said = [part for pair in sorted(clean.metadata.items()) for part in pair]
    digest = digest_of("by hand", kind, clean.text, author.project, time_us, now_us, *said)
    event = Event(
        id=event_id(digest, 1),
        agent=author.agent or HAND,
        claims=(Claim(hand_session(time_us), author.project),),
        time_us=time_us,
        kind=kind,
        role="assistant" if author.agent else "user",
        text=clean.text,
        digest=digest,
        metadata=clean.metadata,
        redaction=clean.redaction,
    )
    return event, clean.redactions


def keep(
    context: RunContext, records: Sequence[Record], calendar: Callable[[], Calendar] | None = None
) -> None:
    """Store what was said by hand, and let the text index take it in. With a `calendar` a store is made if need be."""
    access = Access(context.root)
    new = calendar() if calendar is not None and not access.exists() else None
    with access.lease(context.writer, new) as lease:
        captured = capture(lease.store(), records)
    context.tally.events = captured.new + captured.changed
    index.keep(context)


def taken_back(event: Event) -> Rewind:
    """Return what takes an event back: it is kept, and no longer told."""
    return Rewind(event.id, event.revision)
