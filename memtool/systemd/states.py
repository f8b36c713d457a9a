"""The state of a timer and of its service, from what `systemctl show` prints. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

from memtool.systemd.jobs import JOBS

PROPERTIES = (
    "Id",
    "LoadState",
    "LoadError",
    "FragmentPath",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "DropInPaths",
    "NeedDaemonReload",
    "Result",
    "TimersCalendar",
    "NextElapseUSecRealtime",
    "LastTriggerUSec",
    "ActiveEnterTimestamp",
    "Job",
    "RandomizedDelayUSec",
    "ExecStart",
    "ExecMainStartTimestamp",
    "StateChangeTimestamp",
    "RestartUSec",
    "ExecMainCode",
    "ExecMainStatus",
    "User",
)

_KILLED = ("2", "3")  # CLD_KILLED, CLD_DUMPED: then the status is a signal
_ENABLED = ("enabled", "enabled-runtime", "linked", "linked-runtime", "alias", "generated")
_EXEC = re.compile(r"\{ path=(.*?) ; argv\[\]=")
_CALENDAR = re.compile(r"\{ OnCalendar=(.*?) ; next_elapse=.* \}")
_TIME = re.compile(
    r"(?:[A-Z][a-z]{2} )?(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))? UTC"
)
_SINCE_1970 = re.compile(r"@(\d{1,12})(?:\.(\d{1,6}))?")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|min|h|d|w|month|y)\b")
_SPAN_S = {
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1,
    "min": 60,
    "h": 3600,
    "d": 86_400,
    "w": 604_800,
    "month": 2_629_800,
    "y": 31_557_600,
}

SLICE = "memtool.slice"
OTHERS = (SLICE, *(job.path for job in JOBS if job.path))
"""The units beside timers and services."""
UNUSABLE = ("masked", "missing", "broken")
"""The states of a timer or service that systemd cannot use."""

Properties = Mapping[str, str]


class ServiceState(NamedTuple):
    """A job's service.

    `inactive`, `running`, `queued` (behind others), `retrying` (waits for its next try), `failed`; `masked`,
    `missing`, `broken` (systemd cannot use its file).
    """

    state: str = "missing"
    result: str = ""
    started_us: int | None = None
    exit_code: int | None = None
    """Of its last process: negative for the signal that killed it; None if none is known."""
    user: str = ""
    failed_us: int | None = None
    """When it failed, if that is its state, or it will be tried again."""
    retry_us: int | None = None
    """When systemd tries it again, if it waits for that."""
    programs: tuple[str, ...] = ()
    """What it starts."""
    drop_ins: tuple[str, ...] = ()
    needs_reload: bool = False
    load_error: str = ""
    """Why its file cannot be used, as systemd says it."""
    fragment: str = ""
    """The path of its file."""


class TimerState(NamedTuple):
    """A job's timer.

    `armed`; `running` (its service does, and the next time is set when that ends); `dead` (active, and never again);
    `stopped` (enabled, but not started); `disabled`; `masked`; `missing`; `broken` (a bad setting); `failed`.
    """

    state: str
    next_us: int | None = None
    enabled: str = ""
    last_trigger_us: int | None = None
    active_since_us: int | None = None
    schedule: tuple[str, ...] = ()
    randomized_delay_s: float = 0
    drop_ins: tuple[str, ...] = ()
    needs_reload: bool = False
    load_error: str = ""
    fragment: str = ""
    service: ServiceState = ServiceState()

    @property
    def is_live(self) -> bool:
        """Whether it fires."""
        return self.state in ("armed", "running")


def parse_show(text: str) -> dict[str, Properties]:
    """Return the properties of each unit by its name. A property that comes several times is joined by line ends."""
    units: dict[str, Properties] = {}
    for block in text.split("\n\n"):
        rows: dict[str, str] = {}
        for line in block.splitlines():
            name, is_row, value = line.partition("=")
            if is_row:
                rows[name] = f"{rows[name]}\n{value}" if name in rows else value
        if rows.get("Id"):
            units[rows["Id"]] = rows
    return units


class UnitState(NamedTuple):
    """A unit that is neither a timer nor a service: its state is as a timer's, or empty if nothing is to be said."""

    state: str
    needs_reload: bool = False
    load_error: str = ""
    fragment: str = ""


def others_of(units: Mapping[str, Properties]) -> dict[str, UnitState]:
    """Return the state of the units beside timers and services by their names."""
    empty: Properties = {}
    return {name: _unit_from(units.get(name, empty)) for name in OTHERS}


def _unit_from(unit: Properties) -> UnitState:
    state = _timer_state(unit)
    is_slice = unit.get("Id", "").endswith(".slice")  # systemd starts it with the first service
    return UnitState(
        state="" if is_slice and state not in UNUSABLE else state,
        needs_reload=unit.get("NeedDaemonReload") == "yes",
        load_error=_load_error(unit),
        fragment=unit.get("FragmentPath", ""),
    )


