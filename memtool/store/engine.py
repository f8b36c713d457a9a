"""RocksDB itself: opening, reading, writing one batch, compacting, and what its errors mean."""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from rocksdict import (
    AccessType,
    BlockBasedOptions,
    BottommostLevelCompaction,
    Cache,
    Checkpoint,
    ColumnFamily,
    CompactOptions,
    DbClosedError,
    DBCompressionType,
    Options,
    Rdict,
    ReadOptions,
    WriteBatch,
    WriteOptions,
)

from memtool.errors import (
    DamagedError,
    MemtoolError,
    StorageError,
    UnavailableError,
    meaning_of,
    number_in,
)
from memtool.files import links_to
from memtool.store.keys import FAMILIES

_BUSY = (os.strerror(errno.EAGAIN), "lock hold by current process")
_NO_ROOM = ("Compaction too large", "Max allowed space was reached")
_DAMAGED = ("Corruption", "No such file or directory", "create_if_missing is false")
_REPEATED = "Writer has previous error"

WAY_BACK = (
    "nothing was overwritten: `memtool restore BACKUP --replace` puts a backup in its place and keeps this one; "
    "without a backup, rename its directory and keep it (agents delete old transcripts: it may hold the only copy), "
    "then `memtool ingest` reads the transcripts that still exist"
)
"""What to do about a store that is damaged, in every error that says so."""

_UNKNOWN = (
    "run the same command again; if it fails again, `memtool doctor` looks for the cause. Keep the store: "
    "this does not mean damage, and `memtool restore BACKUP --replace` would keep it, too"
)


def storage_error(path: Path, text: str) -> MemtoolError:
    """Return what a message of RocksDB means to a person. Only what it calls corruption is called damage.

    It calls an error of the system corruption, too, where it met one while it read its lists: so those come first.
    """
    said = text.replace(str(path), "")  # a directory may be called as an error is
    if any(phrase in said for phrase in _BUSY):
        return UnavailableError(
            f"the store at {path} is open in another program",
            hint="wait for it to end, then try again",
        )
    is_full = any(phrase in said for phrase in _NO_ROOM)
    file = re.search(re.escape(f"{path}/") + r"[^:;\s]+", text)
    place = Path(file.group()) if file else path
    meaning = meaning_of(errno.ENOSPC if is_full else number_in(said), place)
    if meaning is not None:
        return StorageError(f"the store at {place}: {meaning.words}", hint=meaning.hint)
    if any(phrase in said for phrase in _DAMAGED):
        return DamagedError(f"the store at {path} is damaged: {text}", hint=WAY_BACK)
    return StorageError(f"the store at {path} could not be used: {text}", hint=_UNKNOWN)


@contextmanager
def translated(path: Path, cause: Callable[[str], str] = str) -> Iterator[None]:
    """Raise our errors for what rocksdict raises, which is a plain Exception for everything.

    `cause` returns the message that is meant by a message.
    """
    try:
        yield
    except (MemtoolError, AssertionError):
        raise
    except Exception as error:  # rocksdict has no narrower class, and OSErrors without a number
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise storage_error(path, cause(str(error))) from error


_WRITE_BUFFER_BYTES = 16 << 20
_CACHE_BYTES = 32 << 20
_MANIFEST_BYTES = 64 << 10
_LOG_BYTES = 1 << 20

_READ_ONLY_ACCESS = AccessType.read_only(False)  # writes nothing, not even messages
_NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT)
_READ_TRIES = 12
_LINK_TRIES = 60
"""Making links takes as long as opening does: a writer that flushes all the time gets in between more often."""
_READ_PAUSE_S = 0.01

_TABLE = re.compile(r"^ ([0-9]+):", re.MULTILINE)
"""A table in RocksDB's own listing of a family's."""


def options(cache: Cache, *, create: bool = False) -> Options:
    """Return the options of the database and of each family, which share one block cache."""
    chosen = Options(raw_mode=True)
    chosen.create_if_missing(create)
    chosen.create_missing_column_families(create)
    chosen.set_paranoid_checks(True)
    # All files are opened up front: a reader then never meets one that a compaction has just removed.
    # One thread opens them: with the default of 16 a family an open of a small store took 27 ms, with one 8.
    chosen.set_max_open_files(-1)
    chosen.set_max_file_opening_threads(1)
    blocks = BlockBasedOptions()
    blocks.set_block_cache(cache)
    chosen.set_block_based_table_factory(blocks)
    chosen.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    chosen.set_compression_type(DBCompressionType.lz4())
    chosen.set_bottommost_compression_type(DBCompressionType.zstd())
    # One-shot jobs open often: no 4 MiB preallocation, no statistics thread, two short logs.
    chosen.set_manifest_preallocation_size(_MANIFEST_BYTES)
    chosen.set_stats_dump_period_sec(0)
    chosen.set_stats_persist_period_sec(0)
    chosen.set_keep_log_file_num(2)
    chosen.set_max_log_file_size(_LOG_BYTES)
    return chosen


