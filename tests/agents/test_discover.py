"""Discovery names what is read and what is not, in a fixed order, and no file system trick stops it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from memtool.agents.discover import discover
from memtool.agents.registry import AGENTS, Root


def made(root: Path, *names: str) -> list[Path]:
    paths = [root / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


def test_all_sessions_are_found_and_what_is_not_read_says_why(tmp_path: Path) -> None:
    b, a, old, new, journal, copy, index = made(
        tmp_path / "projects",
        "p2/b.jsonl",
        "p1/a.jsonl",
        "p1/agent-1.jsonl",
        "p1/a/subagents/agent-2.jsonl",
        "p1/a/subagents/workflows/w/journal.jsonl",
        "p1/a/subagents/agent-acompact-3.jsonl",
        "p1/sessions-index.json",
    )
    found = discover(roots=(Root(AGENTS[0], tmp_path),))
    assert found.files == tuple(sorted((a, b, old, new)))
    reasons = dict(found.unread)
    assert set(reasons) == {journal, copy, index}
    assert "repeats the main session" in reasons[copy]
    assert "journal" in reasons[journal]
    assert found.failed == ()


def test_no_claude_directory_is_nothing_to_read(tmp_path: Path) -> None:
    assert discover(roots=(Root(AGENTS[0], tmp_path / "missing"),)).files == ()
    assert discover().files == ()


def test_named_files_are_read_whatever_their_name_and_directories_walked(tmp_path: Path) -> None:
    log, deep, _, agent = made(tmp_path, "x.log", "d/e/f.jsonl", "d/notes.txt", "agent-7.jsonl")
    found = discover([tmp_path / "d", log, agent])
    assert found.files == (agent, deep, log)
    assert found.unread == ()


def test_a_name_that_leads_nowhere_is_reported_and_the_rest_read(tmp_path: Path) -> None:
    [good] = made(tmp_path, "a.jsonl")
    found = discover([tmp_path / "missing.jsonl", good])
    assert found.files == (good,)
    assert [path for path, _ in found.failed] == [tmp_path / "missing.jsonl"]


def test_links_in_circles_and_to_nothing_end(tmp_path: Path) -> None:
    [real] = made(tmp_path, "projects/p/a.jsonl")
    (real.parent / "loop").symlink_to(tmp_path / "projects")
    (real.parent / "self.jsonl").symlink_to(real.parent / "self.jsonl")
    (real.parent / "gone.jsonl").symlink_to(tmp_path / "gone")
    (real.parent / "b.jsonl").symlink_to(real)
    found = discover(roots=(Root(AGENTS[0], tmp_path),))
    assert found.files == (real,)
    assert [path.name for path, _ in found.unread] == ["gone.jsonl", "self.jsonl"]
    assert found.failed == ()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_directory_that_may_not_be_read_is_reported(tmp_path: Path) -> None:
    good, hidden = made(tmp_path, "projects/p/a.jsonl", "projects/q/b.jsonl")
    hidden.parent.chmod(0)
    found = discover(roots=(Root(AGENTS[0], tmp_path),))
    hidden.parent.chmod(0o700)
    assert found.files == (good,)
    assert found.failed[0][0] == hidden.parent


def test_a_fifo_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    assert discover([tmp_path / "pipe.jsonl"]).files == ()
    assert discover([tmp_path]).files == ()
