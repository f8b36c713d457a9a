"""What a run may spend on its summarizer, and what the day has spent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from memtool.core.calendar import Calendar
from memtool.core.levels import Level
from memtool.scheduler.calls import CallRecord, read_calls


@dataclass(frozen=True, slots=True)
class Budget:
    """None is no bound. Free calls (of a summarizer that asks nobody) heed `calls_per_run` alone."""

    calls_per_run: int | None = None
    tokens_per_run: int | None = None
    calls_per_day: int | None = None
    tokens_per_day: int | None = None


def calls_today(root: Path, calendar: Calendar, now_us: int) -> list[CallRecord]:
    """Return the calls on record of the day that holds the instant."""
    start_us, _ = calendar.bounds_us(calendar.holding(Level.DAY, now_us))
    return [call for call in read_calls(root) if call.time_us >= start_us]
