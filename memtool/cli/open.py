"""`memtool open`: what is open, by project, oldest first."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated

import typer

from memtool.cli.options import JsonOption, invocation
from memtool.cli.output import Page, number, print_json, print_line
from memtool.cli.reading import STATE_COLOURS, directory_for, read, sign
from memtool.model.clock import Clock
from memtool.query.follow import QUIET_DAYS, OpenThread, OpenThreads, open_threads
from memtool.query.names import THREAD_DIGITS

VERSION = 1
_DEEP = "    "

ProjectOption = Annotated[
    str,
    typer.Option(
        "-p", "--project", metavar="PROJECT", help="Only of this project: path or last part."
    ),
]
AllOption = Annotated[
    bool,
    typer.Option("--all", help=f"Also threads without a word for {QUIET_DAYS} days."),
]


def open_(
    context: typer.Context,
    *,
    project: ProjectOption = "",
    everything: AllOption = False,
    json: JsonOption = False,
) -> None:
    """List what is open, by project, oldest first."""
    call = invocation(context)
    here = directory_for(project)
    found = read(call, lambda reader: open_threads(reader, project, here), as_json=json)
    if json:
        print_json("open", VERSION, found)
    elif found.exists:
        _print(Page(call.environ), found, everything=everything)


def _print(page: Page, found: OpenThreads, *, everything: bool) -> None:
    clock = Clock(found.zone)
    shown = [thread for thread in found.threads if everything or not thread.quiet]
    if not found.threads:
        print_line("Nothing is open.")
        return
    for index, (project, threads) in enumerate(
        groupby(shown, key=lambda thread: found.short_projects[thread.project])
    ):
        if index:
            page.blank()
        page.line((project, "bold"))
        for thread in threads:
            _print_thread(page, clock, thread)
    quiet = len(found.threads) - len(shown)
    if shown:
        page.blank()
        first = f"thread:{shown[0].id[:THREAD_DIGITS]}"
        page.line((f"To follow one: memtool show {first}", "dim"))
    if quiet:
        words = (
            f"{number(quiet, 'thread')} without a word for {QUIET_DAYS} days: memtool open --all"
        )
        page.line((words, "dim"))


def _print_thread(page: Page, clock: Clock, thread: OpenThread) -> None:
    page.line(
        (thread.headline, "bold"),
        first=f"{sign(page, thread.state)} ",
        lead=STATE_COLOURS[thread.state],
    )
    where = thread.branch or f"thread:{thread.id[:THREAD_DIGITS]}"
    quiet = " · quiet" if thread.quiet else ""
    page.line((f"{where} · last {clock.day(thread.last_us)}{quiet}", "dim"), first=_DEEP)
    for point in thread.points:
        names = "".join(f" [{grip}]" for grip in point.grips)
        page.line(point.text, (f" {names}" if names else "", "dim"), first=_DEEP, rest=f"{_DEEP}  ")
