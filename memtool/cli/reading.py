"""What the reading commands share: their reader, and how entries are shown."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol, TypeVar

from memtool.cli.options import Invocation
from memtool.cli.output import Line, Page, Part, cleaned, number
from memtool.model.levels import Level, Period, heading, place_of
from memtool.query.reader import Reader, reader_for

if TYPE_CHECKING:
    from memtool.model.threads import State
    from memtool.query.contents import Entry


class Result(Protocol):
    """What a reading command found. `exists` is whether anything is remembered."""

    @property
    def exists(self) -> bool: ...


R = TypeVar("R", bound=Result)


def here() -> str:
    """Return the directory in which the program runs, "" if it is gone."""
    try:
        return os.getcwd()  # noqa: PTH109 - absolute
    except OSError:
        return ""


def reader_of(call: Invocation, *, with_recipe: bool = True) -> Reader:
    """Return the reader that the options and the configuration ask for."""
    return reader_for(call.config, call.store.root, call.now_us, with_recipe=with_recipe)


def read(
    call: Invocation, ask: Callable[[Reader], R], *, as_json: bool, with_recipe: bool = True
) -> R:
    """Return what `ask` found.

    If nothing is remembered yet, offer a person at a terminal to ingest, and ask again; else say what to do and end the
    program, or with `as_json` return the empty result.
    """
    reader = reader_of(call, with_recipe=with_recipe)
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
    "preview": "magenta",
}


ROLE_STYLES = {"user": "green", "assistant": "cyan", "tool": "magenta", "system": "blue"}


def span_of(days: Collection[int]) -> str:
    """Return the dates of the first and the last of some days, the date of a single one."""
    first, last = (Period(Level.DAY, day).date_text for day in (min(days), max(days)))
    return first if first == last else f"{first} to {last}"


def state_parts(words: Iterable[str]) -> list[str | Part]:
    """Return such as ` [open] [stale]`, in colour."""
    return [(f" [{word}]", STATE_STYLES[word]) for word in words]


STATE_COLOURS: dict[State, str] = {
    "delivered": "green",
    "open": "yellow",
    "in work": "cyan",
    "answered": "dim",
    "dropped": "red",
}


def sign(page: Page, state: State) -> str:
    """Return the sign of a thread's state."""
    from memtool.model.threads import SIGNS

    return SIGNS[state][page.is_ascii]


def counted(states: Mapping[State, int]) -> str:
    """Return such as `7 delivered, 2 open`."""
    return ", ".join(f"{count:,} {state}" for state, count in states.items())


def threads_by_state(states: Mapping[State, int]) -> str:
    """Return such as `12 threads: 7 delivered, 5 open`, or `1 thread, open`."""
    threads = number(sum(states.values()), "thread")
    return (
        f"{threads}, {next(iter(states))}" if len(states) == 1 else f"{threads}: {counted(states)}"
    )


def label(page: Page, entry: Entry, *, briefly: bool = False) -> Line:
    """Return an entry's line: scope, what was worked on, and what state it is in.

    Of an entry whose parts follow, it says `briefly` how many threads there are: their headlines come below.
    """
    are_signed = bool(entry.headlines) and not briefly
    parts: list[str | Part] = [(entry.scope, "bold"), "  " if are_signed else " · "]
    if entry.title is None:
        parts.append(("not summarized yet", "italic"))
    elif briefly and entry.headlines:
        parts.append(threads_by_state(entry.threads))
    elif are_signed:
        for index, each in enumerate(entry.headlines):
            parts.append("   " if index else "")
            parts += [(sign(page, each.state), STATE_COLOURS[each.state]), f" {each.text}"]
        more = sum(entry.threads.values()) - len(entry.headlines)
        parts.append((f"  and {more:,} more" if more else "", "dim"))
    else:
        parts.append(entry.title)
    parts += state_parts(entry.state)
    if entry.also_under is not None:
        parts.append((f" (also under {heading(place_of(entry.also_under).period)})", "dim"))
    return cleaned(*parts)
