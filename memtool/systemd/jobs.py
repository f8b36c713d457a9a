"""The table of jobs, and the table of tasks, which no timer starts.

A job's row has everything about it: command, schedule, settings, units, crontab line. The code that runs is in `jobs/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeVar

from memtool.agents import registry
from memtool.errors import UsageError
from memtool.settings import TimerSettings, settings_table
from memtool.text import nearest

Network = Literal["never", "summarizer"]
"""Whether the job's unit may reach the network: never, or if the configured summarizer needs it."""


_DAY_MINUTES = 24 * 60
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class Time(NamedTuple):
    """A time of day at which a job starts: every day, or on this weekday (0 is Monday), day or month only.

    With `every_min` it is every so many minutes instead.
    """

    hour: int = 0
    minute: int = 0
    weekday: int | None = None
    day: int | None = None
    month: int | None = None
    every_min: int = 0

    def __str__(self) -> str:
        """Return it as OnCalendar= takes it."""
        if self.every_min:
            return f"*:0/{self.every_min}"
        weekday = "" if self.weekday is None else f"{_WEEKDAYS[self.weekday]} "
        month, day = (
            "*" if number is None else f"{number:02}" for number in (self.month, self.day)
        )
        return f"{weekday}*-{month}-{day} {self.hour:02}:{self.minute:02}:00"

    @property
    def crontab(self) -> str:
        """The five fields of a crontab."""
        if self.every_min:
            return f"*/{self.every_min} * * * *"
        weekday = None if self.weekday is None else _WEEKDAYS[self.weekday]
        dates = ("*" if field is None else str(field) for field in (self.day, self.month, weekday))
        return " ".join([str(self.minute), str(self.hour), *dates])

    def later(self, minutes: int) -> Time:
        """Return the time so many minutes later, less than a day. What comes every few minutes does not move."""
        if self.every_min:
            return self
        days, rest = divmod(self.hour * 60 + self.minute + minutes, _DAY_MINUTES)
        weekday = None if self.weekday is None else (self.weekday + days) % len(_WEEKDAYS)
        day = None if self.day is None else self.day + days
        return self._replace(hour=rest // 60, minute=rest % 60, weekday=weekday, day=day)


class Job(NamedTuple):
    """One job that a timer starts."""

    name: str
    command: tuple[str, ...]
    description: str
    """In the infinitive: what status, unit files and help say of it."""
    times: tuple[Time, ...]
    """When it starts, in the machine's zone unless `memtool scheduler apply` names another.

    A second time is for the night on which the clock jumps over the first: systemd skips what does not exist.
    """
    settings: TimerSettings
    """The defaults of its section, which are in its unit files, too."""
    levels: tuple[str, ...] = ()
    """The levels whose nodes it writes."""
    network: Network = "never"
    after: tuple[str, ...] = ()
    """The jobs that it waits for if several start at once."""
    wants: tuple[str, ...] = ()
    """Those of them that it starts, too."""
    is_retried: bool = True
    """Whether systemd tries it again after a failure; if not, it may start any number of times."""
    reads_transcripts: bool = False
    watches: str = ""
    """The file below the store whose change starts it, too; empty: only its timer does."""
    body: str = ""
    """The function that does the work, as `module:function`; empty if a module in cli/ calls it.

    It takes a RunContext. The command is then made from this row, and is one word.
    """

    @property
    def help(self) -> str:
        """What it does, as a sentence."""
        return f"{self.description[0].upper()}{self.description[1:]}."

    @property
    def schedule(self) -> tuple[str, ...]:
        """The times as OnCalendar= expressions."""
        return tuple(map(str, self.times))

    @property
    def section(self) -> str:
        """The section of its settings."""
        return self.name.replace("-", "_")

    @property
    def unit(self) -> str:
        """The name of its systemd service."""
        return f"memtool-{self.name}.service"

    @property
    def timer(self) -> str:
        """The name of its systemd timer."""
        return f"memtool-{self.name}.timer"

    @property
    def path(self) -> str:
        """The name of the systemd path unit that starts it; empty if it watches nothing."""
        return f"memtool-{self.watches.partition('/')[0]}.path" if self.watches else ""


_ROLLUP = TimerSettings(jitter_s=300, timeout_s=7200)

JOBS = (
    Job(
        name="ingest",
        command=("ingest",),
        description="read new transcripts",
        times=(Time(every_min=15),),
        settings=TimerSettings(jitter_s=60, timeout_s=1800),
        is_retried=False,  # the next one is never far away
        reads_transcripts=True,
        watches="spool/ring",
    ),
    Job(
        name="day-rollup",
        command=("rollup", "day"),
        description="summarize finished days",
        times=(Time(1), Time(3, 30, weekday=6)),  # clocks skip 1:00 in London and Lisbon
        settings=_ROLLUP,
        levels=("segment", "day"),
        network="summarizer",
        after=("ingest",),
        wants=("ingest",),
    ),
    Job(
        name="week-rollup",
        command=("rollup", "week"),
        description="summarize finished weeks",
        times=(Time(2, weekday=6), Time(3, weekday=6)),  # no zone skips both
        settings=_ROLLUP,
        levels=("week",),
        network="summarizer",
        after=("ingest", "day-rollup"),
        wants=("ingest",),
    ),
    Job(
        name="month-rollup",
        command=("rollup", "month"),
        description="summarize finished months",
        times=(Time(3, day=1),),
        settings=_ROLLUP,
        levels=("month",),
        network="summarizer",
        after=("ingest", "day-rollup", "week-rollup"),
        wants=("ingest",),
    ),
    Job(
        name="year-rollup",
        command=("rollup", "year"),
        description="summarize finished years",
        times=(Time(3, 30, day=1, month=1),),
        settings=_ROLLUP,
        levels=("year",),
        network="summarizer",
        after=("ingest", "day-rollup", "week-rollup", "month-rollup"),
        wants=("ingest",),
    ),
    Job(
        name="compaction",
        command=("compact",),
        description="compact the store",
        times=(Time(4, weekday=6),),
        settings=TimerSettings(jitter_s=600, timeout_s=3600),
        after=("ingest", "day-rollup", "week-rollup", "month-rollup", "year-rollup"),
    ),
)


class Task(NamedTuple):
    """Work that a person starts and no timer does. Its lock and its records are like a job's; it has no unit."""

    name: str
    command: tuple[str, ...]


TASKS = (
    Task("rebuild", ("rebuild",)),
    Task("forget", ("forget",)),
    Task("redact", ("redact",)),
    Task("rename", ("project", "rename")),
    Task("backup", ("backup",)),
    Task("restore", ("restore",)),
    Task("note", ("note",)),
    Task("settle", ("open", "--done")),
    Task("preview", ("show", "--with")),
)

Runnable = Job | Task
"""What `jobs.runner.run_job` runs."""

BY_NAME = {job.name: job for job in JOBS}
STARTERS = tuple(unit for job in JOBS for unit in (job.timer, job.path) if unit)
"""The units that start jobs, which are enabled: timers and path units."""
_RUNNABLES: dict[str, Runnable] = {row.name: row for row in (*JOBS, *TASKS)}
SETTINGS = settings_table({job.section: job.settings for job in JOBS}, registry.settings())
"""All settings of memtool by their keys."""

assert len(_RUNNABLES) == len(JOBS) + len(TASKS)
assert all(row.command for row in _RUNNABLES.values())
assert all(job.times for job in JOBS)
assert all({*job.wants} <= {*job.after} <= BY_NAME.keys() for job in JOBS)


def job_named(name: str) -> Job:
    """Return the job. Raise UsageError, naming the nearest one, if there is none."""
    return _named(name, BY_NAME)


def runnable_named(name: str) -> Runnable:
    """Return the job or the task. Raise UsageError, naming the nearest one, if there is none."""
    return _named(name, _RUNNABLES)


_T = TypeVar("_T", bound=Runnable)


def _named(name: str, rows: Mapping[str, _T]) -> _T:
    if name in rows:
        return rows[name]
    near = nearest(name, tuple(rows))
    names = ", ".join(rows)
    hint = f"did you mean {near}? The jobs are: {names}" if near else f"the jobs are: {names}"
    raise UsageError(f"there is no job named {name!r}", hint=hint)
