"""How this program was installed, which file of it a unit may start, and the commands that change the installation.

It reads package metadata, so it is imported only by what needs it.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from memtool.errors import ConfigError

if TYPE_CHECKING:
    from importlib.metadata import Distribution

DISTRIBUTION = "agent-memtool"
"""The name on a package index. The package `memtool` on PyPI is another project's."""
NAME = "memtool"

Way = Literal["pipx", "uv tool", "install.sh", "venv", "checkout", "cache", "python", "package"]
"""cache: of uvx or `pipx run`. python: by pip, outside virtual environments. package: by the system's packages."""

_CACHE = "CACHEDIR.TAG"  # https://bford.info/cachedir/; uv puts it into environments that last, too
_PIPX = "pipx_metadata.json"
_UV = "uv-receipt.toml"
_MARKERS: tuple[tuple[str, Way], ...] = (
    (_PIPX, "pipx"),
    (_UV, "uv tool"),
    (".memtool-stamp", "install.sh"),
)


class Program(NamedTuple):
    """One installation of memtool.

    The commands are argument lists. They are empty if only the system's package manager can do it.
    """

    way: Way
    prefix: Path
    """The environment that it is installed in (sys.prefix)."""
    python: str
    script: Path | None
    """What starts it, and stays over upgrades: the installer's link, else the environment's script."""
    settings: tuple[str, ...] = ()
    """What goes before an installer's command so that it finds this installation: `sudo`, `env PIPX_HOME=…`."""

    def launcher(self) -> Path:
        """Return what a unit may start. Raise ConfigError for a cache or a checkout, which do not last."""
        if self.script is not None:
            return self.script
        text = "memtool runs from a checkout, and is not installed"
        if self.way == "cache":
            text = f"memtool runs from a cache, which may be cleared: {self.prefix}"
        raise ConfigError(text, hint=shlex.join(self.install_command()))

    def install_command(self) -> tuple[str, ...]:
        """Return what installs memtool to stay, from the source that this program came from."""
        if self.way != "cache":
            return (str(_checkout() / "install.sh"),)
        installer = ("pipx",) if (self.prefix / _PIPX).exists() else ("uv", "tool")
        return (*installer, "install", _origin().get("url") or DISTRIBUTION)

    def extra_command(self, extra: str) -> tuple[str, ...]:
        """Return what adds an extra, such as `openai`, to this very installation."""
        needed = requirements(extra)
        match self.way:
            case "pipx":
                return (*self.settings, "pipx", "inject", self.prefix.name, *needed)
            case "uv tool":
                return (*self.settings, *_uv_install(self.prefix / _UV, needed))
            case "cache":
                return self.install_command()
            case _:
                return self._pip("install", *needed)

    def remove_command(self) -> tuple[str, ...]:
        """Return what removes the program, without its units and data. A cache needs no command."""
        match self.way:
            case "pipx":
                return (*self.settings, "pipx", "uninstall", self.prefix.name)
            case "uv tool":
                return (*self.settings, "uv", "tool", "uninstall", DISTRIBUTION)
            case "install.sh":
                removed = (str(self.prefix.parent), *([str(self.script)] if self.script else []))
                return self._installer("--uninstall") or (*self.settings, "rm", "-r", *removed)
            case "cache":
                return ()
            case _:
                return self._pip("uninstall", DISTRIBUTION)

    def upgrade_command(self) -> tuple[str, ...]:
        """Return what installs the newest version."""
        match self.way:
            case "pipx":
                return (*self.settings, "pipx", "upgrade", self.prefix.name)
            case "uv tool":
                return (*self.settings, "uv", "tool", "upgrade", DISTRIBUTION)
            case "install.sh":
                return self._installer() or ("./install.sh",)
            case "checkout":
                return ("git", "-C", str(_checkout()), "pull")
            case "cache":
                return self.install_command()
            case _:
                return self._pip("install", "--upgrade", DISTRIBUTION)

    def _installer(self, *arguments: str) -> tuple[str, ...]:
        """Return the call of the script that installed this, if the checkout is still there."""
        script = Path(_origin().get("url", "").removeprefix("file://")) / "install.sh"
        if not script.is_absolute() or not script.exists():
            return ()
        prefix = self.prefix.parents[2]  # of PREFIX/lib/memtool/a
        is_system = prefix == Path("/usr/local")
        if not is_system and prefix != Path(os.environ.get("HOME", "")) / ".local":
            arguments += ("--prefix", str(prefix))
        mode = ("--system",) if is_system else ("--user",)
        return (*self.settings, str(script), *arguments, *mode)

    def _pip(self, verb: str, *arguments: str) -> tuple[str, ...]:
        from importlib.util import find_spec

        if self.way == "package":
            return ()
        override = ("--break-system-packages",) if self._is_managed() else ()
        if find_spec("pip") is None:  # an environment of `uv venv` has none
            python = ("--python", self.python)
            return (*self.settings, "uv", "pip", verb, *override, *python, *arguments)
        return (*self.settings, self.python, "-m", "pip", verb, *override, *arguments)

    def _is_managed(self) -> bool:
        """Return whether pip asks for an override in this Python (PEP 668)."""
        import sysconfig

        return (
            self.way == "python"
            and Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").exists()
        )


