"""What the steps of one rollup run share, and the one place where a summarizer is called."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from memtool.jobs.account import Account
from memtool.model.calendar import Calendar
from memtool.model.levels import Level, Period, parse_segment
from memtool.model.records import Node, NodeId
from memtool.model.summary import Origin, Request, node_from
from memtool.store.access import Lease
from memtool.store.codec import Failure, Write
from memtool.store.store import Store
from memtool.store.toc import put_failure
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
        segment = parse_segment(node_id)
        if segment is not None:
            return Period(Level.DAY, segment.day) in self.forced
        return any(period.id == node_id for period in self.forced)

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
