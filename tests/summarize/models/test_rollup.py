"""Rollups with a model: which nodes cost a call, what is kept when a day changes, and what the weeks take over."""

from __future__ import annotations

from pathlib import Path

import pytest

from memtool.model.levels import PERIOD_LEVELS, Level, Period
from memtool.model.records import Event
from memtool.model.shown import view_of
from memtool.model.threads import Thread, threads_in
from memtool.query.verify import verify
from memtool.rollup.plan import Choices, forecast
from memtool.summarize import Price, Reply
from memtool.summarize.models.prompt import Prompt
from tests.jobs.test_rebuild import Rebuilds
from tests.jobs.test_rollup import LATER_US, said
from tests.llm_server import THREAD, data_of
from tests.memory import Memory
from tests.summarize.models.honest import InProcess

DAYS = (3, 4, 5)
EVENTS = [
    said(f"Fix the {what} of the parser in version {day}", f"2026-11-{day:02}T{hour}:00", what)
    for day in DAYS
    for hour, what in ((10, "lexer"), (12, "tokens"), (14, "offsets"))
]
LATE = said("Add a test for the lexer with tabs", "2026-11-04T10:05", "lexer")


def roll_up(memory: Memory, endpoint: InProcess) -> list[str]:
    """Roll up all levels; return the data of the prompts."""
    endpoint.prompts.clear()
    for level in PERIOD_LEVELS:
        outcome = memory.roll_up(level, LATER_US, summarizer=endpoint.writer(), at_once=2)
        assert outcome.exit_code == 0
    return [data_of(prompt.turns[0]) for prompt in endpoint.prompts]


def threads_of(memory: Memory, level: Level) -> list[Thread]:
    with memory.access.reading() as store:
        assert verify(store, LATER_US).healthy
        return [thread for node in store.nodes(level) for thread in threads_in(node.body)]


def filled(root: Path, events: list[Event]) -> Memory:
    memory = Memory(root)
    memory.take_in(events)
    return memory


def test_one_call_a_day_writes_every_level(tmp_path: Path) -> None:
    def model(prompt: Prompt) -> str:
        return InProcess().model(prompt).replace('"headline": "', '"headline": "Told: ')

    memory = filled(tmp_path, EVENTS)
    asked = roll_up(memory, InProcess(model))
    assert [len(THREAD.findall(data)) for data in asked] == [3, 3, 3]
    for level in (Level.DAY, Level.WEEK, Level.MONTH, Level.YEAR):
        threads = threads_of(memory, level)
        assert threads
        assert all(thread.headline.startswith("Told: ") for thread in threads)
        assert view_of(threads, level).title.startswith("Told: ")
    assert all(thread.written for thread in threads_of(memory, Level.DAY))
    assert not any(thread.written for thread in threads_of(memory, Level.WEEK))


def test_a_late_event_costs_one_call_with_its_thread_alone(tmp_path: Path) -> None:
    memory = filled(tmp_path / "late", EVENTS)
    endpoint = InProcess()
    roll_up(memory, endpoint)
    memory.take_in([LATE])
    (data,) = roll_up(memory, endpoint)
    assert len(THREAD.findall(data)) == 1
    assert "with tabs" in data
    assert roll_up(memory, endpoint) == []
    whole = filled(tmp_path / "whole", [*EVENTS, LATE])
    roll_up(whole, InProcess())
    assert memory.closed_part(LATER_US) == whole.closed_part(LATER_US)


def test_what_was_paid_for_is_kept_where_the_day_changes_meanwhile(tmp_path: Path) -> None:
    memory = filled(tmp_path, EVENTS)
    late = [LATE]

    class Slow(InProcess):
        async def ask(self, prompt: Prompt) -> Reply:
            if late and "version 4" in prompt.turns[0]:
                memory.take_in([late.pop()])
            return await super().ask(prompt)

    asked = roll_up(memory, Slow())
    assert sorted(len(THREAD.findall(data)) for data in asked) == [1, 3, 3, 3]


def test_a_forced_day_is_written_again(tmp_path: Path) -> None:
    memory = filled(tmp_path, EVENTS)
    roll_up(memory, InProcess())
    endpoint = InProcess()
    with memory.access.reading() as store:
        day = Period(Level.DAY, store.calendar.day_of(LATE.time_us))
    memory.roll_up(Level.DAY, LATER_US, summarizer=endpoint.writer(), choices=Choices(force=day))
    (prompt,) = endpoint.prompts
    assert len(THREAD.findall(data_of(prompt.turns[0]))) == 3


@pytest.mark.parametrize("late", [[], [LATE]])
def test_the_forecast_prices_what_is_sent(tmp_path: Path, late: list[Event]) -> None:
    memory = filled(tmp_path, EVENTS)
    endpoint = InProcess()
    if late:
        roll_up(memory, endpoint)
        memory.take_in(late)
    with memory.access.reading() as store:
        seen = forecast(store, PERIOD_LEVELS, Choices(), LATER_US, endpoint.writer())
    asked = roll_up(memory, endpoint)
    assert seen.calls == len(asked)
    assert isinstance(seen.model, Price)
    sent = sum(len(prompt.system + prompt.turns[0]) // 4 for prompt in endpoint.prompts)
    assert sent < seen.spend < 2 * sent


def test_a_rebuild_takes_over_the_texts_of_threads_that_stay_equal(tmp_path: Path) -> None:
    memory = filled(tmp_path, EVENTS)
    endpoint = InProcess()
    roll_up(memory, endpoint)
    memory.take_in([LATE])
    endpoint.prompts.clear()
    rebuilt = Rebuilds(memory).run(summarizer=endpoint.writer(), now_us=LATER_US)
    assert rebuilt.exit_code == 0
    (prompt,) = endpoint.prompts
    assert len(THREAD.findall(data_of(prompt.turns[0]))) == 1