def running_program() -> Program:
    """Return how the running program was installed."""
    return this_program(sys.argv[0], os.environ)


def this_program(argv0: str, environ: Mapping[str, str]) -> Program:
    """Return how memtool was installed for this interpreter. Starts nothing."""
    prefix = Path(sys.prefix)
    way = _way(prefix)
    script = None if way == "cache" else _script(prefix)
    if script is not None and way in ("pipx", "uv tool", "install.sh"):
        script = _link(script, argv0, environ) or script
    settings = (*_as_owner(prefix), *_directories(way, prefix, script, environ))
    return Program(way, prefix, sys.executable, script, settings)


def extra_hint(extra: str) -> str:
    """Return what to type to add an extra to the running program, quoted for a shell."""
    command = running_program().extra_command(extra)
    needed = ", ".join(requirements(extra))
    return shlex.join(command) or f"install {needed} with your package manager"


def upgrade_hint() -> str:
    """Return what to do about something that a newer memtool wrote."""
    command = running_program().upgrade_command()
    return f"upgrade memtool: {shlex.join(command)}" if command else "upgrade memtool"


def requirements(extra: str) -> tuple[str, ...]:
    """Return what an extra needs, such as `openai>=2`, from the metadata that is installed."""
    found = _distribution()
    rows = [row.partition(";") for row in (found.requires if found else None) or ()]
    marker = re.compile(rf"""\bextra\s*==\s*["']{re.escape(extra)}["']""")
    return tuple(name.strip() for name, _, rest in rows if marker.search(rest)) or (extra,)


# --- What was installed -------------------------------------------------------------------


def _way(prefix: Path) -> Way:
    if any((parent / _CACHE).exists() for parent in prefix.parents):
        return "cache"
    for marker, way in _MARKERS:
        if (prefix / marker).exists():
            return way
    found = _distribution()
    if found is None or _origin().get("dir_info", {}).get("editable"):
        return "checkout"
    if sys.prefix != sys.base_prefix:
        return "venv"
    return "python" if (found.read_text("INSTALLER") or "").strip() in ("pip", "uv") else "package"


def _distribution() -> Distribution | None:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        return distribution(DISTRIBUTION)
    except PackageNotFoundError:
        return None  # a checkout on PYTHONPATH


def _origin() -> dict[str, Any]:
    """Return where it was installed from (PEP 610); nothing if that was a package index."""
    import json

    found = _distribution()
    text = found.read_text("direct_url.json") if found else None
    return dict(json.loads(text)) if text else {}


def _checkout() -> Path:
    return Path(__file__).resolve().parents[1]


def _script(prefix: Path) -> Path | None:
    """Return the script that the installer has made: of `pip install --user`, it is not in the prefix."""
    found = _distribution()
    files = [file.locate() for file in (found.files if found else None) or () if file.name == NAME]
    scripts = [Path(os.path.normpath(str(file))) for file in files]
    return next((file for file in (*scripts, prefix / "bin" / NAME) if file.is_file()), None)


# --- Links and directories of the installers ----------------------------------------------


