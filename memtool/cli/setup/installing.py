"""`memtool setup`: says what it will do, asks, does it, and ends with the state of the jobs."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from memtool import __version__
from memtool.cli.output import ask, note, print_json, print_line
from memtool.cli.scheduler.place import state_of
from memtool.cli.scheduler.text import local, print_status
from memtool.cli.setup.order import Order
from memtool.cli.setup.planning import Sessions, Setup, setup_of
from memtool.errors import EXIT_CODES, FAILED, OK, ExitCode, MemtoolError
from memtool.person import as_person
from memtool.process import run
from memtool.program import Way
from memtool.summarize import row
from memtool.systemd.changes import diff
from memtool.systemd.jobs import JOBS
from memtool.systemd.setup import (
    carry_out,
    check_unit_starts,
    crontab_lines,
    timers_off,
    zsh_advice,
)
from memtool.systemd.systemctl import is_booted, lacks_linger
from memtool.text import size

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
        _show_files(order, setup)
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
    for sessions in setup.sessions:
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
    found: list[str] = []
    for path in written:
        top = next((top for top in tops if path.is_relative_to(top)), path.parent)
        name = _short(setup, top)
        if name not in found:
            found.append(name)
    return f" in {', '.join(found)}" if found else ""


def _short(setup: Setup, path: Path) -> str:
    home = setup.person.home
    return (
        f"~/{path.relative_to(home)}"
        if path.is_relative_to(home) and setup.scope == "user"
        else str(path)
    )


def _show_files(order: Order, setup: Setup) -> None:
    if order.json:
        print_json("setup", VERSION, {**_json(setup), "restarted": []})
        return
    for change in setup.plan.changes:
        for line in diff(change):
            print_line(line)


def _json(setup: Setup) -> dict[str, object]:
    plan = setup.plan
    places = [
        {
            "agent": sessions.agent,
            "directory": str(sessions.directory),
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
        yield f"{len(plan.enable)} timers enabled{when}."
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
    """Offer to take in what is there, show the state of the jobs and name commands to try."""
    code = OK
    if setup.offline is None or not is_booted():
        user = f" -u {setup.person.name}" if setup.scope == "system" else ""
        order.say(
            f"systemd does not run here. These lines for `crontab{user} -e` do what the timers would:"
        )
        for line in crontab_lines(setup.installation.program, setup.plan.store):
            print_line(line)
    is_first = any(sessions.number for sessions in setup.sessions) and not setup.is_pinned
    if (
        is_first
        and order.is_asking
        and ask(order.call.environ, "Take in what is there now?", default=True)
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
