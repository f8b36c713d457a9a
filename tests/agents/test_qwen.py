"""Qwen Code's sessions: rewinds and branches of any shape."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from memtool.agents.reading import read_chunks
from memtool.model.records import Record
from tests.agents.contract import current
from tests.agents.records import all_records, write

Row = dict[str, object]
STEPS = st.lists(
    st.tuples(st.sampled_from(["say", "say", "rewind"]), st.integers(0, 20)), max_size=14
)


def row(number: int, parent: int | None, session: str = "s1", **more: object) -> Row:
    return {
        "uuid": f"u{number}",
        "parentUuid": None if parent is None else f"u{parent}",
        "sessionId": session,
        "timestamp": f"2026-03-02T10:{number // 60:02d}:{number % 60:02d}.000Z",
        "cwd": "/home/ann/shop",
        **more,
    }


def spoken(number: int, parent: int | None) -> Row:
    message = {"role": "user", "parts": [{"text": f"words {number}"}]}
    return row(number, parent, type="user", message=message)


def played(steps: list[tuple[str, int]]) -> tuple[list[Row], dict[str, bool]]:
    """Return a session's lines, and each prompt with whether it was taken back."""
    rows: list[Row] = [spoken(0, None)]
    alive = [0]
    prompts = {0}
    for number, (what, which) in enumerate(steps, start=1):
        if what == "say":
            rows.append(spoken(number, alive[-1]))
            prompts.add(number)
        else:
            del alive[1 + which % len(alive) :]
            payload = {"truncatedCount": 1}
            rows.append(
                row(number, alive[-1], type="system", subtype="rewind", systemPayload=payload)
            )
        alive.append(number)
    return rows, {f"words {number}": number not in alive for number in prompts}


def said(records: list[Record]) -> dict[str, bool]:
    return {event.text: event.rewound for event in current(records)}


@given(steps=STEPS)
def test_what_a_rewind_leaves_is_kept_and_flagged(steps: list[tuple[str, int]]) -> None:
    rows, expected = played(steps)
    with TemporaryDirectory() as place:
        assert said(all_records(read_chunks(write(Path(place) / "s.jsonl", *rows)))) == expected


@given(steps=STEPS, end=st.integers(1, 20))
def test_a_branch_is_the_same_events_with_another_claim(
    steps: list[tuple[str, int]], end: int
) -> None:
    rows, _ = played([step for step in steps if step[0] == "say"])
    copies = [{**one, "sessionId": "s2"} for one in rows[:end]]
    with TemporaryDirectory() as place:
        both = [
            one
            for name, lines in (("b", copies), ("a", rows))
            for one in all_records(read_chunks(write(Path(place) / f"{name}.jsonl", *lines)))
        ]
    events = current(both)
    assert len(events) == len(rows)
    for number, event in enumerate(events):
        assert [claim.session for claim in event.claims] == (
            ["s1", "s2"] if number < end else ["s1"]
        )


def test_a_title_that_is_written_again_is_one(tmp_path: Path) -> None:
    payload = {"customTitle": "The expiry", "titleSource": "auto"}
    titles = [
        row(n, 0, type="system", subtype="custom_title", systemPayload=payload) for n in (1, 2)
    ]
    path = write(tmp_path / "s.jsonl", spoken(0, None), *titles)
    assert list(said(all_records(read_chunks(path)))) == ["words 0", "The expiry"]
