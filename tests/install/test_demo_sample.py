"""The sample that the demo ships: valid, in Claude Code's format, and with all in it that it is there to show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

DEMO = Path(__file__).resolve().parents[2] / "demo"
ZONE = ZoneInfo("Europe/Berlin")
Record = dict[str, Any]


def files(part: str) -> list[Path]:
    """Return the main session files, without those of subagents."""
    return sorted((DEMO / part / "projects").glob("*/*.jsonl"))


def objects(line: str) -> Iterator[Record]:
    decoder, position = json.JSONDecoder(), 0
    while position < len(line):
        value, position = decoder.raw_decode(line, position)
        yield value


def records(path: Path) -> list[Record]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [record for line in lines for record in objects(line)]


def days(path: Path) -> set[date]:
    stamps = [record["timestamp"] for record in records(path) if "timestamp" in record]
    return {datetime.fromisoformat(stamp).astimezone(ZONE).date() for stamp in stamps}


def blocks(record: Record) -> list[Record]:
    content = record.get("message", {}).get("content", [])
    return [block for block in content if isinstance(block, dict)]


EVERY_FILE = sorted(DEMO.rglob("*.jsonl"))
MAIN = files("transcripts")
SAMPLE = [record for path in MAIN for record in records(path)]


@pytest.mark.parametrize("path", EVERY_FILE, ids=lambda path: path.name[:8])
def test_records_are_chained_and_tool_results_have_their_call(path: Path) -> None:
    seen: set[str] = set()
    calls: set[str] = set()
    for record in records(path):
        parent = record.get("parentUuid")
        assert parent is None or parent in seen
        seen.add(record.get("uuid", ""))
        for block in blocks(record):
            if block["type"] == "tool_use":
                calls.add(block["id"])
            if block["type"] == "tool_result":
                assert block["tool_use_id"] in calls


@pytest.mark.parametrize("path", EVERY_FILE, ids=lambda path: path.name[:8])
def test_a_message_stands_on_several_lines_with_one_block_each(path: Path) -> None:
    answers = [record for record in records(path) if record["type"] == "assistant"]
    assert all(len(record["message"]["content"]) == 1 for record in answers)
    assert len({record["message"]["id"] for record in answers}) <= len(answers)


@pytest.mark.parametrize("path", [*MAIN, *files("late")], ids=lambda path: path.name[:8])
def test_a_file_is_named_after_its_session_and_its_folder_after_the_project(path: Path) -> None:
    own = [record for record in records(path) if "cwd" in record]
    assert {record["sessionId"] for record in own} == {path.stem}
    assert {record["cwd"].replace("/", "-") for record in own} == {path.parent.name}


def test_there_are_several_projects_and_sessions_over_three_months() -> None:
    assert len({path.parent.name for path in MAIN}) >= 3
    assert len(MAIN) >= 14
    assert {day.month for path in MAIN for day in days(path)} == {3, 4, 5}


def test_a_session_runs_over_midnight() -> None:
    assert any(date(2026, 3, 9) in days(path) and date(2026, 3, 10) in days(path) for path in MAIN)


def test_a_week_straddles_two_months_with_work_in_both() -> None:
    week = {date(2026, 3, 31), date(2026, 4, 2)}  # 29 March to 4 April
    assert week <= {day for path in MAIN for day in days(path)}


def test_the_late_file_falls_into_a_month_that_is_there_already() -> None:
    (late,) = files("late")
    assert days(late) == {date(2026, 4, 14)}
    assert date(2026, 4, 14) not in {day for path in MAIN for day in days(path)}


def test_two_objects_are_glued_on_one_line() -> None:
    lines = [line for path in MAIN for line in path.read_text(encoding="utf-8").splitlines()]
    assert len([line for line in lines if len(list(objects(line))) == 2]) == 1


@pytest.mark.parametrize(
    "kind", ["summary", "file-history-snapshot", "progress", "queue-operation", "pr-link"]
)
def test_records_that_are_not_conversation_are_there(kind: str) -> None:
    assert any(record["type"] == kind for record in SAMPLE)


def test_compaction_subagents_thinking_and_failing_tools_are_there() -> None:
    assert any(record.get("subtype") == "compact_boundary" for record in SAMPLE)
    assert any(record.get("isCompactSummary") for record in SAMPLE)
    assert any(record.get("isSidechain") for record in SAMPLE)  # inline, as older versions wrote it
    assert list((DEMO / "transcripts").rglob("subagents/agent-*.jsonl"))
    assert {block["type"] for record in SAMPLE for block in blocks(record)} >= {
        "text",
        "thinking",
        "tool_use",
    }
    assert any(block.get("is_error") for record in SAMPLE for block in blocks(record))


@pytest.mark.parametrize(
    "words", ["山田太郎", "Müßig", "🎉", "<command-name>/model", "<private>", "hunter2"]
)
def test_words_that_programs_stumble_over_are_there(words: str) -> None:
    assert any(words in path.read_text(encoding="utf-8") for path in MAIN)


def test_the_sample_has_no_name_of_a_real_secret_scheme() -> None:
    """Hosting sites scan for these, and a sample must not make them ring."""
    everything = "".join(path.read_text(encoding="utf-8") for path in EVERY_FILE)
    assert [
        mark
        for mark in ("ghp_", "sk-ant-", "AKIA", "xoxb-", "PRIVATE KEY-----")
        if mark in everything
    ] == []
