"""The calendar of days: weeks as columns, shades by quarters, months where they begin; pure, so compared as text."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtool.cli.heatmap import bounds_of, drawn, heat_map, legend

MONDAY, SUNDAY = 0, 6


def day(text: str) -> int:
    return date.fromisoformat(text).toordinal()


def text_of(counts: dict[str, int], first: str, last: str, week_start: int, *, blocks: bool) -> str:
    by_day = {day(text): count for text, count in counts.items()}
    shown = heat_map(by_day, day(first), day(last), week_start)
    lines = ["".join(text for text, _ in line).rstrip() for line in drawn(shown, has_blocks=blocks)]
    return "\n".join([*lines, "".join(text for text, _ in legend(shown, has_blocks=blocks))])


QUARTER = {"2026-10-01": 1, "2026-10-05": 2, "2026-11-22": 40, "2026-11-23": 700, "2026-12-31": 3}


def test_a_quarter_in_weeks_that_start_on_sunday() -> None:
    assert text_of(QUARTER, "2026-10-01", "2026-12-31", SUNDAY, blocks=False) == (
        "    Oct  Nov Dec\n"
        "Sun  .......3.....\n"
        "Mon  1......4.....\n"
        "Tue  .............\n"
        "Wed  .............\n"
        "Thu 1............2\n"
        "Fri .............\n"
        "Sat .............\n"
        ". none  1 1-2  2 3  3 4-40  4 41-700"
    )


def test_the_same_in_weeks_that_start_on_monday_and_blocks() -> None:
    assert text_of(QUARTER, "2026-10-01", "2026-12-31", MONDAY, blocks=True) == (
        "    Oct Nov  Dec\n"
        "Mon  ░······█·····\n"
        "Tue  ·············\n"
        "Wed  ·············\n"
        "Thu ░············▒\n"
        "Fri ·············\n"
        "Sat ·············\n"
        "Sun ·······▓·····\n"
        "· none  ░ 1–2  ▒ 3  ▓ 4–40  █ 41–700"
    )


def test_nothing_at_all_is_a_calendar_of_dots() -> None:
    shown = text_of({}, "2026-11-20", "2026-11-22", MONDAY, blocks=False)
    assert shown == "    Nov\nMon\nTue\nWed\nThu\nFri .\nSat .\nSun .\n. none"


def test_the_first_month_gives_way_to_the_next_one() -> None:
    shown = text_of({}, "2026-01-25", "2026-03-20", SUNDAY, blocks=False)
    assert shown.splitlines()[0] == "     Feb Mar"


@pytest.mark.parametrize(
    ("counts", "bounds"),
    [
        ([], ()),
        ([5], (5, 5, 5, 5)),
        ([1, 2, 3, 4], (1, 2, 3, 4)),
        ([1, 1, 1, 900], (1, 1, 1, 900)),
        ([7, 7, 7, 7, 7], (7, 7, 7, 7)),
    ],
)
def test_each_shade_has_a_quarter_of_the_days(counts: list[int], bounds: tuple[int, ...]) -> None:
    assert bounds_of(counts) == bounds


@given(
    first=st.integers(date(1970, 1, 1).toordinal(), date(2199, 1, 1).toordinal()),
    length=st.integers(1, 366),
    week_start=st.integers(0, 6),
    data=st.data(),
)
def test_every_day_has_its_place_and_the_width_fits(
    first: int, length: int, week_start: int, data: st.DataObject
) -> None:
    last = first + length - 1
    days = st.dictionaries(st.integers(first - 9, last + 9), st.integers(1, 10**6), max_size=30)
    counts = data.draw(days)
    shown = heat_map(counts, first, last, week_start)
    seen = {
        shown.first + week * 7 + weekday: shade
        for weekday, row in enumerate(shown.rows)
        for week, shade in enumerate(row)
        if shade is not None
    }
    assert sorted(seen) == list(range(first, last + 1))
    assert {one for one, shade in seen.items() if shade} == set(counts) & set(seen)
    assert all(0 <= shade <= 4 for shade in seen.values())
    ordered = sorted((counts.get(one, 0), shade) for one, shade in seen.items())
    assert [shade for _, shade in ordered] == sorted(shade for _, shade in ordered)
    lines = ["".join(text for text, _ in line) for line in drawn(shown, has_blocks=False)]
    assert max(map(len, lines)) <= 62
    assert all(line.isascii() for line in lines)
