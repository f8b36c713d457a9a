"""`memtool search`: the best answer first, grouped by day and session, whatever state the index is in."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from memtool.model.records import Claim, Event, event_id
from tests.cli.history import (
    ALL,
    NOVEMBER,
    NOW_US,
    STATION,
    TEELADEN,
    call,
    event,
    remember,
    seen,
)
from tests.memory import Memory

Output = pytest.CaptureFixture[str]
TWICE = "Why do three customers pay twice?"


def searched(memory: Memory, capsys: Output, *arguments: str) -> list[dict[str, Any]]:
    assert call(memory.root, "search", *arguments, "--json", "--no-ingest") == 0
    hits: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["hits"]
    return hits


def test_the_answer_as_it_is_read(memory: Memory) -> None:
    text = seen(memory.root, "search", "why do customers pay twice")
    first, *rest = text.splitlines()
    assert first == "Sun 29 Nov 2026 · claude-code · teeladen · session 1e223dd5"
    assert any("09:00 prompt Why do three customers pay twice?" in line for line in rest)
    assert "resume: claude --resume 1e223dd5-18a6-46ca-956a-675c93a19cf4" in text


def test_piped_output_is_plain_and_not_wrapped(memory: Memory, capsys: Output) -> None:
    assert call(memory.root, "search", "notices the second click", columns=40) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "Nothing notices the second click. So it charges again." in out


def test_the_best_hit_is_the_event_that_answers(memory: Memory, capsys: Output) -> None:
    hits = searched(memory, capsys, "what does the LED draw?")
    assert hits[0]["excerpt"] == "The LED draws 4 mA all the time"
    marked = [hits[0]["excerpt"][start:end] for start, end in hits[0]["marks"]]
    assert marked == ["LED", "draws"]


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        (["--project", "wetterstation"], STATION.session),
        (["--project", "/home/mira/src/wetterstation"], STATION.session),
        (["--project", "station"], STATION.session),
        (["--session", "c843"], STATION.session),
        (["--since", "2026-12-01"], STATION.session),
        (["--until", "2026-11-30"], TEELADEN.session),
        (["--kind", "tool_result"], TEELADEN.session),
        (["--role", "tool"], TEELADEN.session),
        (["--agent", "claude"], None),
    ],
)
def test_filters(memory: Memory, capsys: Output, filters: list[str], wanted: str | None) -> None:
    hits = searched(memory, capsys, "LED battery charge click current", *filters)
    assert hits
    assert wanted is None or {hit["session"] for hit in hits} == {wanted}


def test_a_point_is_this_repository(
    memory: Memory, capsys: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(memory.root, "search", "LED", "--project", ".") == 2
    assert "unknown project" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--kind", "prompz"], "did you mean prompt?"),
        (["--role", "usr"], "did you mean user?"),
        (["--level", "weak"], "did you mean week?"),
        (["--since", "soon"], "a time is one of"),
        (["--session", "nope"], "memtool events"),
        (["--agent", "nope"], "claude-code"),
    ],
)
def test_a_filter_that_names_nothing_says_so(
    memory: Memory, capsys: Output, arguments: list[str], hint: str
) -> None:
    assert call(memory.root, "search", "LED", *arguments) == 2
    assert hint in capsys.readouterr().err


def test_quoted_words_must_match_as_they_stand(memory: Memory, capsys: Output) -> None:
    assert [hit["excerpt"] for hit in searched(memory, capsys, '"asleep"')] == [
        "Measure the current while it is asleep"
    ]
    assert searched(memory, capsys, '"current asleep"') == []
    assert searched(memory, capsys, "while it is", "measure the current")[0]["kind"] == "prompt"


def test_summaries_are_found_by_level(memory: Memory, capsys: Output) -> None:
    hits = searched(memory, capsys, "battery", "--level", "day", "--level", "segment")
    assert {hit["level"] for hit in hits} == {"day", "segment"}
    assert all(hit["id"].startswith(hit["level"]) for hit in hits)


def test_an_id_is_looked_up(memory: Memory, capsys: Output) -> None:
    for digits in (NOVEMBER[0].id, NOVEMBER[0].id[:8]):
        assert [hit["id"] for hit in searched(memory, capsys, digits)] == [NOVEMBER[0].id]


@pytest.mark.parametrize(
    "query",
    [
        "the",
        "",
        " ",
        '"',
        '""',
        "AND OR NOT",
        "a:b (c) [d] *",
        "🫖",
        "\\",
        "x" * 10_000,
        "-- +",
        "'",
    ],
)
def test_any_query_is_answered(memory: Memory, capsys: Output, query: str) -> None:
    assert call(memory.root, "search", "--no-ingest", "--", query) == 0
    assert "Traceback" not in capsys.readouterr().err


def test_scripts_without_spaces_are_found(memory: Memory, capsys: Output) -> None:
    assert "請求書" in searched(memory, capsys, "請求書の名前")[0]["excerpt"]


def test_nothing_found_is_no_error(memory: Memory, capsys: Output) -> None:
    assert call(memory.root, "search", "xylophone") == 0
    assert capsys.readouterr().out == "Nothing found.\n"


def test_explain_shows_parts_that_add_up(memory: Memory, capsys: Output) -> None:
    hit = searched(memory, capsys, "why do customers pay twice", "--explain")[0]
    assert abs(sum(hit["parts"].values()) - hit["score"]) < 0.02
    assert "coverage +" in seen(memory.root, "search", "why do customers pay twice", "--explain")


def test_without_an_index_it_says_so_and_answers_the_same(tmp_path: Path, capsys: Output) -> None:
    memory = remember(tmp_path / "memory")
    before = [hit["id"] for hit in searched(memory, capsys, TWICE)]
    shutil.rmtree(memory.root / "index")
    assert call(memory.root, "search", TWICE, "--json", "--no-ingest") == 0
    said = capsys.readouterr()
    assert [hit["id"] for hit in json.loads(said.out)["hits"]][:2] == before[:2]
    assert "there is no search index" in said.err


def test_an_answer_keeps_to_its_budget_of_tokens(memory: Memory, capsys: Output) -> None:
    for tokens in (100, 300, 1500):
        query = ("search", "why do customers pay twice", "--no-ingest", "--tokens", str(tokens))
        assert call(memory.root, *query) == 0
        assert len(capsys.readouterr().out) <= tokens * 4 + 300


def test_what_is_new_is_taken_in_first(tmp_path: Path, capsys: Output) -> None:
    memory = remember(tmp_path / "memory")
    folder = tmp_path / ".claude/projects/x"
    folder.mkdir(parents=True)
    line = {
        "type": "user",
        "sessionId": "77777777-0000-4000-8000-000000000000",
        "uuid": "77777777-1111-4000-8000-000000000000",
        "timestamp": "2026-12-10T10:00:00.000Z",
        "cwd": "/home/mira/src/teeladen",
        "message": {"role": "user", "content": "Where is the zeppelin?"},
    }
    (folder / "s.jsonl").write_text(json.dumps(line) + "\n")
    assert searched(memory, capsys, "zeppelin") == []
    assert call(memory.root, "search", "zeppelin", "--json") == 0
    assert json.loads(capsys.readouterr().out)["hits"][0]["excerpt"] == "Where is the zeppelin?"


def test_where_nothing_is_remembered_it_says_what_helps(tmp_path: Path, capsys: Output) -> None:
    assert call(tmp_path / "none", "search", "anything", "--json") == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["exists"] is False
    assert "no memory yet" in said.err


@pytest.mark.slow
def test_ten_thousand_events_are_searched_by_few_of_them(tmp_path: Path, capsys: Output) -> None:
    memory = Memory(tmp_path / "memory")
    words = [f"word{number % 977} topic{number % 89} and some more" for number in range(10_000)]
    memory.take_in(
        [
            spoken(number, text, Claim(f"session-{number // 100}", f"/p/{number // 1000}"))
            for number, text in enumerate(words)
        ]
    )
    from memtool.search.index import update
    from tests.search.memory import context_of

    assert update(context_of(memory)).documents == 10_000
    hits = searched(memory, capsys, "word311 topic44", "--limit", "5")
    assert hits[0]["excerpt"].startswith("word311 topic44") or "word311" in hits[0]["excerpt"]
    assert len(hits) == 5


def spoken(number: int, text: str, claim: Claim) -> Event:
    base = event(number, "2026-12-01T10:00:00", "prompt" if number % 2 else "answer", text, claim)
    moved = {"time_us": NOW_US - 60_000_000 * number, "id": event_id(f"{number:032x}"[::-1], 1)}
    from msgspec.structs import replace

    return replace(base, **moved)


def test_the_history_is_whole() -> None:
    assert len({one.id for one in ALL}) == len(ALL)
    assert re.fullmatch(r"[0-9a-f]{32}", NOVEMBER[0].id)
