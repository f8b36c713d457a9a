"""The exit codes, the errors that carry them, and what the system's error numbers mean to a person."""

from __future__ import annotations

import errno
import os
import resource
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, NamedTuple

from memtool.text import size


class ExitCode(NamedTuple):
    """One row of the exit-code table that docs/exit-codes.md is held to."""

    code: int
    name: str
    meaning: str


OK = ExitCode(0, "ok", "done, or nothing to do")
FAILED = ExitCode(
    1, "failed", "some of the work failed; `status`, `verify` and `doctor`: not healthy"
)
USAGE = ExitCode(2, "usage", "the command line, or a node, grip or period in it, is not understood")
BAD_DATA = ExitCode(65, "bad-data", "the input contains nothing that memtool can read")
UNAVAILABLE = ExitCode(
    69, "unavailable", "an endpoint is down or a lock was not free in time; try again later"
)
IO_ERROR = ExitCode(
    74, "io-error", "reading or writing failed: permission, full disk, a limit, damaged store"
)
SKIPPED = ExitCode(75, "skipped", "the same job is already running, or it is paused for a time")
CONFIG = ExitCode(
    78, "config", "a setting, key, model, calendar or store version must be corrected first"
)
INTERRUPTED = ExitCode(
    130, "interrupted", "stopped by SIGINT after the current step, recorded as stopped"
)
TERMINATED = ExitCode(
    143, "terminated", "stopped by SIGTERM after the current step, recorded as stopped"
)

EXIT_CODES = (
    OK,
    FAILED,
    USAGE,
    BAD_DATA,
    UNAVAILABLE,
    IO_ERROR,
    SKIPPED,
    CONFIG,
    INTERRUPTED,
    TERMINATED,
)


class MemtoolError(Exception):
    """An operating error: what happened in one line, a hint what to do, an exit code."""

    exit_code: ClassVar[ExitCode] = FAILED

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(MemtoolError):
    """The command line cannot be understood."""

    exit_code = USAGE


class BadDataError(MemtoolError):
    """The input as a whole cannot be read."""

    exit_code = BAD_DATA


class UnavailableError(MemtoolError):
    """Something outside is down or busy; a later try may work."""

    exit_code = UNAVAILABLE


