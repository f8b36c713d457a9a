"""A store whose machine loses power: what each batch left, and how long the log was right after it was written."""

from __future__ import annotations

import math
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memtool.context import RunContext
from memtool.locks import Holder, LockWait, writer
from memtool.model.levels import Level
from memtool.model.records import Event
from memtool.rollup.engine import Rollup
from memtool.rollup.plan import Choices, RollupOptions
from memtool.store import access as access_module
from memtool.store import keys
from memtool.store.access import Access, Lease
from memtool.store.capture import capture
from memtool.store.engine import Engine, RawBatch
from memtool.summarize.mock import Mock
from tests.crash.checks import Rows
from tests.crash.history import AFTER_ALL_US
from tests.crash.steps import kill_this_process
from tests.memory import UTC_CALENDAR


@dataclass(frozen=True, slots=True)
class Step:
    """The state after a batch, whether it was synced, and how long the log was when its write returned."""

    rows: Rows
    is_synced: bool
    log_bytes: int


def log_of(store: Path) -> Path:
    """Return the one log of RocksDB's that holds anything."""
    (log,) = [file for file in store.glob("*.log") if file.stat().st_size]
    return log


def _rows(engine: Engine) -> Rows:
    return {name: dict(engine.scan(name)) for name in keys.FAMILIES}


def _note_steps(store: Path, steps: list[Step]) -> None:
    real = Engine.write

    def write(engine: Engine, batch: RawBatch, *, sync: bool) -> None:
        real(engine, batch, sync=sync)
        steps.append(Step(_rows(engine), sync, log_of(store).stat().st_size))

    setattr(Engine, "write", write)  # noqa: B010


def lose_power(root: Path, batches: list[list[Event]], kept: Path) -> None:
    """Take in batch after batch, then write nodes, all into one log; die before anything more is synced."""
    owner = Holder(0, "test", 0)
    setattr(access_module, "SLICE_S", math.inf)  # noqa: B010 - one log for all of it
    steps: list[Step] = []

    def lock() -> Any:
        return writer(root, owner, LockWait(0))

    with Access(root).lease(lock, UTC_CALENDAR) as lease:
        store = lease.store()
        _note_steps(root / "store", steps)
        for batch in batches:
            capture(store, batch)
        _roll_up(lease)
        kept.write_bytes(pickle.dumps(steps))
        kill_this_process()


def _roll_up(lease: Lease) -> None:
    store = lease.store()
    options = RollupOptions(Level.DAY, Mock(5), store.calendar, zone_is_set=True, choices=Choices())
    context = RunContext(Path(), AFTER_ALL_US, Holder(0, "test", 0))
    Rollup(context, options, lease).bring_up(store.marks())
