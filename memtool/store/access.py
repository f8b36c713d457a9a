"""Who may open the store, when and how: the format and its migrations, readers, and the one writer in slices."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Self

import msgspec

from memtool.errors import ConfigError, DamagedError, StorageError, UnavailableError
from memtool.files import (
    atomic_write,
    exists,
    links_to,
    private_directory,
    reporting,
    sync_directory,
)
from memtool.locks import WRITER_QUEUE, Lock, is_free, lock_path
from memtool.model.calendar import Calendar
from memtool.store.engine import (
    WAY_BACK,
    Engine,
    is_of_database,
    open_reader,
    open_writer,
    state,
)
from memtool.store.store import RULES_APPLIED, Store, put_meta
from memtool.store.toc import mark_days

Step = Callable[[Engine], None]
OLDEST = 1


def _second_generation(_: Engine) -> None:
    """To 2: nothing lies otherwise, but an older memtool would not mark the days of a half-built generation."""


def _index_marks(_: Engine) -> None:
    """To 3: nothing lies otherwise, but an older memtool would not mark days for the text index."""


def _turns_and_threads(engine: Engine) -> None:
    """To 4: nodes hold turns and threads. Marks every day, so that the next rollups make its nodes again."""
    store = Store(engine)
    with store.batch(sync=False) as batch:
        for each in store.generations():
            mark_days(each, batch, each.days())


MIGRATIONS: Mapping[int, Step] = {2: _second_generation, 3: _index_marks, 4: _turns_and_threads}
"""By the format that each step leads to."""

FORMAT = OLDEST + len(MIGRATIONS)
assert list(MIGRATIONS) == list(range(OLDEST + 1, FORMAT + 1))

FORMAT_FILE = "FORMAT"
_FORMAT_TEXT = "memtool store\nformat {}\n"
SWAP = "restore.swap"
"""Where a restored store and the one it replaces trade places."""
SLICE_S = 0.5
"""How long one writer keeps the store to itself before it lets another in."""

WriterLock = Callable[[], AbstractContextManager[Lock]]
"""Waits in line for the writer lock (`context.RunContext.writer`)."""

View = Callable[[Store], Store]
"""Which table of contents of an open store is meant, where it is not the current one."""


class Access(msgspec.Struct, frozen=True):
    """The way to the store under one root directory. Holds nothing open by itself."""

    root: Path

    @property
    def path(self) -> Path:
        """RocksDB's own directory."""
        return self.root / "store"

    def exists(self) -> bool:
        """Return whether there is a store, damaged or not; check its format if so."""
        self._check_format()
        return not self._is_absent()

    @contextmanager
    def reading(self) -> Iterator[Store]:
        """Give the store as it is now to a reader, who neither waits for a writer nor disturbs one."""
        self._check_format()
        engine = open_reader(self.path)
        try:
            store = Store(engine)
            self._refuse_swept(store)
            yield store
        finally:
            engine.close()

    @contextmanager
    def linked(self, target: Path) -> Iterator[None]:
        """Make `target` lead to the files of the database meanwhile, for a copy without the writer lock.

        Raise UnavailableError at the end if its list of files has changed: then the copy is not whole.
        """
        before = state(self.path)
        with links_to(self.path, is_of_database) as links:
            with reporting(target):
                target.symlink_to(links)
            yield
        if state(self.path) != before:
            raise UnavailableError(
                f"the store at {self.path} was written while it was copied", hint="try again later"
            )

    def lease(
        self, lock: WriterLock, calendar: Calendar | None = None, *, view: View | None = None
    ) -> Lease:
        """Give the right to write, taken only while it is used; `calendar` is what a new store is made with."""
        return Lease(self, lock, calendar, view)

    def open_for_writing(self, calendar: Calendar | None) -> Store:
        """Open the store; make it, or migrate it, where that is needed. The caller holds the writer lock."""
        self._check_format()
        if calendar is not None and self._is_absent():
            self._create(calendar)
        have = recorded_format(self.root) or OLDEST
        engine = open_writer(self.path)
        try:
            with reporting(
                self.path
            ):  # opens that were killed leave them; RocksDB never removes them
                for torn in self.path.glob("OPTIONS-*.dbtmp"):
                    torn.unlink(missing_ok=True)
            store = Store(engine)
            self._refuse_swept(store)
            migrate(engine, have, lambda number: write_format(self.root, number))
            return Store(engine) if have < FORMAT else store
        except BaseException:
            engine.close()
            raise

    def _is_absent(self) -> bool:
        if not is_absent(self.path):
            return False
        if exists(self.root / SWAP):  # or the next ingest would begin a new, empty store
            raise StorageError(
                f"the store at {self.root} is not in its place: a restore was interrupted",
                hint="run `memtool restore` again; the store that was there is in restore.swap",
            )
        return True

    def _create(self, calendar: Calendar) -> None:
        """Make the store beside its place and rename it: what is called `store` was complete once."""
        import secrets
        import shutil

        from memtool.redact.rules import RULESET_VERSION

        making = self.root / "store.new"
        with reporting(self.root):
            shutil.rmtree(making, ignore_errors=True)
            private_directory(making)
            write_format(self.root, FORMAT)
            engine = open_writer(making, create=True)
            try:
                batch = engine.batch()
                put_meta(batch, "store", secrets.token_hex(8))
                put_meta(batch, "calendar", calendar.describe())
                put_meta(batch, "generation", 1)
                put_meta(batch, "sequence", 0)
                put_meta(batch, RULES_APPLIED, RULESET_VERSION)  # every event comes through them
                engine.write(batch, sync=True)
            finally:
                engine.close()
            making.rename(self.path)
            sync_directory(self.root)

    def _refuse_swept(self, store: Store) -> None:
        """Refuse a store whose retention, which memtool no longer has, was in force: its `meta` holds a horizon."""
        if store.meta("horizon", object) is not None:
            raise ConfigError(
                f"the store at {self.root} was made with retention.events_days, which memtool no longer has: "
                "its oldest summaries may have no events",
                hint="move it away and run `memtool ingest`, which makes a new store; "
                "the older memtool still reads this one, and its `memtool export` saves the events that are left",
            )

    def _check_format(self) -> None:
        number = recorded_format(self.root)
        if number is not None and number > FORMAT:
            from memtool.program import upgrade_hint

            raise ConfigError(
                f"the store at {self.root} has format {number}, this memtool knows up to {FORMAT}",
                hint=f"{upgrade_hint()}; or name another store with --store; if the file FORMAT is damaged, "
                "`memtool restore BACKUP --replace` repairs it",
            )


