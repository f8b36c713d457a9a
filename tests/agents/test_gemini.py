"""Gemini CLI's sessions: rewrites and rewinds of any order, the old documents, and where a project is."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtool.agents.gemini import FORMAT
from memtool.agents.gemini.parts import result_of
from memtool.agents.reading import read_chunks
from memtool.agents.registry import Retention
from memtool.model.records import Event, Record
from tests.agents.contract import current, states_of
from tests.agents.records import all_records, write

ROOT = "/home/ann/shop"
Row = dict[str, object]
HEAD: Row = {
    "sessionId": "s1",
    "projectHash": hashlib.sha256(ROOT.encode()).hexdigest(),
    "startTime": "2026-03-02T10:00:00.000Z",
}


def message(number: int, text: str, kind: str = "user") -> Row:
    time = f"2026-03-02T10:{number // 60:02d}:{number % 60:02d}.000Z"
    return {"id": f"m{number}", "timestamp": time, "type": kind, "content": text}


def read(path: Path) -> list[Record]:
    return all_records(read_chunks(path))


def said(records: list[Record]) -> dict[str, bool]:
    return {event.text: event.rewound for event in current(records)}


STEPS = st.lists(
    st.tuples(st.sampled_from(["say", "grow", "rewind", "set"]), st.integers(0, 20)), max_size=15
)


def played(steps: list[tuple[str, int]]) -> tuple[list[Row], dict[str, bool]]:
    """Return the lines of a session, and each message's last words with whether they were taken back."""
    rows: list[Row] = [HEAD]
    texts: dict[int, str] = {}
    alive: list[int] = []
    for at, (what, which) in enumerate(steps):
        chosen = alive[which % len(alive)] if alive else None
        if what == "say" or chosen is None:
            texts[at] = f"words {at}"
            alive.append(at)
            rows.append(message(at, texts[at]))
        elif what == "grow":
            texts[chosen] += " and more" if which % 2 else ""
            rows.append(message(chosen, texts[chosen]))
        elif what == "rewind":
            unknown = which == 20
            rows.append({"$rewindTo": "unknown" if unknown else f"m{chosen}"})
            del alive[0 if unknown else alive.index(chosen) :]
        else:
            alive = [one for one in alive if one % 2 == which % 2]
            if alive:
                texts[alive[0]] = f"set {at}"
            rows.append({"$set": {"messages": [message(one, texts[one]) for one in alive]}})
    return rows, {text: number not in alive for number, text in texts.items()}


@given(steps=STEPS)
def test_the_last_version_counts_and_what_was_taken_out_is_flagged(
    steps: list[tuple[str, int]],
) -> None:
    rows, expected = played(steps)
    with TemporaryDirectory() as place:
        assert said(read(write(Path(place) / "s.jsonl", *rows))) == expected


@given(steps=STEPS, cut=st.integers(0, 10_000))
def test_a_session_that_goes_on_says_the_same(steps: list[tuple[str, int]], cut: int) -> None:
    rows, _ = played(steps)
    with TemporaryDirectory() as place:
        path = write(Path(place) / "s.jsonl", *rows)
        data, whole = path.read_bytes(), states_of(read(path))
        path.write_bytes(data[: cut % (len(data) + 1)])
        first = list(read_chunks(path))
        with path.open("r+b") as stream:
            stream.write(data)
        rest = list(read_chunks(path, first[-1].source))
    assert states_of(all_records([*first, *rest])) == whole


@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=6), at=st.integers(0, 5))
def test_a_document_and_the_lines_that_replace_it_tell_each_thing_once(
    sizes: list[int], at: int
) -> None:
    """An old session that is resumed goes on in lines beside the document, which begin with what it held."""
    messages = [message(n, f"m{n} " + "x" * size) for n, size in enumerate(sizes)]
    with TemporaryDirectory() as place:
        document = Path(place) / "s.json"
        records: list[Record] = []
        for end in range(len(messages) + 1):  # it is rewritten with each message
            document.write_text(json.dumps({**HEAD, "messages": messages[:end]}, indent=2))
            records += read(document)
        grown = message(at % len(messages), "grown")
        new = message(40, "new")
        lines = write(Path(place) / "s.jsonl", HEAD, *messages, grown, new)
        records += read(lines)
    assert len(states_of(records)) == len(messages) + 1
    said_first = [str(one["content"]) for one in messages]
    said_first[at % len(messages)] = "grown"
    assert [event.text for event in current(records)] == [*said_first, "new"]


