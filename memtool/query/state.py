"""What state a node is in: decided from marks, failures, the calendar and the recipe, never stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property

from memtool.model.levels import Level, Period, parse_segment, period_named, stale_periods
from memtool.model.records import Node, NodeId, Recipe
from memtool.query.reader import Reader
from memtool.store.codec import Failure
from memtool.store.store import Store


@dataclass(frozen=True, slots=True)
class State:
    """The words of the design, each true or not; `failed` where the last try to write it did."""

    open: bool = False
    stale: bool = False
    outdated: bool = False
    incomplete: bool = False
    failed: bool = False

    @property
    def words(self) -> list[str]:
        """Those that are true."""
        return [row.name for row in fields(self) if getattr(self, row.name)]


@dataclass(frozen=True)  # without slots: what is computed on first use is kept
class View:
    """A store as one reader sees it."""

    store: Store
    reader: Reader

    @cached_property
    def marked(self) -> frozenset[Period]:
        """The periods with a mark of their own."""
        return frozenset(self.store.marks())

    @cached_property
    def stale(self) -> frozenset[Period]:
        """Every period that is marked or fed by a marked one."""
        return stale_periods(self.marked, self.week_start)

    @cached_property
    def failures(self) -> Mapping[NodeId, Failure]:
        """What could not be summarised."""
        return self.store.failures()

    @property
    def week_start(self) -> int:
        """The weekday at which weeks start."""
        return self.store.calendar.week_start

    def state(self, node_id: NodeId, node: Node | None) -> State:
        """Return the state of a node, or of a period that has none yet."""
        period = period_holding(node_id)
        return State(
            open=not self.store.calendar.is_closed(period, self.reader.now_us),
            stale=node is not None and period in self.stale,
            outdated=node is not None and self._is_outdated(node.recipe),
            incomplete=node is not None and bool(node.gaps),
            failed=node_id in self.failures,
        )

    def _is_outdated(self, recipe: Recipe) -> bool:
        return self.reader.recipe is not None and recipe != self.reader.recipe


def period_holding(node_id: NodeId) -> Period:
    """Return the period itself, or the day that a segment is of."""
    segment = parse_segment(node_id)
    return Period(Level.DAY, segment.day) if segment else period_named(node_id)