def open_options(*, create: bool = False) -> tuple[Options, dict[str, Options]]:
    """Return the options of the database and those by family, as RocksDB wants them."""
    cache = Cache(_CACHE_BYTES)
    return options(cache, create=create), {name: options(cache, create=create) for name in FAMILIES}


class Engine:
    """One open database. Not thread-safe; close it."""

    def __init__(self, path: Path, database: Rdict, cleanup: Callable[[], None]) -> None:
        self._path = path
        self._database = database
        self._cleanup = cleanup
        self._first_said = ""
        self._families = {name: database.get_column_family(name) for name in FAMILIES}
        self._handles = {name: database.get_column_family_handle(name) for name in FAMILIES}

    def _translated(self) -> AbstractContextManager[None]:
        return translated(self._path, self._cause)

    def _cause(self, text: str) -> str:
        """Return the message of what went wrong first, where RocksDB only says that something did."""
        if _REPEATED in text and number_in(text) is None:
            return self._first_said or text
        self._first_said = text
        return text

    def get(self, family: str, key: bytes) -> bytes | None:
        try:  # a context manager costs more than the get
            value: bytes | None = self._families[family].get(key)
        except Exception:
            with self._translated():
                raise
        return value

    def scan(
        self, family: str, start: bytes = b"", end: bytes | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        chosen = ReadOptions()
        if end is not None:
            chosen.set_iterate_upper_bound(end)
        with self._translated():
            rows = self._families[family].iter(chosen)
            rows.seek(start)
            while rows.valid():
                yield rows.key(), rows.value()
                rows.next()
            rows.status()

    def scan_back(self, family: str, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values from `start` (inclusive) downwards."""
        with self._translated():
            rows = self._families[family].iter()
            rows.seek_for_prev(start)
            while rows.valid():
                yield rows.key(), rows.value()
                rows.prev()
            rows.status()

    def batch(self) -> RawBatch:
        return RawBatch(self._handles)

    def write(self, batch: RawBatch, *, sync: bool) -> None:
        """Write the batch as one atomic step; with `sync` it is on the disk when this returns."""
        chosen = WriteOptions()
        chosen.sync = sync
        with self._translated():
            self._database.write(batch.raw, chosen)

    def sync(self) -> None:
        """Put on the disk what was written without `sync`."""
        with self._translated():
            self._database.flush_wal(sync=True)

    def compact(
        self, family: str, start: bytes | None, end: bytes | None, *, rewrite: bool = False
    ) -> None:
        """Compact one range of keys; with `rewrite` every file of it, so that nothing dropped is left in any."""
        chosen = CompactOptions()
        if rewrite:
            chosen.set_bottommost_level_compaction(BottommostLevelCompaction.force())
        with self._translated():
            failed_before = self._background_errors()
            self._families[family].compact_range(start, end, chosen)
            if self._background_errors() > failed_before:
                self._raise_background_error()

    def _background_errors(self) -> int:
        return self._database.property_int_value("rocksdb.background-errors") or 0

    def _raise_background_error(self) -> None:
        """Raise why a compaction has failed: compact_range does not say even that it has.

        RocksDB refuses the next write with the cause, and goes on by itself only after a lack of space. The write is
        of nothing, and past the log, which may have no room either.
        """
        chosen = WriteOptions()
        chosen.disable_wal = True  # type: ignore[method-assign,assignment]  # the stub is wrong
        self._database.write(self.batch().raw, chosen)
        raise storage_error(self._path, os.strerror(errno.ENOSPC))

    def flush(self) -> None:
        with self._translated():
            for family in self._families.values():
                family.flush()

    def files(self, family: str) -> list[tuple[bytes, bytes, int]]:
        """Return first key, last key and size in bytes of each live file of a family."""
        with self._translated():
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
        with self._translated():
            found = self._families[family].property_int_value("rocksdb.live-sst-files-size")
        return found or 0

    def checkpoint(self, path: Path) -> None:
        """Make the store as it is now, all of it in files, at a path that does not exist; tables are hard links."""
        with translated(path, self._cause):
            Checkpoint(self._database).create_checkpoint(str(path))

    def close(self) -> None:
        """Close the database; safe to call twice. Raise where what it could not write before is still not written."""
        # Each handle keeps the database, and with it the lock on the directory, for as long as it is referred to,
        # and the traceback of an error refers to this object: so all are closed and let go before one is raised.
        trouble = [found for found in map(_closed, self._take_handles()) if found]
        self._cleanup()
        if trouble:
            raise storage_error(self._path, self._cause(trouble[0]))

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
        self.raw.put(key, value, self._handles[family])

    def delete(self, family: str, key: bytes) -> None:
        self.raw.delete(key, self._handles[family])

    def delete_range(self, family: str, start: bytes, end: bytes) -> None:
        self.raw.delete_range(start, end, self._handles[family])

    def __len__(self) -> int:
        return len(self.raw)


def open_writer(path: Path, *, create: bool = False) -> Engine:
    """Open for writing. Unless it is to be created, a directory without a database is damage, not a new store."""
    with translated(path):
        return Engine(path, Rdict(str(path), *open_options(create=create)), lambda: None)


def open_reader(path: Path) -> Engine:
    """Open beside any writer, which neither waits nor is disturbed. What is seen is one state of the store, whole.

    RocksDB reads which files there are, then the log. A writer that flushes in between leaves a reader with some
    families from before and some from after (1 of 1000 opens beside one that flushed all the time): then open again.
    The same goes for files that vanish while they are opened. What fails while the writer is still is damage.
    """
    with translated(path):
        try:
            # The writer flushes all the time. A secondary accepts vanishing files, but would take damage for them.
            return _opened(path, _in_place, _READ_TRIES) or _open_secondary(path)
        except Exception as error:
            if number_in(str(error)) not in _NOT_WRITABLE:
                raise
        engine = _opened(path, _through_links, _LINK_TRIES)
        if engine is None:
            raise UnavailableError(
                f"the store at {path} is being written all the time", hint="try again later"
            )
        return engine


def _opened(path: Path, opening: Callable[[Path], Rdict], tries: int) -> Engine | None:
    """Open for reading, again and again; None if the writer was never still."""
    for attempt in range(tries):
        before = state(path)
        try:
            engine = Engine(path, opening(path), lambda: None)
        except Exception as error:
            is_still = attempt == tries - 1 and state(path) == before
            if is_still or number_in(str(error)) is not None:
                raise
        else:
            if state(path) == before:
                return engine
            engine.close()
        time.sleep(_READ_PAUSE_S * min(attempt + 1, _READ_TRIES))
    return None


def _in_place(path: Path) -> Rdict:
    """Open the database where it is: rocksdict writes a file of its own into the directory each time."""
    return Rdict(str(path), *open_options(), access_type=_READ_ONLY_ACCESS)


def _through_links(path: Path) -> Rdict:
    """Open a database in whose directory nothing may be written. All its files are open when this returns."""
    with links_to(path, is_of_database) as links, translated(path, _naming(links, path)):
        return Rdict(str(links), *open_options(), access_type=_READ_ONLY_ACCESS)


def _naming(links: Path, path: Path) -> Callable[[str], str]:
    return lambda text: text.replace(str(links), str(path))


def is_of_database(name: str) -> bool:
    """Return whether a file belongs to the database: its messages, its lock and rocksdict's own file do not."""
    return not name.startswith(("LOG", "LOCK", "rocksdict"))


def state(path: Path) -> object:
    """Return what changes whenever a writer changes which files the database is made of."""
    try:
        manifest = os.fsdecode((path / "CURRENT").read_bytes().strip())
        return manifest, (path / manifest).stat().st_size
    except (OSError, ValueError):  # what is wrong is RocksDB's to say, which opens them next
        return None


def _open_secondary(path: Path) -> Engine:
    """Open without a write to the store: messages and the secondary's state go to a private directory."""
    import shutil
    import tempfile

    private = tempfile.mkdtemp(prefix="memtool-reader-")
    chosen, families = open_options()
    chosen.set_db_log_dir(private)
    try:
        database = Rdict(str(path), chosen, families, access_type=AccessType.secondary(private))
    except BaseException:
        shutil.rmtree(private, ignore_errors=True)
        raise
    return Engine(path, database, lambda: shutil.rmtree(private, ignore_errors=True))
