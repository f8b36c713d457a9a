"""What a rollup has to do, from marks and failures alone. The job, its dry run and the readers ask here."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from memtool.errors import ConfigError
from memtool.model.calendar import Calendar, ZoneTable
from memtool.model.levels import (
    Level,
    Period,
    heading,
    inputs_of,
    place_of,
    stale_periods,
)
from memtool.model.records import Event, Recipe
from memtool.model.segmenting import segments_of
from memtool.model.summary import Request, segment_inputs
from memtool.model.threads import threads_in
from memtool.store.capture import mark_moved_days
from memtool.store.store import Store
from memtool.summarize import Price, Summarizer
from memtool.summarize.calls import Budget


class Choices(Struct, frozen=True):
    """The options of a rollup."""

    include_open: bool = False
    since: Period | None = None
    force: Period | None = None
    outdated: bool = False
    """Also nodes of another recipe, newest first."""


class RollupOptions(Struct, frozen=True):
    """What a rollup run does: the level, the configured summarizer and calendar, and the options."""

    level: Level
    summarizer: Summarizer
    calendar: Calendar
    zone_is_set: bool
    choices: Choices
    budget: Budget = Budget()
    at_once: int = 1
    """How many calls are made at once, where the summarizer waits for them."""


def check_calendar(store: Store, wanted: Calendar, *, zone_is_set: bool) -> None:
    """Raise ConfigError where the configured calendar differs from the store's; the zone "auto" never does."""
    have = store.calendar.describe()
    want = asked_calendar(store, wanted, zone_is_set=zone_is_set).describe()
    differing = [name for name in have if have[name] != want[name]]
    if differing:
        name = differing[0]
        raise ConfigError(
            f"the store's calendar has {name} {have[name]!r}, the config says {want[name]!r}",
            hint="set the config back, or run `memtool rebuild --calendar` (--dry-run says what it takes)",
        )


def asked_calendar(store: Store, wanted: Calendar, *, zone_is_set: bool) -> Calendar:
    """Return the configured calendar; with the zone "auto" it has the store's zone."""
    return wanted if zone_is_set else replace(wanted, zone=store.calendar.zone)


def stale_now(store: Store, now_us: int) -> frozenset[Period]:
    """Return the stale periods, and those with a failure whose next try is due."""
    marked = set(store.marks())
    due = {
        place_of(node_id).period
        for node_id, failure in store.failures().items()
        if failure.retry_us <= now_us
    }
    return stale_periods(marked | due, store.calendar.week_start)


def targets(
    store: Store, level: Level, choices: Choices, now_us: int, recipe: Recipe
) -> list[Period]:
    """Return the periods of this level that the run handles, oldest first; of an upgrade the newest first."""
    found = {period for period in stale_now(store, now_us) if period.level is level}
    if choices.outdated:
        found |= outdated_periods(store, level, recipe)
    if choices.force is not None and choices.force.level is level:
        found.add(choices.force)
    in_order = sorted(found, reverse=choices.outdated)
    return [period for period in in_order if _is_wanted(store.calendar, period, choices, now_us)]


def outdated_periods(store: Store, level: Level, recipe: Recipe) -> frozenset[Period]:
    """Return the periods of this level whose node (or, of a day, whose segment's node) another recipe wrote."""
    levels = (Level.SEGMENT, Level.DAY) if level is Level.DAY else (level,)
    nodes = (node for each in levels for node in store.nodes(each))
    return frozenset(place_of(node.id).period for node in nodes if node.recipe != recipe)


def _is_wanted(calendar: Calendar, period: Period, choices: Choices, now_us: int) -> bool:
    if not choices.include_open and not calendar.is_closed(period, now_us):
        return period == choices.force
    return _is_since(period, choices)


def _is_since(period: Period, choices: Choices) -> bool:
    return choices.since is None or period.first >= choices.since.first


def repairs(store: Store, level: Level, choices: Choices, now_us: int) -> list[Period]:
    """Return the stale periods above the run's level that have ended and settled, lowest level first.

    Within a level the oldest comes first; of an upgrade the newest.
    """
    sign = -1 if choices.outdated else 1
    above = [period for period in stale_now(store, now_us) if period.level > level]
    return [
        period
        for period in sorted(above, key=lambda one: (one.level, sign * one.first))
        if _is_since(period, choices) and _is_ripe(store, period, now_us)
    ]


def _is_ripe(store: Store, period: Period, now_us: int) -> bool:
    calendar = store.calendar
    if not calendar.is_closed(period, now_us):
        return False
    return calendar.is_settled(period, now_us) or store.has_node(period.id)


def with_below(
    periods: Iterable[Period], week_start: int, wanted: Container[Period] | None = None
) -> frozenset[Period]:
    """Return the periods and all that they are made from; of the latter only the wanted ones where these are given."""
    ahead = list(periods)
    found = set(ahead)
    while ahead:
        for below in inputs_of(ahead.pop(), week_start):
            if below not in found and (wanted is None or below in wanted):
                found.add(below)
                ahead.append(below)
    return frozenset(found)


def held_back(
    periods: Iterable[Period], week_start: int, levels: Container[str]
) -> frozenset[Period]:
    """Return the periods to be written that have to wait: those of a paused level, and what is made from these."""
    found: set[Period] = set()
    for period in sorted(periods):
        if period.level.word in levels or found.intersection(inputs_of(period, week_start)):
            found.add(period)
    return frozenset(found)


