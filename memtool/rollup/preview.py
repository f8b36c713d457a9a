"""What another summarizer would say about a period. Nothing of it is stored; its calls are recorded like all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct

from memtool.context import RunContext
from memtool.errors import MemtoolError
from memtool.ledger.reading import Spent
from memtool.model.levels import Level, Period, heading
from memtool.model.records import NodeId, Recipe
from memtool.model.segmenting import segments_of
from memtool.model.summary import Item, Request, Section, segment_label
from memtool.model.threads import Thread, Turn, join
from memtool.rollup.configured import spent_today
from memtool.signals.threads import threads_of
from memtool.signals.turns import turns_of
from memtool.store.access import Access
from memtool.store.store import Store
from memtool.summarize import CallRefused, Summarizer, SummaryFailed
from memtool.summarize.calls import Account, Budget, drafts


class Preview(Struct):
    """What was said: the bullets of a day's draft, the threads of any period; and what the calls took."""

    recipe: Recipe
    title: str = ""
    bullets: tuple[str, ...] = ()
    threads: tuple[Thread, ...] = ()
    calls: int = 0
    tokens: int = 0


class _Day(NamedTuple):
    node_id: NodeId
    request: Request


def preview(
    context: RunContext, period: Period, summarizer: Summarizer, budget: Budget, *, at_once: int
) -> Preview:
    """Return what the summarizer would say about a period, made from nothing but its events.

    Models are asked for days alone, so of a longer period they are asked about each of its days. The store is closed
    before anything is asked. Where a budget is used up, the run is cut short. Raise MemtoolError where a day fails.
    """
    access = Access(context.root)
    with access.reading() as store:
        days = list(_days(store, period))
        spent = (
            spent_today(context.root, store.calendar, context.now_us)
            if summarizer.waits
            else Spent()
        )
    found = Preview(summarizer.recipe)
    account = Account(context, summarizer.recipe, budget, spent)
    parts: dict[NodeId, tuple[Thread, ...]] = {}
    asked = _shown(context, days)
    answers = drafts(asked, summarizer, account, at_once=at_once, on_wait=lambda: None)
    try:
        for day, draft in answers:
            if isinstance(draft, SummaryFailed):
                raise MemtoolError(f"{day.node_id}: {draft.message}", hint=draft.hint)
            parts[day.node_id] = draft.threads or day.request.threads
            if period.level is Level.DAY:
                found.title = draft.title
                found.bullets = tuple(bullet.text for bullet in draft.bullets)
    except CallRefused as refusal:
        context.tally.cut_short = str(refusal)
    held = [parts[day.node_id] for day in days if day.node_id in parts]
    found.threads = held[0] if len(held) == 1 == len(days) else join(held, period.level)
    if summarizer.waits:
        found.calls, found.tokens = context.tally.calls, context.tally.tokens
    return found


def _shown(context: RunContext, days: list[_Day]) -> Iterator[_Day]:
    for number, day in enumerate(days):
        context.checkpoint()
        context.progress(number, len(days), day.node_id)
        yield day


def _days(store: Store, period: Period) -> Iterator[_Day]:
    """Yield a request for each day of the period that holds anything, as a rollup from the beginning would make it."""
    for first in range(period.first, period.end):
        day = Period(Level.DAY, first)
        events = list(store.events(*store.calendar.bounds_us(day)))
        sections: list[Section] = []
        turns: list[Turn] = []
        number = 0
        for cut, held in segments_of(events, first):
            items = tuple(
                Item(number + at, event.kind, event.text, event=event.id)
                for at, event in enumerate(held, 1)
            )
            number += len(items)
            sections.append(Section(segment_label(cut), items, project=cut.project))
            turns += turns_of(held, cut.project)
        if sections:
            threads = threads_of(turns)
            yield _Day(day.id, Request(Level.DAY, heading(day), tuple(sections), threads))
