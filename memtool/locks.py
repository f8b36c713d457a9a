"""Locks between processes: flock on files that are never deleted and name the holder. Readers take none.

The order is job → tree → writer-queue → writer: a process that holds one takes only later ones. The
kernel releases a flock when the process ends, however it ends, so no lock is stale. On NFS with `nolock` or
`local_lock`, flock does not exclude processes on other machines: a store belongs on a local file system.

A holder also sets an open-file-description lock (fcntl) on the same file. It excludes no process. F_OFD_GETLK finds
it without taking a lock: a probe that took even a shared flock for a microsecond could make a job skip.
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
INDEX = "index"
_ORDER = (TREE, WRITER_QUEUE, WRITER, INDEX)  # after the job's own

_FIRST_POLL_S = 0.001
_LONGEST_POLL_S = 0.05
_HOLDER_BYTES = 1000
_FLOCK = "hhqqi0q"  # struct flock: type, whence, start, length, pid; length 0 is the whole file


class Holder(NamedTuple):
    """Who holds a lock, as it is written into the file."""

    pid: int
    job: str
    started_us: int
    run: str = ""

    def __str__(self) -> str:
        return f"{self.job} (pid {self.pid})"


class Lock:
    """One held lock. `release`, leaving its `with` and the end of the process release it."""

    __slots__ = ("_fd", "holder", "path")

    def __init__(self, fd: int, path: Path, holder: Holder) -> None:
        self._fd = fd
        self.path = path
        self.holder = holder

    def release(self) -> None:
        """Release the lock. The second call does nothing."""
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


class LockWait(NamedTuple):
    """How long to wait for a lock. `checkpoint` may raise to end the wait; `on_wait` is called when it begins."""

    timeout_s: float
    checkpoint: Callable[[], None] = lambda: None
    on_wait: Callable[[Holder | None], None] = lambda _: None


def wait_for(path: Path, holder: Holder, wait: LockWait) -> Lock:
    """Return the lock as soon as it is free.

    Raise UnavailableError, which names the holder, after the timeout.
    """
    end_s = time.monotonic() + wait.timeout_s
    poll_s = _FIRST_POLL_S
    is_said = False
    while (lock := try_lock(path, holder)) is None:
        wait.checkpoint()
        if not is_said:
            is_said = True
            wait.on_wait(holder_of(path))
        left_s = end_s - time.monotonic()
        if left_s <= 0:
            raise _busy(path, wait.timeout_s)
        # A signal does not end a sleep (PEP 475), so sleeps are short and the checkpoint looks.
        time.sleep(min(poll_s, left_s))
        poll_s = min(poll_s * 2, _LONGEST_POLL_S)
    return lock


def wait_in_line(queue: Path, path: Path, holder: Holder, wait: LockWait) -> Lock:
    """Return the lock at `path`, taken while holding the one at `queue`. The timeout holds for each of the two.

    flock is not fair: a process that releases a lock and wants it again at once would nearly always win. Here the
    process that waits holds the queue, so it is next.
    """
    with wait_for(queue, holder, wait):
        return wait_for(path, holder, wait)


@contextmanager
def writer(root: Path, holder: Holder, wait: LockWait) -> Iterator[Lock]:
    """Hold the store's writer lock, taken through its queue."""
    queue = lock_path(root, WRITER_QUEUE)
    with wait_in_line(queue, lock_path(root, WRITER), holder, wait) as lock:
        yield lock


@contextmanager
def tree(root: Path, holder: Holder, wait: LockWait) -> Iterator[Lock]:
    """Hold the lock of the table of contents, as every rollup does until it ends."""
    with wait_for(lock_path(root, TREE), holder, wait) as lock:
        yield lock


def is_free(path: Path) -> bool:
    """Return whether no process holds the lock. Takes no lock and creates no file."""
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
    """Return the holder that the file names, or None. A killed process leaves its name: ask only while it is held."""
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
    """Make the held lock visible to probes, and write down the holder. A full disk or NFS may refuse both."""
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
    """Return whether a shared flock is granted: for kernels without F_OFD_GETLK."""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(fd, fcntl.LOCK_UN)
    return True


def _busy(path: Path, wait_s: float) -> UnavailableError:
    holder = holder_of(path) or "an unknown process"
    return UnavailableError(
        f"the lock {path.name} was not free within {wait_s:g} s: {holder} holds it",
        hint=f"try again later; {path} names the holder",
    )


def _assert_order(path: Path, holder: Holder) -> None:
    """Check that a run takes the locks of a store in their order: else two runs could wait for each other for ever."""
    held = [lock.path for lock in list(_HELD) if lock.holder is holder]
    ranks = [_rank(other) for other in held if other.parent == path.parent]
    assert all(rank < _rank(path) for rank in ranks), f"{path.name} after {[p.name for p in held]}"


def _rank(path: Path) -> int:
    return -1 if path.name.startswith(JOB_PREFIX) else _ORDER.index(path.name)
