"""`memtool forget`: shows first, asks, and says what it did. Exit codes and JSON."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from memtool.ledger.reading import look
from memtool.model.levels import Level
from memtool.store.erase import drop_sources
from tests.cli.conftest import NOW_US
from tests.cli.history import ALL, CALENDAR
from tests.forgetting import in_rows
from tests.memory import Memory

Call = Callable[..., tuple[int, str, str]]
PAGE = (Path(__file__).resolve().parents[2] / "docs/json.md").read_text(encoding="utf-8")
BERLIN = {"MEMTOOL_CALENDAR__TIMEZONE": "Europe/Berlin"}
NOBODY = ["forget", "--project", "teeladen", "--until", "2026-11"]


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    """Return a memory where `call` looks for it."""
    memory = Memory(tmp_path / "memory", CALENDAR)
    memory.take_in(ALL, now_us=NOW_US)
    memory.roll_up(Level.DAY, NOW_US)
    return memory


def answering(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    """Let a person sit at the terminal."""
    terminal = io.StringIO(answer)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)


def test_a_dry_run_shows_what_would_go_and_changes_nothing(memory: Memory, call: Call) -> None:
    before = memory.everything()
    code, out, err = call("forget", "--session", "1e223dd5", "--dry-run", **BERLIN)
    assert (code, err) == (0, "")
    assert "10 events of 2 days, 2025-12-31 to 2026-11-29" in out
    assert "Close the books of the year" in out
    assert "… and 5 more" in out
    assert "sessions: 1e223dd5 (10)" in out
    assert "projects: /home/mira/src/teeladen (10)" in out
    assert "summaries that go" in out
    assert memory.everything() == before
    assert "forget" not in {run.job for run in look(memory.root).runs}


def test_without_a_terminal_and_without_yes_it_exits_2_and_says_what_to_do(
    memory: Memory, call: Call
) -> None:
    before = memory.everything()
    code, out, err = call("forget", "--session", "1e223dd5", **BERLIN)
    assert code == 2
    assert "10 events" in out
    assert "cannot be undone" in err
    assert "--yes" in err
    assert "memtool backup" in err
    assert memory.everything() == before


def test_with_yes_it_forgets_and_names_the_next_step(memory: Memory, call: Call) -> None:
    code, out, _ = call("forget", "--session", "1e223dd5", "--yes", **BERLIN)
    assert code == 0
    assert "10 events forgotten. No file of the store holds anything that was forgotten." in out
    assert "memtool rollup all" in out
    assert in_rows(memory.root, [b"invoices", b"1e223dd5"]) == {}
    assert [run.result for run in look(memory.root).runs if run.job == "forget"] == ["done"]
    assert call("events", **BERLIN)[1].count("teeladen") == 1


@pytest.mark.parametrize(
    ("answer", "forgets"), [("y\n", True), ("\n", False), ("", False), ("no\n", False)]
)
def test_a_person_is_asked(
    memory: Memory, call: Call, monkeypatch: pytest.MonkeyPatch, answer: str, forgets: bool
) -> None:
    answering(monkeypatch, answer)
    code, _, err = call("forget", "--match", "invoices", **BERLIN)
    assert code == 0
    assert "Forget 1 event permanently? [y/N]" in err
    assert ("Nothing was forgotten." in err) is not forgets
    assert (in_rows(memory.root, [b"invoices"]) == {}) is forgets


def test_what_names_nothing_exits_2(memory: Memory, call: Call) -> None:
    assert memory.access.exists()
    for words in ([], ["--session", "zz"], ["--match", "("], ["--since", "soon"], ["--event", "x"]):
        code, _, err = call("forget", *words, "--yes", **BERLIN)
        assert code == 2
        assert "hint: " in err


def test_where_nothing_fits_nothing_runs(memory: Memory, call: Call) -> None:
    code, out, err = call("forget", "--match", "zebra", "--yes", **BERLIN)
    assert (code, out, err) == (0, "No event matches.\n", "")
    assert "forget" not in {run.job for run in look(memory.root).runs}


def test_without_a_store_there_is_nothing_to_forget(call: Call) -> None:
    code, out, err = call("forget", "--match", "zebra", "--yes")
    assert (code, out) == (0, "")
    assert "no memory yet" in err


def unfinished(memory: Memory) -> None:
    """Leave the note that an erasing has not come to its end."""
    store = memory.access.open_for_writing(None)
    drop_sources(store, [], NOW_US)
    store.close()


def test_what_is_unfinished_is_told_and_ended(memory: Memory, call: Call) -> None:
    unfinished(memory)
    assert "may still be in the files" in call("verify", **BERLIN)[1]
    assert json.loads(call("verify", "--json", **BERLIN)[1])["erasing"]["since_us"] == NOW_US
    code, out, _ = call("forget", "--match", "zebra", **BERLIN)
    assert code == 0
    assert "No event matches." in out
    assert "No file of the store holds anything that was forgotten." in out
    assert json.loads(call("verify", "--json", **BERLIN)[1])["erasing"] is None
    unfinished(memory)
    code, out, _ = call("compact", **BERLIN)
    assert "No file of the store holds anything that was forgotten." in out


def fields(value: object) -> set[str]:
    if isinstance(value, list):
        return {name for item in value for name in fields(item)}
    if isinstance(value, dict):
        inside = {name for below in value.values() for name in fields(below)}
        return set(value) | inside
    return set()


def described(kind: str) -> set[str]:
    parts = re.split(r"^## ([\w, -]+)$", PAGE, flags=re.MULTILINE)
    page = dict(zip(parts[1::2], parts[2::2], strict=True))
    return set(re.findall(r"`(\w+)`", page[kind] + page["events"] + page["ingest"]))


@pytest.mark.parametrize("words", [["--dry-run"], ["--yes"]])
def test_json_names_everything_and_the_page_describes_it(
    memory: Memory, call: Call, words: list[str]
) -> None:
    assert memory.access.exists()
    code, out, _ = call(*NOBODY, *words, "--json", **BERLIN)
    found: dict[str, Any] = json.loads(out)
    assert code == 0
    assert (found["kind"], found["version"], found["events"]) == ("forget", 1, 10)
    assert found["forgotten"] == (10 if words == ["--yes"] else 0)
    levels = {level.word for level in Level}
    assert fields(found) - described("forget") - {"kind", "version", *levels} == set()


def test_compact_describes_itself(memory: Memory, call: Call) -> None:
    assert memory.access.exists()
    found = json.loads(call("compact", "--json", **BERLIN)[1])
    assert (found["kind"], found["result"], found["erased"]) == ("compact", "done", False)
    assert fields(found) - described("compact") - {"kind", "version"} == set()
