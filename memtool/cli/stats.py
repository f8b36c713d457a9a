"""`memtool stats`: what is stored, and its size on disk."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from memtool.cli.options import JsonOption, invocation
from memtool.cli.output import Page, number, print_json, progress
from memtool.cli.reading import read
from memtool.cli.summarizers import signed
from memtool.model.clock import Clock
from memtool.model.levels import Level, Period, heading
from memtool.query.projects import shortest_paths
from memtool.query.stats import By, Days, Stats
from memtool.query.stats import stats as counted
from memtool.text import size

VERSION = 1
_LABEL = 12
_MOST_PARTS = 20
_LEAST_SHARE = 1000


YearOption = Annotated[
    int | None,
    typer.Option(
        min=1970,
        max=2199,
        metavar="YEAR",
        help="Year to count. Default: the last 12 months.",
    ),
]
ByOption = Annotated[By | None, typer.Option("--by", help="Also count by project or agent.")]


CostOption = Annotated[
    bool,
    typer.Option("--cost", help="Show tokens and cost instead, by model, project and day."),
]


def stats(
    context: typer.Context,
    *,
    year: YearOption = None,
    by: ByOption = None,
    cost: CostOption = False,
    json: JsonOption = False,
) -> None:
    """Show what is stored, its size on disk, and the events of the last 12 months. Or what the agents' models took.

    Tokens are those that the agents recorded. They cost what the setting cost.prices says: nothing is guessed."""
    call = invocation(context)
    if cost:
        from memtool.cli.cost import print_costs

        print_costs(call, year, as_json=json)
        return
    with progress(call.environ, "counting events") as show:
        found = read(
            call,
            lambda reader: counted(
                reader, year=year, by=by, on_progress=lambda part: show(f"{part:.0%}")
            ),
            as_json=json,
        )
    if json:
        print_json("stats", VERSION, found)
    else:
        page = Page(call.environ)
        _print_counts(page, found)
        _print_nodes(page, found)
        _print_disk(page, found)
        _print_parts(page, found, by)
        page.blank()
        page.line(_days_words(found.calendar))


def _print_counts(page: Page, found: Stats) -> None:
    clock = Clock(found.zone)
    span = ""
    if found.first_us is not None and found.last_us is not None:
        span = f", from {clock.day(found.first_us)} to {clock.day(found.last_us)}"
    agents = ", ".join(f"{name} {number(count, 'session')}" for name, count in found.agents.items())
    _row(page, "Events", f"{found.events:,}{span}")
    _row(page, "Sessions", f"{found.sessions:,}")
    _row(page, "Projects", f"{found.projects:,}")
    _row(page, "Agents", f"{len(found.agents):,}{f': {agents}' if agents else ''}")
    damaged = f", {found.damaged_sources:,} of them damaged" if found.damaged_sources else ""
    _row(page, "Transcripts", f"{found.sources:,}{damaged}")
    if found.tombstones:
        words = (f"{count:,} {reason}" for reason, count in sorted(found.tombstones.items()))
        _row(page, "Forgotten", ", ".join(words))


def _row(page: Page, label: str, text: str) -> None:
    page.line(text, first=label.ljust(_LABEL), rest=" " * _LABEL, lead="bold")


def _print_nodes(page: Page, found: Stats) -> None:
    """Print how many nodes of each level each recipe wrote, and what is stale or failed."""
    written = [one for one in found.recipes if any(one.nodes.values())]
    if written:
        page.blank()
        heads = [f"{level.word}s".upper() for level in Level]
        page.row([(" ".join(f"{head:>8}" for head in heads) + "  RECIPE", "dim")])
    for one in written:
        cells = " ".join(f"{one.nodes[level.word] or '-':>8}" for level in Level)
        current = "" if one.current else "; outdated"
        text = f"{signed(one)}{current}"
        page.line(text, first=f"{cells}  ", rest=" " * (len(cells) + 2), lead="")
    waiting = [f"{number(count, level)} stale" for level, count in found.stale.items() if count]
    waiting += [f"{number(found.failed, 'node')} failed"] if found.failed else []
    if waiting:
        page.line((f"{', '.join(waiting)}: memtool rollup all", "yellow"))


def _print_disk(page: Page, found: Stats) -> None:
    disk = found.disk
    page.blank()
    families = {
        name: held for name, held in disk.families.items() if held * _LEAST_SHARE > disk.total_bytes
    }
    rows = sorted(families.items(), key=lambda row: -row[1])
    parts = [f"{name} {size(held)}" for name, held in rows]
    parts += [f"log and lists {size(disk.other_bytes)}", f"ledger {size(disk.ledger_bytes)}"]
    parts += [f"search index {size(disk.index_bytes)}"] if disk.index_bytes else []
    _row(page, "Disk", f"{size(disk.total_bytes)}: {', '.join(parts)}")


def _print_parts(page: Page, found: Stats, by: By | None) -> None:
    if by is None or found.parts is None:
        return
    clock = Clock(found.zone)
    page.blank()
    heads = f"{'EVENTS':>9} {'SESSIONS':>8}  {'FIRST':<10}  {'LAST':<10}  {by.value.upper()}"
    page.row([(heads, "dim")])
    names = shortest_paths(part.name for part in found.parts)
    for part in found.parts[:_MOST_PARTS]:
        dates = f"{clock.date(part.first_us)}  {clock.date(part.last_us)}"
        lead = f"{part.events:>9,} {part.sessions:>8,}  {dates}  "
        name = names[part.name] if by is By.PROJECT else part.name
        page.line(name, first=lead, rest=" " * len(lead), lead="")
    if len(found.parts) > _MOST_PARTS:
        page.line((f"… and {len(found.parts) - _MOST_PARTS:,} more: --json lists all", "dim"))


def _days_words(found: Days) -> str:
    first, last = _day(found.first), _day(found.last)
    if found.busiest is None:
        return f"No event from {first} to {last}."
    total, days = number(found.total, "event"), number(len(found.days), "day")
    most = f"{_day(found.busiest)} with {found.days[found.busiest]:,}"
    return f"{total} on {days} from {first} to {last}; the busiest: {most}"


def _day(iso: str) -> str:
    return heading(Period(Level.DAY, date.fromisoformat(iso).toordinal()))
