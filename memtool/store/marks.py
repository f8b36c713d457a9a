"""Marks: "the inputs of this period changed". Sets them, in batches that others write; clears none."""

from __future__ import annotations

from collections.abc import Iterable

from memtool.model.levels import Level, Period
from memtool.store import codec, families, keys
from memtool.store.engine import RawBatch
from memtool.store.store import Store


def mark_moments(store: Store, batch: RawBatch, moments_us: Iterable[int]) -> set[int]:
    """Mark the day that holds each instant, in every table of contents by its own calendar.

    Whatever changes events calls this: a rebuild then loses nothing that came while it was at work. Return the days of
    this table of contents.
    """
    moments = set(moments_us)
    for each in store.generations():
        mark_days(each, batch, {each.calendar.day_of(moment_us) for moment_us in moments})
    return {store.calendar.day_of(moment_us) for moment_us in moments}


def mark_days(store: Store, batch: RawBatch, days: Iterable[int]) -> None:
    """Mark days of this table of contents alone, with a new number."""
    mark(store, batch, [Period(Level.DAY, day) for day in sorted(days)])


def mark(store: Store, batch: RawBatch, periods: Iterable[Period]) -> int:
    """Mark periods of this table of contents alone, with a new number; return the number."""
    number = store.sequence() + 1
    marked = list(periods)
    for period in marked:
        batch.put(families.MARKS, keys.period(store.generation, period), keys.instant(number))
    if marked:
        batch.put(families.META, b"sequence", codec.encode_json(number))
    return number
