"""`memtool mcp`: serve the memory to an agent over standard input and output, and enter that in its settings."""

from __future__ import annotations

import json as json_
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from msgspec.structs import replace

from memtool.agents.hooks import SERVER, Server, files, jsonc, merging
from memtool.agents.registry import AGENTS, Agent
from memtool.cli.hooks import change_json, change_lines, named, refuse_absent
from memtool.cli.options import Invocation, JsonOption, Offers, command_group, invocation
from memtool.cli.output import Page, number, print_json, print_line
from memtool.cli.reading import reader_of
from memtool.errors import ConfigError, MemtoolError
from memtool.files import atomic_write, private_directory, remove
from memtool.paths import shipped
from memtool.program import extra_hint, running_program
from memtool.query.reader import Reader, reader_for

if TYPE_CHECKING:
    from memtool.mcp import Keep

VERSION = 1

mcp = command_group()


def _agents() -> Offers:
    """Offer the agents that take an MCP server."""
    return [(row.name, row.title) for row in AGENTS if row.server is not None]


AgentArgument = Annotated[
    str, typer.Argument(metavar="AGENT", autocompletion=_agents, help="Such as claude-code.")
]
SomeAgentArgument = Annotated[
    str,
    typer.Argument(
        metavar="[AGENT]",
        autocompletion=_agents,
        help="Such as claude-code; with --print, it may be left out.",
    ),
]


@mcp.callback(invoke_without_command=True)
def serve(context: typer.Context) -> None:
    """Serve the memory to an agent (MCP over stdio), for reading only. Ends with its input."""
    if context.invoked_subcommand is not None:
        return
    call = invocation(context)
    root = call.store.root

    def reader_now() -> Reader:
        return reader_for(call.config, root, now_us())

    try:
        from memtool.mcp import server

        made = server(
            reader_now,
            Path(os.getcwd()),  # noqa: PTH109
            _keeper(call),
            is_confined=call.config.mcp.scope == "current",
        )
    except ModuleNotFoundError as error:
        raise ConfigError("the MCP server needs the package mcp", hint=extra_hint("mcp")) from error
    made.run("stdio")


def _keeper(call: Invocation) -> Keep | None:
    """Return what keeps an agent's notes, where `mcp.notes` allows it: signed by the agent, and by this connection."""
    if not call.config.mcp.notes:
        return None
    session = f"mcp-{os.urandom(6).hex()}"

    def keep(text: str, project: str, agent: str) -> str:
        from memtool.cli.note import author_of, keep_note
        from memtool.jobs.by_hand import note_event

        with reader_of(call).store() as store:
            author = replace(author_of(store, project), agent=agent, session=session)
        event, masked = note_event(text, author, now_us(), now_us())
        outcome = keep_note(call, [event])
        if outcome.error is not None:
            raise outcome.error
        hidden = f" {number(masked, 'secret')} masked." if masked else ""
        return f"Noted as {event.id[:12]}.{hidden}"

    return keep


def now_us() -> int:
    """Return the present instant, in microseconds since 1970: a server lives longer than one."""
    return time.time_ns() // 1000


