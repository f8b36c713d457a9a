"""Checks of the calendar: whether config, store, timers and zone data mean the same days."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from memtool.errors import ConfigError, MemtoolError
from memtool.model.calendar import transitions, year_of
from memtool.query.doctor.scene import (
    Advice,
    Scene,
    in_words,
    ok,
    problem,
    warning,
)
from memtool.rollup.configured import (
    calendar_for_new_store,
    zone_is_set,
)
from memtool.systemd.dropins import names_zone
from memtool.systemd.problems import JobStatus
from memtool.systemd.systemctl import machine_zone

_OLD_YEARS = 3
_VERSION = re.compile(r"# version ((\d{4})[a-z]\w*)")


def check_calendar(scene: Scene) -> Advice:
    """Check that config, store and timers mean the same days."""
    if not scene.has_store:
        return _of_new_store(scene)
    facts = scene.facts
    if facts.conflict is not None:
        return problem(facts.conflict.message, facts.conflict.hint)
    zone, here = facts.calendar.zone, machine_zone(scene.machine)
    if strangers := _timers_elsewhere(scene, zone, here):
        text = f"{', '.join(strangers)} by {here or 'a zone without a name'}, the store's days are {zone}'s"
        return warning(f"timers fire {text}", "memtool scheduler apply")
    if here and not _is_same_clock(here, zone, scene.now_us):
        return ok(f"days are {zone}'s, as the store has it; this machine's zone is {here}")
    return ok(f"days are {zone}'s, for the store and this machine")


def _of_new_store(scene: Scene) -> Advice:
    """Say what a store would be made with: it is never changed in place."""
    try:
        calendar = calendar_for_new_store(scene.config, scene.environ, scene.now_us)
    except ConfigError as error:
        return problem(error.message, error.hint)
    text = f"a new store would have {calendar.zone}'s days"
    if zone_is_set(scene.config):
        return ok(text)
    return Advice("ok", text, "if you live elsewhere: memtool config set calendar.timezone ZONE")


def _timers_elsewhere(scene: Scene, zone: str, here: str) -> list[str]:
    """Return the jobs whose timers use the machine's zone, if that is not the store's."""
    if _is_same_clock(here, zone, scene.now_us):
        return []
    with suppress(MemtoolError):  # without the timers the rest can still be checked
        return [row.job.name for row in scene.status.jobs if _is_by_machine(row)]
    return []


def _is_by_machine(row: JobStatus) -> bool:
    if not row.job.levels or row.timer is None or not row.timer.is_live:
        return False
    return not all(map(names_zone, row.timer.schedule))


def _is_same_clock(one: str, other: str, now_us: int) -> bool:
    """Return whether the clocks of two zones show the same this year, under any names."""
    year = year_of(now_us)
    try:
        return one == other or transitions(one, year, year) == transitions(other, year, year)
    except (LookupError, ValueError, OSError):  # no name, or no data of it
        return False


def check_zone_data(scene: Scene) -> Advice:
    """Check that the zone data is not old, and says of the store's days what it said when they were cut."""
    version, year = zone_data(scene.machine)
    if scene.has_store and (moved := scene.facts.moved_days):
        text = f"zone data {version} moves the bounds of {in_words(moved, 'day')} of the store"
        return warning(text, "memtool rollup all updates them")
    if year and year + _OLD_YEARS <= year_of(scene.now_us):
        return warning(
            f"zone data {version} is old: new rules for clocks are not known",
            "upgrade the package tzdata",
        )
    return ok(f"zone data {version}, and it moves no day")


def zone_data(machine: Path) -> tuple[str, int]:
    """Return the version of the zone data that is used, and its year: the system's, else the package's."""
    try:
        with (machine / "usr/share/zoneinfo/tzdata.zi").open(encoding="utf-8") as file:
            found = _VERSION.match(file.readline(100))
    except (OSError, UnicodeDecodeError):
        found = _VERSION.match(f"# version {_of_package()}")
    return (found[1], int(found[2])) if found else ("of an unknown version", 0)


def _of_package() -> str:
    try:
        import tzdata  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        return ""
    return str(getattr(tzdata, "IANA_VERSION", ""))
