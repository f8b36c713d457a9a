"""Real files of Codex and Gemini CLI, where MEMTOOL_TEST_DATA names a directory of them."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from pathlib import Path

import pytest
import zstandard

from memtool.agents.reading import Limits, read_chunks
from memtool.model.records import Event, Record
from tests.agents.contract import current, states_of
from tests.agents.records import all_records

REAL = Path(os.environ.get("MEMTOOL_TEST_DATA", "/nonexistent")) / "transcripts"
FILES = sorted([*REAL.glob("codex/*.jsonl"), *REAL.glob("gemini/*.json")])
if not FILES:
    pytest.skip("MEMTOOL_TEST_DATA has no transcripts of them", allow_module_level=True)
EACH = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.name))


def read(path: Path, limits: Limits | None = None) -> list[Record]:
    return all_records(read_chunks(path, limits=limits or Limits()))


@EACH
def test_all_of_it_is_understood(path: Path) -> None:
    for chunk in read_chunks(path):
        assert (chunk.counts.damaged, chunk.counts.unknown) == (0, {})
        assert chunk.source.format == path.parent.name
        assert chunk.source.problem == ""


@EACH
def test_every_prompt_answer_and_call_is_told_once(path: Path) -> None:
    """Counted here by another way than the reader's."""
    kinds = Counter(event.kind for event in current(read(path)))
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        lines = [json.loads(line)["payload"] for line in text.splitlines()]
        types = Counter(line.get("type") for line in lines)
        said = sum(line.get("role") == "assistant" for line in lines)
        expected = (
            types["user_message"],
            said,
            types["function_call"],
            types["function_call_output"],
        )
    else:
        messages = json.loads(text)["messages"]
        calls = sum(len(one.get("toolCalls", ())) for one in messages)
        users = sum(one["type"] == "user" for one in messages)
        expected = (
            users,
            sum(one["type"] == "gemini" and one["content"] != "" for one in messages),
            calls,
            calls,
        )
    assert (kinds["prompt"], kinds["answer"], kinds["tool_call"], kinds["tool_result"]) == expected


@EACH
def test_chunks_and_cuts_change_nothing(path: Path, tmp_path: Path) -> None:
    whole = states_of(read(path))
    assert states_of(read(path, Limits(chunk_records=1))) == whole
    copy = tmp_path / path.name
    data = path.read_bytes()
    for cut in range(1, len(data), max(1, len(data) // 40)):
        copy.write_bytes(data[:cut])
        first = list(read_chunks(copy))
        with copy.open("r+b") as stream:
            stream.write(data)
        rest = list(read_chunks(copy, first[-1].source))
        assert states_of(all_records([*first, *rest])) == whole


@EACH
def test_a_compressed_copy_is_the_same(path: Path, tmp_path: Path) -> None:
    packed = tmp_path / f"{path.name}.zst"
    packed.write_bytes(zstandard.compress(path.read_bytes()))
    assert states_of(read(packed)) == states_of(read(path))


@EACH
def test_the_project_is_known(path: Path) -> None:
    projects = {event.project for event in read(path) if isinstance(event, Event)}
    assert len(projects) == 1
    [project] = projects
    if path.suffix == ".json":
        named = json.loads(path.read_text(encoding="utf-8"))["projectHash"]
        assert hashlib.sha256(project.encode()).hexdigest() == named
    else:
        assert project.startswith("/")
