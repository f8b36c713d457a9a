"""Where reading or writing is not allowed: 74 and the path, nothing changed, and the next run finishes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.crash import history
from tests.crash.checks import assert_sound, event_ids
from tests.crash.disk import read_only, small_disk
from tests.crash.forks import Ended, Forks
from tests.crash.tasks import Command, as_nobody, program, programs, without_privileges

WRITERS: tuple[Command, ...] = (("ingest",), ("rollup", "all"), ("compact",))
READERS: tuple[Command, ...] = (("toc",), ("verify",))
COMMANDS = (*WRITERS, *READERS)


@contextmanager
def mode(path: Path, bits: int) -> Iterator[None]:
    """Give the path these bits meanwhile."""
    before = path.stat().st_mode
    path.chmod(bits)
    try:
        yield
    finally:
        path.chmod(before)


@pytest.fixture
def transcripts(tmp_path: Path) -> Path:
    """Return transcripts."""
    return history.early(tmp_path / "transcripts")


@pytest.fixture
def root(forks: Forks, transcripts: Path, tmp_path: Path) -> Path:
    """Return a store that lacks what came late."""
    memory = tmp_path / "memory"
    assert forks.run(programs, memory, ("ingest", transcripts), ("rollup", "all")).value == [0, 0]
    history.late(transcripts)
    return memory


def with_paths(command: Command, transcripts: Path) -> Command:
    """Return the command with what it reads."""
    return (*command, transcripts) if command == ("ingest",) else command


def assert_refused(ended: Ended[int], path: Path) -> None:
    """Check that it ended 74 and named the path, and what to do."""
    assert ended.value == 74, (ended.output, ended.errors)
    said = ended.errors.splitlines()[-2:]  # before it there may be talk
    assert [line.split(":")[0] for line in said] == ["memtool", "hint"], ended.errors
    assert str(path) in said[0]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("place", ["", "store", "FORMAT"])
def test_what_may_not_be_read_is_named(
    forks: Forks, root: Path, transcripts: Path, place: str, command: Command
) -> None:
    with mode(root / place, 0o000):
        ended = forks.run(without_privileges, root, *with_paths(command, transcripts))
    assert_refused(ended, root / place)
    assert_sound(root)


@pytest.mark.parametrize("place", ["store", "locks/job-ingest", "ledger/ledger.sqlite3"])
def test_what_may_not_be_written_is_named_and_the_next_run_goes_on(
    forks: Forks, root: Path, transcripts: Path, place: str
) -> None:
    accepted = event_ids(root)
    with mode(root / place, 0o500):
        ended = forks.run(without_privileges, root, "ingest", transcripts)
    assert_refused(ended, root / place)
    assert_sound(root, accepted)
    assert forks.run(program, root, "ingest", transcripts).value == 0
    assert event_ids(root) == history.ids(transcripts.iterdir())


def test_no_store_is_made_where_nothing_may_be_written(
    forks: Forks, transcripts: Path, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    with mode(place, 0o500):
        assert_refused(
            forks.run(without_privileges, place / "memory", "ingest", transcripts), place
        )
    assert list(place.iterdir()) == []


@pytest.mark.root
@pytest.mark.skipif(os.getuid() != 0, reason="NOT ROOT: no other user to be")
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_another_user_is_refused(
    forks: Forks, root: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/nonexistent")  # else it is our config that is refused first
    assert_refused(forks.run(as_nobody, root, *command), root)


@pytest.mark.root
@pytest.mark.skipif(os.getuid() != 0, reason="NOT ROOT: no read-only disk")
def test_a_read_only_disk_is_named_and_the_next_run_goes_on(
    forks: Forks, transcripts: Path, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", 32 << 20) as disk:
        memory = disk / "memory"
        assert forks.run(program, memory, "ingest", transcripts).value == 0
        with read_only(disk):
            for command in WRITERS:
                ended = forks.run(program, memory, *with_paths(command, transcripts))
                assert_refused(ended, memory)
                assert "read-only" in ended.errors
            for command in READERS:
                assert forks.run(program, memory, *command).value == 0
        assert_sound(memory, history.ids(transcripts.iterdir()))
        assert forks.run(program, memory, "rollup", "all").value == 0


def ingested(forks: Forks, root: Path) -> tuple[int, str, str]:
    ended = forks.run(without_privileges, root, "ingest")
    return ended.value, ended.output, ended.errors


@pytest.mark.parametrize(
    "kind", ["file", "grown file", "directory", "root", "link into a closed directory"]
)
def test_a_transcript_that_cannot_be_read_is_told_once_then_listed_until_it_can(
    forks: Forks, root: Path, home: Path, kind: str
) -> None:
    projects = home / ".claude/projects"
    history.early(projects / "good")
    bad = next(iter(history.early(projects / "bad").iterdir()))
    closed = bad if kind.endswith("file") else bad.parent
    if kind == "grown file":
        assert ingested(forks, root)[0] == 0
        history.write(bad, history.exchange("alpha", "2025-01-05", 8), more=True)
    if kind == "root":
        closed = home / ".claude"
    if kind.startswith("link"):
        closed = home / "elsewhere"
        bad.parent.rename(closed)
        bad.parent.mkdir()
        for path in closed.iterdir():
            (bad.parent / path.name).symlink_to(path)
    with mode(closed, 0):
        code, out, errors = ingested(forks, root)
        assert (code, "not readable" in out) == (1, True)
        assert "permission denied" in errors
        for _ in range(2):
            code, out, errors = ingested(forks, root)
            assert (code, errors) == (0, "")
            assert "cannot read, as reported before: " in out
        status = forks.run(without_privileges, root, "scheduler", "status", "--json")
        (problem,) = json.loads(status.output)["warnings"]
        assert (status.value, problem["kind"]) == (1, "unreadable")
        assert "permission denied" in problem["text"]
        doctor = forks.run(without_privileges, root, "doctor").output
        assert "problem  transcripts: " in doctor
    code, out, errors = ingested(forks, root)
    assert (code, "readable" in out, "reported before" in out) == (0, False, False)
    assert forks.run(without_privileges, root, "scheduler", "status").value == 0
    assert event_ids(root) >= history.ids(projects.rglob("*.jsonl"))


def test_another_transcript_that_cannot_be_read_is_news(
    forks: Forks, root: Path, home: Path
) -> None:
    first, second, *_ = sorted(history.early(home / ".claude/projects/x").iterdir())
    with mode(first, 0):
        assert [ingested(forks, root)[0] for _ in range(2)] == [1, 0]
        history.write(second, history.exchange("beta", "2025-01-05", 8), more=True)
        with mode(second, 0):
            code, _, errors = ingested(forks, root)
            assert (code, str(second) in errors, str(first) in errors) == (1, True, False)
            assert ingested(forks, root)[0] == 0


def test_what_a_person_names_must_be_readable(forks: Forks, root: Path, tmp_path: Path) -> None:
    file = tmp_path / "named.jsonl"
    file.write_text("{}\n")
    with mode(file, 0):
        for _ in range(2):
            assert_refused(forks.run(without_privileges, root, "ingest", file), file)


def test_a_search_starts_no_ingest_for_what_cannot_be_read(
    forks: Forks, root: Path, home: Path
) -> None:
    first, *_ = sorted(history.early(home / ".claude/projects/x").iterdir())
    history.write(first, history.exchange("alpha", "2025-01-05", 8), more=True)
    with mode(first, 0):
        assert ingested(forks, root)[0] == 1
        before = forks.run(program, root, "scheduler", "history", "--json").output
        ended = forks.run(without_privileges, root, "search", "clock")
        assert (ended.value, ended.errors) == (0, "")
        assert forks.run(program, root, "scheduler", "history", "--json").output == before
    assert forks.run(without_privileges, root, "search", "clock").value == 0
    assert forks.run(program, root, "scheduler", "history", "--json").output != before
