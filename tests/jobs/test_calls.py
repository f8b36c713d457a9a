"""Calls that cost: side by side within a bound, within the budgets, on record, and broken off without losing any."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memtool.context import Limits
from memtool.errors import ConfigError, UnavailableError
from memtool.ledger.file import CallRecord
from memtool.locks import WRITER, is_free, lock_path
from memtool.model.levels import PERIOD_LEVELS, Level
from memtool.model.records import Recipe
from memtool.model.summary import Draft, Request
from memtool.summarize import Calls, Options, Price, Reply, SummaryFailed, make
from memtool.summarize.calls import Budget
from memtool.summarize.mock import Mock
from tests.jobs.test_rollup import DAY_US, LATER_US, NOVEMBER, at, said
from tests.memory import Memory
from tests.scheduler.ledgers import calls

BUSY = [
    *NOVEMBER,
    *(said(f"task {n}", f"2026-11-{n:02}T12:00", f"s{n % 3}") for n in range(3, 9)),
    *(said(f"more on task {n}", f"2026-11-{n:02}T15:00", f"t{n % 2}") for n in range(3, 9)),
]


async def _at_once(_: Request) -> None:
    return


@dataclass
class Model:
    """Stands for a model: writes what the mock writes, after a while, through calls that cost 100 tokens each."""

    think: Callable[[Request], Awaitable[None]] = _at_once
    calls_of_one: int = 1
    waits: Literal[True] = True
    now: int = 0
    most: int = 0
    asked: list[Request] = field(default_factory=list)

    @property
    def recipe(self) -> Recipe:
        return make("mock", Options()).recipe

    def without_call(self, request: Request) -> Draft | None:  # noqa: ARG002
        return None

    def price(self, request: Request) -> Price:  # noqa: ARG002
        return Price(self.calls_of_one, 100 * self.calls_of_one)

    async def summarize(self, request: Request, calls: Calls) -> Draft:
        async def ask() -> Reply:
            self.now += 1
            self.most = max(self.most, self.now)
            try:
                self.asked.append(request)
                await self.think(request)
            finally:
                self.now -= 1
            return Reply("", 70, 30)

        for _ in range(self.calls_of_one):
            await calls(100, ask)
        return Mock(5).summarize(request)


def thinking(seconds: float) -> Callable[[Request], Awaitable[None]]:
    async def think(_: Request) -> None:
        await asyncio.sleep(seconds)

    return think


def raising(word: str, error: Exception) -> Callable[[Request], Awaitable[None]]:
    async def think(request: Request) -> None:
        await asyncio.sleep(0.001)
        if any(word in item.text for section in request.sections for item in section.items):
            raise error

    return think


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    memory = Memory(tmp_path / "memory")
    memory.take_in(BUSY)
    return memory


@pytest.fixture
def whole(tmp_path: Path) -> Memory:
    """The same, rolled up by the free summarizer."""
    whole = Memory(tmp_path / "whole")
    whole.take_in(BUSY)
    whole.roll_up_all(LATER_US)
    return whole


def calls_on_record(memory: Memory) -> list[CallRecord]:
    return calls(memory.root)


@pytest.mark.parametrize("at_once", [1, 3, 8])
def test_calls_are_made_side_by_side_but_never_more_than_allowed(
    memory: Memory, whole: Memory, at_once: int
) -> None:
    model = Model(thinking(0.002))
    for level in PERIOD_LEVELS:
        assert memory.roll_up(level, LATER_US, summarizer=model, at_once=at_once).exit_code == 0
    assert model.most == at_once
    assert memory.closed_part(LATER_US) == whole.closed_part(LATER_US)
    assert memory.marks() == {}


@settings(max_examples=8)
@given(data=st.data())
def test_how_long_each_call_takes_does_not_show(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("memory")
    places = st.lists(st.sampled_from(range(len(BUSY))), min_size=1, max_size=6, unique=True)
    few = [BUSY[place] for place in data.draw(places)]
    memories = [Memory(root / name) for name in ("waiting", "free")]
    for memory in memories:
        memory.take_in(few)

    async def think(_: Request) -> None:
        for _turn in range(data.draw(st.integers(0, 4))):
            await asyncio.sleep(0)

    model = Model(think)
    at_once = data.draw(st.integers(1, 5))
    for level in PERIOD_LEVELS:
        outcome = memories[0].roll_up(level, LATER_US, summarizer=model, at_once=at_once)
        assert outcome.exit_code == 0
    memories[1].roll_up_all(LATER_US)
    assert memories[0].closed_part(LATER_US) == memories[1].closed_part(LATER_US)


def test_the_writer_is_free_whenever_a_call_is_under_way(memory: Memory) -> None:
    seen: list[bool] = []

    async def think(_: Request) -> None:
        for _turn in range(5):
            await asyncio.sleep(0.0005)
            seen.append(is_free(lock_path(memory.root, WRITER)))

    for level in PERIOD_LEVELS:
        memory.roll_up(level, LATER_US, summarizer=Model(think), at_once=4)
    assert len(seen) > 50
    assert all(seen)


def test_a_late_event_of_a_day_does_not_throw_away_what_was_paid_for(
    tmp_path: Path, whole: Memory
) -> None:
    memory = Memory(tmp_path / "late")
    memory.take_in(BUSY[1:])
    late = [BUSY[0]]

    async def think(_: Request) -> None:
        await asyncio.sleep(0.002)
        if late:
            memory.take_in([late.pop()])

    model = Model(think)
    for level in PERIOD_LEVELS:
        memory.roll_up(level, LATER_US, summarizer=model, at_once=8)
    segments = [repr(request) for request in model.asked if request.level is Level.SEGMENT]
    assert len(segments) == len(set(segments))
    assert memory.closed_part(LATER_US) == whole.closed_part(LATER_US)


def test_every_call_is_on_record_with_its_tokens(memory: Memory) -> None:
    model = Model(calls_of_one=2)
    outcome = memory.roll_up(Level.DAY, LATER_US, summarizer=model)
    calls = calls_on_record(memory)
    assert outcome.run.calls == len(calls) == len(model.asked) == 2 * outcome.run.nodes
    assert outcome.run.tokens == 100 * len(calls)
    assert {call.run for call in calls} == {outcome.run.run}
    assert {(call.input_tokens, call.output_tokens, call.result) for call in calls} == {
        (70, 30, "ok")
    }
    assert {call.node.partition(":")[0] for call in calls} == {
        "segment", "day", "week", "month", "year",
    }  # fmt: skip
    assert all(LATER_US <= call.time_us < LATER_US + DAY_US for call in calls)


BUDGETS = {
    "the run's calls": (Budget(calls_per_run=7), 7),
    "the run's tokens": (Budget(tokens_per_run=550), 5),
    "the day's calls": (Budget(calls_per_day=4), 4),
    "the day's tokens": (Budget(tokens_per_day=300), 3),
    "nothing at all": (Budget(calls_per_run=0), 0),
}


@pytest.mark.parametrize("at_once", [1, 4])
@pytest.mark.parametrize("name", BUDGETS)
def test_a_budget_is_never_passed_and_the_rest_waits(
    memory: Memory, name: str, at_once: int
) -> None:
    budget, most = BUDGETS[name]
    model = Model(thinking(0.002))
    outcome = memory.roll_up(Level.DAY, LATER_US, summarizer=model, budget=budget, at_once=at_once)
    assert (outcome.exit_code, outcome.run.result) == (0, "partial")
    assert "budget" in outcome.run.reason
    assert len(model.asked) == most == outcome.run.nodes
    assert outcome.run.left is not None
    assert outcome.run.left["day"]["stale"] > 0


def test_the_day_s_budget_counts_all_its_runs_and_is_new_the_next_day(memory: Memory) -> None:
    budget = Budget(calls_per_day=3)
    nodes = [
        memory.roll_up(Level.DAY, now_us, summarizer=Model(), budget=budget).run.nodes
        for now_us in (LATER_US, LATER_US + 3600, LATER_US + DAY_US)
    ]
    assert nodes == [3, 0, 3]


def test_runs_that_stay_within_their_budget_come_to_the_same_end(
    memory: Memory, whole: Memory
) -> None:
    for _ in range(100):
        for level in PERIOD_LEVELS:
            outcome = memory.roll_up(
                level, LATER_US, summarizer=Model(), budget=Budget(calls_per_run=5), at_once=3
            )
            assert outcome.exit_code == 0
        if not memory.marks():
            break
    assert memory.closed_part(LATER_US) == whole.closed_part(LATER_US)


def test_free_drafts_heed_what_the_person_allowed_and_no_day_s_budget(memory: Memory) -> None:
    budget = Budget(calls_per_run=2, calls_per_day=1, tokens_per_day=1)
    outcome = memory.roll_up(Level.DAY, LATER_US, budget=budget)
    assert (outcome.run.nodes, outcome.run.result) == (2, "partial")
    assert calls_on_record(memory) == []


@pytest.mark.parametrize(
    ("error", "code"), [(UnavailableError("no route"), 69), (ConfigError("wrong key"), 78)]
)
def test_what_stops_all_begins_no_further_call_but_keeps_those_under_way(
    memory: Memory, error: Exception, code: int
) -> None:
    model = Model(raising("task 4", error))
    outcome = memory.roll_up(Level.DAY, LATER_US, summarizer=model, at_once=3)
    assert outcome.exit_code == code
    with memory.access.reading() as store:
        assert store.failures() == {}
    calls = calls_on_record(memory)
    assert len(calls) == len(model.asked)
    assert {call.result for call in calls} == {"ok", str(error)}
    written = outcome.run.nodes
    assert written == sum(call.result == "ok" for call in calls)
    assert len(calls) <= written + 3


def test_a_node_that_fails_is_on_record_and_the_others_go_on(memory: Memory) -> None:
    model = Model(raising("task 4", SummaryFailed("the answer was not usable")))
    outcome = memory.roll_up(Level.DAY, LATER_US, summarizer=model, at_once=4)
    assert outcome.exit_code == 1
    bad = [call for call in calls_on_record(memory) if call.result != "ok"]
    assert {call.result for call in bad} == {"the answer was not usable"}
    with memory.access.reading() as store:
        assert set(store.failures()) == {call.node for call in bad}


def send(number: signal.Signals) -> Callable[[Request], Awaitable[None]]:
    """Signal this process at the tenth call, which would then take a minute."""
    count = 0

    async def think(_: Request) -> None:
        nonlocal count
        count += 1
        if count >= 10:
            os.kill(os.getpid(), number)
            await asyncio.sleep(60)

    return think


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_a_signal_breaks_off_the_call_and_keeps_what_was_done(
    memory: Memory, whole: Memory, number: signal.Signals
) -> None:
    assert threading.current_thread() is threading.main_thread()
    model = Model(send(number))
    outcome = memory.roll_up(Level.DAY, LATER_US, summarizer=model, at_once=2)
    assert outcome.exit_code == 128 + number
    assert outcome.run.result == "stopped"
    assert outcome.run.nodes == 9
    assert [call.result for call in calls_on_record(memory)].count("ok") == 9
    assert any("cut off" in call.result for call in calls_on_record(memory))
    for level in PERIOD_LEVELS:
        memory.roll_up(level, LATER_US, summarizer=Model(), at_once=2)
    assert memory.closed_part(LATER_US) == whole.closed_part(LATER_US)
    asked = {repr(request) for request in model.asked}
    assert len(asked) == len(model.asked)


def test_the_deadline_breaks_off_a_call_that_takes_for_ever(memory: Memory) -> None:
    outcome = memory.roll_up(
        Level.DAY,
        at("2026-11-20T01:00"),
        summarizer=Model(thinking(60)),
        limits=Limits(deadline_s=0.5),
    )
    assert (outcome.exit_code, outcome.run.result) == (0, "partial")
    assert "deadline" in outcome.run.reason
