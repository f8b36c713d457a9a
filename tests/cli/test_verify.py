"""`memtool verify`: healthy or not, what waits, what is strange; exit 1 for problems and for nothing else."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from memtool.model.levels import Level
from memtool.query import verify
from memtool.store import keys
from memtool.store.access import FORMAT
from tests.cli.golden import Golden
from tests.cli.history import NOW_US, Scribe, call, event, seen
from tests.memory import Memory

Output = pytest.CaptureFixture[str]


def verified(memory: Memory, capsys: Output) -> dict[str, Any]:
    call(memory.root, "verify", "--json")
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def damaged(root: Path) -> Memory:
    """Return a memory that lost its index of ids."""
    memory = Memory(root)
    memory.take_in(
        [event(number, f"2026-12-01T10:{number:02}:00", "prompt", "Hello") for number in range(60)]
    )
    memory.roll_up(Level.DAY, NOW_US, summarizer=Scribe())
    store = memory.access.open_for_writing(None)
    batch = store.engine.batch()
    for key, _ in list(store.engine.scan(keys.IDS)):
        batch.delete(keys.IDS, key)
    store.engine.write(batch, sync=True)
    store.close()
    return memory


def strange(root: Path) -> Memory:
    memory = Memory(root)
    memory.take_in(
        [
            event(1, "1970-01-01T12:00:00", "prompt", "The beginning"),
            event(2, "2100-01-01T12:00:00", "prompt", "The future"),
        ]
    )
    return memory


def test_a_healthy_store_as_it_is_read(memory: Memory, golden: Golden) -> None:
    golden("verify-80", seen(memory.root, "verify"))


def test_what_waits_is_told_and_is_no_problem(memory: Memory, capsys: Output) -> None:
    found = verified(memory, capsys)
    assert found["healthy"] is True
    assert (found["problem_count"], found["problems"]) == (0, [])
    assert "day:2026-12-01" in found["stale"]
    assert "week:2026-11-29" in found["stale"]
    assert "the answer was not usable" in {one["error"] for one in found["failed"]}


def test_problems_are_named_counted_and_exit_1(tmp_path: Path, capsys: Output) -> None:
    memory = damaged(tmp_path / "store")
    assert call(memory.root, "verify") == 1
    shown = capsys.readouterr().out
    assert "the index by id does not lead to it" in shown
    assert "… and " in shown
    assert "Not healthy" in shown
    found = verified(memory, capsys)
    assert found["healthy"] is False
    assert found["problem_count"] > len(found["problems"]) == 50
    assert set(found["problems"][0]) == {"where", "what"}


def test_events_at_strange_times_are_listed_and_are_no_problem(
    tmp_path: Path, capsys: Output
) -> None:
    memory = strange(tmp_path / "store")
    assert call(memory.root, "verify") == 0
    shown = capsys.readouterr().out
    assert "2 events at a strange time" in shown
    assert "Thu 1 Jan 1970 12:00" in shown
    assert "Fri 1 Jan 2100 12:00" in shown
    found = verified(memory, capsys)
    assert found["strange_count"] == 2
    assert [one["time"] for one in found["strange_events"]] == [
        "1970-01-01T12:00:00.000000+00:00", "2100-01-01T12:00:00.000000+00:00",
    ]  # fmt: skip


def test_without_a_store_there_is_nothing_wrong(tmp_path: Path, capsys: Output) -> None:
    assert call(tmp_path / "none", "verify") == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "no memory yet" in said.err
    assert call(tmp_path / "none", "verify", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["exists"], found["healthy"]) == (False, True)


def test_a_store_that_cannot_be_read_exits_74(tmp_path: Path, capsys: Output) -> None:
    memory = strange(tmp_path / "store")
    (memory.access.path / "CURRENT").write_text("MANIFEST-999999\n")
    for command in (["toc"], ["show", "today"], ["grip", "abcd"], ["events"], ["verify"]):
        assert call(memory.root, *command) == 74
        assert "memtool restore BACKUP" in capsys.readouterr().err


def test_a_store_of_a_newer_format_exits_78(tmp_path: Path, capsys: Output) -> None:
    memory = strange(tmp_path / "store")
    (memory.root / "FORMAT").write_text(f"memtool store\nformat {FORMAT + 1}\n")
    for command in (["toc"], ["show", "today"], ["grip", "abcd"], ["events"], ["verify"]):
        assert call(memory.root, *command) == 78
        assert f"format {FORMAT + 1}" in capsys.readouterr().err


def test_a_terminal_sees_how_far_the_walk_is(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = damaged(tmp_path / "store")
    monkeypatch.setattr(verify, "SHOWN_EVERY", 1)
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    assert call(memory.root, "verify", TERM="xterm") == 1
    assert "checking the store" in terminal.getvalue()
    assert "walking" not in capsys.readouterr().out


def test_json_names_everything(memory: Memory, capsys: Output) -> None:
    found = verified(memory, capsys)
    assert set(found) == {
        "kind", "version", "exists", "zone", "healthy", "counts", "problem_count", "problems", "old_count",
        "old_rules_count",
        "strange_count", "strange_events", "stale", "failed", "half_built", "erasing",
    }  # fmt: skip
    assert (found["kind"], found["version"]) == ("verify", 1)
