"""Thirty random SIGKILLs on one store, by a fixed seed; benchmarks/kills.py does a thousand."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash import history
from tests.crash.chances import Chances
from tests.crash.forks import Forks
from tests.crash.random_kills import Kills
from tests.crash.tasks import program
from tests.memory import Memory

KILLS = 30
SEED = 20_261_123


@pytest.fixture
def _environ_as_before() -> Iterator[None]:
    """Let what the environment is changed to, for the commands, end with the test."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.slow
@pytest.mark.usefixtures("_environ_as_before")
def test_after_any_kill_nothing_is_lost_or_twice_and_all_comes_to_its_end(
    forks: Forks, tmp_path: Path
) -> None:
    now_us = time.time_ns() // 1000
    kills, chances = Kills(forks, tmp_path, now_us), Chances(SEED, now_us)
    while kills.kills < KILLS:
        kills.do(kills.next(chances))
    kills.finish()
    assert kills.compared


def test_what_a_killed_open_has_half_written_goes_with_the_next(
    forks: Forks, tmp_path: Path
) -> None:
    """RocksDB keeps such files for ever: seen as 70 kB for every hundred kills."""
    root, transcripts = tmp_path / "memory", history.early(tmp_path / "transcripts")
    assert forks.run(program, root, "ingest", transcripts).value == 0
    torn = root / "store" / "OPTIONS-000007.dbtmp"
    torn.write_text("torn")
    assert forks.run(program, root, "compact").value == 0
    assert not torn.exists()


def test_a_reader_makes_no_file_that_a_kill_could_leave(
    forks: Forks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, transcripts = tmp_path / "memory", history.early(tmp_path / "transcripts")
    assert forks.run(program, root, "ingest", transcripts).value == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(elsewhere))
    before = sorted(root.rglob("*"))
    with Memory(root).access.reading():
        assert list(elsewhere.iterdir()) == []
        assert sorted(root.rglob("*")) == before
