"""Power loss: the log is cut at every length; what was acknowledged is there, and whole batches only."""

from __future__ import annotations

import os
import pickle
import random
import shutil
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

import pytest

from memtool.store.engine import open_writer
from memtool.store.store import Store
from tests.crash.checks import Rows, assert_sound, closed_part, everything
from tests.crash.events import an_event
from tests.crash.forks import Forks
from tests.crash.history import AFTER_ALL_US
from tests.crash.power import Step, log_of, lose_power
from tests.memory import Memory

GARBAGE_BYTES = 300


BATCHES = [[an_event(0)], [an_event(1)]]
EVENTS = [event for batch in BATCHES for event in batch]
SHARDS = 4


class Loss:
    """A store whose process died with a log that is only partly synced."""

    def __init__(self, forks: Forks, place: Path) -> None:
        self.root = place / "lost"
        kept = place / "steps"
        assert forks.run(lose_power, self.root, BATCHES, kept).status < 0
        self.steps: list[Step] = pickle.loads(kept.read_bytes())
        self.place = place

    @property
    def acknowledged(self) -> Step:
        """The last synced batch."""
        return [step for step in self.steps if step.is_synced][-1]

    @property
    def full_bytes(self) -> int:
        return log_of(self.root / "store").stat().st_size

    def after(self, log_bytes: int) -> Rows:
        """Return the state that a log of this length must give."""
        lengths = [step.log_bytes for step in self.steps]
        return self.steps[bisect_right(lengths, log_bytes) - 1].rows

    def copy(self, log_bytes: int, tail: bytes = b"") -> Path:
        """Return a copy whose log was cut at this length and goes on with something else."""
        root = self.place / "copy"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(self.root, root)
        log = log_of(root / "store")
        os.truncate(log, log_bytes)
        with log.open("ab") as stream:
            stream.write(tail)
        return root


@pytest.fixture
def loss(forks: Forks, tmp_path: Path) -> Loss:
    """Return a store with two synced batches of events and unsynced nodes of all they have."""
    lost = Loss(forks, tmp_path)
    assert [step.is_synced for step in lost.steps[:3]] == [True, True, False]
    assert lost.steps[-1].log_bytes == lost.full_bytes
    return lost


def recovered(root: Path) -> Rows:
    """Return what a writer finds."""
    store = Store(open_writer(root / "store"))
    store.close()
    return everything(root)


def names(root: Path) -> set[str]:
    return {file.name for file in (root / "store").iterdir()}


def edges(loss: Loss) -> Iterator[int]:
    """Yield lengths from the first acknowledged batch on, close together where batches begin and end."""
    ends = [step.log_bytes for step in loss.steps]
    near = {end + shift for end in ends for shift in (-1, 0, 1, 7, 8)}
    between = range(ends[0], loss.full_bytes, 211)
    yield from sorted({one for one in near | set(between) if ends[0] <= one <= loss.full_bytes})


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_reader_sees_whole_batches_at_every_length_of_the_log(loss: Loss, shard: int) -> None:
    root = loss.copy(loss.full_bytes)
    log = log_of(root / "store")
    lengths = range(loss.steps[0].log_bytes, loss.full_bytes + 1)
    for length in reversed(lengths[shard::SHARDS]):
        os.truncate(log, length)
        assert everything(root) == loss.after(length), length


def test_a_writer_recovers_whole_batches_and_all_that_was_acknowledged(loss: Loss) -> None:
    for length in edges(loss):
        assert recovered(loss.copy(length)) == loss.after(length), length


@pytest.mark.parametrize("kind", ["zeros", "random", "old log"])
def test_garbage_behind_the_synced_length_is_passed_over(loss: Loss, kind: str) -> None:
    """A file system may have lengthened the file without its data, or with blocks that were another file's."""
    log = log_of(loss.root / "store").read_bytes()
    tails = {
        "zeros": bytes(GARBAGE_BYTES),
        "random": random.Random(1).randbytes(GARBAGE_BYTES),
        "old log": log[:GARBAGE_BYTES],
    }
    for step in loss.steps[1:]:
        for shift in (0, 3, 40):
            length = min(step.log_bytes + shift, loss.full_bytes)
            root = loss.copy(length, tails[kind])
            files = names(root)
            assert everything(root) == loss.after(length), "a reader"
            assert names(root) == files  # and it leaves the directory to the writers
            assert recovered(root) == loss.after(length), "a writer"


def test_the_next_run_goes_on_from_any_batch(loss: Loss, tmp_path: Path) -> None:
    """Whatever batch was the last to reach the disk, the nightly jobs end where they would have."""
    undisturbed = Memory(tmp_path / "undisturbed")
    undisturbed.take_in(EVENTS)
    undisturbed.roll_up_all(AFTER_ALL_US)
    for step in loss.steps[1:]:
        root = loss.copy(step.log_bytes)
        assert_sound(root, [event.id for event in EVENTS])
        memory = Memory(root)
        assert memory.take_in(EVENTS).new == 0
        memory.roll_up_all(AFTER_ALL_US)
        assert closed_part(root) == closed_part(undisturbed.root)
        assert_sound(root)
