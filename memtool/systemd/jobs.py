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
"""Whether the job's unit may reach the network: never, or where the configured summarizer needs it."""


class Job(NamedTuple):
    """One job that a timer starts."""

    name: str
    command: tuple[str, ...]
    description: str
    """In the infinitive: what status, unit files and help say of it."""
    schedule: tuple[str, ...]
    """OnCalendar= expressions. The zone is the machine's, unless `memtool scheduler apply` names another.

    A second one is for the night on which the clock jumps over the first: systemd skips what does not exist.
    """
    crontab: str
    """The five fields of a crontab for the first expression."""
    settings: TimerSettings
    """The defaults of its section, which are in its unit files, too."""
    levels: tuple[str, ...] = ()
    """The levels whose nodes it writes."""
    network: Network = "never"
    after: tuple[str, ...] = ()
    """The jobs that it waits for where several start at once."""
    wants: tuple[str, ...] = ()
    """Those of them that it starts, too."""
    is_retried: bool = True
    """Whether systemd tries it again after a failure; if not, it may start any number of times."""
    reads_transcripts: bool = False
    body: str = ""
    """The function that does the work, as `module:function`; empty if a command of its own calls it."""

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


_ROLLUP = TimerSettings(jitter_s=300, timeout_s=7200)

JOBS = (
    Job(
        name="ingest",
        command=("ingest",),
        description="take in new transcripts",
        schedule=("*:0/15",),
        crontab="*/15 * * * *",
        settings=TimerSettings(jitter_s=60, timeout_s=1800),
        is_retried=False,  # the next one is never far away
        reads_transcripts=True,
    ),
    Job(
        name="day-rollup",
        command=("rollup", "day"),
        description="summarise finished days",
        schedule=("*-*-* 01:00:00", "Sun *-*-* 03:30:00"),  # London, Lisbon
        crontab="0 1 * * *",
        settings=_ROLLUP,
        levels=("segment", "day"),
        network="summarizer",
        after=("ingest",),
        wants=("ingest",),
    ),
    Job(
        name="week-rollup",
        command=("rollup", "week"),
        description="summarise finished weeks",
        schedule=("Sun *-*-* 02:00:00", "Sun *-*-* 03:00:00"),  # no zone skips both
        crontab="0 2 * * Sun",
        settings=_ROLLUP,
        levels=("week",),
        network="summarizer",
        after=("ingest", "day-rollup"),
        wants=("ingest",),
    ),
    Job(
        name="month-rollup",
        command=("rollup", "month"),
        description="summarise finished months",
        schedule=("*-*-01 03:00:00",),
        crontab="0 3 1 * *",
        settings=_ROLLUP,
        levels=("month",),
        network="summarizer",
        after=("ingest", "day-rollup", "week-rollup"),
        wants=("ingest",),
    ),
    Job(
        name="year-rollup",
        command=("rollup", "year"),
        description="summarise finished years",
        schedule=("*-01-01 03:30:00",),
        crontab="30 3 1 1 *",
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
        schedule=("Sun *-*-* 04:00:00",),
        crontab="0 4 * * Sun",
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
    Task("backup", ("backup",)),
    Task("restore", ("restore",)),
)

Runnable = Job | Task
"""What `jobs.runner.run_job` runs."""

BY_NAME = {job.name: job for job in JOBS}
_RUNNABLES: dict[str, Runnable] = {row.name: row for row in (*JOBS, *TASKS)}
SETTINGS = settings_table({job.section: job.settings for job in JOBS}, registry.settings())
"""All settings of memtool by their keys."""

assert len(_RUNNABLES) == len(JOBS) + len(TASKS)
assert all(row.command for row in _RUNNABLES.values())
assert all(job.schedule and len(job.crontab.split()) == 5 for job in JOBS)  # noqa: PLR2004
assert all({*job.wants} <= {*job.after} <= BY_NAME.keys() for job in JOBS)


def job_named(name: str) -> Job:
    """Return the job. Raise UsageError, which names the nearest one, where there is none."""
    return _named(name, BY_NAME)


def runnable_named(name: str) -> Runnable:
    """Return the job or the task. Raise UsageError, which names the nearest one, where there is none."""
    return _named(name, _RUNNABLES)


_T = TypeVar("_T", bound=Runnable)


def _named(name: str, rows: Mapping[str, _T]) -> _T:
    if name in rows:
        return rows[name]
    near = nearest(name, tuple(rows))
    names = ", ".join(rows)
    hint = f"did you mean {near}? The jobs are: {names}" if near else f"the jobs are: {names}"
    raise UsageError(f"there is no job named {name!r}", hint=hint)
