"""What is to be forgotten: the person's words, and what they mean in one store. Reads only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields

from memtool.errors import UsageError
from memtool.model.records import FIRST_INSTANT_US, LAST_INSTANT_US, Event, EventId
from memtool.query.events import span_us
from memtool.query.names import session_named
from memtool.query.reader import Reader
from memtool.store import codec, families, keys
from memtool.store.erase import erasing
from memtool.store.store import Store

MIN_EVENT_DIGITS = 8
_EVENT = re.compile(rf"[0-9a-f]{{{MIN_EVENT_DIGITS},{2 * keys.ID_BYTES}}}")
EVENT_FORM = f"an event is {MIN_EVENT_DIGITS} to {2 * keys.ID_BYTES} hex digits, as memtool events --json prints them"


@dataclass(frozen=True, slots=True)
class Selector:
    """What a person names; all of it must hold, and what is empty asks for nothing."""

    session: str = ""
    project: str = ""
    agent: str = ""
    since: str = ""
    until: str = ""
    match: str = ""
    events: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it names nothing at all."""
        return not any(getattr(self, row.name) for row in fields(self))


@dataclass(frozen=True, slots=True)
class Filter:
    """A selector as it is understood in one store."""

    start_us: int = FIRST_INSTANT_US
    end_us: int = LAST_INSTANT_US
    session: str = ""
    project: str = ""
    agent: str = ""
    pattern: re.Pattern[str] | None = None
    ids: frozenset[EventId] | None = None
    older: frozenset[EventId] = frozenset()
    """Events of which a superseded revision matches the pattern."""

    def fits(self, event: Event) -> bool:
        """Return whether the event is to be forgotten, if it lies within the time."""
        return (
            (self.ids is None or event.id in self.ids)
            and (not self.session or any(one.session == self.session for one in event.claims))
            and (not self.agent or event.agent.casefold() == self.agent.casefold())
            and (
                not self.project
                or any(_is_project(self.project, one.project) for one in event.claims)
            )
            and (self.pattern is None or event.id in self.older or matches(self.pattern, event))
        )


def matches(pattern: re.Pattern[str], event: Event) -> bool:
    """Return whether the pattern is found anywhere in the event's text, or in a value of its metadata."""
    return any(pattern.search(text) for text in (event.text, *event.metadata.values()))


def _is_project(wanted: str, project: str) -> bool:
    """Return whether a project's path, or the last part of it, is the one that was named."""
    path = project.rstrip("/")
    return bool(path) and wanted.rstrip("/") in (path, path.rpartition("/")[2])


def resolve(reader: Reader, store: Store, selector: Selector) -> Filter:
    """Return what the selector means in this store. Raise UsageError where it names nothing, or nothing there is."""
    if selector.is_empty:
        raise UsageError(
            "nothing is named that should be forgotten",
            hint="name it: --session, --project, --agent, --since, --until, --match or --event",
        )
    pattern = _compiled(selector.match)
    start_us, end_us = FIRST_INSTANT_US, LAST_INSTANT_US
    if selector.since:
        start_us = span_us(reader, store, selector.since, "--since")[0]
    if selector.until:
        end_us = span_us(reader, store, selector.until, "--until")[1]
    session, ids = _session(store, selector.session), _ids(store, selector.events)
    return Filter(
        start_us,
        end_us,
        session or "",
        selector.project,
        selector.agent,
        pattern,
        frozenset() if session is None else ids,
        _older(store, pattern),
    )


def _compiled(match: str) -> re.Pattern[str] | None:
    try:
        return re.compile(match) if match else None
    except re.error as error:
        raise UsageError(
            f"--match {match!r} is no regular expression: {error}",
            hint="characters such as ( [ * + ? . stand for themselves after a backslash",
        ) from None


def _session(store: Store, text: str) -> str | None:
    """Return the session that is meant, "" where none is asked for.

    None where it is gone while an erasing is unfinished: it went with the run that is now brought to its end.
    """
    try:
        return session_named(store, text) if text else ""
    except UsageError:
        if erasing(store) is None or next(store.sessions(text), None) is not None:
            raise
        return None


def _ids(store: Store, texts: tuple[str, ...]) -> frozenset[EventId] | None:
    return frozenset(_event_named(store, text) for text in texts) if texts else None


def _event_named(store: Store, text: str) -> EventId:
    """Return the event that alone begins with these digits: one that is there, or was and left its tombstone."""
    digits = text.strip().lower()
    if not _EVENT.fullmatch(digits):
        raise UsageError(f"{text!r} is no event", hint=EVENT_FORM)
    found = sorted({EventId(key.hex()) for key in _keys_from(store, digits)})
    if not found:
        raise UsageError(f"no event begins with {digits}", hint=EVENT_FORM)
    if len(found) > 1:
        raise UsageError(f"{digits} is the beginning of several events", hint="type more of it")
    return found[0]


def _keys_from(store: Store, digits: str) -> Iterator[bytes]:
    low = bytes.fromhex(digits[: len(digits) // 2 * 2])
    for family in (families.IDS, families.TOMBSTONES):
        for key, _ in store.engine.scan(family, low):
            if key.hex().startswith(digits):
                yield key
            elif key.hex() > digits:
                break


def _older(store: Store, pattern: re.Pattern[str] | None) -> frozenset[EventId]:
    if pattern is None:
        return frozenset()
    rows = (codec.EVENT.decode(value, key) for key, value in store.engine.scan(families.REVISIONS))
    return frozenset(event.id for event in rows if matches(pattern, event))


def fitting(store: Store, wanted: Filter) -> Iterator[Event]:
    """Yield the events that are to be forgotten, in order of time."""
    start_us, end_us = wanted.start_us, wanted.end_us
    if wanted.session and (bounds := store.session(wanted.session)) is not None:
        start_us, end_us = max(start_us, bounds.first_us), min(end_us, bounds.last_us + 1)
    if wanted.ids is not None:
        found = (store.event(event_id) for event_id in wanted.ids)
        inside = [one for one in found if one is not None and start_us <= one.time_us < end_us]
        events: Iterator[Event] = iter(sorted(inside, key=lambda one: (one.time_us, one.id)))
    else:
        events = store.events(start_us, end_us)
    return (event for event in events if wanted.fits(event))
