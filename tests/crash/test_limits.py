"""Limits of the system, and its errors: named for what they are, never damage; without them the same store works."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from memtool.errors import ERROR_NUMBERS, ErrorNumber, StorageError
from memtool.store.engine import open_writer
from memtool.store.keys import FAMILIES
from tests.conftest import REPOSITORY
from tests.crash import history
from tests.crash.checks import assert_sound, event_ids
from tests.crash.forks import Forks
from tests.crash.tasks import Command, limited, program, programs, without_privileges

COMMANDS: dict[str, Command] = {
    "toc": ("toc",),
    "verify": ("verify",),
    "ingest": ("ingest", "TRANSCRIPTS"),
    "rollup": ("rollup", "all"),
    "rebuild": ("rebuild",),
    "compact": ("compact",),
    "backup": ("backup", "BACKUPS"),
    "restore": ("restore", "BACKUP", "--replace"),
    "forget": ("forget", "--session", "gamma", "--yes"),
    "export": ("export", "-o", "EXPORT"),
    "config": ("config", "set", "locks.wait_s", "20"),
    "pause": ("scheduler", "pause", "ingest"),
}
LIMITS = {
    "open files": (resource.RLIMIT_NOFILE, (6, 12, 20, 200), "too many open files"),
    "file size": (resource.RLIMIT_FSIZE, (1500, 70_000, 1 << 22), "file too large"),
}
READERS = {"toc", "verify", "export", "config", "pause"}
"""What writes little enough for any limit of a file's size here."""


class Scene:
    """A store that something has to be done to, and copies of it."""

    def __init__(self, forks: Forks, place: Path) -> None:
        self.place, self.begin, self.root = place, place / "begin", place / "memory"
        transcripts = history.early(place / "transcripts")
        commands = (("ingest", transcripts), ("rollup", "all"), ("backup", place / "backup"))
        assert forks.run(programs, self.begin, *commands).value == [0, 0, 0]
        self.accepted = event_ids(self.begin)
        history.late(transcripts)
        (backup,) = (place / "backup").iterdir()
        self._paths = {
            "TRANSCRIPTS": transcripts,
            "BACKUPS": place / "backups",
            "BACKUP": backup,
            "EXPORT": place / "export.jsonl",
        }

    def command(self, name: str) -> Command:
        return tuple(self._paths.get(str(word), word) for word in COMMANDS[name])

    def reset(self) -> Path:
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self.begin, self.root)
        return self.root


