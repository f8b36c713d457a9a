"""Who reads, and how: the store's place, the present, and what a person may name. Never waits for a job."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from memtool.errors import ConfigError, UsageError
from memtool.model.calendar import Calendar
from memtool.model.levels import PERIOD_FORMS, Period
from memtool.model.records import Recipe
from memtool.rollup.configured import wanted_calendar
from memtool.settings import Config
from memtool.store.access import Access
from memtool.store.store import Store


class NoMemoryError(UsageError):
    """Nothing is remembered yet, so nothing can be named."""

    def __init__(self, root: Path) -> None:
        super().__init__(
            f"there is no memory in {root} yet",
            hint="memtool ingest takes in what your agents have written",
        )


class Reader(Struct, frozen=True):
    """One reading. `calendar` serves only where there is no store yet; without a `recipe` nothing is outdated."""

    root: Path
    now_us: int
    calendar: Calendar
    recipe: Recipe | None = None

    @contextmanager
    def store(self) -> Iterator[Store | None]:
        """Give the store as it is now, or None where there is none yet."""
        access = Access(self.root)
        if not access.exists():
            yield None
            return
        with access.reading() as store:
            yield store

    @contextmanager
    def memory(self) -> Iterator[Store | None]:
        """Give the store as it is now, or None where nothing is remembered yet: there is none, or it is empty."""
        with self.store() as store:
            yield None if store is None or store.is_empty() else store

    @contextmanager
    def existing_store(self) -> Iterator[Store]:
        """Give the store as it is now. Raise NoMemoryError where nothing in it can be named."""
        with self.memory() as store:
            if store is None:
                raise NoMemoryError(self.root)
            yield store

    def period(self, store: Store | None, text: str) -> Period:
        """Return the period that the person named. Raise UsageError with the forms there are."""
        calendar = self.calendar if store is None else store.calendar
        period = calendar.parse(text, self.now_us)
        if period is None:
            raise UsageError(
                f"{text!r} names no period", hint=f"a period is one of: {PERIOD_FORMS}"
            )
        return period


def reader_for(config: Config, root: Path, now_us: int) -> Reader:
    """Return the reader that the configuration asks for."""
    return Reader(root, now_us, wanted_calendar(config), _recipe(config))


def _recipe(config: Config) -> Recipe | None:
    """Return what would sign a summary today; None where a summarizer cannot even be named: reading goes on."""
    from memtool.rollup.configured import recipe_of

    try:
        return recipe_of(config)
    except ConfigError:
        return None
