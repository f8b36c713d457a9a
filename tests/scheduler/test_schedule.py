"""OnCalendar= expressions as systemd 252 normalised them, their last time, and what clock changes take from them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtool.systemd.due import last_due_us, lost_to_clock
from memtool.systemd.jobs import JOBS
from memtool.systemd.schedule import Schedule, parse_schedule, parse_schedules

BERLIN, LONDON, NEW_YORK = "Europe/Berlin", "Europe/London", "America/New_York"


def us(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def schedule(text: str) -> Schedule:
    found = parse_schedule(text)
    assert found is not None, text
    return found


@pytest.mark.parametrize(
    ("text", "day", "times"),
    [
        ("*-*-* 01:00:00", "2026-11-24", ["01:00:00"]),
        ("Sun *-*-* 02:00:00 Europe/Berlin", "2026-11-22", ["02:00:00"]),
        ("Mon..Wed,Fri *-*-* 05:00:00", "2026-11-27", ["05:00:00"]),
        ("Sat,Sun *-*-* 12..13:00,30:00/20", "2026-11-28", ["13:30:40", "13:30:20", "13:30:00"]),
        ("*-02~01 01:00:00", "2028-02-29", ["01:00:00"]),
        ("*-*~07/1 03:00:00", "2026-11-24", ["03:00:00"]),
        ("2027-*-01..07/2 00:00:00", "2027-05-07", ["00:00:00"]),
        ("*-01,04,07,10-01 00:00:00 UTC", "2026-10-01", ["00:00:00"]),
        ("*-*-* 00/2:00:00", "2026-01-01", ["22:00:00", "20:00:00"]),
        ("Thu *-*-* 02:00:00.500000", "2026-11-26", ["02:00:00"]),
    ],
)
def test_what_systemd_writes_is_understood(text: str, day: str, times: list[str]) -> None:
    found = schedule(text)
    assert found.has_day(date.fromisoformat(day))
    shown = [str(timedelta(seconds=time_s)).zfill(8) for time_s in found.times()]
    assert shown[: len(times)] == times


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("Sun *-*-* 02:00:00", "2026-11-23"),
        ("Mon..Wed,Fri *-*-* 05:00:00", "2026-11-26"),
        ("*-02~01 01:00:00", "2028-02-28"),
        ("*-*~07/1 03:00:00", "2026-11-23"),
        ("2027-*-01..07/2 00:00:00", "2027-05-06"),
    ],
)
def test_other_days_are_not_named(text: str, day: str) -> None:
    assert not schedule(text).has_day(date.fromisoformat(day))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "daily",
        "*-*-*",
        "Foo *-*-* 1:00:00",
        "*-*-* 25:00:00",
        "*-00-01 00:00:00",
        "*-*-* 1:0/0:0",
        "5..3-*-* 0:0:0",
    ],
)
def test_what_cannot_be_read_is_none(text: str) -> None:
    assert parse_schedule(text) is None


@given(st.text(alphabet="SunMo*-~:,./0123456789 UTC", max_size=40))
def test_no_text_crashes_the_reader(text: str) -> None:
    found = parse_schedule(text)
    assert found is None or all(0 <= time_s < 86_400 for time_s in found.times())


@pytest.mark.parametrize(
    ("texts", "now", "expected"),
    [
        (["*-*-* 01:00:00"], "2026-11-24T12:00", "2026-11-24T01:00"),
        (["*-*-* 01:00:00"], "2026-11-24T00:59", "2026-11-23T01:00"),
        (["*-*-* 01:00:00 Europe/Berlin"], "2026-11-24T00:00", "2026-11-24T00:00"),
        (["Sun *-*-* 02:00:00", "Sun *-*-* 03:00:00"], "2026-11-24T12:00", "2026-11-22T03:00"),
        (["*-01-01 03:30:00"], "2026-11-24T12:00", "2026-01-01T03:30"),
        (["*-*-* *:00/15:00"], "2026-11-24T12:14", "2026-11-24T12:00"),
        # the clock of Berlin had no 02:00 on 28 March 2027: that week's time is the one before
        (["Sun *-*-* 02:00:00 Europe/Berlin"], "2027-04-01T00:00", "2027-03-21T01:00"),
    ],
)
def test_the_last_time_that_was_due(texts: list[str], now: str, expected: str) -> None:
    assert last_due_us(parse_schedules(texts), us(now), "UTC") == us(expected)


def test_what_was_never_due_or_has_no_zone_is_unknown() -> None:
    assert last_due_us(parse_schedules(["2030-*-* 01:00:00"]), us("2026-11-24"), "UTC") is None
    assert last_due_us(parse_schedules(["*-*-* 01:00:00"]), us("2026-11-24"), "") is None


@given(
    st.sampled_from([BERLIN, LONDON, "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
    st.integers(us("2026-01-01"), us("2028-01-01")),
    st.sampled_from(
        ["*-*-* 02:30:00", "Sun *-*-* 02:00:00", "*-*-* *:00/15:00", "*-*-01 03:00:00"]
    ),
)
def test_the_last_time_is_before_now_and_none_is_between(zone: str, now_us: int, text: str) -> None:
    schedules = parse_schedules([text])
    found = last_due_us(schedules, now_us, zone)
    assert found is not None
    assert found <= now_us
    assert last_due_us(schedules, found, zone) == found


@pytest.mark.parametrize(
    ("texts", "zone", "day"),
    [
        (["Sun *-*-* 02:00:00"], BERLIN, "2027-03-28"),
        (["*-*-* 02:30:00"], BERLIN, "2027-03-28"),
        (["Sun *-*-* 02:00:00 America/New_York"], "UTC", "2027-03-14"),
        (["*-*-* 01:00:00"], LONDON, "2027-03-28"),
        (["*-03-28 02:00:00"], BERLIN, "2027-03-28"),
    ],
)
def test_a_time_that_the_clock_jumps_over_is_told(texts: list[str], zone: str, day: str) -> None:
    gap = lost_to_clock(parse_schedules(texts), us("2026-11-24"), zone)
    assert gap is not None
    assert gap.day == date.fromisoformat(day)


@pytest.mark.parametrize(
    ("texts", "zone"),
    [
        (["Sun *-*-* 02:00:00"], "UTC"),
        (["Sun *-*-* 02:00:00 UTC"], BERLIN),
        (["Sun *-*-* 02:00:00", "Sun *-*-* 03:00:00"], BERLIN),
        (["*-*-* *:00/15:00"], BERLIN),
        (["Mon *-*-* 02:00:00"], BERLIN),
        (["*-*-* 03:00:00"], BERLIN),
        (["Sun *-*-* 02:00:00"], ""),
    ],
)
def test_what_loses_nothing_is_not_told(texts: list[str], zone: str) -> None:
    assert lost_to_clock(parse_schedules(texts), us("2026-11-24"), zone) is None


@pytest.mark.parametrize(
    "zone",
    [
        BERLIN,
        LONDON,
        NEW_YORK,
        "Australia/Sydney",
        "Atlantic/Azores",
        "America/Santiago",
        "Europe/Helsinki",
    ],
)
@pytest.mark.parametrize("job", JOBS, ids=lambda job: str(job.name))
def test_the_default_schedules_lose_nothing_in_any_zone(job: object, zone: str) -> None:
    row = next(one for one in JOBS if one is job)
    normalised = [text.replace("*:0/15", "*-*-* *:00/15:00") for text in row.schedule]
    assert lost_to_clock(parse_schedules(normalised), us("2026-11-24"), zone) is None
