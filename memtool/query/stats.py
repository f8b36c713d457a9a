"""Counts what is kept, for a reader. Takes the same memory for a store of any size, and never waits for a job.

Events are counted by the index of ids, 24 bytes each: their text is not read. Rewound ones count, for they are kept.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from memtool.files import bytes_below
from memtool.model.calendar import Calendar
from memtool.model.levels import WEEKDAYS, Level, Period
from memtool.model.records import Session, is_by_hand
from memtool.query.contents import current_events
from memtool.query.projects import roots_of
from memtool.query.reader import Reader
from memtool.query.recipes import Counts, Written, by_level, recipes
from memtool.rollup.plan import left_over
from memtool.search.index import DIRECTORY as INDEX_DIRECTORY
from memtool.store.store import Store

Progress = Callable[[float], None]
"""Is told now and then which part, from 0 to 1, is done."""

SHOWN_EVERY = 5000
_KEY_SPACE = 1 << 16


class By(StrEnum):
    """What events can be counted by."""

    PROJECT = "project"
    AGENT = "agent"


Window = tuple[int, int]
"""The first and the last day of a year or of twelve months."""


class Days(Struct, frozen=True):
    """The days of a year or of twelve months, as ISO dates, and how many events those that have any hold."""

    first: str = field(name="from")
    last: str = field(name="to")
    week_starts_on: str
    total: int
    busiest: str | None
    """The day with most events, the latest of equal ones."""
    days: Mapping[str, int]


class Part(Struct, frozen=True):
    """What is of one project or agent. Rewound events are not counted."""

    name: str
    events: int
    sessions: int
    first_us: int
    last_us: int


class Disk(Struct, frozen=True):
    """Bytes by column family, as they are in files; of the database beside them; and of all that the store has."""

    families: Mapping[str, int] = {}
    other_bytes: int = 0
    ledger_bytes: int = 0
    index_bytes: int = 0
    total_bytes: int = 0


class Stats(Struct, frozen=True, kw_only=True):
    """What is kept. `exists` is whether anything is remembered; `stale` counts periods that have ended, by level."""

    exists: bool
    zone: str
    events: int = 0
    first_us: int | None = None
    last_us: int | None = None
    sessions: int = 0
    projects: int = 0
    agents: Mapping[str, int] = {}
    sources: int = 0
    damaged_sources: int = 0
    tombstones: Mapping[str, int] = {}
    recipes: tuple[Written, ...]
    stale: Counts = field(default_factory=lambda: by_level({}))
    outdated: Counts
    failed: int = 0
    disk: Disk = Disk()
    parts: tuple[Part, ...] | None = None
    """By project or agent, those with most events first; None if that was not asked for."""
    calendar: Days


def stats(
    reader: Reader,
    *,
    year: int | None = None,
    by: By | None = None,
    on_progress: Progress = lambda _: None,
) -> Stats:
    """Return what is kept, and the events by day of the year, or of the twelve months that end today."""
    made = recipes(reader)
    with reader.memory() as store:
        calendar = reader.calendar if store is None else store.calendar
        window = window_of(calendar.day_of(reader.now_us), year)
        if store is None:
            return Stats(
                exists=False,
                zone=calendar.zone,
                recipes=made.written,
                outdated=made.outdated.nodes,
                calendar=_days(calendar, window, {}),
            )
        events, counts = _events(store, window, on_progress)
        sessions = _Sessions.counted(store)
        sources = store.sources()
        first_us, last_us = store.span_us() or (None, None)
        return Stats(
            exists=True,
            zone=calendar.zone,
            events=events,
            first_us=first_us,
            last_us=last_us,
            sessions=sessions.number,
            projects=len(sessions.of[By.PROJECT]),
            agents={name: part.sessions for name, part in sorted(sessions.of[By.AGENT].items())},
            sources=len(sources),
            damaged_sources=sum(bool(row.damaged or row.problem) for row in sources.values()),
            tombstones=Counter(tombstone.reason for tombstone in store.tombstones()),
            recipes=made.written,
            stale=by_level(Counter(period.level for period in left_over(store, reader.now_us))),
            outdated=made.outdated.nodes,
            failed=len(store.failures()),
            disk=disk_of(store, reader.root),
            parts=None if by is None else tuple(_parts(store, sessions, by, on_progress)),
            calendar=_days(calendar, window, counts),
        )


def _days(calendar: Calendar, window: Window, counts: Mapping[int, int]) -> Days:
    busiest = max(counts, key=lambda day: (counts[day], day), default=None)
    return Days(
        first=_iso(window[0]),
        last=_iso(window[1]),
        week_starts_on=WEEKDAYS[calendar.week_start],
        total=sum(counts.values()),
        busiest=None if busiest is None else _iso(busiest),
        days={_iso(day): count for day, count in sorted(counts.items())},
    )


def _iso(day: int) -> str:
    return date.fromordinal(day).isoformat()


def window_of(today: int, year: int | None) -> Window:
    """Return the days of the year, as far as they have begun; or those of the twelve months up to today."""
    end = date.fromordinal(today)
    if year is None:
        following = end + timedelta(days=1)  # so that 29 February, too, has a year before it
        is_leap_day = (following.month, following.day) == (2, 29)
        first = following.replace(year=following.year - 1, day=28 if is_leap_day else following.day)
        return first.toordinal(), today
    begin, finish = date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal()
    return begin, min(finish, today) if begin <= today else finish


def _events(store: Store, window: Window, on_progress: Progress) -> tuple[int, dict[int, int]]:
    """Count all events, and those of each day of the window."""
    days = range(window[0], window[1] + 1)
    starts = [store.calendar.day_start_us(day) for day in (*days, window[1] + 1)]
    held, number = [0] * len(days), 0
    for event_id, time_us in store.times():
        number += 1
        if number % SHOWN_EVERY == 0:  # IDs are digests: where one lies is how far the walk is
            on_progress(int(event_id[:4], 16) / _KEY_SPACE)
        # Of a day that the zone skipped both bounds are the same: the later one holds the instant.
        index = bisect_right(starts, time_us) - 1
        if 0 <= index < len(held):
            held[index] += 1
    return number, {day: count for day, count in zip(days, held, strict=True) if count}


class _Sessions(Struct):
    """The sessions that were counted, by project and by agent. What has no project counts as a project without name."""

    number: int = 0
    of: dict[By, dict[str, Part]] = field(default_factory=lambda: {by: {} for by in By})
    roots: Mapping[str, str] = {}
    named: Mapping[str, str] = {}
    """By session, the project that what has none belongs to."""

    @classmethod
    def counted(cls, store: Store) -> _Sessions:
        """Return the count of a store's sessions."""
        rows = dict(store.sessions())
        found = cls(
            roots=roots_of(name for row in rows.values() for name in row.projects),
            named={
                name: min(filter(None, row.projects))
                for name, row in rows.items()
                if any(row.projects)
            },
        )
        for session_id, session in store.sessions():
            if is_by_hand(session_id):
                continue
            found.number += 1
            names = {found.project_of(session_id, name) for name in session.projects}
            for name in names:
                found._add(By.PROJECT, name, session)
            for name in session.agents:
                found._add(By.AGENT, name, session)
        return found

    def project_of(self, session: str, project: str) -> str:
        """Return the project that something of a session belongs to, as every command has it."""
        name = project or self.named.get(session, "")
        return self.roots.get(name, name)

    def _add(self, by: By, name: str, session: Session) -> None:
        old = self.of[by].get(name)
        low, high = session.first_us, session.last_us
        if old is not None:
            low, high = min(old.first_us, low), max(old.last_us, high)
        self.of[by][name] = Part(name, 0, old.sessions + 1 if old else 1, low, high)


