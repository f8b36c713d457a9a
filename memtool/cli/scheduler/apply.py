"""memtool scheduler apply: unit files and drop-ins, a reload, a restart of the timers that changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import date, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from memtool.cli.options import Invocation
from memtool.cli.output import note, print_line
from memtool.cli.scheduler.place import Place, other_store, timers_of, version_of
from memtool.errors import ConfigError, MemtoolError
from memtool.model.calendar import Calendar
from memtool.paths import expand, home_directory
from memtool.person import as_owner, person_named
from memtool.settings import Config, TimerSettings
from memtool.systemd.changes import Change, changes, diff, tell_systemd, write
from memtool.systemd.crontab import crontab_lines
from memtool.systemd.dropins import (
    Command,
    Nights,
    Wanted,
    command_digest,
    files_of,
    names_zone,
    possible_paths,
    schedule_of,
)
from memtool.systemd.jobs import JOBS
from memtool.systemd.programs import HIDDEN, find_program
from memtool.systemd.setup import make_store
from memtool.systemd.systemctl import (
    INSTALL,
    Manager,
    Scope,
    Timers,
    admin_directory,
    failure,
    machine_zone,
    next_times,
    runs_with,
    schedule_problem,
)
from memtool.systemd.units import lacks_user, possible_unit_paths, sandbox_properties, unit_files


def needs_network(place: Place) -> bool:
    """Return whether the configured summarizer does."""
    from memtool.summarize import row

    return row(place.call.config.summarizer.name).needs_network


def command_of(place: Place) -> Command | None:
    """Return what the summarizer's program needs, else None. Raise ConfigError if a part is missing."""
    from memtool.summarize import Options
    from memtool.summarize.models.command import NAME, argv_of

    settings, environ = place.call.config.summarizer, place.call.environ
    if settings.name != NAME:
        return None
    home = home_directory(environ)
    words = argv_of(Options(command=settings.command, environ=environ))
    search = [Path(name) for name in environ.get("PATH", "").split(":") if name.startswith("/")]
    program = find_program(words, [path for path in search if _is_seen(place, path, home)], home)
    writes = [expand(Path(name), environ) for name in settings.command_writes.split(":") if name]
    for path in writes:
        if not path.is_dir():
            raise ConfigError(
                f"summarizer.command_writes: {path} is not a directory",
                hint="name existing directories; the jobs may write only there",
            )
    for path in (*program.parts, *writes):
        if not _is_seen(place, path, home):
            raise ConfigError(
                f"summarizer.command needs {path}, which is in another user's home",
                hint=f"of home directories, the system's jobs see only what they need in {home}",
            )
    made_for = command_digest(settings.command, settings.command_writes, settings.concurrency)
    return Command(program.folders, program.parts, tuple(writes), settings.concurrency, made_for)


def _is_seen(place: Place, path: Path, home: Path) -> bool:
    """Return whether a job may see the path: of home directories, only that of its user."""
    is_hidden = any(path.is_relative_to(hidden) for hidden in HIDDEN)
    return place.scope != "system" or not is_hidden or path.is_relative_to(home)


if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

# `memtool scheduler` opens no store. The one thing that it asks of one, its calendar, it asks by name, so that neither
# a start of `status` nor the layers below know of it.
_COMING_TIMES = 400  # more than a year of what is daily
_NEAR = timedelta(hours=12)
_READER = "memtool.query.reader:reader_for"


