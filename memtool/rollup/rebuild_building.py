"""Bringing the half-built table of contents up to date: what stays equal is copied, the rest is summarised.

Must never call a summarizer for a node that the current one holds, made from the same inputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from memtool.jobs.context import RunContext
from memtool.model.levels import Level, Period
from memtool.model.records import Node, NodeId
from memtool.rollup.drive import bring_all, carry_out, mark_what_moved, new_work
from memtool.rollup.order import Order
from memtool.rollup.plan import stale_now
from memtool.rollup.work import Copy, Work
from memtool.store.access import Lease
from memtool.store.codec import Write
from memtool.store.store import Store
from memtool.store.toc import put_node

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