class StorageError(MemtoolError):
    """A file, directory or the store itself could not be read or written; `number` is the system's, if it gave one."""

    exit_code = IO_ERROR

    def __init__(self, message: str, *, hint: str = "", number: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.number = number


class DamagedError(StorageError):
    """A file is damaged: RocksDB reports corruption, or a digest or format does not match."""


class SkippedError(MemtoolError):
    """The job must not run now. This is not a failure."""

    exit_code = SKIPPED


class ConfigError(MemtoolError):
    """A setting has to be changed first."""

    exit_code = CONFIG


_AGAIN = "then run the same command again: what was accepted is kept"
_OWNER = "check its owner and mode, and those of the directories above it: ls -ld {path}"
MOVE = "memtool backup DIR, memtool restore BACKUP --to PLACE, memtool config set store.path PLACE"
"""How to move a store. Changing only the setting would start a new, empty one."""
_LOCAL = f"a store belongs on a local disk; to move it: {MOVE}"


class ErrorNumber(NamedTuple):
    """An error number, its meaning and what to do, with {path} in it; `figure` adds what the machine says, or ""."""

    number: int
    words: str
    hint: str
    figure: Callable[[Path], str] = lambda _: ""


class Meaning(NamedTuple):
    """The message of one error."""

    words: str
    hint: str


def _room(path: Path) -> str:
    place = next((each for each in (path, *path.parents) if os.path.isdir(each)), Path("/"))  # noqa: PTH112 - never raises
    try:
        disk = os.statvfs(place)
    except OSError:
        return ""
    if disk.f_files and not disk.f_favail:
        return " (no free inodes: no more files fit there)"
    return f" ({size(disk.f_bavail * disk.f_frsize)} free there)"


def _as_whom(_: Path) -> str:
    import pwd

    uid = os.geteuid()
    try:
        return f" (as {pwd.getpwuid(uid).pw_name})"
    except KeyError:
        return f" (as user {uid})"


def _most_open_files(_: Path) -> str:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return f" (the limit is {soft}, and can be raised up to {hard})"


def _largest_file(_: Path) -> str:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if limit == resource.RLIM_INFINITY:
        return " (for this file system)"
    return f" (the limit is {limit} bytes)"


ERROR_NUMBERS = (
    ErrorNumber(errno.ENOSPC, "no space left on device", f"free some space there, {_AGAIN}", _room),
    ErrorNumber(
        errno.EDQUOT,
        "the disk quota is used up",
        f"free some space there, or have the quota raised (quota -s shows it), {_AGAIN}",
    ),
    ErrorNumber(
        errno.EMFILE,
        "too many open files",
        f"raise the limit: ulimit -n 4096 in a shell, LimitNOFILE=4096 in a unit; {_AGAIN}",
        _most_open_files,
    ),
    ErrorNumber(
        errno.ENFILE,
        "too many open files on this machine",
        f"end programs that hold many, or raise it: sysctl fs.file-max; {_AGAIN}",
    ),
    ErrorNumber(
        errno.EFBIG,
        "file too large",
        f"lift the limit: ulimit -f unlimited in a shell, LimitFSIZE=infinity in a unit; {_AGAIN}",
        _largest_file,
    ),
    ErrorNumber(
        errno.EROFS,
        "read-only file system",
        "mount it read-write, or choose another place; Linux makes a disk read-only when it fails: dmesg",
    ),
    ErrorNumber(errno.EACCES, "permission denied", _OWNER, _as_whom),
    ErrorNumber(
        errno.EPERM,
        "operation not permitted",
        "check its owner, and whether it is immutable: ls -ld {path}; lsattr -d {path}",
    ),
    ErrorNumber(
        errno.EIO,
        "input/output error: the device failed to read or write",
        "look at dmesg, and copy the directory to another disk before anything else",
    ),
    ErrorNumber(
        errno.ENOMEM,
        "not enough memory",
        f"end other programs, or raise the limit (ulimit -v, MemoryMax= in a unit), {_AGAIN}",
    ),
    ErrorNumber(errno.ESTALE, "stale network file handle", f"mount it again, {_AGAIN}; {_LOCAL}"),
    ErrorNumber(errno.ENOLCK, "no locks available", f"the file system gives no locks; {_LOCAL}"),
    ErrorNumber(
        errno.ENOTCONN, "the mount is not connected", f"mount it again, {_AGAIN}; {_LOCAL}"
    ),
    ErrorNumber(errno.ENODEV, "no such device", f"mount the disk again, {_AGAIN}"),
    ErrorNumber(errno.ENXIO, "no such device or address", f"mount the disk again, {_AGAIN}"),
    ErrorNumber(errno.ENAMETOOLONG, "file name too long", "choose a shorter path"),
    ErrorNumber(
        errno.ELOOP, "too many symbolic links", "a link points back to itself: ls -ld {path}"
    ),
    ErrorNumber(errno.ENOTDIR, "not a directory", "a directory is needed, but this is a file"),
    ErrorNumber(errno.EEXIST, "file exists", "something else has this name: ls -ld {path}"),
    ErrorNumber(errno.EISDIR, "is a directory", "a file is needed, but this is a directory"),
)
_BY_NUMBER = {row.number: row for row in ERROR_NUMBERS}
assert len(_BY_NUMBER) == len(ERROR_NUMBERS)


def meaning_of(number: int | None, path: Path) -> Meaning | None:
    """Return what the error number means for this path; None if the table does not have it."""
    row = _BY_NUMBER.get(number or 0)
    if row is None:
        return None
    hint = row.hint.replace("{path}", shlex.quote(str(path)))
    return Meaning(row.words + row.figure(path), hint)


def number_in(text: str) -> int | None:
    """Return the error number that has a row and whose name a message of a library contains first, or None."""
    found = [
        (position, -len(name), row.number)
        for row in ERROR_NUMBERS
        if (position := text.find(name := os.strerror(row.number))) >= 0
    ]
    return min(found)[2] if found else None
