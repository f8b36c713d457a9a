"""Finds the systemd and the store that `memtool scheduler` works on, and their state. Changes nothing."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from memtool.cli.options import Invocation
from memtool.errors import DamagedError, MemtoolError, StorageError
from memtool.ledger.reading import History, look_newest
from memtool.paths import (
    SYSTEM_STORE,
    StoreChoice,
    home_directory,
    is_served_by_system,
    name_of,
    other_owner,
)
from memtool.person import BY_ROOT, PEOPLE
from memtool.settings import DEFAULT
from memtool.systemd.dropins import (
    Wanted,
    calendar_in,
    command_digest,
    files_of,
    possible_paths,
    unapplied,
)
from memtool.systemd.jobs import JOBS
from memtool.systemd.pauses import paused
from memtool.systemd.problems import Look
from memtool.systemd.states import UNUSABLE
from memtool.systemd.status import Status, status_of
from memtool.systemd.systemctl import (
    BY_HAND,
    INSTALL,
    NOT_BOOTED,
    SCOPES,
    Manager,
    Scope,
    Timers,
    admin_directory,
    ask,
    default_scope,
    installed_in,
    is_booted,
    lacks_linger,
    manager_of,
    units_directory,
    unread_drop_ins,
)
from memtool.systemd.units import Installation, differing, installation_in, run_as_user

NONE_INSTALLED = "no timers of memtool are installed"

ScopeOption = Annotated[
    bool | None,
    typer.Option(
        "--system/--user", help="Which systemd. Default: the one that has the timers.", show_default=False
    ),
]  # fmt: skip


class Place(NamedTuple):
    """The systemd (None if no timers are installed), the store of its jobs, and all systemds with timers."""

    call: Invocation
    scope: Scope | None
    store: StoreChoice
    installed: tuple[Scope, ...]

    @property
    def root(self) -> Path:
        """The store's directory. Raise StorageError if it is that of the system's timers, and these run as another."""
        if self.scope == "system" and self.store.root == SYSTEM_STORE and os.getuid() != 0:
            whose = other_owner(SYSTEM_STORE)
            if whose not in (None, name_of(os.getuid())):
                raise StorageError(
                    f"the system's timers run as {whose}, and their memory is {whose}'s",
                    hint=f"as root or {whose}: sudo memtool scheduler status",
                )
        return self.store.root

    @property
    def manager(self) -> Manager:
        """The systemd. Raise MemtoolError if there is none."""
        if self.scope is None:
            text, hint = nothing_installed(self)
            raise MemtoolError(text, hint=hint)
        return manager_of(self.scope, self.call.environ, os.getuid())

    @property
    def units(self) -> Path:
        """Where memtool's own unit files are."""
        assert self.scope is not None
        return units_directory(self.scope, self.call.environ)

    @property
    def installation(self) -> Installation | None:
        """What is installed in `units`; None if nothing is, as beside a distribution's package."""
        if self.scope is None:
            return None
        return installation_in(self.units, self.scope, home_directory(self.call.environ))


def place_of(call: Invocation, is_system: bool | None) -> Place:
    """Return the place that was named, else the one with units for this user."""
    installed = installed_in(call.environ)
    is_ours = os.getuid() == 0 or call.store.root == SYSTEM_STORE or is_served_by_system()
    if is_system is None:
        mine = installed if is_ours else tuple(scope for scope in installed if scope == "user")
        scope = default_scope(mine, prefers_system=is_ours)
    else:
        scope = SCOPES[0] if is_system else SCOPES[1]
    return Place(call, scope, _store(call, scope), installed)


def _store(call: Invocation, scope: Scope | None) -> StoreChoice:
    """Return the store: the system's timers have one of their own, unless the config names another."""
    is_named = call.config.origin("store.path") != DEFAULT
    if scope != "system" or is_named or call.store.root == SYSTEM_STORE:
        return call.store
    return StoreChoice(SYSTEM_STORE, "the installed system store, which the system's timers use")


def timers_of(place: Place) -> Timers:
    """Return what systemd says of the timers, or why it says nothing."""
    if place.scope is None:
        text, hint = nothing_installed(place)
        return Timers(problem=text, hint=hint)
    is_installed = place.scope in place.installed
    is_root = os.getuid() == 0 or BY_ROOT in place.call.environ
    sudo = "sudo " if place.scope == "system" and not is_root else ""
    timers = ask(place.manager)._replace(is_installed=is_installed, sudo=sudo)
    if not timers.is_known:
        return timers
    if all(one.state == one.service.state == "missing" for one in timers.states.values()):
        if not is_installed:
            return Timers(place.scope, problem=NONE_INSTALLED, hint=INSTALL)
        text, hint = "systemd has not read their files", f"{timers.systemctl} daemon-reload"
        return timers._replace(problem=text, hint=hint)
    return timers._replace(
        states=unread_drop_ins(place.scope, place.call.environ, timers.states),
        elsewhere=_elsewhere(place, timers),
        lacks_linger=lacks_linger(os.getuid()) if place.scope == "user" else "",
        is_sandbox_untried=_is_sandbox_untried(place, timers),
        replaced=_replaced(place, timers),
        unapplied=_unapplied(place, timers),
        differing=differing(place.units, place.scope, home_directory(place.call.environ)),
    )


