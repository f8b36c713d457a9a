"""A disk that is full at any stage: 74 and what is full; what was accepted is there, the next run finishes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash import history
from tests.crash.checks import Rows, assert_sound, closed_part, event_ids
from tests.crash.disk import filled, small_disk
from tests.crash.forks import Ended, Forks
from tests.crash.tasks import Command, program, programs
from tests.memory import Memory

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
    said = [line for line in ended.errors.splitlines() if "ignoring" not in line]
    assert [line.split(":")[0] for line in said] == ["memtool", "hint"], ended.errors
    assert "no space left" in said[0]
    assert str(disk) in said[0]
    assert "free some space" in said[1]


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


def test_what_ran_but_could_not_be_recorded_ends_74(
    forks: Forks, disk: Path, transcripts: Path
) -> None:
    """The ledger is full, and there is nothing else to do: the run says so and changes nothing."""
    root = disk / "ledger-only"
    commands = (("ingest", transcripts), ("rollup", "all"))
    assert forks.run(programs, root, *commands).value == [0, 0]
    with filled(disk, 0):
        ledger = root / "ledger" / "runs.jsonl"
        room = (
            -ledger.stat().st_size % 4096
        )  # the rest of its last page is not on the disk's account
        for _ in range(room // 300 + 2):
            ended = forks.run(program, root, "rollup", "day")
        assert ended.value == 74
        assert "ledger" in ended.errors
        assert_sound(root)
        assert ledger.read_text().endswith("\n")
    assert forks.run(program, root, "rollup", "day").value == 0
