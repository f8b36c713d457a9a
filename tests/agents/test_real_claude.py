"""Real transcripts of Claude Code: what a person typed is found, and nothing is lost. Needs MEMTOOL_TEST_DATA."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from memtool.agents.claude import own_digest
from memtool.agents.reading import Limits, read_chunks
from tests.agents.records import all_records, counts_of, events_of, is_accounted_for
from tests.checkout import REPOSITORY
from tests.waiting import HUNG_S

ROOT = os.environ.get("MEMTOOL_TEST_DATA", "")
pytestmark = pytest.mark.skipif(
    not ROOT, reason="MEMTOOL_TEST_DATA names no directory of transcripts"
)
PROMPTS = {
    "agentcmd-v2.0.28-summaries": 1,
    "entire-v2.0.64": 2,
    "entire-v2.1.5-compact": 1,
    "entire-v2.1.7-12-badline": 5,
    "entire-v2.1.37-progress-prlink-queue": 4,  # three typed, one of them queued; a plan that was accepted
}


def path_of(name: str) -> Path:
    return Path(ROOT) / "transcripts/claude" / f"{name}.jsonl"


def objects_on(line: str) -> list[dict[str, object]]:
    found, position = [], 0
    while position < len(line):
        value, position = json.JSONDecoder().raw_decode(line, position)
        found.append(value)
    return found


@pytest.mark.parametrize("name", PROMPTS)
def test_every_line_is_accounted_for_and_none_is_damaged(name: str) -> None:
    counts = counts_of(path_of(name))
    lines = path_of(name).read_text(encoding="utf-8").splitlines()
    assert is_accounted_for(counts)
    assert (counts.damaged, counts.unknown, counts.repaired) == (0, {}, 0)
    assert counts.lines == len(lines)
    assert counts.parts == sum(len(objects_on(line)) for line in lines)


@pytest.mark.parametrize("name", PROMPTS)
def test_prompts_are_what_a_person_entered(name: str) -> None:
    prompts = [event.text for event in events_of(path_of(name)) if event.kind == "prompt"]
    assert len(prompts) == PROMPTS[name]
    assert not [text for text in prompts if text.startswith(("<", "[", "Caveat", "This session"))]


@pytest.mark.parametrize("name", PROMPTS)
def test_calls_and_results_are_all_there(name: str) -> None:
    events = events_of(path_of(name))
    text = path_of(name).read_text(encoding="utf-8")
    counts = counts_of(path_of(name)).events
    results = counts.get("tool_result", 0) + counts.get("subagent_end", 0)
    assert results == text.count('"type":"tool_result"')
    calls = {event.metadata["tool_use_id"] for event in events if "tool" in event.metadata}
    answered = {event.metadata["tool_use_id"] for event in events if event.role == "tool"}
    assert answered <= calls


@pytest.mark.parametrize("name", PROMPTS)
@pytest.mark.parametrize("chunk_bytes", [1, 50_000])
def test_small_chunks_say_the_same_as_one(name: str, chunk_bytes: int) -> None:
    limits = Limits(chunk_bytes=chunk_bytes)
    whole = all_records(read_chunks(path_of(name)))
    assert all_records(read_chunks(path_of(name), limits=limits)) == whole


def test_both_records_glued_on_one_line_are_kept() -> None:
    path = path_of("entire-v2.1.7-12-badline")
    first, second = objects_on(path.read_text(encoding="utf-8").splitlines()[127])
    assert own_digest(str(first["uuid"]))[:28] in {event.record for event in events_of(path)}
    assert second["type"] == "summary"
    titles = [event.text for event in events_of(path) if event.kind == "title"]
    assert second["summary"] in titles


def test_records_that_a_newer_version_wrote_again_are_no_second_events() -> None:
    events = events_of(path_of("entire-v2.1.7-12-badline"))
    again = [event for event in events if "updated `TestLogging_Includes" in event.text]
    assert len({event.id for event in again}) == 1


def test_an_independent_count_finds_nothing_lost_and_nothing_invented() -> None:
    """The count shares no code with the reader."""
    done = subprocess.run(
        [sys.executable, "benchmarks/said.py", Path(ROOT) / "sessions", Path(ROOT) / "transcripts"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=HUNG_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
