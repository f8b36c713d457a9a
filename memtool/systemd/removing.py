"""Undoes what `memtool setup` did. If a step fails, the others are still done."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from memtool.errors import MemtoolError
from memtool.files import reporting
from memtool.systemd.changes import Change, write
from memtool.systemd.dropins import ON_FAILURE
from memtool.systemd.jobs import STARTERS
from memtool.systemd.setup import SERVICES, STOP_TIMEOUT_S, Places
from memtool.systemd.states import SLICE
from memtool.systemd.systemctl import Manager, failure
from memtool.systemd.units import SHARED

UNITS = (*STARTERS, *SERVICES, SLICE, ON_FAILURE)
_MASK = Path("/dev/null")
_PATTERNS = ("memtool-*", "on-memtool-failure@*", SLICE)


@dataclass(slots=True)
class Removal:
    """What a removal did: removed paths, what stays and why, and what failed."""

    removed: list[Path] = field(default_factory=list)
    stays: list[tuple[Path, str]] = field(default_factory=list)
    problems: list[MemtoolError] = field(default_factory=list)

    @contextmanager
    def step(self) -> Iterator[None]:
        """Record an error of the block, and continue."""
        try:
            yield
        except MemtoolError as error:
            self.problems.append(error)

    def remove(self, path: Path) -> None:
        """Remove a file, a link, or a directory with all that is in it."""
        with self.step(), reporting(path):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif os.path.lexists(path):
                write(Change(path, None, None))
            else:
                return
            self.removed.append(path)


def stop_jobs(manager: Manager, removal: Removal) -> None:
    """Stop the timers, then the services, each after its current step. Checks what still runs, not exit codes."""
    for unit in (*STARTERS, *SERVICES, SLICE):
        manager.call("stop", unit, timeout_s=STOP_TIMEOUT_S)
    done = manager.call("show", "--property=Id,ActiveState", *STARTERS, *SERVICES)
    with removal.step():
        if not done.is_ok:
            raise failure(done, manager, "it is unknown whether all jobs have stopped")
    for block in done.stdout.split("\n\n"):
        row = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if row.get("ActiveState", "inactive") not in ("inactive", "failed"):
            command = shlex.join(["systemctl", *manager.arguments, "kill", row["Id"]])
            removal.problems.append(
                MemtoolError(f"{row['Id']} is still {row['ActiveState']}", hint=command)
            )


def our_files(places: Places, ours: Iterable[Path]) -> list[Path]:
    """Return all files of memtool: units, drop-ins, links of enabled timers, masks, stamps, pages, the record.

    `ours` is what memtool may have written for systemd.
    """
    found = [*ours, *_links(places), *_masks(places), *places.pages()]
    found += [places.stamps / f"stamp-{timer}" for timer in STARTERS]
    return [path for path in dict.fromkeys(found) if os.path.lexists(path)]


def others_files(places: Places, ours: Sequence[Path]) -> list[Path]:
    """Return drop-ins of others for our units, and units of an administrator that replace ours."""
    known = {*ours, *_masks(places)}
    found = [path for folder in _drop_in_folders(places) for path in sorted(folder.iterdir())]
    found += [directory / name for directory in (places.admin, places.units) for name in UNITS]
    return [path for path in dict.fromkeys(found) if path not in known and os.path.lexists(path)]


def remove_directories(places: Places, stores: Iterable[Path], made: Iterable[Path]) -> None:
    """Remove empty directories: those of drop-ins, and those that setup made, according to its record."""
    above = [*places.pages(), *(store / "x" for store in stores)]
    wants = [places.admin / f"{kind}.target.wants" for kind in ("timers", "paths")]
    above += [places.units / "x", *(folder / "x" for folder in wants), places.stamps / "x"]
    ours = {parent for path in above for parent in path.parents}  # whatever the record says
    folders = [*_drop_in_folders(places), *wants]
    for path in [*folders, *sorted(ours & set(made), key=lambda one: len(one.parts), reverse=True)]:
        with suppress(OSError):  # not empty, or not there
            path.rmdir()


def forget_units(manager: Manager, removal: Removal) -> None:
    """Reload systemd, and reset the failed state of our units."""
    with removal.step():
        done = manager.call("daemon-reload", timeout_s=STOP_TIMEOUT_S)
        if not done.is_ok:
            raise failure(done, manager, "systemd still knows the units that are removed")
    manager.call("reset-failed", *_PATTERNS)  # fails where none has failed


def _links(places: Places) -> Iterator[Path]:
    for directory in (places.admin, places.units):
        for folder in (*directory.glob("*.wants"), *directory.glob("*.requires")):
            yield from (folder / timer for timer in STARTERS)


def _masks(places: Places) -> Iterator[Path]:
    for directory in (places.admin, places.runtime):
        for name in UNITS:
            path = directory / name
            if path.is_symlink() and path.readlink() == _MASK:
                yield path


def _drop_in_folders(places: Places) -> list[Path]:
    names = [f"{unit}.d" for unit in UNITS] + [SHARED]
    found = [directory / name for directory in (places.admin, places.units) for name in names]
    return [path for path in dict.fromkeys(found) if path.is_dir()]
