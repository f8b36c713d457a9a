"""`memtool mcp`: serve the memory to an agent over standard input and output."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from msgspec.structs import replace

from memtool.cli.options import Invocation, invocation
from memtool.cli.output import number
from memtool.cli.reading import reader_of
from memtool.errors import ConfigError
from memtool.program import extra_hint
from memtool.query.reader import Reader, reader_for

if TYPE_CHECKING:
    from memtool.mcp import Keep


def mcp(context: typer.Context) -> None:
    """Serve the memory to an agent (MCP over stdio), for reading only. Ends with its input."""
    call = invocation(context)
    root = call.store.root

    def reader_now() -> Reader:
        return reader_for(call.config, root, now_us())

    try:
        from memtool.mcp import server

        made = server(reader_now, Path(os.getcwd()), _keeper(call))  # noqa: PTH109
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
