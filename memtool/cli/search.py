"""`memtool search`: find what was said, in order of how well it answers, with the words that matched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from msgspec.structs import replace

from memtool.cli.news import with_news
from memtool.cli.options import (
    Invocation,
    JsonOption,
    agents,
    invocation,
    kinds,
    levels,
    periods,
    roles,
)
from memtool.cli.output import Line, Page, cleaned, note, print_json, print_line
from memtool.cli.reading import ROLE_STYLES, here, read
from memtool.model.clock import Clock
from memtool.query.reader import Reader
from memtool.query.search import Ask, Hit, Hits
from memtool.query.search import search as searched

VERSION = 1
_IN_A_SESSION = 4
_ID_DIGITS = 8
_MATCH_STYLE = "bold yellow"

WordsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="QUERY...", help='Words or a question; "quoted" words must match as they are.'
    ),
]
ProjectOption = Annotated[
    str,
    typer.Option(
        metavar="PROJECT", help="Of this project: path, last part, or . for this repository."
    ),
]
SinceOption = Annotated[
    str, typer.Option(metavar="TIME", autocompletion=periods, help="From this period or time on.")
]
UntilOption = Annotated[
    str, typer.Option(metavar="TIME", autocompletion=periods, help="Up to this period or time.")
]
AgentOption = Annotated[
    str, typer.Option(metavar="AGENT", autocompletion=agents, help="Of this agent.")
]
SessionOption = Annotated[
    str, typer.Option(metavar="SESSION", help="In this session: ID or unique prefix.")
]
RoleOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ROLE",
        autocompletion=roles,
        help="By user, assistant, tool or system; may be repeated.",
    ),
]
KindOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KIND", autocompletion=kinds, help="Of this kind, such as prompt; may be repeated."
    ),
]
LevelOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LEVEL",
        autocompletion=levels,
        help="Search the summaries of this level (segment … year) instead of events.",
    ),
]
LimitOption = Annotated[
    int, typer.Option(min=1, max=200, metavar="N", help="How many hits at most.")
]
TokensOption = Annotated[
    int,
    typer.Option(
        min=100, max=100_000, metavar="N", help="About how long the answer may be, in tokens."
    ),
]
NoIngestOption = Annotated[
    bool, typer.Option("--no-ingest", help="Do not read new transcripts first.")
]
ExplainOption = Annotated[bool, typer.Option("--explain", help="Show what the score is made of.")]


def search(
    context: typer.Context,
    query: WordsArgument,
    *,
    project: ProjectOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
    agent: AgentOption = "",
    session: SessionOption = "",
    role: RoleOption = None,
    kind: KindOption = None,
    level: LevelOption = None,
    limit: LimitOption = 10,
    tokens: TokensOption = 1500,
    no_ingest: NoIngestOption = False,
    explain: ExplainOption = False,
    json: JsonOption = False,
) -> None:
    """Find what was said, the best answer first. Hits of one session stand together."""
    call = invocation(context)
    ask = Ask(
        tuple(query),
        project,
        here(),
        since,
        until,
        agent,
        session,
        "",
        tuple(role or ()),
        tuple(kind or ()),
        tuple(level or ()),
        limit,
        tokens,
    )

    def find(reader: Reader) -> Hits:
        if no_ingest:
            return searched(reader, ask)
        return with_news(call, reader, lambda found: searched(found, ask))

    found = read(call, find, as_json=json, with_recipe=False)
    if json:
        hits = found.hits if explain else tuple(replace(hit, parts={}) for hit in found.hits)
        print_json("search", VERSION, replace(found, hits=hits))
    elif not found.hits:
        print_line("Nothing found.")
    else:
        _print(call, found, explain=explain)
    for lack in found.lacks:
        note(f"memtool: {lack}")


def _print(call: Invocation, found: Hits, *, explain: bool) -> None:
    """Print the hits by day and session, those groups first that hold the best hits."""
    page, clock = Page(call.environ), Clock(found.zone)
    groups: dict[tuple[str, str], list[Hit]] = {}
    for hit in found.hits:
        groups.setdefault((clock.date(hit.time_us), hit.session or hit.id), []).append(hit)
    for number, hits in enumerate(groups.values()):
        if number:
            page.blank()
        _print_group(page, clock, hits, explain=explain)


def _print_group(page: Page, clock: Clock, hits: Sequence[Hit], *, explain: bool) -> None:
    first = hits[0]
    if first.session:
        parts = (
            first.agent,
            first.short_project,
            f"session {first.short_session}",
        )
        heading = " · ".join((clock.day(first.time_us), *parts))
    else:
        heading = f"{first.id} · {first.title}"
    page.line((heading, "bold"))
    if first.session and first.title:
        page.line((first.title, ""), first="  ")
    for hit in hits[:_IN_A_SESSION]:
        word = hit.level or hit.kind
        head: Line = [
            (clock.minute(hit.time_us), "dim"),
            (f" {word} ", ROLE_STYLES.get(hit.role, "cyan")),
        ]
        tail: Line = [(f" [{hit.id[:_ID_DIGITS]}]", "dim")] if not hit.level else []
        page.text([*head, *_marked(hit), *tail], first="  ", rest="    ")
        if explain:
            told = ", ".join(f"{name} {value:+.2f}" for name, value in hit.parts.items())
            page.line((f"{hit.score:.2f}: {told}", "dim"), first="    ")
    if len(hits) > _IN_A_SESSION:
        page.line((f"{len(hits) - _IN_A_SESSION} more in this session", "dim"), first="  ")
    if first.resume:
        page.line((f"resume: {first.resume}", "dim"), first="  ")


def _marked(hit: Hit) -> Line:
    line: Line = []
    at = 0
    for start, end in hit.marks:
        line += [*cleaned(hit.excerpt[at:start]), *cleaned((hit.excerpt[start:end], _MATCH_STYLE))]
        at = end
    return [*line, *cleaned(hit.excerpt[at:])]
