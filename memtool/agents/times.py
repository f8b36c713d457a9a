"""Instants as sources write them: RFC 3339 with a zone, to and from UTC microseconds. Never reads the clock."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from memtool.model.records import FIRST_INSTANT_US, LAST_INSTANT_US

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,30}))?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def instant_us(value: object) -> int | None:
    """Return the instant that RFC 3339 text names, or None: no zone, no such moment, outside 1970 to 2200."""
    match = _RFC3339.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    date, clock, fraction, zone = match.groups()
    offset = "+00:00" if zone in "Zz" else zone
    try:
        moment = datetime.fromisoformat(f"{date}T{clock}{offset}")
    except ValueError:
        return None
    return in_range((moment - _EPOCH) // _MICROSECOND + int((fraction or "0").ljust(6, "0")[:6]))


def in_range(value_us: int) -> int | None:
    """Return the instant if the store can hold it."""
    return value_us if FIRST_INSTANT_US <= value_us < LAST_INSTANT_US else None


def rfc3339(value_us: int) -> str:
    """Return the instant as RFC 3339 in UTC, to the microsecond."""
    moment = _EPOCH + timedelta(microseconds=value_us)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
