"""Calls that cost something: so many at once, within the budgets, each on record. `drafts` alone waits for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from msgspec import Struct

from memtool.context import RunContext
from memtool.errors import ConfigError, MemtoolError, UnavailableError
from memtool.ledger.file import CallRecord
from memtool.ledger.reading import Spent, record_call
from memtool.model.records import NodeId, Recipe
from memtool.model.summary import Draft, Request
from memtool.summarize import Ask, CallRefused, Remote, Reply, Summarizer
from memtool.summarize.check import SummaryFailed, check_draft
from memtool.text import first_line

if TYPE_CHECKING:
    import asyncio

_LOOK_S = 0.2
"""How often a run that waits looks whether it was asked to stop."""
_OK = "ok"
_CUT_OFF = "cut off: the run was stopped"


class Budget(Struct, frozen=True):
    """None is no limit. Calls that cost nothing count against `calls_per_run` alone."""

    calls_per_run: int | None = None
    tokens_per_run: int | None = None
    calls_per_day: int | None = None
    tokens_per_day: int | None = None


class Account:
    """One run's calls, counted in its tally. `before` is what the day's earlier runs spent.

    No call begins that exceeds a budget, or after an error that concerns all calls.
    """

    def __init__(self, context: RunContext, recipe: Recipe, budget: Budget, before: Spent) -> None:
        self.context = context
        self._recipe = recipe
        self._budget = budget
        self._before = before
        self._pending_calls = self._pending_tokens = 0
        self._closed = ""

    def count_free(self) -> None:
        """Count a draft that costs nothing. Raise CallRefused where the run may make no more calls."""
        self._check("calls", 1, self.context.tally.calls, self._budget.calls_per_run, "run")
        self.context.tally.calls += 1

    async def draft(
        self, summarizer: Remote, node_id: NodeId, request: Request
    ) -> Draft | MemtoolError | CallRefused:
        """Return the checked draft of a node, or why there is none."""
        try:
            return check_draft(
                request, await summarizer.summarize(request, partial(self.make, node_id))
            )
        except (MemtoolError, CallRefused) as error:
            return error

    async def make(self, node_id: NodeId, estimate: int, ask: Ask) -> Reply:
        """Make one call, as `memtool.summarize.Calls` says."""
        self._admit(estimate)
        self._pending_calls += 1
        self._pending_tokens += estimate
        began_us, began_s = self.context.clock_us(), time.monotonic()
        reply, result = Reply(""), _CUT_OFF
        try:
            reply = await ask()
            result = _OK
        except MemtoolError as error:
            result = first_line(error.message)
            if isinstance(error, ConfigError | UnavailableError):
                self._closed = result
            raise
        finally:
            self._pending_calls -= 1
            self._pending_tokens -= estimate
            self.context.tally.calls += 1
            self.context.tally.tokens += reply.input_tokens + reply.output_tokens
            call = CallRecord(
                time_us=began_us,
                run=self.context.holder.run,
                node=node_id,
                summarizer=self._recipe.summarizer,
                model=self._recipe.model,
                duration_ms=int((time.monotonic() - began_s) * 1000),
                input_tokens=reply.input_tokens,
                output_tokens=reply.output_tokens,
                result=result,
            )
            record_call(self.context.root, call, talk=self.context.reports.talk)
        return reply

    def _admit(self, estimate: int) -> None:
        if self._closed:
            raise CallRefused(self._closed)
        budget, before = self._budget, self._before
        calls = self.context.tally.calls + self._pending_calls
        tokens = self.context.tally.tokens + self._pending_tokens
        self._check("calls", 1, calls, budget.calls_per_run, "run")
        self._check("calls", 1, calls + before.calls, budget.calls_per_day, "day")
        self._check("tokens", estimate, tokens, budget.tokens_per_run, "run")
        self._check("tokens", estimate, tokens + before.tokens, budget.tokens_per_day, "day")

    def _check(self, what: str, wanted: int, have: int, most: int | None, span: str) -> None:
        if most is not None and have + wanted > most:
            self._closed = (
                f"the budget of {most} {what} for this {span} does not hold the next call"
            )
            raise CallRefused(self._closed)


class Step(Protocol):
    """A node that a summarizer is asked for."""

    @property
    def node_id(self) -> NodeId: ...
    @property
    def request(self) -> Request: ...


S = TypeVar("S", bound=Step)


def drafts(
    steps: Iterable[S],
    summarizer: Summarizer,
    account: Account,
    *,
    at_once: int,
    on_wait: Callable[[], None],
) -> Generator[tuple[S, Draft | SummaryFailed]]:
    """Yield each step with its draft, checked, or with its failure, as soon as it is there.

    Steps are taken one by one, when there is room for one more call: they may depend on what became of earlier ones.
    `on_wait` is called each time before this waits for something outside. After a signal or the deadline the calls
    under way are cancelled, and this raises as `RunContext.checkpoint` does. After any other error no step is taken,
    the calls under way end, and then it is raised. CallRefused: a budget is used up.
    """
    if summarizer.waits is True:
        yield from _awaited(iter(steps), summarizer, account, at_once, on_wait)
        return
    for step in steps:
        account.count_free()
        try:
            answer: Draft | SummaryFailed = check_draft(
                step.request, summarizer.summarize(step.request)
            )
        except SummaryFailed as failure:
            answer = failure
        yield step, answer


def _awaited(
    steps: Iterator[S],
    summarizer: Remote,
    account: Account,
    at_once: int,
    on_wait: Callable[[], None],
) -> Generator[tuple[S, Draft | SummaryFailed]]:
    import asyncio

    context = account.context
    running: dict[asyncio.Task[Draft | MemtoolError | CallRefused], S] = {}
    problem: MemtoolError | CallRefused | None = None
    with asyncio.Runner() as runner:
        while True:
            try:
                while problem is None and len(running) < at_once and not context.should_stop():
                    if (step := next(steps, None)) is None:
                        break
                    free = _free_draft(step, summarizer)
                    if free is not None:
                        yield step, free
                        continue
                    draft = account.draft(summarizer, step.node_id, step.request)
                    running[runner.get_loop().create_task(draft)] = step
            except MemtoolError as error:
                problem = error
            if not running:
                break
            on_wait()
            runner.run(_until_one_ends(running, context.should_stop))
            for task in [task for task in running if task.done()]:
                step = running.pop(task)
                answer = None if task.cancelled() else task.result()
                if isinstance(answer, Draft | SummaryFailed):
                    yield step, answer
                else:
                    problem = _graver(problem, answer)
    context.checkpoint()
    if problem is not None:
        raise problem


def _free_draft(step: Step, summarizer: Remote) -> Draft | SummaryFailed | None:
    """Return the draft of a step that needs no call, or its failure; None where it needs one."""
    try:
        draft = summarizer.without_call(step.request)
        return None if draft is None else check_draft(step.request, draft)
    except SummaryFailed as failure:
        return failure


def _graver(
    problem: MemtoolError | CallRefused | None, other: MemtoolError | CallRefused | None
) -> MemtoolError | CallRefused | None:
    """Return what ends the run: the first error; a refusal only says that no further call may begin."""
    if problem is None or (other is not None and isinstance(problem, CallRefused)):
        return other
    return problem


async def _until_one_ends(
    running: Iterable[asyncio.Task[Draft | MemtoolError | CallRefused]],
    should_stop: Callable[[], bool],
) -> None:
    """Return when a task has ended; cancel all where the run is to stop."""
    import asyncio

    tasks = set(running)
    while not should_stop():
        done, _ = await asyncio.wait(tasks, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
        if done:
            return
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
