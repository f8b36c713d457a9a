"""Reads the table of contents: the nodes as a tree, their states, and what waits for its first summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from itertools import groupby, islice
from typing import NamedTuple

from msgspec import Struct, field
from msgspec.structs import asdict, replace

from memtool.model.clock import Clock
from memtool.model.levels import (
    Level,
    Period,
    heading,
    inputs_of,
    listed_under,
    period_of,
    place_of,
    stale_periods,
    straddles,
)
from memtool.model.records import (
    BY_HAND,
    FIRST_INSTANT_US,
    Cut,
    Event,
    Failure,
    Node,
    NodeId,
    is_by_hand,
)
from memtool.model.shown import MOST_TITLE, title_of
from memtool.model.threads import STATES, VERBATIM, State, Thread, by_weight, join, threads_in
from memtool.query.names import shortest
from memtool.query.projects import short_projects
from memtool.query.reader import Reader
from memtool.store.store import Store


class Count(NamedTuple):
    """Events, and the sessions and projects that they belong to. What was said by hand is no session."""

    events: int
    sessions: AbstractSet[str]
    projects: AbstractSet[str]


def total(counts: Sequence[Count]) -> Count:
    """Return the sum; a session or project that is in several counts once."""
    return Count(
        sum(count.events for count in counts),
        set().union(*(count.sessions for count in counts)),
        set().union(*(count.projects for count in counts)),
    )


def by_day(sizes: Iterable[tuple[NodeId, str, str, int]]) -> dict[int, Count]:
    """Return what the segments hold, by their day, from the ID, session, project and number of events of each."""
    found: dict[int, Count] = {}
    for _, of_day in groupby(sizes, key=lambda row: row[0][: len("segment:2026-11-22")]):
        ids, sessions, projects, numbers = zip(*of_day, strict=True)
        day = place_of(ids[0]).period.first
        talks = {session for session in sessions if not is_by_hand(session)}
        found[day] = Count(sum(numbers), talks, set(projects) - {""})
    return found


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
        if not is_by_hand(event.session):
            sessions.add(event.session)
        projects.add(event.project)
    return Count(number, sessions, projects - {""})


DEFAULT_DEPTH = {Level.DAY: 1, Level.WEEK: 1, Level.MONTH: 2, Level.YEAR: 2}
DEFAULT_DEPTH_OF_ALL = 3
_HIDDEN_DIGITS = 10
"""Six of the 16 digits of a segment are shown, more if the day has another that begins so."""
MAX_COUNTED_DAYS = 31
"""How many days that a rollup has not seen as they are now are counted, newest first: all their events must be read."""
MAX_OPEN_EVENTS = 20_000
"""Threads of the day that has not ended are taken from at most so many events; it says nothing if there are more."""


class Headline(Struct, frozen=True):
    """What a thread is about, and how it stands."""

    state: State
    text: str


class Entry(Struct, frozen=True):
    """A line of the table of contents. `title` is None if there is no summary yet, `events` if they were not counted.

    `scope` is a period's date, or a segment's times and project; `name` the shortest that `memtool show` accepts.
    `threads` counts all of a period's by state; `headlines` has the heaviest ones that fit a title.
    """

    id: NodeId
    level: str
    scope: str
    title: str | None
    state: tuple[str, ...]
    headlines: tuple[Headline, ...] = ()
    threads: Mapping[State, int] = {}
    events: int | None = None
    sessions: int | None = None
    projects: tuple[str, ...] = ()
    also_under: NodeId | None = None
    name: str = field(name="_name", default="")
    cut: Cut | None = field(name="_cut", default=None)


class Branch(Entry, frozen=True):
    """A line of the table of contents with those below it, as far down as was asked for."""

    children: tuple[Branch, ...] = ()


class Contents(Struct, frozen=True):
    """The tree under a period, or under all years. `exists` is whether anything is remembered."""

    exists: bool
    zone: str = "UTC"
    period: NodeId | None = None
    entries: tuple[Branch, ...] = ()


def contents(reader: Reader, text: str = "", depth: int | None = None) -> Contents:
    """Return the table of contents of the period that the text names, or of all years if it is empty."""
    with reader.memory() as store:
        period = reader.period(store, text) if text else None
        if store is None:
            return Contents(exists=False, period=period.id if period else None)
        is_small = period is not None and period.level is not Level.YEAR
        tree = Tree(store, reader, period, counts=is_small)
        if period is None:
            entries = tree.years(DEFAULT_DEPTH_OF_ALL if depth is None else depth)
        else:
            wanted = DEFAULT_DEPTH[period.level] if depth is None else depth
            entries = (tree.branch(period, wanted),) if tree.holds(period) else ()
        return Contents(True, store.calendar.zone, period.id if period else None, entries)


class Tree(Struct, frozen=True, dict=True):
    """A store as one reader sees it: the entries below one period, or all."""

    store: Store
    reader: Reader
    root: Period | None
    counts: bool = True
    """Whether events are counted: the sizes of all segments are read for this."""

    @cached_property
    def marked(self) -> frozenset[Period]:
        """The periods with a mark of their own."""
        return frozenset(self.store.marks())

    @cached_property
    def short_projects(self) -> Mapping[str, str]:
        """The names by which the projects of the store are told apart."""
        return short_projects(self.store)

    @cached_property
    def stale(self) -> frozenset[Period]:
        """Every period that is marked, or has a marked period below it."""
        return stale_periods(self.marked, self.store.calendar.week_start)

    @cached_property
    def failures(self) -> Mapping[NodeId, Failure]:
        """What could not be summarized."""
        return self.store.failures()

    def state(self, node_id: NodeId, node: Node | None) -> tuple[str, ...]:
        """Return the words for the state of a node, or of a period that has none yet."""
        period, recipe = place_of(node_id).period, self.reader.recipe
        words = {
            "open": self.is_open(period),
            "stale": node is not None and period in self.stale,
            "outdated": node is not None and recipe is not None and node.recipe != recipe,
            "incomplete": node is not None and bool(node.gaps),
            "failed": node_id in self.failures,
        }
        return tuple(word for word, is_true in words.items() if is_true)

    def node(self, period: Period) -> Node | None:
        """Return the node of a period, None if there is none, or if the period is open and more is known by now."""
        if period not in self._nodes:
            node = self.store.node(period.id)
            is_old = node is not None and period in self.stale and self.is_open(period)
            self._nodes[period] = None if is_old and self._so_far(period) else node
        return self._nodes[period]

    def is_open(self, period: Period) -> bool:
        """Return whether the period has not ended."""
        return not self.store.calendar.is_closed(period, self.reader.now_us)

    def threads(self, period: Period) -> tuple[Thread, ...]:
        """Return the threads of a period: from its node, else joined from what is below it.

        What a person said by hand counts at once, also where a rollup has not seen it yet.
        """
        node = self.node(period)
        if node is None:
            return self._so_far(period)
        told = threads_in(node.body)
        if self._by_hand.isdisjoint(range(period.first, period.end)):
            return told
        return tuple(_with_text(told, self._so_far(period))) or told

    @cached_property
    def _by_hand(self) -> frozenset[int]:
        """The marked days about which something was said by hand."""
        marked = {period.first for period in self.marked if period.level is Level.DAY}
        days = self.store.calendar
        return frozenset(
            day
            for _, row in (self.store.sessions(BY_HAND) if marked else ())
            for day in range(days.day_of(row.first_us), days.day_of(row.last_us) + 1)
            if day in marked
        )

    def _so_far(self, period: Period) -> tuple[Thread, ...]:
        """Return the threads of a period without its node. A day's are taken from its events, if it is open."""
        if period not in self._joined:
            if period.level is Level.DAY:
                is_live = self.is_open(period) or period.first in self._by_hand
                found = self._threads_of_day(period) if is_live else ()
            else:
                below = inputs_of(period, self.store.calendar.week_start)
                found = join([self.threads(one) for one in below if self.holds(one)], period.level)
            self._joined[period] = found
        return self._joined[period]

    def _threads_of_day(self, day: Period) -> tuple[Thread, ...]:
        from memtool.signals.threads import threads_of_day

        start_us, end_us = self.store.calendar.bounds_us(day)
        events = list(islice(self.store.events(start_us, end_us), MAX_OPEN_EVENTS + 1))
        if len(events) > MAX_OPEN_EVENTS:
            return ()
        return threads_of_day(events, day.first)

    @cached_property
    def _nodes(self) -> dict[Period, Node | None]:
        return {}

    @cached_property
    def _joined(self) -> dict[Period, tuple[Thread, ...]]:
        return {}

    def all_years(self) -> list[Period]:
        """Return the years that hold anything, oldest first."""
        known = {period for period in self.stale if period.level is Level.YEAR}
        known |= {place_of(node.id).period for node in self.store.nodes(Level.YEAR)}
        return [year for year in sorted(known) if self.holds(year)]

    def years(self, depth: int) -> tuple[Branch, ...]:
        """Return the entries of all years, oldest first."""
        return tuple(self.branch(year, depth - 1) for year in self.all_years())

    def branch(self, period: Period, depth: int, within: Period | None = None) -> Branch:
        """Return the period's entry with `depth` levels below it, of a straddling week only the days `within`."""
        children: list[Branch] = []
        if depth > 0 and period.level is Level.DAY:
            children = [Branch(**asdict(entry)) for entry in self.segments(period)]
        elif depth > 0:
            month = period if period.level is Level.MONTH else None
            children = [self.branch(one, depth - 1, month) for one in self._below(period, within)]
        return Branch(**asdict(self.entry(period, within)), children=tuple(children))

    def entry(self, period: Period, within: Period | None = None) -> Entry:
        """Return the period's own entry."""
        node, count, threads = self.node(period), self._counted(period), self.threads(period)
        by_worth = sorted(threads, key=by_weight)
        told = title_of(by_worth)
        return Entry(
            id=period.id,
            level=period.level.word,
            scope=heading(period),
            title=node.title if node else told or None,
            state=self.state(period.id, node),
            headlines=headlines_of(by_worth) if node is None or node.title == told else (),
            threads=by_state(thread.state for thread in threads),
            events=None if count is None else count.events,
            sessions=None if count is None else len(count.sessions),
            projects=() if count is None else tuple(sorted(count.projects)),
            also_under=self._other_month(period, within),
            name=period.id,
        )

    def entries_below(self, period: Period) -> list[Entry]:
        """Return the entries right below a period."""
        if period.level is Level.DAY:
            return self.segments(period)
        month = period if period.level is Level.MONTH else None
        return [self.entry(below, month) for below in self._below(period, None)]

    def segments(self, day: Period) -> list[Entry]:
        """Return the entries of a day's segments."""
        cuts = self.store.cuts(day.first)
        return [self.segment(cut, [rival.id for rival in cuts]) for cut in cuts]

    def _below(self, period: Period, within: Period | None) -> Iterator[Period]:
        for below in listed_under(period, self.store.calendar.week_start):
            if _lies_in(below, within) and self.holds(below):
                yield below

    def segment(self, cut: Cut, rivals: Sequence[NodeId]) -> Entry:
        """Return a segment's entry; `rivals` are those of its day."""
        node, clock = self.store.node(cut.id), Clock(self.store.calendar.zone)
        return Entry(
            id=cut.id,
            name=shortest(cut.id, rivals, at_least=len(cut.id) - _HIDDEN_DIGITS),
            level=Level.SEGMENT.word,
            scope=f"{clock.span(cut.start_us, cut.end_us)} {self.short_projects.get(cut.project, cut.project)}",
            title=node.title if node else None,
            state=self.state(cut.id, node),
            events=len(cut.events),
            sessions=1,
            projects=(cut.project,) if cut.project else (),
            cut=cut,
        )

    def _other_month(self, week: Period, month: Period | None) -> NodeId | None:
        """Return the other month under which a week across a month's edge is listed too."""
        if month is None or week.level is not Level.WEEK or not straddles(week):
            return None
        day = week.first if week.first < month.first else week.end - 1
        other = period_of(Level.MONTH, day, self.store.calendar.week_start)
        return other.id if self.holds(other) else None

    def holds(self, period: Period) -> bool:
        """Return whether there is anything to list: a node, or current events on a day that has no node yet."""
        if self.store.has_node(period.id):
            return True
        if period not in self.stale:
            return False
        if any(day in self._waiting for day in range(period.first, period.end)):
            return True
        return next(self.store.nodes(Level.DAY, period.first, period.end), None) is not None

    @property
    def _span(self) -> range:
        """The days that can come up: of a month also those of the weeks across its edges."""
        if self.root is None:
            return range(1, 1 << 31)
        return range(self.root.first - 6, self.root.end + 6)

    @cached_property
    def _waiting(self) -> frozenset[int]:
        """The days that have current events and no node."""
        return frozenset(
            day.first
            for day in self.marked
            if day.level is Level.DAY
            and day.first in self._span
            and not self.store.has_node(day.id)
            and next(current_events(self.store, day), None) is not None
        )

    @cached_property
    def _counts(self) -> dict[int, Count | None]:
        """What each day holds; None if it was not counted."""
        counts: dict[int, Count | None] = {
            **by_day(self.store.cut_sizes(self._span.start, self._span.stop))
        }
        changed = {day.first for day in self.marked if day.level is Level.DAY}
        again = [
            day for day in changed if day in self._span and (day in counts or day in self._waiting)
        ]
        for rank, day in enumerate(sorted(again, reverse=True)):
            if rank < MAX_COUNTED_DAYS:
                counts[day] = count_of(self.store, day)
            else:
                counts.setdefault(day, None)
        return counts

    def _counted(self, period: Period) -> Count | None:
        if not self.counts:
            return None
        days = [self._counts[day] for day in range(period.first, period.end) if day in self._counts]
        known = [count for count in days if count is not None]
        return total(known) if len(known) == len(days) else None


