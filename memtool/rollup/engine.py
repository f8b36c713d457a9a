"""The steps of a rollup: re-cut a day, write its segments, write a period; lower before upper, each step one batch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, TypeVar, cast

from memtool.context import RunContext
from memtool.model.calendar import Calendar
from memtool.model.levels import Level, Period, heading, inputs_of, place_of
from memtool.model.records import GAP, Child, Cut, Event, Failure, Node, NodeId, Write
from memtool.model.segmenting import by_session, cuts_of
from memtool.model.summary import (
    Origin,
    Request,
    gaps_of,
    node_from,
    period_inputs,
    period_request,
    segment_inputs,
    segment_label,
    segment_request,
)
from memtool.rollup.account import Account, account_of
from memtool.rollup.plan import Order, moved_days, repairs, stale_now, targets, with_all_below
from memtool.store.access import Lease
from memtool.store.capture import mark_moved_days
from memtool.store.store import Store
from memtool.store.toc import (
    Seen,
    mark_again,
    put_failure,
    put_node,
    remove_node,
    replace_cuts,
    see,
    settle,
)
from memtool.summarize import CallRefused, Summarizer, SummaryFailed, check_draft

FIRST_RETRY_US = 3600 * 1_000_000
LONGEST_RETRY_US = 7 * 24 * FIRST_RETRY_US

_T = TypeVar("_T")

Copy = Callable[[Store, NodeId, str], Node | None]
"""Puts a node of this id, made from these inputs, into the store without a summarizer; None where there is none."""


def _no_copy(_store: Store, _node_id: NodeId, _inputs: str) -> Node | None:
    return None


@dataclass(slots=True)
class Tally:
    """What a rollup came to."""

    written: list[NodeId] = field(default_factory=list)
    removed: list[NodeId] = field(default_factory=list)
    failed: dict[NodeId, str] = field(default_factory=dict)
    waiting: dict[NodeId, str] = field(default_factory=dict)


@dataclass(slots=True)
class Work:
    """One run: the right to write, the summarizer, what to do, what was done.

    Its coroutines take turns only where they wait for a summarizer, so whatever a step does between two such places
    happens at once.
    """

    lease: Lease
    calendar: Calendar
    summarizer: Summarizer
    account: Account
    write: Write
    checkpoint: Callable[[], None]
    forced: frozenset[Period] = frozenset()
    upgrades: bool = False
    """Whether a node that another recipe wrote is written again."""
    copy: Copy = _no_copy
    stale: frozenset[Period] = frozenset()
    tally: Tally = field(default_factory=Tally)
    done: set[Period] = field(default_factory=set)

    @property
    def now_us(self) -> int:
        """The instant that the run takes as the present."""
        return self.write.written_us

    def is_forced(self, node_id: NodeId) -> bool:
        """Return whether the node is to be written again although its inputs are the same."""
        return place_of(node_id).period in self.forced

    def stands(self, node: Node, inputs: str) -> bool:
        """Return whether the node that is there may stay as it is."""
        is_outdated = self.upgrades and node.recipe != self.summarizer.recipe
        return node.inputs == inputs and not is_outdated and not self.is_forced(node.id)

    def standing(self, store: Store, node_id: NodeId, inputs: str) -> Node | None:
        """Return the node that may stay as it is, or one that was copied there; None where it is to be written."""
        node = store.node(node_id)
        if node is not None and self.stands(node, inputs):
            return node
        return self.copy(store, node_id, inputs)

    def has_gap(self, node_id: NodeId) -> bool:
        """Return whether the node could not be written in this run."""
        return node_id in self.tally.failed or node_id in self.tally.waiting

    async def side_by_side(self, steps: Iterable[Coroutine[Any, Any, _T]]) -> list[_T]:
        """Return what the steps return. All come to their end before an error of one is raised.

        So a call that is paid for is not thrown away because the one beside it failed. An error outranks a refusal,
        which only says that no further call may begin.
        """
        self.let_go()
        results = await asyncio.gather(*map(self._to_its_end, steps), return_exceptions=True)
        errors = [result for result in results if isinstance(result, BaseException)]
        for error in sorted(errors, key=lambda error: isinstance(error, CallRefused)):
            raise error
        return cast("list[_T]", results)

    async def _to_its_end(self, step: Coroutine[Any, Any, _T]) -> _T:
        try:
            return await step
        finally:
            self.let_go()

    def let_go(self) -> None:
        """Let the writer go where the summarizer waits: others of this run may be waiting for it now."""
        if self.summarizer.waits:
            self.lease.release()


async def summarised(work: Work, store: Store, request: Request, origin: Origin) -> Node | None:
    """Return the new node, or None where the summarizer fails on it (recorded) or it is too early to try it again.

    The store may be closed when this returns: the writer is let go before a call that waits for something outside.
    """
    failure = _failure_of_same(store, origin)
    if failure is not None and work.now_us < failure.retry_us and not work.is_forced(origin.id):
        work.tally.waiting[origin.id] = failure.error
        return None
    work.let_go()
    if not work.summarizer.waits:
        work.account.count_free()
    try:
        draft = await work.summarizer.summarize(request, work.account.calls_of(origin.id))
        check_draft(request, draft)
    except SummaryFailed as error:
        _record_failure(work, origin, str(error), 1 if failure is None else failure.count + 1)
        return None
    return node_from(draft, request, origin)


def _failure_of_same(store: Store, origin: Origin) -> Failure | None:
    """Return the failure on these very inputs with this very recipe; any other is out of date."""
    failure = store.failure(origin.id)
    if failure is None or (failure.inputs, failure.recipe) != (origin.inputs, origin.recipe):
        return None
    return failure


def _record_failure(work: Work, origin: Origin, error: str, count: int) -> None:
    wait_us = min(FIRST_RETRY_US << min(count - 1, 10), LONGEST_RETRY_US)
    failure = Failure(origin.inputs, origin.recipe, count, work.now_us + wait_us, error)
    put_failure(work.lease.store(), origin.id, failure)
    work.tally.failed[origin.id] = error


_TRIES = 3


class InputsMoved(Exception):  # noqa: N818 - no error: the period is simply taken up again
    """The day's events are not those that it was cut from."""


