"""The settings: one line each, read from files, the environment and options into one frozen Config.

The tables of jobs and agents add theirs, so everything here is given the table of all settings. Nothing is guessed:
an unknown setting or a bad value is an error.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from memtool.errors import ConfigError
from memtool.files import reporting
from memtool.paths import ConfigFile, Role, is_served_by_system
from memtool.text import nearest

Value = str | int

# Compiled when they are used: most starts check no setting.
_NUMBER = r"-?[0-9]{1,18}"
_TIME_OF_DAY = r"([01][0-9]|2[0-3]):[0-5][0-9]"
# What would break a unit file is refused first.
_SCHEDULE = r"[A-Za-z0-9*~:,./;_+ -]{0,200}"
_URL = r"https?://[^\s/?#]+(?:/[^\s?#]*)?"
_PREFIX = "MEMTOOL_"
_LIST_THEM = '"memtool config show" lists every setting'


class Kind(NamedTuple):
    """What a setting may hold: in words, as a test, and the words to compare a mistyped one with."""

    expected: str
    accepts: Callable[[object], bool]
    words: Callable[[], Sequence[str]] = tuple
    is_number: bool = False
    reason: Callable[[object], str] = lambda _: ""
    """Why it does not accept a value, where more can be said than what it expects."""
    is_truth: bool = False

    def read(self, text: str) -> Value:
        """Return the value of an environment variable or a command-line argument."""
        if self.is_truth and text in ("true", "false"):
            return text == "true"
        return int(text) if self.is_number and re.fullmatch(_NUMBER, text) else text


class Setting(NamedTuple):
    """One setting, such as `calendar.timezone`."""

    key: str
    default: Value
    kind: Kind
    doc: str

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return _PREFIX + self.key.upper().replace(".", "__").replace("-", "_")


Table = Mapping[str, Setting]
"""All settings by their keys."""


def one_of(*words: str) -> Kind:
    """Return the kind that is one of a few words."""
    return Kind(f"one of {', '.join(words)}", lambda value: value in words, lambda: words)


def whole_number(low: int, high: int) -> Kind:
    """Return the kind that is a number within bounds, both included."""
    return Kind(
        f"a whole number from {low} to {high}",
        # isinstance would take a TOML boolean, too
        lambda value: type(value) is int and low <= value <= high,
        is_number=True,
    )


TRUTH = Kind(
    "true or false",
    lambda value: isinstance(value, bool),
    lambda: ("true", "false"),
    is_truth=True,
)


def _is_path(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value and value[:1] in ("", "/", "~")


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


def expressions(schedule: str) -> list[str]:
    """Return the calendar expressions of a schedule; none if it is the default."""
    return [part.strip() for part in schedule.split(";") if part.strip()]


def _schedule_reason(value: object) -> str:
    """Return why systemd would refuse the form of a schedule. Only systemd knows all of it (docs/scheduling.md)."""
    if not isinstance(value, str) or not value.strip(" ;"):
        return ""
    from memtool.oncalendar import form_problem

    return next(filter(None, map(form_problem, expressions(value))), "")


WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PATH = Kind('an absolute path, one that starts with "~/", or ""', _is_path)
TIME_OF_DAY = Kind(
    "a time of day such as 04:00",
    lambda value: isinstance(value, str) and re.fullmatch(_TIME_OF_DAY, value) is not None,
)
ZONE = Kind('"auto" or the name of a time zone such as Europe/Paris', _is_zone, _zones)
SECONDS = whole_number(0, 7 * 24 * 3600)
SCHEDULE = Kind(
    'systemd calendar expressions such as "Sun *-*-* 02:00:00", separated by ";", or ""',
    lambda value: (
        isinstance(value, str)
        and re.fullmatch(_SCHEDULE, value) is not None
        and not _schedule_reason(value)
    ),
    reason=_schedule_reason,
)
AMOUNT = whole_number(0, 10**12)
WORD = Kind(
    'a name on one line, or ""',
    lambda value: isinstance(value, str) and value.isprintable() and len(value) <= 200,  # noqa: PLR2004
)
URL = Kind(
    'an http:// or https:// URL, or ""',
    lambda value: isinstance(value, str) and (not value or re.fullmatch(_URL, value) is not None),
)
PATHS = Kind(
    'absolute paths, or ones that start with "~/", separated by colons, or ""',
    lambda value: isinstance(value, str) and all(map(_is_path, value.split(":"))),
)
COMMAND = Kind(
    'a shell command on one line, or ""',
    lambda value: isinstance(value, str) and value.isprintable() and len(value) <= 1000,  # noqa: PLR2004
)


class StoreSettings(NamedTuple):
    """`[store]`"""

    path: Annotated[str, PATH, "Directory of the store. Empty: systemd's, or the user's own."] = ""


class CalendarSettings(NamedTuple):
    """`[calendar]`: recorded in a store when it is made."""

    timezone: Annotated[str, ZONE, "Time zone of the days. auto: that of this machine."] = "auto"
    day_starts_at: Annotated[str, TIME_OF_DAY, "Time at which a day begins."] = "00:00"
    week_starts_on: Annotated[str, one_of(*WEEKDAYS), "First day of the week."] = "sunday"


class IngestSettings(NamedTuple):
    """`[ingest]`, without its timer."""

    claude_root: Annotated[
        str, PATH, "Claude Code's directory. Empty: $CLAUDE_CONFIG_DIR or ~/.claude."
    ] = ""


class SummarizerSettings(NamedTuple):
    """`[summarizer]`"""

    name: Annotated[
        str,
        one_of("extractive", "openai", "anthropic", "command", "mock"),
        "What writes the summaries.",
    ] = "extractive"
    max_bullets: Annotated[
        int, whole_number(1, 20), "Maximum number of points that a model writes of a thread."
    ] = 5
    model: Annotated[str, WORD, "Name of the model, as its endpoint knows it."] = ""
    endpoint: Annotated[str, URL, "Base URL of the model. Empty: the provider's own."] = ""
    command: Annotated[
        str, COMMAND, "Program of the summarizer `command`; it reads a prompt and prints an answer."
    ] = ""
    command_writes: Annotated[
        str, PATHS, "Directories that this program may write to, separated by colons."
    ] = ""
    window_tokens: Annotated[
        int, whole_number(4_000, 2_000_000), "Size of the model's context, in tokens."
    ] = 32_000
    answer_tokens: Annotated[
        int, whole_number(200, 64_000), "Maximum length of an answer, in tokens."
    ] = 2_000
    timeout_s: Annotated[
        int, whole_number(5, 3600), "Maximum duration of one call, in seconds."
    ] = 120
    concurrency: Annotated[int, whole_number(1, 16), "Number of calls made at once."] = 2


class BudgetSettings(NamedTuple):
    """`[budget]`: limits of model calls. Where one is used up, the next run or the next day does the rest."""

    calls_per_run: Annotated[int, AMOUNT, "Maximum number of calls per run. 0: no limit."] = 0
    calls_per_day: Annotated[int, AMOUNT, "Maximum number of calls per day. 0: no limit."] = 500
    tokens_per_run: Annotated[
        int, AMOUNT, "Maximum number of tokens, in and out, per run. 0: no limit."
    ] = 0
    tokens_per_day: Annotated[
        int, AMOUNT, "Maximum number of tokens, in and out, per day. 0: no limit."
    ] = 2_000_000


class LockSettings(NamedTuple):
    """`[locks]`"""

    wait_s: Annotated[
        int, SECONDS, "How long a job waits for the tree or writer lock, in seconds."
    ] = 300


class JobSettings(NamedTuple):
    """`[jobs]`"""

    deadline_s: Annotated[
        int, SECONDS, "A job stops between two steps after this many seconds. 0: never."
    ] = 0


class SchedulerSettings(NamedTuple):
    """`[scheduler]`"""

    on_failure: Annotated[
        str,
        COMMAND,
        "Command to run when a job's unit fails. Empty: nothing.",
    ] = ""
    rollups_on_battery: Annotated[
        str,
        one_of("run", "skip"),
        "Whether rollups start on battery power. skip: a later run does the work.",
    ] = "run"


_PRICE = r"\s*[^;=\s]+\s*=\s*[0-9]+(?:\.[0-9]+)?(?:\s*/\s*[0-9]+(?:\.[0-9]+)?){3}\s*"
PRICES = Kind(
    'prices such as "claude-opus-4-5=5/25/0.5/6.25", separated by ";", or ""',
    lambda value: (
        isinstance(value, str)
        and (not value or re.fullmatch(rf"{_PRICE}(?:;{_PRICE})*;?", value) is not None)
    ),
)


class CostSettings(NamedTuple):
    """`[cost]`"""

    prices: Annotated[
        str,
        PRICES,
        "Prices of models, by the beginning of their names, in dollars per million tokens: "
        "MODEL=INPUT/OUTPUT/CACHE READ/CACHE WRITE.",
    ] = ""


class McpSettings(NamedTuple):
    """`[mcp]`"""

    scope: Annotated[
        str,
        one_of("all", "current"),
        "What an agent may ask about: all projects, or only the one in which it works.",
    ] = "all"
    notes: Annotated[
        bool, TRUTH, "Whether an agent may keep notes in the memory (memtool mcp, tool note)."
    ] = False


class TimerSettings(NamedTuple):
    """What the section of each job says of its timer; the job table has the defaults.

    `memtool scheduler apply` writes it into the units.
    """

    schedule: Annotated[
        str,
        SCHEDULE,
        "When its timer fires (OnCalendar=). Empty: the default, moved with the calendar.",
    ] = ""
    jitter_s: Annotated[
        int,
        SECONDS,
        "Longest random delay of its timer, in seconds (RandomizedDelaySec=).",
    ] = 0
    timeout_s: Annotated[
        int,
        whole_number(60, 7 * 24 * 3600),
        "Longest run, in seconds (TimeoutStartSec=); the next run continues.",
    ] = 7200


class Origin(NamedTuple):
    """Where a value comes from: `default`, `file`, `environment` or `option`, and which one."""

    kind: str
    name: str = ""

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.kind} {self.name}".strip() if self.kind != "file" else self.name


DEFAULT = Origin("default")


class Config(NamedTuple):
    """Every setting's value, by section, and where each was set."""

    store: StoreSettings = StoreSettings()
    calendar: CalendarSettings = CalendarSettings()
    ingest: IngestSettings = IngestSettings()
    summarizer: SummarizerSettings = SummarizerSettings()
    budget: BudgetSettings = BudgetSettings()
    locks: LockSettings = LockSettings()
    jobs: JobSettings = JobSettings()
    scheduler: SchedulerSettings = SchedulerSettings()
    mcp: McpSettings = McpSettings()
    cost: CostSettings = CostSettings()
    timers: Mapping[str, TimerSettings] = {}
    """By the section of the job."""
    agents: Mapping[str, str] = {}
    """Each agent's directories, by the key of the setting."""
    origins: Mapping[str, Origin] = {}
    warnings: tuple[str, ...] = ()

    def value(self, key: str) -> Value:
        """Return the value of a key such as `calendar.timezone`."""
        if key in self.agents:
            return self.agents[key]
        section, _, name = key.partition(".")
        is_timer = name in TimerSettings._fields and section in self.timers
        part = self.timers[section] if is_timer else getattr(self, section)
        value = getattr(part, name)
        assert isinstance(value, str | int)
        return value

    def origin(self, key: str) -> Origin:
        """Return where the value was set; DEFAULT if it was not."""
        return self.origins.get(key, DEFAULT)


