"""What the reading commands share: the reader that the options and the configuration ask for."""

from __future__ import annotations

import typer

from memtool.cli.options import Invocation, invocation
from memtool.cli.output import print_line
from memtool.jobs.reading.reader import Reader, reader_for


def reading(context: typer.Context) -> tuple[Invocation, Reader]:
    """Return the invocation and its reader."""
    call = invocation(context)
    return call, reader_for(call.config, call.store.root, call.now_us)


def print_no_store(call: Invocation) -> None:
    """Say that there is nothing to read yet, and what changes that."""
    print_line(f"Nothing is remembered yet: there is no store at {call.store.root}.")
    print_line("memtool ingest takes in what your agents have written.")
