"""The body of a rebuild: begin or go on with the next table of contents, bring it up to date, take it over.

Must never touch the current one before the flip, or call a summarizer for a node that the current one holds, made from
the same inputs.
"""

from __future__ import annotations

from msgspec import Struct

from memtool.context import RunContext
from memtool.model.calendar import Calendar
from memtool.model.levels import Level, Period, inputs_of, stale_periods
from memtool.model.records import Child, Cut, Node, NodeId, Write
from memtool.model.segmenting import segments_of
from memtool.model.summary import period_inputs, segment_inputs
from memtool.rollup.engine import Rollup
from memtool.rollup.job import report_left
from memtool.rollup.plan import Forecast, RollupOptions, asked_calendar, mark_what_moved, stale_now
from memtool.store.access import Access, Lease
from memtool.store.store import Store
from memtool.store.toc import begin_generation, drop_half_built, flip, put_node
from memtool.summarize import CallRefused

_MOST_ROUNDS = 10
MOST_MISSING = 10
"""At most one in so many nodes may be missing, or the current table of contents stays: a summarizer that always fails
must not cost the summaries that are there.
"""


class Report(Struct):
    """What a rebuild came to. `copied` are nodes that no summarizer was asked for; `missing` could not be written."""

    copied: int = 0
    missing: int = 0
    is_taken_over: bool = False
    has_new_calendar: bool = False


def rebuild(
    context: RunContext,
    options: RollupOptions,
    report: Report,
    *,
    adopts_calendar: bool = False,
    takes_gaps: bool = False,
) -> None:
    """Write a new table of contents and make it current. The outcome is in the report and the context's tally.

    A run that ends early leaves it half built, and the next run continues.
    """
    access = Access(context.root)
    if not access.exists():
        context.reports.talk("there is nothing to rebuild yet: run `memtool ingest` first")
        return
    with context.tree():
        try:
            with access.lease(context.writer) as lease:
                _begin(context, lease.store(), options if adopts_calendar else None)
            with access.lease(context.writer, view=half_built) as lease:
                _build(context, options, lease, report)
                _finish(context, lease, report, takes_gaps=takes_gaps)
        except CallRefused as refusal:
            context.tally.cut_short = str(refusal)
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


def next_calendar(store: Store, options: RollupOptions | None) -> Calendar:
    """Return the calendar to rebuild with: the configured one with options, else that of a rebuild that was begun."""
    if options is not None:
        return asked_calendar(store, options.calendar, zone_is_set=options.zone_is_set)
    begun = store.building()
    return store.calendar if begun is None else begun.calendar


def _begin(context: RunContext, store: Store, options: RollupOptions | None) -> None:
    calendar, begun = next_calendar(store, options), store.building()
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
                f"{report.missing} nodes could not be summarized, {there} are there: "
                "the one before it stays; --with-gaps takes it over all the same",
            )
            return
    store = lease.store()
    report.has_new_calendar = store.calendar != store.current().calendar
    flip(store.current())
    lease.release()
    report.is_taken_over = True


def _build(context: RunContext, options: RollupOptions, lease: Lease, report: Report) -> None:
    """Bring all closed periods up to date, and again those that are marked during the run.

    The number of rounds is limited: what is still marked then stays marked in the new table of contents.
    """
    mark_what_moved(lease.store())
    _copy_what_is_newer(context, lease, report)

    def copy(store: Store, node_id: NodeId, inputs: str) -> bool:
        node = store.current().node(node_id)
        if node is None or node.inputs != inputs:
            return False
        _copy(context, store, node, report)
        return True

    rollup = Rollup(context, options, lease, copy)
    seen: dict[Period, int | None] = {}
    for _ in range(_MOST_ROUNDS):
        store = lease.store()
        marks = store.marks()
        stale = stale_now(store, context.now_us)
        found = {
            period: marks.get(period)
            for period in stale
            if store.calendar.is_closed(period, context.now_us)
        }
        if found == seen:  # nothing is left, or only what fails
            return
        seen = found
        rollup.begin_again()
        rollup.bring_up(found)


def _copy(context: RunContext, store: Store, node: Node, report: Report) -> None:
    """Put a node of the current table of contents into the next one, with when it was written."""
    write = store.current().write_of(node.id) or Write(context.now_us, context.holder.run)
    put_node(store, node, write, seen=None)
    report.copied += 1


def _copy_what_is_newer(context: RunContext, lease: Lease, report: Report) -> None:
    """Copy nodes that are newer in the current table of contents than an earlier copy: no mark leads to them."""
    for level in Level:
        for node_id in [node.id for node in lease.store().current().nodes(level)]:
            context.checkpoint()
            store = lease.store()
            current = store.current()
            theirs, mine = current.node(node_id), store.node(node_id)
            if theirs is None or mine is None or mine == theirs or mine.inputs != theirs.inputs:
                continue
            newer, older = current.write_of(node_id), store.write_of(node_id)
            if newer is not None and older is not None and newer.written_us > older.written_us:
                _copy(context, store, theirs, report)


def price(store: Store, calendar: Calendar, now_us: int) -> Forecast:
    """Return what a rebuild with this calendar takes; what an earlier one with it has done already is not counted."""
    begun = store.building()
    sources = [store] if begun is None or begun.calendar != calendar else [begun, store]
    # Per period, and lower ones first: its child as its parents take it, None where its content is not known yet.
    known: dict[Period, Child | None] = {}
    unwritten: list[Period] = []
    sizes: list[int] = []
    copied = 0

    def found(node_id: NodeId, inputs: str) -> Child | None:
        nonlocal copied
        nodes = (source.node(node_id) for source in sources)
        same = next((node for node in nodes if node is not None and node.inputs == inputs), None)
        copied += same is not None
        return None if same is None else Child(node_id, same.content)

    days = {Period(Level.DAY, day) for day in store.days(calendar)}
    for period in sorted(stale_periods(days, calendar.week_start)):
        if not calendar.is_closed(period, now_us):
            continue
        bounds_us = calendar.bounds_us(period)
        children: list[Child | None] = []
        if period.level is Level.DAY:
            for cut, inputs in _segments(store, period, bounds_us):
                children.append(found(cut.id, inputs))
                sizes += [cut.tokens] if children[-1] is None else []
        else:
            below = inputs_of(period, calendar.week_start)
            children = [known[one] for one in below if one in known]
        if not children:
            continue
        there = [child for child in children if child is not None]
        child = None
        if len(there) == len(children):
            child = found(period.id, period_inputs(period.id, bounds_us, there))
        if child is None:
            unwritten.append(period)
        known[period] = child
    return Forecast(tuple(unwritten), len(sizes), sum(sizes), copied)


def _segments(store: Store, day: Period, bounds_us: tuple[int, int]) -> list[tuple[Cut, str]]:
    """Return the segments that the day's events make, in order of time, each with its inputs."""
    segments = [
        (cut, segment_inputs(cut, events))
        for cut, events in segments_of(store.events(*bounds_us), day.first)
    ]
    return sorted(segments, key=lambda pair: (pair[0].start_us, pair[0].id))
