"""What the configuration asks for: the calendar, the summarizer with its options and key, and what it may spend."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from memtool.files import reporting
from memtool.model.calendar import Calendar, calendar_from
from memtool.model.levels import Level
from memtool.model.records import Recipe
from memtool.paths import key_files
from memtool.process import SUMMARIZER_DIRECTORY
from memtool.settings import Config

if TYPE_CHECKING:
    from memtool.ledger.reading import Spent
    from memtool.summarize import Options, Summarizer
    from memtool.summarize.calls import Budget


def recipe_of(config: Config) -> Recipe:
    """Return the recipe in force; reads no key. Raise ConfigError for an unknown summarizer."""
    return without_key(config).recipe


def without_key(config: Config) -> Summarizer:
    """Return the configured summarizer for what needs no call: its recipe, its prices."""
    from memtool.summarize import make

    return make(config.summarizer.name, _options(config))


def summarizer_of(config: Config, environ: Mapping[str, str], root: Path) -> Summarizer:
    """Return the configured summarizer with its key; a missing key shows at its first call.

    Raise StorageError where a key file cannot be read.
    """
    from memtool.summarize import make

    return make(config.summarizer.name, options_of(config, environ, root))


def options_of(
    config: Config, environ: Mapping[str, str], root: Path, *, name: str = ""
) -> Options:
    """Return the options of the summarizer of that name, by default the configured one."""
    from memtool.summarize import row

    found = row(name or config.summarizer.name)
    # The variable holds the key of the provider's own endpoint: another one must not be shown it.
    variable = "" if config.summarizer.endpoint else found.key_variable
    key = find_key(environ, variable) if found.key_variable else ""
    return _options(config, key=key, directory=root / SUMMARIZER_DIRECTORY, environ=environ)


def _options(
    config: Config,
    *,
    key: str = "",
    directory: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Options:
    from memtool.summarize import Options

    settings = config.summarizer
    return Options(
        max_bullets=settings.max_bullets,
        model=settings.model,
        endpoint=settings.endpoint,
        command=settings.command,
        window_tokens=settings.window_tokens,
        answer_tokens=settings.answer_tokens,
        timeout_s=settings.timeout_s,
        key=key,
        directory=directory,
        environ={} if environ is None else environ,
    )


def find_key(environ: Mapping[str, str], variable: str) -> str:
    """Return the key: systemd's credential, else the variable (where one is named), else the key file; or "".

    Raise StorageError where a file is there and cannot be read.
    """
    credential, own = key_files(environ)
    return _first_line(credential) or environ.get(variable, "").strip() or _first_line(own)


def _first_line(file: Path | None) -> str:
    """Return the file's first line, or "" without a file. The units make an empty file where there is no key."""
    if file is None:
        return ""
    with reporting(file):
        try:
            return file.read_text(errors="replace").strip().partition("\n")[0].strip()
        except FileNotFoundError:
            return ""


def budget_of(config: Config, max_calls: int | None) -> Budget:
    """Return the configured budgets, with what a person allowed this run in place of its own."""
    from memtool.summarize.calls import Budget

    settings = config.budget
    return Budget(
        calls_per_run=(settings.calls_per_run or None) if max_calls is None else max_calls,
        tokens_per_run=settings.tokens_per_run or None,
        calls_per_day=settings.calls_per_day or None,
        tokens_per_day=settings.tokens_per_day or None,
    )


AUTO = "auto"


def zone_is_set(config: Config) -> bool:
    """Return whether a zone was named; "auto" takes the machine's for a new store and asks nothing of an old one."""
    return config.calendar.timezone != AUTO


def wanted_calendar(config: Config) -> Calendar:
    """Return the calendar to compare a store's with; its zone means nothing unless `zone_is_set`."""
    return _calendar(config, config.calendar.timezone if zone_is_set(config) else "UTC")


def calendar_for_new_store(config: Config, environ: Mapping[str, str], now_us: int) -> Calendar:
    """Return the calendar that a store is made with. Raise ConfigError if the zone here is not certain."""
    from memtool.rollup.zone import local_zone

    return _calendar(
        config, config.calendar.timezone if zone_is_set(config) else local_zone(environ, now_us)
    )


def _calendar(config: Config, zone: str) -> Calendar:
    return calendar_from(zone, config.calendar.day_starts_at, config.calendar.week_starts_on)


def spent_today(root: Path, calendar: Calendar, now_us: int) -> Spent:
    """Return what the calls on record took since the day began that holds the instant."""
    from memtool.ledger.reading import spent_since

    start_us, _ = calendar.bounds_us(calendar.holding(Level.DAY, now_us))
    return spent_since(root, start_us)
