"""What `memtool scheduler logs` does: the journal of a job's unit, cleaned, or why it cannot be read."""

from __future__ import annotations

import re

from memtool.cli.output import note, print_line
from memtool.cli.scheduler.place import Place
from memtool.errors import MemtoolError, StorageError
from memtool.process import Finished, stream
from memtool.systemd.jobs import Job

_HIDDEN = re.compile(r"insufficient permissions|not seeing messages|No journal files were found")
_PLAIN = ("--no-pager", "--no-hostname")
_EMPTY = "-- No entries --"


def print_logs(place: Place, job: Job, *, lines: int, follows: bool) -> None:
    """Print what the journal has of the job. Raise StorageError where it may not be read."""
    manager = place.manager
    argv = ["journalctl", *manager.arguments, "-u", job.unit, "-n", str(lines), *_PLAIN]
    count = 0

    def show(line: str) -> None:
        nonlocal count
        if line != _EMPTY:
            count += 1
            print_line(line)

    done = stream([*argv, "--follow"] if follows else argv, manager.environ, show)
    if not count:
        _explain(done, job)


def _explain(done: Finished, job: Job) -> None:
    """Say why there is nothing to see."""
    if done.is_missing:
        raise MemtoolError(f"{done.said}: there is no journal to read", hint=_history(job))
    if _HIDDEN.search(done.stderr):
        raise StorageError(
            "you may not read the journal of this unit",
            hint=f"use sudo, or join the group systemd-journal; {_history(job)}",
        )
    if not done.is_ok:
        raise MemtoolError(f"the journal was not read: {done.said}", hint=_history(job))
    note(f"The journal has nothing of {job.unit}; {_history(job)}.")


def _history(job: Job) -> str:
    return f'"memtool scheduler history {job.name}" shows what memtool recorded'
