"""Retention: events that have had their time are swept, and the nodes that were made of them are frozen.

Must never sweep a day that is not summarised: its events are all that is left of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from memtool.core.levels import (
    PERIOD_LEVELS,
    Level,
    Period,
    inputs_of,
    parents_of,
    parse_segment,
    period_named,
)
from memtool.core.model import EventId, Node, NodeId
from memtool.core.planning import stale_periods
from memtool.jobs.context import RunContext
from memtool.store import erase, families, keys
from memtool.store.access import Access, Lease
from memtool.store.capture import horizon
from memtool.store.generations import drop_half_built
from memtool.store.store import Store

SLICE = 1000
"""How many events one batch sweeps: the writer is let go, and signals are heeded, in between."""
MAX_NAMED = 20


@dataclass(slots=True)
class Sweep:
    """What a sweep came to, or would. `waiting` are days past their time that are not summarised; they keep theirs."""

    horizon: Period | None = None
    events: int = 0
    days: int = 0
    frozen: int = 0
    waiting: list[NodeId] = field(default_factory=list)
    waiting_count: int = 0


@dataclass(frozen=True, slots=True)
class _Plan:
    """What there is to sweep: days below the horizon, and nodes that can be frozen without a sweep."""

    horizon_us: int
    end: int
    days: tuple[Period, ...] = ()
    waiting: tuple[Period, ...] = ()
    ripe: tuple[Node, ...] = ()


def forecast(store: Store, now_us: int, events_days: int) -> Sweep:
    """Return what a sweep would do, without doing it."""
    plan = _plan(store, now_us, events_days)
    found = Sweep(days=len(plan.days), frozen=len(plan.ripe))
    _tell(found, plan)
    for day in plan.days:
        found.events += sum(1 for _ in _ids(store, day))
        found.frozen += len(_unfrozen(store, day))
    return found


def sweep(context: RunContext, access: Access, events_days: int, report: Sweep) -> None:
    """Sweep the days that have had their time, each in batches; `report` is right however the run ends."""
    with access.reading() as store:
        plan = _plan(store, context.now_us, events_days)
        if plan.horizon_us == horizon(store) and not plan.days and not plan.ripe:
            _tell(report, plan)
            return
    with context.tree(), access.lease(context.writer) as lease:
        # Looked at again: a rollup may have had the tree until now.
        store = lease.store()
        plan = _plan(store, context.now_us, events_days)
        _tell(report, plan)
        erase.raise_horizon(store, plan.horizon_us)
        for number, day in enumerate(plan.days):
            context.progress(number, len(plan.days), day.id)
            _sweep_day(context, lease, plan, day, report)
        _freeze_ripe(context, lease, plan, report)


def _tell(report: Sweep, plan: _Plan) -> None:
    report.horizon = Period(Level.DAY, plan.end)
    report.waiting = [day.id for day in plan.waiting[:MAX_NAMED]]
    report.waiting_count = len(plan.waiting)


def _plan(store: Store, now_us: int, events_days: int) -> _Plan:
    calendar = store.calendar
    wanted_us = calendar.day_start_us(calendar.day_of(now_us) - events_days)
    horizon_us = max(horizon(store), wanted_us)
    end = calendar.day_of(horizon_us)
    stale = stale_periods(store.marks(), calendar.week_start)
    failed = {_day_of(node_id) for node_id in store.failures()}
    days: list[Period] = []
    waiting: list[Period] = []
    for number in store.days():
        if number >= end:
            break
        day = Period(Level.DAY, number)
        is_ready = day not in stale and number not in failed and _is_summarised(store, day)
        (days if is_ready else waiting).append(day)
    return _Plan(horizon_us, end, tuple(days), tuple(waiting), tuple(_ripe(store, end, stale)))


def _day_of(node_id: NodeId) -> int | None:
    segment = parse_segment(node_id)
    if segment is not None:
        return segment.day
    period = period_named(node_id)
    return period.first if period.level is Level.DAY else None


def _is_summarised(store: Store, day: Period) -> bool:
    """Return whether all that counts on the day is in nodes, down to the last segment."""
    node = store.node(day.id)
    cuts = store.cuts(day.first)
    if node is None:  # all that there is was taken back by its source
        events = store.events(*store.calendar.bounds_us(day))
        return not cuts and all(event.rewound for event in events)
    return not node.gaps and all(store.node(cut.id) is not None for cut in cuts)


def _sweep_day(context: RunContext, lease: Lease, plan: _Plan, day: Period, report: Sweep) -> None:
    """Sweep one day: its nodes are frozen with the first batch, those above it with the last."""
    if lease.store().mark(day) is not None:  # something of it was taken back just now
        return
    ids = list(_ids(lease.store(), day))
    report.days += 1
    for start in range(0, len(ids), SLICE):
        context.checkpoint()
        store, part = lease.store(), ids[start : start + SLICE]
        if start == 0:
            drop_half_built(store)
        nodes = _unfrozen(store, day) if start == 0 else []
        if start + SLICE >= len(ids):
            nodes += _above(store, day, plan.end)
        erase.sweep(store, part, nodes, context.now_us)
        report.events += len(part)
        report.frozen += len(nodes)
        context.tally.details |= {"events_swept": report.events, "nodes_frozen": report.frozen}


def _ids(store: Store, day: Period) -> Iterator[EventId]:
    start_us, end_us = store.calendar.bounds_us(day)
    low, high = keys.instant(max(0, start_us)), keys.instant(max(0, end_us))
    return (
        EventId(key[-keys.ID_BYTES :].hex())
        for key, _ in store.engine.scan(families.EVENTS, low, high)
    )


def _unfrozen(store: Store, day: Period) -> list[Node]:
    names = [*(cut.id for cut in store.cuts(day.first)), day.id]
    nodes = [store.node(name) for name in names]
    return [node for node in nodes if node is not None and not node.frozen]


def _above(store: Store, day: Period, end: int) -> list[Node]:
    """Return the nodes above a day that are frozen with it: all else that they are made from is so already."""
    week_start = store.calendar.week_start
    stale = stale_periods(store.marks(), week_start)
    settled, found = {day}, []
    ahead = [day]
    while ahead:
        for parent in parents_of(ahead.pop(0), week_start):
            node = store.node(parent.id)
            if parent in settled or node is None or not _may_freeze(node, end, stale):
                continue
            if _are_settled(store, inputs_of(parent, week_start), settled):
                settled.add(parent)
                ahead.append(parent)
                found.append(node)
    return found


def _may_freeze(node: Node, end: int, stale: Collection[Period]) -> bool:
    period = period_named(node.id)
    return not node.frozen and not node.gaps and period.end <= end and period not in stale


def _are_settled(store: Store, inputs: Collection[Period], settled: Collection[Period]) -> bool:
    """Return whether each of these is frozen, or will never hold anything."""
    return all(one in settled or _is_settled(store, one) for one in inputs)


def _is_settled(store: Store, period: Period) -> bool:
    node = store.node(period.id)
    if node is not None:
        return node.frozen
    has_days = next(store.nodes(Level.DAY, period.first, period.end), None) is not None
    return not has_days and next(_ids(store, period), None) is None


def _ripe(store: Store, end: int, stale: Collection[Period]) -> Iterator[Node]:
    """Yield the nodes that were written over frozen ones, after the sweep of these: they are frozen now."""
    week_start = store.calendar.week_start
    settled: set[Period] = set()
    for level in PERIOD_LEVELS:
        for node in store.nodes(level, 1, end):
            period = period_named(node.id)
            if not _may_freeze(node, end, stale):
                continue
            if level is Level.DAY:
                is_ripe = next(_ids(store, period), None) is None
            else:
                is_ripe = _are_settled(store, inputs_of(period, week_start), settled)
            if is_ripe:
                settled.add(period)
                yield node


def _freeze_ripe(context: RunContext, lease: Lease, plan: _Plan, report: Sweep) -> None:
    for start in range(0, len(plan.ripe), SLICE):
        context.checkpoint()
        nodes = plan.ripe[start : start + SLICE]
        erase.freeze(lease.store(), nodes)
        report.frozen += len(nodes)
