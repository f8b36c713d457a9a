"""What a walk through the store carries along: the store, what is stale in it, and what was found so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from memtool.model.levels import Level, Period, parse_segment, period_named
from memtool.model.records import EventId, NodeId
from memtool.store.store import Store

MAX_LISTED = 50


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that must not be: where, and what."""

    where: str
    what: str


@dataclass(slots=True)
class Verification:
    """What a walk through the store found."""

    counts: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0
    strange_events: list[tuple[EventId, int]] = field(default_factory=list)
    strange_count: int = 0
    stale: list[NodeId] = field(default_factory=list)
    failed: dict[NodeId, str] = field(default_factory=dict)
    erasing_since_us: int | None = None
    """Since when something is taken away whose bytes may still be in the files; None where nothing is."""
    is_half_built: bool = False
    """Whether a rebuild was begun and has not come to its end."""

    @property
    def healthy(self) -> bool:
        """Return whether nothing is wrong (stale periods and failed nodes only wait)."""
        return self.problem_count == 0

    def say(self, where: str, what: str) -> None:
        """Note a problem; the first ones are kept in full."""
        self.problem_count += 1
        if len(self.problems) < MAX_LISTED:
            self.problems.append(Problem(where, what))


@dataclass(slots=True)
class Walk:
    """The store, the present, what is stale in it, and what was found so far."""

    store: Store
    now_us: int
    stale: frozenset[Period]
    found: Verification

    def is_stale(self, node_id: NodeId) -> bool:
        """Return whether the node waits for a rollup: then its inputs may well differ from it."""
        segment = parse_segment(node_id)
        period = Period(Level.DAY, segment.day) if segment else period_named(node_id)
        return period in self.stale
