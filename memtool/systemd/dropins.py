"""The drop-ins that the settings ask for, as text by path. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from memtool.settings import TimerSettings
from memtool.systemd.jobs import JOBS, STARTERS, Job, Time
from memtool.systemd.programs import HIDDEN, SYSTEM_PATH
from memtool.systemd.systemctl import Scope
from memtool.systemd.units import bound_path, escaped, plain_path

if (
    TYPE_CHECKING
):  # `memtool scheduler status` reads drop-ins, and must not import what a store needs
    from memtool.model.calendar import Calendar

DROP_IN = "50-memtool.conf"
NETWORK_DROP_IN = "60-memtool-network.conf"
COMMAND_DROP_IN = "60-memtool-command.conf"
ON_FAILURE = "on-memtool-failure@.service"
"""Not "memtool-…": else the shared drop-ins, with their sandbox, would apply to the user's command."""
_OLD_ON_FAILURE = "memtool-on-failure@.service"  # what earlier versions wrote
_HEAD = (
    '# Written by "memtool scheduler apply" from the configuration: change it there, not here.\n'
)
_CALENDAR = "# The store's calendar: {zone}, days start at minute {start}, weeks on day {week}.\n"
_MADE_FOR = "# Made for the settings "
_RESTART_MODE_SINCE = 254
_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - PrivateTmp= gives a job its own
_EMPTIED: Mapping[Scope, tuple[Path, ...]] = {
    "system": (*HIDDEN, *_TEMPORARY),
    "user": _TEMPORARY,
}
"""Where a job sees an empty directory in the place of the machine's."""
# By how a line begins: the setting that it comes from.
_SETTINGS = (
    ("OnCalendar=", "{section}.schedule"),
    ("RandomizedDelaySec=", "{section}.jitter_s"),
    ("TimeoutStartSec=", "{section}.timeout_s"),
    ("OnFailure=", "scheduler.on_failure"),
    ("RestartMode=", "scheduler.on_failure"),
    ("ConditionACPower=", "scheduler.rollups_on_battery"),
    ("ConditionPathExists=", "store.path"),
    ("ReadWritePaths=", "store.path"),
    ("PathChanged=", "store.path"),
    ("BindPaths=", "store.path"),
    ("PathChanged=", "store.path"),
)
_WHOLE_FILES = {
    NETWORK_DROP_IN: "summarizer.name",
    COMMAND_DROP_IN: "summarizer.command",
    ON_FAILURE: "scheduler.on_failure",
}


class Nights(NamedTuple):
    """What the timers need of a calendar: zone, minute at which days start, weekday on which weeks start."""

    zone: str
    day_start_minutes: int
    week_start: int


def schedule_of(job: Job, setting: str, calendar: Calendar | Nights | None) -> tuple[str, ...]:
    """Return the OnCalendar= expressions of a job: the setting's, else the table's, moved.

    They name the calendar's zone unless they name another, or there is no calendar yet. So the nights stay the
    store's when the machine moves to another zone.
    """
    if setting.strip(" ;"):
        given = [part.strip() for part in setting.split(";") if part.strip()]
        return tuple(_zoned(text, calendar) for text in given)
    if calendar is None:
        return job.schedule
    times = (moved(job, time, calendar) for time in job.times)
    return tuple(str(time) if time.every_min else f"{time} {calendar.zone}" for time in times)


def moved(job: Job, time: Time, calendar: Calendar | Nights) -> Time:
    """Return the default time, moved by when days start; the week's also to the day on which weeks start."""
    if "week" in job.levels:
        time = time._replace(weekday=calendar.week_start)
    return time.later(calendar.day_start_minutes)


def _zoned(text: str, calendar: Calendar | Nights | None) -> str:
    if calendar is None or names_zone(text):
        return text
    return f"{text} {calendar.zone}"


def names_zone(text: str) -> bool:
    """Return whether the last word is a time zone, unlike "daily", "Sun" and "2:00"."""
    from zoneinfo import ZoneInfo

    word = text.rsplit(maxsplit=1)[-1]
    if word == "UTC":
        return True
    try:
        ZoneInfo(word)
    except (KeyError, ValueError, OSError):
        return False
    return word[0].isalpha()


class Command(NamedTuple):
    """What the summarizer's program needs: folders on PATH, its files, and the directories it writes to."""

    folders: tuple[Path, ...] = ()
    parts: tuple[Path, ...] = ()
    writes: tuple[Path, ...] = ()
    at_once: int = 1
    made_for: str = ""
    """The digest of the settings that it is made for."""


