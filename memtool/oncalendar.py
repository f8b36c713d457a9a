"""What can be known of a systemd calendar expression (systemd.time(7)) without systemd: its form. Pure.

It refuses only what systemd refuses as well, or what never comes. The rest only systemd knows, which is asked where a
schedule is set.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

_SPECIAL = re.compile(
    r"minutely|hourly|daily|weekly|monthly|quarterly|(?:semi|bi)-?annually|yearly|ann?ually",
    re.IGNORECASE,
)
_CRON = re.compile(
    r"@(?:reboot|yearly|annually|monthly|weekly|daily|midnight|hourly)", re.IGNORECASE
)
_CRON_FIELDS = 5
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = r"(?:mon(?:day)?|tue(?:sday)?|wed(?:nesday)?|thu(?:rsday)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)"
_WEEKDAYS = rf"{_DAY}(?:(?:\.\.|-|,){_DAY})*,?"
_INSTANT = r"@\d+(?:\.\d+)?"
_PART = r"(\d+(?:\.\d+)?)(?:\.\.(\d+(?:\.\d+)?))?(?:/(\d+(?:\.\d+)?))?"
_MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_CENTURY, _PIVOT, _FIRST_YEAR, _LAST_YEAR = 100, 70, 1970, 2199

_Spans = list[tuple[float, float]]
"""What a field allows: from and to, both included. Empty: anything."""


def form_problem(expression: str, year: int = _FIRST_YEAR) -> str:
    """Return why systemd refuses the expression or it never comes from this year on; empty if nothing is known."""
    words = expression.split() or [""]
    if _CRON.fullmatch(words[0]) or _is_cron(words):
        return f"{expression!r} is cron's syntax; systemd writes such as Sun *-*-* 02:00"
    if len(words) > 1 and _is_zone_like(words[-1]):
        if not _is_zone(words[-1]):
            return f"there is no time zone {words[-1]}"
        words.pop()
    if len(words) == 1 and (_SPECIAL.fullmatch(words[0]) or re.fullmatch(_INSTANT, words[0])):
        return ""
    weekdays, date, clock = _sorted(words)
    if weekdays is date is clock is None:
        return f"{expression!r} is no calendar expression"
    problems = (_of_weekdays(weekdays), _of_clock(clock), _of_date(date, year))
    return next(filter(None, problems), "")


def _is_cron(words: list[str]) -> bool:
    fields = [word for word in words if re.fullmatch(r"[\d*][\d*/,-]*|[A-Za-z]{3}", word)]
    return len(words) >= _CRON_FIELDS == len(fields[:_CRON_FIELDS])


def _is_zone_like(word: str) -> bool:
    is_name = word[0].isalpha() and not re.fullmatch(_WEEKDAYS, word, re.IGNORECASE)
    return is_name and not _SPECIAL.fullmatch(word)


def _is_zone(word: str) -> bool:
    if word.upper() == "UTC" or word in time.tzname:
        return True
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(word)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _sorted(words: list[str]) -> tuple[str | None, str | None, str | None]:
    """Return which word is the weekdays, the date and the time; none at all if they are no such words in this order."""
    rest = list(words)
    kinds = (_WEEKDAYS, r"[^:]*[-~][^:]*", r".*:.*")
    found = [
        rest.pop(0) if rest and re.fullmatch(kind, rest[0], re.IGNORECASE) else None
        for kind in kinds
    ]
    return (None, None, None) if rest else (found[0], found[1], found[2])


def _of_weekdays(word: str | None) -> str:
    for part in (word or "").lower().split(","):
        ends = re.split(r"\.\.|-", part)
        places = [_DAYS.index(end[:3]) for end in ends if end]
        if places != sorted(places):
            return f"the weekdays {part} are not in order: a week begins on Monday"
    return ""


def _of_clock(word: str | None) -> str:
    if word is None:
        return ""
    fields = word.split(":")
    if len(fields) not in (2, 3):
        return f"{word} is no time of day"
    for field, highest in zip(fields, (23, 59, 59.999999), strict=False):
        if _spans(field, 0, highest) is None:
            return f"{word} is no time of day"
    return ""


def _of_date(word: str | None, year: int) -> str:
    if word is None:
        return ""
    found = re.fullmatch(r"(?:([^~]+)-)?([^-~]+)([-~])([^-~]+)", word)
    if found is None:
        return f"{word} is no date"
    years = _years(found[1] or "*")
    months, days = _spans(found[2], 1, 12), _spans(found[4], 1, 31)
    if years is None or months is None or days is None:
        return f"{word} is no date"
    longest = max(_MONTH_DAYS[number - 1] for number in _numbers(months))
    is_past = bool(years) and max(high for _, high in years) < year
    if is_past or (days and min(low for low, _ in days) > longest):
        return f"{word} never comes"
    return ""


def _numbers(months: _Spans) -> Iterator[int]:
    for low, high in months or [(1, 12)]:
        yield from range(int(low), int(high) + 1)


def _years(field: str) -> _Spans | None:
    """Return the same, of years with two digits, too."""
    return _spans(re.sub(r"(?<![\d/])\d{1,2}(?!\d)", _whole_year, field), _FIRST_YEAR, _LAST_YEAR)


def _whole_year(short: re.Match[str]) -> str:
    number = int(short[0])
    return str(number + (_CENTURY * 20 if number < _PIVOT else _CENTURY * 19))


def _spans(field: str, lowest: float, highest: float) -> _Spans | None:
    """Return what the field allows; None if systemd would refuse it."""
    if field == "*":
        return []
    spans: _Spans = []
    for part in field.split(","):
        found = re.fullmatch(_PART, part)
        if found is None:
            return None
        low, step = float(found[1]), float(found[3] or 1)
        high = float(found[2]) if found[2] else low
        if found[3] and not found[2]:  # repeated up to the end
            high = highest
            step = step if low + step <= highest else 0
        elif found[3] and step and high >= low:
            high = low + (high - low) // step * step  # the last that it meets
        if not (lowest <= low <= high <= highest and step):
            return None
        spans.append((low, high))
    return spans
