"""The unit files as the tests look at them: where they are, what is in them, and how systemd is asked about them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from memtool.systemd import states, units
from memtool.systemd.jobs import JOBS, Job
from tests.waiting import HUNG_S

SOURCES = Path(__file__).resolve().parents[2] / "systemd"
PACKAGE = SOURCES / "package"
_PLACE = TemporaryDirectory(prefix="memtool-units-")
UNITS = Path(_PLACE.name)
SYSTEM = UNITS / "system"
USER = UNITS / "user"
_HOME = Path("/home/somebody")
INSTALLATIONS = {
    SYSTEM: units.Installation("system", Path("/usr/local/bin/memtool")),
    USER: units.Installation("user", _HOME / ".local/bin/memtool", home=_HOME, has_sandbox=True),
}
for _folder, _installation in INSTALLATIONS.items():
    for _name, _text in units.unit_files(_installation).items():
        (_folder / _name).parent.mkdir(parents=True, exist_ok=True)
        (_folder / _name).write_text(_text, encoding="utf-8")
SANDBOX = USER / units.SANDBOX
COMMON = {folder: folder / units.COMMON for folder in (SYSTEM, USER)}
SLICE = SYSTEM / states.SLICE
PROGRAMS = {SYSTEM: "/usr/local/bin/memtool", USER: "%h/.local/bin/memtool"}
ROOTS = {SYSTEM: "/var/lib/memtool", USER: "%h/.local/state/memtool"}
SERVICES = [folder / job.unit for folder in (SYSTEM, USER) for job in JOBS]
TIMERS = [SYSTEM / job.timer for job in JOBS]

Setting = tuple[str, str]  # section, name


def settings(path: Path) -> Mapping[Setting, list[str]]:
    """Return what a unit file sets, each name with all of its values: systemd adds them up."""
    found: dict[Setting, list[str]] = {}
    section = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault((section, name), []).append(value)
    return found


def whole(path: Path, *drop_ins: Path) -> Mapping[Setting, list[str]]:
    """Return what a service sets together with what all share and other drop-ins."""
    found: dict[Setting, list[str]] = {}
    for file in (path, COMMON[path.parent], *drop_ins):
        for name, values in settings(file).items():
            found[name] = found.get(name, []) + values
    return found


def one(path: Path, section: str, name: str) -> str:
    """Return a setting that is there once."""
    (value,) = settings(path)[section, name]
    return value


def name_of(path: Path) -> str:
    """Return a name for a test, which is the same in every process."""
    return str(path.relative_to(UNITS if path.is_relative_to(UNITS) else SOURCES))


def job_of(path: Path) -> Job:
    """Return the job that a unit file belongs to."""
    return next(job for job in JOBS if path.name in (job.unit, job.timer))


def systemd_analyze(
    arguments: Sequence[str | Path], env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze, which needs no systemd to run. Skip the test where it is missing."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not here: the units are NOT checked by systemd itself")
    return subprocess.run(
        [program, *map(str, arguments)],
        env={**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC", **(env or {})},
        capture_output=True,
        encoding="utf-8",
        timeout=HUNG_S,
        check=False,
    )
