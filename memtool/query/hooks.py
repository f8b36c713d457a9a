"""What the agents' settings say of memtool, and what is wrong with it. Reads files alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from memtool.agents.hooks import Hooks, jsonc, merging, spool, toml
from memtool.agents.hooks.files import read, script_path
from memtool.agents.registry import AGENTS, Agent
from memtool.errors import MemtoolError

CAPTURE, CONTEXT = "capture", "context"


class Problem(Struct, frozen=True):
    """Something that keeps an agent's hooks from working."""

    text: str
    hint: str


class AgentHooks(Struct, frozen=True):
    """The hooks of one agent: whether memtool's are in its settings, and what is wrong with them."""

    agent: str
    title: str
    path: str
    capture: bool = False
    context: bool = False
    problems: tuple[Problem, ...] = ()


class Rejected(Struct, frozen=True):
    """A payload that was not understood, and why."""

    path: str
    reason: str


class HookStatus(Struct, frozen=True):
    """The hooks of all agents, and what they have left."""

    agents: tuple[AgentHooks, ...]
    directory: str
    waiting: int = 0
    oldest_us: int | None = None
    rejected: tuple[Rejected, ...] = ()


def hook_status(root: Path, environ: Mapping[str, str], name: str = "") -> HookStatus:
    """Return the hooks of the agents that are here, or of the one of this name. `root` is the store's directory."""
    rows = [row for row in AGENTS if name in ("", row.name)]
    return HookStatus(
        agents=tuple(
            _of_agent(row, row.hooks, root, environ)
            for row in rows
            if row.hooks is not None and (name or row.hooks.place.directory(environ).is_dir())
        ),
        directory=str(spool.directory(root)),
        waiting=len(spool.names(root)),
        oldest_us=spool.oldest_us(root),
        rejected=tuple(Rejected(str(path), why) for path, why in spool.rejected(root)),
    )


def _of_agent(row: Agent, hooks: Hooks, root: Path, environ: Mapping[str, str]) -> AgentHooks:
    path = hooks.place.path(environ)
    try:
        text = read(path) or ""
        entered = merging.hooks_in(text, hooks)
    except MemtoolError as error:
        return _broken(row, path, error.message)
    except jsonc.BrokenError as error:
        return _broken(row, path, f"{path}:{error.line}: {error.reason}")
    events = {str(one.path[1]) for one in entered}
    found = AgentHooks(
        row.name,
        row.title,
        str(path),
        capture=bool(events & {*hooks.events}),
        context=hooks.start in events,
    )
    if not entered:
        return found
    problems = [*_of_script(row, root, environ), *_of_file(row, hooks, text, events, environ)]
    return AgentHooks(row.name, row.title, str(path), found.capture, found.context, tuple(problems))


def _broken(row: Agent, path: Path, text: str) -> AgentHooks:
    problem = Problem(text, f"correct {path}")
    return AgentHooks(row.name, row.title, str(path), problems=(problem,))


def _of_script(row: Agent, root: Path, environ: Mapping[str, str]) -> Iterator[Problem]:
    script, again = script_path(environ), f"memtool hooks install {row.name}"
    text = read(script)
    if text is None or not os.access(script, os.X_OK):
        yield Problem(f"the hooks run {script}, which is not there or not executable", again)
        return
    said = re.search(r"^spool=(.*)$", text, re.MULTILINE)
    if said is None or said[1].strip("'") != str(spool.directory(root)):
        place = said[1] if said else "another place"
        yield Problem(
            f"the hooks write to {place}, and ingest reads {spool.directory(root)}", again
        )
    elif not spool.directory(root).is_dir():
        yield Problem(f"{spool.directory(root)} is missing, so the hooks do nothing", again)


def _of_file(
    row: Agent, hooks: Hooks, text: str, events: set[str], environ: Mapping[str, str]
) -> Iterator[Problem]:
    missing = [event for event in hooks.events if event not in events]
    if missing and events & {*hooks.events}:
        yield Problem(f"no hook for {', '.join(missing)}", f"memtool hooks install {row.name}")
    if merging.is_off(text, hooks):
        yield Problem(f"{'.'.join(hooks.off)} turns all hooks off", "remove it from the settings")
    if hooks.trusted_in and (open_ := _untrusted(hooks, text, environ)):
        yield Problem(
            f"{row.title} does not run {', '.join(open_)} before you trust it", hooks.trust
        )


def _untrusted(hooks: Hooks, text: str, environ: Mapping[str, str]) -> list[str]:
    """Return the events whose hook the agent's own file does not say is trusted."""
    path = hooks.place.path(environ)
    try:
        state = toml.parse(read(path.with_name(hooks.trusted_in)) or "").get("hooks")
    except (MemtoolError, jsonc.BrokenError):
        state = None
    known = state.get("state") if isinstance(state, dict) else None
    rows = known if isinstance(known, dict) else {}
    found = []
    for one in merging.hooks_in(text, hooks):
        event, group, item = str(one.path[1]), one.path[2], one.path[-1]
        snake = re.sub(r"(?<!^)(?=[A-Z])", "_", event).lower()
        row = rows.get(f"{path}:{snake}:{group}:{item}")
        if not isinstance(row, dict) or not row.get("trusted_hash"):
            found.append(event)
    return found
