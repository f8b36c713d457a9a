"""What systemd itself says of the unit files, without one that runs: silence, a low exposure, and no lost week."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import pytest

from memtool.scheduler.dropins import network_drop_in
from memtool.scheduler.jobs import JOBS
from tests.units.files import (
    PROGRAMS,
    SANDBOX,
    SYSTEM,
    TIMERS,
    UNITS,
    USER,
    settings,
    systemd_analyze,
)

DAY = timedelta(days=1)
FIRST, YEARS = datetime(2026, 1, 1, tzinfo=UTC), 2
WEEK = timedelta(days=7)


def installed(folder: Path, target: Path, program: Path) -> list[Path]:
    """Put the units into a folder as install.sh would, with a program that exists, and return them."""
    target.mkdir()
    for unit in (*folder.glob("memtool-*.service"), *TIMERS):
        shutil.copy(unit, target)
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    units = sorted(target.glob("memtool-*.service")) + sorted(target.glob("memtool-*.timer"))
    for unit in units:
        text = unit.read_text(encoding="utf-8")
        unit.write_text(text.replace(PROGRAMS[folder], str(program)), encoding="utf-8")
    return units


def test_systemd_has_nothing_to_say_about_the_system_s_units(tmp_path: Path) -> None:
    units = installed(SYSTEM, tmp_path / "units", tmp_path / "bin/memtool")
    done = systemd_analyze(["verify", "--man=no", *units])
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


@pytest.mark.parametrize("has_sandbox", [False, True], ids=["plain", "with the sandbox"])
def test_systemd_has_nothing_to_say_about_a_user_s_units(
    tmp_path: Path, *, has_sandbox: bool
) -> None:
    target = tmp_path / "units"
    units = installed(USER, target, tmp_path / "bin/memtool")
    for unit in target.glob("*.service") if has_sandbox else ():
        (target / f"{unit.name}.d").mkdir()
        shutil.copy(SANDBOX, target / f"{unit.name}.d")
    # Sockets of other units are placed below this, and their paths may not be long.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as runtime:
        env = {"SYSTEMD_UNIT_PATH": f"{target}:", "XDG_RUNTIME_DIR": runtime}
        done = systemd_analyze(["--user", "verify", "--man=no", *units], env)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def exposure(unit: Path, *, most: float) -> str:
    """Return what is wrong with the unit's exposure; nothing where it is low enough."""
    threshold = f"--threshold={round(most * 10)}"
    done = systemd_analyze(["security", "--offline=true", "--no-pager", threshold, unit])
    return "" if done.returncode == 0 else done.stdout.strip().splitlines()[-1]


@pytest.mark.parametrize("job", JOBS, ids=lambda job: str(job.name))
def test_a_system_service_is_hardly_exposed_as_it_is_shipped(job: object) -> None:
    unit = next(SYSTEM / one.unit for one in JOBS if one is job)
    assert exposure(unit, most=0.5) == ""


def test_a_service_that_may_reach_the_network_is_little_more_exposed(tmp_path: Path) -> None:
    unit = tmp_path / "memtool-day-rollup.service"
    text = (SYSTEM / unit.name).read_text(encoding="utf-8")
    unit.write_text(f"{text}\n{network_drop_in('system')}", encoding="utf-8")
    assert exposure(unit, most=1.3) == ""
    assert exposure(unit, most=0.5) != ""


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
        if "/" in name and not name.startswith(("Etc/", "posix/", "right/", "SystemV/")):
            zone = ZoneInfo(name)
            seen.setdefault(tuple(day.astimezone(zone).utcoffset() for day in days), name)
    return [name for offsets, name in seen.items() if len(set(offsets)) > 1]


def calendar(job: str) -> Sequence[str]:
    return settings(UNITS / f"memtool-{job}.timer")["Timer", "OnCalendar"]


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
