"""`memtool setup --remove`: says what goes and what stays, asks, and removes it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from memtool.agents.hooks.files import Change as FileChange
from memtool.agents.hooks.files import (
    carry_out,
    hooks_removal,
    script_path,
    server_removal,
    skill_path,
)
from memtool.agents.registry import AGENTS, Agent
from memtool.cli.output import ask, note, number, print_json
from memtool.cli.scheduler.apply import possible_drop_ins
from memtool.cli.setup import Order, installed_person, managers, scope_of
from memtool.errors import FAILED, OK, ExitCode, MemtoolError, UsageError
from memtool.jobs.purge import is_store, is_used, purge
from memtool.paths import SYSTEM_STORE, expand, other_owner, own_store
from memtool.person import Person, person_named, this_person
from memtool.program import running_program
from memtool.settings import examine
from memtool.systemd.jobs import SETTINGS
from memtool.systemd.removing import (
    Removal,
    forget_units,
    others_files,
    our_files,
    remove_directories,
    stop_jobs,
)
from memtool.systemd.setup import CREDENTIAL, RECORD, Places, places, read_record
from memtool.systemd.systemctl import Scope
from memtool.systemd.units import possible_unit_paths

VERSION = 1
_INSTALLER = "MEMTOOL_INSTALLER"
"""Set by install.sh, which removes the program afterwards."""


class Target(NamedTuple):
    """What is to be removed."""

    scope: Scope
    where: Places
    ours: tuple[Path, ...]
    """Every file that memtool may have written for systemd."""
    stores: tuple[Path, ...]
    """The memory: the store of this installation, and one that a config file names."""
    owner_uid: int | None
    """Whose memory may be deleted elsewhere; None if that is not known."""
    settings: tuple[Path, ...]
    keeps: tuple[tuple[Path, str], ...]
    """What a purge leaves, and why."""
    faults: tuple[MemtoolError, ...]
    """What is wrong with the settings, so that they may name a store that is not known."""


def remove(order: Order, *, is_purge: bool) -> ExitCode:
    """Undo what setup did; with `is_purge` also delete the memory and the settings."""
    order.require_consent()
    scope = scope_of(order)
    if scope == "system" and os.getuid() != 0:
        raise MemtoolError("--system needs root", hint="do it through sudo")
    target = _target(order, scope)
    order.show(_plan_rows(order, target, is_purge=is_purge))
    if order.is_dry:
        return OK
    if order.is_asking and not ask(order.call.environ, "Remove it?", default=not is_purge):
        order.say("Nothing was removed.")
        return FAILED
    removal = _remove(order, target, is_purge=is_purge)
    if scope == "user":
        _leave_agents(order, removal)
    if order.json:
        print_json("setup-remove", VERSION, _json(target, removal))
    else:
        _say_end(removal, is_purge=is_purge)
        if not order.call.environ.get(_INSTALLER):
            _say_program()
    return FAILED if removal.problems else OK


def _target(order: Order, scope: Scope) -> Target:
    call = order.call
    person = _system_person(order) if scope == "system" else this_person(call.environ)
    if scope == "system" and person is not None:
        call = call.fresh(person.environ(call.environ))
    where = places(scope, call.environ, os.getuid())
    found, faults = examine({}, call.config_files, SETTINGS)
    named = [
        expand(Path(str(one.value)), call.environ)
        for one in found
        if one.key == "store.path" and one.value
    ]
    stores = [where.store, *named]
    keeps: list[tuple[Path, str]] = []
    variable = order.call.environ.get("MEMTOOL_STORE__PATH", "")
    for path, why in (
        (call.store_option, "named by --store only"),
        (Path(variable) if variable else None, "named by MEMTOOL_STORE__PATH only"),
    ):
        if path is not None and path.absolute() not in stores:
            keeps.append((path.absolute(), why))
    settings = [where.config]
    if scope == "system":
        settings.append(CREDENTIAL)
        if person is not None:
            keeps.append((person.home / ".config/memtool", f"the settings of {person.name}"))
    else:
        stores.append(own_store(call.environ))
    units = [where.units / name for name in possible_unit_paths()]
    drop_ins = possible_drop_ins(scope, call.environ)
    return Target(
        scope,
        where,
        ours=(*units, *drop_ins),
        stores=tuple(path for path in dict.fromkeys(stores) if path.exists()),
        owner_uid=None if person is None else person.uid,
        settings=tuple(path for path in settings if path.exists()),
        keeps=tuple((path, why) for path, why in keeps if path.exists()),
        faults=tuple(faults),
    )


def _system_person(order: Order) -> Person | None:
    """Return whose memory the system's is, by the units, or once these are gone, by the owner of the store."""
    person = installed_person(order)
    name = other_owner(SYSTEM_STORE)
    if person is None and name is not None:
        with suppress(UsageError):  # the user is gone
            person = person_named(name)
    return person


