"""How the jobs are: a value made from the ledger's history, the pauses and what systemd says of the timers.

No I/O, no clock. What is wrong with them is found by `troubles`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace

from memtool.ledger.reading import History
from memtool.ledger.run import BAD_RESULTS, Left, Run, as_json
from memtool.systemd.jobs import JOBS, Job
from memtool.systemd.state import JobStatus, Look, Status, Trouble
from memtool.systemd.systemctl import Timers
from memtool.systemd.troubles import common_troubles, sentence, troubles_of, unfinished_forgetting

VERSION = 2
_SILENT = frozenset({None, "skipped"})  # not the end of a run
_ROLLED_UP = frozenset(level for job in JOBS for level in job.levels)


def status_of(history: History, look: Look | None = None) -> Status:
    """Return how the jobs are; without a look, by the ledger alone."""
    look = look or Look()
    looked_by = _last_look(history.runs)
    jobs = tuple(_judged(_job_status(job, history, looked_by), look) for job in JOBS)
    found = [trouble for row in jobs for trouble in row.troubles]
    found += common_troubles(look.timers)
    if (forgetting := unfinished_forgetting(history)) is not None:
        found.append(forgetting)
    if history.problem:
        found.append(Trouble("ledger", "", history.problem, hint=history.hint))
    return Status(jobs, looked_by, history.damaged_lines, look.timers, tuple(found))


def status_json(status: Status) -> dict[str, object]:
    """Return the status as the versioned contract of docs/ledger.md has it, without kind, version and store."""
    return {
        "healthy": status.is_healthy,
        "timers": "systemd" if status.timers.is_known else None,
        "manager": _manager_json(status.timers),
        "damaged_lines": status.damaged_lines,
        "warnings": [_trouble_json(trouble) for trouble in status.troubles],
        "jobs": [_job_json(row) for row in status.jobs],
    }


def _judged(row: JobStatus, look: Look) -> JobStatus:
    """Return the row with its timer, its pause, and what is wrong."""
    name = row.job.name
    row = replace(row, timer=look.timers.states.get(name), pause=look.pauses.get(name))
    return replace(row, troubles=troubles_of(row, look))


def _job_status(job: Job, history: History, looked_by: Run | None) -> JobStatus:
    own, counts = history.of_job(job.name), history.counts.get(job.name, {})
    ended = [run for run in own if run.result not in _SILENT]
    return JobStatus(
        job=job,
        running=_last(run for run in own if run.result is None),
        last=_last(ended),
        newest=_last(own),
        last_by_timer=_last(run for run in ended if run.trigger != "manual"),
        runs=sum(number for result, number in counts.items() if result not in _SILENT),
        errors=sum(number for result, number in counts.items() if result in BAD_RESULTS),
        skips=counts.get("skipped", 0),
        left=_waiting_for(job, own, looked_by),
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


def _manager_json(timers: Timers) -> dict[str, object]:
    return {
        "scope": timers.scope,
        "problem": timers.problem,
        "hint": timers.hint,
    }


def _trouble_json(trouble: Trouble) -> dict[str, object]:
    return {
        "kind": trouble.kind,
        "job": trouble.job or None,
        "text": sentence(trouble),
        "since_us": trouble.since_us,
        "hint": trouble.hint,
    }


def _job_json(row: JobStatus) -> dict[str, object]:
    return {
        "job": row.job.name,
        "description": row.job.description,
        "healthy": row.is_healthy,
        "timer": asdict(row.timer) if row.timer else None,
        "next_us": row.timer.next_us if row.timer else None,
        "pause": asdict(row.pause) if row.pause else None,
        "running": as_json(row.running) if row.running else None,
        "last": {**as_json(row.last), "duration_us": row.last.duration_us} if row.last else None,
        "runs": row.runs,
        "errors": row.errors,
        "skips": row.skips,
        "left": row.left,
    }
