"""Records runs and model calls, and reads them. Never opens the store. docs/ledger.md is its contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from sqlite3 import Connection
from typing import NamedTuple

from memtool.files import reporting, sync_directory
from memtool.ledger.file import (
    RUN_COLUMNS,
    WAIT_S,
    WROTE,
    CallRecord,
    Run,
    Talk,
    add_call,
    add_counts,
    ledger_path,
    put_run,
    read_with,
    run_in,
    silent,
    write,
)
from memtool.locks import holder_of, is_free, job_lock_path

LIMIT_RUNS = 2000
"""With more runs than this, the oldest are folded into the counters, less the ones that are kept."""
KEEP_RUNS = 700
KEEP_OF_JOB = 100  # a year's rollup is not pushed out by the ingests of a fortnight
KEEP_CALLS = 15_000  # far more than a day's budget can ask for
DIED = "killed, out of memory, or power lost"
BLANK = "(forgotten)"


_COUNTS = """SELECT job, result, sum(runs) FROM (
        SELECT job, result, runs FROM counters UNION ALL
        SELECT job, result, count(*) FROM runs WHERE result IS NOT NULL GROUP BY job, result)
    GROUP BY job, result"""
# Of each job the open runs, the newest of each result by hand and not, and the one that looked last at what waits;
# and of each level the newest that wrote nodes of it.
_NEWEST = (
    """WHERE result IS NULL
    OR number IN (SELECT max(number) FROM runs GROUP BY job, result, "trigger" = 'manual')
    OR number IN (SELECT number FROM (
        SELECT number, max(ended_us) FROM runs WHERE "left" IS NOT NULL GROUP BY job))
    OR number IN ("""
    + " UNION ALL ".join(
        f"""SELECT max(number) FROM runs WHERE details LIKE '%"{WROTE}{level}"%'"""
        for level in ("day", "week", "month", "year")
    )
    + ")"
)
_TOO_OLD = """SELECT number, job, result FROM (
        SELECT number, job, result, row_number() OVER (ORDER BY number DESC) AS place,
            row_number() OVER (PARTITION BY job ORDER BY number DESC) AS place_of_job FROM runs)
    WHERE result IS NOT NULL AND place > ? AND place_of_job > ?"""


class Spent(NamedTuple):
    """Calls, their tokens (in and out together), and how many of the calls failed or were cut off."""

    calls: int = 0
    tokens: int = 0
    failed: int = 0


class History(NamedTuple):
    """Runs, oldest first; for each job how many had each result since the ledger began; records that make no sense.

    `problem` says why nothing could be read, and `hint` what to do.
    """

    runs: tuple[Run, ...] = ()
    counts: Mapping[str, Mapping[str, int]] = {}
    damaged_lines: int = 0
    problem: str = ""
    hint: str = ""

    def of_job(self, job: str) -> tuple[Run, ...]:
        """Return the runs of this job, oldest first."""
        return tuple(run for run in self.runs if run.job == job)

    def open_runs(self) -> tuple[Run, ...]:
        """Return the runs that began and have not said that they ended."""
        return tuple(run for run in self.runs if run.result is None)


def record_start(root: Path, run: Run, *, talk: Talk = silent, wait_s: float = WAIT_S) -> None:
    """Record that the run began.

    Its job's lock must be held: so an earlier run of the job without an end died, which is recorded too.

    Raise StorageError or UnavailableError if the ledger cannot be written. One that is damaged is set aside, and
    `talk` is given a sentence about it. The same holds for the other writers here.
    """

    def act(db: Connection) -> None:
        earlier = "UPDATE runs SET result = 'died', error = ? WHERE job = ? AND result IS NULL"
        db.execute(earlier, (DIED, run.job))
        put_run(db, run._replace(**Run._field_defaults))

    write(root, act, talk, wait_s)


def record_end(root: Path, run: Run, *, talk: Talk = silent, wait_s: float = WAIT_S) -> None:
    """Record how the run ended, and return when that is on the disk. Fold old runs if there are many."""

    def act(db: Connection) -> None:
        put_run(db, run)
        if db.execute("SELECT count(*) FROM runs").fetchone()[0] > LIMIT_RUNS:
            _trim(db)

    write(root, act, talk, wait_s)


def record_call(
    root: Path, call: CallRecord, *, talk: Talk = silent, wait_s: float = WAIT_S
) -> None:
    """Record the call. Where that cannot be, no budget would hold."""

    def act(db: Connection) -> None:
        add_call(db, call)
        db.execute(
            "DELETE FROM calls WHERE number <= (SELECT max(number) FROM calls) - ?", (KEEP_CALLS,)
        )

    write(root, act, talk, wait_s)


def _trim(db: Connection) -> None:
    old = db.execute(_TOO_OLD, (KEEP_RUNS, KEEP_OF_JOB)).fetchall()
    add_counts(db, Counter((job, result) for _, job, result in old))
    db.executemany("DELETE FROM runs WHERE number = ?", [(number,) for number, _, _ in old])


def read(root: Path, *, job: str = "", limit: int = -1) -> History:
    """Return the newest runs on record, of this job or of all.

    A killed run has no end here; `look` distinguishes it from one that runs. Raise DamagedError if the database is
    damaged. A reader writes nothing and waits only for a commit. What a killed writer has not committed is not seen.
    """
    return _history(root, "WHERE ? IN ('', job)", (job,), limit)


def look(root: Path, *, job: str = "", limit: int = -1) -> History:
    """Return the same. A run without an end either runs now or died."""
    return _with_died(root, lambda: read(root, job=job, limit=limit))


def look_newest(root: Path) -> History:
    """Return the same, with only the runs that `status` needs."""
    return _with_died(root, lambda: _history(root, _NEWEST))


def spent_since(root: Path, time_us: int) -> Spent:
    """Return what the calls since that instant took, of whichever run."""
    query = """SELECT count(*), coalesce(sum(input_tokens + output_tokens), 0),
        coalesce(sum(result <> 'ok'), 0) FROM calls WHERE time_us >= ?"""
    return read_with(root, lambda db: Spent(*db.execute(query, (time_us,)).fetchone()))


def _history(root: Path, where: str, values: Sequence[object] = (), limit: int = -1) -> History:
    query = f"SELECT {RUN_COLUMNS} FROM runs {where} ORDER BY number DESC LIMIT ?"

    def act(db: Connection) -> History:
        rows = db.execute(query, (*values, limit)).fetchall()
        counts: dict[str, dict[str, int]] = {}
        for job, result, number in db.execute(_COUNTS):
            counts.setdefault(job, {})[result] = number
        runs = [run for row in reversed(rows) if (run := run_in(row)) is not None]
        return History(tuple(runs), counts, len(rows) - len(runs))

    return read_with(root, act)


def _with_died(root: Path, read_again: Callable[[], History]) -> History:
    """Return what is recorded, where a run without an end runs or died.

    The ledger is read again after the locks were looked at: a run records its end before it lets its lock go, so one
    that was seen begun, then seen without its lock, and still has no end, is dead.
    """
    before = read_again()
    dead = {run.run for run in before.open_runs() if not _is_running(root, run)}
    if not dead:
        return before
    found = read_again()
    runs, counts = list(found.runs), {job: dict(row) for job, row in found.counts.items()}
    for place, run in enumerate(runs):
        if run.result is None and run.run in dead:
            runs[place] = run._replace(result="died", error=DIED)
            row = counts.setdefault(run.job, {})
            row["died"] = row.get("died", 0) + 1
    return found._replace(runs=tuple(runs), counts=counts)


def _is_running(root: Path, run: Run) -> bool:
    """Return whether the job's lock is held, and not by another run that could not record its start."""
    path = job_lock_path(root, run.job)
    if is_free(path):
        return False
    holder = holder_of(path)
    return holder is None or holder.run in ("", run.run)


_TEXTS = (
    ("runs", "error", "periods"),
    ("runs", "reason", "periods"),
    ("runs", "hint", "periods"),
    ("calls", "result", "node"),
)
"""Each text that may hold somebody's words, and what it is about."""


def _speaking(db: Connection, speaks: Callable[[str], bool]) -> Iterator[tuple[str, str, int]]:
    """Yield the texts for which `speaks` is true, or whose subject is: table, column, number of the row."""
    for table, text, about in _TEXTS:
        rows = db.execute(f"SELECT number, {text}, {about} FROM {table}").fetchall()
        for number, said, subject in rows:
            if said not in (None, "", "ok", BLANK) and speaks(f"{said} {subject}"):
                yield table, text, number


def speaking(root: Path, speaks: Callable[[str], bool]) -> int:
    """Return how many texts `blank` would blank."""
    return read_with(root, lambda db: sum(1 for _ in _speaking(db, speaks)))


def blank(root: Path, speaks: Callable[[str], bool]) -> int:
    """Blank the texts for which `speaks` is true, or whose subject is; return the number of changed records.

    No byte of them stays: the database is rewritten, and one that was set aside as damaged is removed, since it
    cannot be checked.
    """

    def act(db: Connection) -> int:
        changed = set()
        for table, text, number in list(_speaking(db, speaks)):
            changed.add((table, number))
            db.execute(f"UPDATE {table} SET {text} = ? WHERE number = ?", (BLANK, number))
        return len(changed)

    count = write(root, act)
    write(root, lambda db: db.execute("VACUUM"), is_transaction=False)
    directory = ledger_path(root).parent
    with reporting(directory):
        for damaged in directory.glob("ledger.damaged-*"):
            damaged.unlink()
        sync_directory(directory)
    return count
