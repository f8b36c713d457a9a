"""SIGKILL before every durable step of forgetting, or of masking again: the next run ends it, and nothing is left."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from memtool.model.records import Claim
from memtool.rollup.plan import Choices
from tests.crash import history
from tests.crash.checks import closed_part, problems, results
from tests.crash.forks import Forks
from tests.crash.tasks import Command, killed, program, programs
from tests.forgetting import an_event, in_files, in_rows
from tests.memory import Memory
from tests.strategies import DAY_US

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


TOKEN = "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6"
OLD_US = 1_735_600_000_000_000  # 2024-12-30


def of_older_rules(root: Path) -> int:
    """Make a memory as an older memtool would have: a secret in two of its days, and in their summaries."""
    memory, claim = Memory(root), Claim("session-1", "/home/u/shop")
    texts = (f"Push it with {TOKEN}", "Plain words", "More of them", f"{TOKEN} is revoked")
    events = [an_event(n, OLD_US + n * DAY_US, text, claim) for n, text in enumerate(texts)]
    memory.take_in(events, now_us=OLD_US)
    memory.roll_up_all(OLD_US + 9 * DAY_US, choices=Choices(include_open=True))
    return 0


def test_masking_again_killed_at_every_step_is_ended_by_the_next_run(
    forks: Forks, story: Story
) -> None:
    shutil.rmtree(story.before)
    assert forks.run(of_older_rules, story.before).value == 0
    needles = [TOKEN.encode()]
    for step in story.killed_at_each_step(("redact", "--again")):
        assert problems(story.root) == []
        is_masked = in_rows(story.root, needles) == {}
        ending: Command = ("compact",) if is_masked and step % 2 else ("redact", "--again")
        assert forks.run(program, story.root, *ending).value == 0, step
        assert in_rows(story.root, needles) == {}
        assert in_files(story.root, needles) == {}, step
        if step % 8 == 0:
            assert story.run(story.root, ("redact", "--again"), ("rollup", "all")) == [0, 0]
            assert problems(story.root) == []
