"""The calendar: periods partition time and each other, exactly, in every zone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtool.model.calendar import Calendar, calendar_from, transitions
from memtool.model.levels import (
    PERIOD_LEVELS,
    Level,
    Period,
    heading,
    inputs_of,
    listed_under,
    parents_of,
    parse_period,
    parse_segment,
    period_of,
    place_of,
    straddles,
)
from tests.strategies import calendars

HOUR_US = 3_600_000_000
days = st.integers(date(1970, 1, 2).toordinal(), date(2199, 12, 30).toordinal())
week_starts = st.integers(0, 6)


def day(text: str) -> int:
    return date.fromisoformat(text).toordinal()


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000_000)


@given(calendars, st.integers(0, 7_258_118_400_000_000 - 1))
def test_every_instant_lies_in_exactly_one_day(calendar: Calendar, instant_us: int) -> None:
    found = calendar.day_of(instant_us)
    start_us, end_us = calendar.bounds_us(Period(Level.DAY, found))
    assert start_us <= instant_us < end_us


@given(calendars, days)
def test_days_follow_each_other_without_gap_or_overlap(calendar: Calendar, number: int) -> None:
    today, tomorrow = Period(Level.DAY, number), Period(Level.DAY, number + 1)
    assert calendar.bounds_us(today)[1] == calendar.bounds_us(tomorrow)[0]
    assert calendar.bounds_us(today)[0] <= calendar.bounds_us(today)[1]


@given(calendars, days)
def test_a_day_begins_when_its_wall_clock_first_reads_the_day_start(
    calendar: Calendar, number: int
) -> None:
    zone = ZoneInfo(calendar.zone)
    wanted = number * 1440 + calendar.day_start_minutes

    def reading(instant_us: int) -> int:
        local = datetime.fromtimestamp(instant_us / 1_000_000, UTC).astimezone(zone)
        return local.toordinal() * 1440 + local.hour * 60 + local.minute

    start_us = calendar.day_start_us(number)
    assert reading(start_us) >= wanted
    assert (
        reading(start_us - 1_000_000) < wanted
        or calendar.bounds_us(Period(Level.DAY, number - 1))[0] == start_us
    )


@given(days, week_starts, st.sampled_from(PERIOD_LEVELS))
def test_inputs_partition_their_parent_exactly(number: int, week_start: int, level: Level) -> None:
    period = period_of(level, number, week_start)
    inputs = inputs_of(period, week_start)
    if level is Level.DAY:
        assert inputs == ()
        return
    covered = [covered_day for below in inputs for covered_day in range(below.first, below.end)]
    assert covered == list(range(period.first, period.end))


@given(days, week_starts, st.sampled_from(PERIOD_LEVELS))
def test_parents_are_those_that_have_it_as_an_input(
    number: int, week_start: int, level: Level
) -> None:
    period = period_of(level, number, week_start)
    for parent in parents_of(period, week_start):
        assert period in inputs_of(parent, week_start)
    for above in PERIOD_LEVELS:
        candidate = period_of(above, number, week_start)
        takes_it = period in inputs_of(candidate, week_start)
        assert takes_it == (candidate in parents_of(period, week_start))


@given(days, week_starts)
def test_a_month_is_made_of_whole_weeks_and_of_its_own_days_in_straddling_weeks(
    number: int, week_start: int
) -> None:
    month = period_of(Level.MONTH, number, week_start)
    for below in inputs_of(month, week_start):
        week = period_of(Level.WEEK, below.first, week_start)
        assert (below.level is Level.DAY) == straddles(week)


@given(days, week_starts)
def test_a_straddling_week_is_listed_under_both_months(number: int, week_start: int) -> None:
    week = period_of(Level.WEEK, number, week_start)
    for edge in (week.first, week.end - 1):
        month = period_of(Level.MONTH, edge, week_start)
        assert week in listed_under(month, week_start)


@given(days, week_starts, st.sampled_from(PERIOD_LEVELS))
def test_ids_name_their_period_and_sort_as_time_does(
    number: int, week_start: int, level: Level
) -> None:
    period = period_of(level, number, week_start)
    assert place_of(period.id) == period
    assert parse_period(period.id, today=number, week_start=week_start) == period
    later = period_of(level, period.end, week_start)
    assert period.id < later.id


@pytest.mark.parametrize(
    ("zone", "date_text", "hours"),
    [
        ("Europe/Berlin", "2024-03-31", 23),
        ("Europe/Berlin", "2024-10-27", 25),
        ("Australia/Lord_Howe", "2024-04-07", 24.5),
        ("Australia/Lord_Howe", "2024-10-06", 23.5),
        ("Pacific/Apia", "2011-12-30", 0),
        ("Asia/Beirut", "2024-03-31", 23),
        ("Asia/Kathmandu", "2024-03-31", 24),
    ],
)
def test_days_are_as_long_as_the_zone_makes_them(zone: str, date_text: str, hours: float) -> None:
    start_us, end_us = Calendar(zone).bounds_us(Period(Level.DAY, day(date_text)))
    assert (end_us - start_us) / HOUR_US == hours


def test_the_skipped_day_of_apia_holds_nothing_and_its_neighbours_meet() -> None:
    calendar = Calendar("Pacific/Apia")
    edge_us = instant("2011-12-30T10:00:00")
    assert calendar.day_of(edge_us - 1) == day("2011-12-29")
    assert calendar.day_of(edge_us) == day("2011-12-31")


def test_a_day_start_inside_a_gap_is_the_end_of_the_gap() -> None:
    calendar = calendar_from("Europe/Berlin", "02:30", "monday")
    assert calendar.day_start_us(day("2024-03-31")) == instant("2024-03-31T01:00:00")


def test_a_day_start_that_comes_twice_is_the_first_one() -> None:
    calendar = calendar_from("Europe/Berlin", "02:30", "monday")
    assert calendar.day_start_us(day("2024-10-27")) == instant("2024-10-27T00:30:00")


def test_work_after_midnight_counts_to_the_day_before_where_days_start_at_four() -> None:
    calendar = calendar_from("Europe/Berlin", "04:00", "sunday")
    assert calendar.day_of(instant("2026-11-22T01:30:00")) == day("2026-11-21")
    assert calendar.describe() == {
        "zone": "Europe/Berlin",
        "day_starts_at": "04:00",
        "week_starts_on": "sunday",
    }


def test_periods_close_at_their_end_and_settle_a_day_later() -> None:
    calendar = Calendar("UTC")
    week = period_of(Level.WEEK, day("2026-11-18"), calendar.week_start)
    end_us = instant("2026-11-22T00:00:00")
    assert not calendar.is_closed(week, end_us - 1)
    assert calendar.is_closed(week, end_us)
    assert not calendar.is_settled(week, end_us + 24 * HOUR_US - 1)
    assert calendar.is_settled(week, end_us + 24 * HOUR_US)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22", "day:2026-11-22"),
        ("day:2026-11-22", "day:2026-11-22"),
        ("week:2026-11-25", "week:2026-11-22"),
        ("2026-W47", "week:2026-11-15"),
        ("2026-w47", "week:2026-11-15"),
        ("2026-11", "month:2026-11"),
        ("year:2026", "year:2026"),
        ("today", "day:2026-11-23"),
        ("yesterday", "day:2026-11-22"),
        ("this-week", "week:2026-11-22"),
        ("last-week", "week:2026-11-15"),
        ("last-month", "month:2026-10"),
        ("last-year", "year:2025"),
        ("LAST-MONTH", "month:2026-10"),
        ("2026-13", None),
        ("1969-12-31", "day:1969-12-31"),
        ("9999-12-31", None),
        ("0001", None),
        ("9999-W52", None),
        ("2026-02-30", None),
        ("2025-W53", None),
        ("soon", None),
        ("", None),
    ],
)
def test_people_may_name_a_period_in_many_ways(text: str, expected: str | None) -> None:
    found = Calendar("UTC").parse(text, instant("2026-11-23T12:00:00"))
    assert (found.id if found else None) == expected


def test_headings_say_date_and_scope() -> None:
    names = {
        "day:2026-11-22": "Sun 22 Nov 2026",
        "week:2026-11-22": "Week 22–28 Nov 2026",
        "week:2026-11-29": "Week 29 Nov–5 Dec 2026",
        "week:2026-12-27": "Week 27 Dec 2026–2 Jan 2027",
        "month:2026-11": "November 2026",
        "year:2026": "2026",
    }
    for text, expected in names.items():
        period = parse_period(text, today=1, week_start=6)
        assert period is not None
        assert heading(period) == expected


@given(st.text(max_size=30))
def test_parsing_what_people_type_never_crashes(text: str) -> None:
    parse_period(text, today=day("2026-11-23"), week_start=6)
    parse_segment(text)


def test_segments_are_named_by_day_and_tail() -> None:
    found = parse_segment("segment:2026-11-22:00ff00ff00ff00ff")
    assert found is not None
    assert found.id == "segment:2026-11-22:00ff00ff00ff00ff"
    assert parse_segment("segment:2026-02-30:00") is None


def test_transitions_list_every_change_of_offset_in_the_span() -> None:
    rows = transitions("Europe/Berlin", 2024, 2024)
    assert [offset for _, offset in rows] == [3600, 7200, 3600]
    assert rows[1][0] == instant("2024-03-31T01:00:00")
    assert rows[2][0] == instant("2024-10-27T01:00:00")
    assert rows[-1][0] < instant("2025-01-02T00:00:00")
