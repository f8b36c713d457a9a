"""Instants and spans as people type them: a period, a moment of the store's own clock, or RFC 3339."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from memtool.agents.values import instant_us
from memtool.errors import UsageError
from memtool.model.calendar import Calendar
from memtool.model.levels import PERIOD_FORMS
from memtool.model.records import FIRST_INSTANT_US, LAST_INSTANT_US, ROLES, Event, EventId
from memtool.model.segmenting import in_order
from memtool.query.names import ShortNames, session_named
from memtool.query.projects import projects_named, short_projects
from memtool.query.reader import Reader
from memtool.store.store import Store
from memtool.text import nearest

TIME_FORMS = f"{PERIOD_FORMS}, 2026-11-22T14:30, 2026-11-22T13:30:00Z"
_LOCAL = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?"
)
_SECOND_US = 1_000_000


def span_us(reader: Reader, store: Store | None, text: str, option: str) -> tuple[int, int]:
    """Return the instants from which and before which a time that was typed holds. Raise UsageError."""
    calendar = reader.calendar if store is None else store.calendar
    moment_us = instant_us(text.strip())
    if moment_us is not None:
        return moment_us, moment_us + 1
    local = _local_span_us(calendar, text.strip())
    if local is not None:
        return _in_range(local)
    try:
        return _in_range(calendar.bounds_us(reader.period(store, text)))
    except UsageError:
        raise UsageError(
            f"{option}: unknown time: {text}", hint=f"a time is one of: {TIME_FORMS}"
        ) from None


def _local_span_us(calendar: Calendar, text: str) -> tuple[int, int] | None:
    """Return the minute or second of the store's clock, found as the start of a day that begins then."""
    match = _LOCAL.fullmatch(text)
    day = calendar.parse(match[1], 0) if match else None
    if match is None or day is None:
        return None
    clock = replace(calendar, day_start_minutes=int(match[2]) * 60 + int(match[3]))
    start_us = clock.day_start_us(day.first) + int(match[4] or 0) * _SECOND_US
    return start_us, start_us + (60 if match[4] is None else 1) * _SECOND_US


def _in_range(span: tuple[int, int]) -> tuple[int, int]:
    start_us, end_us = (min(max(edge, FIRST_INSTANT_US), LAST_INSTANT_US) for edge in span)
    return start_us, end_us


class Query(Struct, frozen=True):
    """Which events to list. An empty field matches all."""

    session: str = ""
    project: str = ""
    agent: str = ""
    kinds: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    limit: int = 50
    here: str = ""
    """The directory whose project `.` is."""


class ShownEvent(Struct, frozen=True):
    """An event as the event schema names its fields."""

    id: EventId
    agent: str
    session: str
    project: str
    time_us: int
    kind: str
    role: str
    text: str
    group: str
    metadata: dict[str, str]
    rewound: bool


def shown_event(event: Event) -> ShownEvent:
    """Return what is shown of an event."""
    return ShownEvent(*(getattr(event, name) for name in ShownEvent.__struct_fields__))


class Listing(Struct, frozen=True):
    """The newest events that match, in order of time. `has_more`: older ones match too."""

    exists: bool
    zone: str = "UTC"
    has_more: bool = False
    events: tuple[ShownEvent, ...] = ()
    short_sessions: Mapping[str, str] = field(name="_short_sessions", default_factory=dict)
    short_projects: Mapping[str, str] = field(name="_short_projects", default_factory=dict)


def events(reader: Reader, query: Query) -> Listing:
    """Return the newest events that match. Raise UsageError if the query names what is unknown."""
    check_kinds(query.kinds)
    with reader.memory() as store:
        start_us, end_us = bounds_us(reader, store, query)
        if store is None:
            return Listing(exists=False)
        matches = matcher(store, query)
        if query.session and (bounds := store.session(session_named(store, query.session))):
            start_us, end_us = max(start_us, bounds.first_us), min(end_us, bounds.last_us + 1)
        found: list[Event] = []
        has_more = False
        for event in filter(matches, store.events_back(start_us, end_us)):
            has_more = len(found) == query.limit
            if has_more:
                break
            found.append(event)
        names = ShortNames(store)
        sessions = {event.session: names.session(event.session) for event in found}
        shown = tuple(map(shown_event, in_order(found)))
        projects = short_projects(store)
        return Listing(True, store.calendar.zone, has_more, shown, sessions, projects)


def check_kinds(kinds: tuple[str, ...]) -> None:
    """Raise UsageError if a kind is unknown."""
    for kind in kinds:
        if kind not in ROLES:
            meant = nearest(kind, list(ROLES))
            guess = f"did you mean {meant}? " if meant else ""
            raise UsageError(
                f"unknown kind of event: {kind}",
                hint=f"{guess}a kind is one of: {', '.join(ROLES)}",
            )


def bounds_us(reader: Reader, store: Store | None, query: Query) -> tuple[int, int]:
    """Return the instants from which and before which the query asks for events. Raise UsageError."""
    start_us, end_us = FIRST_INSTANT_US, LAST_INSTANT_US
    if query.since:
        start_us = span_us(reader, store, query.since, "--since")[0]
    if query.until:
        end_us = span_us(reader, store, query.until, "--until")[1]
    return start_us, end_us


def matcher(store: Store, query: Query) -> Callable[[Event], bool]:
    """Return what tells whether an event matches the query, at any time. Raise UsageError as `events` does."""
    session = session_named(store, query.session) if query.session else ""
    projects = projects_named(store, query.project, query.here) if query.project else None

    def matches(event: Event) -> bool:
        return (
            (not session or claims(event, session))
            and (not query.kinds or event.kind in query.kinds)
            and event.agent.casefold().startswith(query.agent.casefold())
            and (projects is None or projects.hold_any(event.claims))
        )

    return matches


def claims(event: Event, session: str) -> bool:
    """Return whether the session holds the event: a fork shares its beginning with the session it came from."""
    return any(claim.session == session for claim in event.claims)
