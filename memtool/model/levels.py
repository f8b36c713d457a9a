"""Levels and periods: ids, what feeds what, and what people type. Pure date arithmetic, no zones and no clock."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, timedelta
from enum import IntEnum

import msgspec

from memtool.model.records import NodeId


class Level(IntEnum):
    """The rungs of the table of contents; the number is the one in the store's keys."""

    SEGMENT = 0
    DAY = 1
    WEEK = 2
    MONTH = 3
    YEAR = 4

    @property
    def word(self) -> str:
        return self.name.lower()


PERIOD_LEVELS = (Level.DAY, Level.WEEK, Level.MONTH, Level.YEAR)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ID_FORMATS = {
    Level.DAY: "%Y-%m-%d",
    Level.WEEK: "%Y-%m-%d",
    Level.MONTH: "%Y-%m",
    Level.YEAR: "%Y",
}


class Period(msgspec.Struct, frozen=True, order=True):
    """A day, week, month or year, by the ordinal of its first day (1 is 0001-01-01)."""

    level: Level
    first: int

    @property
    def end(self) -> int:
        """The ordinal of the first day after it."""
        if self.level is Level.DAY:
            return self.first + 1
        if self.level is Level.WEEK:
            return self.first + 7
        start = date.fromordinal(self.first)
        if self.level is Level.MONTH:
            return (start.replace(day=1) + timedelta(days=31)).replace(day=1).toordinal()
        return start.replace(year=start.year + 1).toordinal()

    @property
    def period(self) -> Period:
        """Itself: a segment has its day here."""
        return self

    @property
    def id(self) -> NodeId:
        """Its node's id, such as `week:2026-11-22`."""
        return NodeId(f"{self.level.word}:{self.date_text}")

    @property
    def date_text(self) -> str:
        """Its first day, as far as its level needs it, such as `2026-11`."""
        return date.fromordinal(self.first).strftime(_ID_FORMATS[self.level])


class Segment(msgspec.Struct, frozen=True, order=True):
    """A segment by its day and its tail: 16 hex digits."""

    day: int
    tail: str

    @property
    def level(self) -> Level:
        return Level.SEGMENT

    @property
    def period(self) -> Period:
        """The day that it belongs to."""
        return Period(Level.DAY, self.day)

    @property
    def id(self) -> NodeId:
        """Its node's id, such as `segment:2026-11-22:0123456789abcdef`."""
        return NodeId(f"segment:{date.fromordinal(self.day).isoformat()}:{self.tail}")


def place_of(node_id: NodeId) -> Period | Segment:
    """Return what a node is of. Nothing else reads a node's id."""
    word, _, text = node_id.partition(":")
    level = Level[word.upper()]
    if level is Level.SEGMENT:
        day, _, tail = text.partition(":")
        return Segment(date.fromisoformat(day).toordinal(), tail)
    year, month, day_of_month = (*map(int, text.split("-")), 1, 1)[:3]
    return Period(level, date(year, month, day_of_month).toordinal())


def period_of(level: Level, day: int, week_start: int) -> Period:
    if level is Level.DAY:
        return Period(level, day)
    if level is Level.WEEK:
        return Period(level, day - (day - 1 - week_start) % 7)
    start = date.fromordinal(day).replace(day=1)
    if level is Level.YEAR:
        start = start.replace(month=1)
    return Period(level, start.toordinal())


def straddles(week: Period) -> bool:
    return date.fromordinal(week.first).month != date.fromordinal(week.end - 1).month


def parents_of(period: Period | Segment, week_start: int) -> tuple[Period, ...]:
    """Return the periods that take this one as an input."""
    if isinstance(period, Segment):
        return (period.period,)
    if period.level is Level.DAY:
        week = period_of(Level.WEEK, period.first, week_start)
        month = period_of(Level.MONTH, period.first, week_start)
        return (week, month) if straddles(week) else (week,)
    if period.level is Level.WEEK:
        return () if straddles(period) else (period_of(Level.MONTH, period.first, week_start),)
    if period.level is Level.MONTH:
        return (period_of(Level.YEAR, period.first, week_start),)
    return ()


def inputs_of(period: Period, week_start: int) -> tuple[Period, ...]:
    """Return the periods that it is made from, in order of time; they partition it exactly. A day has none."""
    if period.level is Level.DAY:
        return ()
    if period.level is Level.WEEK:
        return tuple(Period(Level.DAY, day) for day in range(period.first, period.end))
    inputs: list[Period] = []
    day = period.first
    while day < period.end:
        if period.level is Level.YEAR:
            found = period_of(Level.MONTH, day, week_start)
        else:
            week = period_of(Level.WEEK, day, week_start)
            found = Period(Level.DAY, day) if straddles(week) else week
        inputs.append(found)
        day = found.end
    return tuple(inputs)


