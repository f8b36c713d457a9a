"""The engine: re-cut days, write their segments, then days, weeks, months and years. Each step is one batch.

Nothing here waits: requests go to `summarize.calls.drafts`, and each draft is written as it comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import groupby

from msgspec import Struct

from memtool.context import RunContext
from memtool.ledger.reading import Spent
from memtool.model.levels import Level, Period, heading, inputs_of, place_of
from memtool.model.records import GAP, Child, Cut, Failure, Node, NodeId, Write
from memtool.model.segmenting import by_session, cuts_of
from memtool.model.summary import (
    Draft,
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
from memtool.model.threads import Thread, body_of, join, threads_in, turns_in
from memtool.rollup.configured import spent_today
from memtool.rollup.plan import RollupOptions, held_back, stale_now, with_below
from memtool.signals.threads import threads_of
from memtool.signals.turns import turns_of
from memtool.store.access import Lease
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
from memtool.summarize import SummaryFailed
from memtool.summarize.calls import Account, drafts

FIRST_RETRY_US = 3600 * 1_000_000
LONGEST_RETRY_US = 7 * 24 * FIRST_RETRY_US
_TRIES = 3
_WAVE = 4
"""How many periods are worked on together, times the calls at once: few places stay free at the end of a wave."""

Copy = Callable[[Store, NodeId, str], bool]
"""Puts a node of this id, made from these inputs, into the store without a summarizer; False where there is none."""


class Step(Struct, frozen=True):
    """A node to be written. `seen` is the mark of its period, or, of a segment, of its day."""

    seen: Seen
    origin: Origin
    request: Request

    @property
    def node_id(self) -> NodeId:
        """The node's id."""
        return self.origin.id


