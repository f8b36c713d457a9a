"""When a job is to run: what the settings say, or the job table's times moved with the calendar.

Pure, but that it looks whether a zone of a name exists.
"""

from __future__ import annotations

import re

from memtool.model.calendar import Calendar
from memtool.systemd.jobs import Job

_DAY_MINUTES = 24 * 60
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# The forms of the job table's times of the day; ingest's, every so many minutes, has none and does not move.
_FORM = re.compile(r"(?:([A-Z][a-z]{2}) )?\*-(\*|\d\d)-(\*|\d\d) (\d\d):(\d\d):00")


def schedule_of(job: Job, setting: str, calendar: Calendar | None) -> tuple[str, ...]:
    """Return the OnCalendar= expressions of a job: the setting's, else the table's, moved.

    They name the calendar's zone unless they name one of their own, or there is no calendar yet: a machine that
    travels keeps the store's nights.
    """
    if setting.strip(" ;"):
        given = [part.strip() for part in setting.split(";") if part.strip()]
        return tuple(_zoned(text, calendar) for text in given)
    if calendar is None:
        return job.schedule
    return tuple(_moved(job, text, calendar) for text in job.schedule)


def _moved(job: Job, text: str, calendar: Calendar) -> str:
    """Return the default time, moved by when days start; the week's also to the day on which weeks start."""
    found = _FORM.fullmatch(text)
    if found is None:
        return text
    weekday, month, day, hour, minute = found.groups()
    total = int(hour) * 60 + int(minute) + calendar.day_start_minutes
    later, rest = divmod(total, _DAY_MINUTES)
    if weekday:
        first = calendar.week_start if "week" in job.levels else _WEEKDAYS.index(weekday)
        weekday = _WEEKDAYS[(first + later) % 7] + " "
    day = day if day == "*" else f"{int(day) + later:02}"
    clock = f"{rest // 60:02}:{rest % 60:02}:00"
    return f"{weekday or ''}*-{month}-{day} {clock} {calendar.zone}"


def _zoned(text: str, calendar: Calendar | None) -> str:
    if calendar is None or _names_zone(text):
        return text
    return f"{text} {calendar.zone}"


def _names_zone(text: str) -> bool:
    """Return whether the last word is a zone: "daily", "Sun" and "2:00" are none."""
    from zoneinfo import ZoneInfo

    word = text.rsplit(maxsplit=1)[-1]
    if word == "UTC":
        return True
    try:
        ZoneInfo(word)
    except (KeyError, ValueError, OSError):
        return False
    return word[0].isalpha()