def _plan_rows(order: Order, target: Target, *, is_purge: bool) -> Iterator[tuple[str, str]]:
    files = our_files(target.where, target.ours)
    whose = "the system's timers" if target.scope == "system" else "your timers"
    yield "", f"Remove {whose}, with man page and completions: {number(len(files), 'file')}."
    if order.is_dry:
        for path in files:
            yield "removed", str(path)
    others = others_files(target.where, target.ours)
    if is_purge:
        for path in (*target.stores, *target.settings, *others):
            yield "deleted", f"{path}, permanently"
    for path, why in target.keeps if is_purge else _staying(target, others):
        yield "stays", f"{path}: {why}"


def _staying(target: Target, others: Sequence[Path]) -> list[tuple[Path, str]]:
    """Return what a removal without a purge leaves."""
    return [
        *((path, "not made by memtool") for path in others),
        *((path, "the memory") for path in target.stores if is_used(path)),
        *((path, "the settings") for path in target.settings),
    ]


def _remove(order: Order, target: Target, *, is_purge: bool) -> Removal:
    removal = Removal()
    manager, _ = managers(target.scope, order.call.environ)
    if manager is not None:
        stop_jobs(manager, removal)
    made = read_record(target.where.store)
    others = others_files(target.where, target.ours)
    for path in our_files(target.where, target.ours):
        removal.remove(path)
    if manager is not None:
        forget_units(manager, removal)
    if is_purge:
        for path in others:
            removal.remove(path)
        _purge(order, target, removal)
    else:
        removal.stays += _staying(target, others)
        if target.where.store.is_dir() and not is_used(target.where.store):
            removal.remove(target.where.store / RECORD)
    remove_directories(target.where, target.stores, made)
    return removal


def _leave_agents(order: Order, removal: Removal) -> None:
    """Take hooks and MCP server out of the agents' settings: without the program, these would fail there."""
    environ = order.call.environ
    for agent in AGENTS:
        for edit in _edits(agent, environ):
            with removal.step():
                change = edit()
                carry_out(change)
                if change.is_needed:
                    order.say(f"Took memtool out of {change.path}, settings of {agent.title}.")
        skill = skill_path(agent.server, environ) if agent.server is not None else None
        if skill is not None:
            removal.remove(skill.parent)
    script = script_path(environ)
    removal.remove(script)
    with suppress(OSError):  # something else is in it, or it was not there
        script.parent.rmdir()


def _edits(agent: Agent, environ: Mapping[str, str]) -> Iterator[Callable[[], FileChange]]:
    hooks, server = agent.hooks, agent.server
    if hooks is not None:
        yield lambda: hooks_removal(hooks, environ)
    if server is not None:
        yield lambda: server_removal(server, environ)


def _purge(order: Order, target: Target, removal: Removal) -> None:
    removal.stays += target.keeps
    for store in target.stores:
        _purge_store(order, target, store, removal)
    if target.faults:  # they may name a store
        removal.problems += target.faults
        removal.stays += [
            (path, "they cannot be read, and may name a memory") for path in target.settings
        ]
        return
    for path in target.settings:
        removal.remove(path)


def _purge_store(order: Order, target: Target, store: Path, removal: Removal) -> None:
    if store != target.where.store and is_used(store):  # as store.path has it
        why = ""
        if not is_store(store):
            why = "store.path names it, but it is no store of memtool"
        elif store.stat().st_uid != target.owner_uid:
            why = "store.path names it, but it belongs to another user"
        if why:
            removal.stays.append((store, why))
            return
    with removal.step():
        for path in purge(store, order.call.now_us):
            removal.stays.append((path, "not made by memtool"))
        if not store.exists():
            removal.removed.append(store)
            return
    if not any(path.is_relative_to(store) for path, _ in removal.stays):
        removal.stays.append((store, "the memory"))


def _say_end(removal: Removal, *, is_purge: bool) -> None:
    count = len(removal.removed)
    note(f"{number(count, 'path')} removed." if count else "Nothing of memtool is set up here.")
    for path, why in removal.stays:
        note(f"stays: {path} ({why})")
    for error in removal.problems:
        note(f"memtool: {error.message}")
        if error.hint:
            note(f"hint: {error.hint}")
    if is_purge and not removal.stays and not removal.problems:
        note("The memory and the settings are deleted.")


def _say_program() -> None:
    command = running_program().remove_command()
    if command:
        note(f"The program itself stays. This removes it: {shlex.join(command)}")


def _json(target: Target, removal: Removal) -> dict[str, object]:
    return {
        "scope": target.scope,
        "removed": [str(path) for path in removal.removed],
        "stays": [{"path": str(path), "why": why} for path, why in removal.stays],
        "problems": [{"message": one.message, "hint": one.hint} for one in removal.problems],
    }
