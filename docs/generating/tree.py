"""The commands as plain data, walked from the table that the program itself is made from. Words no page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from memtool.cli.app import COMMANDS, build, load


@dataclass(frozen=True, slots=True)
class Argument:
    """What stands at a place of its own."""

    value: str
    is_required: bool
    is_repeated: bool
    help: str
    default: str = ""

    @property
    def form(self) -> str:
        """How a synopsis has it."""
        word = f"{self.value}..." if self.is_repeated else self.value
        return word if self.is_required else f"[{word}]"


@dataclass(frozen=True, slots=True)
class Option:
    """What is named: its names, its opposite's, and what stands for its value (empty: it takes none)."""

    names: tuple[str, ...]
    opposites: tuple[str, ...]
    value: str
    is_required: bool
    is_repeated: bool
    help: str
    default: str = ""
    bounds: str = ""

    @property
    def form(self) -> str:
        """How a synopsis has it."""
        name = " | ".join((max(self.names, key=len), *self.opposites))
        word = f"{name} {self.value}" if self.value else name
        word = word if self.is_required else f"[{word}]"
        return f"{word}..." if self.is_repeated else word


@dataclass(frozen=True, slots=True)
class Command:
    """A command, or a group of them, which `is_run` without a subcommand or is not."""

    path: tuple[str, ...]
    help: tuple[str, ...]
    arguments: tuple[Argument, ...]
    options: tuple[Option, ...]
    children: tuple[Command, ...] = ()
    is_run: bool = True

    @property
    def name(self) -> str:
        """Its words, as they are typed."""
        return " ".join(self.path)

    @property
    def forms(self) -> tuple[str, ...]:
        """What its synopsis has behind the name."""
        return (*(one.form for one in self.options), *(one.form for one in self.arguments))

    @property
    def parameters(self) -> tuple[Argument | Option, ...]:
        """All that it takes."""
        return (*self.arguments, *self.options)

    @property
    def is_uniform(self) -> bool:
        """Whether all its subcommands take the same, so that once is enough to say it."""
        takes = {(child.arguments, child.options, child.children) for child in self.children}
        return len(self.children) > 1 and len(takes) == 1


def program() -> Command:
    """Return the whole program: its own options, and every command of the table, loaded."""
    own = _known(get_command(build({}, 0)))
    children = tuple(_command(_known(load(row)), ("memtool", row.name)) for row in COMMANDS)
    return _described(own, ("memtool",), children)


def _command(command: TyperCommand | TyperGroup, path: tuple[str, ...]) -> Command:
    children = command.commands if isinstance(command, TyperGroup) else {}
    shown = {name: child for name, child in children.items() if not child.hidden}
    return _described(
        command,
        path,
        tuple(_command(_known(child), (*path, name)) for name, child in shown.items()),
    )


def _known(command: object) -> TyperCommand | TyperGroup:
    assert isinstance(command, TyperCommand | TyperGroup)
    return command


def _described(
    command: TyperCommand | TyperGroup, path: tuple[str, ...], children: tuple[Command, ...]
) -> Command:
    arguments = [one for one in command.params if isinstance(one, TyperArgument)]
    options = [one for one in command.params if isinstance(one, TyperOption) and not one.hidden]
    assert command.help, path
    return Command(
        path,
        tuple(" ".join(part.split()) for part in command.help.split("\n\n")),
        tuple(map(_argument, arguments)),
        tuple(map(_option, options)),
        children,
        not isinstance(command, TyperGroup) or command.invoke_without_command,
    )


def _argument(one: TyperArgument) -> Argument:
    assert one.help, one.name
    return Argument(
        value=_value(one),
        is_required=one.required,
        is_repeated=one.nargs == -1,
        help=one.help,
        default=_default(one),
    )


def _option(one: TyperOption) -> Option:
    assert one.help, one.name
    return Option(
        names=tuple(one.opts),
        opposites=tuple(one.secondary_opts),
        value="" if one.is_flag else _value(one),
        is_required=one.required,
        is_repeated=one.multiple,
        help=one.help,
        default=_default(one),
        bounds=_bounds(one),
    )


def _value(one: TyperArgument | TyperOption) -> str:
    choices = getattr(one.type, "choices", None)
    if choices:
        return "|".join(str(word.value if isinstance(word, Enum) else word) for word in choices)
    return (one.metavar or one.name or "").strip("[].").upper()


def _default(one: TyperArgument | TyperOption) -> str:
    """Return the default in words; nothing where it is nothing. One that depends on the machine is a fault."""
    value = one.default
    assert not isinstance(value, PurePath | Callable), one.name
    if value is None or value is False or value in ("", ()) or not one.show_default:
        return ""
    return str(value.value if isinstance(value, Enum) else value)


def _bounds(one: TyperOption) -> str:
    low, high = getattr(one.type, "min", None), getattr(one.type, "max", None)
    if high is None:
        return f"at least {low}" if low else ""
    return f"{low} to {high}"