class Wanted(NamedTuple):
    """What the drop-ins depend on, beside the settings of the jobs."""

    scope: Scope
    calendar: Calendar | Nights | None = None
    """The store's; None if there is no store yet and no zone is set. Then the units use the machine's zone."""
    needs_network: bool = False
    """Whether the configured summarizer does."""
    command: Command | None = None
    """The configured summarizer's program, where it is one."""
    on_failure: str = ""
    skips_on_battery: bool = False
    """Whether rollups do not start on battery power."""
    user: str = ""
    """Whom the system's services run as."""
    store: Path | None = None
    """The store, where it is not the one that the units look for."""
    version: int = 0


def files_of(settings: Mapping[str, TimerSettings], wanted: Wanted) -> dict[str, str]:
    """Return every file that should exist, by its path below the directory of units."""
    files: dict[str, str] = {}
    for job in JOBS:
        own = settings[job.section]
        files[f"{job.timer}.d/{DROP_IN}"] = _timer(job, own, wanted)
        files[f"{job.unit}.d/{DROP_IN}"] = _service(job, own, wanted)
        if job.path and wanted.store is not None:
            files[f"{job.path}.d/{DROP_IN}"] = _path(job, wanted.store)
        if job.network == "summarizer" and wanted.needs_network:
            files[f"{job.unit}.d/{NETWORK_DROP_IN}"] = network_drop_in(wanted.scope)
        if job.network == "summarizer" and wanted.command is not None:
            text = command_drop_in(wanted.scope, wanted.command)
            files[f"{job.unit}.d/{COMMAND_DROP_IN}"] = text
    if wanted.on_failure:
        files[ON_FAILURE] = _on_failure(wanted)
    return {path: text for path, text in files.items() if text}


def possible_paths() -> tuple[str, ...]:
    """Return the paths of all files that `files_of` may give, or gave in earlier versions."""
    return (
        *(f"{unit}.d/{DROP_IN}" for unit in STARTERS),
        *(
            f"{job.unit}.d/{name}"
            for job in JOBS
            for name in (DROP_IN, NETWORK_DROP_IN, COMMAND_DROP_IN)
        ),
        ON_FAILURE,
        _OLD_ON_FAILURE,
    )


def network_drop_in(scope: Scope) -> str:
    """Return the drop-in that allows the network."""
    unit = ["Wants=network-online.target", "After=network-online.target"]
    service = ["PrivateNetwork=no", "RestrictAddressFamilies=AF_INET AF_INET6"]
    if scope == "system":
        service.append("IPAddressDeny=")  # an empty one forgets the shipped `any`
    # A user's manager has no network-online.target, and cannot filter addresses.
    return _text({"Unit": unit if scope == "system" else [], "Service": service})


def command_drop_in(scope: Scope, command: Command) -> str:
    """Return the drop-in that allows what the summarizer's program needs."""
    service = [
        # Programs that compile as they run, such as node, write code into memory.
        "MemoryDenyWriteExecute=no",
        # One Claude Code was seen to use 300 MB and 7 threads. This is added to the limits of the job.
        f"MemoryMax={1 + command.at_once}G",
        f"TasksMax={128 + 64 * command.at_once}",
    ]
    if command.folders:
        path = ":".join(map(str, (*command.folders, *SYSTEM_PATH)))
        service.append(f'Environment="PATH={escaped(path)}"')
    # A user's manager hides no home: it only keeps it from being written.
    hidden = HIDDEN if scope == "system" else ()
    seen = [part for part in command.parts if _is_below(part, hidden)]
    service += [
        f"BindReadOnlyPaths={bound_path(part)}"
        for part in seen
        if not _is_below(part, command.writes)
    ]
    service += [
        f"BindPaths={bound_path(path)}"
        if _is_below(path, hidden)
        else f'ReadWritePaths="-{plain_path(path)}"'
        for path in command.writes
    ]
    head = f"{_MADE_FOR}{command.made_for}\n" if command.made_for else ""
    return _text({"Service": service}, head)


def command_digest(command: str, writes: str, at_once: int) -> str:
    """Return what tells whether these settings have changed; the program itself may be secret."""
    from hashlib import sha256

    return sha256("\0".join((command, writes, str(at_once))).encode()).hexdigest()[:16]


