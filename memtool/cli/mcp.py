"""`memtool mcp`: serve the memory to an agent over standard input and output."""

from __future__ import annotations

import os
import time
from pathlib import Path

import typer

from memtool.cli.options import invocation
from memtool.errors import ConfigError
from memtool.program import extra_hint
from memtool.query.reader import Reader, reader_for


def mcp(context: typer.Context) -> None:
    """Serve the memory to an agent (MCP over stdio), for reading only. Ends with its input."""
    call = invocation(context)
    root = call.store.root

    def reader_now() -> Reader:
        return reader_for(call.config, root, time.time_ns() // 1000)

    try:
        from memtool.mcp import server

        made = server(reader_now, Path(os.getcwd()))  # noqa: PTH109
    except ModuleNotFoundError as error:
        raise ConfigError("the MCP server needs the package mcp", hint=extra_hint("mcp")) from error
    made.run("stdio")
