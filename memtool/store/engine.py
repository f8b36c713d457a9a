"""RocksDB itself: opening, reading, writing one batch, compacting. Gives its untyped errors a type; decides nothing."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rocksdict import (
    AccessType,
    BottommostLevelCompaction,
    Checkpoint,
    ColumnFamily,
    CompactOptions,
    DbClosedError,
    Rdict,
    ReadOptions,
    WriteBatch,
    WriteOptions,
)

from memtool.base.errors import MemtoolError, StorageError, UnavailableError
from memtool.store.families import FAMILIES, open_options

_READ_ONLY_ACCESS = AccessType.read_only(False)  # writes nothing, not even messages
_READ_TRIES = 12
_READ_PAUSE_S = 0.01

_TABLE = re.compile(r"^ ([0-9]+):", re.MULTILINE)
"""A table in RocksDB's own listing of a family's."""

_BUSY = ("while lock file", "lock hold by current process")
_FULL = ("no space left", "disk quota exceeded")
_READ_ONLY = ("read-only file system",)
_DENIED = ("permission denied", "operation not permitted")

WAY_BACK = (
    "nothing was overwritten: `memtool restore BACKUP --replace` puts a backup in its place and keeps this one; "
    "without a backup, move it away and ingest again"
)
"""What to do about a store that is damaged, in every error that says so."""


def _matches(text: str, phrases: tuple[str, ...]) -> bool:
    return any(phrase in text.lower() for phrase in phrases)


def storage_error(path: Path, error: Exception) -> MemtoolError:
    """Return what a RocksDB error means to a person."""
    text = str(error)
    if _matches(text, _BUSY):
        return UnavailableError(
            f"the store at {path} is open in another program",
            hint="wait for it to end, then try again",
        )
    if _matches(text, _FULL):
        return StorageError(
            f"no space left for the store at {path}",
            hint="free some space and run the same command again: what was accepted is there",
        )
    if _matches(text, _READ_ONLY):
        return StorageError(
            f"the store at {path} is on a read-only file system",
            hint="remount it, or name another store with --store",
        )
    if _matches(text, _DENIED):
        return StorageError(
            f"no permission for the store at {path}: {text}",
            hint="run as the user who owns it, or mend its permissions",
        )
    return StorageError(
        f"the store at {path} is damaged or cannot be read: {text}",
        hint=WAY_BACK,
    )


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise our errors for what rocksdict raises, which is a plain Exception for everything."""
    try:
        yield
    except (MemtoolError, AssertionError):
        raise
    except Exception as error:  # rocksdict has no narrower class, and OSErrors without a number
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise storage_error(path, error) from error