@pytest.fixture(scope="module")
def scene(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Return a store of this module."""
    return Scene(forks, tmp_path_factory.mktemp("limits"))


def assert_named(errors: str, words: str) -> None:
    """Check that the last two lines say what it is and what to do, and nothing speaks of damage."""
    said = errors.splitlines()
    assert [line.split(":")[0] for line in said[-2:]] == ["memtool", "hint"], errors
    assert words in said[-2]
    assert "damage" not in errors
    assert "--replace" not in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("limit", LIMITS)
def test_a_limit_is_named_and_costs_nothing(
    forks: Forks, scene: Scene, limit: str, name: str
) -> None:
    number, values, words = LIMITS[limit]
    codes = []
    for value in values:
        root = scene.reset()
        ended = forks.run(limited, number, value, root, *scene.command(name))
        codes.append(ended.value)
        if ended.value:
            assert ended.value == 74, ended
            assert_named(ended.errors, words)
            assert_sound(root, () if name == "forget" else scene.accepted)
            after = forks.run(program, root, *scene.command(name))
            assert after.value == 0, after
            assert_sound(root)
    assert codes[-1] == 0
    assert codes[0] == 74 or name in READERS


def injected(
    what: str, path: Path, root: Path, home: Path, command: str
) -> subprocess.CompletedProcess[str]:
    """Run a command whose calls of the kernel for this path fail, such as `openat:error=EIO`."""
    argv = [
        *("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={what.partition(':')[0]}"),
        *("-P", str(path), "-e", f"inject={what}"),
        *(sys.executable, "-m", "memtool", "--store", str(root), command),
    ]
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        argv, cwd=home, env=environ, capture_output=True, encoding="utf-8", check=False
    )


NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="NO STRACE: rare errors are not proven")
@pytest.mark.parametrize(
    "row", ERROR_NUMBERS, ids=[errno.errorcode[row.number] for row in ERROR_NUMBERS]
)
def test_an_error_of_the_kernel_is_named(scene: Scene, home: Path, row: ErrorNumber) -> None:
    """Whatever the kernel says when the list of files is opened. Where nothing may be written, a reader goes on."""
    root = scene.reset()
    name = errno.errorcode[row.number]
    command = "compact" if row.number in NOT_WRITABLE else "toc"
    ended = injected(f"openat:error={name}", root / "store" / "CURRENT", root, home, command)
    assert ended.returncode == 74, ended
    assert_named(ended.stderr, row.words)
    assert_sound(root, scene.accepted)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="NO STRACE: rare errors are not proven")
def test_a_device_that_does_not_read_ends_the_walk_and_is_no_damage(
    scene: Scene, home: Path
) -> None:
    root = scene.reset()
    table = max((root / "store").glob("*.sst"), key=lambda file: file.stat().st_size)
    ended = injected("pread64:error=EIO:when=4+", table, root, home, "verify")
    assert ended.returncode == 74, ended
    assert_named(ended.stderr, "input/output error")
    assert table.name in ended.stderr
    assert_sound(root, scene.accepted)


@contextmanager
def quota(place: Path, size_bytes: int) -> Iterator[Path]:
    """Mount a file system in a file, and give a directory of it a quota; skip where that is not possible."""
    if os.getuid() != 0 or shutil.which("btrfs") is None:
        pytest.skip("NO BTRFS, OR NOT ROOT: quotas are not proven")
    image, mounted = place / "image", place / "mounted"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(300 << 20)
    made = subprocess.run(["mkfs.btrfs", "-q", image], capture_output=True, check=False)
    done = subprocess.run(["mount", "-o", "loop", image, mounted], capture_output=True, check=False)
    if made.returncode or done.returncode:
        pytest.skip(f"NO MOUNT OF BTRFS: quotas are not proven ({done.stderr!r})")
    limited_part = mounted / "part"
    try:
        for words in (
            ["quota", "enable", str(mounted)],
            ["subvolume", "create", str(limited_part)],
            ["qgroup", "limit", str(size_bytes), str(limited_part)],
        ):
            subprocess.run(["btrfs", *words], check=True, capture_output=True)
        yield limited_part
    finally:
        subprocess.run(["umount", "-l", mounted], check=True)


@pytest.mark.root
@pytest.mark.slow
def test_a_quota_is_named_and_the_next_run_finishes(forks: Forks, tmp_path: Path) -> None:
    transcripts = tmp_path / "transcripts"
    for number in range(6):
        lines = (
            history.line(f"s{number}", "2024-12-28T09:00:00Z", os.urandom(4000).hex(), number=n)
            for n in range(40)
        )
        history.write(transcripts / f"{number}.jsonl", lines)
    with quota(tmp_path, 1 << 20) as part:
        ended = forks.run(program, part / "memory", "ingest", transcripts)
        assert ended.value == 74, ended
        assert_named(ended.errors, "the disk quota is used up")
        assert str(part) in ended.errors
        subprocess.run(["btrfs", "qgroup", "limit", "none", part], check=True)
        assert forks.run(program, part / "memory", "ingest", transcripts).value == 0
        assert_sound(part / "memory", history.ids(transcripts.iterdir()))


def test_a_table_that_may_not_be_read_is_no_damage(forks: Forks, scene: Scene) -> None:
    """RocksDB calls it corruption where it meets it while it reads its list of tables."""
    root = scene.reset()
    table = next((root / "store").glob("*.sst"))
    table.chmod(0o000)
    for name in ("toc", "verify", "compact"):
        ended = forks.run(without_privileges, root, *scene.command(name))
        assert ended.value == 74, ended
        assert_named(ended.errors, "permission denied")
        assert str(table) in ended.errors
    assert_sound(root, scene.accepted)


def test_a_compaction_that_may_not_write_so_much_says_so(forks: Forks, scene: Scene) -> None:
    root = scene.reset()
    assert forks.run(compacting, root / "store", 1500).value == "file too large"
    assert_sound(root, scene.accepted)


def compacting(path: Path, limit_bytes: int) -> str:
    """Compact with a limit that is set when the store is open; return what was said, until the colon."""
    engine = open_writer(path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, resource.RLIM_INFINITY))
    said = []
    for family in FAMILIES:
        try:
            engine.compact(family, None, None, rewrite=True)
        except StorageError as error:
            said.append(error.message.rpartition(": ")[2].partition(" (")[0])
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return said[0]
