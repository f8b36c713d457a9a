"""The ledger's file: an SQLite database of runs and model calls. docs/ledger.md is its contract."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from sqlite3 import Connection
from typing import Any, Literal, NamedTuple, TypeVar, get_args

from memtool.errors import ConfigError, DamagedError, UnavailableError
from memtool.files import (
    dated_place,
    exists,
    private_directory,
    reporting,
    storage_error,
    sync_directory,
)
from memtool.locks import lock_path

Trigger = Literal["timer", "systemd", "cron", "manual"]
Result = Literal["done", "partial", "failed", "stopped", "skipped", "died"]
RESULTS: tuple[Result, ...] = get_args(Result)
BAD_RESULTS: frozenset[str] = frozenset({"failed", "died"})

# Limits of one record, so that the ledger stays small.
MAX_PERIODS = 20
MAX_LEFT = 40
MAX_DETAILS = 40

_END_OF_TIME_US = 2**53  # the year 2255; the C library's calendar cannot tell every later instant
_INTEGERS = range(-(2**63), 2**63)  # what SQLite stores

WROTE = "wrote_"
"""How the details of a run begin that say how many nodes of a level it wrote, such as `wrote_week`."""
PAUSED = "paused"
"""The reason of what waits behind a pause: its own job's, or that of a job whose work it is made from."""

Left = Mapping[str, Mapping[str, int]]


class Run(NamedTuple):
    """One execution of a job. Without a result it has not ended, or not said so."""

    run: str
    job: str
    trigger: str
    started_us: int
    pid: int
    version: str
    ended_us: int | None = None
    result: str | None = None
    exit_code: int | None = None
    nodes: int = 0
    events: int = 0
    calls: int = 0
    tokens: int = 0
    periods: tuple[str, ...] = ()
    periods_count: int = 0
    error: str = ""
    reason: str = ""
    left: Left | None = None
    details: Mapping[str, int] = {}
    hint: str = ""

    @property
    def duration_us(self) -> int | None:
        """How long it took, or None if it has no end or the clock went backwards."""
        if self.ended_us is None or self.ended_us < self.started_us:
            return None
        return self.ended_us - self.started_us


class CallRecord(NamedTuple):
    """One call: when it began, for what, what it took, and how it ended ("ok", or what went wrong)."""

    time_us: int
    run: str
    node: str
    summarizer: str
    model: str
    duration_ms: int
    input_tokens: int
    output_tokens: int
    result: str


_KINDS: Mapping[str, type] = {
    **dict.fromkeys(Run._fields, int),
    **dict.fromkeys(("run", "job", "trigger", "version", "result", "error", "reason", "hint"), str),
    **dict.fromkeys(("left", "details"), dict),
    "periods": list,
}


def as_json(run: Run) -> dict[str, Any]:
    """Return the run as JSON shows it, in `history --json`."""
    return {**run._asdict(), "periods": list(run.periods)}


def run_of(record: Mapping[str, Any]) -> Run:
    """Return the run of a record; fields it does not know are ignored. Raise ValueError or TypeError otherwise."""
    known = {name: record[name] for name in _KINDS if record.get(name) is not None}
    for name, value in known.items():
        if type(value) is not _KINDS[name] or (type(value) is int and value not in _INTEGERS):
            raise TypeError(f"{name} is {value!r}")
    known["periods"] = tuple(str(period) for period in known.get("periods", ()))
    run = Run(**known)
    reasons = list((run.left or {}).values())
    counts = (run.details, *reasons)
    if not all(isinstance(row, dict) and _are_counts(row.values()) for row in counts):
        raise TypeError(f"not counts: {counts!r}")
    if not 0 <= run.started_us < _END_OF_TIME_US or run.result not in (None, *RESULTS):
        raise ValueError(f"not a run: {run!r}")
    return run


def _are_counts(values: Any) -> bool:
    return all(type(number) is int for number in values)


FORMAT = 3
"""The database's user_version. 1 was lines of JSON in two files; 2 had no hints."""
_WITHOUT_HINTS = 2
WAIT_S = 30.0
"""How long a writer or reader waits for another one's commit."""
_JSON = ("periods", "left", "details")


def _marks(values: Sequence[object]) -> str:
    """Return the placeholders for so many values."""
    return ", ".join("?" * len(values))


