"""The jobs as lines of a crontab, for machines without systemd. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from memtool.model.calendar import Calendar
from memtool.settings import TimerSettings
from memtool.systemd.dropins import moved
from memtool.systemd.jobs import JOBS


def crontab_lines(
    program: Sequence[str],
    settings: Mapping[str, TimerSettings] | None = None,
    calendar: Calendar | None = None,
    zone: str = "",
) -> Iterator[str]:
    """Yield a line for each job, and comments that say what cron cannot do. `program` has memtool's global options.

    `zone` is that of the machine, in which cron reads the times; empty if it is not known.
    """
    yield "# memtool: --scheduled respects pauses, and prints nothing unless the job fails."
    if calendar is not None and zone != calendar.zone:
        has = f", {zone}" if zone else ""
        yield f"# cron uses this machine's time zone{has}; days of the memory are of {calendar.zone}."
    for job in JOBS:
        schedule = settings[job.section].schedule.strip(" ;") if settings else ""
        if schedule:
            yield (
                f"# {job.section}.schedule = {schedule!r} is for systemd and is not translated: this "
                "is the default time. Correct the next line by hand."
            )
        time = moved(job, job.times[0], calendar) if calendar else job.times[0]
        command = shlex.join([*program, *job.command, "--scheduled"])
        yield f"{time.crontab} " + command.replace("%", r"\%")  # to cron, % is a line end