def apply_settings(place: Place, *, is_dry: bool) -> None:
    """Update the unit files and drop-ins, and reload systemd. Raise MemtoolError for a bad schedule."""
    timers = timers_of(place)
    if timers.problem:
        raise MemtoolError(f"nothing is applied: {timers.problem}", hint=timers.hint)
    person = min({timer.service.user for timer in timers.states.values()} - {""}, default="")
    units = _units(place, timers)
    manager = place.manager
    made = changes(
        units | drop_ins(place, person),
        [*_ours(place), *possible_drop_ins(manager.scope, place.call.environ)],
    )
    if is_dry:
        _show(made)
        return
    if made and place.scope == "system" and os.geteuid() != 0:
        text = "nothing is applied: the system's timers are root's to change"
        raise MemtoolError(text, hint="sudo memtool scheduler apply")
    if (store := other_store(place)) is not None and not store.exists():
        is_systems = place.scope == "system"
        owner = person_named(person) if is_systems and person else None
        make_store(store, owner, is_of_system=is_of_system(place))
        print_line(f"made {store}")
    for change in made:
        write(change)
        print_line(f"{'removed' if change.new is None else 'wrote'} {change.path}")
    again = tell_systemd(manager, made, timers.states)
    _enable_new_paths(manager, made, timers)
    if again:
        print_line(f"restarted {', '.join(again)}")
    elif not made:
        print_line("Nothing to change.")


def _enable_new_paths(manager: Manager, made: Iterable[Change], timers: Timers) -> None:
    """Enable the path units that an earlier memtool did not have, of jobs whose timers fire."""
    new = {change.path.name for change in made if change.old is None}
    for job in JOBS:
        timer = timers.states.get(job.name)
        if job.path in new and timer is not None and timer.is_live:
            done = manager.call("enable", "--now", job.path)
            if not done.is_ok:
                raise failure(done, manager, f"{job.path} is written, but not enabled")
            print_line(f"enabled {job.path}")


def drop_ins(place: Place, person: str) -> dict[Path, str]:
    """Return the drop-ins that the settings ask for. Raise ConfigError for a bad schedule."""
    manager = place.manager
    settings = place.call.config.timers
    wanted = _wanted(place, person)
    _check(settings, wanted.calendar, manager, place.call.now_us)
    admin = admin_directory(manager.scope, place.call.environ)
    return {admin / name: text for name, text in files_of(settings, wanted).items()}


def possible_drop_ins(scope: Scope, environ: Mapping[str, str]) -> list[Path]:
    """Return the paths of all drop-ins that `drop_ins` may give, or gave in earlier versions."""
    admin = admin_directory(scope, environ)
    return [admin / name for name in possible_paths()]


def _units(place: Place, timers: Timers) -> dict[Path, str]:
    """Return the unit files as they should be; none if a distribution's package has installed them."""
    installation = place.installation
    if installation is None:
        if timers.differing:
            raise MemtoolError(f"{place.units} has timers and no service", hint=INSTALL)
        return {}
    if lacks_user(installation):
        text = f"nothing is applied: the user of the jobs, {installation.run_as}, does not exist"
        raise MemtoolError(text, hint=f"see: getent passwd {installation.run_as}")
    if installation.scope == "user":
        properties = sandbox_properties(home_directory(place.call.environ))
        works = runs_with(place.manager, properties, installation.program)
        if works is not None:
            installation = installation._replace(has_sandbox=works)
    files = unit_files(installation)
    return {place.units / name: text for name, text in files.items()}


def _ours(place: Place) -> list[Path]:
    if place.installation is None:
        return []
    return [place.units / name for name in possible_unit_paths()]


def _wanted(place: Place, person: str) -> Wanted:
    config = place.call.config
    assert place.scope is not None
    return Wanted(
        scope=place.scope,
        calendar=_calendar(place),
        needs_network=needs_network(place),
        command=command_of(place),
        on_failure=config.scheduler.on_failure,
        skips_on_battery=config.scheduler.rollups_on_battery == "skip",
        user=person,
        store=other_store(place),
        version=version_of(place.manager) if config.scheduler.on_failure else 0,
    )


class _Pinned(Protocol):
    @property
    def calendar(self) -> Calendar: ...


class _Reader(_Pinned, Protocol):
    def store(self) -> AbstractContextManager[_Pinned | None]: ...


