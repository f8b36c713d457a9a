"""What the models took for the recorded work, by day, project and model: tokens, and money where a price is set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date

from msgspec import Struct

from memtool.model.levels import Level, Period
from memtool.model.records import NodeId
from memtool.model.threads import Usage, joined_usage, turns_in
from memtool.query.reader import Reader
from memtool.store.store import Store

_MILLION = 1_000_000


class Price(Struct, frozen=True):
    """What a million tokens of the models whose names begin so cost, in dollars."""

    model: str
    input: float
    output: float
    cache_read: float
    cache_write: float

    def of(self, usage: Usage) -> float:
        """Return what this usage costs."""
        return (
            usage.input * self.input
            + usage.output * self.output
            + usage.cache_read * self.cache_read
            + usage.cache_write * self.cache_write
        ) / _MILLION


def prices_in(text: str) -> tuple[Price, ...]:
    """Return the prices that the setting `cost.prices` names, the longest names first."""
    found: list[Price] = []
    for row in filter(str.strip, text.split(";")):
        model, _, numbers = row.partition("=")
        found.append(Price(model.strip(), *map(float, numbers.split("/"))))
    return tuple(sorted(found, key=lambda price: (-len(price.model), price.model)))


def price_of(model: str, prices: Iterable[Price]) -> Price | None:
    """Return the price of a model: that of the longest name which it begins with, or None."""
    return next((price for price in prices if model.startswith(price.model)), None)


class Spent(Struct, frozen=True):
    """Tokens, and what they cost: None where no price is set for the model."""

    model: str
    messages: int
    input: int
    output: int
    cache_read: int
    cache_write: int
    cost: float | None

    @property
    def tokens(self) -> int:
        """All of them."""
        return self.input + self.output + self.cache_read + self.cache_write


def spent(usages: Iterable[Usage], prices: Sequence[Price]) -> tuple[Spent, ...]:
    """Return the sum of each model with its cost."""
    found: list[Spent] = []
    for usage in joined_usage(usages):
        price = price_of(usage.model, prices)
        found.append(
            Spent(
                usage.model,
                usage.messages,
                usage.input,
                usage.output,
                usage.cache_read,
                usage.cache_write,
                None if price is None else price.of(usage),
            )
        )
    return tuple(found)


def usage_of_day(store: Store, day: int, *, is_open: bool) -> Iterator[tuple[str, Usage]]:
    """Yield (project, usage) of a day: from its segments' nodes, or from its events if it has not ended.

    A day that was not summarized yet is counted from its events, too.
    """
    cuts = [] if is_open else store.cuts(day)
    nodes = [(cut, store.node(cut.id)) for cut in cuts]
    if nodes and all(node is not None for _, node in nodes):
        for cut, node in nodes:
            for turn in turns_in(node.body if node is not None else b""):
                yield from ((cut.project, usage) for usage in turn.usage)
        return
    from memtool.model.segmenting import segments_of  # only what has no summary is read whole
    from memtool.signals.turns import turns_of

    bounds = store.calendar.bounds_us(Period(Level.DAY, day))
    for cut, held in segments_of(store.events(*bounds), day):
        for turn in turns_of(held, cut.project):
            yield from ((cut.project, usage) for usage in turn.usage)


class OfDay(Struct, frozen=True):
    """What one project and model took on a day."""

    day: NodeId
    project: str
    spent: Spent


class Costs(Struct, frozen=True):
    """What was taken from one day to another. `rows` are by day, project and model; the others are their sums."""

    exists: bool = False
    zone: str = "UTC"
    first: str = ""
    last: str = ""
    rows: tuple[OfDay, ...] = ()
    models: tuple[Spent, ...] = ()
    total: float | None = None
    """What it cost, as far as prices are set; None if there is none."""
    unpriced: tuple[str, ...] = ()


def costs(
    reader: Reader,
    prices: Sequence[Price],
    *,
    year: int | None = None,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Costs:
    """Return what the models took in a year, or in the twelve months that end today."""
    from memtool.query.stats import window_of  # a page of a day needs no such counts

    with reader.memory() as store:
        if store is None:
            return Costs()
        first, last = window_of(store.calendar.day_of(reader.now_us), year)
        days = [day for day in store.days() if first <= day <= last]
        rows: list[OfDay] = []
        every: list[Usage] = []
        marked = {period.first for period in store.marks() if period.level is Level.DAY}
        for number, day in enumerate(days):
            on_progress(number / len(days))
            of_project: dict[str, list[Usage]] = {}
            for project, usage in usage_of_day(store, day, is_open=day in marked):
                of_project.setdefault(project, []).append(usage)
                every.append(usage)
            for project, usages in sorted(of_project.items()):
                rows += [
                    OfDay(Period(Level.DAY, day).id, project, one) for one in spent(usages, prices)
                ]
        models = spent(every, prices)
        known = [one.cost for one in models if one.cost is not None]
        return Costs(
            True,
            store.calendar.zone,
            date.fromordinal(first).isoformat(),
            date.fromordinal(last).isoformat(),
            tuple(rows),
            models,
            sum(known) if known else None,
            tuple(one.model for one in models if one.cost is None),
        )
