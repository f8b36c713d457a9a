"""The body of the rollup jobs: look first, take the tree, bring up what is stale at this level and above it."""

from __future__ import annotations

from memtool.context import RunContext
from memtool.ledger.file import PAUSED
from memtool.model.levels import Level, place_of
from memtool.rollup.plan import (
    RollupOptions,
    check_calendar,
    held_back,
    left_over,
    mark_what_moved,
    moved_days,
    not_held,
    repairs,
    targets,
)
from memtool.search import index
from memtool.store.access import Access
from memtool.store.store import Store
from memtool.summarize import CallRefused
from memtool.systemd.jobs import JOBS


def roll_up(context: RunContext, options: RollupOptions) -> None:
    """Bring one level up to date, and what lies above it; the outcome is in the context's tally."""
    access = Access(context.root)
    if not access.exists():
        context.reports.talk("there is nothing to roll up yet: run `memtool ingest` first")
        return
    now_us, level, choices = context.now_us, options.level, options.choices
    recipe = options.summarizer.recipe
    with context.tree():
        with access.reading() as store:
            check_calendar(store, options.calendar, zone_is_set=options.zone_is_set)
            wanted = targets(store, level, choices, now_us, recipe)
            own = not_held(store, wanted, now_us, context.held)
            above = not_held(store, repairs(store, level, choices, now_us), now_us, context.held)
            if len(own) < len(wanted):
                context.tally.cut_short = _behind_pauses(context, level, len(wanted) - len(own))
            if not own and not above and moved_days(store) is None:
                report_left(context, store)
                return
        from memtool.rollup.engine import Rollup  # only where there is work

        try:
            with access.lease(context.writer) as lease:
                mark_what_moved(lease.store())
                rollup = Rollup(context, options, lease)
                own = targets(lease.store(), level, choices, now_us, recipe)
                rollup.bring_up(own, more=len(above))
                rollup.bring_up(repairs(lease.store(), level, choices, now_us))
        except CallRefused as refusal:
            context.tally.cut_short = str(refusal)
        finally:
            with access.reading() as store:
                report_left(context, store)
    index.keep(context)


def _behind_pauses(context: RunContext, level: Level, count: int) -> str:
    """Say how many periods of the run's level wait, and for which paused jobs."""
    below = context.held & {one.word for one in Level if one < level}
    names = [job.name for job in JOBS if below.intersection(job.levels)]
    what = f"1 {level.word} waits" if count == 1 else f"{count} {level.word}s wait"
    return f"{what} for {', '.join(names)}, which {'is' if len(names) == 1 else 'are'} paused"


def report_left(context: RunContext, store: Store) -> None:
    """Record what waits after this run: stale, or also behind a pause, or failed."""
    context.tally.looked()
    stale = left_over(store, context.now_us)
    held = held_back(stale, store.calendar.week_start, context.paused)
    for period in stale:
        context.tally.leave(period.level.word, PAUSED if period in held else "stale")
    for node_id in store.failures():
        context.tally.leave(place_of(node_id).level.word, "failed")