_SECTIONS: Mapping[str, tuple[Any, ...]] = {
    name: default for name, default in Config._field_defaults.items() if hasattr(default, "_fields")
}

REMOVED = {
    "retention.events_days": "events are kept until `memtool forget` deletes them",
}
"""Settings of earlier versions, and what is true without them. Where one is still set it is a warning."""


def settings_table(timers: Mapping[str, TimerSettings], agents: Iterable[Setting]) -> Table:
    """Return all settings: the fixed ones, those of each job, whose defaults are given by section, and the agents'."""
    return {
        row.key: row
        for section in dict.fromkeys((*_SECTIONS, *timers))
        for part in (_SECTIONS.get(section), timers.get(section))
        if part is not None
        for row in _rows(section, part)
    } | {row.key: row for row in agents}


def _rows(section: str, part: Any) -> Iterator[Setting]:
    for name, declared in type(part).__annotations__.items():
        kind, doc = declared.__metadata__
        default = getattr(part, name)
        assert kind.accepts(default), name
        yield Setting(f"{section}.{name}", default, kind, doc)


class Assignment(NamedTuple):
    """One value as it was found, unchecked. `where` is for messages: a path and line, or a variable."""

    key: str
    value: object
    origin: Origin
    where: str


def load_config(
    environ: Mapping[str, str],
    files: Sequence[ConfigFile],
    table: Table,
    *,
    options: Mapping[str, Value] | None = None,
) -> Config:
    """Return defaults < files in order < environment < options, merged. Raise ConfigError at the first problem."""
    found, problems = examine(environ, files, table)
    if problems:
        raise problems[0]
    for key, value in (options or {}).items():
        found.append(Assignment(key, value, Origin("option", f"--{key.partition('.')[0]}"), ""))
    return _build(found, table)


