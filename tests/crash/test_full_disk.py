"""A disk that is full at any stage: 74 and what is full; what was accepted is there, the next run finishes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from memtool.errors import DamagedError, StorageError
from memtool.store.engine import open_writer
from memtool.store.keys import EVENTS
from tests.crash import history
from tests.crash.checks import Rows, assert_sound, closed_part, event_ids
from tests.crash.disk import filled, small_disk
from tests.crash.events import an_event
from tests.crash.forks import Ended, Forks
from tests.crash.tasks import Command, program, programs
from tests.forgetting import in_files
from tests.memory import Memory
from tests.scheduler.ledgers import rows

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(
        os.getuid() != 0, reason="NOT ROOT: no small disk, full disks are not proven"
    ),
]
DISK_BYTES = 32 << 20
ROOM_BYTES = [0, *(4096 << step for step in (0, 2, 4, 5, 6, 7, 9))]  # up to 2 MiB
STAGES: dict[str, tuple[list[Command], Command]] = {
    "making the store": ([], ("ingest",)),
    "ingest": ([("ingest", "first")], ("ingest",)),
    "rollup": ([("ingest",)], ("rollup", "all")),
    "compact": ([("ingest",), ("rollup", "all")], ("compact",)),
}


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a small disk."""
    with small_disk(tmp_path_factory.mktemp("disks") / "disk", DISK_BYTES) as mounted:
        yield mounted


@pytest.fixture
def transcripts(tmp_path: Path) -> Path:
    """Return transcripts on another disk."""
    return history.early(tmp_path / "transcripts")


@pytest.fixture
def expected(forks: Forks, transcripts: Path, tmp_path: Path) -> Rows:
    """Return the closed part that an undisturbed run ends with."""
    commands = (("ingest", transcripts), ("rollup", "all"))
    assert forks.run(programs, tmp_path / "undisturbed", *commands).value == [0, 0]
    return closed_part(tmp_path / "undisturbed")


def with_paths(command: Command, transcripts: Path) -> Command:
    """Return the command with the transcripts that it reads: all of them, or the first."""
    if command == ("ingest",):
        return ("ingest", transcripts)
    if command == ("ingest", "first"):
        return ("ingest", min(transcripts.iterdir()))
    return command


def assert_says_full(ended: Ended[int], disk: Path) -> None:
    """Check that it said in one line what is full, and what to do."""
    lines = [line for line in ended.errors.splitlines() if "ignoring" not in line]
    said = [line for line in lines if not line.startswith(("A new memory was made", "To change"))]
    assert [line.split(":")[0] for line in said] == ["memtool", "hint"], ended.errors
    assert "no space left" in said[0]
    assert str(disk) in said[0]
    assert "free some space" in said[1]
    assert "damage" not in ended.errors
    assert "memtool restore" not in ended.errors


@pytest.mark.parametrize("stage", STAGES)
def test_full_at_this_stage(
    forks: Forks, disk: Path, transcripts: Path, expected: Rows, stage: str
) -> None:
    before, command = STAGES[stage]
    given = with_paths(command, transcripts)
    seen: set[int] = set()
    for room_bytes in ROOM_BYTES:
        root = disk / "memory"
        shutil.rmtree(root, ignore_errors=True)
        assert not any(
            forks.run(programs, root, *(with_paths(c, transcripts) for c in before)).value
        )
        accepted = event_ids(root) if before else set()
        with filled(disk, room_bytes):
            ended = forks.run(program, root, *given)
            assert ended.value in (0, 74), ended
            if ended.value == 74:
                assert_says_full(ended, disk)
            if Memory(root).access.exists():
                assert_sound(root, accepted)
        seen.add(ended.value)
        assert forks.run(program, root, *given).value == 0
        finish = (("ingest", transcripts), ("rollup", "all"))
        assert forks.run(programs, root, *finish).value == [0, 0]
        assert closed_part(root) == expected
        assert_sound(root, history.ids(transcripts.iterdir()))
    assert seen == {0, 74}  # both sides of the edge were met


