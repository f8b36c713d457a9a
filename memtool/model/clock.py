"""Instants as the store's own clock shows them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(NamedTuple):
    """Instants as the store's own clock shows them."""

    zone: str

    def date(self, instant_us: int) -> str:
        """Return such as `2026-11-22`."""
        return f"{self._local(instant_us):%Y-%m-%d}"

    def minute(self, instant_us: int) -> str:
        """Return such as `14:30`."""
        return f"{self._local(instant_us):%H:%M}"

    def second(self, instant_us: int) -> str:
        """Return such as `14:30:05`."""
        return f"{self._local(instant_us):%H:%M:%S}"

    def day(self, instant_us: int) -> str:
        """Return such as `Sun 22 Nov 2026`."""
        local = self._local(instant_us)
        return f"{local:%a} {local.day} {local:%b %Y}"

    def moment(self, instant_us: int) -> str:
        """Return such as `Sun 22 Nov 2026 14:30`."""
        return f"{self.day(instant_us)} {self.minute(instant_us)}"

    def span(self, start_us: int, end_us: int) -> str:
        """Return the minutes of start and end, with the date of the end if it is on another day."""
        start, end = self.minute(start_us), self.minute(end_us)
        if self.date(start_us) != self.date(end_us):
            return f"{start} to {self.moment(end_us)}"
        return start if start == end else f"{start}–{end}"

    def dates(self, start_us: int, end_us: int) -> str:
        """Return such as `6 Feb`, `6–7 Feb` and `30 Jan–2 Feb`, with the years if they differ."""
        start, end = self._local(start_us), self._local(end_us)
        last = f"{end.day} {end:%b}"
        if start.year != end.year:
            return f"{start.day} {start:%b %Y}–{last} {end.year}"
        if start.month != end.month:
            return f"{start.day} {start:%b}–{last}"
        return last if start.day == end.day else f"{start.day}–{last}"

    def iso(self, instant_us: int) -> str:
        """Return RFC 3339 with the offset of the zone."""
        return self._local(instant_us).isoformat(timespec="microseconds")

    def _local(self, instant_us: int) -> datetime:
        from zoneinfo import ZoneInfo

        return (_EPOCH + timedelta(microseconds=instant_us)).astimezone(ZoneInfo(self.zone))
