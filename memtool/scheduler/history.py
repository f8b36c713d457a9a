"""What the ledger's lines say, as a value: runs, counts and what to keep of them. Pure: bytes in, bytes out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from memtool.scheduler.run import RESULTS, Run, end_line, parse_run, start_line

VERSION = 1

# When the file has more lines than this, its oldest runs are folded into the counters. A run has two lines until
# then, one after.
LIMIT_LINES = 2000
KEEP_RUNS = 700
KEEP_OF_JOB = 100  # a year's rollup is not pushed out by the ingests of a fortnight

DIED = "killed, out of memory, or power lost"

Counts = Mapping[str, Mapping[str, int]]
"""For each job, how many of its runs had each result."""


@dataclass(frozen=True, slots=True)
class History:
    """Runs, oldest first; the counts of runs that were folded away; how many lines could not be read."""

    runs: tuple[Run, ...] = ()
    folded: Counts = field(default_factory=dict)
    damaged_lines: int = 0

    def counts(self) -> Counts:
        """Return, for each job, how many runs had each result since the ledger began."""
        return _add(self.folded, self.runs)

    def of_job(self, job: str) -> tuple[Run, ...]:
        """Return the runs of this job, oldest first."""
        return tuple(run for run in self.runs if run.job == job)

    def open_runs(self) -> tuple[Run, ...]:
        """Return the runs that began and have not said that they ended."""
        return tuple(run for run in self.runs if run.result is None)


def parse(data: bytes) -> History:
    """Return what these lines say. A line that is torn, damaged or of an unknown type is counted and passed over."""
    runs: dict[str, Run] = {}
    folded: Counts = {}
    damaged = 0
    for line in data.split(b"\n"):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            if record["type"] == "counters":
                folded = _parse_counts(record["jobs"])
            else:
                _take(runs, record)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            damaged += 1
    return History(tuple(runs.values()), folded, damaged)


def header_line(folded: Counts) -> bytes:
    """Return the first line of a ledger: its version, and what earlier trimming counted."""
    record = {"type": "counters", "version": VERSION, "jobs": folded}
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def died(run: Run) -> Run:
    """Return the run as one that ended without saying so. When, nobody knows."""
    return replace(run, result="died", error=DIED)


def with_died(history: History, dead: Collection[str]) -> History:
    """Return the history in which those of these runs that still have no end died."""
    runs = tuple(
        died(run) if run.result is None and run.run in dead else run for run in history.runs
    )
    return replace(history, runs=runs)


def trimmed(history: History) -> bytes:
    """Return a shorter ledger that counts the same: the newest runs, the newest of each job, the open ones."""
    keep = {run.run for run in history.runs[-KEEP_RUNS:]} | {r.run for r in history.open_runs()}
    for job in {run.job for run in history.runs}:
        keep.update(run.run for run in history.of_job(job)[-KEEP_OF_JOB:])
    folded = _add(history.folded, (run for run in history.runs if run.run not in keep))
    lines = [header_line(folded)]
    kept = (run for run in history.runs if run.run in keep)
    lines += [start_line(run) if run.result is None else end_line(run) for run in kept]
    return b"".join(lines)


def without_open(data: bytes) -> bytes:
    """Return the lines less those of runs that have not ended: for a copy, which will never see their ends."""
    history = parse(data)
    ids = {run.run for run in history.open_runs()}
    lines = data.splitlines(keepends=True)
    return b"".join(line for line in lines if not any(run.run in ids for run in parse(line).runs))


def _take(runs: dict[str, Run], record: dict[str, object]) -> None:
    """Add the run of a start or end line; an end replaces its start, in its place, and no start replaces an end."""
    run = parse_run(record)
    if record["type"] == "end" and run.result in RESULTS:
        runs[run.run] = run
    elif record["type"] == "start":
        runs.setdefault(run.run, run)
    else:
        raise ValueError("neither a start nor an end")


def _add(counts: Counts, runs: Iterable[Run]) -> Counts:
    total = {job: Counter(results) for job, results in counts.items()}
    for run in runs:
        if run.result is not None:
            total.setdefault(run.job, Counter())[run.result] += 1
    return {job: dict(results) for job, results in total.items()}


def _parse_counts(jobs: Mapping[str, Mapping[str, int]]) -> Counts:
    return {
        str(job): {str(result): int(number) for result, number in results.items()}
        for job, results in jobs.items()
    }
