"""Instants and spans as people type them: a period, a moment of the store's own clock, or RFC 3339."""

from __future__ import annotations

import re
from dataclasses import replace

from memtool.agents.values import instant_us
from memtool.errors import UsageError
from memtool.model.calendar import Calendar
from memtool.model.levels import PERIOD_FORMS
from memtool.model.records import FIRST_INSTANT_US, LAST_INSTANT_US
from memtool.query.reader import Reader
from memtool.store.store import Store

TIME_FORMS = f"{PERIOD_FORMS}, 2026-11-22T14:30, 2026-11-22T13:30:00Z"
_LOCAL = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?"
)
_SECOND_US = 1_000_000


def span_us(reader: Reader, store: Store | None, text: str, option: str) -> tuple[int, int]:
    """Return the instants from which and before which a time that was typed holds. Raise UsageError."""
    calendar = reader.calendar if store is None else store.calendar
    moment_us = instant_us(text.strip())
    if moment_us is not None:
        return moment_us, moment_us + 1
    local = _local_span_us(calendar, text.strip())
    if local is not None:
        return _in_range(local)
    try:
        return _in_range(calendar.bounds_us(reader.period(store, text)))
    except UsageError:
        raise UsageError(
            f"{option} {text!r} is no time", hint=f"a time is one of: {TIME_FORMS}"
        ) from None


def _local_span_us(calendar: Calendar, text: str) -> tuple[int, int] | None:
    """Return the minute or second that the store's clock shows so: where a day would begin that began then."""
    match = _LOCAL.fullmatch(text)
    day = calendar.parse(match[1], 0) if match else None
    if match is None or day is None:
        return None
    clock = replace(calendar, day_start_minutes=int(match[2]) * 60 + int(match[3]))
    start_us = clock.day_start_us(day.first) + int(match[4] or 0) * _SECOND_US
    return start_us, start_us + (60 if match[4] is None else 1) * _SECOND_US


def _in_range(span: tuple[int, int]) -> tuple[int, int]:
    start_us, end_us = (min(max(edge, FIRST_INSTANT_US), LAST_INSTANT_US) for edge in span)
    return start_us, end_us
