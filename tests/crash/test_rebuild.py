"""A rebuild killed, stopped or raced: readers have one whole table of contents, and the next run comes to its end."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from memtool.store import keys
from tests.crash import history
from tests.crash.checks import Rows, assert_sound, closed_part, event_ids, results
from tests.crash.crowd import commanding, reading
from tests.crash.forks import Forks
from tests.crash.tasks import killed, program, programs, signalled, slow
from tests.crash.traces import WRITES, trace, unsynced
from tests.memory import Memory

MAX_STEPS = 400
REBUILD = ("rebuild", "--calendar")


def unnumbered(rows: Rows) -> Rows:
    return {name: {key[4:]: value for key, value in held.items()} for name, held in rows.items()}


def table_of_contents(root: Path) -> Rows:
    """Return the whole of the current one, without its number."""
    with Memory(root).access.reading() as store:
        prefix = keys.generation(store.generation)
        rows = {
            name: dict(store.engine.scan(name, prefix, keys.after_prefix(prefix)))
            for name in keys.GENERATION_FAMILIES
        }
    return unnumbered(rows)


def generation(root: Path) -> int:
    with Memory(root).access.reading() as store:
        return store.generation


class Story:
    """A store in UTC whose config asks for Tokyo's calendar; copies of it are killed as they take it on."""

    def __init__(self, forks: Forks, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._forks = forks
        self.before, self.root, self.place = place / "before", place / "store", place
        self.transcripts = history.early(place / "transcripts")
        commands = (("ingest", self.transcripts), ("rollup", "all"))
        assert forks.run(programs, self.before, *commands).value == [0, 0]
        monkeypatch.setenv("MEMTOOL_CALENDAR__TIMEZONE", "Asia/Tokyo")
        assert forks.run(programs, place / "fresh", *commands).value == [0, 0]
        self.expected = unnumbered(closed_part(place / "fresh"))
        history.late(self.transcripts)
        late = (("ingest", self.transcripts), ("rollup", "all"))
        assert forks.run(programs, place / "fresh", *late).value == [0, 0]
        self.expected_late = unnumbered(closed_part(place / "fresh"))

    def copy(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self.before, self.root)

    def killed_at_each_step(self, root: Path | None = None) -> Iterator[int]:
        """Yield each N after a rebuild was killed before its Nth step: of fresh copies, or again and again of one."""
        for step in range(MAX_STEPS):
            if root is None:
                self.copy()
            kept = str(self.place / "acknowledged")
            ended = self._forks.run(killed, root or self.root, REBUILD, step, kept)
            if ended.status == 0:
                assert {"Engine.write", "Engine.sync"} <= set(ended.value)
                return
            assert ended.status == -signal.SIGKILL, ended
            yield step
        pytest.fail("it never ended")


@pytest.fixture
def story(forks: Forks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    return Story(forks, tmp_path, monkeypatch)


def test_killed_at_every_step(forks: Forks, story: Story) -> None:
    """Before the flip readers have what they had, byte for byte; after it what a fresh store has."""
    old, accepted = table_of_contents(story.before), event_ids(story.before)
    flips = 0
    for step in story.killed_at_each_step():
        assert event_ids(story.root) == accepted
        assert results(story.root, "rebuild") in ([], ["died"], ["done"])
        if generation(story.root) == 1:
            assert table_of_contents(story.root) == old
        else:
            flips += 1
            assert unnumbered(closed_part(story.root)) == story.expected
        expected = story.expected
        if step % 4 == 1:  # what comes before the next rebuild is in it
            assert forks.run(program, story.root, "ingest", story.transcripts).value == 0
            expected = story.expected_late
        assert forks.run(program, story.root, *REBUILD).value == 0
        assert unnumbered(closed_part(story.root)) == expected
        assert_sound(story.root, accepted)
    assert flips


def test_killed_again_and_again_it_comes_to_its_end(story: Story) -> None:
    """Each run is killed a step later than the one before, on what that one left."""
    story.copy()
    for _ in story.killed_at_each_step(story.root):
        pass
    assert unnumbered(closed_part(story.root)) == story.expected
    assert_sound(story.root, event_ids(story.before))


def test_readers_and_ingests_of_other_processes_go_on_meanwhile(forks: Forks, story: Story) -> None:
    """Every view that a reader gets is sound; what was ingested while the rebuild was at work is in it."""
    story.copy()
    rebuild = forks.start(slow, story.root, REBUILD, 0.03)
    others = [
        forks.start(reading, story.root, 12),
        forks.start(commanding, story.root, [("ingest", story.transcripts), ("toc",)] * 2),
    ]
    for child in others:
        assert {code for _, code in child.wait().value} == {0}
    assert rebuild.wait().value == 0
    assert forks.run(program, story.root, "rollup", "all").value == 0
    assert unnumbered(closed_part(story.root)) == story.expected_late
    assert_sound(story.root, event_ids(story.before))


@pytest.mark.skipif(shutil.which("strace") is None, reason="NO STRACE: the order is not proven")
def test_it_is_on_the_disk_before_the_answer_says_so(story: Story) -> None:
    calls = trace(story.before, *REBUILD)
    answer = next(number for number, call in enumerate(calls) if call.is_result)
    assert [call for call in calls[:answer] if call.is_log and call.name in WRITES]
    assert unsynced(calls[:answer], ".log") == set()
    assert generation(story.before) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda one: str(one.name))
def test_stopped_after_its_step_it_goes_on(
    forks: Forks, story: Story, number: signal.Signals
) -> None:
    story.copy()
    stops = 0
    for step in range(8, MAX_STEPS, 9):
        code, batches_after = forks.run(signalled, story.root, REBUILD, step, int(number)).value
        assert batches_after <= 2
        if code == 0:
            break
        stops += 1
        assert results(story.root, "rebuild")[-1] == "stopped"
        assert_sound(story.root)
    assert stops
    assert unnumbered(closed_part(story.root)) == story.expected
