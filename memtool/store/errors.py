"""What RocksDB's messages mean to a person: rocksdict raises a plain Exception with a text for everything."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from memtool.errors import (
    DamagedError,
    MemtoolError,
    StorageError,
    UnavailableError,
    meaning_of,
    number_in,
)

_BUSY = (os.strerror(errno.EAGAIN), "lock hold by current process")
_NO_ROOM = ("Compaction too large", "Max allowed space was reached")
_DAMAGED = ("Corruption", "No such file or directory", "create_if_missing is false")
_REPEATED = "Writer has previous error"

WAY_BACK = (
    "nothing was overwritten: `memtool restore BACKUP --replace` puts a backup in its place and keeps this one; "
    "without a backup, rename its directory and keep it (agents delete old transcripts: it may hold the only copy), "
    "then `memtool ingest` takes in what is still there"
)
"""What to do about a store that is damaged, in every error that says so."""

_UNKNOWN = (
    "run the same command again; if it fails again, `memtool doctor` looks for the cause. Keep the store: "
    "this is no sign of damage, and `memtool restore BACKUP --replace` would keep it, too"
)


def storage_error(path: Path, text: str) -> MemtoolError:
    """Return what a message of RocksDB means to a person. Only what it calls corruption is called damage.

    It calls an error of the system corruption, too, where it met one while it read its lists: so those come first.
    """
    said = text.replace(str(path), "")  # a directory may be called as an error is
    if any(phrase in said for phrase in _BUSY):
        return UnavailableError(
            f"the store at {path} is open in another program",
            hint="wait for it to end, then try again",
        )
    is_full = any(phrase in said for phrase in _NO_ROOM)
    file = re.search(re.escape(f"{path}/") + r"[^:;\s]+", text)
    place = Path(file.group()) if file else path
    meaning = meaning_of(errno.ENOSPC if is_full else number_in(said), place)
    if meaning is not None:
        return StorageError(f"the store at {place}: {meaning.words}", hint=meaning.hint)
    if any(phrase in said for phrase in _DAMAGED):
        return DamagedError(f"the store at {path} is damaged: {text}", hint=WAY_BACK)
    return StorageError(f"the store at {path} could not be used: {text}", hint=_UNKNOWN)


def _as_said(text: str) -> str:
    return text


def is_repeated(text: str) -> bool:
    """Return whether a message says only that something went wrong before."""
    return _REPEATED in text and number_in(text) is None


@contextmanager
def translated(path: Path, cause: Callable[[str], str] = _as_said) -> Iterator[None]:
    """Raise our errors for what rocksdict raises, which is a plain Exception for everything.

    `cause` returns the message that is meant by a message.
    """
    try:
        yield
    except (MemtoolError, AssertionError):
        raise
    except Exception as error:  # rocksdict has no narrower class, and OSErrors without a number
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise storage_error(path, cause(str(error))) from error