async def bring_up_to_date(work: Work, period: Period) -> Child | None:
    """Write the period's node, after those below it, where its inputs changed.

    Return what its parent is made from: the node's content, a gap where it failed, or None where there is nothing.
    """
    for _ in range(_TRIES):
        try:
            step = _day if period.level is Level.DAY else _upper
            child = await step(work, period)
        except InputsMoved:
            continue
        work.done.add(period)
        return child
    # Somebody ingests into this very day without pause: it stays stale, and the next run takes it up.
    work.tally.waiting[period.id] = "its events kept changing"
    return Child(period.id, GAP)


async def _upper(work: Work, period: Period) -> Child | None:
    seen = see(work.lease.store(), period)
    below = [await _child(work, lower) for lower in inputs_of(period, work.calendar.week_start)]
    return await _write_period(work, seen, [child for child in below if child is not None])


async def _child(work: Work, period: Period) -> Child | None:
    if period not in work.done and (period in work.stale or period in work.forced):
        return await bring_up_to_date(work, period)
    if work.has_gap(period.id):
        return Child(period.id, GAP)
    return _child_of(work.lease.store(), period.id)


async def _day(work: Work, day: Period) -> Child | None:
    work.checkpoint()
    store = work.lease.store()
    # The mark stays until the day's own node is written, whatever happens to its segments until then.
    seen = see(store, day)
    if seen.number is None:
        seen = mark_again(store, day)
    _recut(store, day)
    cuts = store.cuts(day.first)
    children = await work.side_by_side(_segment(work, seen, cut) for cut in cuts)
    return await _write_period(work, seen, children, cuts)


