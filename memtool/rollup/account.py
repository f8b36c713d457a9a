"""The account of what a summarizer spends: a bound on calls at once, budgets of the run and the day, a line a call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from memtool.context import RunContext
from memtool.errors import ConfigError, MemtoolError, UnavailableError
from memtool.ledger.file import CallRecord
from memtool.ledger.reading import Spent, record_call
from memtool.locks import Holder
from memtool.model.calendar import Calendar
from memtool.model.records import NodeId, Recipe
from memtool.rollup.configured import spent_today
from memtool.summarize import Ask, CallRefused, Calls, Reply, Summarizer
from memtool.summarize.calls import Budget
from memtool.text import first_line

_OK = "ok"
_CUT_OFF = "cut off: the run was stopped"


def account_of(
    context: RunContext, summarizer: Summarizer, budget: Budget, calendar: Calendar, at_once: int
) -> Account:
    """Return the account of a run, which begins with what the day has spent so far."""
    waits = summarizer.waits
    return Account(
        root=context.root,
        holder=context.holder,
        recipe=summarizer.recipe,
        clock=context.clock_us,
        budget=budget,
        before=spent_today(context.root, calendar, context.now_us) if waits else Spent(),
        talk=context.reports.talk,
        at_once=at_once,
    )


@dataclass(slots=True)
class Account:
    """One run's calls. Nothing is begun that a budget does not hold, or after an error that concerns all calls."""

    root: Path
    holder: Holder
    recipe: Recipe
    clock: Callable[[], int]
    """The present instant, in microseconds since 1970."""
    budget: Budget = Budget()  # noqa: RUF009 - frozen
    before: Spent = Spent()  # noqa: RUF009 - frozen
    """What the day's earlier runs spent."""
    at_once: int = 1
    talk: Callable[[str], None] = lambda _: None
    spent: Spent = Spent()  # noqa: RUF009 - frozen
    """What this run has spent, free calls included."""
    _pending: Spent = Spent()  # noqa: RUF009 - frozen
    _closed: str = ""
    _places: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._places = asyncio.Semaphore(self.at_once)

    def calls_of(self, node_id: NodeId) -> Calls:
        """Return what the summarizer makes its calls for this node through."""
        return _CallsOfNode(self, node_id)

    def count_free(self) -> None:
        """Count a draft that costs nothing. Raise CallRefused where the run may make no more calls."""
        self._check("calls", 1, self.spent.calls, self.budget.calls_per_run, "this run")
        self.spent = self.spent.plus(Spent(1))

    async def make(self, node_id: NodeId, estimate: int, ask: Ask) -> Reply:
        """Make one call as `Calls.make` says. An error that concerns all calls lets no further one begin."""
        async with self._places:
            self._admit(estimate)
            pending = Spent(1, estimate)
            self._pending = self._pending.plus(pending)
            began_us, began_s = self.clock(), time.monotonic()
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
                self._pending = self._pending.minus(pending)
                taken_ms = int((time.monotonic() - began_s) * 1000)
                self._record(node_id, began_us, taken_ms, reply, result)
            return reply

    def _admit(self, estimate: int) -> None:
        if self._closed:
            raise CallRefused(self._closed)
        budget, run = self.budget, self.spent.plus(self._pending)
        day = run.plus(self.before)
        self._check("calls", 1, run.calls, budget.calls_per_run, "this run")
        self._check("calls", 1, day.calls, budget.calls_per_day, "this day")
        self._check("tokens", estimate, run.tokens, budget.tokens_per_run, "this run")
        self._check("tokens", estimate, day.tokens, budget.tokens_per_day, "this day")

    def _check(self, what: str, wanted: int, have: int, most: int | None, span: str) -> None:
        if most is not None and have + wanted > most:
            self._closed = f"the budget of {most} {what} for {span} does not hold the next call"
            raise CallRefused(self._closed)

    def _record(
        self, node_id: NodeId, began_us: int, taken_ms: int, reply: Reply, result: str
    ) -> None:
        self.spent = self.spent.plus(Spent(1, reply.input_tokens + reply.output_tokens))
        call = CallRecord(
            time_us=began_us,
            run=self.holder.run,
            node=node_id,
            summarizer=self.recipe.summarizer,
            model=self.recipe.model,
            duration_ms=taken_ms,
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            result=result,
        )
        record_call(self.root, call, talk=self.talk)


@dataclass(frozen=True, slots=True)
class _CallsOfNode:
    account: Account
    node_id: NodeId

    async def make(self, estimate: int, ask: Ask) -> Reply:
        return await self.account.make(self.node_id, estimate, ask)
