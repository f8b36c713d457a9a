"""A paused level is written by no scheduled run, what is made from it waits, and afterwards nothing shows of it."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memtool.context import RunContext
from memtool.jobs.runner import run_job
from memtool.ledger.file import Trigger
from memtool.ledger.reading import look
from memtool.model.calendar import Calendar
from memtool.model.levels import PERIOD_LEVELS, Level, place_of, stale_periods
from memtool.model.records import Record
from memtool.rollup.plan import Choices
from memtool.store.toc import mark_again
from memtool.summarize.mock import Mock
from memtool.systemd.jobs import JOBS, job_named
from memtool.systemd.pauses import ALL, Pause, end_pause, ignoring, set_pause
from tests.jobs.test_rollup import Watched, at, said, watched
from tests.memory import Memory
from tests.strategies import DAY_US, calendars, histories

SOME = settings(
    max_examples=max(10, settings().max_examples // 20),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
ROLLUPS = [job.name for job in JOBS if job.levels]
SCHEDULED: list[Trigger] = ["timer", "systemd", "cron"]
OLD = [said("one", "2026-01-05T10:00:00"), said("two", "2026-02-11T10:00:00")]
LATE = [said("late", "2026-01-05T11:00:00")]
NOW_US = at("2027-03-01T00:00:00")


def levels_of(jobs: Collection[str]) -> set[Level]:
    return {Level[word.upper()] for name in jobs for word in job_named(name).levels}


def texts(memory: Memory) -> dict[Level, list[tuple[str, str]]]:
    return {
        level: [(node.id, node.content) for node in memory.nodes(level)]
        for level in (Level.SEGMENT, *PERIOD_LEVELS)
    }


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    """Return a memory of two months of last year, rolled up, with a late event of January."""
    made = Memory(tmp_path / "memory")
    made.take_in(OLD)
    made.roll_up_all(NOW_US)
    made.take_in(LATE)
    return made


@pytest.mark.parametrize("trigger", SCHEDULED)
@pytest.mark.parametrize("job", ROLLUPS)
def test_no_scheduled_run_writes_a_paused_level_or_what_is_made_from_it(
    memory: Memory, job: str, trigger: Trigger
) -> None:
    before = texts(memory)
    set_pause(memory.root, Pause(job, NOW_US))
    for level in PERIOD_LEVELS:
        memory.roll_up(level, NOW_US, trigger=trigger)
    after = texts(memory)
    lowest = min(levels_of([job]))
    for level in (Level.SEGMENT, *PERIOD_LEVELS):
        assert (after[level] == before[level]) == (level >= lowest), level
    last = look(memory.root, job="year-rollup").runs[-1]
    waiting = {level.word: {"paused": 1} for level in PERIOD_LEVELS if level >= lowest}
    if job != "year-rollup":  # a skipped run looks at nothing
        assert last.left == waiting
        assert last.reason == f"1 year waits for {job}, which is paused"
        assert last.result == "partial"


@pytest.mark.parametrize("job", ROLLUPS)
def test_a_paused_level_costs_no_call(memory: Memory, job: str) -> None:
    set_pause(memory.root, Pause(job, NOW_US))
    counted = watched()
    for level in PERIOD_LEVELS:
        memory.roll_up(level, NOW_US, trigger="timer", summarizer=counted)
    assert counted.calls == len([level for level in Level if level < min(levels_of([job]))])


@pytest.mark.parametrize("job", ROLLUPS)
def test_by_hand_everything_is_written(memory: Memory, job: str) -> None:
    set_pause(memory.root, Pause(job, NOW_US))
    memory.roll_up(Level.YEAR, NOW_US)
    assert memory.marks() == {}
    set_pause(memory.root, Pause(ALL, NOW_US))
    memory.roll_up(Level.YEAR, NOW_US, choices=Choices(outdated=True), summarizer=watched())
    assert memory.marks() == {}


def test_what_depends_on_no_paused_level_is_written(memory: Memory) -> None:
    set_pause(memory.root, Pause("day-rollup", NOW_US))
    before = texts(memory)
    (january, february) = [place_of(node.id).period for node in memory.nodes(Level.MONTH)]

    def mark(context: RunContext) -> None:
        with memory.access.lease(context.writer) as lease:
            mark_again(lease.store(), february)

    run_job(job_named("ingest"), mark, root=memory.root)
    memory.roll_up(Level.MONTH, NOW_US, trigger="timer")
    assert texts(memory) == before
    assert february not in memory.marks()
    assert stale_periods(memory.marks(), memory.calendar.week_start) >= {january}


def test_forcing_in_a_scheduled_run_writes_no_paused_level(memory: Memory) -> None:
    memory.roll_up_all(NOW_US)
    january = place_of(memory.nodes(Level.MONTH)[0].id).period
    set_pause(memory.root, Pause("day-rollup", NOW_US))
    counted = watched()
    by_hand: Trigger = "manual"
    scheduled: Trigger = "timer"
    for trigger, calls in ((scheduled, 0), (by_hand, 5)):  # two segments, day, week and month
        memory.roll_up(
            Level.MONTH,
            NOW_US,
            trigger=trigger,
            choices=Choices(force=january),
            summarizer=counted,
        )
        assert counted.calls == calls


def test_one_run_that_may_ignore_pauses_writes_what_it_needs(memory: Memory) -> None:
    set_pause(memory.root, Pause("day-rollup", NOW_US))
    with ignoring(memory.root, "year-rollup"):
        memory.roll_up(Level.YEAR, NOW_US, trigger="systemd")
    assert memory.marks() == {}


def test_a_pause_that_has_ended_holds_nothing_back(memory: Memory) -> None:
    set_pause(memory.root, Pause("day-rollup", NOW_US, NOW_US + 5))
    memory.roll_up(Level.WEEK, NOW_US, trigger="timer")
    assert memory.marks()
    memory.roll_up(Level.WEEK, NOW_US + 5, trigger="timer")
    assert memory.marks() == {}


@SOME
@given(calendars, histories(), st.data())
def test_after_a_pause_everything_is_as_if_there_had_been_none(
    calendar: Calendar, history: list[Record], data: st.DataObject
) -> None:
    end_us = max((getattr(record, "time_us", 0) for record in history), default=0)
    now_us = end_us + data.draw(st.sampled_from([0, DAY_US, 40 * DAY_US, 400 * DAY_US]))
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        memory, never = Memory(Path(first) / "m", calendar), Memory(Path(second) / "m", calendar)
        cut = data.draw(st.integers(0, len(history)))
        memory.take_in(history[:cut])
        memory.roll_up_all(now_us)
        paused = data.draw(st.sets(st.sampled_from(ROLLUPS), min_size=1))
        for name in paused:
            set_pause(memory.root, Pause(name, now_us))
        before = texts(memory)
        memory.take_in(history[cut:])
        counted = Watched(Mock(5))
        for level in data.draw(st.permutations(PERIOD_LEVELS)):
            trigger = data.draw(st.sampled_from(SCHEDULED))
            memory.roll_up(level, now_us, trigger=trigger, summarizer=counted)
        after = texts(memory)
        for level in levels_of(paused):
            assert after[level] == before[level]
        end_pause(memory.root, ALL)
        for level in data.draw(st.permutations(PERIOD_LEVELS)):
            memory.roll_up(level, now_us, trigger="timer")
        never.take_in(history)
        never.roll_up_all(now_us)
        assert memory.closed_part(now_us) == never.closed_part(now_us)
