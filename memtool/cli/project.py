"""`memtool project`: say that a project moved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from memtool.agents.projects import project_of
from memtool.cli.options import JsonOption, command_group, directories, invocation
from memtool.cli.output import Page, number, print_json, print_line
from memtool.cli.reading import here, reader_of, say_no_memory
from memtool.cli.running import conclude, outcome_json, run
from memtool.errors import OK, ExitCode, UsageError
from memtool.jobs.rename import Found, Report, look
from memtool.jobs.rename import rename as rename_body

VERSION = 1
project = command_group()

OldArgument = Annotated[
    str,
    typer.Argument(
        metavar="OLD", help="Path that it had, or its last parts.", autocompletion=directories
    ),
]
NewArgument = Annotated[
    str, typer.Argument(metavar="NEW", help="Path that it has now.", autocompletion=directories)
]


@project.callback()
def project_group() -> None:
    """Say that a project moved."""


@project.command("rename")
def rename(
    context: typer.Context,
    old: OldArgument,
    new: NewArgument,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be renamed.")
    ] = False,
    json: JsonOption = False,
) -> ExitCode:
    """Give a project that moved its new path, with its subdirectories, in what is stored and in what will be read.

    Days of its events are summarized again by the next rollup. To take it back, rename NEW to OLD; if NEW was known
    before, the two stay one."""
    call = invocation(context)
    path = project_of(str(_absolute(new)))
    found = look(reader_of(call), old, path, here())
    if not found.exists:
        say_no_memory(call)
    if dry_run or not found.exists:
        if json:
            print_json("project-rename", VERSION, {"dry_run": dry_run, **_json(found, Report())})
        elif found.exists:
            _print(Page(call.environ), found)
        return OK
    report = Report()
    outcome = run(
        call, "rename", lambda running: rename_body(running, found.old, path, report), waits=True
    )
    if json:
        done = {**outcome_json(outcome), "dry_run": False, **_json(found, report)}
        print_json("project-rename", VERSION, done)
    elif outcome.error is None:
        print_line(f"{number(report.renamed, 'event')} of {found.old} belong to {path} now.")
        print_line("Summaries of their days: memtool rollup all")
    return conclude(outcome)


def _absolute(new: str) -> Path:
    path = Path(new).expanduser()
    if not path.is_absolute() and not here():
        raise UsageError("the current directory is gone", hint="type the new path in full")
    return path if path.is_absolute() else Path(here()) / path


def _print(page: Page, found: Found) -> None:
    page.line((number(found.events, "event"), "bold"), f" of {', '.join(found.projects)}")
    page.line(f"would belong to {found.new}.")
    if found.known:
        events = number(found.known, "event")
        page.line((f"It has {events} already; they cannot be told apart afterwards.", "yellow"))


def _json(found: Found, report: Report) -> dict[str, object]:
    return {
        "exists": found.exists,
        "old": found.old,
        "new": found.new,
        "projects": found.projects,
        "events": found.events,
        "known": found.known,
        "renamed": report.renamed,
    }
