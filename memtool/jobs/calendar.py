"""The calendar that the configuration asks for: what a new store is made with, and what an old one is compared with."""

from __future__ import annotations

from memtool.config import Config
from memtool.model.calendar import Calendar, calendar_from
from memtool.zone import local_zone

AUTO = "auto"


def zone_is_set(config: Config) -> bool:
    """Return whether a zone was named; "auto" takes the machine's for a new store and asks nothing of an old one."""
    return config.calendar.timezone != AUTO


def wanted_calendar(config: Config) -> Calendar:
    """Return the calendar to compare a store's with; its zone means nothing unless `zone_is_set`."""
    return _calendar(config, config.calendar.timezone if zone_is_set(config) else "UTC")


def calendar_for_new_store(config: Config) -> Calendar:
    """Return the calendar that a store is made with."""
    return _calendar(config, config.calendar.timezone if zone_is_set(config) else local_zone())


def _calendar(config: Config, zone: str) -> Calendar:
    return calendar_from(zone, config.calendar.day_starts_at, config.calendar.week_starts_on)