@mcp.command()
def install(
    context: typer.Context,
    agent: SomeAgentArgument = "",
    *,
    prints: Annotated[
        bool,
        typer.Option(
            "--print", help="Print what to enter, and what to tell the agent; change nothing."
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Enter the MCP server in an agent's settings; for Claude Code also a skill that says how to search."""
    call = invocation(context)
    if prints and not agent:
        _print_for_any(call)
        return
    row, facts = named(agent, lambda one: one.server, "MCP settings")
    target = _target(call, facts)
    argv = _argv(call)
    if prints:
        _print_entry(target, argv)
        return
    refuse_absent(row, facts.place.directory(call.environ))
    _refuse_without_sdk()
    change = files.entering(
        target.path, files.SERVER_BACKUP, target.with_server(argv), target.without_server
    )
    files.carry_out(change)
    wrote_skill = target.skill is not None and _write_skill(target.skill)
    if json:
        skill = str(target.skill) if target.skill else None
        print_json(
            "mcp-install", VERSION, {"agent": row.name, **change_json(change), "skill": skill}
        )
        return
    for line in change_lines(change, "MCP servers"):
        print_line(line)
    if wrote_skill:
        print_line(f"Wrote {target.skill}, which says when and how to search.")
    elif target.skill is None:
        print_line(
            f"A paragraph for AGENTS.md, which says when to search: memtool mcp install {row.name} --print"
        )


@mcp.command(name="remove")
def remove_server(
    context: typer.Context, agent: AgentArgument, *, json: JsonOption = False
) -> None:
    """Take the MCP server, and the skill, out of an agent's settings; all else stays as it is."""
    call = invocation(context)
    row, facts = named(agent, lambda one: one.server, "MCP settings")
    target = _target(call, facts)
    change = files.server_removal(facts, call.environ)
    files.carry_out(change)
    had_skill = target.skill is not None and target.skill.exists()
    if target.skill is not None:
        remove(target.skill.parent)
    if json:
        print_json("mcp-remove", VERSION, {"agent": row.name, **change_json(change)})
        return
    for line in change_lines(change, "MCP servers"):
        print_line(line)
    if had_skill:
        print_line(f"Removed {target.skill}.")


@mcp.command()
def status(context: typer.Context, *, json: JsonOption = False) -> None:
    """Show in which agents' settings the MCP server is entered, and how."""
    call = invocation(context)
    found = [_row(call, row, row.server) for row in AGENTS if row.server is not None]
    here = [one for one in found if one is not None]
    if json:
        print_json("mcp-status", VERSION, {"agents": here})
        return
    if not here:
        print_line("No agent that takes an MCP server was found here.")
        return
    rows = [[str(one[key] or "off") for key in ("title", "command", "path")] for one in here]
    Page(call.environ).table(("agent", "server", "settings"), rows)


def _row(call: Invocation, row: Agent, facts: Server) -> dict[str, object] | None:
    """Return what the settings of an agent say; None if the agent is not here."""
    target = _target(call, facts)
    if not facts.place.directory(call.environ).is_dir():
        return None
    problem = ""
    entered: list[merging.Entered] = []
    try:
        entered = merging.servers_in(files.read(target.path) or "", facts, is_toml=target.is_toml)
    except jsonc.BrokenError as error:
        problem = f"{target.path}:{error.line}: {error.reason}"
    except MemtoolError as error:
        problem = error.message
    return {
        "agent": row.name,
        "title": row.title,
        "path": str(target.path),
        "command": problem or ", ".join(one.command for one in entered),
        "skill": str(target.skill) if target.skill and target.skill.exists() else None,
    }


class _Target(NamedTuple):
    """Where the server of one agent is entered. `skill`: the file that tells the agent how to search."""

    facts: Server
    path: Path
    skill: Path | None

    @property
    def is_toml(self) -> bool:
        """Whether it is TOML, and not JSON."""
        return self.path.suffix == ".toml"

    def with_server(self, argv: list[str]) -> Callable[[str], str]:
        """Return the edit that enters the server."""
        return lambda text: merging.with_server(text, self.facts, argv, is_toml=self.is_toml)

    def without_server(self, text: str) -> str:
        """Return the text without it."""
        return merging.without_server(text, self.facts, is_toml=self.is_toml)


def _target(call: Invocation, facts: Server) -> _Target:
    return _Target(facts, facts.place.path(call.environ), files.skill_path(facts, call.environ))


def _argv(call: Invocation) -> list[str]:
    """Return the program and its arguments: with the store, if this call names one."""
    store = ["--store", str(call.store.root)] if call.store_option else []
    return [str(running_program().launcher()), *store, "mcp"]


def _refuse_without_sdk() -> None:
    from importlib.util import find_spec

    if find_spec("mcp") is None:
        raise ConfigError("the MCP server needs the package mcp", hint=extra_hint("mcp"))


def _write_skill(path: Path) -> bool:
    """Write the skill if it is another; return whether it was."""
    text = shipped("hooks/SKILL.md").read_text(encoding="utf-8")
    if files.read(path) == text:
        return False
    private_directory(path.parent)
    atomic_write(path, text.encode(), mode=0o644)
    return True


def _print_entry(target: _Target, argv: list[str]) -> None:
    """Print the agent's own entry, with the file that it goes into, and the paragraph."""
    made = target.with_server(argv)("")
    print_line(f"# In {target.path}:")
    print_line(made.rstrip("\n"))
    _print_paragraph()


def _print_for_any(call: Invocation) -> None:
    argv = _argv(call)
    entry = {"mcpServers": {SERVER: {"command": argv[0], "args": argv[1:]}}}
    print_line("# For most agents:")
    print_line(json_.dumps(entry, indent=2))
    _print_paragraph()


def _print_paragraph() -> None:
    print_line()
    print_line("# In AGENTS.md, or what your agent reads in its place:")
    for line in _paragraph():
        print_line(line)


def _paragraph() -> Iterator[str]:
    """Yield the skill's text without its head."""
    text = shipped("hooks/SKILL.md").read_text(encoding="utf-8")
    yield from text.split("---\n", 2)[2].strip().splitlines()
