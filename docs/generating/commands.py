"""What both pages of commands show: each command with its usage and what it takes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from typer.core import TyperArgument
from typer.main import get_command

from memtool.cli.app import COMMANDS, build, load

# typer brings a click of its own since 0.26: its commands and parameters have no type in common.
Command = Any
Parameter = Any


@cache
def program() -> Command:
    """Return the whole program as click sees it, every command loaded."""
    whole = get_command(build({}, 0))
    for row in COMMANDS:
        whole.add_command(load(row), row.name)
    return whole


def subcommands(command: Command) -> dict[str, Command]:
    """Return the commands below this one by name."""
    below = getattr(command, "commands", {})
    return {name: one for name, one in below.items() if not one.hidden}


def sections() -> Iterator[tuple[str, str, Command]]:
    """Yield the name and help of each command, and what it takes; once for `a|b` that take the same."""
    for name, command in subcommands(program()).items():
        below = subcommands(command)
        if len({str(entries(one)) for one in below.values()}) == 1 < len(below):
            yield f"memtool {name} {'|'.join(below)}", command.help, next(iter(below.values()))
            continue
        yield f"memtool {name}", command.help, command
        for word, one in below.items():
            yield f"memtool {name} {word}", one.help, one


def parameters(command: Command) -> list[Parameter]:
    """Return what a command takes: arguments, then options."""
    shown = [one for one in command.params if not getattr(one, "hidden", False)]
    return sorted(shown, key=lambda one: not isinstance(one, TyperArgument))


def names(one: Parameter) -> list[str]:
    """Return how a parameter is typed: `PATH`; `--output FILE`, `-o FILE`."""
    if isinstance(one, TyperArgument):
        return [_value(one)]
    value = "" if one.is_flag else f" {_value(one)}"
    return [name + value for name in (*one.opts, *one.secondary_opts)]


def entries(command: Command) -> list[tuple[list[str], str]]:
    """Return what a command takes: how it is typed, and its help with bounds and default."""
    return [(names(one), _remarks(one)) for one in parameters(command)]


def usage(command: Command) -> list[str]:
    """Return the words after a command's name: `[--json]`, `[PATH]...`."""
    if subcommands(command) and not command.invoke_without_command:
        return ["COMMAND", "..."]
    takes = sorted(parameters(command), key=lambda one: isinstance(one, TyperArgument))
    return [_form(one) for one in takes]


def _value(one: Parameter) -> str:
    choices = getattr(one.type, "choices", None)
    return "|".join(choices) if choices else (one.metavar or one.name).strip("[].").upper()


def _form(one: Parameter) -> str:
    either = " | ".join(names(one)) if getattr(one, "secondary_opts", ()) else ""
    word = either or max(names(one), key=len)
    word = word if one.required else f"[{word}]"
    return f"{word}..." if one.nargs == -1 or getattr(one, "multiple", False) else word


def _remarks(one: Parameter) -> str:
    assert one.help, f"{one.name} has no help (before 0.26, typer loses it with click 8.5)"
    low, high = getattr(one.type, "min", None), getattr(one.type, "max", None)
    facts = [f"{low} to {high}"] if high is not None else [f"at least {low}"] if low else []
    if one.default not in (None, False, "", ()):
        facts.append(f"default: {one.default}")
    return f"{one.help} ({'; '.join(facts)})" if facts else one.help
