"""Steps from each older format of the store to the next. Must never lose what a reader of the older one would find.

Each step may run on what it has changed already, whole or in part: a killed one runs again. The number on the disk is
raised when its step is on the disk. Readers do not migrate: all formats so far read the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from memtool.store.engine import Engine

Step = Callable[[Engine], None]
OLDEST = 1


def _second_generation(_: Engine) -> None:
    """To 2: nothing lies otherwise, but an older memtool would not mark the days of a half-built generation."""


MIGRATIONS: Mapping[int, Step] = {2: _second_generation}
"""By the format that each step leads to."""

FORMAT = OLDEST + len(MIGRATIONS)
assert list(MIGRATIONS) == list(range(OLDEST + 1, FORMAT + 1))


def migrate(
    engine: Engine,
    have: int,
    record: Callable[[int], None],
    steps: Mapping[int, Step] = MIGRATIONS,
) -> None:
    """Bring the store from the format that it has to the newest; the caller holds the writer.

    `record` writes the number on the disk.
    """
    for number in range(have + 1, OLDEST + len(steps) + 1):
        steps[number](engine)
        engine.sync()
        record(number)