def place_of(path: Path) -> set[str]:
    return {event.project for event in read(path) if isinstance(event, Event)}


def test_a_project_is_known_by_a_note_a_list_or_a_path_in_the_session(tmp_path: Path) -> None:
    chats = tmp_path / "tmp/abc/chats"
    chats.mkdir(parents=True)
    path = write(chats / "session-1.jsonl", HEAD, message(1, "hello"))
    assert place_of(path) == {""}
    write(path, HEAD, message(1, f"look at {ROOT}/src/auth.py."))
    assert place_of(path) == {ROOT}
    write(path, HEAD, message(1, "hello"))
    (tmp_path / "projects.json").write_text(json.dumps({"projects": {"/other": "o", ROOT: "abc"}}))
    assert place_of(path) == {ROOT}
    (chats.parent / ".project_root").write_text("/noted\n")
    assert place_of(path) == {"/noted"}


def test_calls_that_were_made_together_have_their_own_results(tmp_path: Path) -> None:
    parts = [
        {"functionResponse": {"id": f"c{n}", "name": "t", "response": {"output": f"result {n}"}}}
        for n in (1, 2)
    ]
    calls = [
        {"id": f"c{n}", "name": "t", "args": {}, "result": parts, "status": "success"}
        for n in (1, 2)
    ]
    path = write(tmp_path / "s.jsonl", HEAD, {**message(1, "", "gemini"), "toolCalls": calls})
    results = [event for event in current(read(path)) if event.kind == "tool_result"]
    told = {event.metadata["tool_use_id"]: event.text for event in results}
    assert told == {"c1": "result 1", "c2": "result 2"}


@pytest.mark.parametrize(
    ("path", "is_read"),
    [
        ("/tmp/a/session-1.json", True),
        ("/h/.gemini/tmp/abc/chats/session-1.json", True),
        ("/h/.gemini/tmp/abc/chats/s1/sub.jsonl", True),
        ("/h/.gemini/tmp/abc/logs.json", False),
        ("/h/.gemini/tmp/abc/checkpoints/c.json", False),
    ],
)
def test_only_chats_are_read(path: str, is_read: bool) -> None:
    assert (FORMAT.skip_reason(Path(path)) == "") is is_read


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (None, (30, False)),
        ("{}", (30, False)),
        ('{"general": {"sessionRetention": {"maxAge": "2w"}}}', (14, True)),
        ('{"general": {"sessionRetention": {"maxAge": "soon"}}}', (30, False)),
        ('{"general": {"sessionRetention": {"enabled": false}}}', None),
        ("[1", (30, False)),
    ],
)
def test_how_long_sessions_are_kept(
    tmp_path: Path, settings: str | None, expected: tuple[int, bool] | None
) -> None:
    if settings is not None:
        (tmp_path / "settings.json").write_text(settings)
    found = FORMAT.retention(tmp_path, tmp_path)
    if expected is None:
        assert found is None
        return
    assert isinstance(found, Retention)
    assert (found.days, found.file is not None) == expected
    assert bool(found.unreadable) == (settings == "[1")


@pytest.mark.parametrize(
    ("output", "status", "text", "is_error"),
    [
        ("Command: ls\nDirectory: (root)\nOutput: a\nb\nError: (none)\nExit Code: 0", "success", "a\nb", False),
        ("Output: a\nStderr: bad\nExit Code: 2", "success", "Exit code 2\na\nbad", True),
        ("Output: (empty)\nExit Code: 0", "success", "", False),
        ("<untrusted_context>\nOutput: a\nExit Code: 1\n</untrusted_context>", "success", "Exit code 1\na", True),
        ("plain", "success", "plain", False),
        ("plain", "cancelled", "plain", True),
    ],
)  # fmt: skip
def test_results_are_told_without_what_gemini_writes_around_them(
    output: str, status: str, text: str, is_error: bool
) -> None:
    part = {"functionResponse": {"response": {"output": output}}}
    assert result_of([part], status) == (text, is_error)