def examine(
    environ: Mapping[str, str], files: Sequence[ConfigFile], table: Table
) -> tuple[list[Assignment], list[ConfigError]]:
    """Return what is set, weakest first, and everything that is wrong with it. Removed settings are not wrong."""
    found: list[Assignment] = []
    problems: list[ConfigError] = []
    for file in files:
        try:
            found.extend(_in_file(file))
        except ConfigError as problem:
            problems.append(problem)
    found.extend(_in_environment(environ, table))
    problems.extend(wrong for one in found if (wrong := problem_of(one, table)) is not None)
    return found, problems


def problem_of(assignment: Assignment, table: Table) -> ConfigError | None:
    """Return what is wrong with a value, or None."""
    if assignment.key in REMOVED:
        return None
    setting = table.get(assignment.key)
    if setting is None:
        return _unknown(assignment, table)
    if setting.kind.accepts(assignment.value):
        return None
    return ConfigError(
        f"{assignment.where}: {assignment.key} cannot be {_quoted(assignment.value)}",
        hint=expected(setting.kind, assignment.value),
    )


def expected(kind: Kind, value: object) -> str:
    """Return what the setting may be, and what is known of why it cannot be this."""
    meant = nearest(str(value), kind.words())
    why = kind.reason(value)
    parts = (f"it is {kind.expected}", why, f'did you mean "{meant}"?' if meant else "")
    return "; ".join(filter(None, parts))


