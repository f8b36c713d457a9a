"""What a run may spend on its summarizer, and what the day has spent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from memtool.ledger.reading import Spent
from memtool.model.calendar import Calendar
from memtool.model.levels import Level


@dataclass(frozen=True, slots=True)
class Budget:
    """None is no bound. Free calls (of a summarizer that asks nobody) heed `calls_per_run` alone."""

    calls_per_run: int | None = None
    tokens_per_run: int | None = None
    calls_per_day: int | None = None
    tokens_per_day: int | None = None


def spent_today(root: Path, calendar: Calendar, now_us: int) -> Spent:
    """Return what the calls on record took since the day began that holds the instant."""
    from memtool.ledger.reading import spent_since

    start_us, _ = calendar.bounds_us(calendar.holding(Level.DAY, now_us))
    return spent_since(root, start_us)
