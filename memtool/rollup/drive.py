"""The work of a rollup run that has some: several periods at once where the summarizer waits, stopped within moments.

Imported only where there is work: what it needs would double the start of a run that has none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from itertools import groupby

from memtool.jobs.account import account_of
from memtool.jobs.context import RunContext
from memtool.model.levels import Period
from memtool.rollup.order import Order
from memtool.rollup.plan import moved_days, repairs, stale_now, targets, with_all_below
from memtool.rollup.steps import bring_up_to_date
from memtool.rollup.work import Work
from memtool.store.access import Lease
from memtool.store.capture import mark_moved_days
from memtool.store.codec import Write
from memtool.store.store import Store
from memtool.summarize import CallRefused

_LOOK_S = 0.2
"""How often a run that waits looks whether it was asked to stop."""


def do(context: RunContext, order: Order, lease: Lease) -> None:
    """Bring the order's periods up to date, and those above; the outcome is in the context's tally."""
    mark_what_moved(lease.store())
    work = new_work(context, order, lease)
    carry_out(context, work, _all_levels(context, work, order))


def mark_what_moved(store: Store) -> None:
    """Mark the days that new zone data has moved."""
    if (moved := moved_days(store)) is not None:
        mark_moved_days(store, set(moved.days), moved.table)


def carry_out(context: RunContext, work: Work, steps: Coroutine[None, None, None]) -> None:
    """Take the steps to their end, or to where a budget ends; what they came to is in the context's tally."""
    try:
        asyncio.run(_stopped_in_time(context, steps))
    except CallRefused as refusal:
        context.tally.cut_short = str(refusal)
    finally:
        _report(context, work)  # also of a run that was stopped or failed half-way


async def _stopped_in_time(context: RunContext, work: Coroutine[None, None, None]) -> None:
    """Do the work. After a signal, or when the time is up, cancel it and raise as `checkpoint` does.

    What it has written by then stays, and its calls are on record.
    """
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.wait({task}, timeout=_LOOK_S)
        if context.should_stop() and task.cancel():
            await asyncio.wait({task})
    if task.cancelled():
        context.checkpoint()
    await task


def new_work(context: RunContext, order: Order, lease: Lease) -> Work:
    """Return the work of a run, of which nothing is done yet."""
    store = lease.store()
    force = order.choices.force
    return Work(
        lease=lease,
        calendar=store.calendar,
        summarizer=order.summarizer,
        account=account_of(context, order.summarizer, order.budget, store.calendar, order.at_once),
        write=Write(context.now_us, context.holder.run),
        checkpoint=context.checkpoint,
        forced=with_all_below(force, store.calendar.week_start) if force else frozenset(),
        upgrades=order.choices.outdated,
    )


async def _all_levels(context: RunContext, work: Work, order: Order) -> None:
    now_us, choices = context.now_us, order.choices
    recipe = order.summarizer.recipe
    store = work.lease.store()
    own = targets(store, order.level, choices, now_us, recipe)
    expected = repairs(store, order.level, choices, now_us)
    await bring_all(context, work, own, after=len(expected))
    above = repairs(work.lease.store(), order.level, choices, now_us)
    done = 0
    for _, group in groupby(above, key=lambda period: period.level):
        periods = list(group)
        after = len(above) - done - len(periods)
        await bring_all(context, work, periods, before=len(own) + done, after=after)
        done += len(periods)


async def bring_all(
    context: RunContext, work: Work, periods: Sequence[Period], *, before: int = 0, after: int = 0
) -> None:
    """Bring periods of one level up to date: no two of them share an input, so they may be taken up together.

    `before` and `after` are how many the run takes up at other times; progress counts them, too.
    """
    work.stale = stale_now(work.lease.store(), context.now_us)
    work.let_go()
    queue = enumerate(periods, before)
    total = before + len(periods) + after
    workers = work.account.at_once if work.summarizer.waits else 1
    await work.side_by_side(_take_up(context, work, queue, total) for _ in range(workers))


async def _take_up(
    context: RunContext, work: Work, queue: Iterator[tuple[int, Period]], total: int
) -> None:
    """Take periods from the queue, which others take from, too, until it is empty."""
    for number, period in queue:
        context.checkpoint()
        context.progress(number, total, _label(work, period))
        if period not in work.done:
            await bring_up_to_date(work, period)
            context.tally.add_period(period.id)
            work.let_go()


def _label(work: Work, period: Period) -> str:
    calls = work.account.spent.calls
    return f"{period.id}, {calls} calls" if work.summarizer.waits and calls else period.id


def _report(context: RunContext, work: Work) -> None:
    tally = context.tally
    tally.nodes = len(work.tally.written)
    tally.calls, tally.tokens = work.account.spent.calls, work.account.spent.tokens
    tally.details["removed"] = len(work.tally.removed)
    for node_id, error in work.tally.failed.items():
        tally.fail(node_id, error)
