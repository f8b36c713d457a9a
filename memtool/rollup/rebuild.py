"""The body of a rebuild: begin or go on with the next table of contents, bring it up to date, take it over.

Must never touch the current one before the flip, or call a summarizer for a node that the current one holds, made from
the same inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from memtool.context import RunContext
from memtool.model.calendar import Calendar
from memtool.model.levels import Level, Period, inputs_of, stale_periods
from memtool.model.records import Child, Cut, Event, Node, NodeId, Write
from memtool.model.segmenting import by_session, cuts_of
from memtool.model.summary import period_inputs, segment_inputs
from memtool.rollup.engine import Copy, Work, bring_all, carry_out, mark_what_moved, new_work
from memtool.rollup.job import report_left
from memtool.rollup.plan import Forecast, Order, asked_calendar, stale_now
from memtool.store.access import Access, Lease
from memtool.store.store import Store
from memtool.store.toc import begin_generation, drop_half_built, flip, put_node

MOST_MISSING = 10
"""No more than one in so many nodes may be missing of a table of contents that nobody has looked at: a summarizer that
fails on everything must not cost the summaries that are there.
"""


def rebuild(
    context: RunContext,
    order: Order,
    report: Report,
    *,
    adopts_calendar: bool = False,
    takes_gaps: bool = False,
) -> None:
    """Write the table of contents anew and take it over; the outcome is in the report and the context's tally.

    What is left by a run that ends early waits half built, and the next one goes on with it.
    """
    access = Access(context.root)
    if not access.exists():
        context.reports.talk("there is nothing to rebuild yet: run `memtool ingest` first")
        return
    with context.tree():
        try:
            with access.lease(context.writer) as lease:
                _begin(context, lease.store(), order if adopts_calendar else None)
            with access.lease(context.writer, view=half_built) as lease:
                build(context, order, lease, report)
                if not context.tally.cut_short:
                    _finish(context, lease, report, takes_gaps=takes_gaps)
        finally:
            context.tally.details["copied"] = report.copied
            with access.reading() as store:
                report_left(context, store)


def abandon(context: RunContext) -> None:
    """Drop what is half built, if anything is."""
    access = Access(context.root)
    if not access.exists():
        return
    with context.tree(), access.lease(context.writer) as lease:
        was_there = drop_half_built(lease.store())
    context.reports.talk(
        "dropped" if was_there else "no rebuild was begun: there is nothing to drop"
    )


def half_built(store: Store) -> Store:
    """Return the table of contents that was begun."""
    view = store.building()
    assert view is not None, "only what holds the tree drops it"
    return view


def next_calendar(store: Store, order: Order | None) -> Calendar:
    """Return the calendar to rebuild with: the config's where an order asks for it, else what was begun with."""
    if order is not None:
        return asked_calendar(store, order.calendar, zone_is_set=order.zone_is_set)
    begun = store.building()
    return store.calendar if begun is None else begun.calendar


def _begin(context: RunContext, store: Store, order: Order | None) -> None:
    calendar, begun = next_calendar(store, order), store.building()
    if begun is None or begun.calendar != calendar:
        if begun is not None:
            context.reports.talk("a rebuild with another calendar was begun: it is dropped")
        begin_generation(store, calendar)
        return
    words = ", ".join(begun.calendar.describe().values())
    context.reports.talk(f"going on with the rebuild that was begun ({words})")


def _finish(context: RunContext, lease: Lease, report: Report, *, takes_gaps: bool) -> None:
    """Take the new table of contents over, unless too much of it is missing."""
    context.checkpoint()
    store = lease.store()
    report.missing = len(store.failures())
    if report.missing and not takes_gaps:
        there = sum(1 for level in Level for _ in store.nodes(level))
        if report.missing * MOST_MISSING > report.missing + there:
            context.tally.fail(
                "the new table of contents",
                f"{report.missing} nodes could not be summarised, {there} are there: "
                "the one before it stays; --with-gaps takes it over all the same",
            )
            return
    store = lease.store()
    report.has_new_calendar = store.calendar != store.current().calendar
    flip(store.current())
    lease.release()
    report.is_taken_over = True


_MOST_ROUNDS = 10


@dataclass(slots=True)
class Report:
    """What a rebuild came to. `copied` are nodes that no summarizer was asked for; `missing` could not be written."""

    copied: int = 0
    missing: int = 0
    is_taken_over: bool = False
    has_new_calendar: bool = False


def build(context: RunContext, order: Order, lease: Lease, report: Report) -> None:
    """Bring every closed period up to date; `lease` is for the half-built table of contents."""
    mark_what_moved(lease.store())
    _copy_beforehand(context, lease, report)
    work = new_work(context, order, lease)
    work.copy = _copy_of(work.write, report)
    carry_out(context, work, _all_closed(context, work))


def _copy_of(otherwise: Write, report: Report) -> Copy:
    def copy(store: Store, node_id: NodeId, inputs: str) -> Node | None:
        current = store.current()
        node = current.node(node_id)
        if node is None or node.inputs != inputs:
            return None
        put_node(store, node, current.write_of(node_id) or otherwise, seen=None)
        report.copied += 1
        return node

    return copy


def _copy_beforehand(context: RunContext, lease: Lease, report: Report) -> None:
    """Copy what no mark leads to: what the current one has written again since an earlier copy."""
    for level in Level:
        for node_id in [node.id for node in lease.store().current().nodes(level)]:
            context.checkpoint()
            store = lease.store()
            current = store.current()
            node = current.node(node_id)
            if node is not None and _is_wanted(store, current, node):
                write = current.write_of(node_id) or Write(context.now_us, context.holder.run)
                put_node(store, node, write, seen=None)
                report.copied += 1


def _is_wanted(store: Store, current: Store, node: Node) -> bool:
    mine = store.node(node.id)
    if mine is None or mine == node or mine.inputs != node.inputs:
        return False
    theirs, ours = current.write_of(node.id), store.write_of(node.id)
    return theirs is not None and ours is not None and theirs.written_us > ours.written_us


async def _all_closed(context: RunContext, work: Work) -> None:
    """Bring all closed periods up to date, and again those that were marked meanwhile.

    The rounds have an end: what is still marked then is marked in the table of contents that is taken over, too.
    """
    seen: dict[Period, int | None] = {}
    for _ in range(_MOST_ROUNDS):
        found = dict(_closed(work.lease.store(), context.now_us))
        if found == seen:  # nothing is left, or only what fails
            return
        seen = found
        work.done.clear()
        await _all_levels(context, work, sorted(found))


async def _all_levels(context: RunContext, work: Work, periods: list[Period]) -> None:
    done = 0
    for _, group in groupby(periods, key=lambda period: period.level):
        here = list(group)
        after = len(periods) - done - len(here)
        await bring_all(context, work, here, before=done, after=after)
        done += len(here)


def _closed(store: Store, now_us: int) -> Iterator[tuple[Period, int | None]]:
    """Yield the closed stale periods, each with its mark."""
    marks = store.marks()
    for period in stale_now(store, now_us):
        if store.calendar.is_closed(period, now_us):
            yield period, marks.get(period)


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
