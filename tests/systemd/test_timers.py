"""Timers on a real systemd: they fire, they make up for what was missed, and the order does not matter."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from memtool.systemd.jobs import JOBS
from tests.systemd.machine import wait_until
from tests.systemd.sides import AT_ONCE, SOON, Side, all_jobs

pytestmark = pytest.mark.slow

LAST_YEAR = datetime.now(UTC).year - 1


Expected = Callable[..., Any]


@pytest.fixture(scope="module")
def expected() -> Expected:
    """Return a function that gives the table of contents of the same transcripts, taken in by hand and in order."""
    known: dict[bool, Any] = {}

    def toc(side: Side, *, is_late: bool = False) -> Any:
        if is_late not in known:
            store = ("--store", f"{side.home}/by-hand")
            side.memtool(*store, "ingest")
            side.memtool(*store, "rollup", "all")
            known[is_late] = side.toc(*store)
        return known[is_late]

    return toc


def test_a_timer_fires_its_job_and_the_table_of_contents_appears(
    side: Side, expected: Expected
) -> None:
    side.give_transcripts(year=LAST_YEAR)
    side.drop_in("memtool-ingest.timer", SOON)
    assert side.wait_for_runs("ingest", 1)[0]["trigger"] == "timer"
    side.drop_in("memtool-day-rollup.timer", SOON)
    run = side.wait_for_runs("day-rollup", 1)[0]
    assert (run["trigger"], run["result"]) == ("timer", "done")
    assert side.toc() == expected(side)
    assert "new events" in side.journal("ingest")
    wait_until(lambda: side.status("week-rollup")["next_us"], "status knows the next run")
    status = side.status("day-rollup")
    assert status["healthy"]
    assert status["last"]["trigger"] == "timer"


def test_what_was_missed_while_the_machine_was_off_is_made_up_for_once(
    side: Side, expected: Expected
) -> None:
    side.give_transcripts(year=LAST_YEAR)
    side.drop_in("memtool-.timer", AT_ONCE)
    side.machine.power_off()
    stamps = [f"{{}}{side.stamps}/stamp-{job.timer}" for job in JOBS]
    side.machine.on_disk("touch", "--date=400 days ago", *stamps)
    side.boot()
    runs = [run for job in all_jobs() for run in side.wait_for_runs(job, 1)]
    assert [run["trigger"] for run in runs] == ["timer"] * len(JOBS)
    assert [run["result"] for run in runs] == ["done"] * len(JOBS)
    for earlier, later in pairwise(runs):  # one after the other, lower levels first
        assert earlier["ended_us"] <= later["started_us"]
    assert side.toc() == expected(side)


def test_whatever_order_they_are_started_in_the_result_is_the_same(
    system: Side, expected: Expected
) -> None:
    system.give_transcripts(year=LAST_YEAR)
    for job in reversed(all_jobs()):
        assert system.start(job).returncode == 0
    assert system.start(*reversed(all_jobs())).returncode == 0
    assert system.toc() == expected(system)


def elapses(system: Side, spec: str, base: str, count: int) -> list[datetime]:
    command = ("env", "TZ=Europe/Berlin", "systemd-analyze", "calendar", f"--base-time={base}")
    said = system.machine.run(*command, f"--iterations={count}", spec).stdout
    found = re.findall(r"(?:Next elapse|Iter.*#\d+): \w{3} (\S+ \S+) CES?T", said)
    return [datetime.fromisoformat(when) for when in found]


def test_a_spring_night_without_two_o_clock_costs_no_week(system: Side) -> None:
    calendars = system.property("memtool-week-rollup.timer", "TimersCalendar")
    specs = re.findall(r"OnCalendar=(.*?) ;", calendars)
    times = [time for spec in specs for time in elapses(system, spec, "2027-03-15", 5)]
    sundays = sorted({time.date() for time in times})
    assert datetime(2027, 3, 28).date() in sundays  # noqa: DTZ001 - the day on which clocks change
    assert all(later - earlier == timedelta(days=7) for earlier, later in pairwise(sundays))


def test_a_late_event_is_in_last_year_s_node_after_the_next_nightly_job(
    system: Side, expected: Expected
) -> None:
    system.give_transcripts(year=LAST_YEAR)
    for job in all_jobs():
        assert system.start(job).returncode == 0
    before = system.json("show", f"year:{LAST_YEAR}")
    system.give_transcripts("late", year=LAST_YEAR)
    assert system.start("ingest").returncode == 0
    assert "stale" in system.json("show", f"year:{LAST_YEAR}")["state"]
    system.drop_in("memtool-day-rollup.timer", SOON)
    wait_until(lambda: len(system.runs("day-rollup")) > 1, "the nightly job")
    after = system.json("show", f"year:{LAST_YEAR}")
    assert after["state"] == []
    assert after["events"] > before["events"]
    assert system.toc() == expected(system, is_late=True)
    assert system.memtool("verify").returncode == 0


def test_a_reboot_in_between_changes_no_schedule(side: Side) -> None:
    before = {job.timer: side.next_elapse(job.timer) for job in JOBS}
    side.reboot()
    after = {job.timer: side.next_elapse(job.timer) for job in JOBS}
    now = datetime.now(UTC)
    # What was missed before the boot is made up for some seconds after it: that is no schedule.
    scheduled = [
        job.timer
        for job in JOBS
        if before[job.timer] > now + timedelta(seconds=job.settings.jitter_s)
    ]
    assert [after[timer] for timer in scheduled] == [before[timer] for timer in scheduled]
