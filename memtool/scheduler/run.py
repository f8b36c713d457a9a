"""One run of a job as the ledger keeps it: a value, and its two JSON lines. Does no I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

Trigger = Literal["timer", "systemd", "manual"]
Result = Literal["done", "partial", "failed", "stopped", "skipped", "died"]
TRIGGERS: tuple[Trigger, ...] = get_args(Trigger)
RESULTS: tuple[Result, ...] = get_args(Result)
BAD_RESULTS: frozenset[str] = frozenset({"failed", "died"})

# What one record may hold at most, so that the ledger stays small whatever a job meets.
MAX_PERIODS = 20
MAX_LEFT = 40
MAX_DETAILS = 40
MAX_TEXT = 300

_END_OF_TIME_US = 2**53  # the year 2255; the C library's calendar cannot tell every later instant

Left = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a job. Without a result it has not ended, or not said so."""

    run: str
    job: str
    trigger: str
    started_us: int
    pid: int
    version: str
    ended_us: int | None = None
    result: str | None = None
    exit_code: int | None = None
    nodes: int = 0
    events: int = 0
    calls: int = 0
    tokens: int = 0
    periods: tuple[str, ...] = ()
    periods_count: int = 0
    error: str = ""
    reason: str = ""
    left: Left | None = None
    details: Mapping[str, int] = field(default_factory=dict)

    @property
    def duration_us(self) -> int | None:
        """How long it took, or None where it has no end or the clock went backwards."""
        if self.ended_us is None or self.ended_us < self.started_us:
            return None
        return self.ended_us - self.started_us


_FIELDS = tuple(row.name for row in fields(Run))
_START_FIELDS = ("run", "job", "trigger", "started_us", "pid", "version")
_TYPES: dict[str, type | tuple[type, ...]] = {
    "run": str,
    "job": str,
    "trigger": str,
    "started_us": int,
    "pid": int,
    "version": str,
    "ended_us": (int, type(None)),
    "result": (str, type(None)),
    "exit_code": (int, type(None)),
    "nodes": int,
    "events": int,
    "calls": int,
    "tokens": int,
    "periods": list,
    "periods_count": int,
    "error": str,
    "reason": str,
    "left": (dict, type(None)),
    "details": dict,
}
assert set(_TYPES) == set(_FIELDS)


def start_line(run: Run) -> bytes:
    """Return the line that says that a run began."""
    return _line("start", {name: getattr(run, name) for name in _START_FIELDS})


def end_line(run: Run) -> bytes:
    """Return the line that says how a run ended. It repeats the start: an end is enough to tell the whole run."""
    assert run.result in RESULTS, run.result
    return _line("end", as_json(run))


def as_json(run: Run) -> dict[str, Any]:
    """Return the run as JSON shows it, in the ledger and in `history --json`."""
    shown = {name: getattr(run, name) for name in _FIELDS}
    shown["periods"] = list(run.periods)
    return shown


def parse_run(record: Mapping[str, Any]) -> Run:
    """Return the run of one line; fields it does not know are ignored. Raise ValueError or TypeError otherwise."""
    known = {}
    for name, kind in _TYPES.items():
        if name in record:
            if not isinstance(record[name], kind):
                raise TypeError(f"{name} is {record[name]!r}")
            known[name] = record[name]
    known["periods"] = tuple(str(period) for period in known.get("periods", ()))
    run = Run(**known)
    if not 0 <= run.started_us < _END_OF_TIME_US or not _is_counts(run):
        raise ValueError(f"no such run: {run}")
    return run


def _is_counts(run: Run) -> bool:
    reasons = list((run.left or {}).values())
    if not all(isinstance(reason, dict) for reason in reasons):
        return False
    return all(type(number) is int for row in (run.details, *reasons) for number in row.values())


def first_line(text: str) -> str:
    """Return the first line, shortened, without what could steer a terminal."""
    line = next((part for part in text.splitlines() if part.strip()), "")
    clean = "".join(letter if letter.isprintable() else "?" for letter in line.strip())
    return clean if len(clean) <= MAX_TEXT else clean[: MAX_TEXT - 1] + "…"


def _line(kind: str, record: Mapping[str, Any]) -> bytes:
    line = json.dumps({"type": kind, **record}, ensure_ascii=False, separators=(",", ":"))
    return line.encode("utf-8", "replace") + b"\n"
