"""What lies beside the store and may hold what is forgotten: unfinished copies go, whole ones are named and stay."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from memtool.files import reporting, sync_directory
from memtool.jobs.backup import STAGING
from memtool.jobs.restore import NEW
from memtool.locks import is_free, job_lock_path
from memtool.process import SUMMARIZER_DIRECTORY

_UNFINISHED = ((STAGING, "backup"), (NEW, "restore"))
"""Directories of a task that was killed, which its next run would remove."""


def remove_leftovers(root: Path) -> None:
    """Remove what killed tasks and a summarizer's program have left. No such program runs: rollups hold the tree."""
    for name, task in _UNFINISHED:
        if is_free(job_lock_path(root, task)):
            _remove(root / name)
    _empty(root / SUMMARIZER_DIRECTORY)
    with reporting(root):
        sync_directory(root)


def copies_beside(root: Path) -> list[str]:
    """Return the other stores under the root, such as one that a restore has put aside: a person chose to keep them."""
    unfinished = {name for name, task in _UNFINISHED if is_free(job_lock_path(root, task))}
    return sorted(str(path) for path in _stores(root) if path.name not in {"store", *unfinished})


def _stores(root: Path) -> Iterator[Path]:
    with reporting(root):
        for path in root.iterdir():
            if (path / "CURRENT").exists() or (path / "store" / "CURRENT").exists():
                yield path


def _empty(directory: Path) -> None:
    with reporting(directory):
        if not directory.is_dir():
            return
        for left in directory.iterdir():
            _remove(left)
        sync_directory(directory)


def _remove(path: Path) -> None:
    with reporting(path):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
