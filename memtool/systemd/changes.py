"""Writes only the files that differ, and tells systemd. For `memtool setup` and `memtool scheduler apply`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from memtool.files import atomic_write, reporting
from memtool.systemd.jobs import JOBS
from memtool.systemd.states import TimerState
from memtool.systemd.systemctl import Manager, failure

# As all unit files: systemd shows everyone what is in them.
_FILE_MODE = 0o644
_DIRECTORY_MODE = 0o755


UNREADABLE = ""
"""Stands for the text of a file that this user may not read. No file of memtool is empty."""


class Change(NamedTuple):
    """One file to write, replace, or remove (`new` is None)."""

    path: Path
    old: str | None
    new: str | None


def changes(wanted: Mapping[Path, str], ours: Iterable[Path]) -> list[Change]:
    """Return what has to change. `ours` are all files that memtool may have written: the unwanted ones are removed.

    Drop-ins are written before their units, and removed after them, so that a job is never less confined. A masked
    unit stays masked. A file that may not be read is replaced. Raise StorageError if a file cannot be read otherwise.
    """
    found = [
        Change(path, _read(path), wanted.get(path))
        for path in dict.fromkeys((*wanted, *ours))
        if path not in wanted or not _is_masked(path)
    ]
    return sorted((change for change in found if change.old != change.new), key=_turn)


def _is_masked(path: Path) -> bool:
    return path.is_symlink() and str(path.readlink()) == "/dev/null"


def _turn(change: Change) -> tuple[bool, bool]:
    is_removal = change.new is None
    is_drop_in = change.path.parent.suffix == ".d"
    return is_removal, is_drop_in == is_removal


def write(change: Change) -> None:
    """Make the change. Raise StorageError if that fails."""
    path = change.path
    if change.new is None:
        with reporting(path):
            path.unlink(missing_ok=True)
        if path.parent.suffix == ".d":
            with suppress(OSError):
                path.parent.rmdir()  # unless something of others is in it
        return
    with reporting(path):
        for directory in reversed([path.parent, *path.parent.parents]):
            if not directory.is_dir():
                directory.mkdir()
                directory.chmod(_DIRECTORY_MODE)  # whatever the umask
    atomic_write(path, change.new.encode(), mode=_FILE_MODE)


def diff(change: Change) -> Iterator[str]:
    """Yield the lines of a diff."""
    from difflib import unified_diff

    old, new = (change.old or "").splitlines(), (change.new or "").splitlines()
    before = "/dev/null" if change.old is None else str(change.path)
    after = "/dev/null" if change.new is None else str(change.path)
    yield from unified_diff(old, new, before, after, lineterm="")


def timers_in(made: Iterable[Change]) -> set[str]:
    """Return the jobs whose timers change."""
    names = {name for change in made for name in (change.path.name, change.path.parent.name)}
    return {job.name for job in JOBS if names & {job.timer, f"{job.timer}.d"}}


def paths_in(made: Iterable[Change]) -> list[str]:
    """Return the path units that change."""
    names = {name for change in made for name in (change.path.name, change.path.parent.name)}
    return [job.path for job in JOBS if job.path and names & {job.path, f"{job.path}.d"}]


def tell_systemd(
    manager: Manager, made: Sequence[Change], states: Mapping[str, TimerState]
) -> tuple[str, ...]:
    """Reload systemd. Restart live timers and path units that changed, and dead timers: a start would not revive them.

    `states` are those before the changes. Return the restarted timers. Raise MemtoolError if systemd refuses.
    """
    if made:
        _call(manager, "daemon-reload")
    changed = timers_in(made)
    again = tuple(
        job.timer
        for job in JOBS
        if (timer := states.get(job.name)) is not None
        and (timer.state in ("dead", "failed") or (job.name in changed and timer.is_live))
    )
    if again:
        _call(manager, "restart", *again)
    if paths := paths_in(made):
        _call(manager, "try-restart", *paths)
    return again


def _call(manager: Manager, *arguments: str) -> None:
    done = manager.call(*arguments, timeout_s=90)
    if not done.is_ok:
        raise failure(done, manager, f"the files are written, but systemd's {arguments[0]} failed")


def _read(path: Path) -> str | None:
    with reporting(path):
        try:
            return path.read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError:
            return UNREADABLE
