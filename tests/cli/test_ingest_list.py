"""`memtool ingest --list`, and the sessions of all agents below the roots that are set."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.agents.contract import ROWS, agent_of, laid_out
from tests.cli.conftest import NOW_US

Call = Callable[..., tuple[int, str, str]]
_DAY_S = 86_400
FOUND = [row for row in ROWS if agent_of(row).roots]


@pytest.fixture
def full_home(tmp_path: Path) -> Path:
    """Return a home in which every agent has left its sample."""
    home = tmp_path / "home"
    for row in FOUND:
        laid_out(row, home / agent_of(row).roots[0].removeprefix("~/"))
    for path in home.rglob("*"):
        os.utime(path, (NOW_US / 1e6 - _DAY_S, NOW_US / 1e6 - _DAY_S))
    return home


def listed(call: Call) -> dict[str, Any]:
    code, out, _ = call("ingest", "--list", "--json")
    assert code == 0
    return {row["agent"]: row for row in json.loads(out)["agents"]}


@pytest.mark.usefixtures("full_home")
def test_every_agent_is_listed_and_ingest_reads_what_is_new(call: Call) -> None:
    before = listed(call)
    assert list(before) == [row.agent for row in FOUND]
    assert all(row["files"] and row["new_files"] == row["files"] for row in before.values())
    assert all(row["new_bytes"] == row["size_bytes"] for row in before.values())
    assert call("ingest")[0] == 0
    after = listed(call)
    assert [row["new_files"] for row in after.values()] == [0] * len(FOUND)
    assert [row["files"] for row in after.values()] == [row["files"] for row in before.values()]
    _, out, _ = call("ingest", "--list")
    assert "new: nothing" in out
    assert "to read" not in out


def test_listing_reads_nothing_and_makes_no_memory(
    call: Call, full_home: Path, tmp_path: Path
) -> None:
    assert full_home.is_dir()
    _, out, _ = call("ingest", "--list")
    assert "To read what is new: memtool ingest" in out
    assert not (tmp_path / "memory").exists()


def test_agents_that_are_not_here_are_named_in_one_line(call: Call) -> None:
    code, out, _ = call("ingest", "--list")
    assert code == 0
    assert out.startswith("Not here: Claude Code, Codex,")
    assert len(out.splitlines()) == 1


def test_it_says_when_an_agent_deletes_and_what_is_lost_then(call: Call, full_home: Path) -> None:
    (full_home / ".claude/settings.json").write_text('{"cleanupPeriodDays": 5}')
    (full_home / ".gemini/settings.json").write_text(
        '{"general": {"sessionRetention": {"enabled": false}}}'
    )
    rows = listed(call)
    assert rows["gemini"]["kept"] is None
    kept = rows["claude-code"]["kept"]
    assert (kept["days"], kept["unread"]) == (5, rows["claude-code"]["files"])
    assert kept["next_us"] == NOW_US + 4 * _DAY_S * 1_000_000
    _, out, _ = call("ingest", "--list")
    assert "will be gone within a week" in out
    call("ingest")
    assert listed(call)["claude-code"]["kept"]["unread"] == 0


def test_what_was_refused_is_listed_with_its_reason(call: Call, full_home: Path) -> None:
    sessions = full_home / ".codex/sessions"
    (sessions / "foreign.jsonl").write_text('{"some": "log"}\n')
    [good] = list(sessions.rglob("*00000001.jsonl"))
    good.write_text(good.read_text() + "{ broken\n")
    (sessions / "notes.txt").write_text("notes")
    call("ingest")
    row = listed(call)["codex"]
    reasons = {Path(one["path"]).name: one["reason"] for one in row["refused"]}
    assert reasons["foreign.jsonl"].startswith("foreign:")
    assert reasons[good.name] == "1 damaged record; the rest was read"
    assert {Path(one["path"]).name for one in row["passed_over"]} == {"notes.txt"}


def test_a_path_beside_list_is_an_error(call: Call, tmp_path: Path) -> None:
    code, _, err = call("ingest", "--list", str(tmp_path))
    assert code == 2
    assert "--list" in err


def test_claudes_layout_is_read_below_other_roots_each_thing_once(
    call: Call, tmp_path: Path
) -> None:
    """Programs that keep Claude Code's layout, homes of containers, and Windows' below /mnt."""
    [row] = [row for row in ROWS if row.agent == "claude-code"]
    for name in ("home/.claude", "mnt/c/Users/ann/.claude", "home/.openclaude"):
        laid_out(row, tmp_path / name)
    other = "0ddba110-0000-4000-8000-000000000001"
    for path in (tmp_path / "home/.openclaude").rglob("*.jsonl"):
        text = path.read_text().replace("c0ffee", "0ddba1")
        path.write_text(text)
    roots = f"{tmp_path}/mnt/c/Users/ann/.claude:~/.openclaude:~/.claude"
    code, _, _ = call("config", "set", "agents.claude-code.roots", roots)
    assert code == 0
    _, out, _ = call("ingest", "--json")
    assert json.loads(out)["events"]["new"] == 2 * row.events
    assert json.loads(out)["events"]["known"] == row.events
    _, out, _ = call("stats", "--json")
    assert json.loads(out)["events"] == 2 * row.events
    assert other[:6] in call("events", "--json", "--limit", "200")[1]
    _, out, _ = call("ingest", "--list")
    assert out.count("Claude Code · ") == 3


def test_documents_of_others_in_a_directory_are_passed_over(call: Call, tmp_path: Path) -> None:
    directory = tmp_path / "mixed"
    [row] = [row for row in ROWS if row.agent == "gemini"]
    laid_out(row, directory)
    (directory / "package.json").write_text('{"name": "x"}\n')
    for _ in range(2):
        code, out, _ = call("ingest", str(directory))
        assert code == 0
        assert "package.json (foreign" in out
    (directory / "other.json").write_text('{"name": "y"}\n')
    code, _, err = call("ingest", str(directory / "other.json"))
    assert code != 0
    assert "foreign" in err
