"""Carries out the plan of `memtool setup`: directories, files, systemd. Says nothing; returns what was done."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from memtool.errors import MemtoolError
from memtool.files import atomic_write, private_directory, reporting
from memtool.person import Person, as_person
from memtool.process import run
from memtool.systemd.changes import Change, tell_systemd, write
from memtool.systemd.removing import SERVICES, STOP_TIMEOUT_S, TIMERS, read_record
from memtool.systemd.setup import RECORD, Places
from memtool.systemd.systemctl import Manager, ask, failure
from memtool.systemd.units import TimerState

_RECORD_VERSION = 1
_CHECK = "memtool-setup-check"
_NOT_RUNNING = (
    "its file system must not be mounted noexec, and whose jobs they are must be able to read it"
)
_SYSTEMCTL_TIMEOUT_S = 90


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done: the files, the timers that are new and are to be enabled, and whose store is where."""

    places: Places
    changes: Sequence[Change]
    enable: Sequence[str]
    store: Path
    owner: Person | None = None
    """Who is to own the store where that is not the one who runs this: the system's run-as user."""
    take_over: str = ""
    """Whose store becomes the owner's."""


def carry_out(plan: Plan, manager: Manager | None, offline: Manager | None) -> tuple[str, ...]:
    """Do what the plan says and return the timers that were restarted.

    `manager` is the systemd that runs now. Without one, `offline` enables for its next start; None where there is no
    systemctl. Raise MemtoolError at the first step that fails; doing it again goes on.
    """
    _record_directories(plan)
    _make_stores(plan)
    states: Mapping[str, TimerState] = ask(manager).states if manager else {}
    for change in plan.changes:
        write(change)
    again: tuple[str, ...] = ()
    if manager is not None:
        again = tell_systemd(manager, plan.changes, states)
    if plan.take_over and plan.owner is not None:
        if manager is not None:
            manager.call("stop", *SERVICES, timeout_s=STOP_TIMEOUT_S)
        for store in {plan.places.store, plan.store}:
            give_to(store, plan.owner)
    if plan.enable and (manager or offline):
        _enable(plan.enable, manager, offline)
    return again


def give_to(root: Path, owner: Person) -> None:
    """Make the person the owner of the directory and all that is in it; links in it are not followed."""
    with reporting(root):
        if root.stat().st_uid == owner.uid:
            return
        for folder, directories, files in os.walk(root):
            for name in (*directories, *files):
                os.chown(Path(folder) / name, owner.uid, owner.gid, follow_symlinks=False)
        os.chown(root, owner.uid, owner.gid)


def _record_directories(plan: Plan) -> None:
    """Write down which directories are made, before they are: the removal takes away no other."""
    place = plan.places.store
    paths = [change.path for change in plan.changes if change.new is not None]
    paths += [place / RECORD, plan.store / "x", plan.places.stamps / "x"]
    made = {*read_record(place), *missing_directories(paths)}
    private_directory(place)
    text = json.dumps({"version": _RECORD_VERSION, "directories": sorted(map(str, made))}, indent=2)
    record, data = place / RECORD, f"{text}\n".encode()
    if not record.exists() or record.read_bytes() != data:
        atomic_write(record, data)
    if plan.owner is not None:
        with reporting(record):
            owner = place.stat()
            os.chown(record, owner.st_uid, owner.st_gid)


def _make_stores(plan: Plan) -> None:
    """Make the store's directory, so that there is somewhere to look, and to pause, before the first run.

    One that the settings name is made as the person whose settings they are: root gives away nothing else.
    """
    person = plan.owner
    if person is None:
        private_directory(plan.store)
        return
    if not plan.take_over:
        give_to(plan.places.store, person)

    def make() -> int:
        private_directory(plan.store)
        return 0

    if not plan.store.exists() and as_person(person, make) != 0:
        raise MemtoolError(
            f"{person.name} cannot make {plan.store}", hint="make it, and give it to this user"
        )


def missing_directories(paths: Iterable[Path]) -> list[Path]:
    """Return the directories above the paths that are not there."""
    parents = {parent for path in paths for parent in path.parents}
    return sorted(path for path in parents if not path.is_dir())


def _enable(timers: Sequence[str], manager: Manager | None, offline: Manager | None) -> None:
    """Enable and start the timers; without a systemd that runs, they start with it."""
    asked = manager or offline
    assert asked is not None
    now = ["--now"] if manager is not None else []
    mask = os.umask(0o022)  # for the directories of links
    done = asked.call("enable", *now, *timers, timeout_s=_SYSTEMCTL_TIMEOUT_S)
    os.umask(mask)
    if not done.is_ok:
        raise failure(done, asked, "the files are written, but the timers are not enabled")


def offline_manager(manager: Manager) -> Manager:
    """Return one that changes links and asks no systemd."""
    return replace(manager, environ={**manager.environ, "SYSTEMD_OFFLINE": "1"})


def timers_off(manager: Manager) -> list[str]:
    """Return the timers that are installed and disabled."""
    return [
        timer for timer in TIMERS if manager.call("is-enabled", timer).stdout.strip() == "disabled"
    ]


def check_starts(program: Path, environ: Mapping[str, str], person: Person | None) -> None:
    """Raise MemtoolError unless the program starts, as this person where one is named."""

    def start() -> int:
        done = run([str(program), "--version"], environ)
        if not done.is_ok:
            os.write(2, f"{done.said}\n".encode())
        return 0 if done.is_ok else 1

    if (start() if person is None else as_person(person, start)) != 0:
        who = f" as {person.name}" if person else ""
        raise MemtoolError(f"{program} does not run{who}", hint=_NOT_RUNNING)


def check_unit_starts(manager: Manager, program: Path) -> None:
    """Raise MemtoolError unless a unit can start the program, with all that the services share."""
    # "memtool-": so that systemd applies the drop-ins of memtool-.service.d to it.
    argv = ["systemd-run", *manager.arguments, "--quiet", "--wait", "--collect"]
    argv += [f"--unit={_CHECK}", "--", str(program), "--version"]
    done = run(argv, manager.environ, timeout_s=_SYSTEMCTL_TIMEOUT_S)
    if done.is_missing or done.is_ok:
        return
    log = shlex.join(["journalctl", *manager.arguments, f"--unit={_CHECK}"])
    raise MemtoolError(
        f"the files are written, but a unit cannot start {program} ({done.said})",
        hint=f"{_NOT_RUNNING}; see: {log}",
    )
