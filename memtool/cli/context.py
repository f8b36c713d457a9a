"""`memtool context`: what an agent should know when a session starts."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from memtool.agents.registry import agent_named
from memtool.cli.options import agents, invocation
from memtool.cli.output import clean, note
from memtool.cli.reading import reader_of
from memtool.errors import MemtoolError
from memtool.query.context import MOST_TOKENS
from memtool.query.context import context as collected

ProjectOption = Annotated[
    str,
    typer.Option(
        metavar="PROJECT", help="Of this project: path, last part, or . for this repository."
    ),
]
SessionOption = Annotated[
    str, typer.Option(metavar="SESSION", help="Leave out this session: the one that asks.")
]
TokensOption = Annotated[
    int,
    typer.Option(
        min=0, max=MOST_TOKENS, metavar="N", help="How long it may be, in tokens; 0 prints nothing."
    ),
]
HookOption = Annotated[
    str,
    typer.Option(
        metavar="AGENT",
        autocompletion=agents,
        help="Answer a hook of this agent, whose payload is on standard input.",
    ),
]
_MOST_BYTES = 1 << 20


def context(
    context: typer.Context,
    *,
    project: ProjectOption = ".",
    session: SessionOption = "",
    tokens: TokensOption = 800,
    hook: HookOption = "",
) -> None:
    """Print what an agent should know of this project when a session starts: nothing if nothing is known.

    It never fails: what is wrong is said on stderr, and the agent goes on.
    """
    try:
        payload = _payload() if hook else {}
        directory = Path(payload.get("cwd") or os.getcwd())  # noqa: PTH109 - absolute, and refused if it is gone
        reader = reader_of(invocation(context), with_recipe=False)
        found = collected(
            reader,
            directory,
            tokens=tokens,
            project=project,
            session=session or payload.get("session_id", ""),
        )
        lines = [clean(line) for line in found.lines]
        row = agent_named(hook)
        if lines and row is not None and row.hooks is not None and row.hooks.answers_json:
            lines = [_answer(row.hooks.start, "\n".join(lines))]
        for line in lines:
            print(line)
    except (MemtoolError, OSError) as error:
        note(f"memtool: {error}")


def _payload() -> dict[str, str]:
    """Return the texts of the payload on stdin; none where it is not an object of JSON."""
    try:
        found = json.loads(sys.stdin.buffer.read(_MOST_BYTES))
    except (ValueError, RecursionError):
        return {}
    rows = found if isinstance(found, dict) else {}
    return {key: value for key, value in rows.items() if isinstance(value, str)}


def _answer(event: str, text: str) -> str:
    """Return the context as an agent takes it that reads JSON from its hooks."""
    return json.dumps({"hookSpecificOutput": {"hookEventName": event, "additionalContext": text}})
