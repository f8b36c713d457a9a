"""Deletes a store: what memtool has put into its directory, and the directory if nothing else is in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from memtool.agents.hooks.spool import REJECTED, SPOOL
from memtool.files import remove, reporting
from memtool.jobs.backup import STAGING
from memtool.jobs.restore import ASIDE, INTERRUPTED, NEW
from memtool.ledger.file import ledger_path
from memtool.locks import TREE, WRITER, Holder, LockWait, job_lock_path, lock_path, wait_for
from memtool.paths import LOOKS
from memtool.search import index
from memtool.store.access import FORMAT_FILE, SWAP
from memtool.systemd.jobs import JOBS, TASKS
from memtool.systemd.pauses import directory as pause_directory
from memtool.systemd.setup import RECORD

_DIRECTORIES = (
    *("store", "store.new", "locks", index.DIRECTORY, STAGING, NEW, SWAP),
    *(SPOOL, REJECTED),
)
_BEGINNINGS = (f"{ASIDE}-", f"{INTERRUPTED}-", f".{FORMAT_FILE}.")


def is_store(root: Path) -> bool:
    """Return whether memtool keeps a store in this directory, or began to."""
    found = (FORMAT_FILE, RECORD, "locks")
    return any((root / name).exists() for name in found) or ledger_path(root).exists()


def is_used(root: Path) -> bool:
    """Return whether there is more in the directory than what setup puts there."""
    return any(path.name not in (RECORD, LOOKS) for path in root.iterdir())


def purge(root: Path, now_us: int) -> list[Path]:
    """Delete the store and return what is left in its directory, none of it memtool's; empty: the directory is gone.

    Raise UnavailableError, with nothing deleted, while a job runs, and StorageError where a file cannot go.
    """
    with _alone(root, now_us), reporting(root):
        for path in _own(root):
            remove(path)
    with reporting(root):
        left = sorted(root.iterdir())
        if not left:
            root.resolve().rmdir()
        if not left and root.is_symlink():
            root.unlink()
    return left


@contextmanager
def _alone(root: Path, now_us: int) -> Iterator[None]:
    paths = [job_lock_path(root, row.name) for row in (*JOBS, *TASKS)]
    paths += [lock_path(root, TREE), lock_path(root, WRITER)]
    with ExitStack() as held:
        for path in paths:
            if path.exists():  # else nothing has ever run here
                held.enter_context(
                    wait_for(path, Holder(os.getpid(), "setup", now_us), LockWait(0))
                )
        yield


def _own(root: Path) -> Iterator[Path]:
    names = {
        FORMAT_FILE,
        RECORD,
        LOOKS,
        *_DIRECTORIES,
        ledger_path(root).parent.name,
        pause_directory(root).name,
    }
    for path in sorted(root.iterdir()):
        if path.name in names or path.name.startswith(_BEGINNINGS):
            yield path
