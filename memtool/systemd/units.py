"""What `systemctl show` says of a job's timer and service, as a value. Pure: text in, values out.

The text is that of systemd 247 to 262 with TZ=UTC: blocks of Name=value lines, in any order, missing where a version
does not know a property or a unit is not loaded.
"""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Mapping
from dataclasses import dataclass

from memtool.systemd.jobs import JOBS

PROPERTIES = (
    "Id",
    "LoadState",
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
    "ExecMainStartTimestamp",
    "ExecMainCode",
    "ExecMainStatus",
    "User",
)

_KILLED = ("2", "3")  # CLD_KILLED, CLD_DUMPED: then the status is a signal
_ENABLED = ("enabled", "enabled-runtime", "linked", "linked-runtime", "alias", "generated")
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

Properties = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ServiceState:
    """A job's service: `inactive`, `running`, `queued` (behind others), `retrying`, `failed`, `masked`, `missing`."""

    state: str = "missing"
    result: str = ""
    started_us: int | None = None
    exit_code: int | None = None
    """Of its last process: negative for the signal that killed it; None where none is known."""
    user: str = ""


@dataclass(frozen=True, slots=True)
class TimerState:
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


def timers_of(units: Mapping[str, Properties]) -> dict[str, TimerState]:
    """Return the state of each job's timer by the job's name."""
    empty: Properties = {}
    return {
        job.name: _timer(units.get(job.timer, empty), units.get(job.unit, empty)) for job in JOBS
    }


def _timer(timer: Properties, service: Properties) -> TimerState:
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
        service=_service(service),
    )


def _timer_state(timer: Properties) -> str:
    load, active = timer.get("LoadState", "not-found"), timer.get("ActiveState", "")
    for state, holds in (
        ("masked", load == "masked"),
        ("missing", load == "not-found"),
        ("running", active == "active" and timer.get("SubState") == "running"),
        ("dead", active == "active" and timer.get("SubState") == "elapsed"),
        ("armed", active == "active"),
        ("failed", active == "failed"),
        ("broken", load != "loaded"),
        ("stopped", timer.get("UnitFileState", "") in _ENABLED),
    ):
        if holds:
            return state
    return "disabled"


def _service(service: Properties) -> ServiceState:
    code = service.get("ExecMainStatus", "")
    started_us = time_us(service.get("ExecMainStartTimestamp", ""))
    has_ended = service.get("ExecMainCode", "0") != "0" and code.isdigit()
    sign = -1 if service.get("ExecMainCode") in _KILLED else 1
    return ServiceState(
        state=_service_state(service),
        result=service.get("Result", ""),
        started_us=started_us,
        exit_code=sign * int(code) if has_ended else None,
        user=service.get("User", ""),
    )


def _service_state(service: Properties) -> str:
    load, active = service.get("LoadState", "not-found"), service.get("ActiveState", "")
    if load in ("masked", "not-found"):
        return "missing" if load == "not-found" else load
    if active == "activating":
        return "retrying" if service.get("SubState", "").startswith("auto-restart") else "running"
    if active == "inactive" and service.get("Job", "") not in ("", "0"):
        return "queued"
    return {"failed": "failed", "deactivating": "running"}.get(active, "inactive")


def time_us(text: str) -> int | None:
    """Return the instant that systemd wrote, in UTC or since 1970; None where it wrote that there is none."""
    if found := _TIME.fullmatch(text):
        seconds = timegm((*map(int, found.groups()[:6]), 0, 0, 0))
        return seconds * 1_000_000 + _micro(found[7])
    if found := _SINCE_1970.fullmatch(text):
        return int(found[1]) * 1_000_000 + _micro(found[2])
    return None


def _micro(fraction: str | None) -> int:
    return int((fraction or "").ljust(6, "0"))


def span_s(text: str) -> float:
    """Return the length of a time such as `1min 30s`; 0 where it is none."""
    return sum(float(number) * _SPAN_S[unit] for number, unit in _SPAN.findall(text))
