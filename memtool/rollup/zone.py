"""The time zone of this machine, by its IANA name, and never by a guess: the name must agree with the clock."""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from memtool.errors import ConfigError
from memtool.systemd.systemctl import machine_zone

_HINT = "name the zone: memtool config set calendar.timezone Europe/Paris"
_DAYS = 366
_RULE = re.compile(r"(<[A-Za-z0-9+-]+>|[A-Za-z]{3,})[+-]?\d")
"""How a zone begins that POSIX allows in TZ: `EST5EDT,M3.2.0,M11.1.0`, `<+0530>-5:30`."""


def local_zone(environ: Mapping[str, str], now_us: int) -> str:
    """Return the IANA name of the zone in which this process's clock is.

    That is TZ if it is such a name, else the machine's. Raise ConfigError if there is none, or if TZ is something else
    and the clock is not in the machine's zone over the next year.
    """
    given = environ.get("TZ")
    name = "" if given is None else _iana_name(given)
    if given and not name and not _RULE.match(given) and not given.startswith((":", "/")):
        raise ConfigError(f"TZ is {given}, which is no time zone", hint=_HINT)
    linked = machine_zone()
    if name or (given is None and _is_known(linked)):
        return name or linked
    zone = linked or _configured()
    different = _difference(zone, now_us // 1_000_000)
    if not different:
        return zone
    if given is None:
        raise ConfigError(f"the time zone here is named {zone}, but {different}", hint=_HINT)
    raise ConfigError(
        f'TZ is "{given}", which is no IANA time zone; the machine\'s zone is {zone}, but {different}',
        hint=_HINT,
    )


def _iana_name(text: str) -> str:
    """Return the name that a TZ has, also as a path below zoneinfo; nothing for all else."""
    name = text.removeprefix(":")
    if name.startswith("/"):
        name = str(Path(name).resolve()).partition("zoneinfo/")[2]
    name = name.removeprefix("posix/")
    if name.startswith(("right/", "localtime")) or not _is_known(name):
        return ""
    return name


def _is_known(name: str) -> bool:
    try:
        return bool(name) and ZoneInfo(name) is not None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False


def _configured() -> str:
    """Return the name in other files than /etc/localtime, such as /etc/timezone; UTC if nothing is configured."""
    from tzlocal import get_localzone_name

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tzlocal warns if nothing is configured, and answers UTC
        try:
            name = str(get_localzone_name() or "UTC")
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ConfigError(
                f"this machine's time zone has no name that can be recorded: {error}", hint=_HINT
            ) from error
    return name


def _difference(zone: str, now_s: int) -> str:
    """Return in words on which day of the next year the clock is not that of the zone; nothing if it always is."""
    if not _is_known(zone):
        return "there is no data of it"
    data = ZoneInfo(zone)
    for instant_s in range(now_s, now_s + _DAYS * 86_400, 86_400):
        here_s = time.localtime(instant_s).tm_gmtoff
        moment = datetime.fromtimestamp(instant_s, UTC)
        if moment.astimezone(data).utcoffset() != timedelta(seconds=here_s):
            sign, minutes = "-" if here_s < 0 else "+", abs(here_s) // 60
            return f"the clock is at UTC{sign}{minutes // 60:02}:{minutes % 60:02} on {moment:%d %B %Y}"
    return ""
