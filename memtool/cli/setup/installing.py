"""`memtool setup`: looks at this machine, says what it will do, asks, and does it."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from memtool import __version__
from memtool.agents.discover import discover
from memtool.agents.registry import Root
from memtool.cli.output import ask, note, number, print_json, print_line
from memtool.cli.scheduler.apply import crontab_of, drop_ins, is_of_system, possible_drop_ins
from memtool.cli.scheduler.place import Place, place_of, state_of
from memtool.cli.scheduler.text import local, print_status
from memtool.cli.setup import EXTRAS, Order, installed_person, managers, scope_of, store_owner
from memtool.errors import EXIT_CODES, FAILED, OK, ExitCode, MemtoolError, UsageError
from memtool.model.calendar import Calendar
from memtool.paths import SYSTEM_STORE, other_owner
from memtool.person import Person, as_owner, as_person, person_named, this_person
from memtool.process import run
from memtool.program import Program, Way, extra_hint, running_program
from memtool.query.reader import reader_for
from memtool.rollup.configured import calendar_for_new_store
from memtool.summarize import row
from memtool.systemd.changes import Change, changes, diff
from memtool.systemd.jobs import JOBS
from memtool.systemd.setup import (
    Places,
    Plan,
    carry_out,
    check_owner,
    check_starts,
    check_unit_starts,
    check_visible,
    lasting_command,
    new_timers,
    page_texts,
    places,
    timers_off,
    zsh_advice,
)
from memtool.systemd.systemctl import Manager, Scope, is_booted, lacks_linger, runs_with
from memtool.systemd.units import (
    Installation,
    possible_unit_paths,
    sandbox_properties,
    unit_files,
)
from memtool.text import size


class Sessions(NamedTuple):
    """What an agent has left in a directory: its sessions, their bytes, when the first and the last was written."""

    agent: str
    directory: str
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
    """The systemd that runs now; None if none does."""
    offline: Manager | None
    """One that changes links only; None if there is no systemctl."""
    warnings: tuple[str, ...]


def setup_of(order: Order) -> Setup:
    """Return what is to be done. Raise MemtoolError if it is not allowed or cannot work."""
    scope = scope_of(order)
    program = running_program()
    launcher = program.launcher()
    extra_commands = tuple(_extra_command(program, name) for name in order.extras)
    person = _system_person(order) if scope == "system" else this_person(order.call.environ)
    call = order.call
    if scope == "system":
        call = call.fresh(person.environ(call.environ))
        call.administers = person
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
    # A config file may name another store than the one that the units look for.
    is_named = place.call.config.origin("store.path").kind == "file"
    store = place.root if is_named else where.store
    if scope == "system":
        before = installed_person(order)
        owner = store_owner(store) or (before.name if before is not None else "")
        check_owner(store, owner, person.name, order.take_over)
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
            is_of_system=is_of_system(place),
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


def _calendar(place: Place) -> tuple[Calendar, bool]:
    """Return the calendar, and whether a store has it already."""
    config, root = place.call.config, place.root
    with as_owner(root), reader_for(config, root, place.call.now_us).store() as store:
        if store is not None:
            return store.calendar, True
    return calendar_for_new_store(config, place.call.environ, place.call.now_us), False


def _sessions(root: Root) -> Sessions:
    name, directory = root.agent.title, root.places
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


VERSION = 1
_INSTALL_TIMEOUT_S = 900
_WAYS: Mapping[Way, str] = {
    "pipx": "installed by pipx",
    "uv tool": "installed by uv",
    "install.sh": "installed by install.sh",
    "venv": "in a virtual environment",
    "python": "installed by pip",
    "package": "installed by a package manager",
    "checkout": "in a checkout",
    "cache": "in a cache",
}


def install(order: Order) -> ExitCode:
    """Set up what is not set up yet, and renew the rest."""
    order.require_consent()
    setup = setup_of(order)
    order.show(_plan_rows(setup))
    if order.is_dry:
        if order.json:
            print_json("setup", VERSION, {**_json(setup), "restarted": []})
        for change in () if order.json else setup.plan.changes:
            for line in diff(change):
                print_line(line)
        return OK
    if order.is_asking and not ask(order.call.environ, "Go on?", default=True):
        order.say("Nothing was changed.")
        return FAILED
    again = _do(order, setup)
    if order.json:
        print_json("setup", VERSION, {**_json(setup), "restarted": list(again)})
        return OK
    return _finish(order, setup)


def _do(order: Order, setup: Setup) -> tuple[str, ...]:
    for command in setup.extra_commands:
        order.say(f"running: {shlex.join(command)}")
        mask = os.umask(0o022)  # what is installed may be for everybody
        done = run(command, order.call.environ, timeout_s=_INSTALL_TIMEOUT_S)
        os.umask(mask)
        if not done.is_ok:
            raise MemtoolError(f"{command[0]} failed: {done.said}", hint=shlex.join(command))
    again = carry_out(setup.plan, setup.manager, setup.offline)
    if setup.manager is not None:
        check_unit_starts(setup.manager, setup.installation.program)
    for line in _done_lines(setup, again):
        order.say(line)
    return again


def _plan_rows(setup: Setup) -> Iterator[tuple[str, str]]:
    """Yield what was found and what will be done, as labels and words."""
    plan, calendar = setup.plan, setup.calendar.describe()
    yield "", f"memtool {__version__}, {_WAYS[setup.program.way]}: {setup.installation.program}"
    there = [sessions for sessions in setup.sessions if sessions.number]
    for sessions in there or setup.sessions[:1]:
        yield "sessions", _sessions_words(sessions)
    if setup.scope == "system":
        yield "timers of", f"the system, run as {setup.person.name}"
    else:
        yield "timers of", f"{setup.person.name} alone, in {setup.person.home}"
    if plan.take_over:
        yield "take over", f"all of {plan.take_over}'s memory becomes {setup.person.name}'s"
    yield "memory", f"{plan.store}{'' if plan.store.exists() else ' (new)'}"
    words = (
        f"{calendar['zone']}, days start at {calendar['day_starts_at']}, "
        f"weeks on {calendar['week_starts_on'].capitalize()}"
    )
    if setup.is_pinned:
        yield "calendar", f"{words} (as the memory has it)"
    else:
        yield "calendar", f"{words}; only a rebuild changes that later"
    name = setup.place.call.config.summarizer.name
    network = ", over the network" if row(name).needs_network else ", no network"
    yield "summaries", f"{name}{network}"
    for command in setup.extra_commands:
        yield "first runs", shlex.join(command)
    yield "files", _file_words(setup)
    names = [job.name for job in JOBS if job.timer in plan.enable]
    yield "to enable", f"the timers {', '.join(names)}" if names else "no timer that is new"
    for text in setup.warnings:
        yield "", f"warning: {text}"


def _sessions_words(sessions: Sessions) -> str:
    if not sessions.number:
        return f"none of {sessions.agent} below {sessions.directory} yet"
    first, last = (local(us, "%Y-%m-%d") for us in (sessions.first_us, sessions.last_us))
    when = first if first == last else f"{first} to {last}"
    many = "1 session" if sessions.number == 1 else f"{sessions.number:,} sessions"
    return f"{sessions.agent}: {many} ({size(sessions.size_bytes)}), written {when}"


def _file_words(setup: Setup) -> str:
    written = [change.path for change in setup.plan.changes if change.new is not None]
    removed = len(setup.plan.changes) - len(written)
    if not setup.plan.changes:
        return "none to change"
    places = _few_places(setup, written)
    words = [f"{len(written)} to write{places}"] if written else []
    if removed:
        words.append(f"{removed} of an earlier version to remove")
    return ", ".join(words)


def _few_places(setup: Setup, written: list[Path]) -> str:
    """Return the directories of the files, such as `in ~/.config/systemd/user and ~/.local/share`."""
    where = setup.plan.places
    tops = (where.units, where.admin, where.share, where.man, where.fish)
    home = setup.person.home if setup.scope == "user" else None
    found: dict[str, None] = {}
    for path in written:
        top = next((top for top in tops if path.is_relative_to(top)), path.parent)
        is_own = home is not None and top.is_relative_to(home)
        found[f"~/{top.relative_to(home)}" if home and is_own else str(top)] = None
    return f" in {', '.join(found)}" if found else ""


def _json(setup: Setup) -> dict[str, object]:
    plan = setup.plan
    places = [
        {
            "agent": sessions.agent,
            "directory": sessions.directory,
            "count": sessions.number,
            "bytes": sessions.size_bytes,
        }
        for sessions in setup.sessions
    ]
    actions = {(True, False): "write", (False, False): "replace", (False, True): "remove"}
    return {
        "scope": setup.scope,
        "user": setup.person.name,
        "program": {"way": setup.program.way, "path": str(setup.installation.program)},
        "store": str(plan.store),
        "calendar": {**setup.calendar.describe(), "is_pinned": setup.is_pinned},
        "summarizer": setup.place.call.config.summarizer.name,
        "sandbox": setup.installation.has_sandbox if setup.scope == "user" else True,
        "sessions": places[0],
        "agents": places,
        "files": [
            {
                "path": str(change.path),
                "action": actions[change.old is None, change.new is None],
            }
            for change in plan.changes
        ],
        "enable": list(plan.enable),
        "warnings": list(setup.warnings),
    }


def _done_lines(setup: Setup, again: tuple[str, ...]) -> Iterator[str]:
    """Yield what was done, and what the person may want to do."""
    plan = setup.plan
    count = len(plan.changes)
    yield (
        f"{count} {'file' if count == 1 else 'files'} changed."
        if count
        else "All files are up to date."
    )
    if again:
        yield f"restarted {', '.join(again)}"
    if plan.enable:
        when = "" if setup.manager else "; they start when systemd runs"
        count = sum(name.endswith(".timer") for name in plan.enable)
        yield f"{number(count, 'timer')} enabled{when}."
    if setup.offline is not None and (off := timers_off(setup.manager or setup.offline)):
        yield f"not enabled: {', '.join(off)}"
        user = "--user " if setup.scope == "user" else ""
        yield f"to enable them: systemctl {user}enable --now {' '.join(off)}"
    if setup.scope == "user" and setup.offline is not None:
        yield from _user_lines(setup)
    if advice := zsh_advice(plan.places, setup.place.call.environ):
        yield advice
    folder = setup.installation.program.parent
    if str(folder) not in setup.place.call.environ.get("PATH", "").split(":"):
        yield f"{folder} is not on your PATH: add it, or type {setup.installation.program}"


def _user_lines(setup: Setup) -> Iterator[str]:
    if setup.manager is None:
        yield (
            "The sandbox was not tried, since no systemd of yours runs now. When it does: memtool scheduler apply"
        )
    elif not setup.installation.has_sandbox:
        yield "User namespaces do not work here: the jobs run with the part of the sandbox that needs none."
    if name := lacks_linger(setup.person.uid):
        yield (
            "The timers run only while you are logged in. To have them run always: "
            f"loginctl enable-linger {name}"
        )


def _finish(order: Order, setup: Setup) -> ExitCode:
    """Offer to read the existing sessions, show the state of the jobs and name commands to try."""
    code = OK
    if setup.offline is None or not is_booted():
        user = f" -u {setup.person.name}" if setup.scope == "system" else ""
        order.say(
            f"systemd does not run here. These lines for `crontab{user} -e` do what the timers would:"
        )
        for line in crontab_of(setup.place, setup.installation.program):
            print_line(line)
    is_first = any(sessions.number for sessions in setup.sessions) and not setup.is_pinned
    if (
        is_first
        and order.is_asking
        and ask(order.call.environ, "Read these sessions now?", default=True)
    ):
        code = _take_in(setup)
        # Now the calendar is the memory's: the timers get its zone.
        carry_out(setup_of(order).plan, setup.manager, setup.offline)
    if setup.manager is not None:
        print_status(state_of(setup.place), setup.place, setup.place.call.now_us)
    order.say("Try: memtool toc, memtool show today, memtool doctor")
    return code


def _take_in(setup: Setup) -> ExitCode:
    from memtool.cli.first import take_in

    call = setup.place.call.fresh()  # the store is found again, by the person whose it is
    if setup.scope == "user":
        return take_in(call)

    def act() -> int:
        try:
            return take_in(call).code
        except MemtoolError as error:
            note(f"memtool: {error.message}")
            note(f"hint: {error.hint}")
            return error.exit_code.code

    code = as_person(setup.person, act)
    return next(row for row in EXIT_CODES if row.code == code)
