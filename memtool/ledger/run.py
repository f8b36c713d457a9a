"""One run of a job, one call of a model: the values that the ledger keeps. Does no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args

Trigger = Literal["timer", "systemd", "manual"]
Result = Literal["done", "partial", "failed", "stopped", "skipped", "died"]
RESULTS: tuple[Result, ...] = get_args(Result)
BAD_RESULTS: frozenset[str] = frozenset({"failed", "died"})

# What one record may hold at most, so that the ledger stays small whatever a job meets.
MAX_PERIODS = 20
MAX_LEFT = 40
MAX_DETAILS = 40
MAX_TEXT = 300

_END_OF_TIME_US = 2**53  # the year 2255; the C library's calendar cannot tell every later instant
_INTEGERS = range(-(2**63), 2**63)  # what SQLite stores

Left = Mapping[str, Mapping[str, int]]


class Run(NamedTuple):
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
    details: Mapping[str, int] = {}

    @property
    def duration_us(self) -> int | None:
        """How long it took, or None where it has no end or the clock went backwards."""
        if self.ended_us is None or self.ended_us < self.started_us:
            return None
        return self.ended_us - self.started_us


class CallRecord(NamedTuple):
    """One call: when it began, for what, what it took, and how it ended ("ok", or what went wrong)."""

    time_us: int
    run: str
    node: str
    summarizer: str
    model: str
    duration_ms: int
    input_tokens: int
    output_tokens: int
    result: str


class Spent(NamedTuple):
    """Calls, their tokens (in and out together), and how many of the calls failed or were cut off."""

    calls: int = 0
    tokens: int = 0
    failed: int = 0

    def plus(self, other: Spent) -> Spent:
        """Return the sum."""
        return Spent(*(one + more for one, more in zip(self, other, strict=True)))

    def minus(self, other: Spent) -> Spent:
        """Return the difference."""
        return Spent(*(one - less for one, less in zip(self, other, strict=True)))


_KINDS: Mapping[str, type] = {
    **dict.fromkeys(Run._fields, int),
    **dict.fromkeys(("run", "job", "trigger", "version", "result", "error", "reason"), str),
    **dict.fromkeys(("left", "details"), dict),
    "periods": list,
}


def as_json(run: Run) -> dict[str, Any]:
    """Return the run as JSON shows it, in `history --json`."""
    return {**run._asdict(), "periods": list(run.periods)}


def run_of(record: Mapping[str, Any]) -> Run:
    """Return the run of a record; fields it does not know are ignored. Raise ValueError or TypeError otherwise."""
    known = {name: record[name] for name in _KINDS if record.get(name) is not None}
    for name, value in known.items():
        if type(value) is not _KINDS[name] or (type(value) is int and value not in _INTEGERS):
            raise TypeError(f"{name} is {value!r}")
    known["periods"] = tuple(str(period) for period in known.get("periods", ()))
    run = Run(**known)
    reasons = list((run.left or {}).values())
    counts = (run.details, *reasons)
    if not all(isinstance(row, dict) and _are_counts(row.values()) for row in counts):
        raise TypeError(f"not counts: {counts!r}")
    if not 0 <= run.started_us < _END_OF_TIME_US or run.result not in (None, *RESULTS):
        raise ValueError(f"not a run: {run!r}")
    return run


def _are_counts(values: Any) -> bool:
    return all(type(number) is int for number in values)


def first_line(text: str) -> str:
    """Return the first line, shortened, without what could steer a terminal."""
    line = next((part for part in text.splitlines() if part.strip()), "")
    clean = "".join(letter if letter.isprintable() else "?" for letter in line.strip())
    return clean if len(clean) <= MAX_TEXT else clean[: MAX_TEXT - 1] + "…"
