"""Files written so that a crash leaves the old one or the new one. Never changes the mode of what it did not make."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from memtool.base.errors import StorageError

_PERMISSION = "check who owns it and its mode, and which user memtool runs as"
_FULL = "free some space and run it again; what was accepted is kept"
_HINTS = {
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: "the file system is mounted read-only; choose another place or remount it",
    errno.ENOTDIR: "a file stands where a directory is needed",
    errno.EISDIR: "a directory stands where a file is needed",
    errno.EMFILE: "raise the limit of open files (ulimit -n, or LimitNOFILE= in the unit)",
}


def storage_error(error: OSError, path: Path | str) -> StorageError:
    """Return the error that names the path and says what to do."""
    reason = (error.strerror or str(error)).lower()
    return StorageError(f"{path}: {reason}", hint=_HINTS.get(error.errno or 0, ""))


@contextmanager
def reporting(path: Path | str) -> Iterator[None]:
    """Raise StorageError naming the path in place of an OSError from the block."""
    try:
        yield
    except OSError as error:
        raise storage_error(error, path) from error


def private_directory(path: Path) -> Path:
    """Return the directory, made with missing parents at 0700. One that exists is left as it is: it may be shared."""
    with reporting(path):
        if path.is_dir():
            return path
        for directory in reversed([path, *path.parents]):
            if not directory.is_dir():
                _make_directory(directory)
    return path


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(0o700)
    except FileExistsError:
        if not path.is_dir():  # else another process was faster
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path) from None
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def atomic_write(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Replace the file whole and durably. Raise StorageError, with the old file untouched, where that fails."""
    from tempfile import mkstemp

    with reporting(path):
        descriptor, name = mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        temporary = Path(name)
        try:
            _write_and_sync(descriptor, data, mode)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_directory(path.parent)


def _write_and_sync(descriptor: int, data: bytes, mode: int) -> None:
    with open(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(data)
        file.flush()
        os.fsync(descriptor)
