"""Dates that a question names: "last week", "in March", "on 3 January", "2026-W40". Pure."""

from __future__ import annotations

import re
from datetime import date

from memtool.model.calendar import Calendar
from memtool.model.levels import Level, Period, period_of

_MONTHS = (
    "january february march april may june july august september october november december".split()
)
_MONTH = "|".join(f"{name[:3]}(?:{name[3:]})?" if len(name) > 3 else name for name in _MONTHS)
_DAY_MONTH = re.compile(
    rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({_MONTH})\b(?:,? (\d{{4}}))?", re.I
)
_MONTH_DAY = re.compile(rf"\b({_MONTH}) (\d{{1,2}})(?:st|nd|rd|th)?\b(?:,? (\d{{4}}))?", re.I)
_IN_MONTH = re.compile(
    rf"\b(?:in|of|since|during|from|until|last) ({_MONTH})\b(?: (\d{{4}}))?", re.I
)
_ISO = re.compile(r"\b\d{4}-(?:\d{2}(?:-\d{2})?|[Ww]\d{1,2})\b")
_RELATIVE = re.compile(r"\b(today|yesterday|(?:this|last)[ -](?:week|month|year))\b", re.I)
_YEAR = re.compile(r"\bin ((?:19|20)\d{2})\b", re.I)


def span_named(text: str, calendar: Calendar, now_us: int) -> tuple[int, int] | None:
    """Return the instants from which and before which the first date that the text names lasts, or None."""
    period = _period(text, calendar, now_us)
    return None if period is None else calendar.bounds_us(period)


def _period(text: str, calendar: Calendar, now_us: int) -> Period | None:
    if match := _ISO.search(text):
        return calendar.parse(match.group(), now_us)
    if match := _DAY_MONTH.search(text):
        return _day(match[3], match[2], match[1], calendar.day_of(now_us))
    if match := _MONTH_DAY.search(text):
        return _day(match[3], match[1], match[2], calendar.day_of(now_us))
    if match := _RELATIVE.search(text):
        return calendar.parse(match.group().replace(" ", "-"), now_us)
    if match := _IN_MONTH.search(text):
        found = _day(match[2], match[1], "1", calendar.day_of(now_us))
        return None if found is None else period_of(Level.MONTH, found.first, calendar.week_start)
    if match := _YEAR.search(text):
        return calendar.parse(match[1], now_us)
    return None


def _day(year: str | None, month: str, day: str, today: int) -> Period | None:
    """Return the day; without a year the latest one that is not in the future."""
    number = next(n for n, name in enumerate(_MONTHS, 1) if name[:3] == month[:3].lower())
    this_year = date.fromordinal(today).year
    try:
        found = date(int(year or this_year), number, int(day))
        if not year and found.toordinal() > today:
            found = found.replace(year=this_year - 1)
    except ValueError:
        return None
    return Period(Level.DAY, found.toordinal())
