"""When a timer should have fired last, and which of its times a clock change leaves out. Reads zone data, no clock.

systemd tells the next time only. What it tells of the last is when it fired, which is no help where it did not fire.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from memtool.systemd.schedule import DAY_S, Schedule

_LOOK_BACK_DAYS = 370
_LOOK_AHEAD_S = 370 * DAY_S
_NEAR_S = DAY_S // 2


class Gap(NamedTuple):
    """Times of the clock that do not exist on a day, in seconds since its midnight: the clock jumps over them."""

    at_us: int
    day: date
    start_s: int
    end_s: int


def last_due_us(schedules: Iterable[Schedule], before_us: int, machine_zone: str) -> int | None:
    """Return the last instant not after this one that a schedule names, in its zone or the machine's."""
    found = [
        due_us
        for schedule in schedules
        if (zone := _zone(schedule.zone or machine_zone)) is not None
        if (due_us := _last_of(schedule, before_us, zone)) is not None
    ]
    return max(found, default=None)


def lost_to_clock(schedules: tuple[Schedule, ...], now_us: int, machine_zone: str) -> Gap | None:
    """Return the first clock change of the coming year that leaves out a time of these schedules.

    None where there is none, or another of their times is near it on that day.
    """
    for gap, schedule in _hits(schedules, now_us, machine_zone):
        zone = schedule.zone or machine_zone
        others = (one for one in schedules if (one.zone or machine_zone) == zone)
        if not any(_makes_up_for(one, gap) for one in others):
            return gap
    return None


def _makes_up_for(schedule: Schedule, gap: Gap) -> bool:
    before, after = (gap.start_s - _NEAR_S, gap.start_s), (gap.end_s, gap.end_s + _NEAR_S)
    return schedule.has_day(gap.day) and (schedule.has_time(*before) or schedule.has_time(*after))


def _hits(
    schedules: tuple[Schedule, ...], now_us: int, machine_zone: str
) -> Iterator[tuple[Gap, Schedule]]:
    gaps = {
        zone: _gaps(zone, now_us)
        for zone in {one.zone or machine_zone for one in schedules}
        if _zone(zone) is not None
    }
    for schedule in schedules:
        for gap in gaps.get(schedule.zone or machine_zone, ()):
            if schedule.has_day(gap.day) and schedule.has_time(gap.start_s, gap.end_s):
                yield gap, schedule


@lru_cache(maxsize=16)  # one look asks for six jobs
def _gaps(zone: str, now_us: int) -> tuple[Gap, ...]:
    """Return the jumps forward of the coming year. core.calendar could tell them, and takes 20 ms to import."""
    tz, found = ZoneInfo(zone), []
    start = now_us // 1_000_000
    for at in range(start, start + _LOOK_AHEAD_S, DAY_S):
        before_s, after_s = _offset_s(at, tz), _offset_s(at + DAY_S, tz)
        if after_s > before_s:
            change = (
                bisect_left(range(at, at + DAY_S), after_s, key=lambda s: _offset_s(s, tz)) + at
            )
            clock = datetime.fromtimestamp(change, UTC) + timedelta(seconds=before_s)
            start_s = clock.hour * 3600 + clock.minute * 60 + clock.second
            end_s = start_s + after_s - before_s
            found.append(Gap(change * 1_000_000, clock.date(), start_s, end_s))
    return tuple(found)


def _offset_s(at: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(at, zone).utcoffset()
    assert offset is not None
    return offset.days * DAY_S + offset.seconds


def _last_of(schedule: Schedule, before_us: int, zone: ZoneInfo) -> int | None:
    now = _moment(before_us, zone)
    until_s = now.hour * 3600 + now.minute * 60 + now.second
    for back in range(_LOOK_BACK_DAYS):
        day = now.date() - timedelta(days=back)
        if schedule.has_day(day):
            times = (time_s for time_s in schedule.times() if back or time_s <= until_s)
            found = next((us for us in _instants(day, times, zone) if us <= before_us), None)
            if found is not None:
                return found
    return None


def _instants(day: date, times: Iterable[int], zone: ZoneInfo) -> Iterator[int]:
    """Give the instants of these times of the clock; what the clock jumps over is none."""
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a clock's reading
    for time_s in times:
        wall = midnight + timedelta(seconds=time_s)
        instant = wall.replace(tzinfo=zone).astimezone(UTC)
        if instant.astimezone(zone).replace(tzinfo=None) == wall:
            yield round(instant.timestamp()) * 1_000_000


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def _moment(time_us: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(time_us / 1_000_000, zone)