def _calendar(place: Place) -> Calendar | None:
    """Return the store's calendar; without a store, that of the settings if they name a zone."""
    module, _, name = _READER.partition(":")
    reader_for = cast(
        "Callable[[Config, Path, int], _Reader]", getattr(import_module(module), name)
    )
    reader = reader_for(place.call.config, place.root, place.call.now_us)
    with as_owner(place.root), reader.store() as store:
        if store is not None:
            return store.calendar
    return reader.calendar if place.call.config.calendar.timezone != "auto" else None


def crontab_of(place: Place, program: Path) -> list[str]:
    """Return the lines of a crontab that do what the timers would, with the options that this call needs."""
    call = place.call
    command = [str(program)]
    named = call.config_option or call.environ.get("MEMTOOL_CONFIG")
    if named:
        command += ["--config", str(expand(Path(named), call.environ))]
    if place.root != _store_of_cron(call):
        command += ["--store", str(place.root)]
    calendar = _calendar(place)
    return list(crontab_lines(command, call.config.timers, calendar, machine_zone()))


def _store_of_cron(call: Invocation) -> Path:
    """Return the store that memtool finds without the variables of this shell and without --store."""
    environ = {"HOME": str(home_directory(call.environ))}
    if named := call.environ.get("MEMTOOL_CONFIG"):
        environ["MEMTOOL_CONFIG"] = named
    return Invocation(environ, call.now_us, None, call.config_option).store.root


def is_of_system(place: Place) -> bool:
    """Return whether the system's settings name the store, which only root can change."""
    return place.call.config.origin("store.path").name == str(place.call.config_files[0].path)


def _check(
    settings: Mapping[str, TimerSettings],
    calendar: Calendar | Nights | None,
    manager: Manager,
    now_us: int,
) -> None:
    """Let systemd check every schedule. Raise ConfigError with its message and the setting."""
    for job in JOBS:
        setting = settings[job.section].schedule
        schedule = schedule_of(job, setting, calendar)
        for expression in schedule:
            refused = schedule_problem(expression, manager.environ)
            if refused is None:
                raise MemtoolError("schedules cannot be checked: systemd-analyze is not installed")
            if refused:
                raise ConfigError(
                    f"{job.section}.schedule: {refused}",
                    hint='"man systemd.time" has the forms; try one with: systemd-analyze calendar "Sun 02:00"',
                )
        day = skipped_day(schedule, manager.environ, now_us) if setting.strip(" ;") else None
        if day is not None:
            note(f"warning: {job.name} is skipped on {day}: the clock jumps over its time that day")
            note(f'hint: add a second time: memtool config set {job.section}.schedule "…; …"')


def skipped_day(schedule: Iterable[str], environ: Mapping[str, str], now_us: int) -> date | None:
    """Return a day on which the clock jumps over a time of the schedule, and no other of its times is near.

    systemd tells the next times. Those in the zone are compared with those of the same expression in UTC.
    """
    from zoneinfo import ZoneInfo

    found: set[datetime] = set()
    missing: set[datetime] = set()
    for text in schedule:
        words, _, zone = text.rpartition(" ") if names_zone(text) else (text, "", machine_zone())
        zones = [ZoneInfo(zone or "UTC"), ZoneInfo("UTC")]
        there, anywhere = (
            [
                _wall_time(us, zone)
                for us in next_times(f"{words} {zone.key}", environ, count=_COMING_TIMES) or ()
            ]
            for zone in zones
        )
        found.update(there)
        now = _wall_time(now_us, zones[0])
        missing.update(time for time in anywhere if there and now < time < there[-1])
    lonely = [
        time for time in missing - found if not any(abs(time - other) < _NEAR for other in found)
    ]
    return min(lonely).date() if lonely else None


def _wall_time(time_us: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(time_us // 1_000_000, zone).replace(tzinfo=None)


def _show(made: Iterable[Change]) -> None:
    lines = [line for change in made for line in diff(change)]
    for line in lines or ["Nothing to change."]:
        print_line(line)
