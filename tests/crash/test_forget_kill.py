"""SIGKILL before every durable step of forgetting: the next run ends it, and nothing is left of it."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash import history
from tests.crash.checks import closed_part, problems, results
from tests.crash.forks import Forks
from tests.crash.tasks import Command, killed, program, programs
from tests.forgetting import in_files, in_rows

MAX_STEPS = 400
SESSION = "needle-a7c1"
NEEDLES = [b"needle-a7c1", b"needle-words"]
FORGET: Command = ("forget", "--session", SESSION, "--yes")


class Story:
    """A memory with something to forget, and copies of it that are killed."""

    def __init__(self, forks: Forks, place: Path) -> None:
        self._forks = forks
        self.before, self.root = place / "before", place / "memory"
        self._acknowledged = str(place / "acknowledged")
        transcripts = history.late(history.early(place / "transcripts"))
        self.others = sorted(transcripts.iterdir())
        secret = transcripts / "secret.jsonl"
        lines = [
            history.line(SESSION, f"2024-12-31T{hour}:30:00Z", f"needle-words at {hour}")
            for hour in (10, 11, 22)
        ]
        history.write(secret, lines)
        assert self.run(self.before, ("ingest", transcripts), ("rollup", "all")) == [0, 0]

    def run(self, root: Path, *commands: Command) -> list[int]:
        return self._forks.run(programs, root, *commands).value

    def killed_at_each_step(self, command: Command) -> Iterator[int]:
        """Yield each N after a fresh copy was killed before its Nth step, until the command takes no more steps."""
        for step in range(MAX_STEPS):
            shutil.rmtree(self.root, ignore_errors=True)
            shutil.copytree(self.before, self.root)
            ended = self._forks.run(killed, self.root, command, step, self._acknowledged)
            if ended.status == 0:
                assert {"Engine.write", "Engine.compact", "access.open_writer"} <= set(ended.value)
                return
            assert ended.status == -signal.SIGKILL, ended
            yield step
        pytest.fail("it never ended")


@pytest.fixture
def story(forks: Forks, tmp_path: Path) -> Story:
    return Story(forks, tmp_path)


def never_saw(forks: Forks, story: Story, root: Path) -> object:
    """Return the closed part of a memory that never saw what was forgotten."""
    assert forks.run(programs, root, ("ingest", *story.others), ("rollup", "all")).value == [0, 0]
    return closed_part(root)


def test_forgetting_killed_at_every_step_is_ended_by_the_next_run(
    forks: Forks, tmp_path: Path, story: Story
) -> None:
    expected = never_saw(forks, story, tmp_path / "never")
    for step in story.killed_at_each_step(FORGET):
        assert problems(story.root) == []
        # Every other time by the weekly job, where the batches were written: the same command has little to do then.
        is_written = in_rows(story.root, [b"needle-words"]) == {}
        ending: Command = ("compact",) if is_written and step % 2 else FORGET
        code = forks.run(program, story.root, *ending).value
        assert code == 0 or (code == 2 and is_written), (step, code)
        assert in_rows(story.root, NEEDLES) == {}
        assert in_files(story.root, NEEDLES) == {}, step
        assert None not in results(story.root, "forget")
        if step % 8 == 0:
            assert story.run(story.root, ("rollup", "all")) == [0]
            assert closed_part(story.root) == expected
            assert problems(story.root) == []
