"""What happened to the objects of a source: every one is counted exactly once. Names from outside are bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from memtool.agents import Fate, Outcome
from memtool.model.records import Event

MAX_NAMES = 50
MAX_NAME_CHARACTERS = 60
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Counts:
    """`parts` = taken + ignored + metadata + unknown + damaged: an object, or a damaged stretch, is one part.

    `events` counts by kind; one taken part may give several. `repaired` lines held bytes that were no UTF-8.
    """

    lines: int = 0
    parts: int = 0
    taken: int = 0
    damaged: int = 0
    repaired: int = 0
    redactions: int = 0
    events: dict[str, int] = field(default_factory=dict)
    ignored: dict[str, int] = field(default_factory=dict)
    metadata: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)

    @property
    def skipped(self) -> int:
        """The parts of a type that memtool does not know."""
        return sum(self.unknown.values())


class Tally:
    """Counts in the making."""

    def __init__(self) -> None:
        self.lines = self.parts = self.taken = self.damaged = self.repaired = self.redactions = 0
        self.events: Counter[str] = Counter()
        self.named: dict[Fate, Counter[str]] = {
            fate: Counter() for fate in (Fate.IGNORED, Fate.METADATA, Fate.UNKNOWN)
        }

    def add(self, outcome: Outcome) -> None:
        """Count one part."""
        self.parts += 1
        self.redactions += outcome.redactions
        self.taken += outcome.fate is Fate.TAKEN
        self.damaged += outcome.fate is Fate.DAMAGED
        self.events.update(_kind(record) for record in outcome.records)
        if outcome.fate in self.named:
            _count_name(self.named[outcome.fate], outcome.name)

    def counts(self) -> Counts:
        """Return what was counted so far."""
        return Counts(
            lines=self.lines,
            parts=self.parts,
            taken=self.taken,
            damaged=self.damaged,
            repaired=self.repaired,
            redactions=self.redactions,
            events=dict(self.events),
            ignored=dict(self.named[Fate.IGNORED]),
            metadata=dict(self.named[Fate.METADATA]),
            unknown=dict(self.named[Fate.UNKNOWN]),
        )


def total(all_counts: Iterable[Counts]) -> Counts:
    """Return the sum."""
    tally = Tally()
    for counts in all_counts:
        tally.lines += counts.lines
        tally.parts += counts.parts
        tally.taken += counts.taken
        tally.damaged += counts.damaged
        tally.repaired += counts.repaired
        tally.redactions += counts.redactions
        tally.events.update(counts.events)
        tally.named[Fate.IGNORED].update(counts.ignored)
        tally.named[Fate.METADATA].update(counts.metadata)
        tally.named[Fate.UNKNOWN].update(counts.unknown)
    return tally.counts()


def _kind(record: object) -> str:
    return record.kind if isinstance(record, Event) else type(record).__name__.lower()


def _count_name(names: Counter[str], name: str) -> None:
    name = name[:MAX_NAME_CHARACTERS]
    names[name if name in names or len(names) < MAX_NAMES else OTHER] += 1
