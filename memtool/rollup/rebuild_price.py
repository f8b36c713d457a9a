"""What a rebuild would take, without doing it: the summarizer calls for what is not there yet, and what is copied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from memtool.model.calendar import Calendar
from memtool.model.levels import Level, Period, inputs_of, stale_periods
from memtool.model.records import Child, Cut, Event, NodeId
from memtool.model.segmenting import by_session, cuts_of
from memtool.model.summary import period_inputs, segment_inputs
from memtool.rollup.forecast import Forecast
from memtool.store.store import Store


@dataclass(frozen=True, slots=True)
class Price:
    """`forecast` is what a summarizer is asked for at most; `copied` are the nodes that stay equal."""

    forecast: Forecast = field(default_factory=Forecast)
    copied: int = 0


def price(store: Store, calendar: Calendar, now_us: int) -> Price:
    """Return what a rebuild with this calendar takes; what an earlier one with it has done already is not counted."""
    begun = store.building()
    sources = [store] if begun is None or begun.calendar != calendar else [begun, store]
    walk = _Walk(calendar, sources)
    days = {Period(Level.DAY, day) for day in store.days(calendar)}
    for period in sorted(stale_periods(days, calendar.week_start)):
        if calendar.is_closed(period, now_us):
            walk.look_at(period)
    sizes = walk.sizes
    return Price(Forecast(tuple(walk.unwritten), len(sizes), sum(sizes)), walk.copied)


class _Walk:
    """The periods from below to above, each as far as it is known what its node will be."""

    def __init__(self, calendar: Calendar, sources: Sequence[Store]) -> None:
        self.unwritten: list[Period] = []
        self.sizes: list[int] = []
        """Of the segments that need a summary, in tokens."""
        self.copied = 0
        self._calendar = calendar
        self._sources = sources
        self._known: dict[Period, Child | None] = {}
        """None: it will have a node, of which nobody knows what it says."""

    def look_at(self, period: Period) -> None:
        """Find out whether the period's node is there; those below it were looked at before."""
        children: list[Child | None]
        if period.level is Level.DAY:
            children = self._segments(period)
        else:
            below = inputs_of(period, self._calendar.week_start)
            children = [self._known[one] for one in below if one in self._known]
        if children:
            self._known[period] = self._period(period, children)

    def _period(self, period: Period, children: list[Child | None]) -> Child | None:
        known = [child for child in children if child is not None]
        if len(known) == len(children):
            bounds_us = self._calendar.bounds_us(period)
            child = self._found(period.id, period_inputs(period.id, bounds_us, known))
            if child is not None:
                return child
        self.unwritten.append(period)
        return None

    def _segments(self, day: Period) -> list[Child | None]:
        sessions = by_session(self._sources[-1].events(*self._calendar.bounds_us(day))).values()
        cuts = [(cut, held) for held in sessions for cut in cuts_of(held, day.first)]
        in_order = sorted(cuts, key=lambda pair: (pair[0].start_us, pair[0].id))
        return [self._segment(cut, held) for cut, held in in_order]

    def _segment(self, cut: Cut, held: Sequence[Event]) -> Child | None:
        events = {event.id: event for event in held}
        inputs = segment_inputs(cut, [events[event_id] for event_id in cut.events])
        child = self._found(cut.id, inputs)
        if child is None:
            self.sizes.append(cut.tokens)
        return child

    def _found(self, node_id: NodeId, inputs: str) -> Child | None:
        for source in self._sources:
            node = source.node(node_id)
            if node is not None and node.inputs == inputs:
                self.copied += 1
                return Child(node_id, node.content)
        return None