def not_held(
    store: Store, periods: Sequence[Period], now_us: int, levels: Container[str]
) -> list[Period]:
    """Return the periods that a run may write which must not write these levels."""
    if not levels:
        return list(periods)
    week_start = store.calendar.week_start
    needed = with_below(periods, week_start, stale_now(store, now_us))
    held = held_back(needed, week_start, levels)
    return [period for period in periods if period not in held]


def left_over(store: Store, now_us: int) -> list[Period]:
    """Return the closed periods that are stale, as the ledger, status and stats count them."""
    stale = stale_periods(store.marks(), store.calendar.week_start)
    return [period for period in sorted(stale) if store.calendar.is_closed(period, now_us)]


def moved_days(store: Store) -> tuple[set[int], ZoneTable] | None:
    """Return the days whose bounds differ under today's zone data, and that data; None where it has not changed."""
    old = store.zone_table()
    if old is None:
        return None
    table = old.today(store.calendar.zone)
    spans = old.differences(table)
    if not spans:
        return None
    days = {day for span in spans for day in _days_near(store.calendar, span)}
    return set(_holding_anything(store, days)), table


def mark_what_moved(store: Store) -> None:
    """Mark the days that new zone data has moved."""
    if (moved := moved_days(store)) is not None:
        mark_moved_days(store, *moved)


def _days_near(calendar: Calendar, span: tuple[int, int]) -> Iterable[int]:
    """Return the days that touch the span, with a neighbour on each side: their common bound may have moved."""
    return range(calendar.day_of(span[0]) - 1, calendar.day_of(span[1]) + 2)


def _holding_anything(store: Store, days: Iterable[int]) -> list[int]:
    held: list[int] = []
    for day in sorted(days):
        bounds = store.calendar.bounds_us(Period(Level.DAY, day))
        if next(store.events(*bounds), None) is not None or store.cuts(day):
            held.append(day)
    return held


class Forecast(Struct, frozen=True):
    """Periods in the order of their levels and time; `segments` and `tokens` are those that need a summary."""

    periods: tuple[Period, ...] = ()
    segments: int = 0
    tokens: int = 0
    copied: int = 0
    """Of a rebuild: nodes that stay equal."""
    model: Price | None = None
    """What a model's calls take, where a model is configured."""

    @property
    def calls(self) -> int:
        """The summarizer calls it takes at most: a period whose inputs come out the same needs none."""
        return self.model.calls if self.model else self.segments + len(self.periods)

    @property
    def spend(self) -> int:
        """About how many tokens a model takes for it, in and out."""
        return (self.model or rough_price(self.periods)).tokens


_DAY_TOKENS = 2_000
"""What a day took in trials: the rules, its threads with their signals, and the answer."""


def rough_price(periods: Iterable[Period]) -> Price:
    """Return what a model takes for these periods, by their number: it is called for days alone."""
    days = sum(period.level is Level.DAY for period in periods)
    return Price(days, days * _DAY_TOKENS)


def forecast(
    store: Store, levels: Iterable[Level], choices: Choices, now_us: int, summarizer: Summarizer
) -> Forecast:
    """Return what rollups of these levels, one after the other, would do."""
    recipe = summarizer.recipe
    week_start = store.calendar.week_start
    forced = with_below([choices.force], week_start) if choices.force else frozenset()
    found: set[Period] = set()
    for level in levels:
        found.update(targets(store, level, choices, now_us, recipe))
        found.update(repairs(store, level, choices, now_us))
    found.update(with_below(found, week_start, stale_now(store, now_us) | forced))
    sizes: list[int] = []
    prices: list[Price] = []
    for day in sorted(found):
        if day.level is Level.DAY:
            events = list(store.events(*store.calendar.bounds_us(day)))
            is_forced, upgrades = day in forced, choices.outdated
            sizes += _new_segments(
                store, day, events, recipe, is_forced=is_forced, upgrades=upgrades
            )
            if summarizer.waits:
                request = _day_request(store, day, events, is_forced=is_forced)
                prices.append(summarizer.price(request))
    total = Price(sum(one.calls for one in prices), sum(one.tokens for one in prices))
    model = total if summarizer.waits else None
    return Forecast(tuple(sorted(found)), len(sizes), sum(sizes), model=model)


def _day_request(store: Store, day: Period, events: Sequence[Event], *, is_forced: bool) -> Request:
    """Return the request for a day as a rollup now would make it, without its sections."""
    from memtool.signals.threads import threads_of_day  # only for a price: no run needs it here

    node = None if is_forced else store.node(day.id)
    before = threads_in(node.body) if node is not None else ()
    threads = threads_of_day(events, day.first)
    return Request(Level.DAY, heading(day), (), threads, before=before)


def _new_segments(
    store: Store,
    day: Period,
    events: Sequence[Event],
    recipe: Recipe,
    *,
    is_forced: bool,
    upgrades: bool,
) -> list[int]:
    """Return the tokens of each segment of the day whose node would be written."""
    sizes: list[int] = []
    for cut, held in segments_of(events, day.first):
        node = store.node(cut.id)
        is_old = node is not None and upgrades and node.recipe != recipe
        if is_forced or is_old or node is None or node.inputs != segment_inputs(cut, held):
            sizes.append(cut.tokens)
    return sizes
