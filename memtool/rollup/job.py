"""The body of the rollup jobs: look first, take the tree, mend what is stale at this level and above it."""

from __future__ import annotations

from memtool.context import RunContext
from memtool.model.levels import place_of
from memtool.rollup.plan import Order, check_calendar, left_over, moved_days, repairs, targets
from memtool.store.access import Access
from memtool.store.store import Store


def roll_up(context: RunContext, order: Order) -> None:
    """Bring one level up to date, and what lies above it; the outcome is in the context's tally."""
    access = Access(context.root)
    if not access.exists():
        context.reports.talk("there is nothing to roll up yet: run `memtool ingest` first")
        return
    with context.tree():
        with access.reading() as store:
            check_calendar(store, order.calendar, zone_is_set=order.zone_is_set)
            if moved_days(store) is None and not _anything(store, order, context.now_us):
                report_left(context, store)
                return
        # Only where there is work: asyncio would cost a run that has none a tenth of its time.
        from memtool.rollup.engine import do

        try:
            with access.lease(context.writer) as lease:
                do(context, order, lease)
        finally:
            with access.reading() as store:
                report_left(context, store)


def _anything(store: Store, order: Order, now_us: int) -> bool:
    return bool(
        targets(store, order.level, order.choices, now_us, order.summarizer.recipe)
        or repairs(store, order.level, order.choices, now_us)
    )


def report_left(context: RunContext, store: Store) -> None:
    """Tell the ledger what waits after this run."""
    context.tally.looked()
    for level, count in left_over(store, context.now_us).items():
        context.tally.leave(level.word, "stale", count)
    for node_id in store.failures():
        context.tally.leave(place_of(node_id).level.word, "failed")
