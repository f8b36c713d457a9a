"""Convergence: whatever the order, batching and timing, the closed part of the table of contents is the rebuilt one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memtool.model.calendar import Calendar
from memtool.model.levels import PERIOD_LEVELS
from memtool.model.records import Record
from memtool.query.verify import verify
from memtool.rollup.plan import Choices
from tests.memory import Memory
from tests.strategies import DAY_US, calendars, histories

YEAR_US = 366 * DAY_US
SOME = settings(
    max_examples=max(10, settings().max_examples // 20),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@contextmanager
def a_memory(calendar: Calendar) -> Iterator[Memory]:
    with tempfile.TemporaryDirectory() as directory:
        yield Memory(Path(directory) / "memory", calendar)


def rebuilt(
    calendar: Calendar, history: list[Record], now_us: int
) -> dict[str, dict[bytes, bytes]]:
    with a_memory(calendar) as memory:
        memory.take_in(history)
        memory.roll_up_all(now_us)
        return memory.closed_part(now_us)


def last_instant(history: list[Record]) -> int:
    return max(getattr(record, "time_us", 0) for record in history)


@SOME
@given(calendars, histories(), st.data())
def test_incremental_equals_rebuilt_byte_for_byte(
    calendar: Calendar, history: list[Record], data: st.DataObject
) -> None:
    end_us = last_instant(history)
    now_us = end_us + data.draw(st.sampled_from([0, DAY_US, 3 * DAY_US, YEAR_US]))
    shuffled = data.draw(st.permutations(history))
    with a_memory(calendar) as memory:
        while shuffled:
            size = data.draw(st.integers(1, len(shuffled)))
            batch, shuffled = shuffled[:size], shuffled[size:]
            memory.take_in(batch)
            for level in data.draw(st.lists(st.sampled_from(PERIOD_LEVELS), max_size=2)):
                early_us = now_us - data.draw(st.sampled_from([0, DAY_US, 40 * DAY_US]))
                choices = Choices(include_open=data.draw(st.booleans()))
                assert memory.roll_up(level, early_us, choices=choices).exit_code == 0
        memory.roll_up_all(now_us)
        assert memory.closed_part(now_us) == rebuilt(calendar, history, now_us)
        with memory.access.reading() as store:
            assert verify(store, now_us).problems == []


@SOME
@given(calendars, histories())
def test_a_second_run_finds_nothing_to_do_and_writes_nothing(
    calendar: Calendar, history: list[Record]
) -> None:
    now_us = last_instant(history) + YEAR_US
    with a_memory(calendar) as memory:
        memory.take_in(history)
        memory.roll_up_all(now_us)
        before = memory.everything()
        assert memory.take_in(history).new == 0
        outcomes = memory.roll_up_all(now_us + DAY_US)
        assert [outcome.run.calls for outcome in outcomes] == [0, 0, 0, 0]
        assert memory.everything() == before


@SOME
@given(calendars, histories())
def test_the_year_job_alone_does_all_the_work_below_it(
    calendar: Calendar, history: list[Record]
) -> None:
    now_us = last_instant(history) + YEAR_US
    with a_memory(calendar) as memory:
        memory.take_in(history)
        memory.roll_up(PERIOD_LEVELS[-1], now_us)
        memory.roll_up_all(now_us)
        assert memory.closed_part(now_us) == rebuilt(calendar, history, now_us)


@SOME
@given(calendars, histories())
def test_nothing_stays_stale_once_all_has_settled(
    calendar: Calendar, history: list[Record]
) -> None:
    now_us = last_instant(history) + 2 * YEAR_US
    with a_memory(calendar) as memory:
        memory.take_in(history)
        memory.roll_up(PERIOD_LEVELS[0], now_us)  # the nightly job alone
        assert memory.marks() == {}
