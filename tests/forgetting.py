"""What tests of forgetting share: the jobs on a memory, and the search for words in every byte of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from msgspec.structs import replace
from rocksdict import Cache, DBCompressionType, Options

from memtool.jobs.compact import Report as Compaction
from memtool.jobs.compact import compact
from memtool.jobs.forget import Report, Selector, forget
from memtool.jobs.runner import Outcome, run_job
from memtool.model.records import ROLES, Claim, Event, digest_of, event_id
from memtool.query.reader import Reader
from memtool.store import engine as engine_module
from memtool.store import keys
from memtool.store.engine import open_reader
from memtool.systemd.jobs import runnable_named
from tests.memory import Memory


def forgotten(memory: Memory, now_us: int, selector: Selector) -> Report:
    """Forget what the selector finds, as the command does."""
    report = Report()
    reader = Reader(memory.root, now_us, memory.calendar)
    outcome = run_job(
        runnable_named("forget"),
        lambda context: forget(context, reader, selector, report),
        root=memory.root,
        clock=lambda: now_us,
    )
    assert outcome.exit_code == 0, outcome.error
    return report


def compacted(memory: Memory, now_us: int) -> tuple[Outcome, Compaction]:
    """Run the compaction job."""
    report = Compaction()
    outcome = run_job(
        runnable_named("compaction"),
        lambda context: compact(context, report),
        root=memory.root,
        clock=lambda: now_us,
    )
    assert outcome.exit_code == 0, outcome.error
    return outcome, report


def an_event(number: int, time_us: int, text: str, *claims: Claim, **more: str) -> Event:
    """Return a prompt; `number` makes its id."""
    return Event(
        id=event_id(digest_of("forgetting", number), 1),
        agent=more.pop("agent", "test"),
        claims=claims or (Claim("plain-session", "/home/u/plain"),),
        time_us=time_us,
        kind=more.get("kind", "prompt"),
        role=ROLES[more.pop("kind", "prompt")],
        text=text,
        digest=digest_of(text, number),
        metadata=more,
        redaction=1,
    )


def revised(event: Event, text: str, *, revision: int = 1, later_us: int = 0) -> Event:
    """Return a newer revision of the event."""
    return replace(
        event,
        text=text,
        digest=digest_of(text, revision),
        revision=revision,
        time_us=event.time_us + later_us,
    )


def plain_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep tables uncompressed: what is searched for in a file's bytes would not be found in compressed ones."""
    real = engine_module.options

    def options(cache: Cache, *, create: bool = False) -> Options:
        chosen = real(cache, create=create)
        chosen.set_compression_type(DBCompressionType.none())
        chosen.set_bottommost_compression_type(DBCompressionType.none())
        return chosen

    monkeypatch.setattr(engine_module, "options", options)


def in_files(root: Path, needles: Iterable[bytes]) -> dict[bytes, set[str]]:
    """Return the files below the root, by name or by content, that hold each needle: as it is, and as hex digits."""
    found: dict[bytes, set[str]] = {}
    files = [path for path in root.rglob("*") if path.is_file()]
    for path in files:
        data = path.read_bytes() + str(path.relative_to(root)).encode()
        lower = data.lower()
        for needle in needles:
            if needle in data or needle.hex().encode() in lower:
                found.setdefault(needle, set()).add(str(path.relative_to(root)))
    return found


def in_rows(root: Path, needles: Iterable[bytes]) -> dict[bytes, set[str]]:
    """Return the families with a key or value, as the raw engine reads it, that holds each needle."""
    engine = open_reader(root / "store")
    try:
        rows = [(name, key + value) for name in keys.FAMILIES for key, value in engine.scan(name)]
    finally:
        engine.close()
    found: dict[bytes, set[str]] = {}
    for name, data in rows:
        for needle in needles:
            if needle in data:
                found.setdefault(needle, set()).add(name)
    return found


def dead_entries(root: Path) -> tuple[int, int]:
    """Return the deletions in the tables of all families, and the entries in them that no reader sees.

    So it is known that compressed tables hold nothing else, although their bytes cannot be searched.
    """
    engine = open_reader(root / "store")
    try:
        tables = engine._families[keys.META].live_files()  # of all families
        alive = sum(1 for name in keys.FAMILIES for _ in engine.scan(name))
    finally:
        engine.close()
    entries = sum(table["num_entries"] for table in tables)
    return sum(table["num_deletions"] for table in tables), entries - alive
