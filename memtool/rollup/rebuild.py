"""The body of a rebuild: begin or go on with the next table of contents, bring it up to date, take it over.

Must never touch the current one before the flip.
"""

from __future__ import annotations

from memtool.jobs.context import RunContext
from memtool.model.calendar import Calendar
from memtool.model.levels import Level
from memtool.rollup.order import Order
from memtool.rollup.plan import asked_calendar
from memtool.rollup.rebuild_building import Report, build
from memtool.rollup.run import report_left
from memtool.store.access import Access, Lease
from memtool.store.store import Store
from memtool.store.toc import begin_generation, drop_half_built, flip

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
