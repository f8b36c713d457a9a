"""`memtool config`: show, set and check settings. Writes only the last of the files that it reads."""

from __future__ import annotations

import os
import shlex
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from memtool.cli.options import (
    Invocation,
    JsonOption,
    command_group,
    invocation,
    setting_values,
    settings,
)
from memtool.cli.output import Page, note, print_json, print_line
from memtool.errors import CONFIG, OK, ConfigError, ExitCode, UsageError
from memtool.files import atomic_write, private_directory, reporting
from memtool.oncalendar import form_problem
from memtool.paths import ConfigFile, Role, home_directory
from memtool.settings import (
    SCHEDULE,
    Setting,
    Value,
    examine,
    expected,
    expressions,
    parse,
    read_text,
    warnings_of,
)
from memtool.systemd.jobs import SETTINGS
from memtool.systemd.systemctl import schedule_problem
from memtool.text import nearest

_CAVEATS = {
    "calendar": "a store that exists keeps the calendar it was made with: rollups of it stop with exit 78",
}

_MAN = '"man systemd.time" has the forms; try one with: systemd-analyze calendar "Sun 02:00"'
_UNCHECKED = "only the form was checked: systemd-analyze, which knows all of it, is not here"

config = command_group()

KeyArgument = Annotated[
    str, typer.Argument(help="Such as calendar.timezone.", autocompletion=settings)
]