def stale_periods(marked: Iterable[Period], week_start: int) -> frozenset[Period]:
    """Return every period that is marked or fed by a marked one: the only answer to "is it stale?"."""
    stale: set[Period] = set()
    ahead = list(marked)
    while ahead:
        period = ahead.pop()
        if period not in stale:
            stale.add(period)
            ahead += parents_of(period, week_start)
    return frozenset(stale)


def listed_under(period: Period, week_start: int) -> tuple[Period, ...]:
    """Return what a person expects below it: as its inputs, but a month lists every week that touches it."""
    if period.level is not Level.MONTH:
        return inputs_of(period, week_start)
    first = period_of(Level.WEEK, period.first, week_start)
    return tuple(Period(Level.WEEK, day) for day in range(first.first, period.end, 7))


_PATTERNS = (
    (Level.DAY, re.compile(r"(?:day:)?(\d{4})-(\d{2})-(\d{2})")),
    (Level.WEEK, re.compile(r"week:(\d{4})-(\d{2})-(\d{2})")),
    (Level.MONTH, re.compile(r"(?:month:)?(\d{4})-(\d{2})")),
    (Level.YEAR, re.compile(r"(?:year:)?(\d{4})")),
)
_ISO_WEEK = re.compile(r"(?:week:)?(\d{4})-?[Ww](\d{1,2})")
_RELATIVE = re.compile(r"(?:(this|last)-(day|week|month|year)|(today|yesterday))")
_FIRST_DAY = date(1968, 12, 25).toordinal()  # the week that holds the first days of 1969
_END_DAY = date(2201, 1, 1).toordinal()
PERIOD_FORMS = (
    "2026-11-22, 2026-11, 2026, week:2026-11-22, 2026-W47, today, yesterday, "
    "this-week, last-week, last-month, last-year"
)


def parse_period(text: str, *, today: int, week_start: int) -> Period | None:
    """Return the period that the text names, or None; `today` is the current day's ordinal in the pinned calendar.

    Years in which no event can lie (events are from 1970 to 2199, days reach one further) name nothing.
    """
    text = text.strip().lower()
    try:
        found = (
            _relative(text, today, week_start)
            or _iso_week(text, week_start)
            or _absolute(text, week_start)
        )
    except ValueError:
        return None
    return found if found is not None and _FIRST_DAY <= found.first < _END_DAY else None


def _iso_week(text: str, week_start: int) -> Period | None:
    match = _ISO_WEEK.fullmatch(text)
    if match is None:
        return None
    thursday = date.fromisocalendar(int(match[1]), int(match[2]), 4)
    return period_of(Level.WEEK, thursday.toordinal(), week_start)


def _absolute(text: str, week_start: int) -> Period | None:
    for level, pattern in _PATTERNS:
        if match := pattern.fullmatch(text):
            year, month, day = (*(int(group) for group in match.groups()), 1, 1)[:3]
            return period_of(level, date(year, month, day).toordinal(), week_start)
    return None


def _relative(text: str, today: int, week_start: int) -> Period | None:
    match = _RELATIVE.fullmatch(text)
    if match is None:
        return None
    level = Level[(match[2] or "day").upper()]
    current = period_of(level, today, week_start)
    back = match[1] == "last" or match[3] == "yesterday"
    return period_of(level, current.first - 1, week_start) if back else current


_SEGMENT = re.compile(r"segment:(\d{4}-\d{2}-\d{2}):([0-9a-f]{1,16})")


def parse_segment(text: str) -> Segment | None:
    """Return the segment that a person typed, or None; of its tail the first digits are enough."""
    match = _SEGMENT.fullmatch(text.strip().lower())
    try:
        return Segment(date.fromisoformat(match[1]).toordinal(), match[2]) if match else None
    except ValueError:
        return None


def heading(period: Period) -> str:
    """Return date and scope as people read them; the only place that words them."""
    first, last = date.fromordinal(period.first), date.fromordinal(period.end - 1)
    if period.level is Level.DAY:
        return f"{first:%a} {first.day} {first:%b %Y}"
    if period.level is Level.MONTH:
        return f"{first:%B %Y}"
    if period.level is Level.YEAR:
        return f"{first:%Y}"
    start = f"{first.day}" if first.month == last.month else f"{first.day} {first:%b}"
    if first.year != last.year:
        start += f" {first:%Y}"
    return f"Week {start}–{last.day} {last:%b %Y}"
