"""SIGKILL before every durable step of backup and restore: no half backup passes as one, no half store is in place."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from memtool.errors import StorageError
from memtool.jobs import restore
from memtool.jobs.backup import read_manifest
from memtool.query.verify import verify
from memtool.store.access import SWAP
from tests.crash import history
from tests.crash.checks import Rows, assert_sound, event_ids, everything, problems
from tests.crash.events import an_event
from tests.crash.forks import Forks
from tests.crash.tasks import Command, killed, program, programs
from tests.memory import Memory

MAX_STEPS = 300
COPYING = 16
"""Where one file after the other is copied, each in the same steps, it is killed at every one of so many."""


@pytest.fixture(scope="module")
def origin(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a store and a backup of it."""
    place = tmp_path_factory.mktemp("origin")
    transcripts = history.early(place / "transcripts")
    commands = (("ingest", transcripts), ("rollup", "all"), ("backup", place / "backups"))
    assert forks.run(programs, place / "memory", *commands).value == [0, 0, 0]
    (backup,) = (place / "backups").iterdir()
    return place / "memory", backup


class Killed:
    """Copies of one beginning, on which a command is killed ever later."""

    def __init__(self, forks: Forks, place: Path, begin: Path | None) -> None:
        self._forks = forks
        self._place = place
        self._begin = begin
        self.root = place / "memory"

    def at_each_step(self, task: object, command: Command) -> Iterator[str]:
        """Yield after the command was killed before each of its steps."""
        assert callable(task)
        steps = self._steps(task, command)
        for number in sorted(self._chosen(steps)):
            self._reset()
            ended = self._forks.run(task, self.root, command, number, str(self._place / "ids"))
            assert ended.status == -signal.SIGKILL, ended
            yield steps[number]

    def _steps(self, task: object, command: Command) -> list[str]:
        assert callable(task)
        self._reset()
        ended = self._forks.run(task, self.root, command, MAX_STEPS, str(self._place / "ids"))
        steps = ended.value
        assert isinstance(steps, list)
        return steps

    @staticmethod
    def _chosen(steps: list[str]) -> set[int]:
        """Return all steps, but of the files that are copied, one after the other, only some."""
        same = {n for n in range(2, len(steps) - 2) if len(set(steps[n - 2 : n + 3])) == 1}
        return {n for n in range(len(steps)) if n not in same or n % COPYING == 0}

    def _reset(self) -> None:
        shutil.rmtree(self._place, ignore_errors=True)
        self._place.mkdir()
        if self._begin is not None:
            shutil.copytree(self._begin, self.root)


def assert_whole(backup: Path, expected: Rows, place: Path) -> None:
    """Check that it is what its name says: by its digests, and by a walk."""
    shutil.rmtree(place, ignore_errors=True)
    with Memory(backup).access.reading() as store:
        assert verify(store, history.AFTER_ALL_US).problems == []
        assert read_manifest(backup).events == verify(store, history.AFTER_ALL_US).counts["events"]
    assert everything(backup) == expected


def test_a_killed_backup_leaves_none_or_a_whole_one(
    forks: Forks, tmp_path: Path, origin: tuple[Path, Path]
) -> None:
    root, _ = origin
    expected = everything(root)
    ends = set()
    story = Killed(forks, tmp_path / "killed", root)
    directory = tmp_path / "killed" / "backups"
    for step in story.at_each_step(killed, ("backup", directory)):
        assert_sound(story.root, event_ids(root))
        assert everything(story.root) == expected
        named = list(directory.glob("[!.]*")) if directory.exists() else []
        ends.add((step, len(named)))
        for backup in named:
            assert_whole(backup, expected, tmp_path / "restored")
    assert {0, 1} == {count for _, count in ends}
    assert {"Engine.checkpoint", "os.rename", "os.fsync"} <= {step for step, _ in ends}
    # The last of them is left: the next backup tidies up.
    assert forks.run(program, story.root, "backup", directory).value == 0
    assert not (story.root / "backup.new").exists()


