"""How much a day or a period holds: from its cuts where there are any, else from its events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from memtool.core.levels import Level, Period, parse_segment
from memtool.core.model import FIRST_INSTANT_US, Cut, Event
from memtool.store.store import Store


@dataclass(frozen=True, slots=True)
class Count:
    """Events, and the sessions and projects that they are of."""

    events: int = 0
    sessions: frozenset[str] = frozenset()
    projects: frozenset[str] = frozenset()

    def __add__(self, other: Count) -> Count:
        """Return the sum; a session or project that is in both counts once."""
        return Count(
            self.events + other.events,
            self.sessions | other.sessions,
            self.projects | other.projects,
        )


def by_day(cuts: Iterable[Cut]) -> dict[int, Count]:
    """Return what the segments hold, by their day."""
    counts: dict[int, Count] = {}
    for cut in cuts:
        segment = parse_segment(cut.id)
        assert segment is not None, cut.id
        own = Count(len(cut.events), frozenset({cut.session}), frozenset({cut.project}) - {""})
        counts[segment.day] = counts.get(segment.day, Count()) + own
    return counts


def current_events(store: Store, period: Period) -> Iterator[Event]:
    """Yield the events of a period that were not taken back, in order of time."""
    start_us, end_us = store.calendar.bounds_us(period)
    events = store.events(max(start_us, FIRST_INSTANT_US), max(end_us, FIRST_INSTANT_US))
    return (event for event in events if not event.rewound)


def count_of(store: Store, day: int) -> Count:
    """Return what the events of a day come to."""
    number = 0
    sessions: set[str] = set()
    projects: set[str] = set()
    for event in current_events(store, Period(Level.DAY, day)):
        number += 1
        sessions.add(event.session)
        projects.add(event.project)
    return Count(number, frozenset(sessions), frozenset(projects - {""}))
