"""What the reading commands share: the reader that the options and the configuration ask for."""

from __future__ import annotations

import typer

from memtool.cli.options import Invocation, invocation
from memtool.query.reader import Reader, reader_for


def reading(context: typer.Context) -> tuple[Invocation, Reader]:
    """Return the invocation and its reader."""
    call = invocation(context)
    return call, reader_for(call.config, call.store.root, call.now_us)


def took_in(call: Invocation, *, as_json: bool) -> bool:
    """Return whether memory was made, for a command that found none: then it can read again.

    Without a person at a terminal it only says what to do; then a command with `as_json` prints its empty object.
    Ends the program where there is nothing more to do for the command.
    """
    from memtool.cli.first import offer

    return offer(call, as_json=as_json)


def say_no_memory(call: Invocation) -> None:
    """Say on stderr that nothing is remembered yet, and what changes that."""
    from memtool.cli.first import say_what_helps

    say_what_helps(call)
