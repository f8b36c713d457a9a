"""Reads who could write summaries, which recipes wrote those there are, what is outdated, and what today has spent.

Counts by streaming: a store of any size takes the same memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path

from msgspec import Struct, field

from memtool.errors import MemtoolError, StorageError
from memtool.ledger.reading import Spent
from memtool.model.calendar import Calendar
from memtool.model.levels import Level, Period, place_of
from memtool.model.records import Recipe
from memtool.query.reader import Reader
from memtool.rollup.configured import options_of, spent_today
from memtool.rollup.plan import Forecast
from memtool.settings import Config
from memtool.store.store import Store
from memtool.summarize import SUMMARIZERS, Row, problem

Counts = Mapping[Level, int]


class Candidate(Struct, frozen=True):
    """A summarizer of the table; `problem` is what it lacks before it can be asked, None where it is ready."""

    row: Row
    is_configured: bool
    problem: MemtoolError | None


def candidates(config: Config, environ: Mapping[str, str], root: Path) -> list[Candidate]:
    """Return every summarizer there is. None of them is called."""
    configured = config.summarizer.name
    return [
        Candidate(row, row.name == configured, _problem(config, environ, root, row.name))
        for row in SUMMARIZERS
    ]


def _problem(
    config: Config, environ: Mapping[str, str], root: Path, name: str
) -> MemtoolError | None:
    try:
        return problem(name, options_of(config, environ, root, name=name))
    except StorageError as error:  # a key file that cannot be read
        return error


class Written(Struct, frozen=True):
    """How many nodes of each level a recipe wrote."""

    recipe: Recipe
    is_current: bool
    nodes: Counts


class Outdated(Struct, frozen=True):
    """How many nodes of each level another recipe wrote; `open_nodes` of them belong to periods that have not ended.

    `price` is what it takes to write the others anew.
    """

    nodes: Counts = field(default_factory=dict)
    open_nodes: int = 0
    price: Forecast = Forecast()


class Today(Struct, frozen=True):
    """What the day that is now has spent."""

    day: Period
    spent: Spent


class Recipes(Struct, frozen=True):
    """The recipes in the store, the current one first, then the one that wrote most. `exists`: there is a store."""

    exists: bool
    zone: str
    today: Today
    written: tuple[Written, ...] = ()
    outdated: Outdated = Outdated()


def recipes(reader: Reader) -> Recipes:
    """Return who wrote the nodes. What is outdated is known only where the reader has a recipe."""
    with reader.store() as store:
        calendar = reader.calendar if store is None else store.calendar
        today = _today(reader.root, calendar, reader.now_us)
        if store is None:
            return Recipes(exists=False, zone=calendar.zone, today=today)
        count = _Count(store, reader)
        for level in Level:
            count.add(level)
        return Recipes(
            exists=True,
            zone=calendar.zone,
            today=today,
            written=tuple(count.written()),
            outdated=count.outdated(),
        )


def _today(root: Path, calendar: Calendar, now_us: int) -> Today:
    spent = spent_today(root, calendar, now_us)
    return Today(calendar.holding(Level.DAY, now_us), spent)


class _Count(Struct):
    """What was counted so far: the nodes by recipe and level, and the closed periods that an upgrade would take up."""

    store: Store
    reader: Reader
    _nodes: dict[Recipe, Counter[Level]] = field(default_factory=dict)
    _outdated: Counter[Level] = field(default_factory=Counter)
    _open: int = 0
    _periods: set[Period] = field(default_factory=set)
    _segments: int = 0
    _tokens: int = 0

    def add(self, level: Level) -> None:
        """Count the nodes of one level, which come in order of time."""
        by_period = groupby(self.store.recipes(level), lambda row: place_of(row[0]).period)
        for period, nodes in by_period:
            old = [node_id for node_id, recipe in nodes if self._add(level, recipe)]
            if not old:
                continue
            if not self.store.calendar.is_closed(period, self.reader.now_us):
                self._open += len(old)
                continue
            self._periods.add(period)
            if level is Level.SEGMENT:
                sizes = {cut.id: cut.tokens for cut in self.store.cuts(period.first)}
                self._segments += len(old)
                self._tokens += sum(sizes.get(node_id, 0) for node_id in old)

    def _add(self, level: Level, recipe: Recipe) -> bool:
        """Count the node, and return whether it is outdated, by the rule of `View.state` and of the rollup."""
        self._nodes.setdefault(recipe, Counter())[level] += 1
        is_old = self.reader.recipe not in (None, recipe)
        self._outdated[level] += is_old
        return is_old

    def written(self) -> Iterator[Written]:
        """Yield the recipes, the current one first, even if it has written nothing."""
        if self.reader.recipe is not None:
            self._nodes.setdefault(self.reader.recipe, Counter())

        def rank(recipe: Recipe) -> tuple[bool, int]:
            return recipe != self.reader.recipe, -self._nodes[recipe].total()

        for recipe in sorted(self._nodes, key=rank):
            yield Written(recipe, recipe == self.reader.recipe, dict(self._nodes[recipe]))

    def outdated(self) -> Outdated:
        """Return what an upgrade would write anew."""
        counts = {level: count for level, count in self._outdated.items() if count}
        price = Forecast(tuple(sorted(self._periods)), self._segments, self._tokens)
        return Outdated(counts, self._open, price)
