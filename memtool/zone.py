"""The machine's own time zone, asked for when a store is made, and never again: its calendar is pinned."""

from __future__ import annotations

import warnings

from memtool.errors import ConfigError


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
