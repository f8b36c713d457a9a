"""The account of calls to models: one line a call, beside the ledger, so that a budget holds across runs and crashes.

docs/ledger.md is its contract. Never opens the store.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from memtool.base.files import append_lines, atomic_write, reporting
from memtool.base.lock import LEDGER, Holder, lock_path, wait_for
from memtool.scheduler.ledger import LOCK_WAIT

LIMIT_BYTES = 4 << 20
"""When the file is larger, only its newer half is kept: far more than a day's budget can ask for."""


@dataclass(frozen=True, slots=True)
class CallRecord:
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


@dataclass(frozen=True, slots=True)
class Spent:
    """Calls and their tokens, in and out together."""

    calls: int = 0
    tokens: int = 0

    def plus(self, other: Spent) -> Spent:
        """Return the sum."""
        return Spent(self.calls + other.calls, self.tokens + other.tokens)

    def minus(self, other: Spent) -> Spent:
        """Return the difference."""
        return Spent(self.calls - other.calls, self.tokens - other.tokens)


def calls_path(root: Path) -> Path:
    """Return the store's account of calls."""
    return root / "ledger" / "calls.jsonl"


def record_call(root: Path, call: CallRecord, holder: Holder) -> None:
    """Append the call. Raise StorageError or UnavailableError where that cannot be: then no budget would hold."""
    path = calls_path(root)
    line = json.dumps({"type": "call", **asdict(call)}, separators=(",", ":")).encode() + b"\n"
    with wait_for(lock_path(root, LEDGER), holder, LOCK_WAIT):
        append_lines(path, line)
        if path.stat().st_size > LIMIT_BYTES:
            _trim(path)


def read_calls(root: Path) -> list[CallRecord]:
    """Return the calls that are on record, oldest first; a torn or damaged line is passed over."""
    path = calls_path(root)
    with reporting(path):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return []
    return [call for line in data.split(b"\n") if (call := _parse(line)) is not None]


def spent(calls: Iterable[CallRecord], since_us: int) -> Spent:
    """Return what the calls since that instant took."""
    of_span = [call for call in calls if call.time_us >= since_us]
    return Spent(len(of_span), sum(call.input_tokens + call.output_tokens for call in of_span))


def _parse(line: bytes) -> CallRecord | None:
    try:
        return msgspec.json.decode(line, type=CallRecord)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _trim(path: Path) -> None:
    with reporting(path):
        lines = path.read_bytes().splitlines(keepends=True)
    atomic_write(path, b"".join(lines[len(lines) // 2 :]))
