"""The calendar that the configuration asks for: what a new store is made with, and what an old one is compared with."""

from __future__ import annotations

import warnings

from memtool.config import Config
from memtool.errors import ConfigError
from memtool.model.calendar import Calendar, calendar_from

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


def local_zone() -> str:
    """Return the IANA name of this machine's zone, UTC where none is set. Raise ConfigError where it has no name."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from tzlocal import get_localzone_name

    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # tzlocal warns where nothing is configured, and answers UTC
        try:
            name = get_localzone_name() or "UTC"
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ConfigError(
                f"this machine's time zone has no name that can be recorded: {error}",
                hint="name one: memtool config set calendar.timezone Europe/Paris",
            ) from error
    return str(name)
