"""Every error number with a row gets its own words and something to do, from Python and from RocksDB alike."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

import pytest

from memtool.errors import ERROR_NUMBERS, DamagedError, ErrorNumber, UnavailableError, number_in
from memtool.files import exists, storage_error
from memtool.store.engine import storage_error as rocksdb_error

STORE = Path("/some/where/store")
NAMES = [errno.errorcode[row.number] for row in ERROR_NUMBERS]


@pytest.mark.parametrize("row", ERROR_NUMBERS, ids=NAMES)
def test_rocksdb_and_python_say_the_same_of_one_error(row: ErrorNumber) -> None:
    name = os.strerror(row.number)
    said = f"IO error: While appending to file: {STORE}/000012.log: {name}"
    assert number_in(said) == row.number
    for text in (said, f"Corruption: {said}  The file {STORE}/MANIFEST-000005 may be corrupted."):
        error = rocksdb_error(STORE, text)
        assert not isinstance(error, DamagedError)
        python = storage_error(OSError(row.number, name), STORE / "000012.log")
        assert error.message == f"the store at {python.message}"
        assert error.hint == python.hint
        assert "{" not in error.hint
        assert row.words in error.message
        assert "damage" not in error.message + error.hint


def test_a_directory_that_is_called_as_an_error_is_none() -> None:
    store = Path("/No space left on device/store")
    error = rocksdb_error(store, f"Corruption: block checksum mismatch in {store}/000007.sst")
    assert isinstance(error, DamagedError)


@pytest.mark.parametrize(
    "text",
    [
        "IO error: Writer has previous error.",
        "Operation aborted: something else",
        "Invalid argument: Column family not found: events",
        "Not implemented: this",
    ],
)
def test_an_unknown_error_is_told_as_it_is_and_moves_nothing_away(text: str) -> None:
    error = rocksdb_error(STORE, text)
    assert not isinstance(error, DamagedError)
    assert text in error.message
    assert "is damaged" not in error.message
    assert not {"move", "rename", "delete", "remove"} & set(error.hint.split())


def test_a_lock_that_another_has_is_worth_a_retry() -> None:
    for text in (
        f"IO error: While lock file: {STORE}/LOCK: Resource temporarily unavailable",
        f"IO error: lock hold by current process, acquire time 1: {STORE}/LOCK: No locks available",
    ):
        assert isinstance(rocksdb_error(STORE, text), UnavailableError)


def test_figures_come_from_the_machine(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    said = storage_error(OSError(errno.EMFILE, ""), tmp_path).message
    assert f"the limit is {soft}, and can be raised up to {hard}" in said
    said = storage_error(OSError(errno.ENOSPC, ""), tmp_path / "not" / "there").message
    assert said.endswith("free there)")


def test_what_python_says_of_memory_is_no_traceback(tmp_path: Path) -> None:
    with pytest.raises(MemoryError) as found:
        bytearray(1 << 62)
    assert storage_error(found.value, tmp_path).message == f"{tmp_path}: not enough memory"


def test_what_cannot_be_seen_is_not_taken_for_absent(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    assert exists(tmp_path / "file")
    assert not exists(tmp_path / "absent" / "more")
    assert not exists(tmp_path / "file" / "more")
    with pytest.raises(Exception, match="too many symbolic links"):
        exists(tmp_path / "loop")
