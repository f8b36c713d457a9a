"""How much a day or a period holds: from its cuts where there are any, else from its events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from memtool.model.levels import Level, Period, parse_segment
from memtool.model.records import FIRST_INSTANT_US, Cut, Event
from memtool.store.store import Store


@dataclass(frozen=True, slots=True)
class Count:
    """Events, and the sessions and projects that they are of."""

    events: int = 0
    sessions: frozenset[str] = frozenset()
    projects: frozenset[str] = frozenset()


def total(counts: Sequence[Count]) -> Count:
    """Return the sum; a session or project that is in several counts once."""
    return Count(
        sum(count.events for count in counts),
        frozenset[str]().union(*(count.sessions for count in counts)),
        frozenset[str]().union(*(count.projects for count in counts)),
    )


def by_day(cuts: Iterable[Cut]) -> dict[int, Count]:
    """Return what the segments hold, by their day."""
    held: dict[int, list[Count]] = {}
    for cut in cuts:
        segment = parse_segment(cut.id)
        assert segment is not None, cut.id
        count = Count(len(cut.events), frozenset({cut.session}), frozenset({cut.project}) - {""})
        held.setdefault(segment.day, []).append(count)
    return {day: total(counts) for day, counts in held.items()}


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