def timers_of(units: Mapping[str, Properties]) -> dict[str, TimerState]:
    """Return the state of each job's timer by the job's name."""
    empty: Properties = {}
    return {
        job.name: _timer_from(units.get(job.timer, empty), units.get(job.unit, empty))
        for job in JOBS
    }


def _timer_from(timer: Properties, service: Properties) -> TimerState:
    next_us = time_us(timer.get("NextElapseUSecRealtime", ""))
    state = _timer_state(timer)
    return TimerState(
        state=state,
        next_us=next_us if state == "armed" else None,
        enabled=timer.get("UnitFileState", ""),
        last_trigger_us=time_us(timer.get("LastTriggerUSec", "")),
        active_since_us=time_us(timer.get("ActiveEnterTimestamp", "")),
        schedule=tuple(_CALENDAR.findall(timer.get("TimersCalendar", ""))),
        randomized_delay_s=span_s(timer.get("RandomizedDelayUSec", "")),
        drop_ins=tuple(timer.get("DropInPaths", "").split()),
        needs_reload=timer.get("NeedDaemonReload") == "yes",
        load_error=_load_error(timer),
        fragment=timer.get("FragmentPath", ""),
        service=_service_from(service),
    )


def _timer_state(timer: Properties) -> str:
    load, active = timer.get("LoadState", "not-found"), timer.get("ActiveState", "")
    for state, holds in (
        ("masked", load == "masked"),
        ("missing", load == "not-found"),
        ("broken", load != "loaded"),
        ("running", active == "active" and timer.get("SubState") == "running"),
        ("dead", active == "active" and timer.get("SubState") == "elapsed"),
        ("armed", active == "active"),
        ("failed", active == "failed"),
        ("stopped", timer.get("UnitFileState", "") in _ENABLED),
    ):
        if holds:
            return state
    return "disabled"


def _service_from(service: Properties) -> ServiceState:
    code = service.get("ExecMainStatus", "")
    started_us = time_us(service.get("ExecMainStartTimestamp", ""))
    changed_us = time_us(service.get("StateChangeTimestamp", ""))
    has_ended = service.get("ExecMainCode", "0") != "0" and code.isdigit()
    sign = -1 if service.get("ExecMainCode") in _KILLED else 1
    state = _service_state(service)
    wait_us = round(span_s(service.get("RestartUSec", "")) * 1_000_000)
    return ServiceState(
        state=state,
        result=service.get("Result", ""),
        started_us=started_us,
        exit_code=sign * int(code) if has_ended else None,
        user=service.get("User", ""),
        retry_us=changed_us + wait_us if state == "retrying" and changed_us else None,
        failed_us=changed_us if state in ("failed", "retrying") else None,
        programs=tuple(_EXEC.findall(service.get("ExecStart", ""))),
        drop_ins=tuple(service.get("DropInPaths", "").split()),
        needs_reload=service.get("NeedDaemonReload") == "yes",
        load_error=_load_error(service),
        fragment=service.get("FragmentPath", ""),
    )


def _service_state(service: Properties) -> str:
    load, active = service.get("LoadState", "not-found"), service.get("ActiveState", "")
    if load != "loaded":
        return {"not-found": "missing", "masked": "masked"}.get(load, "broken")
    if active == "activating":
        return "retrying" if service.get("SubState", "").startswith("auto-restart") else "running"
    if active == "inactive" and service.get("Job", "") not in ("", "0"):
        return "queued"
    return {"failed": "failed", "deactivating": "running"}.get(active, "inactive")


def _load_error(unit: Properties) -> str:
    """Return the text of such as `org.freedesktop.systemd1.NoSuchUnit "Unit x.service not found."`."""
    found = re.fullmatch(r'\S+ "(.*)"', unit.get("LoadError", ""))
    return found[1] if found else ""


def time_us(text: str) -> int | None:
    """Return the instant that systemd wrote, in UTC or since 1970; None if it wrote that there is none."""
    if found := _TIME.fullmatch(text):
        year, month, day, hour, minute, second = map(int, found.groups()[:6])
        with suppress(ValueError):  # no such day or time
            instant = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
            return int(instant.timestamp()) * 1_000_000 + _micro(found[7])
    if found := _SINCE_1970.fullmatch(text):
        return int(found[1]) * 1_000_000 + _micro(found[2])
    return None


def _micro(fraction: str | None) -> int:
    return int((fraction or "").ljust(6, "0"))


def span_s(text: str) -> float:
    """Return the length of a time such as `1min 30s`; 0 if it is none."""
    return sum(float(number) * _SPAN_S[unit] for number, unit in _SPAN.findall(text))
