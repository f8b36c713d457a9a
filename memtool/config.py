"""The configuration: read once into a frozen object. Never guesses: what it does not know is an error."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from memtool.errors import ConfigError
from memtool.files import reporting
from memtool.paths import ConfigFile, Role
from memtool.settings import (
    BY_KEY,
    REMOVED,
    BudgetSettings,
    CalendarSettings,
    CompactionSettings,
    IngestSettings,
    JobSettings,
    LockSettings,
    RollupSettings,
    SchedulerSettings,
    Setting,
    StoreSettings,
    SummarizerSettings,
    Value,
    nearest,
)

_PREFIX = "MEMTOOL_"
_LIST_THEM = '"memtool config show" lists every setting'


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from: `default`, `file`, `environment` or `option`, and which one."""

    kind: str
    name: str = ""

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.kind} {self.name}".strip() if self.kind != "file" else self.name


DEFAULT = Origin("default")


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting's value, by section, and where each was set."""

    store: StoreSettings = field(default_factory=StoreSettings)
    calendar: CalendarSettings = field(default_factory=CalendarSettings)
    ingest: IngestSettings = field(default_factory=IngestSettings)
    summarizer: SummarizerSettings = field(default_factory=SummarizerSettings)
    budget: BudgetSettings = field(default_factory=BudgetSettings)
    locks: LockSettings = field(default_factory=LockSettings)
    jobs: JobSettings = field(default_factory=JobSettings)
    scheduler: SchedulerSettings = field(default_factory=SchedulerSettings)
    day_rollup: RollupSettings = field(default_factory=RollupSettings)
    week_rollup: RollupSettings = field(default_factory=RollupSettings)
    month_rollup: RollupSettings = field(default_factory=RollupSettings)
    year_rollup: RollupSettings = field(default_factory=RollupSettings)
    compaction: CompactionSettings = field(default_factory=CompactionSettings)
    agents: Mapping[str, str] = field(default_factory=dict)
    """Each agent's directories, by `NAME.roots`, where they are set."""
    origins: Mapping[str, Origin] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def value(self, key: str) -> Value:
        """Return the value of a key such as `calendar.timezone`."""
        section, _, name = key.partition(".")
        if section == "agents":
            return self.agents.get(name, "")
        value = getattr(getattr(self, section), name)
        assert isinstance(value, str | int)
        return value

    def origin(self, key: str) -> Origin:
        """Return where the value was set; DEFAULT where it was not."""
        return self.origins.get(key, DEFAULT)


@dataclass(frozen=True, slots=True)
class Assignment:
    """One value as it was found, unchecked. `where` is for messages: a path and line, or a variable."""

    key: str
    value: object
    origin: Origin
    where: str


def load_config(
    environ: Mapping[str, str],
    files: Sequence[ConfigFile],
    *,
    options: Mapping[str, Value] | None = None,
    rows: Mapping[str, Setting] = BY_KEY,
) -> Config:
    """Return defaults < files in order < environment < options, merged. Raise ConfigError at the first fault.

    `rows` are the settings that there are: memtool's own, and those of the tables that add some.
    """
    found, faults = examine(environ, files, rows)
    if faults:
        raise faults[0]
    for key, value in (options or {}).items():
        found.append(Assignment(key, value, Origin("option", f"--{key.partition('.')[0]}"), ""))
    return _build(found)


def examine(
    environ: Mapping[str, str],
    files: Sequence[ConfigFile],
    rows: Mapping[str, Setting] = BY_KEY,
) -> tuple[list[Assignment], list[ConfigError]]:
    """Return what is set, weakest first, and everything that is wrong with it. Removed settings are not wrong."""
    found: list[Assignment] = []
    faults: list[ConfigError] = []
    for file in files:
        try:
            found.extend(_in_file(file))
        except ConfigError as fault:
            faults.append(fault)
    found.extend(_in_environment(environ, rows))
    faults.extend(wrong for one in found if (wrong := fault_of(one, rows)) is not None)
    return found, faults