def _is_below(path: Path, folders: Sequence[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


def _timer(job: Job, own: TimerSettings, wanted: Wanted) -> str:
    rows: list[str] = []
    schedule = schedule_of(job, own.schedule, wanted.calendar)
    if schedule != job.schedule:
        # Without the empty line first, the times would be added to the shipped ones.
        rows += ["OnCalendar=", *(f"OnCalendar={text}" for text in schedule)]
    if own.jitter_s != job.settings.jitter_s:
        rows.append(f"RandomizedDelaySec={own.jitter_s}")
    return _text({"Timer": rows}, _calendar_line(wanted.calendar))


def _calendar_line(calendar: Calendar | Nights | None) -> str:
    if calendar is None:
        return ""
    start, week = calendar.day_start_minutes, calendar.week_start
    return _CALENDAR.format(zone=calendar.zone, start=start, week=week)


def calendar_in(texts: Iterable[str]) -> Nights | None:
    """Return the calendar for which drop-ins were written; None if none says so."""
    line = _CALENDAR.format(zone=r"(\S+)", start=r"(\d+)", week=r"(\d)")
    found = next(filter(None, (re.search(line, text) for text in texts)), None)
    return Nights(found[1], int(found[2]), int(found[3])) if found else None


def unapplied(
    written: Mapping[str, str], wanted: Mapping[str, str], made_for: str | None
) -> Iterator[str]:
    """Yield the settings whose drop-ins are not as they should be, and drop-ins that were changed by hand.

    Texts are by their paths. Of the drop-in for a program only is compared what it was made for (None: it should not
    be there): the rest depends on where the program was found.
    """
    for path in possible_paths():
        old, new = written.get(path), wanted.get(path)
        name = path.rpartition("/")[2]
        if name == COMMAND_DROP_IN and made_for is not None and path.startswith(_ROLLUPS):
            if f"{_MADE_FOR}{made_for}\n" not in (old or ""):
                yield _WHOLE_FILES[name]
        elif old != new and name in _WHOLE_FILES:
            yield _WHOLE_FILES[name]
        elif old != new:
            yield from _settings_of(path, old or "", new or "")


_ROLLUPS = tuple(f"{job.unit}.d/" for job in JOBS if job.network == "summarizer")


def _settings_of(path: str, old: str, new: str) -> Iterator[str]:
    section = path.removeprefix("memtool-").partition(".")[0].replace("-", "_")
    lines = set(old.splitlines()) ^ set(new.splitlines())
    found = [
        setting.format(section=section)
        for start, setting in _SETTINGS
        if any(line.startswith(start) for line in lines)
    ]
    yield from found or [path]


def _path(job: Job, store: Path) -> str:
    # Without the empty line first, the shipped place would be watched, too.
    return _text({"Path": ["PathChanged=", f"PathChanged={plain_path(store / job.watches)}"]})


def _service(job: Job, own: TimerSettings, wanted: Wanted) -> str:
    unit: list[str] = []
    service: list[str] = []
    if wanted.on_failure:
        unit.append(f"OnFailure={ON_FAILURE.replace('@', f'@{job.name}')}")
        if wanted.version >= _RESTART_MODE_SINCE:
            service.append("RestartMode=direct")  # else OnFailure= would run after each try
    if wanted.skips_on_battery and job.levels:
        unit.append("ConditionACPower=true")
    if wanted.store is not None:
        flags = wanted.store / "pause"
        unit += [f"ConditionPathExists=!{plain_path(flags / name)}" for name in ("all", job.name)]
        if _is_below(wanted.store, _EMPTIED[wanted.scope]):
            # Not "-": without the store, the job would write into an empty directory that ends with it.
            service.append(f"BindPaths={bound_path(wanted.store, may_be_missing=False)}")
        else:
            service.append(f'ReadWritePaths="-{plain_path(wanted.store)}"')
        if wanted.scope == "user":
            service.append("ExecStartPre=")  # which would make the directory of the shipped place
    if own.timeout_s != job.settings.timeout_s:
        service.append(f"TimeoutStartSec={own.timeout_s}")
    return _text({"Unit": unit, "Service": service})


def _on_failure(wanted: Wanted) -> str:
    """Return the unit that runs the person's command; the job is %i, and MONITOR_* say how it failed (systemd 251)."""
    service = [
        "Type=oneshot",
        *([f"User={wanted.user}"] if wanted.scope == "system" and wanted.user else []),
        "Environment=MEMTOOL_JOB=%i",
        f"ExecStart=/bin/sh -c {_quoted(wanted.on_failure)}",
        "TimeoutStartSec=5min",
    ]
    return _text({"Unit": ["Description=memtool: report that %i failed"], "Service": service})


def _text(sections: Mapping[str, list[str]], comment: str = "") -> str:
    """Return the file's text; empty if no section has a line."""
    parts = ["\n".join((f"[{name}]", *rows, "")) for name, rows in sections.items() if rows]
    return _HEAD + comment + "\n".join(parts) if parts else ""


def _quoted(command: str) -> str:
    """Return the command as one word of ExecStart=, with percent and dollar signs escaped."""
    return f'"{escaped(command).replace("$", "$$")}"'
