"""How the jobs are: a value made from the ledger's history and, where systemd was asked, the timers' state.

No I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from memtool.scheduler.history import History
from memtool.scheduler.jobs import JOBS, Job
from memtool.scheduler.run import BAD_RESULTS, Left, Run, as_json

VERSION = 1
_SILENT = frozenset({None, "skipped"})  # not the end of a run
_ROLLED_UP = frozenset(level for job in JOBS for level in job.levels)


@dataclass(frozen=True, slots=True)
class TimerState:
    """What systemd says of a job's timer. Made by the part that asks systemd; without it there is none."""

    state: str
    next_us: int | None = None


@dataclass(frozen=True, slots=True)
class JobStatus:
    """One job: the run on its way, the last one that ended, counts since the ledger began, what waits for it."""

    job: Job
    running: Run | None
    last: Run | None
    runs: int
    errors: int
    skips: int
    left: Left
    timer: TimerState | None = None

    @property
    def is_healthy(self) -> bool:
        """Whether its last run neither failed nor died. A job that never ran is healthy."""
        return self.last is None or self.last.result not in BAD_RESULTS

    @property
    def waits(self) -> int:
        """How much waits for it, all reasons together."""
        return sum(count for reasons in self.left.values() for count in reasons.values())


@dataclass(frozen=True, slots=True)
class Status:
    """All jobs in the table's order. `looked_by` is the run whose word on what waits the rollups' rows repeat."""

    jobs: tuple[JobStatus, ...]
    looked_by: Run | None
    damaged_lines: int
    has_timers: bool

    @property
    def is_healthy(self) -> bool:
        """Whether every job is."""
        return all(row.is_healthy for row in self.jobs)


def status_of(history: History, timers: Mapping[str, TimerState] | None = None) -> Status:
    """Return how the jobs are; `timers` by job name, or None where systemd was not asked."""
    counts = history.counts()
    looked_by = _last_look(history.runs)
    rows = tuple(
        _job_status(job, history, counts.get(job.name, {}), looked_by, (timers or {}).get(job.name))
        for job in JOBS
    )
    return Status(rows, looked_by, history.damaged_lines, timers is not None)


def status_json(status: Status) -> dict[str, object]:
    """Return the status as the versioned contract of docs/ledger.md has it, without kind, version and store."""
    return {
        "healthy": status.is_healthy,
        "timers": "systemd" if status.has_timers else None,
        "damaged_lines": status.damaged_lines,
        "jobs": [_job_json(row) for row in status.jobs],
    }


def _job_status(
    job: Job,
    history: History,
    counts: Mapping[str, int],
    looked_by: Run | None,
    timer: TimerState | None,
) -> JobStatus:
    own = history.of_job(job.name)
    return JobStatus(
        job=job,
        running=_last(run for run in own if run.result is None),
        last=_last(run for run in own if run.result not in _SILENT),
        runs=sum(number for result, number in counts.items() if result not in _SILENT),
        errors=sum(number for result, number in counts.items() if result in BAD_RESULTS),
        skips=counts.get("skipped", 0),
        left=_waiting_for(job, own, looked_by),
        timer=timer,
    )


def _last(runs: Iterable[Run]) -> Run | None:
    """Return the run that began last: the file's order, which no change of the clock disturbs."""
    return next(reversed(list(runs)), None)


def _last_look(runs: Iterable[Run]) -> Run | None:
    """Return the run that was the last to look at what waits: it looked when it ended."""
    looked = (run for run in runs if run.left is not None)
    return max(looked, key=lambda run: run.ended_us or 0, default=None)


def _waiting_for(job: Job, own: Iterable[Run], looked_by: Run | None) -> Left:
    """Return what waits for this job: for a rollup what the last look at its levels found, whichever job looked."""
    if job.levels:
        return {level: row for level, row in _left(looked_by).items() if level in job.levels}
    left = _left(_last_look(own))
    return {level: row for level, row in left.items() if level not in _ROLLED_UP}


def _left(run: Run | None) -> Left:
    return {} if run is None or run.left is None else run.left


def _job_json(row: JobStatus) -> dict[str, object]:
    return {
        "job": row.job.name,
        "description": row.job.description,
        "healthy": row.is_healthy,
        "timer": asdict(row.timer) if row.timer else None,
        "next_us": row.timer.next_us if row.timer else None,
        "running": as_json(row.running) if row.running else None,
        "last": {**as_json(row.last), "duration_us": row.last.duration_us} if row.last else None,
        "runs": row.runs,
        "errors": row.errors,
        "skips": row.skips,
        "left": row.left,
    }