def test_full_during_a_backup_leaves_no_backup(
    forks: Forks, disk: Path, transcripts: Path, tmp_path: Path
) -> None:
    root, backups = tmp_path / "memory", disk / "backups"
    assert forks.run(programs, root, ("ingest", transcripts), ("rollup", "all")).value == [0, 0]
    seen: set[int] = set()
    for room_bytes in ROOM_BYTES:
        with filled(disk, room_bytes):
            ended = forks.run(program, root, "backup", backups)
            assert ended.value in (0, 74), ended
            if ended.value == 74:
                assert_says_full(ended, disk)
                assert list(backups.glob("*")) == []
                assert list(backups.glob(".*")) == []
        seen.add(ended.value)
        assert_sound(root, history.ids(transcripts.iterdir()))
        assert forks.run(program, root, "backup", backups).value == 0
        shutil.rmtree(backups)
    assert seen == {0, 74}


def test_full_during_a_restore_leaves_the_store_that_was_there(
    forks: Forks, disk: Path, transcripts: Path, tmp_path: Path
) -> None:
    root, before = disk / "memory", tmp_path / "before"
    assert forks.run(programs, before, ("ingest", transcripts), ("rollup", "all")).value == [0, 0]
    assert forks.run(program, before, "backup", tmp_path / "backups").value == 0
    (backup,) = (tmp_path / "backups").iterdir()
    history.late(transcripts)
    assert forks.run(program, before, "ingest", transcripts).value == 0
    seen: set[int] = set()
    for room_bytes in ROOM_BYTES:
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(before, root)
        with filled(disk, room_bytes):
            ended = forks.run(program, root, "restore", backup, "--replace")
            assert ended.value in (0, 74), ended
            if ended.value == 74:
                assert_says_full(ended, disk)
                assert event_ids(root) == history.ids(transcripts.iterdir())
            assert_sound(root)
        seen.add(ended.value)
        if ended.value:
            assert forks.run(program, root, "restore", backup, "--replace").value == 0
        assert event_ids(root) < history.ids(transcripts.iterdir())
    assert seen == {0, 74}


def test_full_while_forgetting_never_says_that_it_is_gone(
    forks: Forks, disk: Path, transcripts: Path, tmp_path: Path
) -> None:
    """RocksDB does not say that a compaction had no room; what was to be forgotten would be in the old files."""
    root, before = disk / "memory", tmp_path / "before"
    secret = transcripts / "secret.jsonl"
    lines = (
        history.line("needle-a7c1", f"2024-12-31T{hour}:30:00Z", f"needle-words at {hour}")
        for hour in (10, 11, 22)
    )
    history.write(secret, lines)
    assert forks.run(programs, before, ("ingest", transcripts), ("rollup", "all")).value == [0, 0]
    seen: set[int] = set()
    for room_bytes in [step << 10 for step in (0, 16, 64, 128, 160, 192, 256, 2048)]:
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(before, root)
        with filled(disk, room_bytes):
            ended = forks.run(program, root, "forget", "--session", "needle-a7c1", "--yes")
            assert ended.value in (0, 74), ended
            if ended.value == 74:
                assert_says_full(ended, disk)
                assert_sound(root)
        seen.add(ended.value)
        if ended.value:
            again = forks.run(program, root, "forget", "--session", "needle-a7c1", "--yes")
            assert again.value in (0, 2), again
            if again.value == 2:
                assert forks.run(program, root, "compact").value == 0
        assert in_files(root, [b"needle-a7c1", b"needle-words"]) == {}, room_bytes
        assert_sound(root)
    assert seen == {0, 74}


def test_a_compaction_without_room_says_so(disk: Path) -> None:
    """The engine by itself: RocksDB returns nothing of a compaction that has failed."""
    root = disk / "compacted"
    Memory(root).take_in([an_event(number) for number in range(9)])
    engine = open_writer(root / "store")
    engine.flush()
    with filled(disk, 0):
        with pytest.raises(StorageError, match="no space left") as found:
            engine.compact(EVENTS, None, None, rewrite=True)
        assert not isinstance(found.value, DamagedError)
    engine.compact(EVENTS, None, None, rewrite=True)
    engine.close()


def test_what_ran_but_could_not_be_recorded_ends_74(
    forks: Forks, disk: Path, transcripts: Path
) -> None:
    """The ledger is full, and there is nothing else to do: the run says so and changes nothing."""
    root = disk / "ledger-only"
    commands = (("ingest", transcripts), ("rollup", "all"))
    assert forks.run(programs, root, *commands).value == [0, 0]
    with filled(disk, 0):
        ended = forks.run(program, root, "rollup", "day")
        assert ended.value == 74
        assert "ledger" in ended.errors
        assert_sound(root)
        assert rows(root, "PRAGMA integrity_check") == [("ok",)]
    assert forks.run(program, root, "rollup", "day").value == 0
