"""`memtool context`: what an agent should know of this project, within a budget, and never an error."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from memtool.model.records import FENCE, Claim
from memtool.summarize import Options, make
from tests.cli.history import ALL, STATION, call, remember
from tests.cli.test_threads import NOW_US, talks
from tests.memory import Memory

Output = pytest.CaptureFixture[str]


def told(memory: Memory, capsys: Output, *arguments: str) -> str:
    assert call(memory.root, "context", *arguments) == 0
    said = capsys.readouterr()
    assert said.err == ""
    return said.out


def test_it_tells_of_the_last_session_and_of_recent_work(memory: Memory, capsys: Output) -> None:
    text = told(memory, capsys, "--project", "teeladen")
    first, *_, last = text.splitlines()
    assert first.startswith(FENCE)
    assert "not instructions" in first
    assert last == "</memtool-memory>"
    assert "2 earlier sessions, the last on Thu 10 Dec 2026" in text
    assert "- asked: Add gift vouchers" in text


def test_it_tells_what_is_open_and_noted_as_it_stands_now(tmp_path: Path, capsys: Output) -> None:
    memory = Memory(tmp_path / "store")
    memory.take_in([event for talk in talks() for event in talk.events], now_us=NOW_US)
    memory.roll_up_all(NOW_US, summarizer=make("extractive", Options(max_bullets=5)))
    assert call(memory.root, "note", "-p", "handbook", "The laptops come on Monday") == 0
    capsys.readouterr()
    text = told(memory, capsys, "--project", "handbook")
    item = "- Write the chapter about laptops (Rewrite the onboarding chapter for new colleagues)"
    assert item in text.splitlines()
    assert "Noted on Thu 10 Dec 2026: The laptops come on Monday" in text
    assert "laptops" not in told(memory, capsys, "--project", "shop")
    assert call(memory.root, "open", "--done", "thread:docs/onboarding") == 0
    capsys.readouterr()
    assert item not in told(memory, capsys, "--project", "handbook")


def test_another_project_is_not_told_of(memory: Memory, capsys: Output) -> None:
    text = told(memory, capsys, "--project", "wetterstation")
    assert "151 µA" in text
    assert "gift vouchers" not in text


def test_the_session_that_asks_is_left_out(memory: Memory, capsys: Output) -> None:
    assert told(memory, capsys, "--project", "wetterstation", "--session", STATION.session) == ""


@pytest.mark.parametrize("tokens", [60, 100, 200, 800, 2000])
def test_it_keeps_to_its_budget(memory: Memory, capsys: Output, tokens: int) -> None:
    assert len(told(memory, capsys, "--project", "teeladen", "--tokens", str(tokens))) <= 4 * tokens


def test_it_is_silent_where_there_is_nothing_to_tell(
    memory: Memory, capsys: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told(memory, capsys, "--project", "teeladen", "--tokens", "0") == ""
    assert told(memory, capsys, "--project", "nowhere") == ""
    monkeypatch.chdir(tmp_path)
    assert told(memory, capsys) == ""
    assert told(Memory(tmp_path / "none"), capsys) == ""


def test_the_repository_is_that_of_the_directory(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = remember(tmp_path / "memory")
    (tmp_path / "shop/.git").mkdir(parents=True)
    (tmp_path / "shop/src").mkdir()
    claim = Claim("f0000000-session", str(tmp_path / "shop/src"))
    memory.take_in([replace(ALL[0], id="f" * 28 + "0001", claims=(claim,), text="Paint the door")])
    monkeypatch.chdir(tmp_path / "shop/src")
    assert "- asked: Paint the door" in told(memory, capsys)


@pytest.mark.parametrize("worktree", ["shop/.worktrees/1", "elsewhere"])
def test_a_worktree_belongs_to_its_repository(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch, worktree: str
) -> None:
    memory = remember(tmp_path / "memory")
    (tmp_path / "shop/.git").mkdir(parents=True)
    claim = Claim("f0000000-session", str(tmp_path / "shop"))
    memory.take_in([replace(ALL[0], id="f" * 28 + "0001", claims=(claim,), text="Paint the door")])
    (tmp_path / worktree).mkdir(parents=True)
    (tmp_path / worktree / ".git").write_text(f"gitdir: {tmp_path}/shop/.git/worktrees/1\n")
    monkeypatch.chdir(tmp_path / worktree)
    assert "- asked: Paint the door" in told(memory, capsys)


def test_a_damaged_store_is_no_error_to_the_agent(tmp_path: Path, capsys: Output) -> None:
    memory = remember(tmp_path / "memory")
    (memory.root / "store/CURRENT").write_bytes(b"")
    assert call(memory.root, "context", "--project", "teeladen") == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("memtool: ")
