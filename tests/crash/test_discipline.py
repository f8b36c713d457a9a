"""No writer while waiting: while a summarizer waits for something outside, others write, and what they write counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from memtool.locks import TREE, WRITER, WRITER_QUEUE, is_free, lock_path
from memtool.model.levels import PERIOD_LEVELS, Level
from memtool.model.summary import Request
from tests.crash.checks import assert_sound, closed_part, problems, results
from tests.crash.discipline import Waiting, take_in_at_once
from tests.crash.events import an_event
from tests.crash.forks import Forks
from tests.crash.history import AFTER_ALL_US
from tests.memory import Memory

DAY, *UPPER = PERIOD_LEVELS


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    """Return a memory with two events of one day."""
    found = Memory(tmp_path / "memory")
    found.take_in([an_event(0), an_event(1)])
    return found


def rebuilt(place: Path, count: int) -> Memory:
    """Return a memory that had all the events from the beginning."""
    found = Memory(place)
    found.take_in([an_event(number) for number in range(count)])
    found.roll_up_all(AFTER_ALL_US)
    return found


class Intruder:
    """Another process that ingests one more event of the same day at each call of a summarizer, up to a number."""

    def __init__(self, forks: Forks, memory: Memory, most: int) -> None:
        self._forks = forks
        self._memory = memory
        self._most = most
        self.next = 2

    def __call__(self, _: Request) -> None:
        root = self._memory.root
        assert all(is_free(lock_path(root, name)) for name in (WRITER, WRITER_QUEUE))
        assert not is_free(lock_path(root, TREE))  # two rollups at once are no aim
        if self.next - 2 < self._most:
            ended = self._forks.run(take_in_at_once, root, [self.next])
            assert ended.value == (0, None)
            assert problems(root) == []
            self.next += 1


def test_late_events_of_the_very_day_are_in_its_node_after_the_run(
    forks: Forks, memory: Memory, tmp_path: Path
) -> None:
    intruder = Intruder(forks, memory, most=1)
    assert memory.roll_up(DAY, AFTER_ALL_US, summarizer=Waiting(intruder)).exit_code == 0
    assert intruder.next == 3
    assert memory.marks() == {}
    assert closed_part(memory.root) == closed_part(rebuilt(tmp_path / "rebuilt", 3).root)
    assert_sound(memory.root, [an_event(number).id for number in range(3)])


def test_events_that_keep_coming_leave_the_day_stale_and_the_next_run_has_them_all(
    forks: Forks, memory: Memory, tmp_path: Path
) -> None:
    intruder = Intruder(forks, memory, most=20)
    assert memory.roll_up(DAY, AFTER_ALL_US, summarizer=Waiting(intruder)).exit_code == 0
    assert Level.DAY in {period.level for period in memory.marks()}
    assert memory.nodes(Level.DAY) == []
    assert_sound(memory.root, [an_event(number).id for number in range(intruder.next)])
    memory.roll_up(DAY, AFTER_ALL_US)
    expected = rebuilt(tmp_path / "rebuilt", intruder.next)
    assert closed_part(memory.root) == closed_part(expected.root)


@pytest.mark.parametrize("level", UPPER)
def test_events_that_come_while_an_upper_period_is_written_are_not_hidden_by_it(
    forks: Forks, memory: Memory, tmp_path: Path, level: Level
) -> None:
    """The mark that the ingest set stays, whatever the run above the day writes, and the next run mends all."""
    first = memory.roll_up_all(AFTER_ALL_US)
    assert [outcome.exit_code for outcome in first] == [0, 0, 0, 0]
    memory.take_in([an_event(2)])
    intruder = Intruder(forks, memory, most=20)
    intruder.next = 3
    upper_only = Waiting(lambda request: intruder(request) if request.level is level else None)
    assert memory.roll_up(DAY, AFTER_ALL_US, summarizer=upper_only).exit_code == 0
    assert intruder.next > 3
    assert_sound(memory.root)
    assert Level.DAY in {period.level for period in memory.marks()}
    memory.roll_up_all(AFTER_ALL_US)
    expected = rebuilt(tmp_path / "rebuilt", intruder.next)
    assert closed_part(memory.root) == closed_part(expected.root)
    assert set(results(memory.root, "ingest")) == {"done"}
