"""Fresh systems. debootstrap makes their roots once, and they are kept; a test works on a layer of its own above."""

from __future__ import annotations

import ast
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.systemd.machine import MachineError, call

MIRROR = "http://deb.debian.org/debian"
# What the README takes for granted (git, python3), and what a systemd with user managers needs.
PACKAGES = (
    *("systemd-sysv", "dbus", "dbus-user-session", "libpam-systemd"),
    *("ca-certificates", "git", "python3"),
)
DEBOOTSTRAP_TIMEOUT_S = 1800
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
DIST = "/mnt/dist"  # in the machines: the wheel and the clone's source
# Settings of pip that say where packages come from, in the order in which pip looks for them.
PIP_SECTIONS = (":env:", "install", "global")
PIP_SOURCES = ("index-url", "extra-index-url", "find-links", "trusted-host", "timeout", "retries")
PASSED_ON = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@dataclass(frozen=True, slots=True)
class System:
    """A distribution's release, as `tests/release` names it and as debootstrap does."""

    name: str
    suite: str


SYSTEMS = (
    System("debian12", "bookworm"),
    System("debian13", "trixie"),
    System("sid", "sid"),
)


def default_cache() -> Path:
    """Return where roots are kept: $XDG_CACHE_HOME/memtool-tests, or ~/.cache/memtool-tests."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (named if named.is_absolute() else Path.home() / ".cache") / "memtool-tests"


def root_of(system: System, cache: Path, *, is_rebuilt: bool = False) -> Path:
    """Return the root of the system. Make it if it is not there, or was made of other packages.

    Raise MachineError if debootstrap fails.
    """
    root, made_of = cache / system.name, cache / f"{system.name}.packages"
    wanted = " ".join(PACKAGES)
    is_current = made_of.exists() and made_of.read_text("ascii") == wanted
    if root.is_dir() and is_current and not is_rebuilt:
        return root
    made_of.unlink(missing_ok=True)
    shutil.rmtree(root, ignore_errors=True)
    cache.mkdir(parents=True, exist_ok=True)
    included = f"--include={','.join(PACKAGES)}"
    command = ["debootstrap", "--variant=minbase", included, system.suite, str(root), MIRROR]
    done = call(command, timeout_s=DEBOOTSTRAP_TIMEOUT_S)
    if done.returncode != 0:
        raise MachineError(f"{' '.join(command)}: {done.returncode}\n{done.stdout[-2000:]}")
    # A mirror may be a snapshot that is older than its index says it may be.
    apt = root / "etc/apt/apt.conf.d/90-tests"
    apt.write_text('Acquire::Check-Valid-Until "false";\n', "ascii")
    made_of.write_text(wanted, "ascii")
    return root


def host_files() -> Mapping[Path, str]:
    """Return what of the host is seen in every machine: its certificates, and its folders of packages."""
    folders = [
        folder for folder in _pip_settings().get("find-links", "").split() if Path(folder).is_dir()
    ]
    return {path: str(path) for path in (BUNDLE, *map(Path, folders)) if path.exists()}


def host_environment() -> Mapping[str, str]:
    """Return the variables that lead pip and uv to packages as on the host, and to memtool's wheel."""
    pip = _pip_settings()
    folders = [folder for folder in pip.pop("find-links", "").split() if Path(folder).is_dir()]
    environ = {name: os.environ[name] for name in _proxies() if name in os.environ}
    environ |= {f"PIP_{key.upper().replace('-', '_')}": value for key, value in pip.items()}
    if "index-url" in pip:
        environ["UV_DEFAULT_INDEX"] = pip["index-url"]
    environ |= dict.fromkeys(("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"), str(BUNDLE))
    environ["PIP_FIND_LINKS"] = " ".join([DIST, *folders])
    environ["UV_FIND_LINKS"] = ",".join([DIST, *folders])
    return environ


def _proxies() -> list[str]:
    return [name for upper in PASSED_ON for name in (upper, upper.lower())]


def _pip_settings() -> dict[str, str]:
    """Return what the host's pip knows about where packages come from."""
    lines = call([sys.executable, "-m", "pip", "config", "list"]).stdout.splitlines()
    found: dict[str, str] = {}
    pairs = dict(line.partition("=")[::2] for line in lines)
    for key in PIP_SOURCES:
        named = [
            pairs[f"{section}.{key}"] for section in PIP_SECTIONS if f"{section}.{key}" in pairs
        ]
        if named:
            found[key] = str(ast.literal_eval(named[0])).strip()
    return found
