"""What a rollup is told to do: by its job, by the config and by the person who asks."""

from __future__ import annotations

from dataclasses import dataclass

from memtool.jobs.budget import Budget
from memtool.model.calendar import Calendar
from memtool.model.levels import Level, Period
from memtool.summarize import Summarizer


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person may ask of a rollup."""

    include_open: bool = False
    since: Period | None = None
    force: Period | None = None
    outdated: bool = False
    """Also what another recipe wrote, newest first."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a rollup run is to do: a level, the calendar that the config asks for, and what a person asked for."""

    level: Level
    summarizer: Summarizer
    calendar: Calendar
    zone_is_set: bool
    choices: Choices
    budget: Budget = Budget()  # noqa: RUF009 - frozen
    at_once: int = 1
    """How many calls are made at once, where the summarizer waits for them."""
