"""`memtool hooks`: have agents say when there is something new, and tell them what to know when a session starts."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from memtool.agents.hooks import Hooks, files, merging, spool
from memtool.agents.registry import AGENTS, Agent
from memtool.cli.options import Invocation, JsonOption, Offers, command_group, invocation
from memtool.cli.output import Page, number, print_json, print_line
from memtool.errors import FAILED, OK, ConfigError, ExitCode, UsageError
from memtool.files import private_directory, remove
from memtool.program import running_program
from memtool.query.hooks import CAPTURE, CONTEXT, AgentHooks, HookStatus, hook_status
from memtool.text import nearest

T = TypeVar("T")
VERSION = 1
_LISTED = 5

hooks = command_group()


def _agents() -> Offers:
    """Offer the agents that have hooks."""
    return [(row.name, row.title) for row in AGENTS if row.hooks is not None]


AgentArgument = Annotated[
    str, typer.Argument(metavar="AGENT", autocompletion=_agents, help="Such as claude-code.")
]
SomeAgentArgument = Annotated[
    str,
    typer.Argument(metavar="[AGENT]", autocompletion=_agents, help="Default: all that are here."),
]
PrintOption = Annotated[
    bool,
    typer.Option("--print", help="Print what the agent's settings would be; change nothing."),
]


@hooks.command()
def install(
    context: typer.Context,
    agent: AgentArgument,
    *,
    gives_context: Annotated[
        bool, typer.Option("--context", help="Also give each new session what is known so far.")
    ] = False,
    prints: PrintOption = False,
    json: JsonOption = False,
) -> None:
    """Have an agent tell memtool when something was said, so that it is read within seconds."""
    call = invocation(context)
    row, facts = named(agent, lambda one: one.hooks, "hooks")
    if gives_context and not facts.start:
        raise UsageError(
            f"{row.title} takes no context from a hook",
            hint=f"memtool hooks install {row.name}, and: memtool mcp install {row.name}",
        )
    refuse_absent(row, facts.place.directory(call.environ))
    root, script = call.store.root, files.script_path(call.environ)
    path = facts.place.path(call.environ)

    def edit(text: str) -> str:
        commands = dict.fromkeys(facts.events, _command(script, CAPTURE, row))
        if gives_context or any(
            one.path[1] == facts.start for one in merging.hooks_in(text, facts)
        ):
            commands[facts.start] = _command(script, CONTEXT, row)
        return merging.with_hooks(text, facts, commands)

    change = files.entering(
        path, files.HOOKS_BACKUP, edit, lambda text: merging.without_hooks(text, facts)
    )
    if prints:
        print(change.new, end="")
        return
    program = running_program().launcher()
    private_directory(spool.directory(root))
    renewed = files.write_script(script, files.script_text(spool.directory(root), program))
    files.carry_out(change)
    if json:
        print_json("hooks-install", VERSION, {"agent": row.name, **change_json(change)})
        return
    for line in _installed_lines(call, row, facts, change, renewed=renewed):
        print_line(line)


def _command(script: Path, what: str, row: Agent) -> str:
    return shlex.join([str(script), what, row.name])


def _installed_lines(
    call: Invocation, row: Agent, facts: Hooks, change: files.Change, *, renewed: bool
) -> Iterator[str]:
    yield from change_lines(change, "hooks")
    if renewed:
        yield f"Wrote {files.script_path(call.environ)}, which they run."
    if facts.trust and change.is_needed:
        yield f"{row.title} runs them only when you trust them: {facts.trust}."
    elif change.is_needed:
        yield f"Sessions of {row.title} that run now may have to be started again."
    if not _is_heard(call):
        yield (
            "What they say is read by the next ingest. To have it read within seconds: "
            "memtool setup, or memtool scheduler apply"
        )


def _is_heard(call: Invocation) -> bool:
    """Return whether a path unit of systemd is there for the spool."""
    from memtool.systemd.jobs import BY_NAME
    from memtool.systemd.systemctl import SCOPES, units_directory

    unit = BY_NAME["ingest"].path
    return any((units_directory(scope, call.environ) / unit).exists() for scope in SCOPES)


@hooks.command(name="remove")
def remove_hooks(
    context: typer.Context,
    agent: AgentArgument,
    *,
    prints: PrintOption = False,
    json: JsonOption = False,
) -> None:
    """Take memtool's hooks out of an agent's settings; all else stays as it is."""
    call = invocation(context)
    row, facts = named(agent, lambda one: one.hooks, "hooks")
    change = files.hooks_removal(facts, call.environ)
    if prints:
        print(change.new or "", end="")
        return
    files.carry_out(change)
    _remove_unused(call)
    if json:
        print_json("hooks-remove", VERSION, {"agent": row.name, **change_json(change)})
        return
    for line in change_lines(change, "hooks"):
        print_line(line)


def _remove_unused(call: Invocation) -> None:
    """Remove the script where no agent runs it any more."""
    rows = hook_status(call.store.root, call.environ).agents
    if not any(row.capture or row.context for row in rows):
        script = files.script_path(call.environ)
        remove(script)
        try:
            script.parent.rmdir()
        except OSError:
            return  # something else is in it, or it was not there


@hooks.command()
def status(
    context: typer.Context, agent: SomeAgentArgument = "", *, json: JsonOption = False
) -> ExitCode:
    """Show the hooks of each agent, what they have left, and what is wrong. Exits 1 if something is wrong."""
    call = invocation(context)
    if agent:
        named(agent, lambda one: one.hooks, "hooks")
    found = hook_status(call.store.root, call.environ, agent)
    if json:
        print_json("hooks-status", VERSION, found)
    else:
        _print(Page(call.environ), found)
    return FAILED if any(row.problems for row in found.agents) else OK


def _print(page: Page, found: HookStatus) -> None:
    if not found.agents:
        print_line("No agent that has hooks was found here.")
    else:
        rows = [
            (row.title, _word(row, is_on=row.capture), _word(row, is_on=row.context), row.path)
            for row in found.agents
        ]
        page.table(("agent", "capture", "context", "settings"), rows)
    for row in found.agents:
        for problem in row.problems:
            print_line(f"problem  {row.title}: {problem.text}")
            print_line(f"  do: {problem.hint}")
    if found.waiting:
        print_line(f"{number(found.waiting, 'payload')} of hooks to be read: memtool ingest")
    for one in found.rejected[:_LISTED]:
        print_line(f"rejected: {one.reason} ({one.path})")
    if len(found.rejected) > _LISTED:
        print_line(f"and {len(found.rejected) - _LISTED} more")


def _word(row: AgentHooks, *, is_on: bool) -> str:
    return "off" if not is_on else "problem" if row.problems else "on"


# --- What `memtool mcp` does, too ------------------------------------------------------------


def named(name: str, fact: Callable[[Agent], T | None], what: str) -> tuple[Agent, T]:
    """Return the agent of that name and a fact of its row. Raise UsageError if it has none."""
    rows = {row.name: found for row in AGENTS if (found := fact(row)) is not None}
    if name in rows:
        return next(row for row in AGENTS if row.name == name), rows[name]
    known = f"memtool knows how for: {', '.join(rows)}"
    if any(row.name == name for row in AGENTS):
        raise UsageError(f"memtool knows no {what} of {name}", hint=known)
    near = nearest(name, tuple(rows))
    raise UsageError(
        f"unknown agent: {name}", hint=f"did you mean {near}? {known}" if near else known
    )


def refuse_absent(row: Agent, directory: Path) -> None:
    """Raise ConfigError if the agent has never run here."""
    if not directory.is_dir():
        hint = (
            f"start it once; if its directory is elsewhere, set {row.variable}"
            if row.variable
            else "start it once"
        )
        raise ConfigError(f"{row.title} was not found: there is no {directory}", hint=hint)


def change_lines(change: files.Change, what: str) -> Iterator[str]:
    """Say what became of a settings file."""
    if not change.is_needed:
        yield f"Nothing to do: {change.path} is as it should be."
    elif change.new is None:
        yield f"Removed {change.path}, which had nothing else in it."
    else:
        yield f"Changed the {what} in {change.path}."
    if change.is_needed and change.backup.exists():
        yield f"What was there before is in {change.backup}."


def change_json(change: files.Change) -> Mapping[str, object]:
    """Return what became of a settings file as JSON has it."""
    backup = str(change.backup) if os.path.lexists(change.backup) else None
    return {"path": str(change.path), "changed": change.is_needed, "backup": backup}