def warnings_of(found: Iterable[Assignment]) -> tuple[str, ...]:
    """Return a line for each removed setting that is still set: where, and what is true now."""
    return tuple(
        f"{one.where}: {one.key} was removed and does nothing: {REMOVED[one.key]}"
        for one in found
        if one.key in REMOVED
    )


def _unknown(assignment: Assignment, table: Table) -> ConfigError:
    meant = table.get(nearest(assignment.key, list(table)))
    is_variable = assignment.origin.kind == "environment"
    name = assignment.where if is_variable else f"{assignment.where}: {assignment.key}"
    hint = _LIST_THEM
    if meant is not None:
        hint = f'did you mean "{meant.variable if is_variable else meant.key}"? {_LIST_THEM}'
    return ConfigError(f"{name}: there is no such setting", hint=hint)


def _quoted(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _in_file(file: ConfigFile) -> list[Assignment]:
    text = read_text(file)
    if not text:
        return []
    origin = Origin("file", str(file.path))
    return [
        Assignment(key, value, origin, f"{file.path}{_line(text, key)}")
        for key, value in _flatten(parse(text, file.path))
    ]


def read_text(file: ConfigFile) -> str:
    """Return the file's text, "" if there is none. Raise ConfigError if a file that was named does not exist."""
    with reporting(file.path):
        try:
            return file.path.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            if file.role is Role.NAMED:
                raise ConfigError(
                    f"{file.path}: there is no such file",
                    hint='--config or $MEMTOOL_CONFIG names it; "memtool config set" makes it',
                ) from None
        except PermissionError:
            # Root may keep the system's from other users, but not from the one as whom the jobs run.
            if file.role is not Role.SYSTEM or is_served_by_system():
                raise
        except UnicodeDecodeError as error:
            raise _unreadable(file.path, error) from error
    return ""


def _unreadable(path: Path, error: ValueError) -> ConfigError:
    return ConfigError(f"{path}: not valid TOML: {error}", hint="correct it, or move it away")


def parse(text: str, path: Path) -> dict[str, object]:
    """Return the TOML document. Raise ConfigError naming the path, line and column."""
    import tomllib

    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _unreadable(path, ValueError(str(error))) from error


def _flatten(document: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for section, content in document.items():
        if not isinstance(content, dict):
            yield section, content
        elif section == "agents":  # [agents.NAME]
            yield from ((f"{section}.{key}", value) for key, value in _flatten(content))
        else:
            yield from ((f"{section}.{name}", value) for name, value in content.items())


def _line(text: str, key: str) -> str:
    """Return `:` and the line number of a key; tomllib does not give it."""
    section, _, name = key.rpartition(".")
    current = ""
    for number, line in enumerate(text.splitlines(), 1):
        words = re.split(r"[=\s]", line.strip(), maxsplit=1)
        if line.strip().startswith("["):
            current = line.strip().strip("[]").strip()
        elif words[0].strip('"') in (name if current == section else key, key):
            return f":{number}"
    return ""


def _in_environment(environ: Mapping[str, str], table: Table) -> Iterator[Assignment]:
    by_variable = {row.variable: row for row in table.values()}
    for variable, text in sorted(environ.items()):
        name = variable.removeprefix(_PREFIX)
        if name == variable or "__" not in name or not text:
            continue  # MEMTOOL_CONFIG and the like are not settings; an empty one is unset, as for XDG's
        setting = by_variable.get(variable)
        key = setting.key if setting else name.lower().replace("__", ".", 1)
        value = setting.kind.read(text) if setting else text
        yield Assignment(key, value, Origin("environment", variable), variable)


def _build(found: Sequence[Assignment], table: Table) -> Config:
    known = [one for one in found if one.key not in REMOVED]
    values = {key: row.default for key, row in table.items()} | {
        one.key: one.value for one in known
    }

    def part(section: str, kind: Any) -> Any:
        return kind._make(values[f"{section}.{name}"] for name in kind._fields)

    timers = [key.partition(".")[0] for key in table if key.endswith(".schedule")]
    return Config(
        **{section: part(section, type(default)) for section, default in _SECTIONS.items()},
        timers={section: part(section, TimerSettings) for section in timers},
        agents={key: str(values[key]) for key in table if key.startswith("agents.")},
        origins={one.key: one.origin for one in known},
        warnings=warnings_of(found),
    )