class Rollup:
    """The work of one run. What it did is in the context's tally."""

    def __init__(
        self, context: RunContext, options: RollupOptions, lease: Lease, copy: Copy | None = None
    ) -> None:
        self._context, self._lease, self._copy = context, lease, copy
        self._summarizer = options.summarizer
        self._write = Write(context.now_us, context.holder.run)
        self._calendar = calendar = lease.store().calendar
        force, self._outdated = options.choices.force, options.choices.outdated
        self._forced = with_below([force], calendar.week_start) if force else frozenset()
        self._at_once = options.at_once if options.summarizer.waits else 1
        spent = Spent()
        if options.summarizer.waits:
            spent = spent_today(context.root, calendar, context.now_us)
        self._account = Account(context, options.summarizer.recipe, options.budget, spent)
        self._done: set[Period] = set()
        self._gaps: set[NodeId] = set()
        """Nodes that could not be written; their parents are incomplete."""
        self._moved: set[Period] = set()
        """Periods of this wave whose inputs changed since they were read."""
        self._paid: dict[NodeId, Node] = {}
        """What came back for a day whose events changed: what stays equal in it is not asked for again."""
        self._taken = 0
        context.tally.details["removed"] = 0

    def begin_again(self) -> None:
        """Forget which periods were brought up to date."""
        self._done.clear()
        self._gaps.clear()
        self._taken = 0

    def bring_up(self, periods: Iterable[Period], *, more: int = 0) -> None:
        """Bring periods up to date, lower levels first, each after what is stale below it.

        Periods of one level share no input, so several are in work at a time. `more` is how many follow
        later, for the progress. Raise CallRefused where a budget is used up.
        """
        wanted = sorted(periods, key=self._place)
        total = self._taken + len(wanted) + more
        for _, group in groupby(wanted, key=lambda period: period.level):
            targets = set(group)
            need = stale_now(self._lease.store(), self._context.now_us) | self._forced
            found = with_below(targets, self._calendar.week_start, need) - self._done
            found -= held_back(found, self._calendar.week_start, self._context.held)
            for wave in self._waves(found):
                for period in wave:
                    if period in targets:
                        self._context.progress(self._taken, total, self._label(period))
                        self._taken += 1
                self._write_all(wave)
                for period in wave:
                    if period in targets:
                        self._context.tally.add_period(period.id)

    def _place(self, period: Period) -> tuple[Level, int]:
        """Lower levels first; of one level the oldest, in an upgrade the newest."""
        return period.level, -period.first if self._outdated else period.first

    def _waves(self, periods: Iterable[Period]) -> Iterator[list[Period]]:
        in_order = sorted(periods, key=self._place)
        for _, group in groupby(in_order, key=lambda period: period.level):
            level = list(group)
            size = self._at_once * _WAVE if self._summarizer.waits else 1
            for at in range(0, len(level), size):
                yield level[at : at + size]

    def _label(self, period: Period) -> str:
        calls = self._context.tally.calls
        return f"{period.id}, {calls} calls" if self._summarizer.waits and calls else period.id

    def _write_all(self, periods: list[Period]) -> None:
        """Write the nodes of periods of one level, and of the days' segments, where their inputs changed."""
        for _ in range(_TRIES):
            self._moved.clear()
            seen: list[Seen] = []
            for period in periods:
                self._context.checkpoint()
                store = self._lease.store()
                mark = see(store, period)
                if period.level is Level.DAY:
                    # The mark stays until the day's own node is written, whatever happens to its segments until then.
                    mark = mark_again(store, period) if mark.number is None else mark
                    for old, new in _changed_cuts(store, period):
                        replace_cuts(store, period.first, old, new)
                seen.append(mark)
            if periods[0].level is Level.DAY:
                self._ask(step for day in seen for step in self._segments(day))
            self._ask(step for one in seen if (step := self._period(one)) is not None)
            self._done.update(set(periods) - self._moved)
            periods = [period for period in periods if period in self._moved]
            if not periods:
                return
        # Events keep arriving for these days: they stay stale for the next run.
        self._gaps.update(period.id for period in periods)

    def _ask(self, steps: Iterator[Step]) -> None:
        """Write what the summarizer makes of each step, or record that it failed, as soon as that is known."""
        answers = drafts(
            steps,
            self._summarizer,
            self._account,
            at_once=self._at_once,
            on_wait=self._lease.release,
        )
        with closing(answers):
            for step, draft in answers:
                if isinstance(draft, SummaryFailed):
                    self._record_failure(step.origin, draft.message)
                else:
                    self._put(step, draft)

    def _put(self, step: Step, draft: Draft) -> None:
        store = self._lease.store()
        node = node_from(draft, step.request, step.origin)
        if self._has_moved(store, step.seen):
            self._paid[node.id] = node
            return
        is_period = node.id == step.seen.period.id
        put_node(store, node, self._write, seen=step.seen if is_period else None)
        self._context.tally.wrote(place_of(node.id).level.word)

    def _record_failure(self, origin: Origin, error: str) -> None:
        store = self._lease.store()
        before = _failure_of_same(store, origin)
        count = 1 if before is None else before.count + 1
        wait_us = min(FIRST_RETRY_US << min(count - 1, 10), LONGEST_RETRY_US)
        retry_us = self._context.now_us + wait_us
        failure = Failure(origin.inputs, origin.recipe, count, retry_us, error)
        put_failure(store, origin.id, failure)
        self._gaps.add(origin.id)
        self._context.tally.fail(origin.id, error)

    def _has_moved(self, store: Store, seen: Seen) -> bool:
        """Return whether the period was marked since its inputs were read; it is then worked on again."""
        if store.mark(seen.period) != seen.number:
            self._moved.add(seen.period)
        return seen.period in self._moved

    def _segments(self, seen: Seen) -> Iterator[Step]:
        """Yield the steps for the day's segments that are to be written."""
        for cut in self._lease.store().cuts(seen.period.first):
            self._context.checkpoint()
            store = self._lease.store()
            if self._has_moved(store, seen):
                return
            found = [store.event(event_id) for event_id in cut.events]
            events = [event for event in found if event is not None]
            if len(events) < len(found):  # one is gone since the day was cut
                self._moved.add(seen.period)
                return
            origin = Origin(cut.id, segment_inputs(cut, events), self._summarizer.recipe)
            paid = self._paid.pop(cut.id, None)
            if paid is not None and paid.inputs == origin.inputs:
                put_node(store, paid, self._write, seen=None)
                self._context.tally.wrote(place_of(paid.id).level.word)
            elif not self._is_current(store, seen, origin) and not self._must_wait(
                store, seen, origin
            ):
                turns = turns_of(events, cut.project)
                scope = heading(seen.period)
                yield Step(
                    seen,
                    origin,
                    segment_request(cut, events, scope, threads_of(turns), body_of(turns)),
                )

    def _period(self, seen: Seen) -> Step | None:
        """Return the step for a period, None where nothing is to be asked; all below it is up to date."""
        period = seen.period
        self._context.checkpoint()
        store = self._lease.store()
        if self._has_moved(store, seen):
            return None
        cuts = (
            {cut.id: cut for cut in store.cuts(period.first)} if period.level is Level.DAY else {}
        )
        below = cuts or [lower.id for lower in inputs_of(period, self._calendar.week_start)]
        children: list[Child] = []
        nodes: list[Node] = []
        for node_id in below:
            if node_id in self._gaps:
                children.append(Child(node_id, GAP))
            elif (node := store.node(node_id)) is not None:
                children.append(Child(node_id, node.content))
                nodes.append(node)
        if not children:
            self._context.tally.details["removed"] += remove_node(store, seen)
            return None
        if not nodes:
            self._gaps.add(period.id)
            return None
        origin = Origin(
            period.id,
            period_inputs(period.id, self._calendar.bounds_us(period), children),
            self._summarizer.recipe,
            tuple(children),
            gaps_of(children, nodes),
        )
        if self._is_current(store, seen, origin):
            settle(store, seen)
            return None
        if self._must_wait(store, seen, origin):
            return None
        labelled = ((node, *_labels(node.id, cuts)) for node in nodes)
        before = self._before(store, period)
        return Step(seen, origin, period_request(period, labelled, _threads(period, nodes), before))

    def _before(self, store: Store, period: Period) -> tuple[Thread, ...]:
        """Return a day's threads with the texts that a model has written for them; none where it is to write again."""
        paid = self._paid.pop(period.id, None)
        if period.level is not Level.DAY or not self._summarizer.waits:
            return ()
        if paid is None and period not in self._forced:
            paid = store.node(period.id) or store.current().node(period.id)
        return threads_in(paid.body) if paid is not None else ()

    def _is_current(self, store: Store, seen: Seen, origin: Origin) -> bool:
        """Return whether the node is up to date, or was copied from the current table of contents."""
        node = store.node(origin.id)
        is_whole = node is not None and (bool(node.body) or isinstance(place_of(node.id), Period))
        if node is not None and node.inputs == origin.inputs and is_whole:
            is_outdated = self._outdated and node.recipe != origin.recipe
            if not is_outdated and seen.period not in self._forced:
                return True
        return self._copy is not None and self._copy(store, origin.id, origin.inputs)

    def _must_wait(self, store: Store, seen: Seen, origin: Origin) -> bool:
        """Return whether this failed before and its next try is not due."""
        failure = _failure_of_same(store, origin)
        is_early = failure is not None and self._context.now_us < failure.retry_us
        if is_early and seen.period not in self._forced:
            self._gaps.add(origin.id)
            return True
        return False