class Engine:
    """One open database. Not thread-safe; close it."""

    def __init__(self, path: Path, database: Rdict, cleanup: Callable[[], None]) -> None:
        self._path = path
        self._database = database
        self._cleanup = cleanup
        self._families = {name: database.get_column_family(name) for name in FAMILIES}
        self._handles = {name: database.get_column_family_handle(name) for name in FAMILIES}

    def get(self, family: str, key: bytes) -> bytes | None:
        """Return the value, or None."""
        with translated(self._path):
            value: bytes | None = self._families[family].get(key)
        return value

    def scan(
        self, family: str, start: bytes = b"", end: bytes | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values from `start` to before `end`, in order."""
        chosen = ReadOptions()
        if end is not None:
            chosen.set_iterate_upper_bound(end)
        with translated(self._path):
            rows = self._families[family].iter(chosen)
            rows.seek(start)
            while rows.valid():
                yield rows.key(), rows.value()
                rows.next()
            rows.status()

    def scan_back(self, family: str, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values from `start` (inclusive) downwards."""
        with translated(self._path):
            rows = self._families[family].iter()
            rows.seek_for_prev(start)
            while rows.valid():
                yield rows.key(), rows.value()
                rows.prev()
            rows.status()

    def batch(self) -> RawBatch:
        """Return an empty batch for this database."""
        return RawBatch(self._handles)

    def write(self, batch: RawBatch, *, sync: bool) -> None:
        """Write the batch as one atomic step; with `sync` it is on the disk when this returns."""
        chosen = WriteOptions()
        chosen.sync = sync
        with translated(self._path):
            self._database.write(batch.raw, chosen)

    def sync(self) -> None:
        """Put on the disk what was written without `sync`."""
        with translated(self._path):
            self._database.flush_wal(sync=True)

    def compact(
        self, family: str, start: bytes | None, end: bytes | None, *, rewrite: bool = False
    ) -> None:
        """Compact one range of keys; with `rewrite` every file of it, so that nothing dropped is left in any."""
        chosen = CompactOptions()
        if rewrite:
            chosen.set_bottommost_level_compaction(BottommostLevelCompaction.force())
        with translated(self._path):
            self._families[family].compact_range(start, end, chosen)

    def flush(self) -> None:
        """Write memory tables to files."""
        with translated(self._path):
            for family in self._families.values():
                family.flush()

    def files(self, family: str) -> list[tuple[bytes, bytes, int]]:
        """Return first key, last key and size in bytes of each live file of a family."""
        with translated(self._path):
            rows = self._families[family].live_files()  # those of all families
            own = self._families[family].property_value("rocksdb.sstables") or ""
        numbers = {int(number) for number in _TABLE.findall(own)}
        return sorted(
            (row["start_key"], row["end_key"], row["size"])
            for row in rows
            if int(row["name"].strip("/").partition(".")[0]) in numbers
        )

    def table_bytes(self, family: str) -> int:
        """Return how much the files of a family take that are in force; what is in the log only is not in them."""
        with translated(self._path):
            found = self._families[family].property_int_value("rocksdb.live-sst-files-size")
        return found or 0

    def checkpoint(self, path: Path) -> None:
        """Make the store as it is now, all of it in files, at a path that does not exist; tables are hard links."""
        with translated(path):
            Checkpoint(self._database).create_checkpoint(str(path))

    def close(self) -> None:
        """Close the database; safe to call twice. Raise where what it could not write before is still not written."""
        # Each handle keeps the database, and with it the lock on the directory, for as long as it is referred to,
        # and the traceback of an error refers to this object: so all are closed and let go before one is raised.
        trouble = [found for found in map(_closed, self._take_handles()) if found]
        self._cleanup()
        if trouble:
            raise storage_error(self._path, Exception(trouble[0]))

    def _take_handles(self) -> list[Rdict]:
        handles = list(self._families.values())
        if hasattr(self, "_database"):
            handles.append(self._database)
            del self._database
        self._families.clear()
        self._handles.clear()
        return handles


def _closed(handle: Rdict) -> str:
    """Close the handle and return what is wrong, or nothing."""
    try:
        handle.close()
    except DbClosedError:
        return ""
    except Exception as error:  # noqa: BLE001 - rocksdict has no narrower class
        return str(error)
    return ""


class RawBatch:
    """Puts and deletes, by family name, that are written together or not at all."""

    def __init__(self, handles: dict[str, ColumnFamily]) -> None:
        self._handles = handles
        self.raw = WriteBatch(raw_mode=True)

    def put(self, family: str, key: bytes, value: bytes) -> None:
        """Set a key."""
        self.raw.put(key, value, self._handles[family])

    def delete(self, family: str, key: bytes) -> None:
        """Drop a key."""
        self.raw.delete(key, self._handles[family])

    def delete_range(self, family: str, start: bytes, end: bytes) -> None:
        """Drop the keys from `start` to before `end`."""
        self.raw.delete_range(start, end, self._handles[family])

    def __len__(self) -> int:
        return len(self.raw)


def create(path: Path) -> Engine:
    """Make a database in an empty directory."""
    with translated(path):
        database = Rdict(str(path), *open_options(create=True))
        return Engine(path, database, lambda: None)


def open_writer(path: Path) -> Engine:
    """Open for writing. Never creates: a directory without a database is damage, not a new store."""
    with translated(path):
        return Engine(path, Rdict(str(path), *open_options()), lambda: None)


def open_reader(path: Path) -> Engine:
    """Open beside any writer, which neither waits nor is disturbed. What is seen is one state of the store, whole.

    RocksDB reads which files there are, then the log. A writer that flushes in between leaves a reader with some
    families from before and some from after (1 of 1000 opens beside one that flushed all the time): then open again.
    The same goes for files that vanish while they are opened. What fails while the writer is still is damage.
    """
    with translated(path):
        for attempt in range(_READ_TRIES):
            before = _state(path)
            try:
                database = Rdict(str(path), *open_options(), access_type=_READ_ONLY_ACCESS)
                engine = Engine(path, database, lambda: None)
            except Exception:
                if attempt == _READ_TRIES - 1 and _state(path) == before:
                    raise
            else:
                if _state(path) == before:
                    return engine
                engine.close()
            time.sleep(_READ_PAUSE_S * (attempt + 1))
        # The writer never rests. A secondary bears with vanishing files; it would not tell missing ones from damage.
        return _open_secondary(path)


def _state(path: Path) -> object:
    """Return what changes whenever a writer changes which files the database is made of."""
    try:
        manifest = (path / "CURRENT").read_text().strip()
        return manifest, (path / manifest).stat().st_size
    except OSError:
        return None


def _open_secondary(path: Path) -> Engine:
    """Open without a write to the store: messages and the secondary's state go to a private directory."""
    private = tempfile.mkdtemp(prefix="memtool-reader-")
    chosen, families = open_options()
    chosen.set_db_log_dir(private)
    try:
        database = Rdict(str(path), chosen, families, access_type=AccessType.secondary(private))
    except BaseException:
        shutil.rmtree(private, ignore_errors=True)
        raise
    return Engine(path, database, lambda: shutil.rmtree(private, ignore_errors=True))
