"""What an error number of the system means to a person: words, what to do, and the figure that matters."""

from __future__ import annotations

import errno
import os
import resource
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from memtool.sizes import size

_AGAIN = "then run the same command again: what was accepted is kept"
_OWNER = "check its owner and mode, and which user memtool runs as: ls -ld {path}"
MOVE = "memtool backup DIR, memtool restore BACKUP --to PLACE, memtool config set store.path PLACE"
"""How to move a store. The setting alone would begin a new, empty one."""
_LOCAL = f"a store belongs on a local disk; to move it: {MOVE}"


@dataclass(frozen=True, slots=True)
class Row:
    """An error number, its meaning and what to do, with {path} in it; `figure` adds what the machine says, or ""."""

    number: int
    words: str
    hint: str
    figure: Callable[[Path], str] = lambda _: ""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is said of one error."""

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


def _most_open_files(_: Path) -> str:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return f" (the limit is {soft}, and can be raised up to {hard})"


def _largest_file(_: Path) -> str:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if limit == resource.RLIM_INFINITY:
        return " (for this file system)"
    return f" (the limit is {limit} bytes)"


ROWS = (
    Row(errno.ENOSPC, "no space left on device", f"free some space there, {_AGAIN}", _room),
    Row(
        errno.EDQUOT,
        "the disk quota is used up",
        f"free some space there, or have the quota raised (quota -s shows it), {_AGAIN}",
    ),
    Row(
        errno.EMFILE,
        "too many open files",
        f"raise the limit: ulimit -n 4096 in a shell, LimitNOFILE=4096 in a unit; {_AGAIN}",
        _most_open_files,
    ),
    Row(
        errno.ENFILE,
        "too many open files on this machine",
        f"end programs that hold many, or raise it: sysctl fs.file-max; {_AGAIN}",
    ),
    Row(
        errno.EFBIG,
        "file too large",
        f"lift the limit: ulimit -f unlimited in a shell, LimitFSIZE=infinity in a unit; {_AGAIN}",
        _largest_file,
    ),
    Row(
        errno.EROFS,
        "read-only file system",
        "mount it read-write, or choose another place; Linux makes a disk read-only when it fails: dmesg",
    ),
    Row(errno.EACCES, "permission denied", _OWNER),
    Row(
        errno.EPERM,
        "operation not permitted",
        "check its owner, and whether it is immutable: ls -ld {path}; lsattr -d {path}",
    ),
    Row(
        errno.EIO,
        "input/output error: the device failed to read or write",
        "look at dmesg, and copy the directory to another disk before anything else",
    ),
    Row(
        errno.ENOMEM,
        "not enough memory",
        f"end other programs, or raise the limit (ulimit -v, MemoryMax= in a unit), {_AGAIN}",
    ),
    Row(errno.ESTALE, "stale network file handle", f"mount it again, {_AGAIN}; {_LOCAL}"),
    Row(errno.ENOLCK, "no locks available", f"the file system gives no locks; {_LOCAL}"),
    Row(errno.ENOTCONN, "the mount is not connected", f"mount it again, {_AGAIN}; {_LOCAL}"),
    Row(errno.ENODEV, "no such device", f"mount the disk again, {_AGAIN}"),
    Row(errno.ENXIO, "no such device or address", f"mount the disk again, {_AGAIN}"),
    Row(errno.ENAMETOOLONG, "file name too long", "choose a shorter path"),
    Row(errno.ELOOP, "too many symbolic links", "a link leads back to itself: ls -ld {path}"),
    Row(errno.ENOTDIR, "not a directory", "a file stands where a directory is needed"),
    Row(errno.EEXIST, "file exists", "something else stands in its place: ls -ld {path}"),
    Row(errno.EISDIR, "is a directory", "a directory stands where a file is needed"),
)
_BY_NUMBER = {row.number: row for row in ROWS}
assert len(_BY_NUMBER) == len(ROWS)


def meaning_of(number: int | None, path: Path) -> Meaning | None:
    """Return what the error number means for this path; None where there is no row of it."""
    row = _BY_NUMBER.get(number or 0)
    if row is None:
        return None
    hint = row.hint.replace("{path}", shlex.quote(str(path)))
    return Meaning(row.words + row.figure(path), hint)


def number_in(text: str) -> int | None:
    """Return the error number that has a row and whose name a message of a library contains first, or None."""
    found = [
        (position, -len(name), row.number)
        for row in ROWS
        if (position := text.find(name := os.strerror(row.number))) >= 0
    ]
    return min(found)[2] if found else None
