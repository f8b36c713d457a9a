"""Walks the whole store and names what is wrong: coverage, provenance, digests, indexes. Reads only; mends nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from memtool.errors import DamagedError
from memtool.model.levels import stale_periods
from memtool.query.verify.events import check_events_and_days, check_ids, check_revisions
from memtool.query.verify.generations import check_generations
from memtool.query.verify.nodes import check_citations, check_nodes, check_parents
from memtool.query.verify.walk import Problem, Verification, Walk
from memtool.store import keys
from memtool.store.erase import erasing
from memtool.store.store import Store

__all__ = ["Problem", "Verification", "verify"]


def verify(
    store: Store, now_us: int, checkpoint: Callable[[], None] = lambda: None
) -> Verification:
    """Return what is wrong with the store, and what is worth knowing; `checkpoint` may stop the walk."""
    stale = stale_periods(store.marks(), store.calendar.week_start)
    walk = Walk(store, now_us, stale, Verification())
    walk.found.stale = [
        period.id for period in sorted(stale) if store.calendar.is_closed(period, now_us)
    ]
    walk.found.failed = {node_id: failure.error for node_id, failure in store.failures().items()}
    note = erasing(store)
    walk.found.erasing_since_us = None if note is None else note.since_us
    walk.found.is_half_built = store.building() is not None
    for what, check in _CHECKS:
        try:
            for counted in check(walk):
                walk.found.counts[counted] = walk.found.counts.get(counted, 0) + 1
                checkpoint()
        except (
            DamagedError
        ) as error:  # damage ends this check; trouble of the machine ends the walk
            walk.found.say(what, error.message)
    return walk.found


def _check_rest(walk: Walk) -> Iterator[str]:
    """Decode what no other check reads."""
    for _ in walk.store.tombstones():
        yield "tombstones"
    for _ in walk.store.sessions():
        yield "sessions"
    for _ in walk.store.sources():
        yield "sources"
    # A damaged block shows where it is read, and only there.
    for family in (keys.REWINDS, keys.WRITES, keys.META):
        for _ in walk.store.engine.scan(family):
            yield "rows"


_CHECKS: tuple[tuple[str, Callable[[Walk], Iterator[str]]], ...] = (
    ("events", check_events_and_days),
    ("ids", check_ids),
    ("revisions", check_revisions),
    ("nodes", check_nodes),
    ("parents", check_parents),
    ("grips", check_citations),
    ("generations", check_generations),
    ("the rest", _check_rest),
)
