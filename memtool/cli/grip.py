"""`memtool grip`: the text that proves a bullet, in its conversation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from memtool.cli.options import JsonOption, invocation
from memtool.cli.output import Line, Page, cited_passage, plain_passage, print_json
from memtool.cli.reading import ROLE_STYLES, read
from memtool.model.clock import Clock
from memtool.query.grip import CitedEvent, Proof, ShownMessage, prove

VERSION = 1
_CITED, _PLAIN = "▌ ", "  "
_CITED_ASCII = "> "
_GUTTER_STYLE = "yellow"

_GONE = {
    "rewound": "was rewound by its source",
    "forgotten": "was forgotten on request",
    "missing": "is not in the store any more",
}

GripArgument = Annotated[
    str,
    typer.Argument(
        metavar="GRIP",
        help="Grip ID or unique prefix (at least 4 digits), as memtool show prints it.",
    ),
]
BeforeOption = Annotated[
    int, typer.Option(min=0, max=1000, metavar="N", help="Messages to show before it.")
]
AfterOption = Annotated[
    int, typer.Option(min=0, max=1000, metavar="N", help="Messages to show after it.")
]
FullOption = Annotated[bool, typer.Option("--full", help="Show long messages in full.")]


def grip(
    context: typer.Context,
    id: GripArgument,  # noqa: A002 - what it is called in the help
    *,
    before: BeforeOption = 2,
    after: AfterOption = 2,
    full: FullOption = False,
    json: JsonOption = False,
) -> None:
    """Show the text that proves a bullet, in its conversation."""
    call = invocation(context)
    proof = read(call, lambda reader: prove(reader, id, before=before, after=after), as_json=json)
    if json:
        print_json("grip", VERSION, proof)
        return
    page, clock = Page(call.environ), Clock(proof.zone)
    _print_head(page, proof)
    day = ""
    for message in (*proof.before, *proof.cited, *proof.after):
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
    for gone in proof.gone:
        page.line((f"event {gone.event} {_GONE[gone.reason]}", "yellow"), first=_PLAIN)
    if not proof.gone and not proof.verbatim:
        page.line(
            ("the source has changed this text since; it was:", "yellow"),
            first=_PLAIN,
        )
    if not proof.verbatim:
        page.blank()
        page.text(
            cited_passage(page, proof.excerpt or "", (0, len(proof.excerpt or ""))),
            first=_gutter(page),
        )


def _gutter(page: Page) -> str:
    return _CITED_ASCII if page.is_ascii else _CITED


def _print_message(
    page: Page, clock: Clock, proof: Proof, message: ShownMessage, *, is_full: bool
) -> None:
    """Print who said it and when, then each of its events."""
    for event in message.events:
        lead = _gutter(page) if event.id in proof.events else _PLAIN
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
        text = _passage(page, event, is_full=is_full)
        page.text(text, first=lead, rest=lead, lead=_GUTTER_STYLE)


def _tool(event: CitedEvent) -> Iterator[tuple[str, str]]:
    """Yield that a tool failed: its text does not always say so."""
    if event.metadata.get("is_error") == "true":
        yield " (failed)", "red"


def _passage(page: Page, event: CitedEvent, *, is_full: bool) -> Line:
    if event.span is None:
        return plain_passage(event.text, is_full=is_full)
    return cited_passage(page, event.text, event.span, is_full=is_full)


def _print_citing(page: Page, proof: Proof) -> None:
    page.blank()
    page.line(("Cited by:", "bold"))
    width = max(len(node.id) for node in proof.nodes) + 2
    for node in proof.nodes:
        page.line(node.title, first=_PLAIN + node.id.ljust(width))
