"""`memtool toc`: the table of contents as a tree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from memtool.cli.options import Invocation, JsonOption, invocation, periods
from memtool.cli.output import Page, cleaned, print_json, print_line
from memtool.cli.reading import label, read
from memtool.model.levels import heading, place_of
from memtool.query.contents import Branch, Contents, contents

VERSION = 2
_GUIDES = {False: ("├─ ", "└─ ", "│  ", "   "), True: ("|- ", "`- ", "|  ", "   ")}

PeriodArgument = Annotated[
    str,
    typer.Argument(
        metavar="[PERIOD]",
        autocompletion=periods,
        help="Such as 2026-11, last-week, week:2026-11-22 or 2026-W47. Default: all years.",
    ),
]
DepthOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="How many levels to show. Default: down to weeks; for a year or month, 2.",
    ),
]


def toc(
    context: typer.Context,
    period: PeriodArgument = "",
    *,
    depth: DepthOption = None,
    json: JsonOption = False,
) -> None:
    """Show the table of contents: of all years, or of one period."""
    call = invocation(context)
    found = read(call, lambda reader: contents(reader, period, depth), as_json=json)
    if json:
        print_json("toc", VERSION, found)
    else:
        _print(call, found)


def _print(call: Invocation, found: Contents) -> None:
    if not found.entries and found.period is not None:
        print_line(
            f"Nothing was recorded in {heading(place_of(found.period).period)} ({found.period})."
        )
    elif not found.entries:
        print_line("The memory is empty: memtool ingest reads your agents' transcripts.")
    else:
        _print_tree(call, found)


def _print_tree(call: Invocation, found: Contents) -> None:
    page = Page(call.environ)
    if any(entry.events is not None for entry in _walk(found.entries)):
        page.row([("EVENTS".rjust(page.prose_width), "dim")])
    for entry in found.entries:
        _print_entry(page, entry, "", "")
    page.blank()
    for line in _footer(found.entries):
        page.line((line, "dim"))


def _print_entry(page: Page, entry: Branch, first: str, rest: str) -> None:
    """Print the entry's line with its number of events, then those below it."""
    tee, corner, bar, gap = _GUIDES[page.is_ascii]
    below = rest + (bar if entry.children else gap)
    line = label(page, entry, briefly=bool(entry.children))
    if entry.cut is not None:
        line += cleaned((f" {entry.name}", "dim"))
    count = "" if entry.events is None else f"{entry.events:,}"
    page.text(line, first=first, rest=below, right=count)
    for child in entry.children:
        is_last = child is entry.children[-1]
        _print_entry(
            page,
            child,
            rest + (corner if is_last else tee),
            rest + (gap if is_last else bar),
        )


def _footer(entries: Sequence[Branch]) -> Iterator[str]:
    every = list(_walk(entries))
    if any(entry.title is None and "open" in entry.state for entry in every):
        yield "[open] is summarized when it ends, or now by: memtool rollup all --include-open"
    if any(_waits(entry) for entry in every):
        yield "Stale or not summarized yet: memtool rollup all"
    example = every[-1]
    yield f"To read one: memtool show {example.name}"
    if example.cut is None:
        yield f"To open it further: memtool toc {example.name}"


def _waits(entry: Branch) -> bool:
    """Return whether the next rollup writes it."""
    return "open" not in entry.state and (entry.title is None or "stale" in entry.state)


def _walk(entries: Sequence[Branch]) -> Iterator[Branch]:
    for entry in entries:
        yield entry
        yield from _walk(entry.children)
