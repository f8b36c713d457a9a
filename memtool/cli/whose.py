"""Whose memory a command of root works on: the one place that decides it.

Root makes no file in the memory, the settings or the state of another user. So as root memtool becomes the user whose
memory it is, and runs again; only what administers the system's installation stays root.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from memtool.cli.options import Invocation
from memtool.errors import ConfigError, MemtoolError, StorageError, UsageError
from memtool.paths import choose_store, expand, home_directory
from memtool.person import BecomeUser, Person, owner_uid, person_named, person_of

STAYS_ROOT: Mapping[str, frozenset[str]] = {
    "setup": frozenset(),
    "config": frozenset(),
    "scheduler": frozenset({"apply", "run", "pause", "resume", "logs", "crontab"}),
}
"""What administers the system's installation: commands, and which of their subcommands (none named: all)."""
_HELP = frozenset({"--help", "-h", "--version"})
_OF_SYSTEM = frozenset({"--system", "--run-as", "--root"})
_NOT_THEIRS = ("XDG_", "DBUS_", "MAIL", "SHELL")


def settle(call: Invocation, words: Sequence[str]) -> Invocation:
    """Return the call as the user should make it whose memory and settings it is about. `words` are the command's.

    Raise BecomeUser if root has to make it as another user.
    """
    if os.geteuid() != 0 or _HELP.intersection(words) or _is_unit_of_own(call.environ):
        return call
    command = words[0] if words else ""  # alone, memtool shows the morning's page
    is_of_home = command in ("setup", "config")  # these open no store
    named = None if is_of_home else call.store_option or call.environ.get("MEMTOOL_STORE__PATH")
    from memtool.systemd.systemctl import installed_in

    is_for_system = "--user" not in words and "system" in installed_in(call.environ)
    if command == "setup" and (is_for_system or _OF_SYSTEM.intersection(_options(words))):
        return call  # it asks itself which user it is for
    if named and (store := expand(Path(named), call.environ)).exists():
        person = _run_as_user() if is_for_system and _administers(words) else None
        if person is None or owner_uid(store) != person.uid:
            return _as(call, owner_uid(store), store)
        named = None  # it is that of the system's jobs, or another one of the same user
    if is_for_system and not named and (person := _run_as_user()) is not None:
        if not _administers(words) and person.uid != 0:
            raise BecomeUser(person, environ_of(person, call.environ))
        call.administers = person
        call.environ = environ_of(person, call.environ)
        return call
    home = home_directory(call.environ)
    owner = person_of(owner_uid(home))
    if owner is not None and owner.uid != 0:
        raise BecomeUser(owner, environ_of(owner, call.environ, home))
    found = None if is_of_home else _store_of(call)
    if found is None or (not found.exists() and person_of(owner_uid(found)) is None):
        return call
    return _as(call, owner_uid(found), found)


def environ_of(
    person: Person, environ: Mapping[str, str], home: Path | None = None
) -> dict[str, str]:
    """Return the environment with the home and directories of the user. With a `home` it is the user's already."""
    kept = {
        name: value
        for name, value in environ.items()
        if home is not None or not name.startswith(_NOT_THEIRS)
    }
    kept.pop("XDG_RUNTIME_DIR", None)
    runtime = Path(f"/run/user/{person.uid}")
    if runtime.is_dir():
        kept["XDG_RUNTIME_DIR"] = str(runtime)
    return {
        **kept, "HOME": str(home or person.home), "USER": person.name, "LOGNAME": person.name,
    }  # fmt: skip


def _as(call: Invocation, uid: int, store: Path) -> Invocation:
    """Return the call with root's own home, or raise BecomeUser."""
    person = person_of(uid)
    if person is None:
        raise StorageError(
            f"{store} belongs to user {uid}, who is not a user of this machine, and root makes no files in it",
            hint=f"give it to a user: chown -R USER {store}",
        )
    home = home_directory(call.environ)
    is_theirs = owner_uid(home) == uid
    environ = (
        call.environ
        if is_theirs and uid == 0
        else environ_of(person, call.environ, home if is_theirs else None)
    )
    if uid != 0:
        raise BecomeUser(person, environ)
    call.environ = environ
    return call


def _is_unit_of_own(environ: Mapping[str, str]) -> bool:
    """Return whether root's own systemd started this: a job of root's own timers."""
    return "MANAGERPID" in environ and environ.get("SYSTEMD_EXEC_PID") == str(os.getpid())


def _options(words: Sequence[str]) -> list[str]:
    return [word.partition("=")[0] for word in words]


def _administers(words: Sequence[str]) -> bool:
    known = STAYS_ROOT.get(words[0]) if words else None
    return known is not None and (not known or bool(known.intersection(words[1:2])))


def _run_as_user() -> Person | None:
    """Return whom the system's jobs run as; None if the units do not say. Raise ConfigError if that user is gone."""
    from memtool.systemd.units import run_as_user

    if not (name := run_as_user()):
        return None
    try:
        return person_named(name)
    except UsageError as error:
        raise ConfigError(
            f"the system's jobs run as {name}, who is not a user of this machine",
            hint="memtool setup --system --run-as USER",
        ) from error


def _store_of(call: Invocation) -> Path | None:
    """Return the store of the call; None if the settings, of which the command will complain, do not tell."""
    try:
        config = call.read_config()
        origin = str(config.origin("store.path"))
        configured = config.store.path
        return choose_store(call.environ, configured=configured, origin=origin, uid=0).root
    except MemtoolError:
        return None