def without_exchange(
    root: Path, command: tuple[str | Path, ...], step: int, acknowledged: str
) -> list[str]:
    """Be killed where the system cannot let two names trade places."""
    setattr(restore, "exchange", lambda *_: False)  # noqa: B010
    return killed(root, command, step, acknowledged)


def states(root: Path, old: Rows, new: Rows) -> str:
    """Return what is in place: the old one, the new one, or nothing that anyone could mistake for a store."""
    try:
        if not Memory(root).access.exists():
            return "none"
    except StorageError:
        return "refused"
    assert problems(root) == []
    rows = everything(root)
    assert rows in (old, new)
    return "old" if rows == old else "new"


@pytest.mark.parametrize(
    ("task", "expected"),
    [(killed, {"old", "new"}), (without_exchange, {"old", "refused", "new"})],
    ids=["in one step", "in three steps"],
)
def test_a_killed_restore_leaves_the_old_store_or_the_new_one(
    forks: Forks, tmp_path: Path, origin: tuple[Path, Path], task: object, expected: set[str]
) -> None:
    root, backup = origin
    before = Memory(tmp_path / "before")
    before.take_in([an_event(1)])
    old, new = everything(before.root), everything(root)
    story = Killed(forks, tmp_path / "killed", before.root)
    seen: set[tuple[str, str]] = set()
    for step in story.at_each_step(task, ("restore", backup, "--replace")):
        state = states(story.root, old, new)
        if state == "refused":
            ended = forks.run(program, story.root, "ingest", tmp_path)
            assert ended.value == 74
            assert "a restore was interrupted" in ended.errors
            assert "hint: run `memtool restore` again" in ended.errors
        if (story.root / SWAP).exists() or (step, state) not in seen:
            assert forks.run(program, story.root, "restore", backup, "--replace").value == 0
            assert states(story.root, old, new) == "new"
            assert old in [everything(aside) for aside in story.root.glob("*-restore-*")]
            assert not (story.root / SWAP).exists()
        seen.add((step, state))
    assert {state for _, state in seen} == expected


def test_a_killed_restore_on_a_new_machine_leaves_nothing_or_all(
    forks: Forks, tmp_path: Path, origin: tuple[Path, Path]
) -> None:
    root, backup = origin
    new = everything(root)
    story = Killed(forks, tmp_path / "killed", None)
    seen = set()
    for step in story.at_each_step(killed, ("restore", backup)):
        state = states(story.root, {}, new)
        if state == "none" and (step, state) not in seen:
            assert forks.run(program, story.root, "restore", backup).value == 0
            assert everything(story.root) == new
        seen.add((step, state))
    assert {"none", "new"} == {state for _, state in seen}


def worked(root: Path, transcripts: Path, rounds: int) -> list[int]:
    """Ingest and roll up, over and over, with something new each time."""
    codes = []
    for number in range(rounds):
        records = [
            history.line("more", f"2024-12-{day:02}T12:00:00Z", f"No. {number}", number=number)
            for day in range(1, 6)
        ]
        history.write(transcripts / f"more-{number}.jsonl", records)
        codes += [program(root, "ingest", transcripts), program(root, "rollup", "day")]
    return codes


def test_backups_beside_jobs_at_work_are_each_the_store_of_one_moment(
    forks: Forks, tmp_path: Path, origin: tuple[Path, Path]
) -> None:
    root = tmp_path / "memory"
    shutil.copytree(origin[0], root)
    transcripts = tmp_path / "transcripts"
    child = forks.start(worked, root, transcripts, 6)
    for _ in range(4):
        assert forks.run(program, root, "backup", tmp_path / "backups").value == 0
    assert set(child.wait().value) == {0}
    counts = []
    for backup in sorted((tmp_path / "backups").iterdir()):
        assert problems(backup) == []
        ids = event_ids(backup)
        assert ids >= event_ids(origin[0])
        assert (len(ids) - len(event_ids(origin[0]))) % 5 == 0  # one ingest is one batch
        counts.append(len(ids))
    assert counts == sorted(counts)
    assert len(counts) == 4
