"""What `memtool setup` finds on this machine, and the plan that it makes of it. Changes nothing."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from memtool.agents.discover import discover
from memtool.agents.registry import Root
from memtool.cli.scheduler.apply import drop_ins, possible_drop_ins
from memtool.cli.scheduler.place import Place, place_of
from memtool.cli.setup.order import EXTRAS, Order, scope_of
from memtool.errors import MemtoolError, UsageError
from memtool.jobs.purge import is_used
from memtool.model.calendar import Calendar
from memtool.paths import SYSTEM_STORE, name_of, other_owner
from memtool.person import Person, person_named, this_person
from memtool.program import Program, extra_hint, running_program
from memtool.query.reader import reader_for
from memtool.rollup.configured import calendar_for_new_store
from memtool.systemd.changes import Change, changes
from memtool.systemd.setup import (
    Places,
    Plan,
    check_owner,
    check_starts,
    check_visible,
    lasting_command,
    new_timers,
    offline_manager,
    page_texts,
    places,
)
from memtool.systemd.systemctl import Manager, Scope, manager_of, runs_with, units_directory
from memtool.systemd.units import (
    Installation,
    installation_in,
    possible_unit_paths,
    sandbox_properties,
    unit_files,
)


class Sessions(NamedTuple):
    """What an agent has left in a directory: its sessions, their bytes, when the first and the last was written."""

    agent: str
    directory: Path
    number: int = 0
    size_bytes: int = 0
    first_us: int = 0
    last_us: int = 0


class Setup(NamedTuple):
    """Everything that is said before it is done."""

    scope: Scope
    person: Person
    program: Program
    place: Place
    """With the environment and the settings that the jobs will find."""
    plan: Plan
    installation: Installation
    calendar: Calendar
    is_pinned: bool
    """Whether a store has the calendar already."""
    sessions: tuple[Sessions, ...]
    """For each directory of an agent."""
    extra_commands: tuple[tuple[str, ...], ...]
    manager: Manager | None
    """The systemd that runs now; None where none does."""
    offline: Manager | None
    """One that changes links only; None where there is no systemctl."""
    warnings: tuple[str, ...]


def setup_of(order: Order) -> Setup:
    """Return what is to be done. Raise MemtoolError where it must not be, or could not work."""
    scope = scope_of(order)
    program = running_program()
    launcher = program.launcher()
    extra_commands = tuple(_extra_command(program, name) for name in order.extras)
    person = _system_person(order) if scope == "system" else this_person(order.call.environ)
    call = order.call
    if scope == "system":
        call = call.fresh(person.environ(call.environ))
        parts = (launcher, program.prefix, Path(sys.executable), Path(sys.base_prefix))
        check_visible(parts, lasting_command(program.way, person.name))
    elif other_owner(SYSTEM_STORE) == person.name:
        raise MemtoolError(
            f"your memory is in {SYSTEM_STORE} already, kept by the system's timers",
            hint=f"to renew these: sudo memtool setup --system --run-as {person.name}",
        )
    check_starts(launcher, call.environ, person if scope == "system" else None)
    manager, offline = managers(scope, call.environ)
    where = places(scope, call.environ, person.uid)
    place = place_of(call, scope == "system")
    store = _store(place, where)
    if scope == "system":
        check_owner(store, store_owner(store), person.name, order.take_over)
    installation = _installation(place, person, launcher, manager)
    calendar, is_pinned = _calendar(place)
    return Setup(
        scope=scope,
        person=person,
        program=program,
        place=place,
        plan=Plan(
            places=where,
            changes=_changes(place, where, installation, offline),
            enable=new_timers(where) if order.enables and offline else (),
            store=store,
            owner=person if scope == "system" else None,
            take_over=order.take_over,
        ),
        installation=installation,
        calendar=calendar,
        is_pinned=is_pinned,
        sessions=tuple(_sessions(root) for root in call.roots),
        extra_commands=extra_commands,
        manager=manager,
        offline=offline,
        warnings=tuple(_warnings(place, person)),
    )


def _extra_command(program: Program, name: str) -> tuple[str, ...]:
    if name not in EXTRAS:
        raise UsageError(f"--with knows no {name!r}", hint=f"it knows: {', '.join(EXTRAS)}")
    command = program.extra_command(name)
    if not command:
        raise MemtoolError(
            f"memtool was installed by a package manager, which --with {name} cannot use",
            hint=extra_hint(name),
        )
    return command


def _system_person(order: Order) -> Person:
    """Return the run-as user: the one that was named, else the one that the installed units have."""
    if os.getuid() != 0:
        raise MemtoolError("--system needs root", hint="do it through sudo")
    person = person_named(order.run_as) if order.run_as else installed_person(order)
    if person is not None:
        return person
    who = order.call.environ.get("SUDO_USER") or "USER"
    raise UsageError("say whose sessions are read", hint=f"memtool setup --system --run-as {who}")


def installed_person(order: Order) -> Person | None:
    """Return whom the installed units of the system run as; None where there are none, or the user is gone."""
    environ = order.call.environ
    installed = installation_in(units_directory("system", environ), "system", Path("/"))
    with suppress(UsageError):
        return person_named(installed.run_as) if installed and installed.run_as else None
    return None


def store_owner(store: Path) -> str:
    """Return whose memory it is; empty where there is none, or nothing in it."""
    try:
        return name_of(store.stat().st_uid) if is_used(store) else ""
    except OSError:
        return ""


def managers(scope: Scope, environ: Mapping[str, str]) -> tuple[Manager | None, Manager | None]:
    manager = manager_of(scope, environ, os.getuid())
    if shutil.which("systemctl", path=environ.get("PATH")) is None:
        return None, None
    runs = manager.is_booted and manager.call("show", "--property=Version").is_ok
    return (manager if runs else None), offline_manager(manager)


def _installation(
    place: Place, person: Person, launcher: Path, manager: Manager | None
) -> Installation:
    """Return the installation, with a user's sandbox where it works; where that cannot be tried, as it is now."""
    if place.scope == "system":
        return Installation("system", launcher, run_as=person.name, home=person.home)
    has_sandbox = None
    if manager is not None:
        has_sandbox = runs_with(manager, sandbox_properties(person.home), launcher)
    if has_sandbox is None:
        has_sandbox = place.installation.has_sandbox if place.installation else None
    return Installation("user", launcher, home=person.home, has_sandbox=has_sandbox)


