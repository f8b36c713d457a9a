"""How much a day or a period holds: from its cuts where there are any, else from its events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from msgspec import Struct

from memtool.model.levels import (
    Level,
    Period,
    listed_under,
    period_of,
    place_of,
    stale_periods,
    straddles,
)
from memtool.model.records import FIRST_INSTANT_US, Cut, Event, Failure, Node, NodeId, Recipe
from memtool.query.names import shortest
from memtool.query.reader import Reader
from memtool.store.store import Store


class Count(Struct, frozen=True):
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
        count = Count(len(cut.events), frozenset({cut.session}), frozenset({cut.project}) - {""})
        held.setdefault(place_of(cut.id).period.first, []).append(count)
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


class State(Struct, frozen=True):
    """The words of the design, each true or not; `failed` where the last try to write it did."""

    open: bool = False
    stale: bool = False
    outdated: bool = False
    incomplete: bool = False
    failed: bool = False

    @property
    def words(self) -> list[str]:
        """Those that are true."""
        return [name for name in self.__struct_fields__ if getattr(self, name)]


class View(Struct, frozen=True, dict=True):
    """A store as one reader sees it."""

    store: Store
    reader: Reader

    @cached_property
    def marked(self) -> frozenset[Period]:
        """The periods with a mark of their own."""
        return frozenset(self.store.marks())

    @cached_property
    def stale(self) -> frozenset[Period]:
        """Every period that is marked or fed by a marked one."""
        return stale_periods(self.marked, self.week_start)

    @cached_property
    def failures(self) -> Mapping[NodeId, Failure]:
        """What could not be summarised."""
        return self.store.failures()

    @property
    def week_start(self) -> int:
        """The weekday at which weeks start."""
        return self.store.calendar.week_start

    def state(self, node_id: NodeId, node: Node | None) -> State:
        """Return the state of a node, or of a period that has none yet."""
        period = place_of(node_id).period
        return State(
            open=not self.store.calendar.is_closed(period, self.reader.now_us),
            stale=node is not None and period in self.stale,
            outdated=node is not None and self._is_outdated(node.recipe),
            incomplete=node is not None and bool(node.gaps),
            failed=node_id in self.failures,
        )

    def _is_outdated(self, recipe: Recipe) -> bool:
        return self.reader.recipe is not None and recipe != self.reader.recipe


DEFAULT_DEPTH = {Level.DAY: 1, Level.WEEK: 1, Level.MONTH: 2, Level.YEAR: 2}
DEFAULT_DEPTH_OF_ALL = 3
_HIDDEN_DIGITS = 10
"""Of the 16 digits at a segment's end six are shown, more where that is needed to tell it from its day's others."""
MAX_COUNTED_DAYS = 31
"""Of how many days without segments the events are counted, newest first: that means reading them all."""


class Entry(Struct, frozen=True):
    """A line of the table of contents. `title` is None where nothing was summarised yet; counts where not counted.

    `name` is the shortest that `memtool show` accepts.
    """

    id: NodeId
    name: str
    level: Level
    title: str | None
    state: State
    bullets: int = 0
    events: int | None = None
    sessions: int | None = None
    projects: tuple[str, ...] = ()
    cut: Cut | None = None
    also_under: NodeId | None = None
    children: tuple[Entry, ...] = ()


class Contents(Struct, frozen=True):
    """The tree under a period, or under all years. `exists` is whether anything is remembered."""

    exists: bool
    zone: str = "UTC"
    period: Period | None = None
    entries: tuple[Entry, ...] = ()


def contents(reader: Reader, text: str = "", depth: int | None = None) -> Contents:
    """Return the table of contents under the period that the text names, under all years where it names none."""
    with reader.memory() as store:
        period = reader.period(store, text) if text else None
        if store is None:
            return Contents(exists=False, period=period)
        tree = Tree(View(store, reader), period)
        if period is None:
            entries = tree.years(DEFAULT_DEPTH_OF_ALL if depth is None else depth)
        else:
            wanted = DEFAULT_DEPTH[period.level] if depth is None else depth
            entries = (tree.entry(period, wanted),) if tree.holds(period) else ()
        return Contents(True, store.calendar.zone, period, entries)


class Tree(Struct, frozen=True, dict=True):
    """The entries below one period, or all."""

    view: View
    root: Period | None

    def years(self, depth: int) -> tuple[Entry, ...]:
        """Return the entries of all years, oldest first."""
        known = {period for period in self.view.stale if period.level is Level.YEAR}
        known |= {place_of(node.id).period for node in self._store.nodes(Level.YEAR)}
        return tuple(self.entry(year, depth - 1) for year in sorted(known) if self.holds(year))

    def entry(self, period: Period, depth: int, within: Period | None = None) -> Entry:
        """Return the period's entry with `depth` levels below it, of a straddling week only the days `within`."""
        node = self._store.node(period.id)
        count = self._counted(period)
        return Entry(
            id=period.id,
            name=period.id,
            level=period.level,
            title=node.title if node else None,
            state=self.view.state(period.id, node),
            bullets=len(node.bullets) if node else 0,
            events=None if count is None else count.events,
            sessions=None if count is None else len(count.sessions),
            projects=() if count is None else tuple(sorted(count.projects)),
            also_under=self._other_month(period, within),
            children=tuple(self._children(period, depth - 1, within)) if depth > 0 else (),
        )

    def children(self, period: Period) -> tuple[Entry, ...]:
        """Return the entries right below a period."""
        return tuple(self._children(period, 0, None))

    def _children(self, period: Period, depth: int, within: Period | None) -> Iterator[Entry]:
        if period.level is Level.DAY:
            cuts = self._store.cuts(period.first)
            yield from (self.segment(cut, [rival.id for rival in cuts]) for cut in cuts)
            return
        month = period if period.level is Level.MONTH else None
        for below in listed_under(period, self.view.week_start):
            if _lies_in(below, within) and self.holds(below):
                yield self.entry(below, depth, month)

    def segment(self, cut: Cut, rivals: Sequence[NodeId]) -> Entry:
        """Return a segment's entry; `rivals` are those of its day."""
        node = self._store.node(cut.id)
        return Entry(
            id=cut.id,
            name=shortest(cut.id, rivals, at_least=len(cut.id) - _HIDDEN_DIGITS),
            level=Level.SEGMENT,
            title=node.title if node else None,
            state=self.view.state(cut.id, node),
            bullets=len(node.bullets) if node else 0,
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
        other = period_of(Level.MONTH, day, self.view.week_start)
        return other.id if self.holds(other) else None

    def holds(self, period: Period) -> bool:
        """Return whether there is anything to list: a node, or current events on a day that waits for its first."""
        if self._store.node(period.id) is not None:
            return True
        if period not in self.view.stale:
            return False
        if any(day in self._waiting for day in range(period.first, period.end)):
            return True
        return next(self._store.nodes(Level.DAY, period.first, period.end), None) is not None

    @property
    def _store(self) -> Store:
        return self.view.store

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
            for day in self.view.marked
            if day.level is Level.DAY
            and day.first in self._span
            and self._store.node(day.id) is None
            and next(current_events(self._store, day), None) is not None
        )

    @cached_property
    def _counts(self) -> dict[int, Count | None]:
        """What each day holds; None where nobody has counted it yet."""
        counts: dict[int, Count | None] = {
            **by_day(self._store.cuts(self._span.start, self._span.stop))
        }
        for rank, day in enumerate(sorted(self._waiting, reverse=True)):
            counts[day] = count_of(self._store, day) if rank < MAX_COUNTED_DAYS else None
        return counts

    def _counted(self, period: Period) -> Count | None:
        days = [self._counts[day] for day in range(period.first, period.end) if day in self._counts]
        known = [count for count in days if count is not None]
        return total(known) if len(known) == len(days) else None


def _lies_in(below: Period, within: Period | None) -> bool:
    return (
        within is None or below.level is not Level.DAY or within.first <= below.first < within.end
    )
