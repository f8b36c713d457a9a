"""The ledger as its documented tables, and as the files of an older memtool."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from memtool.ledger.file import CallRecord, Run, as_json, ledger_path
from memtool.ledger.reading import History

START = ("run", "job", "trigger", "started_us", "pid", "version")


def rows(root: Path, query: str) -> list[tuple[Any, ...]]:
    """Return what a query finds in the ledger's file."""
    with closing(sqlite3.connect(ledger_path(root))) as db:
        return db.execute(query).fetchall()


def change(root: Path, *statements: str) -> None:
    """Change the ledger's file behind memtool's back."""
    with closing(sqlite3.connect(ledger_path(root))) as db, db:
        for statement in statements:
            db.execute(statement)


def calls(root: Path) -> list[CallRecord]:
    """Return the calls on record, oldest first."""
    names = ", ".join(CallRecord._fields)
    found = rows(root, f"SELECT {names} FROM calls ORDER BY number") if has_ledger(root) else []
    return [CallRecord(*row) for row in found]


def has_ledger(root: Path) -> bool:
    """Return whether the ledger has been begun."""
    return ledger_path(root).exists()


def history_of(*runs: Run, folded: Mapping[str, Mapping[str, int]] | None = None) -> History:
    """Return a history of these runs, and of those that were folded away."""
    counts = {job: Counter(results) for job, results in (folded or {}).items()}
    for run in runs:
        if run.result is not None:
            counts.setdefault(run.job, Counter())[run.result] += 1
    return History(runs, counts)


def start_line(run: Run) -> bytes:
    """Return how an older memtool recorded that a run began."""
    return _line("start", {name: getattr(run, name) for name in START})


def end_line(run: Run) -> bytes:
    """Return how an older memtool recorded that a run ended."""
    return _line("end", as_json(run))


def call_line(call: CallRecord) -> bytes:
    """Return how an older memtool recorded a call."""
    return _line("call", call._asdict())


def counters_line(jobs: Mapping[str, Mapping[str, int]]) -> bytes:
    """Return the first line of an older memtool's file."""
    return _line("counters", {"version": 1, "jobs": jobs})


def old_ledger(root: Path, runs: Iterable[bytes] = (), calls: Iterable[bytes] = ()) -> None:
    """Write the files of an older memtool."""
    (root / "ledger").mkdir(parents=True, exist_ok=True)
    for name, lines in (("runs.jsonl", runs), ("calls.jsonl", calls)):
        if data := b"".join(lines):
            (root / "ledger" / name).write_bytes(data)


def _line(kind: str, record: Mapping[str, Any]) -> bytes:
    return json.dumps({"type": kind, **record}).encode() + b"\n"
