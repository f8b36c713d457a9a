"""`memtool note`: keep a note by hand, list the notes, or take one back."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import Struct, field

from memtool.agents.projects import branch_of, project_of
from memtool.cli.options import Invocation, JsonOption, invocation, periods
from memtool.cli.output import Page, cleaned, note, number, print_json, print_line
from memtool.cli.reading import here, read, reader_of
from memtool.errors import OK, ExitCode, UsageError
from memtool.model.clock import Clock
from memtool.model.records import HAND, Event, Record
from memtool.query.by_hand import note_named, noted
from memtool.query.events import ShownEvent, shown_event, span_us
from memtool.query.names import shortest
from memtool.query.projects import HERE, projects_named, short_projects, shortest_paths
from memtool.query.reader import Reader
from memtool.store.access import Access
from memtool.store.store import Store

if TYPE_CHECKING:
    from memtool.jobs.by_hand import Author
    from memtool.jobs.runner import Outcome

VERSION = 1
_DIGITS = 6
_STDIN = "-"
_SECOND_US = 1_000_000

TextArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TEXT]...", help="The note; - reads standard input. Default: list the notes."
    ),
]
ProjectOption = Annotated[
    str,
    typer.Option(
        "-p",
        "--project",
        metavar="PROJECT",
        help="Keep it for this project (path or last part), or list only its notes. Default: the one here.",
    ),
]
AtOption = Annotated[
    str,
    typer.Option(
        "--at",
        metavar="TIME",
        autocompletion=periods,
        help="When it was, such as yesterday or 2026-11-22T14:30. Default: now.",
    ),
]
RemoveOption = Annotated[
    list[str] | None,
    typer.Option("--remove", metavar="ID", help="Take back a note. Can be repeated."),
]
LimitOption = Annotated[
    int, typer.Option(min=1, max=10_000, metavar="N", help="List the newest N.")
]


class Notes(Struct, frozen=True):
    """The notes that stand, the newest first, and the beginnings of their IDs that are unique."""

    exists: bool
    zone: str = "UTC"
    notes: tuple[ShownEvent, ...] = ()
    has_more: bool = False
    short: tuple[str, ...] = field(name="_short", default=())
    short_projects: Mapping[str, str] = field(name="_short_projects", default_factory=dict)


def note_(
    context: typer.Context,
    text: TextArgument = None,
    *,
    project: ProjectOption = "",
    at: AtOption = "",
    remove: RemoveOption = None,
    limit: LimitOption = 20,
    json: JsonOption = False,
) -> ExitCode:
    """Keep a note by hand: search finds it, and its day tells it. Secrets are masked, as everywhere.

    Without a text it lists the notes. `memtool forget --event ID` deletes one permanently."""
    call = invocation(context)
    words = " ".join(text or [])
    if remove and (words or at):
        raise UsageError("--remove takes no text and no --at", hint="memtool note --remove ID")
    if remove:
        return _remove(call, remove, as_json=json)
    if text is None:
        if at:
            raise UsageError(
                "--at needs the text of a note", hint='memtool note "..." --at yesterday'
            )
        return _list(call, project, limit, as_json=json)
    return _add(call, sys.stdin.read() if words == _STDIN else words, project, at, as_json=json)


def _add(call: Invocation, text: str, project: str, at: str, *, as_json: bool) -> ExitCode:
    from memtool.cli.ingest import say_new_memory  # a list needs none of this
    from memtool.cli.running import conclude, outcome_json
    from memtool.jobs.by_hand import note_event

    with reader_of(call).store() as store:
        author = author_of(store, project)
        time_us = _instant(reader_of(call), store, at) if at else call.now_us
    event, masked = note_event(text, author, time_us, call.now_us)
    is_new = not Access(call.store.root).exists()
    outcome = keep_note(call, [event])
    if as_json:
        shown = shown_event(event)
        print_json("note", VERSION, {**outcome_json(outcome), "note": shown, "masked": masked})
    elif outcome.error is None:
        if is_new:
            say_new_memory(call)
        if masked:
            note(f"{number(masked, 'secret')} masked in it.")
        short = shortest_paths([author.project])[author.project]
        branch = f" ({author.branch})" if author.branch else ""
        print_line(f"Noted for {short}{branch}.")
        print_line(f"To take it back: memtool note --remove {event.id[:_DIGITS]}")
    return conclude(outcome)


def author_of(store: Store | None, project: str) -> Author:
    """Return whose note it is: of the project that is named, else of the one here, with its branch."""
    from memtool.jobs.by_hand import Author

    if project in ("", HERE):
        if not here():
            raise UsageError(
                "the current directory is gone", hint='memtool note "..." --project NAME'
            )
        return Author(project_of(here()), branch_of(here()))
    if "/" in project:
        return Author(project_of(str(Path(project).expanduser().absolute())))
    found = projects_named(store, project, here()).roots if store is not None else ()
    if len(found) != 1:
        names = ", ".join(found) or "none yet"
        raise UsageError(f"{project} names no one project", hint=f"type its path: {names}")
    return Author(found[0])


def _instant(reader: Reader, store: Store | None, text: str) -> int:
    """Return the instant that was typed; of a period, its last minute."""
    start_us, end_us = span_us(reader, store, text, "--at")
    time_us = start_us if end_us - start_us <= 60 * _SECOND_US else end_us - 60 * _SECOND_US
    if start_us > reader.now_us:
        raise UsageError(f"--at {text} is in the future", hint="a note is about what was")
    return min(time_us, reader.now_us)


def keep_note(call: Invocation, records: list[Record]) -> Outcome:
    """Store what was noted, or taken back, as a run of its own."""
    from memtool.cli.running import run
    from memtool.jobs.by_hand import keep
    from memtool.rollup.configured import calendar_for_new_store

    calendar = partial(calendar_for_new_store, call.config, call.environ, call.now_us)
    return run(call, "note", lambda running: keep(running, records, calendar), waits=True)


def _remove(call: Invocation, texts: list[str], *, as_json: bool) -> ExitCode:
    from memtool.cli.running import conclude, outcome_json
    from memtool.jobs.by_hand import taken_back

    with reader_of(call).store() as store:
        if store is None:
            raise UsageError(
                "there are no notes: the memory is empty", hint="memtool note TEXT keeps one"
            )
        events = [note_named(store, text) for text in texts]
    outcome = keep_note(call, [taken_back(event) for event in events])
    if as_json:
        removed = [shown_event(event) for event in events]
        print_json("note-remove", VERSION, {**outcome_json(outcome), "removed": removed})
    elif outcome.error is None:
        for event in events:
            print_line(f"Taken back: {event.text}")
    return conclude(outcome)


def _list(call: Invocation, project: str, limit: int, *, as_json: bool) -> ExitCode:
    found = read(call, lambda reader: _notes(reader, project, limit), as_json=as_json)
    if as_json:
        print_json("notes", VERSION, found)
    elif not found.notes:
        print_line('There are no notes. To keep one: memtool note "..."')
    else:
        _print(Page(call.environ), found)
    return OK


def _notes(reader: Reader, project: str, limit: int) -> Notes:
    with reader.memory() as store:
        if store is None:
            return Notes(exists=False)
        wanted = projects_named(store, project, here()) if project else None
        events = (one for one in noted(store) if wanted is None or wanted.hold_any(one.claims))
        found = list(islice(events, limit + 1))
        return Notes(
            True,
            store.calendar.zone,
            tuple(map(shown_event, found[:limit])),
            len(found) > limit,
            tuple(
                shortest(event.id, store.ids_from(event.id[:_DIGITS]), at_least=_DIGITS)
                for event in found[:limit]
            ),
            short_projects(store),
        )


def _print(page: Page, found: Notes) -> None:
    clock, last = Clock(found.zone), ""
    for event, short in zip(found.notes, found.short, strict=True):
        heading = f"{clock.day(event.time_us)} · {found.short_projects[event.project]}"
        if heading != last:
            if last:
                page.blank()
            page.line((heading, "bold"))
        last = heading
        lead = f"  {clock.minute(event.time_us)} {short}  "
        page.text(cleaned(*_words(event)), first=lead, rest=" " * len(lead))
    page.blank()
    page.line((f"To take one back: memtool note --remove {found.short[0]}", "dim"))
    if found.has_more:
        page.line((f"Older ones: memtool note --limit {len(found.notes) * 10}", "dim"))


def _words(event: ShownEvent | Event) -> Iterator[str | tuple[str, str]]:
    yield event.text
    if event.agent != HAND:
        yield (f"  ({event.agent})", "dim")
