"""What many processes do to one store at once; each returns the exit codes that it got."""

from __future__ import annotations

from pathlib import Path

from memtool.query.verify import verify
from memtool.store import keys
from memtool.store.access import Access
from memtool.store.engine import Engine, open_reader, open_writer
from tests.crash.history import AFTER_ALL_US
from tests.crash.tasks import program

Codes = list[tuple[str, int]]
COUNTER = b"\xff\xffcounter"


def commanding(root: Path, commands: list[tuple[str | Path, ...]]) -> Codes:
    """Run the commands one after the other."""
    return [(str(words[0]), program(root, *words)) for words in commands]


def reading(root: Path, rounds: int) -> Codes:
    """Read all there is, again and again: it only grows, and every view of it is sound in itself."""
    seen = 0
    for _ in range(rounds):
        if not Access(root).exists():
            continue
        with Access(root).reading() as store:
            found = verify(store, AFTER_ALL_US)
            assert found.problems == [], found.problems
            assert found.counts.get("events", 0) >= seen
            seen = found.counts.get("events", 0)
    return [("toc", program(root, "toc"))]


def flushing(path: Path, openings: int) -> int:
    """Write one number into all families in one batch, flush and compact, over and over; return the last number."""
    number = 0
    for _ in range(openings):
        engine = open_writer(path)
        for _ in range(10):
            number += 1
            _count(engine, number)
            if number % 4 == 0:
                engine.flush()
            if number % 10 == 3:
                engine.compact(keys.META, None, None)
        engine.close()
    return number


def _count(engine: Engine, number: int) -> None:
    batch = engine.batch()
    for family in keys.FAMILIES:
        batch.put(family, COUNTER, b"%d" % number)
    engine.write(batch, sync=False)


def counters(path: Path) -> set[int]:
    """Return the numbers that a reader finds in the families; 0 where there is none."""
    engine = open_reader(path)
    try:
        return {int(engine.get(family, COUNTER) or b"0") for family in keys.FAMILIES}
    finally:
        engine.close()