def _recut(store: Store, day: Period) -> None:
    """Bring the day's cuts in line with its events, one batch a session; no summarizer is called."""
    sessions = by_session(store.events(*store.calendar.bounds_us(day)))
    standing: dict[str, list[Cut]] = {}
    for cut in store.cuts(day.first):
        standing.setdefault(cut.session, []).append(cut)
    for session in sorted(sessions.keys() | standing.keys()):
        old = standing.get(session, [])
        new = cuts_of(sessions.get(session, []), day.first)
        if old != new:
            replace_cuts(store, day.first, old, new)


def _unmoved(work: Work, seen: Seen) -> Store:
    """Return the store; raise InputsMoved if the period was marked anew since it was looked at."""
    store = work.lease.store()
    if store.mark(seen.period) != seen.number:
        raise InputsMoved
    return store


async def _segment(work: Work, seen: Seen, cut: Cut) -> Child:
    work.checkpoint()
    store = _unmoved(work, seen)
    events = _events_of(store, cut)
    origin = Origin(cut.id, segment_inputs(cut, events), work.summarizer.recipe)
    node = work.standing(store, cut.id, origin.inputs)
    if node is None:
        request = segment_request(cut, events, heading(seen.period))
        node = await summarised(work, store, request, origin)
        if node is None:
            return Child(cut.id, GAP)
        put_node(_unmoved(work, seen), node, work.write, seen=None)
        work.tally.written.append(node.id)
    return Child(cut.id, node.content)


async def _write_period(
    work: Work, seen: Seen, children: Sequence[Child], cuts: Sequence[Cut] = ()
) -> Child | None:
    period = seen.period
    work.checkpoint()
    store = _unmoved(work, seen)
    if not children:
        if remove_node(store, seen):
            work.tally.removed.append(period.id)
        return None
    if all(child.content == GAP for child in children):
        work.tally.waiting.setdefault(period.id, "nothing below it could be summarised")
        return Child(period.id, GAP)
    inputs = period_inputs(period.id, work.calendar.bounds_us(period), children)
    node = work.standing(store, period.id, inputs)
    if node is not None:
        settle(store, seen)
        return Child(period.id, node.content)
    nodes = _nodes_of(store, children)
    gaps = gaps_of(children, nodes)
    origin = Origin(period.id, inputs, work.summarizer.recipe, tuple(children), gaps)
    request = period_request(period, _labelled(nodes, cuts))
    node = await summarised(work, store, request, origin)
    if node is None:
        return Child(period.id, GAP)
    put_node(_unmoved(work, seen), node, work.write, seen=seen)
    work.tally.written.append(node.id)
    return Child(node.id, node.content)


def _events_of(store: Store, cut: Cut) -> list[Event]:
    """Return the segment's events, in order. Raise InputsMoved where one is gone since the day was cut."""
    found = [store.event(event_id) for event_id in cut.events]
    events = [event for event in found if event is not None]
    if len(events) != len(cut.events):
        raise InputsMoved
    return events


def _child_of(store: Store, node_id: NodeId) -> Child | None:
    """Return the node as its parent takes it, None where there is none."""
    node = store.node(node_id)
    return None if node is None else Child(node.id, node.content)


def _nodes_of(store: Store, children: Sequence[Child]) -> list[Node]:
    """Return the nodes of those children that are no gaps. Nobody may have taken one away meanwhile."""
    found = [store.node(child.id) for child in children if child.content != GAP]
    nodes = [node for node in found if node is not None]
    assert len(nodes) == len(found), "only a run that holds the tree takes nodes away"
    return nodes


def _labelled(nodes: Iterable[Node], cuts: Iterable[Cut]) -> Iterator[tuple[Node, str, str]]:
    labels = {cut.id: (segment_label(cut), cut.project) for cut in cuts}
    for node in nodes:
        yield (node, *(labels.get(node.id) or (place_of(node.id).period.date_text, "")))


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
