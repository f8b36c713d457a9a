"""`memtool events`: what was recorded, by session, project, agent, kind and time."""

from __future__ import annotations

from typing import Annotated

import typer
from msgspec.structs import replace

from memtool.cli.options import Invocation, JsonOption, agents, invocation, kinds, periods
from memtool.cli.output import Page, cleaned, note, plain_passage, print_json, print_line
from memtool.cli.reading import ROLE_STYLES, here, read
from memtool.model.clock import Clock
from memtool.model.records import ROLES
from memtool.query.events import Listing, Query, ShownEvent
from memtool.query.events import events as listed

VERSION = 1
_MARGIN = "  "
_KIND_WIDTH = max(map(len, ROLES))
_FIRST_LINE = 400
_MOST = 10_000

SessionOption = Annotated[str, typer.Option(metavar="SESSION", help="Session ID or unique prefix.")]
ProjectOption = Annotated[
    str,
    typer.Option(
        metavar="PROJECT", help="Path of a project, its last parts, or . for this repository."
    ),
]
AgentOption = Annotated[
    str,
    typer.Option(
        metavar="AGENT", autocompletion=agents, help="Agent, or the beginning of its name."
    ),
]
KindOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KIND", autocompletion=kinds, help="Kind, such as prompt. Can be repeated."
    ),
]
SinceOption = Annotated[
    str,
    typer.Option(
        metavar="TIME",
        autocompletion=periods,
        help="First period or time, such as last-week or 2026-11-22T14:30.",
    ),
]
UntilOption = Annotated[
    str,
    typer.Option(metavar="TIME", autocompletion=periods, help="Last period or time, inclusive."),
]
LimitOption = Annotated[
    int, typer.Option(min=1, max=_MOST, metavar="N", help="Maximum number; the newest are shown.")
]
ReverseOption = Annotated[bool, typer.Option("--reverse", help="Show the newest first.")]
FullOption = Annotated[bool, typer.Option("--full", help="Show the full text.")]


def events(
    context: typer.Context,
    *,
    session: SessionOption = "",
    project: ProjectOption = "",
    agent: AgentOption = "",
    kind: KindOption = None,
    since: SinceOption = "",
    until: UntilOption = "",
    limit: LimitOption = 50,
    reverse: ReverseOption = False,
    full: FullOption = False,
    json: JsonOption = False,
) -> None:
    """List matching events by time, the newest at the end."""
    call = invocation(context)
    query = Query(session, project, agent, tuple(kind or ()), since, until, limit, here())
    found = read(call, lambda reader: listed(reader, query), as_json=json, with_recipe=False)
    shown = tuple(reversed(found.events)) if reverse else found.events
    if json:
        print_json("events", VERSION, replace(found, events=shown))
    elif not shown:
        print_line("No event matches.")
    else:
        _print(call, found, shown, is_full=full)
    if found.has_more and not json:
        more = f"--limit {min(limit * 10, _MOST)}, or " if limit < _MOST else ""
        note(f"These are the newest {limit} matches; older ones: {more}--until {_edge(found)}")


def _edge(found: Listing) -> str:
    clock, time_us = Clock(found.zone), found.events[0].time_us
    return f"{clock.date(time_us)}T{clock.second(time_us)}"


def _print(
    call: Invocation, found: Listing, shown: tuple[ShownEvent, ...], *, is_full: bool
) -> None:
    """Print one line for each event, and a heading for each day and session."""
    page, clock = Page(call.environ), Clock(found.zone)
    last = ""
    for event in shown:
        heading = _heading(clock, found, event)
        if heading != last:
            if last:
                page.blank()
            page.line((heading, "bold"))
        last = heading
        _print_event(page, clock, event, is_full=is_full)


def _heading(clock: Clock, found: Listing, event: ShownEvent) -> str:
    session = found.short_sessions[event.session]
    project = found.short_projects[event.project]
    return f"{clock.day(event.time_us)} · {event.agent} · {project} · session {session}"


def _print_event(page: Page, clock: Clock, event: ShownEvent, *, is_full: bool) -> None:
    kind = event.kind.ljust(_KIND_WIDTH)
    head = [
        (clock.second(event.time_us), "dim"),
        (" ", ""),
        (kind, ROLE_STYLES.get(event.role, "")),
    ]
    if event.rewound:
        head.append((" (rewound)", "dim"))
    if is_full:
        page.text(head, first=_MARGIN)
        page.text(plain_passage(event.text, is_full=True), first=_MARGIN * 2, rest=_MARGIN * 2)
        return
    page.row([*head, *cleaned(" ", _first_line(event.text))], _MARGIN, cut=True)


def _first_line(text: str) -> str:
    return text.strip()[:_FIRST_LINE].partition("\n")[0]
