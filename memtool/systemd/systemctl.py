"""Asks systemd: which manager has the units, how they are, and what its errors mean."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from memtool.errors import MemtoolError, UnavailableError
from memtool.paths import name_of, xdg_directory
from memtool.process import Finished, run
from memtool.systemd.jobs import JOBS
from memtool.systemd.states import (
    OTHERS,
    PROPERTIES,
    UNUSABLE,
    TimerState,
    UnitState,
    others_of,
    parse_show,
    time_us,
    timers_of,
)

_ITERATION = re.compile(r"^ *(?:Next elapse|Iter\. #\d+): (.*)$", re.MULTILINE)
_NEVER = "elapse: never"

Scope = Literal["system", "user"]
SCOPES: tuple[Scope, ...] = ("system", "user")

_ROOT = Path("/")
SYSTEM_UNITS = (
    "etc/systemd/system",
    "run/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
)
_SHARED_USER_UNITS = (
    "etc/systemd/user",
    "run/systemd/user",
    "usr/local/share/systemd/user",
    "usr/share/systemd/user",
    "usr/local/lib/systemd/user",
    "usr/lib/systemd/user",
)
_ASK_TIMEOUT_S = 15

INSTALL = "memtool setup"
NOT_BOOTED = "systemd does not run here"
BY_HAND = 'run the jobs by hand ("memtool ingest", "memtool rollup all") or by cron ("memtool scheduler crontab")'
_LINGER = "loginctl enable-linger {user}"
_START_MANAGER = "sudo systemctl start user@{uid}.service"

# What systemctl says (247 to 257), what it means, and what helps. The first that fits counts.
_NO_BUS = (
    r"No medium found|XDG_RUNTIME_DIR not defined"
    r"|connect to .*bus.*: (?:No such file or directory|Connection refused)"
)
_MEANINGS: tuple[tuple[str, str, str], ...] = (
    (r"is not installed$|may not be run here$", "systemd is not on this machine", BY_HAND),
    (r"not been booted with systemd|Host is down|Running in chroot", NOT_BOOTED, BY_HAND),
    (_NO_BUS, "no systemd runs for this user", _LINGER),
    (
        r"connect to .*bus.*: (?:Permission denied|Operation not permitted)",
        "systemd does not let this user ask it",
        "log in as the user of the jobs, or name --system",
    ),
    (
        r"Access denied|Interactive authentication required|Permission denied|not permitted",
        "systemd does not allow this",
        "run it as root, or with sudo",
    ),
    (
        r"attempted too often|start request repeated too quickly|start-limit-hit",
        "it was started too often in a short time",
        'wait, or: systemctl reset-failed "memtool-*"',
    ),
    (r"^Job for \S+ (?:failed|canceled)", "it failed before it could record a run", ""),
    (r"did not answer within", "systemd does not answer", "see: systemctl is-system-running"),
    (
        r"bad unit file setting|bad-setting",
        "a drop-in of the unit is broken",
        "see: systemctl status, and correct it",
    ),
    (
        r"is masked",
        "the unit is masked",
        'an administrator has forbidden it; "systemctl unmask" allows it',
    ),
    (r"not found|not loaded|could not be found", "the unit is not installed", INSTALL),
)


class Manager(NamedTuple):
    """One systemd: the system's, or a user's own. `environ` is what its programs are called with.

    Where the machine was not booted with systemd, a user's is not missed: there is none at all.
    """

    scope: Scope
    environ: Mapping[str, str]
    is_booted: bool = True

    @property
    def arguments(self) -> tuple[str, ...]:
        """The option that names it."""
        return ("--user",) if self.scope == "user" else ()

    def call(self, *arguments: str, timeout_s: float | None = _ASK_TIMEOUT_S) -> Finished:
        """Return how `systemctl` ended."""
        argv = ["systemctl", *self.arguments, "--no-ask-password", *arguments]
        return run(argv, self.environ, timeout_s=timeout_s)


class Timers(NamedTuple):
    """The state of the timers. `problem` says why systemd was not asked or did not answer."""

    scope: Scope | None = None
    states: Mapping[str, TimerState] = {}
    others: Mapping[str, UnitState] = {}
    """The units beside timers and services, by their names."""
    problem: str = ""
    hint: str = ""
    is_installed: bool = False
    """Whether there are unit files; systemd may not have read them."""
    elsewhere: frozenset[str] = frozenset()
    """Jobs whose timers also fire in the other manager."""
    lacks_linger: str = ""
    """The user whose manager ends at logout; empty if it does not."""
    replaced: tuple[str, ...] = ()
    """Files that systemd uses in the place of memtool's own."""
    differing: tuple[str, ...] = ()
    """Unit files that differ from what this program writes, by their paths below the directory of units."""
    unapplied: tuple[str, ...] = ()
    """Settings that the drop-ins do not have, by their keys; and drop-ins that were changed by hand, by their paths."""
    is_sandbox_untried: bool = False
    """Whether the user's jobs run without the sandbox because it was not tried."""
    sudo: str = ""
    """What a person has to type before a command that changes something; it ends with a space."""

    @property
    def renew(self) -> str:
        """The command that renews the unit files, and tries the sandbox."""
        return f"{self.sudo}memtool scheduler apply"

    @property
    def systemctl(self) -> str:
        """How a person calls systemctl for these timers."""
        return f"{self.sudo}systemctl{' --user' if self.scope == 'user' else ''}"

    @property
    def is_known(self) -> bool:
        """Whether systemd answered."""
        return self.scope is not None and not self.problem


