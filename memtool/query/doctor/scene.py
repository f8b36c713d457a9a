"""What a check of the doctor says: a verdict, what was found, and what to do. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

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
from memtool.settings import Config
from memtool.store.access import Access, recorded_format
from memtool.store.erase import erasing
from memtool.store.store import Store
from memtool.systemd.status import Status
from memtool.systemd.systemctl import Manager

Verdict = Literal["ok", "warning", "problem", "skipped"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


class Advice(Struct, frozen=True):
    """The answer of one check; `todo` is a command where there is one, and empty where nothing has to be done."""

    verdict: Verdict
    found: str
    todo: str = ""


class Finding(Struct, frozen=True):
    """The answer with the name of its check."""

    name: str
    advice: Advice


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


def is_healthy(findings: Iterable[Finding]) -> bool:
    """Return whether no check found a problem or a warning."""
    return all(finding.advice.verdict in ("ok", "skipped") for finding in findings)


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
    """What the store says of itself. `building` and `erasing_us` are work that was begun and has not ended.

    `conflict` is why no rollup runs on its calendar; `moved_days` how many days lie otherwise under today's zone data.
    """

    format: int | None
    calendar: Calendar
    conflict: ConfigError | None
    moved_days: int
    span_us: tuple[int, int] | None
    sources: Mapping[str, Source]
    building: bool
    erasing_us: int | None


class Scene(Struct, frozen=True, dict=True):
    """One look at this machine. `faults` is what is wrong with the configuration, `config` the rest of it.

    `look` asks for the state of the jobs and their timers; `manager` is the systemd that has them, None where none has.
    """

    environ: Mapping[str, str]
    now_us: int
    uid: int
    config: Config
    config_files: tuple[ConfigFile, ...]
    store: StoreChoice
    roots: tuple[Root, ...]
    look: Callable[[], Status]
    faults: tuple[MemtoolError, ...] = ()
    manager: Manager | None = None
    machine: Path = field(default=Path("/"))
    """The root of the file system, for what lies at fixed places in it."""

    @property
    def root(self) -> Path:
        """The store's directory."""
        return self.store.root

    @cached_property
    def _status(self) -> Status | MemtoolError:
        try:
            return self.look()
        except MemtoolError as error:
            return error

    @property
    def read_status(self) -> Status:
        """The jobs and their timers. Raise MemtoolError where that cannot be told."""
        if isinstance(self._status, MemtoolError):
            raise self._status
        return self._status

    @property
    def status(self) -> Status:
        """The same for all checks but the one that tells why it cannot be told."""
        if isinstance(self._status, MemtoolError):
            raise CannotCheckError("the state of the jobs cannot be told")
        return self._status

    @cached_property
    def _history(self) -> History | MemtoolError:
        try:
            return read(self.root)
        except MemtoolError as error:
            return error

    @property
    def read_history(self) -> History:
        """What ran, by the ledger. Raise MemtoolError where it cannot be read."""
        if isinstance(self._history, MemtoolError):
            raise self._history
        return self._history

    @property
    def history(self) -> History:
        """The same for all checks but the ledger's own, which alone tells why it cannot be read."""
        if isinstance(self._history, MemtoolError):
            raise CannotCheckError("the ledger cannot be read")
        return self._history

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
        """Whether there is a store, or something that cannot be read in its place."""
        return self._facts is not None

    @cached_property
    def _facts(self) -> StoreFacts | MemtoolError | None:
        access = Access(self.root)
        try:
            if not access.exists():
                return None
            with access.reading() as store:
                return _facts_of(store, recorded_format(self.root), self.config)
        except MemtoolError as error:
            return error
        except OSError as error:
            return storage_error(error, error.filename or self.root)
        except (AssertionError, LookupError, TypeError, ValueError) as error:
            text = f"what the store at {self.root} says of itself makes no sense: {error!r}"
            return StorageError(text, hint="memtool verify; keep a copy before anything else")

    @property
    def read_store(self) -> StoreFacts:
        """What the store says of itself. Raise MemtoolError where it cannot be read, CannotCheckError without one."""
        found = self._facts
        if found is None:
            raise CannotCheckError("there is no store yet")
        if isinstance(found, MemtoolError):
            raise found
        return found

    @property
    def facts(self) -> StoreFacts:
        """The same for all checks but the store's own, which alone tells why a store cannot be read."""
        if isinstance(self._facts, MemtoolError):
            raise CannotCheckError("the store cannot be read")
        return self.read_store


def _facts_of(store: Store, number: int | None, config: Config) -> StoreFacts:
    moved, left = moved_days(store), erasing(store)
    return StoreFacts(
        format=number,
        calendar=store.calendar,
        conflict=_conflict(store, config),
        moved_days=len(moved.days) if moved else 0,
        span_us=store.span_us(),
        sources=store.sources(),
        building=store.building() is not None,
        erasing_us=left.since_us if left else None,
    )


def _conflict(store: Store, config: Config) -> ConfigError | None:
    try:
        check_calendar(store, wanted_calendar(config), zone_is_set=zone_is_set(config))
    except ConfigError as error:
        return error
    return None
