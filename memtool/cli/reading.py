"""What the reading commands share: their reader, and how entries, events and recipes are shown."""

from __future__ import annotations

from collections.abc import Iterable

import typer

from memtool.cli.options import Invocation, invocation
from memtool.cli.output import Clock, Line, Part, cleaned, last_part
from memtool.model.levels import heading, place_of
from memtool.model.records import Event, Recipe
from memtool.query.contents import Entry
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


def scope_of(clock: Clock, entry: Entry) -> str:
    """Return what an entry covers: a period's date, or a segment's times and project."""
    if entry.cut is None:
        return heading(place_of(entry.id).period)
    return f"{clock.span(entry.cut.start_us, entry.cut.end_us)} {last_part(entry.cut.project)}"


def label(clock: Clock, entry: Entry) -> Line:
    """Return an entry's line: scope, title, and what state it is in."""
    title = ("not summarised yet", "italic") if entry.title is None else (entry.title, "")
    parts = [(scope_of(clock, entry), "bold"), " · ", title, *state_parts(entry.state.words)]
    if entry.also_under is not None:
        parts.append((f" (also under {heading(place_of(entry.also_under).period)})", "dim"))
    return cleaned(*parts)


def event_json(clock: Clock, event: Event) -> dict[str, object]:
    """Return an event as JSON has it, with the names that the event schema has."""
    return {
        "id": event.id,
        "agent": event.agent,
        "session": event.session,
        "project": event.project,
        **clock.both("time", event.time_us),
        "kind": event.kind,
        "role": event.role,
        "text": event.text,
        "group": event.group,
        "metadata": event.metadata,
        "rewound": event.rewound,
    }


def recipe_json(recipe: Recipe) -> dict[str, object]:
    """Return a recipe as JSON has it."""
    return {
        "summarizer": recipe.summarizer,
        "model": recipe.model,
        "prompt": recipe.prompt,
        "settings": recipe.settings,
    }
