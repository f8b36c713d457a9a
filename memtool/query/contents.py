"""Reads the table of contents as a tree: what has a node, and what has events but waits for its first one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from memtool.model.levels import Level, Period, listed_under, period_named, period_of, straddles
from memtool.model.records import Cut, NodeId
from memtool.query.counting import Count, by_day, count_of, current_events, total
from memtool.query.names import shortest
from memtool.query.reader import Reader
from memtool.query.state import State, View
from memtool.store.store import Store

DEFAULT_DEPTH = {Level.DAY: 1, Level.WEEK: 1, Level.MONTH: 2, Level.YEAR: 2}
DEFAULT_DEPTH_OF_ALL = 3
_HIDDEN_DIGITS = 10
"""Of the 16 digits at a segment's end six are shown, more where that is needed to tell it from its day's others."""
MAX_COUNTED_DAYS = 31
"""Of how many days without segments the events are counted, newest first: that means reading them all."""


@dataclass(frozen=True, slots=True)
class Entry:
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


@dataclass(frozen=True, slots=True)
class Contents:
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


@dataclass(frozen=True)  # without slots: what is computed on first use is kept
class Tree:
    """The entries below one period, or all."""

    view: View
    root: Period | None

    def years(self, depth: int) -> tuple[Entry, ...]:
        """Return the entries of all years, oldest first."""
        known = {period for period in self.view.stale if period.level is Level.YEAR}
        known |= {period_named(node.id) for node in self._store.nodes(Level.YEAR)}
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
