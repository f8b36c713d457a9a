"""Files: whole or not at all, private, and errors that say what to do."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from memtool.errors import IO_ERROR, StorageError
from memtool.files import atomic_write, private_directory, reporting, storage_error
from tests.waiting import HUNG_S


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_directory_and_its_parents_are_private(tmp_path: Path) -> None:
    assert private_directory(tmp_path / "a/b") == tmp_path / "a/b"
    assert (mode(tmp_path / "a"), mode(tmp_path / "a/b")) == (0o700, 0o700)


def test_a_directory_that_exists_keeps_its_mode(tmp_path: Path) -> None:
    """Naming /tmp as a store must not lock everyone out of it."""
    tmp_path.chmod(0o755)
    private_directory(tmp_path)
    assert mode(tmp_path) == 0o755


def test_a_file_in_the_way_of_a_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file/below"):
        with pytest.raises(StorageError, match=r"file.*: (not a directory|file exists)") as caught:
            private_directory(path)
        assert "a directory is needed, but this is a file" in caught.value.hint


def test_a_directory_that_another_process_makes_meanwhile_is_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = Path.mkdir

    def late(self: Path, mode: int = 0o777) -> None:
        make(self, mode)
        raise FileExistsError(errno.EEXIST, "exists", str(self))

    monkeypatch.setattr(Path, "mkdir", late)
    assert private_directory(tmp_path / "a/b").is_dir()


def test_a_write_replaces_the_whole_file_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "file"
    atomic_write(path, b"long before")
    atomic_write(path, b"after")
    assert path.read_bytes() == b"after"
    assert mode(path) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_the_mode_of_a_write_does_not_depend_on_the_umask(tmp_path: Path) -> None:
    atomic_write(tmp_path / "file", b"", mode=0o644)
    assert mode(tmp_path / "file") == 0o644


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    atomic_write(path, b"before")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="file: no space left on device") as caught:
        atomic_write(path, b"after")
    assert "free some space" in caught.value.hint
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_is_killed_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    program = (
        "import os, sys; from pathlib import Path; from memtool.files import atomic_write\n"
        "count = 0\n"
        "def kill(event, arguments):\n"
        "    global count\n"
        "    if event in ('open', 'os.rename', 'os.remove'):\n"
        "        count += 1\n"
        "        if count == int(sys.argv[2]): os._exit(9)\n"
        "import tempfile, random\n"
        "sys.addaudithook(kill)\n"
        "atomic_write(Path(sys.argv[1]), b'after')\n"
    )
    seen = set()
    for step in range(1, 12):
        path.write_bytes(b"before")
        argv = [sys.executable, "-c", program, str(path), str(step)]
        done = subprocess.run(
            argv, env={**os.environ, "PYTHONPATH": "."}, check=False, timeout=HUNG_S
        )
        seen.add((done.returncode, path.read_bytes()))
        assert path.read_bytes() in (b"before", b"after")
    assert seen >= {(9, b"before"), (9, b"after"), (0, b"after")}


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EACCES, "ls -ld /some/where"),
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "free some space"),
        (errno.EROFS, "read-only"),
        (errno.EISDIR, "a file is needed, but"),
        (errno.EIO, "dmesg"),
    ],
)
def test_an_error_of_the_system_names_the_path_and_what_to_do(number: int, advice: str) -> None:
    error = storage_error(OSError(number, os.strerror(number)), Path("/some/where"))
    assert error.message.startswith("/some/where: ")
    assert advice in error.hint
    assert error.exit_code is IO_ERROR


def test_an_error_without_a_number_still_says_something() -> None:
    assert storage_error(OSError("odd"), "x").message == "x: odd"


def test_reporting_lets_other_errors_pass(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), reporting(tmp_path):
        raise ZeroDivisionError