RUN_COLUMNS = ", ".join(f'"{name}"' for name in Run._fields)
_CALL = ", ".join(CallRecord._fields)
_SCHEMA = (
    f"CREATE TABLE runs (number INTEGER PRIMARY KEY, {RUN_COLUMNS}, UNIQUE (run))",
    "CREATE TABLE counters (job, result, runs INTEGER, PRIMARY KEY (job, result))",
    f"CREATE TABLE calls (number INTEGER PRIMARY KEY, {_CALL})",
)
# No start replaces an end.
_PUT_RUN = f"""INSERT INTO runs ({RUN_COLUMNS}) VALUES ({_marks(Run._fields)})
    ON CONFLICT (run) DO UPDATE SET {", ".join(f'"{name}" = excluded."{name}"' for name in Run._fields)}
    WHERE excluded.result IS NOT NULL"""
_ADD_COUNT = """INSERT INTO counters VALUES (?, ?, ?)
    ON CONFLICT (job, result) DO UPDATE SET runs = runs + excluded.runs"""
_OLD_FILES = ("runs.jsonl", "calls.jsonl")
_NOT_A_RECORD = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RecursionError,
)

Talk = Callable[[str], None]
T = TypeVar("T")


def ledger_path(root: Path) -> Path:
    """Return the store's ledger."""
    return root / "ledger" / "ledger.sqlite3"


def silent(_: str) -> None:
    """Do not report a damaged ledger."""


def write(
    root: Path,
    act: Callable[[Connection], T],
    talk: Talk = silent,
    wait_s: float = WAIT_S,
    *,
    is_transaction: bool = True,
) -> T:
    """Run `act` in one transaction and return its result. A damaged database is set aside first."""
    path = ledger_path(root)
    for tries_left in reversed(range(6)):
        try:
            with closing(_open_to_write(path, wait_s)) as db:
                if not is_transaction:
                    return act(db)
                with _transaction(db):
                    return act(db)
        except sqlite3.Error as error:
            if tries_left and _was_set_aside(error, path):
                continue
            known = _explained(error, path, wait_s)
            if not (tries_left and isinstance(known, DamagedError)):
                raise known from error
        if (place := _set_aside(path)) is not None:
            talk(f"the ledger was damaged and is now {place}: runs and budgets count from here on")
    raise AssertionError("unreachable")


def _open_to_write(path: Path, wait_s: float) -> Connection:
    """Return the database, made or taken over from an older memtool's files where it has to be."""
    _create(path)
    db = _connect(path, "rw", wait_s)
    try:
        # EXTRA: else a loss of power could bring a journal back, and so undo what was committed.
        for setting in ("synchronous = EXTRA", "secure_delete = ON", "temp_store = MEMORY"):
            db.execute(f"PRAGMA {setting}")
        _check_format(db, path)
        old = [path.with_name(name) for name in _OLD_FILES if exists(path.with_name(name))]
        if old or _format(db) < FORMAT:
            with _transaction(db):
                _prepare(db, _old_lines(path.parent))
            _remove_old(path.parent)
    except BaseException:
        db.close()
        raise
    return db


def _create(path: Path) -> None:
    """Make an empty file that only its owner can read: SQLite gives its journal the same mode."""
    private_directory(path.parent)
    if not exists(path):
        with reporting(path):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            sync_directory(path.parent)


def _connect(path: Path | None, mode: str = "", wait_s: float = WAIT_S) -> Connection:
    """Return the database opened to read ("ro") or to write ("rw"); without a path, an empty one in memory."""
    name = f"{path.absolute().as_uri()}?mode={mode}" if path else ":memory:"
    db = sqlite3.connect(name, uri=path is not None, timeout=wait_s, isolation_level=None)
    db.text_factory = lambda data: data.decode(errors="replace")
    return db