def _with_text(told: Sequence[Thread], now: Sequence[Thread]) -> Iterator[Thread]:
    """Yield the threads as they are now, with the words that a model wrote of them."""
    written = {thread.id: thread for thread in told if thread.written}
    for thread in now:
        old = written.get(thread.id)
        if old is None:
            yield thread
            continue
        kept = [point for point in old.points if point.kind not in VERBATIM]
        kept += [point for point in thread.points if point.kind in VERBATIM]
        yield replace(thread, headlines=old.headlines, points=tuple(kept), written=old.written)


def headlines_of(threads: Sequence[Thread]) -> tuple[Headline, ...]:
    """Return the whole headlines of the heaviest threads that fit a title."""
    found: list[Headline] = []
    left = MOST_TITLE
    for thread in threads:
        if thread.headline and len(thread.headline) <= left:
            found.append(Headline(thread.state, thread.headline))
            left -= len(thread.headline) + len(" · ")
    return tuple(found)


def by_state(states: Iterable[State]) -> dict[State, int]:
    """Return how many threads there are of each state."""
    counts = Counter(states)
    return {state: counts[state] for state in STATES if counts[state]}


def _lies_in(below: Period, within: Period | None) -> bool:
    return (
        within is None or below.level is not Level.DAY or within.first <= below.first < within.end
    )
