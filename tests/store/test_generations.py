"""Two tables of contents in one store: what marks a day marks it in both, and whole ones come and go in one batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from memtool.model.calendar import Calendar
from memtool.model.levels import Level, Period
from memtool.store.store import Store
from memtool.store.toc import begin_generation, drop_half_built, flip
from tests.crash.events import START_US, an_event
from tests.memory import Memory
from tests.strategies import DAY_US

KIRITIMATI = Calendar("Pacific/Kiritimati", week_start=0)  # 14 hours ahead of UTC
HOUR_S = 3600


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    memory = Memory(tmp_path / "memory")
    memory.take_in([an_event(number * 10 * HOUR_S) for number in range(10)])
    memory.roll_up_all(START_US + 400 * DAY_US)
    return memory


def writing(memory: Memory, act: Callable[[Store], object]) -> None:
    store = memory.access.open_for_writing(None)
    try:
        act(store)
    finally:
        store.close()


def marked_days(store: Store) -> set[int]:
    return {period.first for period in store.marks() if period.level is Level.DAY}


def test_a_new_generation_has_every_day_that_holds_an_event_marked(memory: Memory) -> None:
    before = memory.everything()
    writing(memory, lambda store: begin_generation(store, KIRITIMATI))
    with memory.access.reading() as store:
        view = store.building()
        assert view is not None
        assert (view.generation, view.calendar) == (store.generation + 1, KIRITIMATI)
        days = {
            KIRITIMATI.day_of(START_US + number * 10 * HOUR_S * 1_000_000) for number in range(10)
        }
        assert marked_days(view) == days == set(view.days())
        assert store.marks() == {}
        assert store.calendar == memory.calendar
        table = view.zone_table()
        assert table is not None
        assert {offset_s for _, offset_s in table.transitions} == {14 * HOUR_S}
    writing(memory, drop_half_built)
    after = memory.everything()
    now, then = (int(rows["meta"].pop(b"sequence")) for rows in (after, before))
    assert now > then
    assert after == before


def test_what_is_taken_in_meanwhile_is_marked_in_both_by_each_ones_own_calendar(
    memory: Memory,
) -> None:
    writing(memory, lambda store: begin_generation(store, KIRITIMATI))
    late = 500 * DAY_US // 1_000_000 + 23 * HOUR_S
    memory.take_in([an_event(late)])
    instant_us = START_US + late * 1_000_000
    with memory.access.reading() as store:
        view = store.building()
        assert view is not None
        day, other = (one.calendar.day_of(instant_us) for one in (store, view))
        assert other == day + 1
        assert day in marked_days(store)
        assert other not in marked_days(store)
        assert other in marked_days(view)
        assert day not in marked_days(view)
        tables = store.zone_table(), view.zone_table()
        assert None not in tables
        assert len({(table.first_year, table.last_year) for table in tables if table}) == 1


def test_the_flip_leaves_one_generation_with_the_calendar_of_the_new_one(memory: Memory) -> None:
    writing(memory, lambda store: begin_generation(store, KIRITIMATI))
    writing(memory, flip)
    with memory.access.reading() as store:
        assert store.building() is None
        assert (store.generation, store.calendar) == (2, KIRITIMATI)
        assert {number for _, number in store.generations_found()} == {2}
        assert list(store.nodes(Level.DAY)) == []
        assert marked_days(store) == set(store.days())
        assert store.zone_table() is not None


def test_beginning_again_drops_what_was_half_built(memory: Memory) -> None:
    writing(memory, lambda store: begin_generation(store, KIRITIMATI))
    far = Period(Level.DAY, 1_000)
    with memory.access.reading() as store:
        view = store.building()
        assert view is not None
        assert far not in view.marks()

    def again(store: Store) -> None:
        from memtool.store.toc import mark_again

        view = store.building()
        assert view is not None
        mark_again(view, far)
        begun = begin_generation(store, memory.calendar)
        assert begun.calendar == memory.calendar
        assert begun.generation == view.generation

    writing(memory, again)
    with memory.access.reading() as store:
        view = store.building()
        assert view is not None
        assert far not in view.marks()
        assert marked_days(view) == set(store.days())


def test_a_store_without_events_has_nothing_to_mark(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "memory")
    store = memory.access.open_for_writing(memory.calendar)
    view = begin_generation(store, KIRITIMATI)
    assert (view.marks(), view.zone_table()) == ({}, None)
    assert flip(store).calendar == KIRITIMATI
    store.close()
    memory.take_in([an_event(1)])
    with memory.access.reading() as store:
        assert store.zone_table() is not None
        assert store.calendar == KIRITIMATI
