"""What systemd itself says of the unit files, without one that runs: silence, a low exposure, and no lost week."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import pytest

from memtool.process import run
from memtool.systemd.dropins import NETWORK_DROP_IN, network_drop_in
from memtool.systemd.jobs import JOBS, Job
from memtool.systemd.units import Installation, unit_files
from tests.units.files import PACKAGE, SYSTEM, settings, systemd_analyze

DAY = timedelta(days=1)
FIRST, YEARS = datetime(2026, 1, 1, tzinfo=UTC), 2
WEEK = timedelta(days=7)
SYSTEM_ZONES = Path("/usr/share/zoneinfo")


def installed(folder: Path, installation: Installation) -> list[Path]:
    """Write the files of an installation, with a program that exists, and return the units."""
    program = installation.program
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    return written(folder, unit_files(installation))


def written(folder: Path, files: Mapping[str, str]) -> list[Path]:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return sorted(path for path in folder.iterdir() if path.is_file())


ODD = 'bin 100% "of" it\'s/memtool'


@pytest.mark.parametrize("program", ["bin/memtool", ODD])
def test_systemd_has_nothing_to_say_about_the_system_s_units(tmp_path: Path, program: str) -> None:
    home = Path("/home/m 1/a:b %")
    installation = Installation("system", tmp_path / program, "daemon", home)
    units = installed(tmp_path / "units", installation)
    done = systemd_analyze(["verify", "--man=no", *units])
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


@pytest.mark.parametrize("has_sandbox", [False, True], ids=["plain", "with the sandbox"])
@pytest.mark.parametrize("program", ["bin/memtool", ODD])
def test_systemd_has_nothing_to_say_about_a_user_s_units(
    tmp_path: Path, program: str, *, has_sandbox: bool
) -> None:
    installation = Installation("user", tmp_path / program, has_sandbox=has_sandbox)
    units = installed(tmp_path / "units", installation)
    done = analyzed_for_a_user(tmp_path / "units", "verify", "--man=no", *units)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def analyzed_for_a_user(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    # Sockets of other units are placed below this, and their paths may not be long.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as runtime:
        # A home below /dev, where tests' own may be, is refused by systemd 257 together with a sandbox.
        env = {
            "SYSTEMD_UNIT_PATH": f"{folder}:",
            "XDG_RUNTIME_DIR": runtime,
            "HOME": "/home/x",
        }
        return systemd_analyze(["--user", *arguments], env)


def exposure(text: str) -> float:
    """Return the exposure level of a unit, as `systemd-analyze security` says it."""
    found = re.search(r"Overall exposure level for \S+: (\d+\.\d)", text)
    assert found is not None, text
    return float(found[1])


each_job = pytest.mark.parametrize("job", JOBS, ids=lambda job: str(job.name))
SECURITY = ("security", "--offline=true", "--no-pager")


@each_job
def test_a_system_service_is_hardly_exposed(job: Job, tmp_path: Path) -> None:
    installed(tmp_path, Installation("system", tmp_path / "memtool", "daemon", Path("/home/x")))
    assert exposure(systemd_analyze([*SECURITY, tmp_path / job.unit]).stdout) == 0.2


@each_job
def test_a_user_s_service_is_little_exposed_with_the_sandbox(job: Job, tmp_path: Path) -> None:
    installed(tmp_path, Installation("user", tmp_path / "memtool", has_sandbox=True))
    done = analyzed_for_a_user(tmp_path, *SECURITY, tmp_path / job.unit)
    assert exposure(done.stdout) <= 1.0


def test_a_service_that_may_reach_the_network_is_little_more_exposed(tmp_path: Path) -> None:
    installed(tmp_path, Installation("system", tmp_path / "memtool", "daemon", Path("/home/x")))
    unit = tmp_path / "memtool-day-rollup.service"
    written(tmp_path, {f"{unit.name}.d/{NETWORK_DROP_IN}": network_drop_in("system")})
    assert 0.2 < exposure(systemd_analyze([*SECURITY, unit]).stdout) <= 1.3


@pytest.fixture
def package_root(tmp_path: Path) -> Path:
    """Return a root into which a distribution's package has put its files."""
    below = tmp_path / "usr/lib"
    for source, target in (
        (PACKAGE / "sysusers.d", below / "sysusers.d"),
        (PACKAGE / "tmpfiles.d", below / "tmpfiles.d"),
        (PACKAGE / "system-preset", below / "systemd/system-preset"),
    ):
        shutil.copytree(source, target)
    written(below / "systemd/system", unit_files(Installation("system", Path("/usr/bin/memtool"))))
    for name in ("etc", "var/lib"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not here")


def offline(root: Path, *command: str) -> str:
    program, *arguments = command
    done = run([program, f"--root={root}", *arguments], {"PATH": os.environ["PATH"]})
    assert done.is_ok, done.said
    return done.stdout


@needs("systemd-sysusers")
@needs("systemd-tmpfiles")
@pytest.mark.skipif(os.geteuid() != 0, reason="not root: the package's user is NOT tried")
def test_a_package_makes_its_user_and_the_store_and_leaves_a_person_s(package_root: Path) -> None:
    offline(package_root, "systemd-sysusers")
    entry = (package_root / "etc/passwd").read_text(encoding="utf-8").split(":")
    assert entry[0] == "memtool"
    offline(package_root, "systemd-tmpfiles", "--create")
    store = package_root / "var/lib/memtool"
    assert (store.stat().st_uid, store.stat().st_mode & 0o777) == (int(entry[2]), 0o700)
    os.chown(store, 12345, 12345)
    offline(package_root, "systemd-tmpfiles", "--create")
    assert store.stat().st_uid == 12345


@needs("systemctl")
def test_a_package_enables_no_timer(package_root: Path) -> None:
    timers = [job.timer for job in JOBS]
    offline(package_root, "systemctl", "enable", *timers)
    offline(package_root, "systemctl", "preset", *timers)
    assert not list((package_root / "etc").rglob("*.timer"))


def elapses(spec: str, *, count: int) -> list[datetime]:
    """Return when a schedule fires, as systemd reckons it."""
    base = FIRST.strftime("%Y-%m-%d %H:%M:%S UTC")
    arguments = [f"--iterations={count}", f"--base-time={base}", spec]
    done = systemd_analyze(["calendar", *arguments])
    assert done.returncode == 0, done.stderr
    found = re.findall(r"(?:Next elapse|Iter.*#\d+): \w{3} (\S+ \S+) UTC", done.stdout)
    assert len(found) == count
    return [datetime.fromisoformat(f"{when}+00:00") for when in found]


def longest_wait(specs: Iterable[str], zone: str, *, count: int = YEARS * 52) -> timedelta:
    """Return the longest time without a run, as far as all of the schedule's lines are reckoned."""
    lines = [elapses(f"{spec} {zone}", count=count) for spec in specs]
    end = min(line[-1] for line in lines)
    times = sorted({time for line in lines for time in line if time <= end})
    return max(after - before for before, after in pairwise(times))


def distinct_zones() -> Sequence[str]:
    """Return one zone for each way to change the clocks in the years to come."""
    days = [FIRST + timedelta(days=day) for day in range(YEARS * 366)]
    seen: dict[tuple[timedelta | None, ...], str] = {}
    for name in sorted(available_timezones()):
        is_place = "/" in name and not name.startswith(("Etc/", "posix/", "right/", "SystemV/"))
        if is_place and (SYSTEM_ZONES / name).exists():  # systemd knows no others
            zone = ZoneInfo(name)
            seen.setdefault(tuple(day.astimezone(zone).utcoffset() for day in days), name)
    return [name for offsets, name in seen.items() if len(set(offsets)) > 1]


def calendar(job: str) -> Sequence[str]:
    return settings(SYSTEM / f"memtool-{job}.timer")["Timer", "OnCalendar"]


def test_one_line_alone_would_lose_a_week_where_clocks_skip_the_hour() -> None:
    assert longest_wait(calendar("week-rollup")[:1], "Europe/Berlin") > 2 * WEEK - DAY


@pytest.mark.slow
def test_no_zone_loses_a_week_to_its_clocks() -> None:
    zones = distinct_zones()
    assert len(zones) > 20
    waits = {zone: longest_wait(calendar("week-rollup"), zone) for zone in zones}
    late = {zone: wait for zone, wait in waits.items() if wait > WEEK + timedelta(hours=2)}
    assert late == {}


@pytest.mark.parametrize("zone", ["Europe/London", "Europe/Lisbon", "Antarctica/Troll"])
def test_where_clocks_skip_one_o_clock_no_day_is_lost(zone: str) -> None:
    spring = 130  # days from New Year
    alone = longest_wait(calendar("day-rollup")[:1], zone, count=spring)
    assert alone > DAY + timedelta(hours=20)
    assert longest_wait(calendar("day-rollup"), zone, count=spring) < DAY + timedelta(hours=3)
