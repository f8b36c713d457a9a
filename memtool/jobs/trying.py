"""Tries a summarizer on one node: what it would write today, beside what is stored. Writes no node, takes no lock."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from memtool.base.errors import MemtoolError, UsageError
from memtool.base.lock import Holder
from memtool.core.calendar import Calendar
from memtool.core.drafting import Origin, node_from
from memtool.core.levels import Level, Period, inputs_of, parse_segment, period_named
from memtool.core.model import GAP, Child, Cut, Node, NodeId, Recipe
from memtool.core.summary import Request
from memtool.jobs.account import Account, account_of
from memtool.jobs.budget import Budget
from memtool.jobs.context import RunContext, Signals
from memtool.jobs.heeding import heeding
from memtool.jobs.reading.nodes import Shown, show
from memtool.jobs.reading.reader import Reader
from memtool.jobs.rollup.inputs import (
    InputsMoved,
    child_of,
    events_of,
    period_origin,
    request_of_period,
    request_of_segment,
    segment_origin,
)
from memtool.scheduler.calls import read_calls
from memtool.store.store import Store
from memtool.summarize import CallRefused, Summarizer, check_draft

NAME = "summarizers-try"
"""What stands in the place of a job where a lock or a call names its holder."""


@dataclass(frozen=True, slots=True)
class Means:
    """Who is tried, what that may spend, and how many calls it makes at once."""

    summarizer: Summarizer
    budget: Budget = Budget()  # noqa: RUF009 - frozen
    at_once: int = 1


@dataclass(frozen=True, slots=True)
class Cost:
    """What a node took, as the account of calls has it; `duration_ms` is how long its calls took, added up.

    Of a draft that took none it is how long that was in the making.
    """

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    duration_ms: int = 0


@dataclass(frozen=True, slots=True)
class Trial:
    """The stored node (in `shown`), the new one, and what each took; None where no call for the stored is on record.

    `same_inputs` is whether both tell of the same: the stored one was made from what is stored now.
    """

    shown: Shown
    draft: Node
    same_inputs: bool
    stored_cost: Cost | None
    draft_cost: Cost


@dataclass(frozen=True, slots=True)
class _Question:
    """What the summarizer is asked, as a rollup would ask it."""

    shown: Shown
    request: Request
    origin: Origin
    calendar: Calendar


def try_out(reader: Reader, text: str, means: Means) -> Trial:
    """Return what the summarizer would write for the node that the text names.

    Raise UsageError where there is no such node, or nothing yet that it could be made from, and what the summarizer
    raises; Stopped after a signal. What was spent until then is in the account of calls.
    """
    question = _question(reader, text, means.summarizer.recipe)
    run = os.urandom(6).hex()
    with Signals() as signals:
        holder = Holder(os.getpid(), NAME, reader.now_us, run)
        context = RunContext(reader.root, reader.now_us, holder, signals=signals)
        account = account_of(
            context, means.summarizer, means.budget, question.calendar, means.at_once
        )
        began_s = time.monotonic()
        draft = asyncio.run(heeding(context, _draft(means, account, question)))
        duration_ms = int((time.monotonic() - began_s) * 1000)
    stored, write = question.shown.node, question.shown.write
    return Trial(
        shown=question.shown,
        draft=draft,
        same_inputs=stored is not None and stored.inputs == draft.inputs,
        stored_cost=None if write is None else _cost(reader.root, write.run, draft.id),
        draft_cost=_cost(reader.root, run, draft.id) or Cost(duration_ms=duration_ms),
    )


async def _draft(means: Means, account: Account, question: _Question) -> Node:
    request, origin = question.request, question.origin
    try:
        draft = await means.summarizer.summarize(request, account.calls_of(origin.id))
    except CallRefused as refusal:
        raise MemtoolError(
            str(refusal),
            hint="memtool summarizers shows what was spent; memtool config set budget.… allows more",
        ) from refusal
    return node_from(check_draft(request, draft), request, origin)


def _cost(root: Path, run: str, node_id: NodeId) -> Cost | None:
    calls = [call for call in read_calls(root) if (call.run, call.node) == (run, node_id)]
    if not calls:
        return None
    return Cost(
        len(calls),
        sum(call.input_tokens for call in calls),
        sum(call.output_tokens for call in calls),
        sum(call.duration_ms for call in calls),
    )


def _question(reader: Reader, text: str, recipe: Recipe) -> _Question:
    shown = show(reader, text)
    with reader.existing_store() as store:
        ask = _of_segment if parse_segment(shown.entry.id) else _of_period
        request, origin = ask(store, shown, recipe)
        return _Question(shown, request, origin, store.calendar)


def _of_segment(store: Store, shown: Shown, recipe: Recipe) -> tuple[Request, Origin]:
    cut = shown.entry.cut
    assert cut is not None, shown.entry.id
    try:
        events = events_of(store, cut)
    except InputsMoved:
        raise UsageError(
            f"events of {cut.id} are gone, so nobody can summarise it now",
            hint="memtool rollup day cuts its day anew",
        ) from None
    day = period_named(shown.holding)
    return request_of_segment(cut, events, day), segment_origin(cut, events, recipe)


def _of_period(store: Store, shown: Shown, recipe: Recipe) -> tuple[Request, Origin]:
    period = period_named(shown.entry.id)
    cuts = store.cuts(period.first) if period.level is Level.DAY else []
    children = _children(store, _ids_below(store, period, cuts))
    if all(child.content == GAP for child in children):
        raise _nothing_below(shown)
    request = request_of_period(store, period, children, cuts)
    return request, period_origin(store, period, children, recipe)


def _ids_below(store: Store, period: Period, cuts: Iterable[Cut]) -> list[NodeId]:
    if period.level is Level.DAY:
        return [cut.id for cut in cuts]
    return [below.id for below in inputs_of(period, store.calendar.week_start)]


def _children(store: Store, ids: Iterable[NodeId]) -> list[Child]:
    """Return what a rollup would make the period from: what failed is a gap to it, until the next try succeeds."""
    found = (Child(one, GAP) if store.failure(one) else child_of(store, one) for one in ids)
    return [child for child in found if child is not None]


def _nothing_below(shown: Shown) -> UsageError:
    more = " --include-open" if shown.entry.state.open else ""
    word = "day" if shown.entry.level is Level.DAY else "all"
    return UsageError(
        f"nothing below {shown.entry.id} is summarised yet, so there is nothing to make it from",
        hint=f"memtool rollup {word}{more}",
    )
