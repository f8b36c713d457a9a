"""From the files that are to the files that should be: only what differs is written, each file whole.

Tells no systemd of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from memtool.base.files import atomic_write, reporting
from memtool.scheduler.dropins import possible_paths
from memtool.scheduler.jobs import JOBS

# As all of systemd's: what a unit says, systemd tells everyone anyway.
_FILE_MODE = 0o644
_DIRECTORY_MODE = 0o755


@dataclass(frozen=True, slots=True)
class Change:
    """One file that is to be written (`new`), replaced, or removed (`new` is None)."""

    path: Path
    old: str | None
    new: str | None


def changes(directory: Path, wanted: Mapping[str, str]) -> list[Change]:
    """Return what has to be changed below the directory of units. Raise StorageError where it cannot be read."""
    found = (
        Change(directory / name, _read(directory / name), wanted.get(name))
        for name in possible_paths()
    )
    return [change for change in found if change.old != change.new]


def write(change: Change) -> None:
    """Make the change. Raise StorageError where that is not allowed."""
    path = change.path
    if change.new is None:
        with reporting(path):
            path.unlink(missing_ok=True)
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
    """Give the change as the lines of a diff."""
    from difflib import unified_diff  # noqa: PLC0415 - a dry run alone needs it

    old, new = (change.old or "").splitlines(), (change.new or "").splitlines()
    before = "/dev/null" if change.old is None else str(change.path)
    after = "/dev/null" if change.new is None else str(change.path)
    yield from unified_diff(old, new, before, after, lineterm="")


def timers_in(made: Iterable[Change]) -> set[str]:
    """Return the jobs whose timers these changes are about."""
    folders = {change.path.parent.name for change in made}
    return {job.name for job in JOBS if f"{job.timer}.d" in folders}


def _read(path: Path) -> str | None:
    with reporting(path):
        try:
            return path.read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            return None
