"""What became of the objects of a source. Each is counted exactly once; names from outside are bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import Enum

import msgspec

from memtool.model.records import Event, Record

MAX_NAMES = 50
MAX_NAME_CHARACTERS = 60
OTHER = "other"
OWN = "memtool's own"
EXPIRED = "expired tombstone"
"""Why records are passed over of which a person should know."""


class Disposition(Enum):
    """What became of one object of a source."""

    TAKEN = "taken"
    IGNORED = "ignored"
    METADATA = "metadata"
    UNKNOWN = "unknown"
    DAMAGED = "damaged"


class Outcome(msgspec.Struct, frozen=True):
    """What one object of a source gave: its disposition, the name to count it by (or the reason), and the records."""

    disposition: Disposition
    name: str
    records: tuple[Record, ...] = ()
    redactions: int = 0


def without_time(name: str) -> Outcome:
    """Return the outcome of a record whose time cannot be stored."""
    return Outcome(Disposition.DAMAGED, f"{name}: timestamp is no instant from 1970 to 2200")


class Counts(msgspec.Struct, frozen=True):
    """`parts` = taken + ignored + metadata + unknown + damaged: an object, or a damaged stretch, is one part.

    `events` counts by kind; one taken part may give several. `repaired` lines held bytes that are not UTF-8.
    """

    lines: int = 0
    parts: int = 0
    taken: int = 0
    damaged: int = 0
    repaired: int = 0
    redactions: int = 0
    events: dict[str, int] = {}
    ignored: dict[str, int] = {}
    metadata: dict[str, int] = {}
    unknown: dict[str, int] = {}

    @property
    def skipped(self) -> int:
        """The parts of a type that memtool does not know."""
        return sum(self.unknown.values())


_NUMBERS = ("lines", "parts", "taken", "damaged", "repaired", "redactions")
_NAMED = ("events", "ignored", "metadata", "unknown")


class Tally:
    """Counts in the making."""

    def __init__(self) -> None:
        self._numbers: Counter[str] = Counter()
        self._named: dict[str, Counter[str]] = {name: Counter() for name in _NAMED}

    def add_line(self, *, is_repaired: bool = False) -> None:
        """Count one line."""
        self._numbers["lines"] += 1
        self._numbers["repaired"] += is_repaired

    def add(self, outcome: Outcome) -> None:
        """Count one part."""
        disposition = outcome.disposition.value
        self._numbers["parts"] += 1
        self._numbers["redactions"] += outcome.redactions
        self._named["events"].update(map(_kind, outcome.records))
        if disposition in self._named:
            names, name = self._named[disposition], outcome.name[:MAX_NAME_CHARACTERS]
            names[name if name in names or len(names) < MAX_NAMES else OTHER] += 1
        else:
            self._numbers[disposition] += 1

    def add_counts(self, counts: Counts) -> None:
        """Add what was counted elsewhere."""
        for name in _NUMBERS:
            self._numbers[name] += getattr(counts, name)
        for name in _NAMED:
            self._named[name].update(getattr(counts, name))

    def counts(self) -> Counts:
        """Return what was counted so far."""
        return msgspec.convert({**self._numbers, **self._named}, Counts)


def total(all_counts: Iterable[Counts]) -> Counts:
    """Return the sum."""
    tally = Tally()
    for counts in all_counts:
        tally.add_counts(counts)
    return tally.counts()


def _kind(record: Record) -> str:
    return record.kind if isinstance(record, Event) else type(record).__name__.lower()
