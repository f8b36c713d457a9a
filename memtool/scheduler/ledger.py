"""The ledger's file: appended to under the `ledger` lock, read with none.

Never opens the store; docs/ledger.md is its contract.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from memtool.base.errors import MemtoolError
from memtool.base.files import append_lines, atomic_write, reporting
from memtool.base.lock import (
    LEDGER,
    Holder,
    Patience,
    holder_of,
    is_free,
    job_lock_path,
    lock_path,
    wait_for,
)
from memtool.scheduler.history import (
    LIMIT_LINES,
    History,
    died,
    header_line,
    parse,
    trimmed,
    with_died,
)
from memtool.scheduler.run import Run, end_line, start_line

LOCK_WAIT = Patience(wait_s=30)


def ledger_path(root: Path) -> Path:
    """Return the store's ledger."""
    return root / "ledger" / "runs.jsonl"


def record_start(root: Path, run: Run, holder: Holder, wait: Patience = LOCK_WAIT) -> None:
    """Append that the run began.

    Its job's lock must be held: so an earlier run of the job without an end died, which is recorded too.

    Raise StorageError or UnavailableError where the ledger cannot be written.
    """
    with wait_for(lock_path(root, LEDGER), holder, wait):
        earlier = _read(ledger_path(root))
        ends = [end_line(died(old)) for old in earlier.open_runs() if old.job == run.job]
        append_lines(ledger_path(root), b"".join([*ends, start_line(run)]), first=header_line({}))


def record_end(root: Path, run: Run, holder: Holder, wait: Patience = LOCK_WAIT) -> None:
    """Append how the run ended, and return when it is on the disk.

    Fold old runs into the counters where there are many.

    Raise StorageError or UnavailableError where the ledger cannot be written.
    """
    path = ledger_path(root)
    with wait_for(lock_path(root, LEDGER), holder, wait):
        append_lines(path, end_line(run), first=header_line({}), sync=True)
        # The end is recorded; a trim that fails changed nothing, and the next run tries again.
        with suppress(MemtoolError):
            _trim(path)


def read(root: Path) -> History:
    """Return what is recorded, without a lock.

    A run that was killed has no end here: `look` tells it from one that runs.
    """
    return _read(ledger_path(root))


def look(root: Path) -> History:
    """Return what is recorded, where a run without an end either runs now or died.

    The ledger is read again after the locks were looked at: a run records its end before it lets its lock go, so one
    that was seen begun, then seen without its lock, and still has no end, is dead.
    """
    before = read(root)
    dead = {run.run for run in before.open_runs() if not _is_running(root, run)}
    return with_died(read(root), dead) if dead else before


def _is_running(root: Path, run: Run) -> bool:
    """Return whether the job's lock is held, and not by another run that could not record its start."""
    path = job_lock_path(root, run.job)
    if is_free(path):
        return False
    holder = holder_of(path)
    return holder is None or holder.run in ("", run.run)


def _read(path: Path) -> History:
    with reporting(path):
        try:
            return parse(path.read_bytes())
        except FileNotFoundError:
            return History()


def _trim(path: Path) -> None:
    with reporting(path):
        data = path.read_bytes()
    if data.count(b"\n") > LIMIT_LINES:
        atomic_write(path, trimmed(parse(data)))
