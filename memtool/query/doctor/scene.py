"""What the doctor's checks look at, each read once and without a lock, and what they answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeVar, cast, get_args

from msgspec import Struct, field

from memtool.agents.discover import Discovered, discover
from memtool.agents.registry import Root
from memtool.errors import ConfigError, MemtoolError, StorageError
from memtool.files import storage_error
from memtool.ledger.reading import History, read
from memtool.model.calendar import Calendar
from memtool.model.records import Source
from memtool.paths import ConfigFile, StoreChoice
from memtool.rollup.configured import wanted_calendar, zone_is_set
from memtool.rollup.plan import check_calendar, moved_days
from memtool.search.index import behind, manifest_of
from memtool.settings import Config
from memtool.store.access import Access, recorded_format
from memtool.store.erase import rules_applied
from memtool.store.store import Store, erasing
from memtool.systemd.status import Status
from memtool.systemd.systemctl import Manager

T = TypeVar("T")
Verdict = Literal["ok", "warning", "problem", "skipped"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
STATUS = "memtool scheduler status"


class Advice(Struct, frozen=True):
    """The answer of one check; `todo` has a command if there is one, and is empty if nothing has to be done."""

    verdict: Verdict
    found: str
    todo: str = ""


class Finding(Struct, frozen=True):
    """The answer with the name of its check."""

    name: str
    verdict: Verdict
    found: str
    todo: str


class StorePlace(Struct, frozen=True):
    """The store's directory, and why it is this one."""

    path: str
    why: str


class Examination(Struct, frozen=True):
    """What all checks found."""

    store: StorePlace
    healthy: bool
    counts: Mapping[Verdict, int]
    checks: tuple[Finding, ...]


class CannotCheckError(Exception):
    """There is nothing here that this check could look at; the text says why."""


def ok(found: str) -> Advice:
    """Return that all is well."""
    return Advice("ok", found)


def warning(found: str, todo: str) -> Advice:
    """Return what will do harm one day."""
    return Advice("warning", found, todo)


def problem(found: str, todo: str) -> Advice:
    """Return what does harm now."""
    return Advice("problem", found, todo)


def skipped(why: str, todo: str = "") -> Advice:
    """Return that there was nothing to look at."""
    return Advice("skipped", why, todo)


def in_words(count: int, what: str) -> str:
    """Return such as `1 file` and `1,204 files`."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"))


def span(length_s: int) -> str:
    """Return a length of time in its largest whole unit."""
    for size_s, unit in _UNITS:
        if length_s >= size_s:
            return in_words(length_s // size_s, unit)
    return in_words(max(0, length_s), "second")


_GOOD = ("done", "partial")


class StoreFacts(Struct, frozen=True):
    """What the store says of itself.

    `conflict` is why no rollup runs on its calendar; `moved_days` how many days lie otherwise under today's zone data.
    """

    format: int | None
    calendar: Calendar
    conflict: ConfigError | None
    moved_days: int
    span_us: tuple[int, int] | None
    sources: Mapping[str, Source]
    index_behind: int | None
    """How many days the search index has to read again; None: all."""
    rules_applied: int
    erasing_us: int | None
    """Since when deleted or masked text may still be in the files; None: in none."""


class Scene(Struct, frozen=True, dict=True):
    """One look at this machine.

    `look` asks for the state of the jobs and their timers; `manager` is the systemd that has them, or None.
    """

    environ: Mapping[str, str]
    now_us: int
    uid: int
    config: Config
    config_files: tuple[ConfigFile, ...]
    store: StoreChoice
    roots: tuple[Root, ...]
    look: Callable[[], Status]
    manager: Manager | None = None
    machine: Path = field(default=Path("/"))
    """The root of the file system, for what lies at fixed places in it."""

    @property
    def root(self) -> Path:
        """The store's directory."""
        return self.store.root

    def _once(self, name: str, read: Callable[[], T]) -> T:
        """Return what is read once. Raise the same MemtoolError each time."""
        if name not in self.__dict__:
            try:
                self.__dict__[name] = read()
            except MemtoolError as error:
                self.__dict__[name] = error
        found = self.__dict__[name]
        if isinstance(found, MemtoolError):
            raise found
        return cast("T", found)

    @property
    def status(self) -> Status:
        """The jobs and their timers."""
        return self._once("_status", self.look)

    @property
    def history(self) -> History:
        """The runs in the ledger."""
        return self._once("_history", lambda: read(self.root))

    @property
    def ingests_us(self) -> list[int]:
        """When the ingests began that went well, by the ledger."""
        return [run.started_us for run in self.history.of_job("ingest") if run.result in _GOOD]

    @cached_property
    def transcripts(self) -> Discovered:
        """The transcripts that there are."""
        return discover(roots=self.roots)

    @property
    def has_store(self) -> bool:
        """Whether there is a store, even one that cannot be read."""
        try:
            return self._once("_facts", self._read_store) is not None
        except MemtoolError:
            return True

    @property
    def facts(self) -> StoreFacts:
        """What the store says of itself. Raise CannotCheckError if there is none."""
        found = self._once("_facts", self._read_store)
        if found is None:
            raise CannotCheckError("there is no store yet")
        return found

    def _read_store(self) -> StoreFacts | None:
        access = Access(self.root)
        try:
            if not access.exists():
                return None
            with access.reading() as store:
                return _facts_of(store, self.root, self.config)
        except OSError as error:
            raise storage_error(error, error.filename or self.root) from error
        except (AssertionError, LookupError, TypeError, ValueError) as error:
            text = f"what the store at {self.root} says of itself makes no sense: {error!r}"
            hint = "memtool verify; keep a copy before anything else"
            raise StorageError(text, hint=hint) from error


def _facts_of(store: Store, root: Path, config: Config) -> StoreFacts:
    moved = moved_days(store)
    days = behind(manifest_of(root), Access(root), store)
    return StoreFacts(
        format=recorded_format(root),
        calendar=store.calendar,
        conflict=_conflict(store, config),
        moved_days=len(moved[0]) if moved else 0,
        span_us=store.span_us(),
        sources=store.sources(),
        index_behind=None if days is None else len(days),
        rules_applied=rules_applied(store),
        erasing_us=note.since_us if (note := erasing(store)) else None,
    )


def _conflict(store: Store, config: Config) -> ConfigError | None:
    try:
        check_calendar(store, wanted_calendar(config), zone_is_set=zone_is_set(config))
    except ConfigError as error:
        return error
    return None
