"""What readers share: short names that stay unique, times as people type them, counts, and the tree's frugality."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtool.errors import UsageError
from memtool.model.calendar import Calendar
from memtool.model.levels import Level
from memtool.model.records import (
    FIRST_INSTANT_US,
    LAST_INSTANT_US,
    ROLES,
    Claim,
    Event,
    digest_of,
    event_id,
)
from memtool.query import contents as contents_module
from memtool.query.contents import contents
from memtool.query.events import span_us
from memtool.query.names import shortest
from memtool.query.node import show
from memtool.query.reader import Reader, reader_for
from memtool.settings import Config, SummarizerSettings
from tests.memory import Memory

DAY_US = 24 * 3600 * 1_000_000
NOW_US = 20_000 * DAY_US + DAY_US // 2
BERLIN = Calendar("Europe/Berlin")

names = st.text("0123", min_size=1, max_size=12)


def event(number: int, time_us: int, session: str = "s") -> Event:
    return Event(
        id=event_id(digest_of("reading", number), 1),
        agent="test",
        claims=(Claim(session, "/p"),),
        time_us=time_us,
        kind="prompt",
        role=ROLES["prompt"],
        text="words",
        digest=digest_of(number),
    )


@given(names, st.lists(names), st.integers(1, 8))
def test_the_shortest_beginning_is_of_no_rival_unless_it_is_all_of_a_name(
    name: str, rivals: list[str], at_least: int
) -> None:
    short = shortest(name, rivals, at_least=at_least)
    assert name.startswith(short)
    assert len(short) >= min(at_least, len(name))
    also = [rival for rival in rivals if rival != name and rival.startswith(short)]
    assert not also or short == name


def typed(text: str, calendar: Calendar = BERLIN) -> tuple[int, int]:
    return span_us(Reader(Path("none"), NOW_US, calendar), None, text, "--since")


@given(st.integers(0, 60_000), st.integers(0, 24 * 60 - 1))
def test_a_minute_of_the_clock_is_where_a_day_that_began_then_would_begin(
    day: int, minute: int
) -> None:
    ordinal = 719_163 + 30 + day % 50_000
    date = BERLIN.holding(Level.DAY, BERLIN.day_start_us(ordinal)).id.removeprefix("day:")
    start_us, end_us = typed(f"{date}T{minute // 60:02}:{minute % 60:02}")
    assert end_us - start_us == 60_000_000
    assert start_us == Calendar("Europe/Berlin", minute).day_start_us(ordinal)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Apia"])
@pytest.mark.parametrize("text", ["1970", "2199", "1970-01-01", "1969-12-31", "2200", "2199-12-31"])
def test_a_time_never_lies_outside_what_a_store_can_hold(zone: str, text: str) -> None:
    start_us, end_us = typed(text, Calendar(zone))
    assert FIRST_INSTANT_US <= start_us <= end_us <= LAST_INSTANT_US


@given(st.text(max_size=20))
def test_whatever_is_typed_is_a_time_or_refused_with_the_forms(text: str) -> None:
    said = ""
    try:
        start_us, end_us = typed(text)
    except UsageError as error:
        said = error.hint
    assert "2026-11-22T14:30" in said if said else start_us <= end_us


@given(st.from_regex(r"(week:)?[0-9]{4}(-[0-9]{2}){0,2}|[0-9]{4}-W[0-9]{2}", fullmatch=True))
def test_whatever_period_is_typed_is_one_or_refused(text: str) -> None:
    reader = Reader(Path("none"), NOW_US, Calendar("Pacific/Apia", 240, 0))
    said = ""
    try:
        period = reader.period(None, text)
    except UsageError as error:
        said = error.hint
    assert "2026-W47" in said if said else period.first < period.end


def test_a_day_that_begins_before_1970_can_be_read(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "store", Calendar("America/New_York"))
    memory.take_in([event(1, 0)])
    reader = Reader(memory.root, NOW_US, memory.calendar)
    assert show(reader, "1969-12-31").events == 1
    assert [entry.id for entry in contents(reader).entries] == ["year:1969"]


def test_days_that_wait_are_counted_up_to_a_bound_and_then_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Memory(tmp_path / "store")
    memory.take_in([event(day, NOW_US - day * DAY_US) for day in range(6)])
    monkeypatch.setattr(contents_module, "MAX_COUNTED_DAYS", 2)
    reader = Reader(memory.root, NOW_US, memory.calendar)
    weeks = contents(reader, "2024-10", 2).entries[0].children
    days = [entry for week in weeks for entry in week.children]
    assert [entry.events for entry in days] == [None, None, 1, 1]
    assert contents(reader, "2024-10", 1).entries[0].events is None


def test_a_session_of_several_days_counts_once(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "store")
    memory.take_in([event(day, NOW_US - day * DAY_US, f"s{day % 2}") for day in range(1, 5)])
    memory.roll_up_all(NOW_US)
    year = show(Reader(memory.root, NOW_US, memory.calendar), "2024")
    assert (year.events, year.sessions, year.projects) == (4, 2, ("/p",))


def test_a_reader_needs_no_summarizer_that_works(tmp_path: Path) -> None:
    config = Config(summarizer=SummarizerSettings(name="no such thing"))
    reader = reader_for(config, tmp_path, NOW_US)
    assert reader.recipe is None
    assert not contents(reader).exists
