"""When jobs are to run: defaults move with the calendar, settings are taken as they are, zones are named."""

from __future__ import annotations

import os
import shutil
import time

import pytest

from memtool.cli.scheduler.apply import skipped_day
from memtool.model.calendar import Calendar
from memtool.process import run
from memtool.systemd.dropins import schedule_of
from memtool.systemd.jobs import JOBS, job_named

MIDNIGHT = Calendar("Europe/Berlin")
FOUR = Calendar("Europe/Berlin", 4 * 60)
LATE = Calendar("UTC", 23 * 60 + 30)
MONDAY = Calendar("UTC", 0, 0)


@pytest.mark.parametrize(
    ("job", "calendar", "expected"),
    [
        ("ingest", FOUR, ["*:0/15"]),
        ("day-rollup", MIDNIGHT, ["*-*-* 01:00:00 Europe/Berlin", "Sun *-*-* 03:30:00 Europe/Berlin"]),
        ("day-rollup", LATE, ["*-*-* 00:30:00 UTC", "Mon *-*-* 03:00:00 UTC"]),
        ("week-rollup", FOUR, ["Sun *-*-* 06:00:00 Europe/Berlin", "Sun *-*-* 07:00:00 Europe/Berlin"]),
        ("week-rollup", MONDAY, ["Mon *-*-* 02:00:00 UTC", "Mon *-*-* 03:00:00 UTC"]),
        ("week-rollup", Calendar("UTC", 23 * 60, 6), ["Mon *-*-* 01:00:00 UTC", "Mon *-*-* 02:00:00 UTC"]),
        ("month-rollup", FOUR, ["*-*-01 07:00:00 Europe/Berlin"]),
        ("month-rollup", LATE, ["*-*-02 02:30:00 UTC"]),
        ("year-rollup", LATE, ["*-01-02 03:00:00 UTC"]),
        ("compaction", MONDAY, ["Sun *-*-* 04:00:00 UTC"]),
    ],
)  # fmt: skip
def test_defaults_move_with_the_calendar(job: str, calendar: Calendar, expected: list[str]) -> None:
    assert list(schedule_of(job_named(job), "", calendar)) == expected


@pytest.mark.parametrize("job", JOBS, ids=lambda job: str(job.name))
def test_without_a_calendar_the_defaults_are_the_tables(job: object) -> None:
    row = next(one for one in JOBS if one is job)
    assert schedule_of(row, " ; ", None) == row.schedule


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("daily", ["daily Europe/Berlin"]),
        ("Sun 2:00; Sun 3:00;", ["Sun 2:00 Europe/Berlin", "Sun 3:00 Europe/Berlin"]),
        ("*-*-* 02:00:00 UTC", ["*-*-* 02:00:00 UTC"]),
        ("Mon..Fri 20:00 America/New_York", ["Mon..Fri 20:00 America/New_York"]),
        ("Sun", ["Sun Europe/Berlin"]),
    ],
)
def test_a_setting_is_not_moved_and_gets_the_zone_that_it_lacks(
    setting: str, expected: list[str]
) -> None:
    assert list(schedule_of(job_named("week-rollup"), setting, FOUR)) == expected


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here")
@pytest.mark.parametrize("calendar", [None, MIDNIGHT, FOUR, LATE, MONDAY])
def test_systemd_understands_every_default(calendar: Calendar | None) -> None:
    for job in JOBS:
        argv = ["systemd-analyze", "calendar", *schedule_of(job, "", calendar)]
        done = run(argv, {"PATH": os.environ["PATH"]})
        assert done.is_ok, done


BERLIN, LONDON = "Europe/Berlin", "Europe/London"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here")
@pytest.mark.parametrize(
    ("times", "zone", "is_skipped"),
    [
        (["Sun *-*-* 02:00:00"], BERLIN, True),
        (["*-*-* 01:00:00"], LONDON, True),
        (["*-*-* 01:00:00"], BERLIN, False),
        (["Sun *-*-* 02:00:00", "Sun *-*-* 03:00:00"], BERLIN, False),
        (["*:0/15"], BERLIN, False),
        (["Sun *-*-* 02:00:00"], "UTC", False),
    ],
)
def test_a_time_that_the_clock_jumps_over_is_found(
    times: list[str], zone: str, *, is_skipped: bool
) -> None:
    now_us = time.time_ns() // 1000  # systemd-analyze starts from it
    found = skipped_day([f"{text} {zone}" for text in times], {"PATH": os.environ["PATH"]}, now_us)
    assert (found is not None) == is_skipped
    assert found is None or (found.month, 25 <= found.day <= 31) == (3, True)
