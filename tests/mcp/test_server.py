"""The MCP server, asked by the SDK's own client over a pipe, and by hand: three messages in one write, and its end."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from memtool.model.records import FENCE
from memtool.store.engine import open_writer
from tests.cli.history import NOVEMBER, remember
from tests.cli.test_threads import NOW_US, talks
from tests.memory import Memory

HUNG_S = 60
TOOLS = {"search", "get", "around", "toc", "recent", "open"}


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Memory:
    return remember(tmp_path_factory.mktemp("memory") / "store")


def asked(
    memory: Memory,
    *calls: tuple[str, dict[str, Any]],
    here: Path = Path(__file__).parents[2],
    **environ: str,
) -> list[tuple[bool, str]]:
    """Return whether each call failed, and its text."""

    async def ask() -> list[tuple[bool, str]]:
        program = StdioServerParameters(
            command=sys.executable,
            args=["-m", "memtool", "--store", str(memory.root), "mcp"],
            env={
                "HOME": str(memory.root.parent),
                "MEMTOOL_SUMMARIZER__NAME": "mock",
                **environ,
            },
            cwd=here,
        )
        async with Client(program) as client:
            found = []
            for name, arguments in calls:
                result: Any = await client.call_tool(name, arguments)
                found.append((bool(result.is_error), result.content[0].text))
            return found

    return asyncio.run(asyncio.wait_for(ask(), HUNG_S))


def test_from_a_question_to_the_words_and_what_was_said_around_them(memory: Memory) -> None:
    ((failed, text),) = asked(
        memory, ("search", {"query": "why do customers pay twice", "project": "all"})
    )
    assert not failed
    assert text.startswith(FENCE)
    assert "Why do three customers pay twice?" in text
    found = text[text.index("- [") + 3 :].partition("]")[0]
    (_, full), (_, beside) = asked(memory, ("get", {"ids": [found]}), ("around", {"id": found}))
    assert found in full
    assert beside.count(": ") >= 3


def test_each_tool_answers_and_is_fenced(memory: Memory) -> None:
    answers = asked(
        memory,
        ("search", {"query": "LED", "project": "wetterstation"}),
        ("get", {"ids": ["day:2026-12-01", NOVEMBER[0].id[:12], "c843cbd9"]}),
        ("around", {"id": NOVEMBER[2].id, "before": 1, "after": 1}),
        ("toc", {"period": "2026-12"}),
        ("recent", {"project": "teeladen"}),
    )
    for failed, text in answers:
        assert not failed, text
        assert text.startswith(FENCE)
        assert text.endswith("</memtool-memory>")
        assert "Nothing found" not in text


def test_open_lists_what_is_open_with_the_events_that_say_so(tmp_path: Path) -> None:
    work = Memory(tmp_path / "store")
    work.take_in([event for talk in talks() for event in talk.events], now_us=NOW_US)
    (_, here), (_, text), (_, other) = asked(
        work,
        ("open", {}),
        ("open", {"project": "all"}),
        ("open", {"project": "shop"}),
        MEMTOOL_SUMMARIZER__NAME="extractive",
    )
    assert "Nothing found" in other
    assert "Write the chapter about laptops" in text
    assert "Rewrite the onboarding chapter" in text
    event = text[text.index("laptops [") + 9 :].partition("]")[0]
    ((failed, full),) = asked(work, ("get", {"ids": [event]}))
    assert not failed
    assert "laptops" in full
    assert "unknown project" in here


def test_an_agent_keeps_notes_only_where_that_is_allowed(memory: Memory, tmp_path: Path) -> None:
    note = ("note", {"text": "The font must be Noto Sans JP", "project": "teeladen"})
    ((failed, text),) = asked(memory, note)
    assert failed
    assert "note" in text
    other = Memory(tmp_path / "store")
    other.take_in(NOVEMBER)
    secret = "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345"
    answers = asked(
        other,
        note,
        ("note", {"text": f"token {secret}", "project": "teeladen"}),
        ("note", {"text": " "}),
        ("note", {"text": "x", "project": "nowhere"}),
        ("search", {"query": "Noto Sans JP", "project": "teeladen"}),
        MEMTOOL_MCP__NOTES="true",
    )
    assert [failed for failed, _ in answers] == [False, False, True, True, False]
    assert "1 secret masked" in answers[1][1]
    assert "The font must be" in answers[4][1]
    with other.access.reading() as store:
        kept = [event for event in store.events(0, 1 << 62) if event.kind == "note"]
    assert {event.text for event in kept} == {note[1]["text"], "token [redacted:secret]"}
    for event in kept:
        assert (event.role, event.project) == ("assistant", NOVEMBER[0].project)
        assert event.agent
        assert event.metadata["session"].startswith("mcp-")


def test_what_cannot_be_answered_is_an_error_of_the_tool_with_a_hint(memory: Memory) -> None:
    answers = asked(
        memory,
        ("get", {"ids": ["zzz"]}),
        ("search", {"query": "x", "project": "nowhere"}),
        ("search", {"query": "x", "project": "all", "since": "soon"}),
        ("toc", {"period": "soon"}),
    )
    assert [failed for failed, _ in answers] == [True] * 4
    assert "search returns ids" in answers[0][1]


def test_an_answer_keeps_to_its_budget(memory: Memory) -> None:
    query = {"query": "why do customers pay twice", "project": "all", "tokens": 100}
    ((_, text),) = asked(memory, ("search", query))
    assert len(text) <= 100 * 4 + 300


def test_the_list_of_tools_is_small_and_three_messages_in_one_write_are_answered(
    memory: Memory,
) -> None:
    hello = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    messages = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {}},
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "memtool", "--store", str(memory.root), "mcp"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env={"HOME": str(memory.root.parent)},
        cwd=Path(__file__).parents[2],
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write("".join(json.dumps(one) + "\n" for one in messages))
        running.stdin.flush()
        answers = [json.loads(running.stdout.readline()) for _ in range(2)]
        running.stdin.close()
        assert running.wait(HUNG_S) == 0
    assert [one["id"] for one in answers] == [1, 2]
    assert "Search it before" in answers[0]["result"]["instructions"]
    tools = answers[1]["result"]["tools"]
    assert {tool["name"] for tool in tools} == TOOLS
    assert all(tool["annotations"]["readOnlyHint"] for tool in tools)
    assert len(json.dumps(tools)) <= 9_000


def test_an_agent_that_is_confined_reaches_nothing_of_another_project(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    mine.mkdir()
    rows = [
        (mine, "s1", "prompt", "Why does the LED blink?"),
        (mine, "s1", "answer", "The LED blinks at 151 Hz."),
        (other, "s2", "prompt", "The LED of the other customer is secret-blue."),
        (other, "s1", "answer", "secret-blue again, in the session of both"),
    ]
    lines = [
        json.dumps(
            {
                "id": f"e{number}",
                "kind": kind,
                "session": session,
                "project": str(project),
                "agent": "x",
                "time": f"2026-11-20T10:0{number}:00Z",
                "text": text,
            }
        )
        for number, (project, session, kind, text) in enumerate(rows)
    ]
    memory = Memory(tmp_path / "store")
    environ = {"HOME": str(tmp_path), "MEMTOOL_SUMMARIZER__NAME": "extractive"}
    program = [sys.executable, "-m", "memtool", "--store", str(memory.root)]
    for words, text in ((["ingest", "-"], "\n".join(lines)), (["rollup", "all"], "")):
        done = subprocess.run(
            [*program, *words], input=text, env=environ, encoding="utf-8", cwd=mine, check=False
        )
        assert done.returncode == 0
    with memory.access.reading() as store:
        ids = {event.text: str(event.id) for event in store.events(0, 1 << 60)}
    secret = [found for text, found in ids.items() if "secret" in text]
    own = next(found for text, found in ids.items() if "151" in text)
    calls: list[tuple[str, dict[str, Any]]] = [
        ("search", {"query": "LED"}),
        ("search", {"query": "secret-blue"}),
        ("search", {"query": "LED", "session": "s2"}),
        ("search", {"query": "LED", "project": "all"}),
        ("search", {"query": "LED", "project": "other"}),
        ("search", {"query": "LED", "level": "day"}),
        *(("get", {"ids": [one]}) for one in (*secret, "s2", "day:2026-11-20", "s1", own)),
        *(("around", {"id": one}) for one in (*secret, own)),
        ("toc", {}),
        ("toc", {"period": "2026-11-20", "depth": 3}),
        ("recent", {}),
        ("recent", {"project": "other"}),
        ("open", {}),
        ("open", {"project": "all"}),
    ]
    confined = asked(memory, *calls, here=mine, MEMTOOL_MCP__SCOPE="current")
    assert not any("secret-blue" in text or "other" in text.lower() for _, text in confined[:3])
    assert [call for call, (_, text) in zip(calls, confined, strict=True) if "blue" in text] == []
    for number in (3, 4, 5, 6, 7, 8, 9, 12, 13, 15, 16, 18, 20):
        assert confined[number][0], calls[number]
    assert sum("151 Hz" in text for _, text in confined) >= 4
    (tmp_path / "nowhere").mkdir()
    nowhere = asked(memory, calls[0], here=tmp_path / "nowhere", MEMTOOL_MCP__SCOPE="current")
    assert "Nothing found" in nowhere[0][1]
    assert sum("blue" in text for _, text in asked(memory, *calls, here=mine)) >= 6


def test_a_store_that_is_being_written_is_read(tmp_path: Path) -> None:
    memory = remember(tmp_path / "store")
    query = ("search", {"query": "why do customers pay twice", "project": "all"})
    engine = open_writer(memory.access.path)
    try:
        ((failed, text),) = asked(memory, query)
    finally:
        engine.close()
    assert not failed
    assert "Why do three customers pay twice?" in text


def test_from_a_question_to_its_proof_in_few_tokens(tmp_path: Path) -> None:
    """The figures of the README, over the sample of the demo."""
    memory = Memory(tmp_path / "store")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "memtool",
            "--store",
            str(memory.root),
            "ingest",
            "demo/transcripts",
        ],
        env={"HOME": str(tmp_path)},
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert done.returncode == 0
    query = {"query": "why do old invoices have stored totals", "project": "teeladen", "limit": 3}
    ((_, found),) = asked(memory, ("search", query))
    best = found[found.index("- [") + 3 :].partition("]")[0]
    (_, full), (_, beside) = asked(
        memory, ("get", {"ids": [best]}), ("around", {"id": best, "before": 1, "after": 1})
    )
    assert "all 118 old invoices have stored totals now (migration 0016)" in full
    assert "Does February come out at 1906.55 now?" in beside
    assert (len(found) + len(full) + len(beside)) // 4 <= 700
