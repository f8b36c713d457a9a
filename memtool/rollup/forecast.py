"""What a rollup would do, without doing it: the periods it would look at, and the nodes it would write at most."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from memtool.model.levels import Level, Period, inputs_of
from memtool.model.records import Recipe
from memtool.model.segmenting import by_session, cuts_of
from memtool.model.summary import segment_inputs
from memtool.rollup.order import Choices
from memtool.rollup.plan import repairs, stale_now, targets, with_all_below
from memtool.store.store import Store


@dataclass(frozen=True, slots=True)
class Forecast:
    """Periods in the order of their levels and time; `segments` and `tokens` are those that need a summary."""

    periods: tuple[Period, ...] = ()
    segments: int = 0
    tokens: int = 0

    @property
    def calls(self) -> int:
        """The summarizer calls it takes at most: a period whose inputs come out the same needs none."""
        return self.segments + len(self.periods)

    @property
    def spend(self) -> int:
        """About how many tokens a model takes for these calls: their prompts, what they are about, and the answers."""
        of_periods = len(self.periods) * _PERIOD_TOKENS
        return self.calls * (_PROMPT_TOKENS + _ANSWER_TOKENS) + self.tokens + of_periods


_PROMPT_TOKENS, _ANSWER_TOKENS, _PERIOD_TOKENS = 500, 300, 600
"""What a call was seen to take beside its text: instructions, the answer; and the bullets below a period."""


def forecast(
    store: Store, levels: Iterable[Level], choices: Choices, now_us: int, recipe: Recipe
) -> Forecast:
    """Return what rollups of these levels, one after the other, would do."""
    stale = stale_now(store, now_us)
    found: set[Period] = set()
    for level in levels:
        for period in (
            *targets(store, level, choices, now_us, recipe),
            *repairs(store, level, choices, now_us),
        ):
            found |= _touched(store, period, stale, choices)
    days = [period for period in found if period.level is Level.DAY]
    sizes = [size for day in days for size in _new_segments(store, day, choices, recipe)]
    return Forecast(tuple(sorted(found)), len(sizes), sum(sizes))


def _touched(
    store: Store, period: Period, stale: frozenset[Period], choices: Choices
) -> set[Period]:
    week_start = store.calendar.week_start
    forced = with_all_below(choices.force, week_start) if choices.force else frozenset()
    found = {period}
    for below in inputs_of(period, week_start):
        if below in stale or below in forced:
            found |= _touched(store, below, stale, choices)
    return found


def _new_segments(store: Store, day: Period, choices: Choices, recipe: Recipe) -> list[int]:
    """Return the tokens of each segment of the day whose node would be written anew."""
    week_start = store.calendar.week_start
    is_forced = choices.force is not None and day in with_all_below(choices.force, week_start)
    sizes: list[int] = []
    for held in by_session(store.events(*store.calendar.bounds_us(day))).values():
        events = {event.id: event for event in held}
        for cut in cuts_of(held, day.first):
            node = store.node(cut.id)
            inputs = segment_inputs(cut, [events[event_id] for event_id in cut.events])
            is_old = node is not None and choices.outdated and node.recipe != recipe
            if is_forced or is_old or node is None or node.inputs != inputs:
                sizes.append(cut.tokens)
    return sizes
