"""Dates that a question names: "last week", "in March", "on 3 January", "2026-W40". Pure."""

from __future__ import annotations

import re
from datetime import date

from memtool.model.calendar import Calendar
from memtool.model.levels import Level, Period, period_of

_MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
_NUMBERS = {name[:3]: number for number, name in enumerate(_MONTHS.split("|"), start=1)}
_MONTH = f"{_MONTHS}|jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec"
_ENDING = r"(?:[snr][tdh]|th)?"
_DAY = rf"(?P<day>\d{{1,2}}){_ENDING}"
_OF_MONTH = rf"(?P<month>{_MONTH})"
_OF_YEAR = r"(?:,? (?P<year>\d{4}))?"
_DAY_MONTH = re.compile(rf"\b{_DAY}(?: of)? {_OF_MONTH}\b{_OF_YEAR}", re.IGNORECASE)
_MONTH_DAY = re.compile(rf"\b{_OF_MONTH} {_DAY}\b{_OF_YEAR}", re.IGNORECASE)
_IN_MONTH = re.compile(
    rf"\b(?:in|of|since|during|from|until|last) {_OF_MONTH}\b{_OF_YEAR}", re.IGNORECASE
)
_ISO = re.compile(r"\b\d{4}-(?:\d{2}(?:-\d{2})?|[Ww]\d{1,2})\b")
_RELATIVE = re.compile(r"\b(today|yesterday|(?:this|last)[ -](?:week|month|year))\b", re.IGNORECASE)
_YEAR = re.compile(r"\bin ((?:19|20)\d{2})\b", re.IGNORECASE)


def span_named(text: str, calendar: Calendar, now_us: int) -> tuple[int, int] | None:
    """Return the instants from which and before which the first date that the text names lasts, or None."""
    period = _period(text, calendar, now_us)
    return None if period is None else calendar.bounds_us(period)


def _period(text: str, calendar: Calendar, now_us: int) -> Period | None:
    today = calendar.day_of(now_us)
    if match := _ISO.search(text) or _RELATIVE.search(text):
        return calendar.parse(match.group().replace(" ", "-"), now_us)
    if match := _DAY_MONTH.search(text) or _MONTH_DAY.search(text):
        return _day(match["year"], match["month"], match["day"], today)
    if match := _IN_MONTH.search(text):
        found = _day(match["year"], match["month"], "1", today)
        return found and period_of(Level.MONTH, found.first, calendar.week_start)
    match = _YEAR.search(text)
    return calendar.parse(match[1], now_us) if match else None


def _day(year: str | None, month: str, day: str, today: int) -> Period | None:
    """Return the day; without a year the latest one that is not in the future."""
    this_year = date.fromordinal(today).year
    try:
        found = date(int(year or this_year), _NUMBERS[month[:3].lower()], int(day))
        if not year and found.toordinal() > today:
            found = found.replace(year=this_year - 1)
    except ValueError:
        return None
    return Period(Level.DAY, found.toordinal())
