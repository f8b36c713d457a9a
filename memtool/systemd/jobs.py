"""The one table of jobs, and the one of tasks, which no timer fires.

Unit files, status, docs and tests derive from the jobs or are checked against them; nothing else lists either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from memtool.errors import UsageError

Network = Literal["never", "summarizer"]
"""Whether the job's unit may reach the network: never, or where the configured summarizer needs it."""


@dataclass(frozen=True, slots=True)
class Job:
    """One job that a timer fires."""

    name: str
    command: tuple[str, ...]
    on_calendar: str
    randomized_delay_s: int
    network: Network
    description: str
    levels: tuple[str, ...] = ()
    """The levels whose nodes it writes."""
    timeout_s: int = 7200
    """After how long systemd ends it: what was done is kept, and the next run does the rest."""
    second_on_calendar: str = ""
    """For the night on which the clock jumps over the first: systemd skips what does not exist, here for a week."""

    @property
    def schedule(self) -> tuple[str, ...]:
        """When it runs: one OnCalendar= line each. The zone is the machine's, unless `apply` names another."""
        return tuple(filter(None, (self.on_calendar, self.second_on_calendar)))

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


JOBS = (
    Job("ingest", ("ingest",), "*:0/15", 60, "never", "take in new transcripts", timeout_s=1800),
    Job(
        "day-rollup",
        ("rollup", "day"),
        "*-*-* 01:00:00",
        300,
        "summarizer",
        "summarise finished days",
        ("segment", "day"),
        second_on_calendar="Sun *-*-* 03:30:00",
    ),
    Job(
        "week-rollup",
        ("rollup", "week"),
        "Sun *-*-* 02:00:00",
        300,
        "summarizer",
        "summarise finished weeks",
        ("week",),
        second_on_calendar="Sun *-*-* 03:00:00",
    ),
    Job(
        "month-rollup",
        ("rollup", "month"),
        "*-*-01 03:00:00",
        300,
        "summarizer",
        "summarise finished months",
        ("month",),
    ),
    Job(
        "year-rollup",
        ("rollup", "year"),
        "*-01-01 03:30:00",
        300,
        "summarizer",
        "summarise finished years",
        ("year",),
    ),
    Job(
        "compaction",
        ("compact",),
        "Sun *-*-* 04:00:00",
        600,
        "never",
        "compact the store",
        timeout_s=3600,
    ),
)


@dataclass(frozen=True, slots=True)
class Task:
    """Work that a person begins and no timer does. Its lock and its records are like a job's; it has no unit."""

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

_JOBS = {job.name: job for job in JOBS}
_RUNNABLES: dict[str, Runnable] = {row.name: row for row in (*JOBS, *TASKS)}
assert len(_JOBS) == len(JOBS)
assert len(_RUNNABLES) == len(JOBS) + len(TASKS)
assert all(row.command for row in _RUNNABLES.values())
assert all(job.on_calendar and job.randomized_delay_s >= 0 and job.timeout_s > 0 for job in JOBS)


def job_named(name: str) -> Job:
    """Return the job. Raise UsageError, which names the nearest one, where there is none."""
    return _named(name, _JOBS)


def runnable_named(name: str) -> Runnable:
    """Return the job or the task. Raise UsageError, which names the nearest one, where there is none."""
    return _named(name, _RUNNABLES)


_T = TypeVar("_T", bound=Runnable)


def _named(name: str, rows: Mapping[str, _T]) -> _T:
    if name in rows:
        return rows[name]
    from memtool.settings import nearest

    near = nearest(name, tuple(rows))
    names = ", ".join(rows)
    hint = f"did you mean {near}? The jobs are: {names}" if near else f"the jobs are: {names}"
    raise UsageError(f"there is no job named {name!r}", hint=hint)
