"""Transcripts for crash tests: small sessions of our own schema over a year's end, and what arrives late."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from memtool.model.records import EventId, digest_of, event_id

AGENT = "robo"
AFTER_ALL_US = 1_767_225_600_000_000
"""2026-01-01: every period of the histories here is over, and settled."""


def line(
    session: str, moment: str, text: str, *, kind: str = "prompt", number: int = 0
) -> dict[str, str]:
    """Return one record; session and moment (with number) make its id."""
    return {
        "agent": AGENT,
        "session": session,
        "project": f"/home/ada/{session}",
        "time": moment,
        "kind": kind,
        "id": f"{session}/{moment}/{number}",
        "text": text,
    }


def exchange(session: str, day: str, hour: int) -> list[dict[str, str]]:
    """Return a question and its answer."""
    question = line(session, f"{day}T{hour:02}:00:00Z", f"Why does {session} fail on {day}?")
    answer = line(
        session, f"{day}T{hour:02}:05:00Z", f"Because its {hour}th clock is wrong.", kind="answer"
    )
    return [question, answer]


def write(file: Path, records: Iterable[dict[str, str]], *, more: bool = False) -> None:
    """Write the records as a transcript, or append them to it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a" if more else "w") as stream:
        stream.writelines(json.dumps(record) + "\n" for record in records)


def early(directory: Path) -> Path:
    """Write three sessions over a year's end, and return their directory."""
    write(
        directory / "alpha.jsonl",
        [*exchange("alpha", "2024-12-28", 9), *exchange("alpha", "2024-12-31", 23)],
    )
    write(
        directory / "beta.jsonl",
        [*exchange("beta", "2024-12-31", 10), *exchange("beta", "2025-01-01", 0)],
    )
    write(directory / "gamma.jsonl", exchange("gamma", "2025-01-01", 1))
    return directory


def late(directory: Path) -> Path:
    """Let one session grow and another, older one appear."""
    write(directory / "alpha.jsonl", exchange("alpha", "2024-12-31", 22), more=True)
    write(directory / "delta.jsonl", exchange("delta", "2024-12-28", 9))
    return directory


def records(files: Iterable[Path]) -> Iterator[dict[str, str]]:
    """Yield the records of transcripts."""
    for file in files:
        yield from map(json.loads, file.read_text().splitlines())


def ids(files: Iterable[Path]) -> set[EventId]:
    """Return the ids that the store must give to these records, by docs/event-schema.md."""
    return {event_id(digest_of("id", AGENT, record["id"]), 1) for record in records(files)}
