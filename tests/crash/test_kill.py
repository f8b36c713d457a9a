"""SIGKILL before every durable step of every job: nothing accepted is lost, nothing is half done, a rerun converges."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from memtool.model.records import EventId
from memtool.store.engine import open_writer
from tests.crash import history
from tests.crash.checks import Rows, assert_sound, closed_part, event_ids, everything, results
from tests.crash.forks import Forks
from tests.crash.tasks import killed, program, programs
from tests.memory import Memory

MAX_STEPS = 400
Command = tuple[str | Path, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """One command of the story, which jobs it runs, and which steps it must be seen to take."""

    name: str
    words: Command
    job: str
    steps: frozenset[str]


STAGES = (
    Stage(
        "making the store",
        ("ingest",),
        "ingest",
        frozenset({"access.open_writer", "os.rename", "Engine.write"}),
    ),
    Stage(
        "rollup all", ("rollup", "all"), "year-rollup", frozenset({"Engine.write", "Engine.sync"})
    ),
    Stage("late ingest", ("ingest",), "ingest", frozenset({"Engine.write", "Engine.sync"})),
    Stage(
        "rollup year", ("rollup", "year"), "year-rollup", frozenset({"Engine.write", "Engine.sync"})
    ),
    Stage(
        "compact",
        ("compact",),
        "compaction",
        frozenset({"Engine.flush", "Engine.compact", "Engine.sync"}),
    ),
)


class Story:
    """A store and its transcripts, brought to where a stage begins; copies of it are killed."""

    def __init__(self, forks: Forks, place: Path, stage: Stage) -> None:
        self._forks = forks
        self.before = place / "before"
        self.transcripts = history.early(place / "transcripts")
        self.root = place / "store"
        self.acknowledged = place / "acknowledged"
        for earlier in STAGES[: STAGES.index(stage)]:
            assert self.run(self.before, earlier) == 0
            if earlier.name == "rollup all":
                history.late(self.transcripts)
        self.accepted = event_ids(self.before) if self.before.exists() else set()

    def command(self, stage: Stage) -> Command:
        return (*stage.words, self.transcripts) if stage.job == "ingest" else stage.words

    def run(self, root: Path, stage: Stage) -> int:
        return self._forks.run(program, root, *self.command(stage)).value

    def finish(self, root: Path) -> Rows:
        """Run the nightly jobs, which also mend what lies above the days, and return the closed part."""
        commands = (("ingest", self.transcripts), ("rollup", "day"))
        assert self._forks.run(programs, root, *commands).value == [0, 0]
        return closed_part(root)

    def killed_at_each_step(self, stage: Stage) -> Iterator[int]:
        """Yield each N after a fresh copy was killed before its Nth step, until the command takes no more steps."""
        for step in range(MAX_STEPS):
            self._copy()
            ended = self._forks.run(
                killed, self.root, self.command(stage), step, str(self.acknowledged)
            )
            if ended.status == 0:
                assert stage.steps <= set(ended.value)
                return
            assert ended.status == -signal.SIGKILL, ended
            yield step
        pytest.fail("it never ended")

    def _copy(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
        self.acknowledged.write_bytes(b"")
        if self.before.exists():
            shutil.copytree(self.before, self.root)

    def acknowledged_ids(self) -> set[EventId]:
        return {EventId(one) for one in self.acknowledged.read_text().split()}


@pytest.mark.parametrize("stage", STAGES[:-1], ids=lambda stage: stage.name)
def test_killed_at_every_step(forks: Forks, tmp_path: Path, stage: Stage) -> None:
    story = Story(forks, tmp_path, stage)
    expected = story.finish(tmp_path / "undisturbed")
    for _ in story.killed_at_each_step(stage):
        accepted = story.accepted | story.acknowledged_ids()
        if Memory(story.root).access.exists():
            assert_sound(story.root, accepted)
        else:
            assert not accepted
        assert None not in results(
            story.root, stage.job
        )  # what was recorded as begun is known to be dead
        assert story.finish(story.root) == expected
        assert_sound(story.root, history.ids(story.transcripts.iterdir()))


def test_a_compaction_killed_at_every_step_changes_nothing(forks: Forks, tmp_path: Path) -> None:
    """What a reader finds, and then a writer, is what was there before, every key of it."""
    stage = STAGES[-1]
    story = Story(forks, tmp_path, stage)
    before = everything(story.before)
    for _ in story.killed_at_each_step(stage):
        assert everything(story.root) == before
        open_writer(story.root / "store").close()
        assert everything(story.root) == before
        assert None not in results(story.root, stage.job)
    assert story.run(story.root, stage) == 0
    assert_sound(story.root, history.ids(story.transcripts.iterdir()))


def test_killed_again_and_again_on_one_store(forks: Forks, tmp_path: Path) -> None:
    """Each run is killed a little later than the one before, on what that one left."""
    transcripts = history.late(history.early(tmp_path / "transcripts"))
    commands: tuple[Command, ...] = (("ingest", transcripts), ("rollup", "all"))
    expected = closed_part_of(forks, tmp_path / "undisturbed", commands)
    root = tmp_path / "store"
    for step in range(0, MAX_STEPS, 2):
        acknowledged = str(tmp_path / "acknowledged")
        statuses = {forks.run(killed, root, one, step, acknowledged).status for one in commands}
        assert statuses <= {0, -signal.SIGKILL}
        if statuses == {0}:  # both: a rollup that ended before its ingest did had less to do
            break
    assert_sound(root, history.ids(transcripts.iterdir()))
    assert closed_part(root) == expected


def closed_part_of(forks: Forks, root: Path, commands: tuple[Command, ...]) -> Rows:
    assert set(forks.run(programs, root, *commands).value) == {0}
    return closed_part(root)
