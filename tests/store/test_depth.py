"""A write is found in three calls: a function of the store, its batch, and RocksDB."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from memtool.jobs.forget import Selector
from memtool.store.engine import Engine, RawBatch
from tests.crash.events import an_event
from tests.forgetting import compacted, forgotten
from tests.memory import Memory

LATER_US = 1_800_000_000_000_000
MOST_CALLS = 3


def test_no_write_is_more_than_three_calls_deep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Engine.write
    writers: dict[str, int] = {}

    def write(engine: Engine, batch: RawBatch, *, sync: bool) -> None:
        called = [sys._getframe()]
        while (caller := called[-1].f_back) is not None:
            called.append(caller)
        names = [
            frame.f_code.co_name
            for frame in called
            if frame.f_globals["__name__"].startswith("memtool.store.")
            and not frame.f_globals["__name__"].endswith(".access")
        ]
        writers[names[-1] if names else "access"] = 1 + len(names)
        real(engine, batch, sync=sync)

    monkeypatch.setattr(Engine, "write", write)
    memory = Memory(tmp_path / "memory")
    memory.take_in([an_event(number) for number in range(5)])
    memory.roll_up_all(LATER_US)
    forgotten(memory, LATER_US, Selector(agent=an_event(1).agent, events=(an_event(1).id,)))
    compacted(memory, LATER_US)
    assert {"capture", "replace_cuts", "put_node", "forget_events"} <= writers.keys()
    assert {name: depth for name, depth in writers.items() if depth > MOST_CALLS} == {}