def fault_of(assignment: Assignment, rows: Mapping[str, Setting] = BY_KEY) -> ConfigError | None:
    """Return what is wrong with a value, or None."""
    if assignment.key in REMOVED:
        return None
    setting = rows.get(assignment.key)
    if setting is None:
        return _unknown(assignment, rows)
    if setting.kind.accepts(assignment.value):
        return None
    meant = nearest(str(assignment.value), setting.kind.words())
    return ConfigError(
        f"{assignment.where}: {assignment.key} cannot be {_quoted(assignment.value)}",
        hint=f"it is {setting.kind.expected}" + (f'; did you mean "{meant}"?' if meant else ""),
    )


def warnings_of(found: Iterable[Assignment]) -> tuple[str, ...]:
    """Return a line for each setting that was removed and is still set: where, and what is true now."""
    return tuple(
        f"{one.where}: {one.key} was removed and does nothing: {REMOVED[one.key]}"
        for one in found
        if one.key in REMOVED
    )


def _unknown(assignment: Assignment, rows: Mapping[str, Setting]) -> ConfigError:
    meant = rows.get(nearest(assignment.key, list(rows)))
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
    origin = Origin("file", str(file.path))
    return [
        Assignment(key, value, origin, f"{file.path}{_line(text, key)}")
        for key, value in _flatten(parse(text, file.path))
    ]


def read_text(file: ConfigFile) -> str:
    """Return the file's text, "" where there is none. Raise ConfigError where one was named that does not exist."""
    with reporting(file.path):
        try:
            return file.path.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            if file.role is Role.NAMED:
                raise _missing(file.path) from None
        except PermissionError:
            if file.role is not Role.SYSTEM:  # root may keep the service's own from other users
                raise
        except UnicodeDecodeError as error:
            raise _unreadable(file.path, error) from error
    return ""


def _missing(path: Path) -> ConfigError:
    return ConfigError(
        f"{path}: there is no such file",
        hint='it was named by --config or $MEMTOOL_CONFIG; "memtool config set" makes it',
    )


def _unreadable(path: Path, error: ValueError) -> ConfigError:
    return ConfigError(f"{path}: not valid TOML: {error}", hint="mend it, or move it away")


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
        elif section == "agents":
            yield from ((f"{section}.{key}", value) for key, value in _flatten(content))
        else:
            yield from ((f"{section}.{name}", value) for name, value in content.items())


def _line(text: str, key: str) -> str:
    """Return `:` and the line on which a key stands, as far as one can tell without a TOML parser that keeps it."""
    section, _, name = key.rpartition(".")
    current = ""
    for number, line in enumerate(text.splitlines(), 1):
        words = re.split(r"[=\s]", line.strip(), maxsplit=1)
        if line.strip().startswith("["):
            current = line.strip().strip("[]").strip()
        elif words[0].strip('"') in (name if current == section else key, key):
            return f":{number}"
    return ""


def _in_environment(
    environ: Mapping[str, str], rows: Mapping[str, Setting]
) -> Iterator[Assignment]:
    by_variable = {row.variable: row for row in rows.values()}
    for variable, text in sorted(environ.items()):
        name = variable.removeprefix(_PREFIX)
        if name == variable or "__" not in name or not text:
            continue  # MEMTOOL_CONFIG and the like are no settings; empty is unset, as for XDG's
        setting = by_variable.get(variable)
        key = setting.key if setting else name.lower().replace("__", ".", 1)
        value = setting.kind.read(text) if setting else text
        yield Assignment(key, value, Origin("environment", variable), variable)


def _build(found: Sequence[Assignment]) -> Config:
    known = [one for one in found if one.key not in REMOVED]
    values = {one.key: one.value for one in known}
    origins = {one.key: one.origin for one in known}
    config = Config(origins=origins, warnings=warnings_of(found))
    for section in {key.partition(".")[0] for key in values}:
        if section == "agents":
            named = {key: str(values[key]) for key in values if key.startswith("agents.")}
            roots = {key.removeprefix("agents."): value for key, value in named.items()}
            config = replace(config, agents=roots)
            continue
        part = getattr(config, section)
        keys = {row.name: f"{section}.{row.name}" for row in fields(part)}
        changed = {name: values[key] for name, key in keys.items() if key in values}
        config = replace(config, **{section: replace(part, **changed)})
    return config