def _changed_cuts(store: Store, day: Period) -> Iterator[tuple[list[Cut], list[Cut]]]:
    """Yield the old and the new cuts of each session whose events of the day changed."""
    sessions = by_session(store.events(*store.calendar.bounds_us(day)))
    there: dict[str, list[Cut]] = {}
    for cut in store.cuts(day.first):
        there.setdefault(cut.session, []).append(cut)
    for session in sorted(sessions.keys() | there.keys()):
        old = there.get(session, [])
        new = cuts_of(sessions.get(session, []), day.first)
        if old != new:
            yield old, new


def _failure_of_same(store: Store, origin: Origin) -> Failure | None:
    """Return the node's failure if it was with these inputs and this recipe; others are out of date."""
    failure = store.failure(origin.id)
    if failure is None or (failure.inputs, failure.recipe) != (origin.inputs, origin.recipe):
        return None
    return failure


def _threads(period: Period, nodes: Iterable[Node]) -> tuple[Thread, ...]:
    """Return the threads of a period: of a day from its segments' turns, else joined from its children's."""
    if period.level is Level.DAY:
        return threads_of(turn for node in nodes for turn in turns_in(node.body))
    return join([threads_in(node.body) for node in nodes], period.level)


def _labels(node_id: NodeId, cuts: dict[NodeId, Cut]) -> tuple[str, str]:
    """Return a child's label and project."""
    cut = cuts.get(node_id)
    if cut is None:
        return place_of(node_id).period.date_text, ""
    return segment_label(cut), cut.project