def _link(script: Path, argv0: str, environ: Mapping[str, str]) -> Path | None:
    """Return the link to the script that the installer has made."""
    for folder in _link_folders(script, argv0, environ):
        link = folder / NAME
        if folder.is_absolute() and link.is_symlink() and link.resolve() == script.resolve():
            return link
    return None


def _link_folders(script: Path, argv0: str, environ: Mapping[str, str]) -> Iterator[Path]:
    """Give where links may be, the installers' own places first; some may be relative."""
    receipt = script.parents[1] / _UV
    if receipt.exists():
        for point in _read_receipt(receipt).get("entrypoints", ()):
            yield Path(point.get("install-path", "")).parent
    names = ("UV_TOOL_BIN_DIR", "PIPX_BIN_DIR", "XDG_BIN_HOME", "PIPX_GLOBAL_BIN_DIR")
    yield from (Path(environ.get(name, "")) for name in names)
    # install.sh: PREFIX/bin/memtool leads to PREFIX/lib/memtool/a/bin/memtool
    yield Path(os.path.normpath(script / "../../../../../bin"))
    yield Path(environ.get("HOME", "")) / ".local/bin"
    yield Path("/usr/local/bin")
    yield Path(argv0).parent
    yield from map(Path, environ.get("PATH", "").split(":"))


def _as_owner(prefix: Path) -> tuple[str, ...]:
    is_of_root = prefix.stat().st_uid == 0
    return ("sudo",) if is_of_root and os.getuid() != 0 else ()


def _directories(
    way: Way, prefix: Path, script: Path | None, environ: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the variables that lead pipx or uv to an environment which is not in its usual place."""
    home = Path(environ.get("HOME", ""))
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local/share")
    bin_folder = script.parent if script else prefix / "bin"
    folder = prefix.parent
    if way == "pipx" and folder not in (data / "pipx/venvs", home / ".local/pipx/venvs"):
        return ("env", f"PIPX_HOME={folder.parent}", f"PIPX_BIN_DIR={bin_folder}")
    if way == "uv tool" and folder != data / "uv/tools":
        return ("env", f"UV_TOOL_DIR={folder}", f"UV_TOOL_BIN_DIR={bin_folder}")
    return ()


# --- uv -----------------------------------------------------------------------------------


def _read_receipt(path: Path) -> dict[str, Any]:
    """Return what uv was asked for. https://docs.astral.sh/uv/concepts/tools/"""
    import tomllib

    return dict(tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}))


def _uv_install(receipt: Path, needed: tuple[str, ...]) -> tuple[str, ...]:
    """Return the `uv tool install` that keeps what was asked for, and adds requirements.

    uv removes what a later install does not name again.
    """
    asked = _read_receipt(receipt)
    rows = asked.get("requirements", ())
    main = next((row for row in rows if row["name"] == DISTRIBUTION), {"name": DISTRIBUTION})
    others = [_requirement(row) for row in rows if row is not main]
    words = ["uv", "tool", "install", *_options(asked.get("options", {}))]
    if python := asked.get("python"):
        words += ["--python", python]
    for one in dict.fromkeys((*others, *needed)):
        words += ["--with", one]
    if "editable" in main:
        words.append("--editable")
    return (*words, _requirement(main))


def _options(asked: Mapping[str, object]) -> Iterator[str]:
    """Give the options of `uv` that are text or a list of text, such as `index-url` and `find-links`."""
    for name, value in asked.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str):
                yield f"--{name}={one}"


def _requirement(row: Mapping[str, Any]) -> str:
    """Return a requirement of a receipt as it is typed (PEP 508)."""
    extras = ",".join(row.get("extras", ()))
    name = f"{row['name']}[{extras}]" if extras else row["name"]
    places = (row[kind] for kind in ("path", "directory", "editable", "url") if kind in row)
    place = next(places, "")
    if "git" in row:
        address, _, query = row["git"].partition("?")
        revision = re.search(r"(?:rev|tag|branch)=([^&#]+)", query)
        place = f"git+{address}" + (f"@{revision[1]}" if revision else "")
    return f"{name} @ {place}" if place else f"{name}{row.get('specifier', '')}"
