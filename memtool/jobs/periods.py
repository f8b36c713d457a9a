"""The period that a person names, read in the store's own calendar."""

from __future__ import annotations

from pathlib import Path

from memtool.base.errors import UsageError
from memtool.core.calendar import Calendar
from memtool.core.levels import PERIOD_FORMS, Period
from memtool.store.access import Access


def named_period(root: Path, text: str, now_us: int, *, fallback: Calendar) -> Period:
    """Return the period. Raise UsageError with the forms there are; `fallback` serves where there is no store yet."""
    period = _calendar(root, fallback).parse(text, now_us)
    if period is None:
        raise UsageError(f"{text!r} names no period", hint=f"a period is one of: {PERIOD_FORMS}")
    return period


def _calendar(root: Path, fallback: Calendar) -> Calendar:
    access = Access(root)
    if not access.exists():
        return fallback
    with access.reading() as store:
        return store.calendar
