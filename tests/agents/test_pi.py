"""Pi: a session is a tree, and only what leads to its last entry is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from memtool.agents.reading import Limits, read_chunks
from memtool.model.records import Record
from tests.agents.contract import ROWS, current, files_of, laid_out, records_of

ROW = next(row for row in ROWS if row.agent == "pi")
HEADER = {"type": "session", "id": "s1", "timestamp": "2026-03-02T12:00:00.000Z", "cwd": "/w"}


def entry(number: int, parent: int | None) -> dict[str, object]:
    return {
        "type": "message",
        "id": f"{number:08x}",
        "parentId": None if parent is None else f"{parent:08x}",
        "timestamp": f"2026-03-02T12:{number // 60:02d}:{number % 60:02d}.000Z",
        "message": {"role": "user", "content": [{"type": "text", "text": f"prompt {number}"}]},
    }


def written(path: Path, parents: Sequence[int | None]) -> Path:
    """Write a session of prompts, each below the entry of that number."""
    rows = [HEADER, *(entry(number, parent) for number, parent in enumerate(parents))]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def told(records: list[Record]) -> set[str]:
    return {
        event.text for event in current(records) if event.kind == "prompt" and not event.rewound
    }


def ancestry(parents: Sequence[int | None]) -> set[str]:
    found: set[str] = set()
    at: int | None = len(parents) - 1
    while at is not None:
        found.add(f"prompt {at}")
        at = parents[at]
    return found


@st.composite
def trees(draw: st.DrawFn) -> list[int | None]:
    parents: list[int | None] = [None]
    for number in range(1, draw(st.integers(1, 12))):
        # Mostly on, sometimes back to any earlier entry, also of a branch that was left.
        back = draw(st.integers(0, number - 1))
        parents.append(draw(st.sampled_from((number - 1, number - 1, back))))
    return parents


@given(trees(), st.integers(0, 12))
def test_what_leads_to_the_last_entry_is_told(
    tmp_path_factory: object, parents: list[int | None], cut: int
) -> None:
    path = tmp_path_factory.mktemp("pi") / "s1.jsonl"  # type: ignore[attr-defined]
    assert told(records_of([written(path, parents)])) == ancestry(parents)
    # The same when it is read as it grows, and in chunks of one record.
    records: list[Record] = []
    source = None
    path.unlink()
    for size in (min(cut, len(parents)), len(parents)):
        mode = "a" if path.exists() else "w"
        grown = written(path.with_name("other"), parents[:size]).read_text(encoding="utf-8")
        done = path.read_text(encoding="utf-8") if mode == "a" else ""
        with path.open(mode, encoding="utf-8") as stream:
            stream.write(grown.removeprefix(done))
        for chunk in read_chunks(path, source, limits=Limits(chunk_records=1)):
            records += chunk.records
            source = chunk.source
    assert told(records) == ancestry(parents)


def test_a_fork_has_the_same_events_for_both_sessions(tmp_path: Path) -> None:
    (path,) = files_of(ROW, laid_out(ROW, tmp_path))
    header, *rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
    forked = {**json.loads(header), "id": "forked", "parentSession": path.name}
    fork = path.with_name("2026-11-29T00-20-00-000Z_forked.jsonl")
    fork.write_text(json.dumps(forked) + "\n" + "".join(rows[:6]), encoding="utf-8")
    both = current(records_of([path, fork]))
    assert len(both) == ROW.events
    copied = [event for event in both if len(event.claims) > 1]
    assert {claim.session for event in copied for claim in event.claims} == {ROW.session, "forked"}
    assert any(event.kind == "prompt" for event in copied)
