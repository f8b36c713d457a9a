"""The promises of the rollup jobs, one by one: late data, order of jobs, failures, work saved, options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from typing import Literal

import pytest
from msgspec.structs import replace

from memtool.errors import ConfigError, UnavailableError
from memtool.model.calendar import Calendar
from memtool.model.levels import PERIOD_LEVELS, Level, Period, stale_periods
from memtool.model.records import Claim, Event, Node, NodeId, Recipe, Tombstone, digest_of, event_id
from memtool.model.summary import Draft, Request
from memtool.query.verify import verify
from memtool.rollup.plan import Choices, forecast
from memtool.store.access import Access
from memtool.summarize import Local, Options, SummaryFailed, make
from memtool.summarize.mock import Mock
from tests.memory import Memory

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000_000)


def said(text: str, when: str, session: str = "s") -> Event:
    return Event(
        id=event_id(digest_of(text, when, session), 1),
        agent="test",
        claims=(Claim(session, f"/home/u/{session}"),),
        time_us=at(when),
        kind="prompt",
        role="user",
        text=text,
        digest=digest_of(text, when),
        redaction=1,
    )


def _never(_: Request) -> Exception | None:
    return None


@dataclass
class Watched:
    """A summarizer that counts its calls and can be told to fail."""

    inner: Local
    waits: Literal[False] = False
    fails_on: Callable[[Request], Exception | None] = _never
    calls: int = 0

    @property
    def recipe(self) -> Recipe:
        return self.inner.recipe

    def summarize(self, request: Request) -> Draft:
        self.calls += 1
        error = self.fails_on(request)
        if error is not None:
            raise error
        return self.inner.summarize(request)


def watched(fails_on: Callable[[Request], Exception | None] = _never) -> Watched:
    return Watched(Mock(5), fails_on=fails_on)


def fails_where(word: str, error: Exception) -> Callable[[Request], Exception | None]:
    """Fail on a segment in which the word was said."""

    def on(request: Request) -> Exception | None:
        items = [item for section in request.sections for item in section.items]
        hit = request.level is Level.SEGMENT and any(word in item.text for item in items)
        return error if hit else None

    return on


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "memory")


NOVEMBER = [
    said("fix the login", "2026-11-02T10:00"),
    said("store format", "2026-11-02T14:00"),
    said("retry the queue", "2026-11-04T09:00"),
    said("deploy", "2026-11-11T09:00"),
    said("year end", "2025-12-30T09:00"),
]
LATER_US = at("2027-03-01T00:00")
RECIPE = make("mock", Options(max_bullets=5)).recipe


def node(memory: Memory, node_id: str) -> Node:
    with memory.access.reading() as store:
        found = store.node(NodeId(node_id))
    assert found is not None, node_id
    return found


def has_node(memory: Memory, node_id: str) -> bool:
    with memory.access.reading() as store:
        return store.node(NodeId(node_id)) is not None


def healthy(memory: Memory, now_us: int) -> bool:
    with memory.access.reading() as store:
        return verify(store, now_us).healthy


def test_a_late_event_on_the_second_of_january_is_in_last_years_node_after_the_next_night(
    memory: Memory,
) -> None:
    memory.take_in(NOVEMBER)
    memory.roll_up_all(at("2027-01-01T04:00"))
    before = node(memory, "year:2026")
    memory.take_in([said("a late thought", "2026-11-03T08:00")])
    memory.roll_up(Level.DAY, at("2027-01-03T01:00"))  # the nightly job, nothing else
    after = node(memory, "year:2026")
    assert before.content != after.content
    assert memory.marks() == {}
    assert healthy(memory, at("2027-01-03T01:00"))


def test_no_reader_sees_a_fresh_month_over_a_stale_day(memory: Memory) -> None:
    memory.take_in(NOVEMBER)
    memory.roll_up_all(LATER_US)
    memory.take_in([said("late", "2026-11-03T08:00")])
    stale = {period.id for period in stale_periods(memory.marks(), memory.calendar.week_start)}
    assert stale == {"day:2026-11-03", "week:2026-11-01", "month:2026-11", "year:2026"}


@pytest.mark.parametrize("order", list(permutations(PERIOD_LEVELS)))
def test_after_a_night_asleep_the_timers_may_fire_in_any_order(
    order: tuple[Level, ...], tmp_path: Path
) -> None:
    shuffled, sorted_ = Memory(tmp_path / "shuffled"), Memory(tmp_path / "sorted")
    for one in (shuffled, sorted_):
        one.take_in(NOVEMBER)
    for level in order:
        assert shuffled.roll_up(level, LATER_US).exit_code == 0
    sorted_.roll_up_all(LATER_US)
    assert shuffled.closed_part(LATER_US) == sorted_.closed_part(LATER_US)


def test_periods_are_summarised_as_soon_as_they_have_ended(memory: Memory) -> None:
    memory.take_in(NOVEMBER)
    memory.roll_up(Level.DAY, at("2026-11-05T01:00"))
    assert has_node(memory, "day:2026-11-04")
    memory.roll_up(Level.WEEK, at("2026-11-08T02:00"))  # two hours after the week's end
    assert has_node(memory, "week:2026-11-01")
    assert not has_node(memory, "week:2026-11-08")
    memory.roll_up(Level.MONTH, at("2026-12-01T03:00"))
    assert has_node(memory, "month:2026-11")
    memory.roll_up(Level.YEAR, at("2027-01-01T03:30"))
    assert has_node(memory, "year:2026")


def test_the_open_period_is_left_alone_unless_asked_for(memory: Memory) -> None:
    memory.take_in(NOVEMBER)
    noon_us = at("2026-11-11T12:00")
    memory.roll_up(Level.DAY, noon_us)
    assert not has_node(memory, "day:2026-11-11")
    memory.roll_up(Level.WEEK, noon_us, choices=Choices(include_open=True))
    assert has_node(memory, "week:2026-11-08")
    assert has_node(memory, "day:2026-11-11")


def test_one_late_event_costs_one_call_for_each_node_above_it_and_no_more(memory: Memory) -> None:
    memory.take_in(NOVEMBER)
    memory.roll_up_all(LATER_US)
    memory.take_in([said("late", "2026-11-03T08:00")])
    summarizer = watched()
    memory.roll_up_all(LATER_US, summarizer=summarizer)
    assert summarizer.calls == len(("segment", "day", "week", "month", "year"))


def test_a_child_that_says_the_same_again_costs_its_parent_no_call(memory: Memory) -> None:
    memory.take_in(NOVEMBER)
    memory.roll_up_all(LATER_US)
    summarizer = watched()
    force = memory.calendar.parse("2026-11-04", LATER_US)
    memory.roll_up(Level.DAY, LATER_US, summarizer=summarizer, choices=Choices(force=force))
    assert summarizer.calls == len(("segment", "day"))
    assert memory.marks() == {}


def test_another_recipe_alone_rewrites_nothing(memory: Memory) -> None:
    memory.take_in(NOVEMBER)
    memory.roll_up_all(LATER_US)
    before = memory.everything()
    outcomes = memory.roll_up_all(LATER_US, summarizer=make("extractive", Options(max_bullets=3)))
    assert [outcome.run.calls for outcome in outcomes] == [0, 0, 0, 0]
    assert memory.everything() == before
    assert node(memory, "year:2026").recipe.summarizer == "mock"


def test_every_node_is_signed_with_its_recipe_and_its_run(memory: Memory) -> None:
    memory.take_in(NOVEMBER)
    summarizer = make("extractive", Options(max_bullets=4))
    outcomes = memory.roll_up_all(LATER_US, summarizer=summarizer)
    runs = {outcome.run.run for outcome in outcomes}
    with memory.access.reading() as store:
        for level in Level:
            for found in store.nodes(level):
                assert found.recipe == summarizer.recipe
                write = store.write_of(found.id)
                assert write is not None
                assert write.run in runs


def test_every_bullet_of_every_level_leads_to_the_words_that_prove_it(memory: Memory) -> None:
    memory.take_in(NOVEMBER)
    memory.roll_up_all(LATER_US)
    with memory.access.reading() as store:
        for level in Level:
            for found in store.nodes(level):
                for bullet in found.bullets:
                    assert bullet.grips
                    for grip_id in bullet.grips:
                        grip = store.grip(grip_id)
                        assert grip is not None
                        (event,) = (store.event(one) for one in grip.events)
                        assert event is not None
                        assert event.text[grip.start : grip.end] == grip.excerpt


def test_a_failing_segment_leaves_the_rest_written_and_its_parents_incomplete(
    memory: Memory,
) -> None:
    memory.take_in(NOVEMBER)
    broken = watched(fails_where("login", SummaryFailed("cannot say")))
    outcome = memory.roll_up(Level.DAY, at("2026-11-13T01:00"), summarizer=broken)
    assert outcome.exit_code == 1
    assert outcome.run.result == "failed"
    assert "segment:2026-11-02" in outcome.run.error
    assert [gap[:18] for gap in node(memory, "week:2026-11-01").gaps] == ["segment:2026-11-02"]
    assert has_node(memory, "day:2026-11-04")
    assert healthy(memory, at("2026-11-13T01:00"))


def test_a_failure_is_not_tried_again_before_its_time_and_then_mends_all_above(
    memory: Memory, tmp_path: Path
) -> None:
    memory.take_in(NOVEMBER)
    night_us = at("2027-02-01T01:00")
    memory.roll_up(
        Level.DAY, night_us, summarizer=watched(fails_where("login", SummaryFailed("no")))
    )
    soon = watched()
    outcome = memory.roll_up(Level.DAY, night_us + HOUR_US // 2, summarizer=soon)
    assert (outcome.exit_code, soon.calls) == (0, 0)
    assert outcome.run.left == {"segment": {"failed": 1}}
    memory.roll_up(Level.DAY, night_us + DAY_US)
    assert node(memory, "year:2026").gaps == ()
    fresh = Memory(tmp_path / "fresh")
    fresh.take_in(NOVEMBER)
    fresh.roll_up_all(LATER_US)
    assert memory.closed_part(LATER_US) == fresh.closed_part(LATER_US)


def test_failures_back_off_longer_each_time(memory: Memory) -> None:
    memory.take_in(NOVEMBER[:1])
    broken = watched(fails_where("login", SummaryFailed("no")))
    now_us = LATER_US
    waits: list[int] = []
    for _ in range(4):
        memory.roll_up(Level.DAY, now_us, summarizer=broken)
        with memory.access.reading() as store:
            (failure,) = store.failures().values()
        waits.append((failure.retry_us - now_us) // HOUR_US)
        now_us = failure.retry_us
    assert waits == [1, 2, 4, 8]


def test_an_endpoint_that_is_down_stops_the_run_and_counts_against_no_node(memory: Memory) -> None:
    memory.take_in(NOVEMBER)
    down = watched(fails_where("login", UnavailableError("connection refused", hint="start it")))
    outcome = memory.roll_up(Level.DAY, LATER_US, summarizer=down)
    assert outcome.exit_code == 69
    with memory.access.reading() as store:
        assert store.failures() == {}
    memory.roll_up_all(LATER_US)
    assert memory.marks() == {}


def test_a_wrong_key_stops_the_run_with_the_configuration_code(memory: Memory) -> None:
    memory.take_in(NOVEMBER)
    wrong = watched(fails_where("login", ConfigError("the key is not accepted")))
    assert memory.roll_up(Level.DAY, LATER_US, summarizer=wrong).exit_code == 78


def test_a_period_that_loses_its_last_event_loses_its_node(memory: Memory) -> None:
    memory.take_in(NOVEMBER)
    memory.roll_up_all(LATER_US)
    only = NOVEMBER[3]
    memory.take_in([Tombstone(only.id, "forgotten", only.time_us)])
    memory.roll_up(Level.DAY, LATER_US)
    for gone in ("day:2026-11-11", "week:2026-11-08"):
        assert not has_node(memory, gone)
    assert healthy(memory, LATER_US)
    assert memory.take_in([only]).forgotten == 1


def test_another_calendar_in_the_config_refuses_to_roll_up(memory: Memory) -> None:
    memory.take_in(NOVEMBER)
    other = replace(memory.calendar, week_start=0)
    outcome = memory.roll_up(Level.DAY, LATER_US, calendar=other)
    assert outcome.exit_code == 78
    assert outcome.error is not None
    assert "set the config back" in outcome.error.hint


def test_since_leaves_what_is_older(memory: Memory) -> None:
    memory.take_in(NOVEMBER)
    since = memory.calendar.parse("2026-11-04", LATER_US)
    memory.roll_up(Level.DAY, at("2026-11-12T01:00"), choices=Choices(since=since))
    assert not has_node(memory, "day:2026-11-02")
    assert has_node(memory, "day:2026-11-04")


def test_force_writes_a_period_and_all_below_it_again(memory: Memory) -> None:
    memory.take_in(NOVEMBER)
    memory.roll_up_all(LATER_US)
    other = make("extractive", Options(max_bullets=3))
    force = memory.calendar.parse("week:2026-11-01", LATER_US)
    memory.roll_up(Level.WEEK, LATER_US, summarizer=other, choices=Choices(force=force))
    assert node(memory, "week:2026-11-01").recipe == other.recipe
    assert node(memory, "day:2026-11-04").recipe == other.recipe
    assert node(memory, "day:2026-11-11").recipe.summarizer == "mock"
    assert healthy(memory, LATER_US)


def test_the_forecast_names_what_a_run_then_does(memory: Memory) -> None:
    memory.take_in(NOVEMBER)
    with memory.access.reading() as store:
        seen = forecast(
            store, PERIOD_LEVELS, Choices(), LATER_US, make("mock", Options(max_bullets=5))
        )
    outcomes = memory.roll_up_all(LATER_US)
    assert seen.calls == sum(outcome.run.calls for outcome in outcomes)
    with memory.access.reading() as store:
        assert (
            forecast(
                store, PERIOD_LEVELS, Choices(), LATER_US, make("mock", Options(max_bullets=5))
            ).calls
            == 0
        )


def test_a_rollup_without_a_store_does_nothing_and_makes_none(memory: Memory) -> None:
    assert memory.roll_up(Level.DAY, LATER_US).exit_code == 0
    assert not memory.access.exists()


def test_events_of_1970_and_2100_are_kept_where_they_say_and_listed(memory: Memory) -> None:
    memory.take_in([said("old", "1970-01-01T12:00"), said("far", "2100-06-01T12:00")])
    memory.roll_up_all(LATER_US)
    assert has_node(memory, "year:1970")
    assert not has_node(memory, "year:2100")
    with memory.access.reading() as store:
        found = verify(store, LATER_US)
    assert found.healthy
    assert found.strange_count == 2


def test_an_event_of_time_zero_west_of_greenwich_lies_in_1969_and_breaks_nothing(
    tmp_path: Path,
) -> None:
    memory = Memory(tmp_path / "m", Calendar("America/New_York"))
    memory.take_in([said("a broken clock", "1970-01-01T00:00"), *NOVEMBER])
    assert {outcome.exit_code for outcome in memory.roll_up_all(LATER_US)} == {0}
    assert has_node(memory, "year:1969")
    assert healthy(memory, LATER_US)


def test_a_month_holds_its_own_days_and_no_others(tmp_path: Path) -> None:
    """The week of 29 March 2026 lies in two months: its days go to the month that each is in."""
    memory = Memory(tmp_path / "m", Calendar("Europe/Berlin"))
    memory.take_in([said("in march", "2026-03-30T10:00"), said("in april", "2026-04-01T10:00")])
    memory.roll_up_all(LATER_US)
    assert [child.id for child in node(memory, "month:2026-03").children] == ["day:2026-03-30"]
    assert [child.id for child in node(memory, "month:2026-04").children] == ["day:2026-04-01"]
    assert [child.id for child in node(memory, "week:2026-03-29").children] == [
        "day:2026-03-30",
        "day:2026-04-01",
    ]


def test_new_zone_data_moves_the_days_whose_bounds_changed(memory: Memory) -> None:
    """The recorded offsets are made to differ, as they would after an update of the zone data."""
    from memtool.model.calendar import ZoneTable
    from memtool.store import keys
    from memtool.store.codec import encode_json

    memory.take_in(NOVEMBER)
    memory.roll_up_all(LATER_US)
    with memory.access.reading() as store:
        table = store.zone_table()
    assert table is not None
    old = ZoneTable(
        table.first_year,
        table.last_year,
        [*table.transitions, (at("2026-11-02T00:00"), 3600), (at("2026-11-04T00:00"), 0)],
    )
    edit(memory, keys.META, b"zone", encode_json(old))
    summarizer = watched()
    outcome = memory.roll_up(Level.DAY, LATER_US, summarizer=summarizer)
    assert outcome.run.periods == ("day:2026-11-02", "day:2026-11-04")
    assert summarizer.calls == 0  # the events are in the same days as before
    with memory.access.reading() as store:
        again = store.zone_table()
    assert again is not None
    assert again.transitions == table.transitions


def edit(memory: Memory, family: str, key: bytes, value: bytes) -> None:
    """Change one value behind the store's back."""
    store = Access(memory.root).open_for_writing(None)
    batch = store.engine.batch()
    batch.put(family, key, value)
    store.engine.write(batch, sync=True)
    store.close()


def test_a_day_is_named_by_its_period_not_by_the_first_segment(memory: Memory) -> None:
    memory.take_in(NOVEMBER)
    memory.roll_up_all(LATER_US)
    day = Period(Level.DAY, Calendar("UTC").day_of(at("2026-11-02T10:00")))
    assert [child.id[:18] for child in node(memory, day.id).children] == ["segment:2026-11-02"] * 2
