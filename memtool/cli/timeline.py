"""`memtool timeline`: threads over time, a row each: its state, its days as a strip, its headline."""

from __future__ import annotations

from datetime import date
from itertools import groupby
from typing import Annotated

import typer

from memtool.cli.options import JsonOption, invocation, periods
from memtool.cli.output import Page, cleaned, number, print_json, print_line
from memtool.cli.reading import STATE_COLOURS, counted, here, read, sign
from memtool.model.levels import heading, place_of
from memtool.model.records import NodeId
from memtool.query.names import THREAD_DIGITS
from memtool.query.timeline import Row, Span, Timeline, timeline

VERSION = 1
_WIDEST = 30
"""Columns of a strip; in one of more days a column is several days."""
_WEEK = 7
_MARKS = {False: ("·", "■"), True: (".", "#")}

ProjectArgument = Annotated[
    str,
    typer.Argument(
        metavar="[PROJECT]",
        help="Only of this project: path, last part, or . for this repository.",
    ),
]
SinceOption = Annotated[
    str,
    typer.Option(
        metavar="PERIOD",
        autocompletion=periods,
        help="First period. Default: four weeks before the last.",
    ),
]
UntilOption = Annotated[
    str,
    typer.Option(
        metavar="PERIOD", autocompletion=periods, help="Last period. Default: the last day worked."
    ),
]
AllOption = Annotated[bool, typer.Option("--all", help="Show all threads, also the smaller ones.")]


def timeline_(
    context: typer.Context,
    project: ProjectArgument = "",
    *,
    since: SinceOption = "",
    until: UntilOption = "",
    everything: AllOption = False,
    json: JsonOption = False,
) -> None:
    """Show threads over time: a row a thread, with its state and the days on which it was worked on."""
    call = invocation(context)
    found = read(
        call,
        lambda reader: timeline(reader, Span(since, until), project, here(), everything=everything),
        as_json=json,
    )
    if json:
        print_json("timeline", VERSION, found)
    elif found.exists and not found.rows:
        print_line(f"Nothing was done from {_words(found.first)} to {_words(found.last)}.")
    elif found.exists:
        _print(Page(call.environ), found)


def _words(day: NodeId | None) -> str:
    assert day is not None
    return heading(place_of(day).period)


def _print(page: Page, found: Timeline) -> None:
    assert found.first is not None
    assert found.last is not None
    first, last = place_of(found.first).period.first, place_of(found.last).period.first
    days = -(-(last - first + 1) // _WIDEST)
    width = -(-(last - first + 1) // days)
    column = "a column a day" if days == 1 else f"a column is {days} days"
    page.line((f"{_words(found.first)} to {_words(found.last)}", "bold"), (f" · {column}", "dim"))
    page.row([(f"  {_ruler(first, days, width)}", "dim")])
    shown = [row for row in found.rows if row.shown]
    for project, rows in groupby(shown, key=lambda row: row.project):
        page.line((found.short_projects.get(project, project), "bold"))
        for row in rows:
            _print_row(page, row, _strip(row, first, days, width, is_ascii=page.is_ascii))
    rest = sum(found.rest.values())
    if rest:
        page.blank()
        page.line(f"and {number(rest, 'smaller piece')} of work: {counted(found.rest)}")
    page.blank()
    if shown:
        page.line((f"To follow one: memtool show thread:{shown[-1].id[:THREAD_DIGITS]}", "dim"))
    if rest:
        page.line(("All of them: memtool timeline --all", "dim"))


def _ruler(first: int, days: int, width: int) -> str:
    """Return the dates above the strips: each week's first day, or the months where a column is several days."""
    line = ""
    for column in range(width):
        held = [date.fromordinal(first + column * days + offset) for offset in range(days)]
        if days == 1:
            label = f"{held[0].day} {held[0]:%b}" if column % _WEEK == 0 else ""
        else:
            label = next((f"{day:%b}" for day in held if day.day == 1), "")
        if label and len(line) <= column:
            line = f"{line.ljust(column)}{label} "
    return line.rstrip()


def _strip(row: Row, first: int, days: int, width: int, *, is_ascii: bool) -> str:
    """Return the days of a thread as marks, a column for so many days."""
    worked = {(place_of(day).period.first - first) // days for day in row.days}
    none, some = _MARKS[is_ascii]
    return "".join(some if column in worked else none for column in range(width))


def _print_row(page: Page, row: Row, strip: str) -> None:
    lead = f"{sign(page, row.state)} {strip}  "
    beside = " ".join(f"#{number}" for number in row.pull_requests[-2:])
    page.text(
        cleaned(row.headline),
        first=lead,
        rest=" " * len(lead),
        lead=STATE_COLOURS[row.state],
        right=beside or (number(row.commits, "commit") if row.commits else None),
    )