def recorded_format(root: Path) -> int | None:
    """Return the number in the format file, or None where there is no such file."""
    file = root / FORMAT_FILE
    with reporting(file):
        try:
            text = file.read_text(errors="replace")
        except FileNotFoundError:
            return None
    kind, _, number = text.strip().partition("\nformat ")
    if kind != "memtool store" or not (number.isascii() and number.isdigit() and int(number)):
        raise DamagedError(
            f"{file} is not the format file of a memtool store",
            hint=f"if this is the right directory: {WAY_BACK}",
        )
    return int(number)


def write_format(root: Path, number: int) -> None:
    atomic_write(root / FORMAT_FILE, _FORMAT_TEXT.format(number).encode())


def is_absent(path: Path) -> bool:
    """Return whether there is nothing at the path, or an empty directory."""
    with reporting(path):
        return not exists(path) or not any(path.iterdir())


class Lease:
    """The right to write, released when the block ends. The lock and the database are held from a call of `store()` to
    `release()`, never longer than a slice at a stretch while others wait, and never while a model is awaited.
    """

    def __init__(
        self, access: Access, lock: WriterLock, calendar: Calendar | None, view: View | None
    ) -> None:
        self._access = access
        self._lock = lock
        self._calendar = calendar
        self._view = view
        self._held = ExitStack()
        self._store: Store | None = None
        self._since_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def store(self) -> Store:
        """Return the store, open for writing. What was read from it before may have changed since."""
        if self._store is not None and time.monotonic() - self._since_s > SLICE_S:
            if is_free(lock_path(self._access.root, WRITER_QUEUE)):  # no other writer waits
                self._store.sync()
                self._since_s = time.monotonic()
            else:
                self.release()
        return self._store or self._acquire()

    def _acquire(self) -> Store:
        if self._calendar is not None:
            private_directory(self._access.root)
        with ExitStack() as held:
            held.enter_context(self._lock())
            store = self._access.open_for_writing(self._calendar)
            held.callback(store.close)
            self._store = self._view(store) if self._view else store
            self._held = held.pop_all()
        self._since_s = time.monotonic()
        return self._store

    def release(self) -> None:
        """Put what was written on the disk, close the store and let the next one in."""
        store, self._store = self._store, None
        with self._held:
            if store is not None:
                store.sync()
        self._held = ExitStack()


def migrate(
    engine: Engine,
    have: int,
    record: Callable[[int], None],
    steps: Mapping[int, Step] = MIGRATIONS,
) -> None:
    """Bring the store from the format that it has to the newest; the caller holds the writer.

    `record` writes the number on the disk.
    """
    for number in range(have + 1, OLDEST + len(steps) + 1):
        steps[number](engine)
        engine.sync()
        record(number)
