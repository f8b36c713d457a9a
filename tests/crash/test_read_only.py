"""Reading where nothing may be written: a read-only mount, a store with modes 0500 and 0400, a snapshot."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from memtool.files import links_to
from tests.crash import history
from tests.crash.checks import assert_sound, event_ids
from tests.crash.crowd import counters, flushing
from tests.crash.disk import seen_read_only
from tests.crash.forks import Forks
from tests.crash.tasks import Command, killed, program, programs, without_privileges

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.getuid() != 0, reason="NOT ROOT: no mounts, no other user"),
]
READERS: tuple[Command, ...] = (
    ("toc",),
    ("toc", "--json"),
    ("show", "2024-12-28"),
    ("open",),
    ("search", "tests"),
    ("context",),
    ("events", "--full"),
    ("stats", "--json"),
    ("export",),
    ("verify",),
    ("summarizers",),
    ("scheduler", "history"),
)
WRITERS: tuple[Command, ...] = (
    ("ingest",),
    ("rollup", "all"),
    ("compact",),
    ("rebuild",),
    ("forget", "--session", "alpha", "--yes"),
)


@pytest.fixture
def root(forks: Forks, tmp_path: Path) -> Path:
    """Return a store with events and summaries."""
    transcripts = history.early(tmp_path / "transcripts")
    memory = tmp_path / "memory"
    assert forks.run(programs, memory, ("ingest", transcripts), ("rollup", "all")).value == [0, 0]
    return memory


def temporary() -> list[str]:
    return [path.name for path in Path(os.environ["TMPDIR"]).iterdir()]


def test_readers_say_on_a_read_only_mount_what_they_say_elsewhere(
    forks: Forks, root: Path, tmp_path: Path
) -> None:
    with seen_read_only(root, tmp_path / "mount") as mount:
        for command in READERS:
            here, there = (forks.run(program, place, *command) for place in (root, mount))
            assert there.value == here.value == 0, there.errors
            assert there.output.replace(str(mount), str(root)) == here.output
        assert forks.run(program, mount, "doctor").value == 1
        for command in WRITERS:
            ended = forks.run(program, mount, *command)
            assert (command, ended.value) == (command, 74)
            assert f"{mount}/locks/" in ended.errors
            assert "read-only file system" in ended.errors
    assert temporary() == []
    assert_sound(root)


def test_a_backup_is_made_from_a_read_only_mount(forks: Forks, root: Path, tmp_path: Path) -> None:
    before = sorted(path.name for path in root.rglob("*"))
    with seen_read_only(root, tmp_path / "mount") as mount:
        ended = forks.run(program, mount, "backup", tmp_path / "copies")
        assert ended.value == 0, ended.errors
        assert "verified" in ended.output
    (copy,) = (tmp_path / "copies").iterdir()
    assert sorted(path.name for path in root.rglob("*")) == before
    restored = tmp_path / "restored"
    assert forks.run(program, tmp_path, "restore", copy, "--to", restored).value == 0
    assert event_ids(restored) == event_ids(root)
    assert_sound(restored)
    assert temporary() == []


def test_who_may_only_read_can_read(forks: Forks, root: Path, tmp_path: Path) -> None:
    for path in (*root.rglob("*"), root):
        path.chmod(0o500 if path.is_dir() else 0o400)
    for command in (*READERS, ("backup", tmp_path / "copies")):
        ended = forks.run(without_privileges, root, *command)
        assert (command, ended.value, "memtool:" in ended.errors) == (command, 0, False)
    assert temporary() == []


def test_a_reader_on_the_mount_sees_whole_batches_while_a_writer_flushes(
    forks: Forks, root: Path, tmp_path: Path
) -> None:
    """No writer has to be excluded: the lists are compared before and after, as where nothing hinders a reader."""
    with seen_read_only(root, tmp_path / "mount") as mount:
        writer = forks.start(flushing, root / "store", 5)
        last = 0
        for _ in range(60):
            (seen,) = counters(mount / "store")
            assert seen >= last
            last = seen
        assert writer.wait().value >= last
        assert counters(mount / "store") == counters(root / "store")


@pytest.mark.parametrize("step", [3, 6, 9])
def test_the_log_of_a_snapshot_counts(forks: Forks, tmp_path: Path, step: int) -> None:
    root, told = tmp_path / "memory", tmp_path / "told"
    transcripts = history.early(tmp_path / "transcripts")
    forks.run(killed, root, ("ingest", transcripts), step, str(told))
    snapshot = Path(shutil.copytree(root, tmp_path / "snapshot"))
    with seen_read_only(snapshot, tmp_path / "mount") as mount:
        seen = event_ids(mount) if (mount / "store").exists() else set()
    assert seen == (event_ids(root) if (root / "store").exists() else set())


def dying_with_links(directory: Path) -> None:
    with links_to(directory, lambda _: True):
        os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_reader_has_left_is_removed_by_the_next(
    forks: Forks, root: Path, tmp_path: Path
) -> None:
    assert forks.run(dying_with_links, root / "store").status == -signal.SIGKILL
    assert len(temporary()) == 1
    with seen_read_only(root, tmp_path / "mount") as mount:
        assert forks.run(program, mount, "toc").value == 0
        assert temporary() == []
        with links_to(root / "store", lambda _: True) as alive:
            assert forks.run(program, mount, "toc").value == 0
            assert temporary() == [alive.name]
