"""The one table of jobs.

Unit files, status, docs and tests derive from it or are checked against it; nothing else lists jobs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from memtool.base.errors import UsageError

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

_BY_NAME = {job.name: job for job in JOBS}
assert len(_BY_NAME) == len(JOBS)
assert all(job.command and job.on_calendar and job.randomized_delay_s >= 0 for job in JOBS)
assert all(job.timeout_s > 0 for job in JOBS)


def job_named(name: str) -> Job:
    """Return the job. Raise UsageError, which names the nearest one, where there is none."""
    if name in _BY_NAME:
        return _BY_NAME[name]
    from memtool.base.settings import nearest  # noqa: PLC0415 - only an error needs it

    near = nearest(name, tuple(_BY_NAME))
    names = ", ".join(_BY_NAME)
    hint = f"did you mean {near}? The jobs are: {names}" if near else f"the jobs are: {names}"
    raise UsageError(f"there is no job named {name!r}", hint=hint)
