"""Dates that a question names: "last week", "in March", "on 3 January", "2026-W40". Pure."""

from __future__ import annotations

import re
from datetime import date
from functools import cache
from typing import NamedTuple

from memtool.model.calendar import Calendar
from memtool.model.levels import Level, Period, period_of

_MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
_NUMBERS = {name[:3]: number for number, name in enumerate(_MONTHS.split("|"), start=1)}
_MONTH = f"{_MONTHS}|jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec"
_RELATIVE = {"today", "yesterday", "week", "month", "year"}


class _Patterns(NamedTuple):
    """Compiled where a text may name a date: that takes longer than the rest of a search."""

    exact: re.Pattern[str]
    day_month: re.Pattern[str]
    month_day: re.Pattern[str]
    month: re.Pattern[str]
    year: re.Pattern[str]


@cache
def _patterns() -> _Patterns:
    day = r"(?P<day>\d{1,2})(?:[snr][tdh]|th)?"
    month, year = rf"(?P<month>{_MONTH})", r"(?:,? (?P<year>\d{4}))?"
    before = "in|of|since|during|from|until|last"
    return _Patterns(
        re.compile(
            r"\b(?:\d{4}-(?:\d{2}(?:-\d{2})?|w\d{1,2})|today|yesterday|(?:this|last)[ -](?:week|month|year))\b",
            re.IGNORECASE,
        ),
        re.compile(rf"\b{day}(?: of)? {month}\b{year}", re.IGNORECASE),
        re.compile(rf"\b{month} {day}\b{year}", re.IGNORECASE),
        re.compile(rf"\b(?:{before}) {month}\b{year}", re.IGNORECASE),
        re.compile(r"\bin ((?:19|20)\d{2})\b", re.IGNORECASE),
    )


def span_named(text: str, calendar: Calendar, now_us: int) -> tuple[int, int] | None:
    """Return the instants from which and before which the first date that the text names lasts, or None."""
    period = _period(text, calendar, now_us)
    return None if period is None else calendar.bounds_us(period)


def _period(text: str, calendar: Calendar, now_us: int) -> Period | None:
    words = {word.strip(".,?!")[:3] for word in text.lower().replace("-", " ").split()}
    named = {word[:3] for word in _RELATIVE} | _NUMBERS.keys()
    if words.isdisjoint(named) and not any(letter.isdigit() for letter in text):
        return None
    find, today = _patterns(), calendar.day_of(now_us)
    if match := find.exact.search(text):
        return calendar.parse(match.group().replace(" ", "-"), now_us)
    if match := find.day_month.search(text) or find.month_day.search(text):
        return _day(match["year"], match["month"], match["day"], today)
    if match := find.month.search(text):
        found = _day(match["year"], match["month"], "1", today)
        return found and period_of(Level.MONTH, found.first, calendar.week_start)
    match = find.year.search(text)
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
