"""Reads who could write summaries, which recipes wrote those there are, what is outdated, and what today has spent.

Counts by streaming: a store of any size takes the same memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import asdict

from memtool.errors import MemtoolError, StorageError
from memtool.model.levels import Level, Period, place_of
from memtool.model.records import NodeId, Recipe
from memtool.query.reader import Reader
from memtool.rollup.configured import budget_of, options_of, spent_today
from memtool.rollup.plan import Forecast, rough_price
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
        return Recipes(True, calendar.zone, today, *_counted(store, reader))


def _counted(store: Store, reader: Reader) -> tuple[tuple[Written, ...], Outdated]:
    """Count the nodes by recipe and level, and what an upgrade of the closed periods would write again."""
    current = reader.recipe
    nodes: dict[Recipe, Counter[Level]] = {} if current is None else {current: Counter()}
    outdated: Counter[Level] = Counter()
    periods: set[Period] = set()
    open_nodes = segments = tokens = 0
    for level in Level:
        # The nodes of one level come in order of time.
        for period, rows in groupby(store.recipes(level), lambda row: place_of(row[0]).period):
            old: set[NodeId] = set()
            for node_id, recipe in rows:
                nodes.setdefault(recipe, Counter())[level] += 1
                if current not in (None, recipe):
                    old.add(node_id)
            outdated[level] += len(old)
            if old and not store.calendar.is_closed(period, reader.now_us):
                open_nodes += len(old)
            elif old:
                periods.add(period)
                if level is Level.SEGMENT:
                    segments += len(old)
                    tokens += sum(cut.tokens for cut in store.cuts(period.first) if cut.id in old)
    # The current recipe comes first, even if it has written nothing, then the one that wrote most.
    in_order = sorted(nodes, key=lambda recipe: (recipe != current, -nodes[recipe].total()))
    written = tuple(
        Written(**asdict(recipe), current=recipe == current, nodes=by_level(nodes[recipe]))
        for recipe in in_order
    )
    waiting = {each.name for each in SUMMARIZERS if each.waits}
    asks_a_model = current is not None and current.summarizer in waiting
    model = rough_price(periods) if asks_a_model else None
    price = Forecast(tuple(sorted(periods)), segments, tokens, model=model)
    return written, Outdated(by_level(outdated), open_nodes, price.calls, price.spend)
