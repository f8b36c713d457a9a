"""What the reading commands share: their reader, and how entries are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from memtool.cli.options import Invocation
from memtool.cli.output import Line, Part, cleaned
from memtool.model.levels import heading, place_of
from memtool.query.contents import Entry
from memtool.query.reader import Reader, reader_for


class Result(Protocol):
    """What a reading command found. `exists` is whether anything is remembered."""

    @property
    def exists(self) -> bool: ...


R = TypeVar("R", bound=Result)


def reader_of(call: Invocation) -> Reader:
    """Return the reader that the options and the configuration ask for."""
    return reader_for(call.config, call.store.root, call.now_us)


def read(call: Invocation, ask: Callable[[Reader], R], *, as_json: bool) -> R:
    """Return what `ask` found.

    If nothing is remembered yet, offer a person at a terminal to ingest, and ask again; else say what to do and end the
    program, or with `as_json` return the empty result.
    """
    reader = reader_of(call)
    found = ask(reader)
    if not found.exists:
        from memtool.cli.first import offer

        if offer(call, as_json=as_json):
            return ask(reader)
    return found


def say_no_memory(call: Invocation) -> None:
    """Say on stderr that nothing is remembered yet, and what changes that."""
    from memtool.cli.first import say_what_helps

    say_what_helps(call)


STATE_STYLES = {
    "open": "cyan",
    "stale": "yellow",
    "outdated": "yellow",
    "incomplete": "red",
    "failed": "red",
}


ROLE_STYLES = {"user": "green", "assistant": "cyan", "tool": "magenta", "system": "blue"}


def state_parts(words: Iterable[str]) -> list[str | Part]:
    """Return such as ` [open] [stale]`, in colour."""
    return [(f" [{word}]", STATE_STYLES[word]) for word in words]


def label(entry: Entry) -> Line:
    """Return an entry's line: scope, title, and what state it is in."""
    title = ("not summarized yet", "italic") if entry.title is None else (entry.title, "")
    parts = [(entry.scope, "bold"), " · ", title, *state_parts(entry.state)]
    if entry.also_under is not None:
        parts.append((f" (also under {heading(place_of(entry.also_under).period)})", "dim"))
    return cleaned(*parts)
