"""The settings: one field a setting, with its default, its kind and what it is for. Reads no file, no environment."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import TypeVar

Value = str | int
_T = TypeVar("_T", str, int)

_NUMBER = re.compile(r"-?[0-9]{1,18}")
_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
# Whether systemd understands it, systemd says; here only what would be no value in a unit file is refused.
_SCHEDULE = re.compile(r"[A-Za-z0-9*~:,./;_+ -]{0,200}")
_LONGEST_COMMAND = 1000
_LONGEST_NAME = 200
_URL = re.compile(r"https?://[^\s/?#]+(?:/[^\s?#]*)?")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a setting may hold: in words, as a test, and the words to compare a mistyped one with."""

    expected: str
    accepts: Callable[[object], bool]
    words: Callable[[], Sequence[str]] = tuple
    is_number: bool = False

    def read(self, text: str) -> Value:
        """Return what an environment variable or a command-line argument stands for."""
        return int(text) if self.is_number and _NUMBER.fullmatch(text) else text


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the settings table."""

    key: str
    default: Value
    kind: Kind
    doc: str

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return "MEMTOOL_" + self.key.upper().replace(".", "__").replace("-", "_")


def setting(default: _T, kind: Kind, doc: str) -> _T:
    """Declare a setting: a dataclass field that carries its row."""
    return field(default=default, metadata={"kind": kind, "doc": doc})


def one_of(*words: str) -> Kind:
    """Return the kind that is one of a few words."""
    return Kind(f"one of {', '.join(words)}", lambda value: value in words, lambda: words)


def whole_number(low: int, high: int) -> Kind:
    """Return the kind that is a number within bounds, both included."""
    return Kind(
        f"a whole number from {low} to {high}",
        lambda value: (
            type(value) is int and low <= value <= high
        ),  # a TOML boolean is an int to isinstance
        is_number=True,
    )


def _is_path(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value and value[:1] in ("", "/", "~")


def _is_time_of_day(value: object) -> bool:
    return isinstance(value, str) and _TIME_OF_DAY.fullmatch(value) is not None


def _is_zone(value: object) -> bool:
    if value == "auto":
        return True
    if not isinstance(value, str) or value.startswith(("posix", "right/", "localtime")):
        return False  # files beside the zones, not names of zones
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):  # no such zone; no such name; a directory of zones
        return False
    return True


def _zones() -> Sequence[str]:
    from zoneinfo import available_timezones

    return ["auto", *sorted(available_timezones())]


WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PATH = Kind('an absolute path, one that starts with "~/", or ""', _is_path)
TIME_OF_DAY = Kind("a time of day such as 04:00", _is_time_of_day)
ZONE = Kind('"auto" or the name of a time zone such as Europe/Paris', _is_zone, _zones)
SECONDS = whole_number(0, 7 * 24 * 3600)
TIMEOUT = whole_number(60, 7 * 24 * 3600)
SCHEDULE = Kind(
    'systemd calendar expressions such as "Sun *-*-* 02:00:00", separated by ";", or ""',
    lambda value: isinstance(value, str) and _SCHEDULE.fullmatch(value) is not None,
)
AMOUNT = whole_number(0, 10**12)
WORD = Kind(
    'a name on one line, or ""',
    lambda value: isinstance(value, str) and value.isprintable() and len(value) <= _LONGEST_NAME,
)
URL = Kind(
    'an http:// or https:// URL, or ""',
    lambda value: isinstance(value, str) and (not value or _URL.fullmatch(value) is not None),
)
PATHS = Kind(
    'absolute paths, or ones that start with "~/", separated by colons, or ""',
    lambda value: isinstance(value, str) and all(map(_is_path, value.split(":"))),
)
COMMAND = Kind(
    'a shell command on one line, or ""',
    lambda value: isinstance(value, str) and value.isprintable() and len(value) <= _LONGEST_COMMAND,
)

# What every job's section says of its timer; "memtool scheduler apply" tells systemd. Empty: the job table's default,
# moved by the calendar's day_starts_at and week_starts_on. tests/scheduler holds the numbers to the job table.
_SCHEDULE_DOC = "When its timer fires (OnCalendar=); empty: the default, moved with the calendar."
_JITTER_DOC = "Up to how much later its timer fires, the same each time (RandomizedDelaySec=)."
_TIMEOUT_DOC = "After how long systemd ends a run (TimeoutStartSec=); the next does the rest."


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """`[store]`"""

    path: str = setting("", PATH, "The store's directory; empty: systemd's or the user's own.")


@dataclass(frozen=True, slots=True)
class CalendarSettings:
    """`[calendar]`: recorded in a store when it is made."""

    timezone: str = setting(
        "auto", ZONE, "The zone whose midnights end days; auto: this machine's."
    )
    day_starts_at: str = setting("00:00", TIME_OF_DAY, "The wall-clock time at which a day begins.")
    week_starts_on: str = setting("sunday", one_of(*WEEKDAYS), "The weekday that begins a week.")


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """`[ingest]`"""

    claude_root: str = setting(
        "", PATH, "Claude Code's directory; empty: $CLAUDE_CONFIG_DIR or ~/.claude."
    )
    schedule: str = setting("", SCHEDULE, _SCHEDULE_DOC)
    jitter_s: int = setting(60, SECONDS, _JITTER_DOC)
    timeout_s: int = setting(1800, TIMEOUT, _TIMEOUT_DOC)


@dataclass(frozen=True, slots=True)
class SummarizerSettings:
    """`[summarizer]`"""

    name: str = setting(
        "extractive",
        one_of("extractive", "openai", "anthropic", "command", "mock"),
        "What writes the summaries.",
    )
    max_bullets: int = setting(5, whole_number(1, 20), "How many bullets a node has at most.")
    model: str = setting("", WORD, "The model's name, as its endpoint knows it.")
    endpoint: str = setting("", URL, "The model's base URL; empty: the provider's own.")
    command: str = setting(
        "", COMMAND, "The program of the summarizer `command`, which reads a prompt and answers."
    )
    command_writes: str = setting(
        "", PATHS, "Directories that this program has to write to, separated by colons."
    )
    window_tokens: int = setting(
        32_000, whole_number(4_000, 2_000_000), "How much the model reads at once, in tokens."
    )
    answer_tokens: int = setting(
        2_000, whole_number(200, 64_000), "How long an answer may be, in tokens."
    )
    timeout_s: int = setting(120, whole_number(5, 3600), "How long one call may take.")
    concurrency: int = setting(2, whole_number(1, 16), "How many calls are made at once.")


@dataclass(frozen=True, slots=True)
class BudgetSettings:
    """`[budget]`: what models may be asked. Where it is used up, the next run or the next day does the rest."""

    calls_per_run: int = setting(0, AMOUNT, "How many calls a run makes at most; 0: no bound.")
    calls_per_day: int = setting(500, AMOUNT, "How many calls a day has at most; 0: no bound.")
    tokens_per_run: int = setting(
        0, AMOUNT, "How many tokens, in and out, a run spends at most; 0: no bound."
    )
    tokens_per_day: int = setting(
        2_000_000, AMOUNT, "How many tokens, in and out, a day spends at most; 0: no bound."
    )


@dataclass(frozen=True, slots=True)
class LockSettings:
    """`[locks]`"""

    wait_s: int = setting(300, SECONDS, "How long a job waits for the tree or the writer.")


@dataclass(frozen=True, slots=True)
class JobSettings:
    """`[jobs]`"""

    deadline_s: int = setting(0, SECONDS, "After how long a job stops between two steps; 0: never.")


@dataclass(frozen=True, slots=True)
class RollupSettings:
    """`[day_rollup]`, `[week_rollup]`, `[month_rollup]` and `[year_rollup]`"""

    schedule: str = setting("", SCHEDULE, _SCHEDULE_DOC)
    jitter_s: int = setting(300, SECONDS, _JITTER_DOC)
    timeout_s: int = setting(7200, TIMEOUT, _TIMEOUT_DOC)


@dataclass(frozen=True, slots=True)
class CompactionSettings:
    """`[compaction]`"""

    schedule: str = setting("", SCHEDULE, _SCHEDULE_DOC)
    jitter_s: int = setting(600, SECONDS, _JITTER_DOC)
    timeout_s: int = setting(3600, TIMEOUT, _TIMEOUT_DOC)


@dataclass(frozen=True, slots=True)
class SchedulerSettings:
    """`[scheduler]`"""

    on_failure: str = setting(
        "",
        COMMAND,
        "What to run when a job's unit fails, such as a mail or a ping; empty: nothing.",
    )
    rollups_on_battery: str = setting(
        "run",
        one_of("run", "skip"),
        "Whether rollups start on battery power; skip: the next does the rest.",
    )


SECTIONS = {
    "store": StoreSettings,
    "calendar": CalendarSettings,
    "ingest": IngestSettings,
    "summarizer": SummarizerSettings,
    "budget": BudgetSettings,
    "locks": LockSettings,
    "jobs": JobSettings,
    "scheduler": SchedulerSettings,
    "day_rollup": RollupSettings,
    "week_rollup": RollupSettings,
    "month_rollup": RollupSettings,
    "year_rollup": RollupSettings,
    "compaction": CompactionSettings,
}


def _row(section: str, declared: Field[Value]) -> Setting:
    kind, doc = declared.metadata["kind"], declared.metadata["doc"]
    assert isinstance(kind, Kind)
    assert isinstance(doc, str)
    assert isinstance(declared.default, str | int)
    assert kind.accepts(declared.default), declared.name
    return Setting(f"{section}.{declared.name}", declared.default, kind, doc)


SETTINGS = tuple(_row(name, row) for name, section in SECTIONS.items() for row in fields(section))
BY_KEY = {row.key: row for row in SETTINGS}

REMOVED = {
    "retention.events_days": "events are kept until `memtool forget` deletes them",
}
"""Settings that earlier versions had, and what is true without them. Where one is still set it is a warning."""


def nearest(word: str, words: Sequence[str]) -> str:
    """Return the word that was most likely meant, or nothing."""
    from difflib import get_close_matches

    by_lower = {candidate.lower(): candidate for candidate in words}
    found = get_close_matches(word.lower(), list(by_lower), n=1)
    return by_lower[found[0]] if found else ""
