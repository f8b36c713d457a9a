"""What commands share: their options, what TAB offers for these, and what each command is given. Opens no store."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self

import typer
from typer.core import TyperGroup

from memtool.agents.registry import AGENTS, Root, roots_of
from memtool.cli.output import WARNING, note
from memtool.errors import UsageError
from memtool.paths import ConfigFile, Role, StoreChoice, choose_store, config_files
from memtool.person import PEOPLE, Person
from memtool.settings import Config, load_config
from memtool.systemd.jobs import SETTINGS

Offers = list[tuple[str, str]]
"""Words, each with its help. typer leaves out those that do not begin with what is typed."""

# The help of the one offer that asks the shell for its own: completions/* look for it.
_FILES = "(files)"
_DIRECTORIES = "(directories)"


def periods() -> Offers:
    """Offer the words for periods; a date cannot be guessed."""
    from memtool.model.levels import Level

    levels = (Level.WEEK, Level.MONTH, Level.YEAR)
    words = [f"{which}-{level.word}" for which in ("this", "last") for level in levels]
    return [(word, "") for word in ("today", "yesterday", *words)]


def jobs() -> Offers:
    """Offer the jobs."""
    from memtool.systemd.jobs import JOBS

    return [(job.name, job.description) for job in JOBS]


def agents() -> Offers:
    """Offer the agents."""
    return [(row.name, row.title) for row in AGENTS if row.roots]


def kinds() -> Offers:
    """Offer the kinds of events."""
    from memtool.model.records import ROLES

    return [(kind, "") for kind in ROLES]


def roles() -> Offers:
    """Offer the roles of events."""
    from memtool.model.records import ROLES

    return [(role, "") for role in sorted(set(ROLES.values()))]


def levels() -> Offers:
    """Offer the levels of the table of contents."""
    from memtool.model.levels import Level

    return [(level.word, "") for level in Level]


def settings() -> Offers:
    """Offer the keys of the settings."""
    return [(row.key, row.doc) for row in SETTINGS.values()]


def setting_values(ctx: typer.Context) -> Offers:
    """Offer the values of the setting on the line, if they are words."""
    row = SETTINGS.get(str(ctx.params.get("key")))
    return [(word, "") for word in row.kind.words()] if row is not None else []


def people() -> Offers:
    """Offer this user, and those of the machine that are people by the range that distributions keep for them."""
    import pwd

    uids = {os.getuid(), *PEOPLE}
    return [(row.pw_name, "") for row in pwd.getpwall() if row.pw_uid in uids]


def files(incomplete: str) -> Offers:
    """Let the shell offer files."""
    return [(incomplete, _FILES)]


def directories(incomplete: str) -> Offers:
    """Let the shell offer directories."""
    return [(incomplete, _DIRECTORIES)]


OnlyProjectOption = Annotated[
    str,
    typer.Option(
        "-p",
        "--project",
        metavar="PROJECT",
        help="Only of this project: path, last part, or . for this repository.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one versioned JSON object.")]


def _note_scheduled(context: typer.Context, value: bool) -> None:
    if value and not context.resilient_parsing:
        invocation(context).is_scheduled = True


SCHEDULED = "--scheduled"
ScheduledOption = Annotated[
    bool,
    typer.Option(
        SCHEDULED,
        callback=_note_scheduled,
        help="For cron: respect pauses, and print nothing unless it fails.",
    ),
]


class Invocation:
    """One run of the program. The configuration is read when it is first asked for, and then once."""

    def __init__(
        self,
        environ: Mapping[str, str],
        now_us: int,
        store_option: Path | None = None,
        config_option: Path | None = None,
    ) -> None:
        self.environ = environ
        self.now_us = now_us
        self.store_option = store_option
        self.config_option = config_option
        self.is_scheduled = False
        """Whether a scheduler other than systemd began this, as --scheduled says."""
        self.administers: Person | None = None
        """Whom the system's jobs run as, where root administers them; `environ` has that user's home."""

    def fresh(
        self, environ: Mapping[str, str] | None = None, store_option: Path | None = None
    ) -> Self:
        """Return the same invocation with another environment or store, its configuration not read yet."""
        made = type(self)(
            environ or self.environ,
            self.now_us,
            store_option or self.store_option,
            self.config_option,
        )
        made.is_scheduled, made.administers = self.is_scheduled, self.administers
        return made

    @cached_property
    def config_files(self) -> tuple[ConfigFile, ...]:
        """The files that settings are read from, weakest first."""
        return config_files(self.environ, self.config_option)

    @property
    def config_to_write(self) -> ConfigFile:
        """The file that `config set` changes: the last one, and of root for the system's installation the system's."""
        if self.administers is not None and self.config_files[-1].role is not Role.NAMED:
            return self.config_files[0]
        return self.config_files[-1]

    @cached_property
    def config(self) -> Config:
        """The configuration. Raises ConfigError. What it warns of is printed to stderr."""
        config = self.read_config()
        for warning in config.warnings:
            note(f"memtool: warning: {warning}", WARNING)
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
            uid=self.administers.uid if self.administers else os.getuid(),
            for_system=self.administers is not None,
        )

    @cached_property
    def roots(self) -> tuple[Root, ...]:
        """Where the agents keep their files."""
        return roots_of(self.environ, self.config)


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
        self._keep_help()
        return super().shell_complete(ctx, incomplete)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands."""
        self._keep_help()
        super().format_commands(ctx, formatter)

    def _keep_help(self) -> None:
        """Use the whole help in lists, which typer would cut off."""
        for command in self.commands.values():
            paragraph = (command.help or "").partition("\n\n")[0]
            command.short_help = " ".join(paragraph.split())


def command_group(
    kind: type[TyperGroup] = CommandGroup, *, has_completion: bool = False, width: int | None = None
) -> typer.Typer:
    """Return a Typer for commands, with the settings that all of them share."""
    return typer.Typer(
        cls=kind,
        add_completion=has_completion,
        rich_markup_mode=None,  # plain help: readable anywhere, and rich stays unloaded
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "terminal_width": width},
    )