def _replaced(place: Place, timers: Timers) -> tuple[str, ...]:
    """Return the files that systemd uses in the place of memtool's, as `systemctl edit --full` makes them."""
    found = [unit.fragment for unit in timers.others.values() if unit.state not in UNUSABLE]
    for timer in timers.states.values():
        found += [timer.fragment] * (timer.state not in UNUSABLE)
        found += [timer.service.fragment] * (timer.service.state not in UNUSABLE)
    paths = [Path(path) for path in found if path]
    return tuple(
        str(path)
        for path in paths
        if path.parent != place.units and (place.units / path.name).exists()
    )


def _unapplied(place: Place, timers: Timers) -> tuple[str, ...]:
    """Return the settings that the timers do not follow yet, as far as this user's configuration is that of the jobs.

    No store is opened for it: the calendar is the one for which the drop-ins were written.
    """
    assert place.scope is not None
    person = min({timer.service.user for timer in timers.states.values()} - {""}, default="")
    is_theirs = place.call.administers is not None or person == name_of(os.getuid())
    if place.scope == "system" and not is_theirs:
        return ()
    config, environ = place.call.config, place.call.environ
    admin = admin_directory(place.scope, environ)
    written = {name: text for name in possible_paths() if (text := _text_of(admin / name))}
    name, options = config.summarizer.name, config.summarizer
    made_for = None
    needs_network = False
    if config.origin("summarizer.name") != DEFAULT:
        from memtool.summarize import row
        from memtool.summarize.models.command import NAME

        needs_network = row(name).needs_network
        if name == NAME:
            made_for = command_digest(options.command, options.command_writes, options.concurrency)
    wanted = Wanted(
        scope=place.scope,
        calendar=calendar_in(written.values()),
        needs_network=needs_network,
        on_failure=config.scheduler.on_failure,
        skips_on_battery=config.scheduler.rollups_on_battery == "skip",
        user=person,
        store=other_store(place),
        version=version_of(place.manager) if config.scheduler.on_failure else 0,
    )
    return tuple(dict.fromkeys(unapplied(written, files_of(config.timers, wanted), made_for)))


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def other_store(place: Place) -> Path | None:
    """Return the store if a config file names another than the units' default."""
    if place.call.config.origin("store.path").kind != "file":
        return None
    home = home_directory(place.call.environ)
    own = SYSTEM_STORE if place.scope == "system" else home / ".local/state/memtool"
    return place.root if place.root != own else None


def version_of(manager: Manager) -> int:
    """Return the version of systemd; 0 if it does not say."""
    found = re.match(r"systemd (\d+)", manager.call("--version").stdout)
    return int(found[1]) if found else 0


def _is_sandbox_untried(place: Place, timers: Timers) -> bool:
    installed = place.installation if place.scope == "user" else None
    is_live = any(timer.is_live for timer in timers.states.values())
    return is_live and installed is not None and installed.has_sandbox is None


def _elsewhere(place: Place, timers: Timers) -> frozenset[str]:
    """Return the jobs that fire in both managers, for this one user.

    The other manager is asked only if it has our units, and the system's jobs run as this user.
    """
    others = [scope for scope in place.installed if scope != place.scope]
    if not others or not is_served_by_system():
        return frozenset()
    there = ask(manager_of(others[0], place.call.environ, os.getuid())).states
    live = (job for job, timer in there.items() if timer.is_live)
    return frozenset(job for job in live if job in timers.states and timers.states[job].is_live)


def nothing_installed(place: Place | None = None) -> tuple[str, str]:
    """Return a message that there are no timers, and a hint."""
    if not is_booted():
        return NOT_BOOTED, BY_HAND
    if place is not None and "system" in place.installed:
        whose = run_as_user() or "another user"
        hint = (
            "for timers of your own: memtool setup; as root, those: sudo memtool scheduler status"
        )
        return f"no timers of memtool are yours; the system's are {whose}'s", hint
    if os.getuid() == 0 and (user := _with_timers(place)):
        is_sudo = place is not None and place.call.environ.get("SUDO_USER") == user
        how = "without sudo" if is_sudo else f"as {user} (sudo -iu {user})"
        text = f"root and the system have no timers of memtool; {user} has timers of their own"
        return text, f"{how}: memtool scheduler status"
    return NONE_INSTALLED, INSTALL


def _with_timers(place: Place | None) -> str:
    """Return a user who has timers of their own: the one who called sudo, else the first one; empty if none has."""
    import pwd

    caller = place.call.environ.get("SUDO_USER", "") if place else ""
    people = [row for row in pwd.getpwall() if row.pw_name == caller or row.pw_uid in PEOPLE]
    for row in sorted(people, key=lambda row: row.pw_name != caller):
        if "user" in installed_in({"HOME": row.pw_dir}):
            return row.pw_name
    return ""


def state_of(place: Place) -> Status:
    """Return the state of the jobs. The ledger is read last, so it has what started while systemd was asked."""
    now_us = place.call.now_us
    timers = timers_of(place)
    pauses = paused(place.root, (job.name for job in JOBS), now_us)
    skips_on_battery = place.call.config.scheduler.rollups_on_battery == "skip"
    seen = Look(now_us, timers, pauses, skips_on_battery)
    try:
        history = look_newest(place.root)
    except DamagedError as error:
        history = History(problem=error.message, hint=error.hint)
    return status_of(history, seen)
