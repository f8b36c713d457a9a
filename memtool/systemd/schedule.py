"""OnCalendar= expressions as systemd writes them back: which days and times of the clock they name. Pure.

Only the normalised form is read ("Sun *-*-* 02:00:00 Europe/Berlin"): what people write, systemd alone understands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import NamedTuple

DAY_S = 86_400
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_FORM = re.compile(
    r"(?:(?P<weekdays>[A-Z][A-Za-z,.]*) )?(?P<years>[^ -]+)-(?P<months>[^ ~-]+)(?P<from>[-~])(?P<days>[^ ]+)"
    r" (?P<hours>[^ :]+):(?P<minutes>[^ :]+):(?P<seconds>[^ :]+)(?: (?P<zone>[A-Za-z][^ ]*))?"
)
_ITEM = re.compile(
    r"(\*|[0-9]{1,4})(?:\.[0-9]+)?"
    r"(?:\.\.([0-9]{1,4})(?:\.[0-9]+)?)?"
    r"(?:/0*([1-9][0-9]{0,3})(?:\.[0-9]+)?)?"
)
_YEARS = (1970, 2199)  # systemd's own bounds


class Schedule(NamedTuple):
    """One expression. `from_end`: days are counted back from the month's last."""

    weekdays: Sequence[int]
    years: Sequence[int]
    months: Sequence[int]
    days: Sequence[int]
    from_end: bool
    hours: Sequence[int]
    minutes: Sequence[int]
    seconds: Sequence[int]
    zone: str = ""

    def has_day(self, day: date) -> bool:
        """Return whether it names this day."""
        number = _from_end(day) if self.from_end else day.day
        return (
            number in self.days
            and day.month in self.months
            and day.weekday() in self.weekdays
            and day.year in self.years
        )

    def times(self) -> Iterator[int]:
        """Give its times of the day, the last one first, in seconds since midnight by the clock."""
        for hour in reversed(self.hours):
            for minute in reversed(self.minutes):
                for second in reversed(self.seconds):
                    yield hour * 3600 + minute * 60 + second

    def has_time(self, start_s: int, end_s: int) -> bool:
        """Return whether it names a time of the day that is not before the start and before the end."""
        return any(start_s <= time_s < end_s for time_s in self.times())


def parse_schedule(text: str) -> Schedule | None:
    """Return the expression, or None where it is not of the form that systemd writes."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        return None
    from_end = found["from"] == "~"
    try:
        return Schedule(
            weekdays=_weekdays(found["weekdays"]),
            years=_numbers(found["years"], *_YEARS),
            months=_numbers(found["months"], 1, 12),
            days=_numbers(found["days"], 1, 31, counts_down=from_end),
            from_end=from_end,
            hours=_numbers(found["hours"], 0, 23),
            minutes=_numbers(found["minutes"], 0, 59),
            seconds=_numbers(found["seconds"], 0, 59),
            zone=found["zone"] or "",
        )
    except ValueError:
        return None


def parse_schedules(texts: Iterable[str]) -> tuple[Schedule, ...]:
    """Return the expressions that can be read."""
    return tuple(one for one in map(parse_schedule, texts) if one is not None)


def _from_end(day: date) -> int:
    following = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return (following - day).days


def _weekdays(text: str | None) -> Sequence[int]:
    if not text:
        return range(7)
    found: set[int] = set()
    for item in text.split(","):
        first, _, last = item.partition("..")
        found.update(range(_WEEKDAYS.index(first), _WEEKDAYS.index(last or first) + 1))
    return sorted(found)


def _numbers(text: str, low: int, high: int, *, counts_down: bool = False) -> Sequence[int]:
    """Return the numbers of one part, such as `*`, `1..5`, `00/15` or `1,3`. Raise ValueError where it is none."""
    if text == "*":
        return range(low, high + 1)
    found = {
        number
        for item in text.split(",")
        for number in _item(item, low, high, counts_down=counts_down)
    }
    if not found or min(found) < low:
        raise ValueError(text)
    return sorted(found)


def _item(text: str, low: int, high: int, *, counts_down: bool) -> range:
    match = _ITEM.fullmatch(text)
    if match is None:
        raise ValueError(text)
    start, end, step = match.groups()
    first = low if start == "*" else int(start)
    if step is not None and end is None and counts_down:  # ~07/1: the month's last seven days
        return range(first, low - 1, -int(step))
    is_open = start == "*" or (step is not None and end is None)
    last = high if is_open else int(end or start)
    return range(first, min(last, high) + 1, int(step or 1))
