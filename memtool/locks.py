"""Locks between processes: flock on files that are never deleted and name who holds them.

Must never be used where a reader would wait.

The order is job → tree → writer-queue → writer: a process that holds one takes only later ones. flock
belongs to the open file: the kernel drops it when the process ends, however it ends, so nothing goes stale. On NFS
flock is emulated with byte ranges, and with `nolock` or `local_lock` it excludes nobody on other machines: a store
belongs on a local file system.

To look at a lock without touching it, a holder also sets an open-file-description lock (fcntl) on the same file. It
excludes nobody; it is there to be seen by F_OFD_GETLK, which takes nothing. A probe that took even a shared flock for
a microsecond could make a job skip.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from memtool.errors import UnavailableError
from memtool.files import private_directory, reporting

JOB_PREFIX = "job-"
TREE = "tree"
WRITER_QUEUE = "writer-queue"
WRITER = "writer"
_ORDER = (TREE, WRITER_QUEUE, WRITER)  # after the job's own

_FIRST_POLL_S = 0.001
_LONGEST_POLL_S = 0.05
_HOLDER_BYTES = 1000
_FLOCK = "hhqqi0q"  # struct flock: type, whence, start, length, pid; length 0 is the whole file


class Holder(NamedTuple):
    """Who holds a lock: written into it for the others to read."""

    pid: int
    job: str
    started_us: int
    run: str = ""

    def __str__(self) -> str:
        return f"{self.job} (pid {self.pid})"


class Lock:
    """One held lock. It is let go by `release`, by leaving its `with`, and by the end of the process."""

    __slots__ = ("_fd", "holder", "path")

    def __init__(self, fd: int, path: Path, holder: Holder) -> None:
        self._fd = fd
        self.path = path
        self.holder = holder

    def release(self) -> None:
        """Let the lock go. Doing so twice does nothing."""
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        _HELD.discard(self)
        with suppress(OSError):
            os.ftruncate(fd, 0)
        os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


_HELD: set[Lock] = set()


def lock_path(root: Path, name: str) -> Path:
    """Return the file of the store's lock of this name."""
    return root / "locks" / name


def job_lock_path(root: Path, job: str) -> Path:
    """Return the file of this job's own lock."""
    return lock_path(root, JOB_PREFIX + job)


def try_lock(path: Path, holder: Holder) -> Lock | None:
    """Return the lock, or None if another has it. Never waits."""
    _assert_order(path, holder)
    with reporting(path):
        fd = _open_locked(path)
    if fd is None:
        return None
    _sign(fd, holder)
    lock = Lock(fd, path, holder)
    _HELD.add(lock)
    return lock


def _no_check() -> None:
    """Nothing stops this wait but its bound."""


def _no_word(_: Holder | None) -> None:
    """Nobody is told of this wait."""


class Patience(NamedTuple):
    """How a wait goes: its bound, what may break it by raising, and who is told, once, that it began."""

    wait_s: float
    checkpoint: Callable[[], None] = _no_check
    on_wait: Callable[[Holder | None], None] = _no_word


def wait_for(path: Path, holder: Holder, patience: Patience) -> Lock:
    """Return the lock as soon as it is free.

    Raise UnavailableError, which names the holder, when the bound has passed.
    """
    end_s = time.monotonic() + patience.wait_s
    poll_s = _FIRST_POLL_S
    told = False
    while (lock := try_lock(path, holder)) is None:
        patience.checkpoint()
        if not told:
            told = True
            patience.on_wait(holder_of(path))
        left_s = end_s - time.monotonic()
        if left_s <= 0:
            raise _busy(path, patience.wait_s)
        # A signal does not end a sleep (PEP 475), so sleeps are short and the checkpoint looks.
        time.sleep(min(poll_s, left_s))
        poll_s = min(poll_s * 2, _LONGEST_POLL_S)
    return lock


def wait_in_line(queue: Path, path: Path, holder: Holder, patience: Patience) -> Lock:
    """Return the lock at `path`, having stood in line for it at `queue`.

    flock is not fair: a process that lets go and at once wants the lock again would nearly always win. Here it finds
    the head of the queue taken by the one that waits, who therefore gets the lock in between. The bound holds for
    each of the two waits.
    """
    with wait_for(queue, holder, patience):
        return wait_for(path, holder, patience)


@contextmanager
def writer(root: Path, holder: Holder, patience: Patience) -> Iterator[Lock]:
    """Hold the store's writer lock, taken in line."""
    queue = lock_path(root, WRITER_QUEUE)
    with wait_in_line(queue, lock_path(root, WRITER), holder, patience) as lock:
        yield lock


@contextmanager
def tree(root: Path, holder: Holder, patience: Patience) -> Iterator[Lock]:
    """Hold the lock of the table of contents, as every rollup does from its first look to its last write."""
    with wait_for(lock_path(root, TREE), holder, patience) as lock:
        yield lock


def is_free(path: Path) -> bool:
    """Return whether nobody holds the lock. Takes no lock and creates nothing, so that it disturbs no job."""
    with reporting(path):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        try:
            return _seen_free(fd)
        finally:
            os.close(fd)


def holder_of(path: Path) -> Holder | None:
    """Return who says to hold the lock, or None. Only meaningful while it is held: a killed process leaves its name."""
    try:
        with path.open("rb") as file:
            fields = json.loads(file.read(_HOLDER_BYTES).partition(b"\n")[0])
        return Holder(**fields)
    except (OSError, ValueError, TypeError):
        return None


def _open_locked(path: Path) -> int | None:
    private_directory(path.parent)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def _sign(fd: int, holder: Holder) -> None:
    """Make the held lock visible to probes, and say whose it is.

    Neither may fail the job: a full disk or NFS can refuse.
    """
    with suppress(OSError):
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, fcntl.F_WRLCK, 0, 0, 0, 0))
    text = json.dumps(holder._asdict()).encode() + b"\n"
    with suppress(OSError):
        os.pwrite(fd, text, 0)
        os.ftruncate(fd, len(text))


def _seen_free(fd: int, command: int = fcntl.F_OFD_GETLK) -> bool:
    question = struct.pack(_FLOCK, fcntl.F_WRLCK, 0, 0, 0, 0)
    try:
        answer = fcntl.fcntl(fd, command, question)
    except OSError:  # a kernel that does not know the command (gVisor)
        return _flock_free(fd)
    kind: int = struct.unpack(_FLOCK, answer)[0]
    return kind == fcntl.F_UNLCK


def _flock_free(fd: int) -> bool:
    """Return whether a shared flock can be had for a moment: second best, for kernels without F_OFD_GETLK."""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(fd, fcntl.LOCK_UN)
    return True


def _busy(path: Path, wait_s: float) -> UnavailableError:
    holder = holder_of(path) or "a process that did not say who it is"
    return UnavailableError(
        f"the lock {path.name} was not free within {wait_s:g} s: {holder} holds it",
        hint=f"try again later; {path} names the holder",
    )


def _assert_order(path: Path, holder: Holder) -> None:
    """One run takes the locks of a store in one order only, or two runs could wait for each other for ever."""
    held = [lock.path for lock in list(_HELD) if lock.holder is holder]
    ranks = [_rank(other) for other in held if other.parent == path.parent]
    assert all(rank < _rank(path) for rank in ranks), f"{path.name} after {[p.name for p in held]}"


def _rank(path: Path) -> int:
    return -1 if path.name.startswith(JOB_PREFIX) else _ORDER.index(path.name)
