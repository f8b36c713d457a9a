"""Some dozens of random SIGKILLs on one store, by a fixed seed; benchmarks/kills.py does a thousand."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.chances import Chances
from tests.crash.forks import Forks
from tests.crash.random_kills import Kills

KILLS = 36
SEED = 20_261_123


@pytest.fixture
def _environ_as_before() -> Iterator[None]:
    """Let what the environment is changed to, for the commands, end with the test."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


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
    assert len({name for name, what in kills.counts if what != "ended"}) > 10