def manager_of(scope: Scope, environ: Mapping[str, str], uid: int, root: Path = _ROOT) -> Manager:
    """Return the manager. Of a user's, cron leaves the runtime directory out, and su and sudo keep another user's."""
    if scope == "user" and not _is_own(Path(environ.get("XDG_RUNTIME_DIR", "")), uid):
        left_out = ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
        environ = {name: value for name, value in environ.items() if name not in left_out}
        runtime = root / f"run/user/{uid}"
        if _is_own(runtime, uid):
            environ = {**environ, "XDG_RUNTIME_DIR": str(runtime)}
    return Manager(scope, environ, is_booted(root))


def _is_own(path: Path, uid: int) -> bool:
    try:
        return path.is_absolute() and path.stat().st_uid == uid
    except OSError:
        return False


def is_booted(root: Path = _ROOT) -> bool:
    """Return whether systemd runs this machine, as sd_booted(3) finds out."""
    return (root / "run/systemd/system").is_dir()


def installed_in(environ: Mapping[str, str], root: Path = _ROOT) -> tuple[Scope, ...]:
    """Return the managers for which timers are installed, found by their files, without asking systemd."""
    found: dict[Scope, Iterator[Path]] = {
        "system": (root / part for part in SYSTEM_UNITS),
        "user": _user_units(environ, root),
    }
    return tuple(
        scope
        for scope in SCOPES
        if any(
            os.path.lexists(path / unit)
            for path in found[scope]
            for job in JOBS
            for unit in (job.timer, job.unit)
        )
    )


def _user_units(environ: Mapping[str, str], root: Path) -> Iterator[Path]:
    yield config_directory(environ)
    yield xdg_directory(environ, "XDG_DATA_HOME", ".local/share") / "systemd/user"
    yield from (root / part for part in _SHARED_USER_UNITS)


def units_directory(scope: Scope, environ: Mapping[str, str], root: Path = _ROOT) -> Path:
    """Return where memtool puts its own units; those of a distribution's package are below usr/lib."""
    return root / "usr/local/lib/systemd/system" if scope == "system" else config_directory(environ)


def admin_directory(scope: Scope, environ: Mapping[str, str], root: Path = _ROOT) -> Path:
    """Return where drop-ins go that come from the settings, as an administrator's do."""
    return root / "etc/systemd/system" if scope == "system" else config_directory(environ)


def config_directory(environ: Mapping[str, str]) -> Path:
    """Return where a user's own units and drop-ins are."""
    return xdg_directory(environ, "XDG_CONFIG_HOME", ".config") / "systemd/user"


def default_scope(installed: Sequence[Scope], *, prefers_system: bool) -> Scope | None:
    """Return the manager to ask: the one that has the units; of both, the system's where that is preferred."""
    if len(installed) == len(SCOPES):
        return "system" if prefers_system else "user"
    return next(iter(installed), None)


def ask(manager: Manager) -> Timers:
    """Return what the manager says of every job's timer, by one call."""
    asked = [unit for job in JOBS for unit in (job.timer, job.unit)]
    done = manager.call("show", "-p", ",".join(PROPERTIES), *asked, *OTHERS)
    if not done.is_ok:
        problem, hint = meaning(done, manager)
        return Timers(manager.scope, problem=problem, hint=hint)
    units = parse_show(done.stdout)
    return Timers(manager.scope, timers_of(units), others_of(units))