@config.command("path")
def path_command(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """Show which files are read, weakest first."""
    files, written = invocation(context).config_files, invocation(context).config_to_write.path
    rows = [
        {"path": str(file.path), "role": file.role.value, "state": _state(file.path)}
        for file in files
    ]
    if as_json:
        print_json("config-path", 1, {"files": rows, "written": str(written)})
        return
    for row in rows:
        print_line(f"{row['role']:<8} {row['state']:<12} {row['path']}")
    print_line(f"{'set':<8} {'writes':<12} {written}")


def _state(path: Path) -> str:
    if not path.exists():
        return "absent"
    return "read" if os.access(path, os.R_OK) else "not readable"


@config.command("show")
def show_command(
    context: typer.Context,
    key: Annotated[
        str, typer.Argument(help="Show only this setting, in full.", autocompletion=settings)
    ] = "",
    *,
    as_json: JsonOption = False,
) -> None:
    """Show each setting, its value and its origin."""
    run = invocation(context)
    settings = [_setting_named(key)] if key else list(SETTINGS.values())
    if as_json:
        print_json(
            "config", 1, {"settings": [_describe(run, row) for row in settings]} | _places(run)
        )
    elif key:
        _print_setting(run, settings[0])
    else:
        _print_settings(run, settings)


def _describe(run: Invocation, row: Setting) -> dict[str, object]:
    origin = run.config.origin(row.key)
    return {
        "key": row.key,
        "value": run.config.value(row.key),
        "default": row.default,
        "origin": {"kind": origin.kind, "name": origin.name},
        "variable": row.variable,
        "expected": row.kind.expected,
        "doc": row.doc,
    }


def _places(run: Invocation) -> dict[str, object]:
    store = run.store
    return {
        "store": {"root": str(store.root), "why": store.why},
        **{
            root.agent.setting.rpartition(".")[2]: str(root.path)
            for root in reversed(run.roots)
            if root.agent.setting
        },
        "agents": [{"name": root.agent.name, "root": str(root.path)} for root in run.roots],
    }


def _print_setting(run: Invocation, row: Setting) -> None:
    print_line(f"{row.key} = {_literal(run.config.value(row.key))}")
    facts = {
        "from": str(run.config.origin(row.key)),
        "default": _literal(row.default),
        "is": row.kind.expected,
        "for": row.doc,
        "variable": row.variable,
    }
    for name, fact in facts.items():
        print_line(f"  {name:<9} {fact}")


def _print_settings(run: Invocation, settings: list[Setting]) -> None:
    home = str(home_directory(run.environ))
    values = [(row.key, run.config.value(row.key), run.config.origin(row.key)) for row in settings]
    page = Page(run.environ)
    page.table(
        ("setting", "value", "from"),
        [(key, _literal(value), _short(str(origin), home)) for key, value, origin in values],
    )
    page.blank()
    where = f"{_short(str(run.store.root), home)} ({run.store.why})"
    page.line(where, first="store        ", rest="  ", lead="")
    for root in run.roots:
        where = f"{root.agent.title}: {_short(str(root.path), home)}"
        page.line(where, first="agent        ", rest="  ", lead="")


def _short(path: str, home: str) -> str:
    return "~" + path.removeprefix(home) if path.startswith(home + "/") else path


def _literal(value: object) -> str:
    """Return a value as TOML."""
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def _setting_named(key: str) -> Setting:
    if key in SETTINGS:
        return SETTINGS[key]
    meant = nearest(key, list(SETTINGS))
    guess = f'did you mean "{meant}"? ' if meant else ""
    raise UsageError(
        f"{key}: there is no such setting", hint=f'{guess}"memtool config show" lists them all'
    )


@config.command("set")
def set_command(
    context: typer.Context,
    key: KeyArgument,
    value: Annotated[
        str | None, typer.Argument(help="The new value.", autocompletion=setting_values)
    ] = None,
    *,
    unset: Annotated[
        bool, typer.Option("--unset", help="Remove the setting from the file.")
    ] = False,
) -> None:
    """Change one setting. The previous file is kept.

    `memtool config path` says which file is written: of root for the system's timers, /etc/memtool/config.toml. The
    previous one stays beside it as config.toml.bak.
    """
    if unset == (value is not None):
        raise UsageError(
            "set needs a value or --unset, and not both", hint=f"memtool config set {key} VALUE"
        )
    run = invocation(context)
    if value is None:
        _change(run, key, None)
        return
    row = _setting_named(key)
    new = _checked(row, value)
    refused, is_asked = _ask_systemd(run, row, new)
    if refused:
        raise UsageError(f"{key} cannot be {_literal(new)}: {refused}", hint=_MAN)
    _change(run, key, new)
    if not is_asked:
        note(f"{key}: {_UNCHECKED}")


def _checked(row: Setting, text: str) -> Value:
    value = row.kind.read(text)
    if row.kind.accepts(value):
        return value
    raise UsageError(f"{row.key} cannot be {_literal(value)}", hint=expected(row.kind, value))


def _ask_systemd(run: Invocation, row: Setting, value: object) -> tuple[str, bool]:
    """Return what systemd has against a value that is a schedule, and whether it could be asked."""
    if row.kind is not SCHEDULE:
        return "", True
    year = time.gmtime(run.now_us // 1_000_000).tm_year
    is_asked = True
    for expression in expressions(str(value)):
        found = schedule_problem(expression, run.environ)
        is_asked = is_asked and found is not None
        if problem := found or form_problem(expression, year):
            return problem, is_asked
    return "", is_asked


def _change(run: Invocation, key: str, value: Value | None) -> None:
    file = run.config_to_write
    path = file.path
    text = read_text(ConfigFile(path, Role.USER))
    document = parse(text, path)
    old = _replace(document, key, value)
    if old == value:
        print_line(f"{key} is {_shown(value)} in {path} already")
        return
    _write(path, text, document, for_all=file.role is Role.SYSTEM)
    print_line(f"{key}: {_shown(old)} → {_shown(value)} in {path}")
    print_line(f"undo: {_undo(run, key, old)}")
    _say_what_to_know(run, key, path, text)


def _shown(value: object) -> str:
    return "not set" if value is None else _literal(value)


def _replace(document: dict[str, object], key: str, value: Value | None) -> object:
    """Set or remove the key in the document and return what it held."""
    section, _, name = key.partition(".")
    table = document.setdefault(section, {})
    if not isinstance(table, dict):
        raise UsageError(f"[{section}] is not a table in the file", hint="correct the file by hand")
    if "." in name:
        old = _replace(table, name, value)
    else:
        old = table.pop(name, None)
        if value is not None:
            table[name] = value
    if not table:
        del document[section]
    return old


def _write(path: Path, text: str, document: Mapping[str, object], *, for_all: bool) -> None:
    """Write the file, private if it is new. That of the system is readable by all: jobs and other users read it."""
    import tomli_w

    path = path.resolve()  # the file behind a link, as dotfile managers make them
    private_directory(path.parent)
    mode = 0o600
    with reporting(path):
        if path.exists():
            mode = stat.S_IMODE(path.stat().st_mode)
        if for_all:
            mode |= 0o444
            path.parent.chmod(stat.S_IMODE(path.parent.stat().st_mode) | 0o555)
        if path.exists():
            atomic_write(path.with_name(f"{path.name}.bak"), text.encode(), mode=mode)
    atomic_write(path, tomli_w.dumps(document).encode(), mode=mode)


def _undo(run: Invocation, key: str, old: object) -> str:
    words = ["memtool", "config", "set", key, "--unset" if old is None else str(old)]
    if run.config_option is not None:
        words[1:1] = ["--config", str(run.config_option)]
    if run.administers is not None and "SUDO_USER" in run.environ:
        words.insert(0, "sudo")
    return shlex.join(words)


def _say_what_to_know(run: Invocation, key: str, path: Path, text: str) -> None:
    if "#" in text:
        note(f"comments are kept only in {path}.bak")
    found, _ = examine(run.environ, run.config_files, SETTINGS)
    origins = [one.origin for one in found if one.key == key]
    if origins and origins[-1].name != str(path):
        note(f"{origins[-1]} overrides it")
    caveat = _CAVEATS.get(key.partition(".")[0])
    if caveat:
        note(caveat)


@config.command("check")
def check_command(context: typer.Context, *, as_json: JsonOption = False) -> ExitCode:
    """Check all settings. Exits 78 if one is wrong. A setting that was removed is a warning."""
    run = invocation(context)
    found, faults = examine(run.environ, run.config_files, SETTINGS)
    warnings = list(warnings_of(found))
    for one in found:
        row = SETTINGS.get(one.key)
        if row is None or not row.kind.accepts(one.value):
            continue  # that is among the faults already
        refused, is_asked = _ask_systemd(run, row, one.value)
        if refused:
            text = f"{one.where}: {one.key} cannot be {_literal(one.value)}: {refused}"
            faults.append(ConfigError(text, hint=_MAN))
        elif not is_asked:
            warnings.append(f"{one.where}: {one.key}: {_UNCHECKED}")
    if as_json:
        rows = [{"message": fault.message, "hint": fault.hint} for fault in faults]
        print_json(
            "config-check",
            1,
            {"settings": len(found), "faults": rows, "warnings": warnings},
        )
        return CONFIG if faults else OK
    for warning in warnings:
        note(f"memtool: warning: {warning}")
    for fault in faults:
        note(f"memtool: {fault.message}")
        note(f"hint: {fault.hint}")
    if not faults:
        print_line(f"{len(found)} settings set, nothing wrong")
    return CONFIG if faults else OK