def _parts(store: Store, sessions: _Sessions, by: By, on_progress: Progress) -> Iterator[Part]:
    events = _events_by(store, sessions, by, on_progress)
    names = sorted({*sessions.of[by], *events}, key=lambda name: (-events[name], name))
    for name in names:
        part = sessions.of[by].get(name, Part(name, 0, 0, 0, 0))
        yield replace(part, events=events[name])


def _events_by(store: Store, sessions: _Sessions, by: By, on_progress: Progress) -> Counter[str]:
    """Count by the segments of each day, or by its events if the day is marked."""
    marked = {period.first for period in store.marks() if period.level is Level.DAY}
    first_us, last_us = store.span_us() or (0, 0)
    counts: Counter[str] = Counter()
    for day in store.days():
        done_us = store.calendar.day_start_us(day) - first_us
        on_progress(min(1, max(0, done_us / max(1, last_us - first_us))))
        cuts = [] if day in marked else store.cuts(day)
        for cut in cuts:
            project = sessions.project_of(cut.session, cut.project)
            counts[project if by is By.PROJECT else cut.agent] += len(cut.events)
        if not cuts:
            for event in current_events(store, Period(Level.DAY, day)):
                project = sessions.project_of(event.session, event.project)
                counts[project if by is By.PROJECT else event.agent] += 1
    return counts


def disk_of(store: Store, root: Path) -> Disk:
    """Return what the store takes."""
    tables = store.sizes()
    database = bytes_below(root / "store")
    other = max(0, database - sum(tables.values()))
    beside = (bytes_below(root / name) for name in ("ledger", INDEX_DIRECTORY, "."))
    return Disk(tables, other, *beside)