def unread_drop_ins(
    scope: Scope, environ: Mapping[str, str], states: Mapping[str, TimerState], root: Path = _ROOT
) -> dict[str, TimerState]:
    """Return the states, where units with drop-ins that systemd has not read need a reload.

    systemd itself does not notice the first drop-in of a unit (seen: 252).
    """
    places = (units_directory(scope, environ, root), admin_directory(scope, environ, root))

    def has_unread(unit: str, read: Sequence[str]) -> bool:
        names = {path.rpartition("/")[2] for path in read}
        return any(
            path.name not in names and path.exists() and path.resolve() != Path(os.devnull)
            for place in dict.fromkeys(places)
            for path in (place / f"{unit}.d").glob("*.conf")
        )

    found = dict(states)
    for job in JOBS:
        timer = found[job.name]
        if timer.state not in UNUSABLE and has_unread(job.timer, timer.drop_ins):
            timer = timer._replace(needs_reload=True)
        service = timer.service
        if service.state not in UNUSABLE and has_unread(job.unit, service.drop_ins):
            timer = timer._replace(service=service._replace(needs_reload=True))
        found[job.name] = timer
    return found


def schedule_problem(expression: str, environ: Mapping[str, str]) -> str | None:
    """Return what systemd has against a calendar expression, empty if nothing; None if it cannot be asked."""
    done = run(["systemd-analyze", "calendar", expression], environ)
    if done.is_missing or done.is_timed_out:
        return None
    if not done.is_ok:
        return done.said
    return f"{expression!r} never comes" if _NEVER in done.stdout else ""


def next_times(
    expression: str, environ: Mapping[str, str], *, count: int = 2
) -> tuple[int, ...] | None:
    """Return the next instants of a calendar expression, which is in UTC unless it names a zone.

    None if systemd cannot tell them.
    """
    argv = ["systemd-analyze", "calendar", f"--iterations={count}", expression]
    done = run(argv, environ)
    found = _ITERATION.findall(done.stdout)
    return tuple(us for text in found if (us := time_us(text)) is not None) if done.is_ok else None


def runs_with(manager: Manager, properties: Sequence[str], program: Path) -> bool | None:
    """Return whether the program starts in a unit with these properties; None if that cannot be tried.

    It cannot without systemd-run, without the manager, or with a program that does not start in any unit.
    """
    argv = ["systemd-run", *manager.arguments, "--quiet", "--wait", "--collect"]
    start = ["--", str(program), "--version"]
    options = [f"--property={line}" for line in properties]
    if run([*argv, *options, *start], manager.environ, timeout_s=60).is_ok:
        return True
    return False if run([*argv, *start], manager.environ, timeout_s=60).is_ok else None


def meaning(done: Finished, manager: Manager) -> tuple[str, str]:
    """Return what went wrong and a hint; an unknown message as systemd wrote it."""
    said = f"{done.stderr}\n{done.stdout}"
    for pattern, text, hint in _MEANINGS:
        if re.search(pattern, said, re.MULTILINE | re.IGNORECASE):
            if pattern == _NO_BUS and not manager.is_booted:
                return NOT_BOOTED, BY_HAND
            uid = os.getuid()
            is_done = hint == _LINGER and not lacks_linger(uid)
            helps = _START_MANAGER if is_done else hint
            return text, helps.format(user=name_of(uid), uid=uid)
    return done.said, ""


def failure(done: Finished, manager: Manager, doing: str) -> MemtoolError:
    """Return the error for a call that failed while `doing` something."""
    text, hint = meaning(done, manager)
    kind = UnavailableError if done.is_timed_out else MemtoolError
    return kind(f"{doing}: {text}", hint=hint)


def lacks_linger(uid: int, root: Path = _ROOT) -> str:
    """Return the user's name if their manager ends when they log out, else nothing."""
    name = name_of(uid)
    return "" if name.isdigit() or (root / "var/lib/systemd/linger" / name).exists() else name


def machine_zone(root: Path = _ROOT) -> str:
    """Return the name of the machine's zone, in which systemd reads times without one; empty if it has no name."""
    try:
        target = str((root / "etc/localtime").readlink())
    except FileNotFoundError:
        return "UTC"  # as systemd and the C library have it
    except OSError:
        return ""
    return target.partition("zoneinfo/")[2]
