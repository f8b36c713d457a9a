"""Reads who could write summaries, which recipes wrote those there are, what is outdated, and what today has spent.

Counts by streaming: a store of any size takes the same memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import asdict

from memtool.errors import MemtoolError, StorageError
from memtool.model.levels import Level, Period, place_of
from memtool.model.records import Recipe
from memtool.query.reader import Reader
from memtool.rollup.configured import budget_of, options_of, spent_today
from memtool.rollup.plan import Forecast
from memtool.settings import Config
from memtool.store.store import Store
from memtool.summarize import SUMMARIZERS, Row, problem
from memtool.summarize.calls import Budget

Counts = Mapping[str, int]
"""How many nodes of each level."""


def by_level(counts: Mapping[Level, int]) -> Counts:
    """Return the counts by the names of the levels, of all of them."""
    return {level.word: counts.get(level, 0) for level in Level}


class Candidate(Struct, frozen=True):
    """A summarizer of the table; `problem` is what it lacks before it can be used, empty if it is ready."""

    name: str
    about: str
    needs_network: bool
    configured: bool
    ready: bool
    problem: str
    hint: str
    waits: bool = field(name="_waits", default=False)


class Written(Recipe, frozen=True):
    """A recipe, and how many nodes of each level it wrote."""

    current: bool = False
    nodes: Counts = field(default_factory=dict)


class Outdated(Struct, frozen=True):
    """How many nodes of each level another recipe wrote; `open` of them belong to periods that have not ended.

    `calls` and `spend` (in tokens) are what it takes to write the others again.
    """

    nodes: Counts
    open: int = 0
    calls: int = 0
    spend: int = 0


class Today(Struct, frozen=True):
    """What the current day has spent."""

    day: str
    calls: int
    tokens: int
    failed: int


class Recipes(Struct, frozen=True):
    """The recipes in the store, the current one first, then the one that wrote most. `exists`: there is a store."""

    exists: bool
    zone: str
    today: Today
    written: tuple[Written, ...]
    outdated: Outdated


class Summarizers(Struct, frozen=True):
    """What can write summaries, which recipes wrote those in the store, and what today has spent."""

    exists: bool
    zone: str
    summarizers: tuple[Candidate, ...]
    recipe: Recipe | None
    recipes: tuple[Written, ...]
    outdated: Outdated
    today: Today
    budget: Budget


def summarizers(reader: Reader, config: Config, environ: Mapping[str, str]) -> Summarizers:
    """Return every summarizer there is, and who wrote the nodes. No summarizer is called."""
    found = recipes(reader)
    return Summarizers(
        exists=found.exists,
        zone=found.zone,
        summarizers=tuple(_candidate(config, environ, reader.root, row) for row in SUMMARIZERS),
        recipe=reader.recipe,
        recipes=found.written,
        outdated=found.outdated,
        today=found.today,
        budget=budget_of(config, None),
    )


def _candidate(config: Config, environ: Mapping[str, str], root: Path, row: Row) -> Candidate:
    lacks: MemtoolError | None
    try:
        lacks = problem(row.name, options_of(config, environ, root, name=row.name))
    except StorageError as error:  # a key file that cannot be read
        lacks = error
    return Candidate(
        name=row.name,
        about=row.about,
        needs_network=row.needs_network,
        configured=row.name == config.summarizer.name,
        ready=lacks is None,
        problem=lacks.message if lacks else "",
        hint=lacks.hint if lacks else "",
        waits=row.waits,
    )


def recipes(reader: Reader) -> Recipes:
    """Return who wrote the nodes. What is outdated is known only if the reader has a recipe."""
    with reader.store() as store:
        calendar = reader.calendar if store is None else store.calendar
        spent = spent_today(reader.root, calendar, reader.now_us)
        day = calendar.holding(Level.DAY, reader.now_us).id
        today = Today(day, spent.calls, spent.tokens, spent.failed)
        if store is None:
            return Recipes(False, calendar.zone, today, (), Outdated(by_level({})))
        count = _Count(store, reader)
        for level in Level:
            count.add(level)
        return Recipes(True, calendar.zone, today, tuple(count.written()), count.outdated())


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
            nodes = by_level(self._nodes[recipe])
            yield Written(**asdict(recipe), current=recipe == self.reader.recipe, nodes=nodes)

    def outdated(self) -> Outdated:
        """Return what an upgrade would write again."""
        price = Forecast(tuple(sorted(self._periods)), self._segments, self._tokens)
        return Outdated(by_level(self._outdated), self._open, price.calls, price.spend)
