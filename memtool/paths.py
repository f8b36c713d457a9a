"""Where everything is: config files, the store, and the files that memtool ships."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from pathlib import Path
from stat import S_ISDIR
from typing import NamedTuple

from memtool.errors import ConfigError

_ROOT = Path("/")
SYSTEM_STORE = Path("/var/lib/memtool")
_CONFIG_NAME = "config.toml"
_CREDENTIAL = "memtool.llm-key"


class Role(Enum):
    """Whose config file it is, in order of precedence."""

    SYSTEM = "system"
    USER = "user"
    SERVICE = "service"  # systemd's ConfigurationDirectory=, in the place of the user's
    NAMED = "named"  # --config or $MEMTOOL_CONFIG: it has to exist


class ConfigFile(NamedTuple):
    """One file that settings are read from, whether it exists or not."""

    path: Path
    role: Role


class StoreChoice(NamedTuple):
    """The store's directory, and in words why it is this one."""

    root: Path
    why: str


def sound_environ(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment without relative XDG directories, which their specification has ignored, and with HOME.

    For the programs that memtool starts: systemctl takes a relative directory as it is.
    """
    names = [
        name for name in environ if name.startswith("XDG_") and name.endswith(("_HOME", "_DIR"))
    ]
    relative = [name for name in names if not environ[name].startswith("/")]
    if not relative and environ.get("HOME", "").startswith("/"):
        return environ
    kept = {name: value for name, value in environ.items() if name not in relative}
    with suppress(ConfigError):  # a user without a home: what needs one says so
        kept["HOME"] = str(home_directory(environ))
    return kept


def home_directory(environ: Mapping[str, str]) -> Path:
    """Return the user's home: $HOME, else the one in the password database. Raise ConfigError if there is none."""
    return _absolute(environ, "HOME") or _home_on_record()


def _home_on_record() -> Path:
    import pwd

    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        raise ConfigError(
            f"user {os.getuid()} has no home directory and HOME is not set",
            hint="set HOME, or name --store and --config",
        ) from None


def config_files(
    environ: Mapping[str, str], named: Path | None = None, *, root: Path = _ROOT
) -> tuple[ConfigFile, ...]:
    """Return the files that settings are read from; a later one overrides an earlier one."""
    files = [ConfigFile(root / "etc/memtool" / _CONFIG_NAME, Role.SYSTEM), *_own_files(environ)]
    named = named or _named_in(environ)
    if named is not None:
        files.append(ConfigFile(expand(named, environ), Role.NAMED))
    last: dict[Path, ConfigFile] = {}
    for file in reversed(files):
        last.setdefault(file.path, file)  # of a path that comes twice, the last place counts
    return tuple(reversed(last.values()))


def _own_files(environ: Mapping[str, str]) -> list[ConfigFile]:
    service = _systemd_directories(environ, "CONFIGURATION_DIRECTORY")
    if service:
        return [ConfigFile(directory / _CONFIG_NAME, Role.SERVICE) for directory in service]
    directory = xdg_directory(environ, "XDG_CONFIG_HOME", ".config") / "memtool"
    return [ConfigFile(directory / _CONFIG_NAME, Role.USER)]


def _named_in(environ: Mapping[str, str]) -> Path | None:
    name = environ.get("MEMTOOL_CONFIG", "")
    return Path(name) if name else None


def key_files(environ: Mapping[str, str]) -> tuple[Path | None, Path]:
    """Return where a model's key may be: the credential that systemd gave this unit (or None), and the user's file."""
    given = _systemd_directories(environ, "CREDENTIALS_DIRECTORY")
    own = xdg_directory(environ, "XDG_CONFIG_HOME", ".config") / "memtool/llm-key"
    return (given[0] / _CREDENTIAL if given else None), own


def choose_store(
    environ: Mapping[str, str],
    *,
    configured: str,
    origin: str,
    uid: int,
    root: Path = _ROOT,
    for_system: bool = False,
) -> StoreChoice:
    """Return the store: the configured one, the service's, an installed one of this user's, else the user's own.

    Where a system installation serves another user, the store that its configuration names is not this user's; with
    `for_system` it is asked for that installation.
    """
    installed = root / SYSTEM_STORE.relative_to(_ROOT)
    served = _owner(installed)
    if configured:
        path = expand(Path(configured), environ)
        is_systems = origin == str(root / "etc/memtool" / _CONFIG_NAME)
        if for_system or not is_systems or served in (None, 0, uid) or _owner(path) == uid:
            return StoreChoice(path, f"store.path is set ({origin})")
        return StoreChoice(
            own_store(environ), f"the user's own store; {path} is {name_of(served)}'s"
        )
    service = _systemd_directories(environ, "STATE_DIRECTORY")
    if service:
        return StoreChoice(service[0], "systemd's state directory ($STATE_DIRECTORY)")
    if served == uid:
        return StoreChoice(installed, "the installed system store, which runs as this user")
    return StoreChoice(own_store(environ), "the user's own store")


LOOKS = "looked.json"
"""The file in a user's state directory that says when the morning page was looked at."""


def looks_file(environ: Mapping[str, str]) -> Path:
    """Return where the last looks are recorded. Raise ConfigError if there is no home directory."""
    return own_store(environ) / LOOKS


def own_store(environ: Mapping[str, str]) -> Path:
    """Return where a user's own store is, unless the settings name another."""
    return xdg_directory(environ, "XDG_STATE_HOME", ".local/state") / "memtool"


def _owner(directory: Path) -> int | None:
    try:
        found = directory.stat()
    except OSError:
        return None  # absent, or not even visible to this user
    return found.st_uid if S_ISDIR(found.st_mode) else None


def is_served_by_system() -> bool:
    """Return whether the system's jobs run as the user of this process."""
    return _owner(SYSTEM_STORE) == os.geteuid()


def name_of(uid: int) -> str:
    """Return the user's name, or the number if there is none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def other_owner(directory: Path) -> str | None:
    """Return the name of the user that the directory belongs to; None for root, or if there is no directory."""
    uid = _owner(directory)
    name = name_of(uid) if uid else None
    return f"#{name}" if name and name.isdigit() else name  # as sudo -u takes it


def expand(path: Path, environ: Mapping[str, str]) -> Path:
    """Return the path made absolute, with a leading `~` read as the home directory."""
    if path.parts[:1] == ("~",):
        return home_directory(environ).joinpath(*path.parts[1:])
    return path.absolute()


def xdg_directory(environ: Mapping[str, str], name: str, default: str) -> Path:
    """Return a base directory of the XDG specification: the variable's if that is absolute, else below the home."""
    return _absolute(environ, name) or home_directory(environ) / default


def _absolute(environ: Mapping[str, str], name: str) -> Path | None:
    """Return the directory that the variable names; the XDG specification has relative ones ignored."""
    path = Path(environ.get(name, ""))
    return path if path.is_absolute() else None


def _systemd_directories(environ: Mapping[str, str], name: str) -> list[Path]:
    paths = [Path(part) for part in environ.get(name, "").split(":")]
    return [path for path in paths if path.is_absolute()]


_PACKAGE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """Return a file or directory that memtool ships, such as `systemd` or `man/memtool.1`.

    A wheel has them in memtool/share (pyproject.toml puts them there). In a checkout and in an editable install they
    are beside the package. Raise FileNotFoundError if neither has it: then the installation is incomplete.
    """
    for folder in (_PACKAGE / "share", _PACKAGE.parent):
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(
        f"memtool ships no {name}: neither {_PACKAGE}/share nor its parent has it"
    )
