"""What `stats` counts: every kept event on the day of the store's calendar, whatever its zone does to clocks."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtool.model.calendar import Calendar
from memtool.model.levels import Level
from memtool.model.records import Claim, Tombstone
from memtool.query.reader import Reader
from memtool.query.stats import By, Stats, stats, window_of
from tests.cli.history import CALENDAR, NOW_US, STATION, Scribe, at, event, remember
from tests.memory import Memory


def counted(memory: Memory, now_us: int = NOW_US, **more: object) -> Stats:
    return stats(Reader(memory.root, now_us, memory.calendar), **more)  # type: ignore[arg-type]


def days_of(found: Stats) -> dict[str, int]:
    return dict(found.calendar.days)


def test_without_a_store_there_is_nothing(tmp_path: Path) -> None:
    found = counted(Memory(tmp_path / "store", CALENDAR))
    assert (found.exists, found.events, found.calendar.days) == (False, 0, {})
    assert list((tmp_path).iterdir()) == []


def test_a_remembered_history_is_counted(tmp_path: Path) -> None:
    memory = remember(tmp_path / "store")
    found = counted(memory, by=By.PROJECT)
    assert (found.exists, found.events, found.sessions, found.projects) == (True, 18, 3, 2)
    assert found.agents == {"claude-code": 3}
    assert (found.first_us, found.last_us) == (at("2025-12-31T10:00:00"), at("2026-12-10T08:00:00"))
    assert days_of(found) == {
        "2025-12-31": 2, "2026-11-29": 8, "2026-12-01": 3, "2026-12-03": 3, "2026-12-10": 2,
    }  # fmt: skip
    assert (found.failed, found.stale["day"]) == (1, 1)
    assert found.parts is not None
    assert {part.name: part.events for part in found.parts} == {
        "/home/mira/src/teeladen": 12,
        "/home/mira/src/wetterstation": 6,
    }
    disk = found.disk
    parts = sum(disk.families.values()) + disk.other_bytes + disk.ledger_bytes
    assert parts <= disk.total_bytes
    assert found.disk.families["nodes"] > 0


def test_counting_by_segments_and_by_events_comes_to_the_same(tmp_path: Path) -> None:
    rolled, fresh = Memory(tmp_path / "a", CALENDAR), Memory(tmp_path / "b", CALENDAR)
    events = [
        event(n, f"2026-11-{1 + n % 20:02}T{n % 24:02}:00:00", "prompt", f"Number {n}", claim)
        for n in range(60)
        for claim in [STATION if n % 3 else Claim("s", "")]
    ]
    for memory in (rolled, fresh):
        memory.take_in(events, now_us=NOW_US)
    rolled.roll_up(Level.DAY, NOW_US, summarizer=Scribe())
    assert counted(rolled, by=By.PROJECT).parts == counted(fresh, by=By.PROJECT).parts
    assert counted(rolled, by=By.AGENT).parts == counted(fresh, by=By.AGENT).parts


def test_what_was_taken_away_is_told_apart(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "store", CALENDAR)
    gone = event(1, "2026-11-29T08:00:00", "prompt", "Forget me")
    memory.take_in([gone, event(2, "2026-11-29T09:00:00", "prompt", "Keep me")])
    memory.take_in([Tombstone(gone.id, "forgotten", NOW_US)])
    found = counted(memory)
    assert (found.events, found.tombstones) == (1, {"forgotten": 1})


@pytest.mark.parametrize(
    ("zone", "starts", "expected"),
    [
        ("UTC", 0, {"2026-03-28": 1, "2026-03-29": 3}),
        ("Europe/Berlin", 0, {"2026-03-29": 4}),
        ("Europe/Berlin", 150, {"2026-03-28": 2, "2026-03-29": 2}),  # 02:30, which that night has not
        ("Pacific/Kiritimati", 0, {"2026-03-29": 4}),
        ("America/St_Johns", 0, {"2026-03-28": 4}),
    ],
)  # fmt: skip
def test_days_are_the_stores_own(
    tmp_path: Path, zone: str, starts: int, expected: dict[str, int]
) -> None:
    memory = Memory(tmp_path / "store", Calendar(zone, starts))
    times = ("28T23:30:00", "29T00:30:00", "29T01:00:00", "29T02:00:00")
    memory.take_in([event(n, f"2026-03-{t}", "prompt", "Hi") for n, t in enumerate(times)])
    assert days_of(counted(memory)) == expected


def test_a_day_that_the_zone_skipped_holds_nothing(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "store", Calendar("Pacific/Apia"))
    hours = [f"2011-12-30T{hour:02}:30:00" for hour in range(24)]
    memory.take_in([event(n, time, "prompt", "Hi") for n, time in enumerate(hours)])
    assert days_of(counted(memory, year=2011)) == {"2011-12-29": 10, "2011-12-31": 14}


def test_progress_rises_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = remember(tmp_path / "store")
    monkeypatch.setattr("memtool.query.stats.SHOWN_EVERY", 3)
    heard: list[float] = []
    counted(memory, on_progress=heard.append)
    assert heard == sorted(heard)
    assert all(0 <= part <= 1 for part in heard)
    assert heard


@given(st.dates(date(1971, 1, 1), date(2199, 12, 31)))
def test_twelve_months_end_today_and_are_a_year(today: date) -> None:
    start, last = window_of(today.toordinal(), None)
    first = date.fromordinal(start)
    assert last == today.toordinal()
    assert last - start + 1 in (365, 366, 367)
    assert first.year in (today.year - 1, today.year)


def test_a_year_is_shown_as_far_as_it_has_come() -> None:
    today = date(2026, 3, 1).toordinal()
    assert window_of(today, 2025)[1] == date(2025, 12, 31).toordinal()
    assert window_of(today, 2026)[1] == today
    assert window_of(today, 2027)[1] == date(2027, 12, 31).toordinal()
