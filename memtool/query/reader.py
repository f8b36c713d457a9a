"""Opens the store for reading. Never waits for a job."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from memtool.errors import ConfigError, UsageError
from memtool.model.calendar import Calendar
from memtool.model.levels import PERIOD_FORMS, Period
from memtool.model.records import Recipe
from memtool.rollup.configured import wanted_calendar
from memtool.settings import Config
from memtool.store.access import Access
from memtool.store.store import Store


class Reader(Struct, frozen=True):
    """How to read. `calendar` is used only if there is no store yet; without a `recipe` nothing is outdated."""

    root: Path
    now_us: int
    calendar: Calendar
    recipe: Recipe | None = None
    opened: Store | None = None
    """The store that is open already, between `held` and its end."""

    @contextmanager
    def store(self) -> Iterator[Store | None]:
        """Give the store as it is now, or None if there is none yet."""
        if self.opened is not None:
            yield self.opened
            return
        access = Access(self.root)
        if not access.exists():
            yield None
            return
        with access.reading() as store:
            yield store

    @contextmanager
    def held(self) -> Iterator[Reader]:
        """Give a reader whose store is opened only once, if there is one."""
        with self.store() as store:
            yield replace(self, opened=store)

    @contextmanager
    def memory(self) -> Iterator[Store | None]:
        """Give the store as it is now, or None if there is none, or it is empty."""
        with self.store() as store:
            yield None if store is None or store.is_empty() else store

    def period(self, store: Store | None, text: str) -> Period:
        """Return the period that the text names. Raise UsageError with the forms there are."""
        calendar = self.calendar if store is None else store.calendar
        period = calendar.parse(text, self.now_us)
        if period is None:
            raise UsageError(f"unknown period: {text}", hint=f"a period is one of: {PERIOD_FORMS}")
        return period


def reader_for(config: Config, root: Path, now_us: int, *, with_recipe: bool = True) -> Reader:
    """Return the reader with the calendar of the configuration, and its recipe, which takes longer to find."""
    recipe = _recipe(config) if with_recipe else None
    return Reader(root, now_us, wanted_calendar(config), recipe)


def _recipe(config: Config) -> Recipe | None:
    """Return the recipe in force, None if the configured summarizer is unknown: one can still read."""
    from memtool.rollup.configured import recipe_of

    try:
        return recipe_of(config)
    except ConfigError:
        return None
