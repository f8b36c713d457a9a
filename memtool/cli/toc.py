"""`memtool toc`: the table of contents as a tree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from memtool.cli.options import Invocation, JsonOption, periods
from memtool.cli.output import Clock, Page, cleaned, print_json, print_line
from memtool.cli.reading import label, reading, scope_of, took_in
from memtool.model.levels import Level, heading
from memtool.query.contents import Contents, Entry, contents

VERSION = 1
_GUIDES = {False: ("├─ ", "└─ ", "│  ", "   "), True: ("|- ", "`- ", "|  ", "   ")}

PeriodArgument = Annotated[
    str,
    typer.Argument(
        metavar="[PERIOD]",
        autocompletion=periods,
        help="Such as 2026-11, last-week, week:2026-11-22 or 2026-W47.",
    ),
]
DepthOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="How many levels below. Default: to weeks; of a year or month to its grandchildren.",
    ),
]


def toc(
    context: typer.Context,
    period: PeriodArgument = "",
    *,
    depth: DepthOption = None,
    json: JsonOption = False,
) -> None:
    """Show the table of contents as a tree: of all years, or of one period."""
    call, reader = reading(context)
    found = contents(reader, period, depth)
    if not found.exists and took_in(call, as_json=json):
        found = contents(reader, period, depth)
    if json:
        print_json("toc", VERSION, _json(found))
    else:
        _print(call, found)


def _print(call: Invocation, found: Contents) -> None:
    if not found.entries and found.period is not None:
        print_line(f"Nothing was recorded in {heading(found.period)} ({found.period.id}).")
    elif not found.entries:
        print_line(
            "Nothing is remembered yet: memtool ingest takes in what your agents have written."
        )
    else:
        _print_tree(call, found)


def _print_tree(call: Invocation, found: Contents) -> None:
    page = Page(call.environ)
    clock = Clock(found.zone)
    page.row([("EVENTS".rjust(page.prose_width), "dim")])
    for entry in found.entries:
        _print_entry(page, clock, entry, "", "")
    page.blank()
    for line in _footer(found.entries):
        page.line((line, "dim"))


def _print_entry(page: Page, clock: Clock, entry: Entry, first: str, rest: str) -> None:
    """Print the entry's line with its number at the right edge, then those below it."""
    tee, corner, bar, gap = _GUIDES[page.is_ascii]
    below = rest + (bar if entry.children else gap)
    line = label(clock, entry)
    if entry.cut is not None:
        line += cleaned((f" {entry.name}", "dim"))
    count = "" if entry.events is None else f"{entry.events:,}"
    page.text(line, first=first, rest=below, right=count)
    for child in entry.children:
        is_last = child is entry.children[-1]
        _print_entry(
            page,
            clock,
            child,
            rest + (corner if is_last else tee),
            rest + (gap if is_last else bar),
        )


def _footer(entries: Sequence[Entry]) -> Iterator[str]:
    every = list(_walk(entries))
    if any(entry.title is None and entry.state.open for entry in every):
        yield "[open] is summarised when it ends, or now by: memtool rollup all --include-open"
    if any(not entry.state.open and (entry.title is None or entry.state.stale) for entry in every):
        yield "Stale or not summarised yet: memtool rollup all"
    example = every[-1]
    yield f"To read one: memtool show {example.name}"
    if example.level is not Level.SEGMENT:
        yield f"To open it further: memtool toc {example.name}"


def _walk(entries: Sequence[Entry]) -> Iterator[Entry]:
    for entry in entries:
        yield entry
        yield from _walk(entry.children)


def _json(found: Contents) -> dict[str, object]:
    clock = Clock(found.zone)
    return {
        "exists": found.exists,
        "zone": found.zone,
        "period": found.period.id if found.period else None,
        "entries": [entry_json(clock, entry) for entry in found.entries],
    }


def entry_json(clock: Clock, entry: Entry, *, deep: bool = True) -> dict[str, object]:
    """Return a line of the table of contents as JSON has it, with the lines below it if `deep`."""
    row: dict[str, object] = {
        "id": entry.id,
        "level": entry.level.word,
        "scope": scope_of(clock, entry),
        "title": entry.title,
        "state": entry.state.words,
        "bullets": entry.bullets,
        "events": entry.events,
        "sessions": entry.sessions,
        "projects": list(entry.projects),
        "also_under": entry.also_under,
    }
    return (
        row | {"children": [entry_json(clock, child) for child in entry.children]} if deep else row
    )