def _changes(
    place: Place, where: Places, installation: Installation, offline: Manager | None
) -> list[Change]:
    wanted = page_texts(where)
    ours = [*where.pages()]
    if offline is not None:
        wanted |= {where.units / name: text for name, text in unit_files(installation).items()}
        wanted |= drop_ins(place, installation.run_as)
        ours += [
            *(where.units / name for name in possible_unit_paths()),
            *possible_drop_ins("system" if place.scope == "system" else "user", place.call.environ),
        ]
    return changes(wanted, ours)


def _store(place: Place, where: Places) -> Path:
    """Return the store that the timers use: the one that a config file names, else the one that the units look for."""
    is_named = place.call.config.origin("store.path").kind == "file"
    return place.root if is_named else where.store


def _calendar(place: Place) -> tuple[Calendar, bool]:
    """Return the calendar, and whether a store has it already."""
    config, root = place.call.config, place.root
    with reader_for(config, root, place.call.now_us).store() as store:
        if store is not None:
            return store.calendar, True
    return calendar_for_new_store(config), False


def _sessions(root: Root) -> Sessions:
    name, directory = root.agent.title, root.transcripts
    found = []
    for path in discover(roots=(root,)).files:
        try:
            found.append(path.stat())
        except OSError:
            continue  # deleted meanwhile
    if not found:
        return Sessions(name, directory)
    written_us = [one.st_mtime_ns // 1000 for one in found]
    size_bytes = sum(one.st_size for one in found)
    return Sessions(name, directory, len(found), size_bytes, min(written_us), max(written_us))


def _warnings(place: Place, person: Person) -> list[str]:
    """Return what the jobs will not find as the person's shell does."""
    environ, config = place.call.environ, place.call.config
    found = []
    state = environ.get("XDG_STATE_HOME", "")
    if place.scope == "user" and place.root != person.home / ".local/state/memtool":
        if config.origin("store.path").kind == "environment":
            name = "MEMTOOL_STORE__PATH"
        elif config.origin("store.path").kind == "default" and state:
            name = "XDG_STATE_HOME"
        else:
            name = ""
        if name:
            found.append(
                f"{name} is set in this shell, but not for the timers. For one memory: "
                f"memtool config set store.path {place.root}"
            )
    for agent, path in place.call.roots:
        keys = filter(None, (agent.roots_key, agent.setting))
        if environ.get(agent.variable) and all(
            config.origin(key).kind == "default" for key in keys
        ):
            found.append(
                f"{agent.variable} is set in this shell, but not for the timers. To have them read "
                f"there: memtool config set {agent.roots_key} {path}"
            )
    own = person.home / ".config/systemd/user/memtool-ingest.timer"
    if place.scope == "system" and own.exists():
        found.append(
            f"{person.name} has timers of their own, which read the same sessions. As "
            f"{person.name}: memtool setup --user --remove"
        )
    return found