@contextmanager
def _transaction(db: Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        db.rollback()
        raise


def _format(db: Connection) -> int:
    number: int = db.execute("PRAGMA user_version").fetchone()[0]
    return number


def _check_format(db: Connection, path: Path) -> None:
    if (number := _format(db)) > FORMAT:
        from memtool.program import upgrade_hint

        raise ConfigError(
            f"the ledger {path} has format {number}, this memtool knows up to {FORMAT}",
            hint=upgrade_hint(),
        )


def read_with(root: Path, act: Callable[[Connection], T]) -> T:
    """Return what `act` reads in one snapshot of the ledger."""
    path = ledger_path(root)
    while True:
        try:
            with closing(_snapshot(path)) as db:
                return act(db)
        except sqlite3.Error as error:
            if not _was_set_aside(error, path):
                raise _explained(error, path, WAIT_S) from error


def _snapshot(path: Path) -> Connection:
    """Return a database that nothing changes: the file, or a copy in memory with what is still in the older files."""
    lines = _old_lines(path.parent)  # first: a writer removes them when the database has them
    memory = _connect(None)
    if exists(path):
        db = _open_to_read(path)
        _check_format(db, path)
        if not lines and _format(db) == FORMAT:
            return db
        with closing(db):
            db.backup(memory)
    _prepare(memory, lines)
    return memory


def _open_to_read(path: Path) -> Connection:
    """Return the database, in a transaction."""
    while True:
        db = _connect(path, "ro")
        try:
            db.execute("BEGIN")
            _format(db)
        except sqlite3.Error as error:
            db.close()
            if getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_READONLY_ROLLBACK:
                raise
        else:
            return db
        if (copy := _rolled_back(path)) is not None:
            return copy


def _rolled_back(path: Path) -> Connection | None:
    """Return a copy without what a killed writer left half done; None if another process has undone it meanwhile.

    SQLite undoes it in the file, which a reader may not be able to write, so it does that in a copy. The copy is right
    if the journal is the same before and after: until that is removed, undoing can be begun again.
    """
    from shutil import copy2
    from tempfile import TemporaryDirectory

    journal = path.with_name(f"{path.name}-journal")
    with reporting(path), TemporaryDirectory(prefix="memtool-") as place:
        try:
            before = journal.stat()
            copies = [Path(copy2(file, place)) for file in (journal, path)]
            after = journal.stat()
        except FileNotFoundError:
            return None
        if (before.st_ino, before.st_mtime_ns) != (after.st_ino, after.st_mtime_ns):
            return None
        with closing(_connect(copies[1], "rw")) as copy:
            copied = _connect(None)
            copy.backup(copied)
            return copied


def _explained(error: sqlite3.Error, path: Path, wait_s: float) -> Exception:
    """Return what an error of SQLite means; the error itself if this program is wrong."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or "no such " in str(error):
        hint = "the next job sets it aside and begins a new one; no memory is in it"
        return DamagedError(f"the ledger {path} is damaged: {error}", hint=hint)
    if code == sqlite3.SQLITE_BUSY:
        text = f"the ledger {path} was not free within {wait_s:g} s"
        return UnavailableError(text, hint="try again later; another process writes to it")
    if code == sqlite3.SQLITE_FULL:
        return storage_error(OSError(errno.ENOSPC, str(error)), path)
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
        return storage_error(*_reason(path))
    return error


def _reason(path: Path) -> tuple[OSError, Path]:
    """Return the system's error and its path, found by a trial, since SQLite does not give it."""
    from resource import RLIM_INFINITY, RLIMIT_FSIZE, getrlimit

    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return error, path
    if not os.access(path.parent, os.W_OK):  # where its journal belongs
        return OSError(errno.EACCES, ""), path.parent
    has_limit = getrlimit(RLIMIT_FSIZE)[0] != RLIM_INFINITY
    return OSError(errno.EFBIG if has_limit else errno.EIO, ""), path


def _was_set_aside(error: sqlite3.Error, path: Path) -> bool:
    """Tell if another process renamed the database after this one had found or opened it."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code == sqlite3.SQLITE_READONLY_DBMOVED or (
        code & 0xFF == sqlite3.SQLITE_CANTOPEN and not exists(path)
    )


def _set_aside(path: Path) -> Path | None:
    """Rename a damaged database and return its new name; None if another process was faster."""
    import fcntl

    with reporting(path), suppress(FileNotFoundError), path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        found = os.fstat(file.fileno())
        if path.stat().st_ino == found.st_ino:
            place = dated_place(path.parent, "ledger.damaged", found.st_mtime_ns // 1000)
            path.with_name(f"{path.name}-journal").unlink(missing_ok=True)  # it fits no other file
            path.rename(place)
            sync_directory(path.parent)
            return place
    return None


# Records as rows


def put_run(db: Connection, run: Run) -> None:
    """Add the run, or how one that is there has ended. No start replaces an end."""
    record = run._asdict()
    for name in _JSON:
        if record[name] is not None:
            record[name] = json.dumps(record[name], separators=(",", ":"))
    db.execute(_PUT_RUN, _clean(record.values()))


def run_in(row: Sequence[Any]) -> Run | None:
    """Return the run of a row of RUN_COLUMNS; None if that makes no sense."""
    record = dict(zip(Run._fields, row, strict=True))
    try:
        for name in _JSON:
            if record[name] is not None:
                record[name] = json.loads(record[name])
        return run_of(record)
    except (ValueError, TypeError, RecursionError):
        return None


def add_call(db: Connection, call: CallRecord, *, is_once: bool = False) -> None:
    """Add the call, or if it has to be there once, unless the same is there."""
    row = _clean(call)
    known = f"SELECT 1 FROM calls WHERE ({_CALL}) = ({_marks(call)})"
    if not (is_once and db.execute(known, row).fetchone()):
        db.execute(f"INSERT INTO calls ({_CALL}) VALUES ({_marks(call)})", row)


def add_counts(db: Connection, counts: Mapping[tuple[str, str], int]) -> None:
    """Count so many runs that are not in their table, by job and result."""
    db.executemany(_ADD_COUNT, [(*key, number) for key, number in counts.items()])


def _clean(values: Iterable[object]) -> list[object]:
    """Return the values without half characters, which SQLite refuses."""
    return [
        one.encode("utf-8", "replace").decode() if isinstance(one, str) else one for one in values
    ]


# Copies in other stores


def copy_ended(root: Path, target: Path) -> None:
    """Copy the ledger, if there is one, into another store's directory, less the runs that will never end there."""
    path = ledger_path(target)
    if not any(exists(root / "ledger" / name) for name in (path.name, *_OLD_FILES)):
        return
    _create(path)
    with closing(_connect(path, "rw")) as copy:
        read_with(root, lambda db: db.backup(copy))
        copy.execute("DELETE FROM runs WHERE result IS NULL")


def adopt(root: Path, source: Path, run: str) -> None:
    """Put another store's records before those of this run, if nothing else was ever recorded here."""
    tables = ("runs", "counters", "calls")
    found = read_with(
        source, lambda db: [db.execute(f"SELECT * FROM {t}").fetchall() for t in tables]
    )

    def act(db: Connection) -> None:
        others = """SELECT 1 FROM runs WHERE run <> ? UNION ALL SELECT 1 FROM counters
            UNION ALL SELECT 1 FROM calls"""
        if db.execute(others, (run,)).fetchone():
            return
        own = db.execute(f"SELECT {RUN_COLUMNS} FROM runs").fetchall()
        db.execute("DELETE FROM runs")
        for table, rows in zip(tables, found, strict=True):
            for row in rows:
                db.execute(f"INSERT INTO {table} VALUES ({_marks(row)})", row)
        db.executemany(_PUT_RUN, own)

    write(root, act)


# What an older memtool has left: lines of JSON in two files


def _old_lines(directory: Path) -> list[bytes]:
    lines: list[bytes] = []
    for name in _OLD_FILES:
        with reporting(directory / name):
            try:
                lines += (directory / name).read_bytes().splitlines()
            except FileNotFoundError:
                continue
    return lines


def _prepare(db: Connection, lines: Sequence[bytes]) -> None:
    """Make missing tables and columns, and add the records of these lines that are not there yet."""
    is_new = not _format(db)
    for statement in _SCHEMA if is_new else ():
        db.execute(statement)
    if _format(db) == _WITHOUT_HINTS:
        db.execute("ALTER TABLE runs ADD COLUMN hint")
    for line in lines:
        try:
            _take_over(db, json.loads(line), is_new=is_new)
        except _NOT_A_RECORD:
            continue  # torn or damaged
    db.execute(f"PRAGMA user_version = {FORMAT}")


def _take_over(db: Connection, record: dict[str, Any], *, is_new: bool) -> None:
    if record["type"] in ("start", "end"):
        put_run(db, run_of(record))
    elif record["type"] == "call":
        kinds = [
            int if name.endswith(("_us", "_ms", "_tokens")) else str for name in CallRecord._fields
        ]
        values = [kind(record[name]) for kind, name in zip(kinds, CallRecord._fields, strict=True)]
        add_call(db, CallRecord._make(values), is_once=True)
    elif record["type"] == "counters" and is_new:  # else they are there already
        for job, results in record["jobs"].items():
            add_counts(db, {(job, result): int(number) for result, number in results.items()})


def _remove_old(directory: Path) -> None:
    with reporting(directory):
        for name in _OLD_FILES:
            for file in (directory / name, *directory.glob(f".{name}.*.tmp")):
                file.unlink(missing_ok=True)
        lock_path(directory.parent, "ledger").unlink(missing_ok=True)
        sync_directory(directory)
