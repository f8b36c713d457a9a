"""Verifies the store for a reader: the walk itself is `jobs.verify`'s."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from memtool.query.reader import Reader
from memtool.query.verify import Verification, verify

SHOWN_EVERY = 500


@dataclass(frozen=True, slots=True)
class Checked:
    """What the walk found, and the zone in which its times are told. `exists` is whether there is a store at all."""

    exists: bool
    zone: str = "UTC"
    found: Verification = field(default_factory=Verification)


def check(reader: Reader, on_progress: Callable[[int], None]) -> Checked:
    """Return what is wrong with the store; `on_progress` hears now and then how many things were looked at."""
    with reader.store() as store:
        if store is None:
            return Checked(exists=False)
        steps = count(1)

        def checkpoint() -> None:
            done = next(steps)
            if done % SHOWN_EVERY == 0:
                on_progress(done)

        return Checked(True, store.calendar.zone, verify(store, reader.now_us, checkpoint))
