"""Files: written whole and durably, made private, exchanged; errors that name the path."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from memtool.errors import StorageError, meaning_of


def storage_error(error: OSError | MemoryError, path: Path | str) -> StorageError:
    """Return the error that names the path and says what to do."""
    number = errno.ENOMEM if isinstance(error, MemoryError) else error.errno
    meaning = meaning_of(number, Path(path))
    if meaning is not None:
        return StorageError(f"{path}: {meaning.words}", hint=meaning.hint, number=number)
    reason = getattr(error, "strerror", None) or str(error)
    return StorageError(f"{path}: {reason.lower()}", number=number)


@contextmanager
def reporting(path: Path | str) -> Iterator[None]:
    """Raise StorageError naming the path in place of an OSError from the block."""
    try:
        yield
    except OSError as error:
        raise storage_error(error, path) from error


def exists(path: Path) -> bool:
    """Return whether something is at the path. Raise StorageError if that cannot be found out.

    Since Python 3.14, `Path.exists` says False of what it may not or cannot look at.
    """
    with reporting(path):
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
    return True


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


def dated_place(directory: Path, word: str, now_us: int) -> Path:
    """Return a name in the directory, of the word and the instant, that nothing has: so nothing is overwritten."""
    from datetime import UTC, datetime

    name = f"{word}-{datetime.fromtimestamp(now_us // 1_000_000, UTC):%Y%m%dT%H%M%SZ}"
    place, number = directory / name, 1
    while place.exists():
        number += 1
        place = directory / f"{name}-{number}"
    return place


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def bytes_below(directory: Path) -> int:
    """Return the bytes of all files below, links not followed; what vanishes meanwhile or is closed counts nothing."""
    total, waiting = 0, [directory]
    while waiting:
        try:
            entries = list(waiting.pop().iterdir())
        except OSError:
            continue
        for path in entries:
            try:
                if path.is_dir() and not path.is_symlink():
                    waiting.append(path)
                else:
                    total += path.lstat().st_size
            except OSError:
                continue
    return total


_LINKS = "memtool-links-"


@contextmanager
def links_to(directory: Path, is_wanted: Callable[[str], bool]) -> Iterator[Path]:
    """Give a private directory of links to the wanted files of a directory, for a library that writes beside them.

    Its lock is held meanwhile. So the next call removes what a killed process has left, and nothing else.
    """
    import shutil
    from tempfile import gettempdir, mkdtemp

    try:
        for left in Path(gettempdir()).glob(f"{_LINKS}*"):
            _remove_if_left(left)
        place, lock = Path(), -1
        while lock < 0:
            place = Path(mkdtemp(prefix=_LINKS))
            lock = _locked_directory(place, fcntl.LOCK_EX)
    except OSError as error:
        raise StorageError(
            f"{directory} cannot be written, and there is no place for a temporary directory: {error}",
            hint="set TMPDIR to a directory in which you may write",
        ) from error
    try:
        for path in directory.absolute().iterdir():
            if is_wanted(path.name):
                (place / path.name).symlink_to(path)
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        os.close(lock)


def _locked_directory(path: Path, how: int) -> int:
    """Return a descriptor of the directory, which holds its lock; -1 if it is gone, or another's."""
    lock = -1
    with suppress(OSError):
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        fcntl.flock(lock, how)
        if os.fstat(lock).st_uid == os.getuid() and path.exists():
            return lock
    if lock >= 0:
        os.close(lock)
    return -1


def _remove_if_left(path: Path) -> None:
    import shutil

    lock = _locked_directory(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if lock >= 0:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def remove(path: Path) -> None:
    """Delete a file, a link, or a directory with all that is in it. It may be missing."""
    import shutil

    with reporting(path):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def atomic_write(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Replace the file whole and durably. Raise StorageError, with the old file untouched, if that fails."""
    with atomic_stream(path, mode=mode) as file:
        file.write(data)


@contextmanager
def atomic_stream(path: Path, *, mode: int = 0o600) -> Iterator[BinaryIO]:
    """Give a file to write to that takes the path's place, whole and durably, when the block ends well."""
    from tempfile import mkstemp

    with reporting(path):
        descriptor, name = mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with reporting(path), os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            yield file
            file.flush()
            os.fsync(descriptor)
        with reporting(path):
            temporary.replace(path)
            sync_directory(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


_RENAME_EXCHANGE = 2
_AT_THE_WORKING_DIRECTORY = -100
_UNKNOWN = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


def exchange(one: Path, other: Path) -> bool:
    """Exchange what the two names stand for. Return False, with nothing changed, if the system cannot do it.

    Linux has it (renameat2), ext4, XFS, Btrfs and tmpfs do; NFS does not.
    """
    import ctypes

    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    here = _AT_THE_WORKING_DIRECTORY
    if call(here, os.fsencode(one), here, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNKNOWN:
        return False
    raise OSError(number, os.strerror(number), os.fspath(one))
