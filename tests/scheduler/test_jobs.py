"""The job table is design's, and names that are not in it get help."""

from __future__ import annotations

import re

import pytest

from memtool.errors import UsageError
from memtool.systemd.jobs import JOBS, TASKS, job_named, runnable_named

TABLE = """
ingest        memtool ingest        *:0/15              60   never
day-rollup    memtool rollup day    *-*-* 01:00:00      300  summarizer
week-rollup   memtool rollup week   Sun *-*-* 02:00:00  300  summarizer
month-rollup  memtool rollup month  *-*-01 03:00:00     300  summarizer
year-rollup   memtool rollup year   *-01-01 03:30:00    300  summarizer
compaction    memtool compact       Sun *-*-* 04:00:00  600  never
"""


def test_the_jobs_are_the_ones_that_were_designed() -> None:
    rows = [
        "  ".join([job.name, " ".join(("memtool", *job.command)), job.schedule[0]])
        + f"  {job.settings.jitter_s}  {job.network}"
        for job in JOBS
    ]
    assert rows[:6] == [re.sub("  +", "  ", line) for line in TABLE.strip().splitlines()]


def test_units_are_named_after_the_job() -> None:
    job = job_named("day-rollup")
    assert (job.unit, job.timer) == ("memtool-day-rollup.service", "memtool-day-rollup.timer")


def test_what_could_fall_into_a_clock_change_has_a_second_time() -> None:
    """Clocks jump at 00:00, 01:00, 02:00 or 03:00, and on a Sunday nearly everywhere."""
    assert {job.name: job.schedule for job in JOBS if len(job.schedule) > 1} == {
        "day-rollup": ("*-*-* 01:00:00", "Sun *-*-* 03:30:00"),
        "week-rollup": ("Sun *-*-* 02:00:00", "Sun *-*-* 03:00:00"),
    }


def test_every_level_is_written_by_one_job() -> None:
    assert [level for job in JOBS for level in job.levels] == [
        "segment",
        "day",
        "week",
        "month",
        "year",
    ]


def test_an_unknown_job_is_a_usage_error_that_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="no job named 'week-rolup'") as caught:
        job_named("week-rolup")
    assert caught.value.hint.startswith("did you mean week-rollup?")
    with pytest.raises(UsageError) as caught:
        job_named("\x1b")
    assert caught.value.hint.startswith("the jobs are: ingest, day-rollup")


def test_a_task_runs_like_a_job_and_has_no_timer() -> None:
    assert [runnable_named(row.name) for row in (*JOBS, *TASKS)] == [*JOBS, *TASKS]
    with pytest.raises(UsageError, match="no job named 'rebuild'"):
        job_named("rebuild")
    with pytest.raises(UsageError) as caught:
        runnable_named("rebild")
    assert caught.value.hint.startswith("did you mean rebuild?")
