"""Dates that a question names."""

from __future__ import annotations

import pytest

from memtool.model.calendar import Calendar
from memtool.search.dates import span_named
from tests.cli.history import at

NOW_US = at("2026-12-10T11:00:00")
UTC = Calendar("UTC")


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("what did we do yesterday", "2026-12-09T00:00:00", "2026-12-10T00:00:00"),
        ("in March we tried", "2026-03-01T00:00:00", "2026-04-01T00:00:00"),
        ("what broke on 24 December?", "2025-12-24T00:00:00", "2025-12-25T00:00:00"),
        ("March 3rd, 2024", "2024-03-03T00:00:00", "2024-03-04T00:00:00"),
        ("the plan of 2026-W40", "2026-09-27T00:00:00", "2026-10-04T00:00:00"),
        ("since 2026-11-02", "2026-11-02T00:00:00", "2026-11-03T00:00:00"),
        ("last month", "2026-11-01T00:00:00", "2026-12-01T00:00:00"),
        ("in 2025", "2025-01-01T00:00:00", "2026-01-01T00:00:00"),
    ],
)
def test_a_date_is_the_span_that_it_lasts(text: str, start: str, end: str) -> None:
    assert span_named(text, UTC, NOW_US) == (at(start), at(end))


@pytest.mark.parametrize("text", ["why does it march on?", "31 February", "may I", "", "port 2025"])
def test_what_names_no_date_gives_none(text: str) -> None:
    assert span_named(text, UTC, NOW_US) is None
