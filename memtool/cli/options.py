"""What every command is given: the environment, the time, the configuration and the store's place. Opens nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from memtool.cli.output import note
from memtool.errors import UsageError
from memtool.paths import ConfigFile, StoreChoice, choose_store, claude_directory, config_files
from memtool.settings import Config, load_config
from memtool.systemd.jobs import SETTINGS

JsonOption = Annotated[bool, typer.Option("--json", help="Print one versioned JSON object.")]


@dataclass(frozen=True)  # without slots: what is computed on first use is kept
class Invocation:
    """One run of the program. The configuration is read when it is first asked for, and then once."""

    environ: Mapping[str, str]
    now_us: int
    store_option: Path | None = None
    config_option: Path | None = None

    @cached_property
    def config_files(self) -> tuple[ConfigFile, ...]:
        """The files that settings are read from, weakest first."""
        return config_files(self.environ, self.config_option)

    @cached_property
    def config(self) -> Config:
        """The configuration. Raises ConfigError. What it warns of is printed to stderr."""
        config = self.read_config()
        for warning in config.warnings:
            note(f"memtool: warning: {warning}")
        return config

    def read_config(self) -> Config:
        """Return the configuration. Raise ConfigError."""
        options = {"store.path": str(self.store_option.absolute())} if self.store_option else {}
        return load_config(self.environ, self.config_files, SETTINGS, options=options)

    @cached_property
    def store(self) -> StoreChoice:
        """The store's directory and why it is this one."""
        return choose_store(
            self.environ,
            configured=self.config.store.path,
            origin=str(self.config.origin("store.path")),
            uid=os.getuid(),
        )

    @cached_property
    def claude_root(self) -> Path:
        """Where Claude Code keeps its files."""
        return claude_directory(self.environ, configured=self.config.ingest.claude_root)


def invocation(context: typer.Context) -> Invocation:
    """Return what `cli.app` put into the context of the command that runs."""
    assert isinstance(context.obj, Invocation)
    return context.obj


class CommandGroup(TyperGroup):
    """Commands; what completes them says their help in full, and offers nothing below an unknown one."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that the arguments name. End the completion of a line that names none."""
        if ctx.resilient_parsing and args[0] not in self.commands:
            raise UsageError(f"unknown command: {args[0]}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Return the commands and options that begin so."""
        for command in self.commands.values():
            paragraph = (command.help or "").partition("\n\n")[0]
            command.short_help = " ".join(paragraph.split())  # typer would cut the help off
        return super().shell_complete(ctx, incomplete)


def command_group(
    kind: type[TyperGroup] = CommandGroup, *, has_completion: bool = False
) -> typer.Typer:
    """Return a Typer for commands, with the settings that all of them share."""
    return typer.Typer(
        cls=kind,
        add_completion=has_completion,
        rich_markup_mode=None,  # plain help: readable anywhere, and rich stays unloaded
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
