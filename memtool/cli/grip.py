"""`memtool grip`: the words that prove a bullet, in their conversation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from memtool.cli.options import JsonOption
from memtool.cli.output import Clock, Line, Page, cited_passage, plain_passage, print_json
from memtool.cli.reading import ROLE_STYLES, event_json, reading, took_in
from memtool.model.levels import heading, place_of
from memtool.model.records import Event, NodeId
from memtool.query.grip import Message, Proof, prove
from memtool.query.reader import NoMemoryError

VERSION = 1
_CITED, _PLAIN = "▌ ", "  "
_CITED_ASCII = "> "
_GUTTER_STYLE = "yellow"

_GONE = {
    "rewound": "was taken back by its source",
    "forgotten": "was forgotten on request",
    "missing": "is not in the store any more",
}

_NOTHING: dict[str, object] = {
    "exists": False,
    "id": None,
    "short": None,
    "zone": "UTC",
    "excerpt": None,
    "start": None,
    "end": None,
    "events": [],
    "verbatim": False,
    "gone": [],
    "session": "",
    "project": "",
    "agent": "",
    "before": [],
    "cited": [],
    "after": [],
    "nodes": [],
}
"""What --json prints where nothing is remembered yet."""

GripArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="A grip as memtool show prints it: its first 4 digits or more."
    ),
]
BeforeOption = Annotated[
    int, typer.Option(min=0, max=1000, metavar="N", help="How many messages before.")
]
AfterOption = Annotated[
    int, typer.Option(min=0, max=1000, metavar="N", help="How many messages after.")
]
FullOption = Annotated[bool, typer.Option("--full", help="Show long messages whole.")]


def grip(
    context: typer.Context,
    id: GripArgument,  # noqa: A002 - what it is called in the help
    *,
    before: BeforeOption = 2,
    after: AfterOption = 2,
    full: FullOption = False,
    json: JsonOption = False,
) -> None:
    """Show the words that prove a bullet, in the conversation that they were said in."""
    call, reader = reading(context)
    try:
        proof = prove(reader, id, before=before, after=after)
    except NoMemoryError:
        if not took_in(call, as_json=json):
            print_json("grip", VERSION, _NOTHING)
            return
        proof = prove(reader, id, before=before, after=after)
    if json:
        print_json("grip", VERSION, _json(proof))
        return
    page, clock = Page(call.environ), Clock(proof.zone)
    _print_head(page, proof)
    found = proof.excerpt
    day = ""
    for message in (*found.before, *found.cited, *found.after):
        page.blank()
        if day != (day := clock.day(message.time_us)):
            page.line((day, "bold"), first=_PLAIN)
        _print_message(page, clock, proof, message, is_full=full)
    _print_citing(page, proof)


def _print_head(page: Page, proof: Proof) -> None:
    page.line((f"Grip {proof.short}", "bold"))
    if proof.session:
        page.line(
            (
                f"session {proof.short_session} of {proof.agent} in {proof.project or 'no project'}",
                "dim",
            ),
            first=_PLAIN,
        )
    for event_id, why in proof.gone.items():
        page.line((f"event {event_id} {_GONE[why]}", "yellow"), first=_PLAIN)
    if not proof.gone and not proof.is_verbatim:
        page.line(
            ("what was said was changed by its source since; these were the words:", "yellow"),
            first=_PLAIN,
        )
    if not proof.is_verbatim:
        page.blank()
        page.text(
            cited_passage(page, proof.grip.excerpt, (0, len(proof.grip.excerpt))),
            first=_gutter(page),
        )


def _gutter(page: Page) -> str:
    return _CITED_ASCII if page.is_ascii else _CITED


def _print_message(
    page: Page, clock: Clock, proof: Proof, message: Message, *, is_full: bool
) -> None:
    """Print who said it and when, then each of its events."""
    for event in message.events:
        span = proof.span_in(event)
        lead = _PLAIN if event.id not in proof.grip.events else _gutter(page)
        time = clock.second(event.time_us) if event is message.events[0] else " " * 8
        kind = (event.kind.replace("_", " "), ROLE_STYLES.get(event.role, ""))
        page.line(
            (time, "dim"),
            " ",
            (f"{event.role} · ", "dim"),
            kind,
            *_tool(event),
            first=lead,
            lead=_GUTTER_STYLE,
        )
        page.text(
            _passage(page, event, span, is_full=is_full), first=lead, rest=lead, lead=_GUTTER_STYLE
        )


def _tool(event: Event) -> Iterator[tuple[str, str]]:
    """Say how a tool failed, which its text does not always tell."""
    if event.metadata.get("is_error") == "true":
        yield " (failed)", "red"


def _passage(page: Page, event: Event, span: tuple[int, int] | None, *, is_full: bool) -> Line:
    if span is None:
        return plain_passage(event.text, is_full=is_full)
    return cited_passage(page, event.text, span, is_full=is_full)


def _print_citing(page: Page, proof: Proof) -> None:
    page.blank()
    page.line(("Cited by:", "bold"))
    width = max(len(node_id) for node_id, _ in proof.citing) + 2
    for node_id, title in proof.citing:
        page.line(title, first=_PLAIN + node_id.ljust(width))


def _scope(node_id: NodeId) -> str:
    return heading(place_of(node_id).period)


def _json(proof: Proof) -> dict[str, object]:
    clock = Clock(proof.zone)
    found = proof.excerpt
    return {
        "exists": True,
        "id": proof.grip.id,
        "short": proof.short,
        "zone": proof.zone,
        "excerpt": proof.grip.excerpt,
        "start": proof.grip.start,
        "end": proof.grip.end,
        "events": list(proof.grip.events),
        "verbatim": proof.is_verbatim,
        "gone": [{"event": event_id, "reason": why} for event_id, why in proof.gone.items()],
        "session": proof.session,
        "project": proof.project,
        "agent": proof.agent,
        "before": [_message_json(clock, proof, message) for message in found.before],
        "cited": [_message_json(clock, proof, message) for message in found.cited],
        "after": [_message_json(clock, proof, message) for message in found.after],
        "nodes": [
            {"id": node_id, "scope": _scope(node_id), "title": title}
            for node_id, title in proof.citing
        ],
    }


def _message_json(clock: Clock, proof: Proof, message: Message) -> dict[str, object]:
    return {
        "role": message.role,
        **clock.both("time", message.time_us),
        "events": [
            {**event_json(clock, event), "span": proof.span_in(event)} for event in message.events
        ],
    }
