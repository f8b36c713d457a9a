"""docs/cli.md: every command with all that it takes."""

from __future__ import annotations

from docs.generating.markdown import NOTICE, code, prose, synopsis, table
from docs.generating.tree import Argument, Command, Option, program
from docs.generating.words import TAGLINE, remarks
from memtool.cli.app import COMMANDS
from memtool.errors import EXIT_CODES

_INTRODUCTION = f"""\
memtool: {TAGLINE}. Every command does one job and ends. Data goes to stdout, all talk to
stderr; where there is `--json`, it prints one versioned object ([json.md](json.md)). `-h` or `--help` shows the
help of any command. TAB completes in bash, zsh and fish, see [install.md](install.md).
"""
_EXIT_CODES = "What each means for whom is in [exit-codes.md](exit-codes.md)."


def cli_page() -> str:
    """Return the whole page."""
    whole = program()
    rows = [(f"[{code(row.name)}](#memtool-{row.name})", prose(row.help)) for row in COMMANDS]
    lines = [NOTICE, "", "# Commands", "", *_INTRODUCTION.splitlines(), ""]
    lines += synopsis(whole.name, [*whole.forms, "COMMAND", "..."])
    lines += ["", *_takes(whole), "", *table(["command", "what it does"], rows)]
    for command in whole.children:
        lines += ["", *_command(command, 2)]
    lines += ["", "## Exit codes", "", _EXIT_CODES, ""]
    exits = [(str(row.code), row.name, prose(row.meaning)) for row in EXIT_CODES]
    lines += table(["code", "name", "meaning"], exits)
    return "\n".join(lines) + "\n"


def _command(command: Command, depth: int) -> list[str]:
    lines = [f"{'#' * depth} {command.name}", "", *_synopses(command)]
    for part in command.help:
        lines += ["", prose(part)]
    if command.is_uniform:
        rows = [(code(one.name), prose(" ".join(one.help))) for one in command.children]
        return [*lines, "", *table(["", ""], rows), "", *_takes(command.children[0])]
    takes = _takes(command)
    lines += ["", *takes] if takes else []
    for child in command.children:
        lines += ["", *_command(child, depth + 1)]
    return lines


def _synopses(command: Command) -> list[str]:
    if command.is_uniform:
        words = "|".join(child.path[-1] for child in command.children)
        return synopsis(command.name, [words, *command.children[0].forms])
    if not command.children:
        return synopsis(command.name, command.forms)
    own = synopsis(command.name, command.forms) if command.is_run else []
    return own + [line for child in command.children for line in _synopses(child)]


def _takes(command: Command) -> list[str]:
    """Return the table of what a command takes."""
    rows = [(_names(one), prose(remarks(one))) for one in command.parameters]
    return table(["", ""], rows) if rows else []


def _names(one: Argument | Option) -> str:
    if isinstance(one, Argument):
        return code(one.value)
    names = [f"{name} {one.value}".strip() for name in (*one.names, *one.opposites)]
    return ", ".join(map(code, names))
