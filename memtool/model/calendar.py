"""The pinned calendar: which instants a period holds, in one zone. Reads zone data, never the clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec

from memtool.model.levels import WEEKDAYS, Level, Period, parse_period, period_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_SETTLED_US = _DAY // _MICROSECOND
UTC_DAY_US = _DAY // _MICROSECOND


def utc_day(instant_us: int) -> int:
    """Return the ordinal of the UTC day that holds the instant."""
    return _EPOCH.toordinal() + instant_us // UTC_DAY_US


def utc_bounds_us(day: int) -> tuple[int, int]:
    """Return the first instant of a UTC day and the first one after it."""
    start_us = (day - _EPOCH.toordinal()) * UTC_DAY_US
    return start_us, start_us + UTC_DAY_US


class Calendar(msgspec.Struct, frozen=True):
    """Zone (IANA name), minute of the day at which days start, and the weekday at which weeks start (0 is monday)."""

    zone: str
    day_start_minutes: int = 0
    week_start: int = 6

    def day_of(self, instant_us: int) -> int:
        moment = _EPOCH + timedelta(microseconds=instant_us)
        local = moment.astimezone(ZoneInfo(self.zone)).replace(tzinfo=None)
        day = (local - timedelta(minutes=self.day_start_minutes)).toordinal()
        while self.day_start_us(day) > instant_us:
            day -= 1
        while self.day_start_us(day + 1) <= instant_us:
            day += 1
        return day

    def days_of(self, instants_us: Sequence[int]) -> set[int]:
        """Return the days that hold the instants, which are in order."""
        found: set[int] = set()
        end_us = -1
        for instant_us in instants_us:
            if instant_us >= end_us:
                day = self.day_of(instant_us)
                found.add(day)
                end_us = self.day_start_us(day + 1)
        return found

    def day_start_us(self, day: int) -> int:
        return _day_start_us(self.zone, self.day_start_minutes, day)

    def bounds_us(self, period: Period) -> tuple[int, int]:
        """Return the period's first instant and the first one after it; equal for a day that the zone skipped."""
        return self.day_start_us(period.first), self.day_start_us(period.end)

    def holding(self, level: Level, instant_us: int) -> Period:
        return period_of(level, self.day_of(instant_us), self.week_start)

    def is_closed(self, period: Period, now_us: int) -> bool:
        return self.day_start_us(period.end) <= now_us

    def is_settled(self, period: Period, now_us: int) -> bool:
        """Return whether it ended at least 24 hours ago (invariant 5)."""
        return self.day_start_us(period.end) + _SETTLED_US <= now_us

    def parse(self, text: str, now_us: int) -> Period | None:
        """Return the period that a person named, or None."""
        return parse_period(text, today=self.day_of(now_us), week_start=self.week_start)

    def describe(self) -> dict[str, str]:
        """Return it as it is recorded in the store and set in the config."""
        hours, minutes = divmod(self.day_start_minutes, 60)
        return {
            "zone": self.zone,
            "day_starts_at": f"{hours:02}:{minutes:02}",
            "week_starts_on": WEEKDAYS[self.week_start],
        }


def calendar_from(zone: str, day_starts_at: str, week_starts_on: str) -> Calendar:
    """Return the calendar that these settings (already checked) name."""
    hours, _, minutes = day_starts_at.partition(":")
    return Calendar(zone, int(hours) * 60 + int(minutes), WEEKDAYS.index(week_starts_on))


@lru_cache(maxsize=65536)
def _day_start_us(zone: str, minutes: int, day: int) -> int:
    wanted = datetime.fromordinal(day) + timedelta(minutes=minutes)
    tz = ZoneInfo(zone)
    start = wanted.replace(tzinfo=tz).astimezone(UTC)  # fold=0: the first of two equal readings
    if start.astimezone(tz).replace(tzinfo=None) != wanted:
        # The clock jumps over it: the offset before the jump dates it too late, the one after too early.
        early = wanted.replace(tzinfo=tz, fold=1).astimezone(UTC)
        start = _first_change(tz, early, start)
    return (start - _EPOCH) // _MICROSECOND


def _first_change(tz: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """Return the second in (low, high] at which the offset is first that of `high`."""
    target = high.astimezone(tz).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = (low + (high - low) / 2).replace(microsecond=0)
        if middle.astimezone(tz).utcoffset() == target:
            high = middle
        else:
            low = middle
    return high


def transitions(zone: str, first_year: int, last_year: int) -> list[tuple[int, int]]:
    """Return (instant in microseconds, offset in seconds) at the span's start and at each change of offset in it."""
    tz = ZoneInfo(zone)
    moment = datetime(first_year, 1, 1, tzinfo=UTC) - _DAY
    changes = [moment]
    while moment < _span_end(last_year):
        following = moment + _DAY
        if following.astimezone(tz).utcoffset() != moment.astimezone(tz).utcoffset():
            changes.append(_first_change(tz, moment, following))
        moment = following
    found: list[tuple[int, int]] = []
    for change in changes:
        offset = change.astimezone(tz).utcoffset()
        assert offset is not None
        found.append(((change - _EPOCH) // _MICROSECOND, offset // timedelta(seconds=1)))
    return found


def _span_end(last_year: int) -> datetime:
    """Return the instant up to which a table that ends with this year knows the offsets."""
    return datetime(last_year, 12, 31, tzinfo=UTC) + 2 * _DAY


def year_of(instant_us: int) -> int:
    """Return the UTC year of an instant, for the span of the zone table."""
    return (_EPOCH + timedelta(microseconds=instant_us)).year


class ZoneTable(msgspec.Struct, frozen=True):
    """The offsets that the days so far were cut by (invariant 13)."""

    first_year: int
    last_year: int
    transitions: list[tuple[int, int]]
    """Instant in microseconds, and the offset in seconds that is in force from then on."""

    @property
    def _end_us(self) -> int:
        return (_span_end(self.last_year) - _EPOCH) // _MICROSECOND

    def today(self, zone: str) -> ZoneTable:
        """Return today's zone data over the same years."""
        return zone_table(zone, self.first_year, self.last_year)

    def extended(self, zone: str, first_year: int, last_year: int) -> ZoneTable:
        """Return a table that has these years too; the offsets of the years it has stay as they were."""
        first, last = min(first_year, self.first_year), max(last_year, self.last_year)
        if (first, last) == (self.first_year, self.last_year):
            return self
        start_us, end_us = self.transitions[0][0], self._end_us
        today = transitions(zone, first, last)
        before = [row for row in today if row[0] < start_us]
        after = [row for row in today if row[0] > end_us]
        return ZoneTable(first, last, [*before, *self.transitions, *after])

    def differences(self, other: ZoneTable) -> list[tuple[int, int]]:
        """Return the spans (from, to) in which another table of the same years has other offsets."""
        instants = {instant for instant, _ in (*self.transitions, *other.transitions)}
        spans = pairwise(sorted(instants | {self._end_us}))
        return [span for span in spans if self._offset_at(span[0]) != other._offset_at(span[0])]

    def _offset_at(self, instant_us: int) -> int | None:
        offsets = [offset for start, offset in self.transitions if start <= instant_us]
        return offsets[-1] if offsets else None


def zone_table(zone: str, first_year: int, last_year: int) -> ZoneTable:
    return ZoneTable(first_year, last_year, transitions(zone, first_year, last_year))
