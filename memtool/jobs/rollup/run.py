"""The body of the rollup jobs: look first, take the tree, mend what is stale at this level and above it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from memtool.core.calendar import Calendar
from memtool.core.levels import Level, Period
from memtool.jobs.context import RunContext
from memtool.jobs.rollup.plan import (
    Options,
    check_calendar,
    left_over,
    moved_days,
    repairs,
    stale_now,
    targets,
    with_all_below,
)
from memtool.jobs.rollup.steps import bring_up_to_date
from memtool.jobs.rollup.work import Work
from memtool.store.access import Access, Lease
from memtool.store.capture import mark_moved_days
from memtool.store.codec import Write
from memtool.store.store import Store
from memtool.summarize import Summarizer


@dataclass(frozen=True, slots=True)
class Order:
    """What a rollup run is to do: a level, the calendar that the config asks for, and what a person asked for."""

    level: Level
    summarizer: Summarizer
    calendar: Calendar
    zone_is_set: bool
    options: Options


def roll_up(context: RunContext, order: Order) -> None:
    """Bring one level up to date, and what lies above it; the outcome is in the context's tally."""
    access = Access(context.root)
    if not access.exists():
        context.reports.talk("there is nothing to roll up yet: run `memtool ingest` first")
        return
    with context.tree():
        with access.reading() as store:
            check_calendar(store, order.calendar, zone_is_set=order.zone_is_set)
            idle = moved_days(store) is None and not _anything(store, order, context.now_us)
        try:
            if not idle:
                with access.lease(context.writer) as lease:
                    _work(context, order, lease)
        finally:
            with access.reading() as store:
                _report_left(context, store)


def _anything(store: Store, order: Order, now_us: int) -> bool:
    return bool(
        targets(store, order.level, order.options, now_us)
        or repairs(store, order.level, order.options, now_us)
    )


def _work(context: RunContext, order: Order, lease: Lease) -> None:
    store = lease.store()
    if (moved := moved_days(store)) is not None:
        mark_moved_days(store, set(moved.days), moved.table)
    work = _new_work(context, order, lease)
    try:
        _bring_all(context, work, targets(store, order.level, order.options, context.now_us))
        _bring_all(
            context, work, repairs(lease.store(), order.level, order.options, context.now_us)
        )
    finally:
        _report(context, work)  # also of a run that was stopped or failed half-way


def _new_work(context: RunContext, order: Order, lease: Lease) -> Work:
    store = lease.store()
    force = order.options.force

    return Work(
        lease=lease,
        calendar=store.calendar,
        summarizer=order.summarizer,
        write=Write(context.now_us, context.holder.run),
        checkpoint=context.checkpoint,
        forced=with_all_below(force, store.calendar.week_start) if force else frozenset(),
    )


def _bring_all(context: RunContext, work: Work, periods: Sequence[Period]) -> None:
    work.stale = stale_now(work.lease.store(), context.now_us)
    for number, period in enumerate(periods):
        context.checkpoint()
        context.progress(number, len(periods), period.id)
        if period not in work.done:
            bring_up_to_date(work, period)
            context.tally.add_period(period.id)


def _report(context: RunContext, work: Work) -> None:
    tally = context.tally
    tally.nodes = len(work.tally.written)
    tally.calls = work.tally.calls
    tally.details["removed"] = len(work.tally.removed)
    for node_id, error in work.tally.failed.items():
        tally.fail(node_id, error)


def _report_left(context: RunContext, store: Store) -> None:
    context.tally.looked()
    for level, count in left_over(store, context.now_us).items():
        context.tally.leave(level.word, "stale", count)
    for node_id in store.failures():
        context.tally.leave(node_id.partition(":")[0], "failed")
