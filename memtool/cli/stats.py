"""`memtool stats`: how much is kept, of whom, on how much disk, and how much of it in the last 12 months."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated

import typer

from memtool.cli.options import Invocation, JsonOption
from memtool.cli.output import Clock, Page, last_part, number, print_json, progress
from memtool.cli.reading import reading, recipe_json, took_in
from memtool.cli.summarizers import signed
from memtool.model.levels import WEEKDAYS, Level, Period, heading
from memtool.query.reader import Reader
from memtool.query.stats import By, Part, Stats, Window
from memtool.query.stats import stats as stats_of
from memtool.text import size

VERSION = 1
_LABEL = 12
_MOST_PARTS = 20
_LEAST_SHARE = 1000


YearOption = Annotated[
    int | None,
    typer.Option(min=1970, max=2199, metavar="Y", help="A year. Default: the last 12 months."),
]
ByOption = Annotated[By | None, typer.Option("--by", help="Count the events of each one, too.")]


def stats(
    context: typer.Context,
    *,
    year: YearOption = None,
    by: ByOption = None,
    json: JsonOption = False,
) -> None:
    """Show how much is kept, of whom and on how much disk, and how much of it in the last 12 months."""
    call, reader = reading(context)
    found = _counted(call, reader, year, by)
    if not found.exists and took_in(call, as_json=json):
        found = _counted(call, reader, year, by)
    if json:
        print_json("stats", VERSION, _json(found))
    else:
        page = Page(call.environ)
        _print_counts(page, found)
        _print_nodes(page, found)
        _print_disk(page, found)
        _print_parts(page, found, by)
        page.blank()
        page.line(_window_words(found.window))


def _counted(call: Invocation, reader: Reader, year: int | None, by: By | None) -> Stats:
    with progress(call.environ, "counting events") as show:
        return stats_of(reader, year=year, by=by, on_progress=lambda part: show(f"{part:.0%}"))


def _print_counts(page: Page, found: Stats) -> None:
    clock = Clock(found.calendar.zone)
    span = ""
    if found.span_us is not None:
        first_us, last_us = found.span_us
        span = f", from {clock.day(first_us)} to {clock.day(last_us)}"
    agents = ", ".join(f"{name} {number(count, 'session')}" for name, count in found.agents.items())
    _row(page, "Events", f"{found.events:,}{span}")
    _row(page, "Sessions", f"{found.sessions:,}")
    _row(page, "Projects", f"{found.projects:,}")
    _row(page, "Agents", f"{len(found.agents):,}{f': {agents}' if agents else ''}")
    damaged = f", {found.damaged_sources:,} of them damaged" if found.damaged_sources else ""
    _row(page, "Transcripts", f"{found.sources:,}{damaged}")
    if found.tombstones:
        words = (f"{count:,} {reason}" for reason, count in sorted(found.tombstones.items()))
        _row(page, "Taken away", ", ".join(words))


def _row(page: Page, label: str, text: str) -> None:
    page.line(text, first=label.ljust(_LABEL), rest=" " * _LABEL, lead="bold")


def _print_nodes(page: Page, found: Stats) -> None:
    """Print how many nodes of each level each recipe wrote, and what waits."""
    written = [one for one in found.made.written if one.nodes]
    if written:
        page.blank()
        heads = [f"{level.word}s".upper() for level in Level]
        page.row([(" ".join(f"{head:>8}" for head in heads) + "  RECIPE", "dim")])
    for one in written:
        cells = " ".join(f"{one.nodes.get(level, 0) or '-':>8}" for level in Level)
        current = "" if one.is_current else "; outdated"
        text = f"{signed(one.recipe)}{current}"
        page.line(text, first=f"{cells}  ", rest=" " * (len(cells) + 2), lead="")
    waiting = [f"{number(count, level.word)} stale" for level, count in found.stale.items()]
    waiting += [f"{number(found.failed, 'node')} failed"] if found.failed else []
    if waiting:
        page.line((f"{', '.join(waiting)}: memtool rollup all", "yellow"))


def _print_disk(page: Page, found: Stats) -> None:
    disk = found.disk
    page.blank()
    families = {
        name: held for name, held in disk.families.items() if held * _LEAST_SHARE > disk.total
    }
    rows = sorted(families.items(), key=lambda row: -row[1])
    parts = [f"{name} {size(held)}" for name, held in rows]
    parts += [f"log and lists {size(disk.other)}", f"ledger {size(disk.ledger)}"]
    _row(page, "Disk", f"{size(disk.total)}: {', '.join(parts)}")


def _print_parts(page: Page, found: Stats, by: By | None) -> None:
    if by is None or found.parts is None:
        return
    clock = Clock(found.calendar.zone)
    page.blank()
    heads = f"{'EVENTS':>9} {'SESSIONS':>8}  {'FIRST':<10}  {'LAST':<10}  {by.value.upper()}"
    page.row([(heads, "dim")])
    for part in found.parts[:_MOST_PARTS]:
        dates = f"{clock.date(part.first_us)}  {clock.date(part.last_us)}"
        lead = f"{part.events:>9,} {part.sessions:>8,}  {dates}  "
        name = last_part(part.name) if by is By.PROJECT else part.name
        page.line(name, first=lead, rest=" " * len(lead), lead="")
    if len(found.parts) > _MOST_PARTS:
        page.line((f"… and {len(found.parts) - _MOST_PARTS:,} more: --json lists all", "dim"))


def _window_words(window: Window) -> str:
    first, last = (heading(Period(Level.DAY, day)) for day in (window.first, window.last))
    if not window.days:
        return f"No event from {first} to {last}."
    total = number(sum(window.days.values()), "event")
    days = number(len(window.days), "day")
    day = busiest(window.days)
    most = f"{heading(Period(Level.DAY, day))} with {window.days[day]:,}"
    return f"{total} on {days} from {first} to {last}; the busiest: {most}"


def busiest(days: Mapping[int, int]) -> int:
    """Return the day with most events, the latest of equal ones."""
    return max(days, key=lambda day: (days[day], day))


def _json(found: Stats) -> dict[str, object]:
    clock = Clock(found.calendar.zone)
    first_us, last_us = found.span_us or (None, None)
    bounds = {
        **({} if first_us is None else clock.both("first", first_us)),
        **({} if last_us is None else clock.both("last", last_us)),
    }
    return {
        "exists": found.exists,
        "zone": found.calendar.zone,
        "events": found.events,
        **({"first_us": None, "first": None, "last_us": None, "last": None} | bounds),
        "sessions": found.sessions,
        "projects": found.projects,
        "agents": found.agents,
        "sources": found.sources,
        "damaged_sources": found.damaged_sources,
        "tombstones": found.tombstones,
        "recipes": [
            {
                **recipe_json(one.recipe),
                "current": one.is_current,
                "nodes": _by_level(one.nodes),
            }
            for one in found.made.written
        ],
        "stale": _by_level(found.stale),
        "outdated": _by_level(found.made.outdated.nodes),
        "failed": found.failed,
        "disk": _disk_json(found),
        "parts": None if found.parts is None else [_part_json(clock, part) for part in found.parts],
        "calendar": _calendar_json(found),
    }


def _by_level(counts: Mapping[Level, int]) -> dict[str, int]:
    return {level.word: counts.get(level, 0) for level in Level}


def _disk_json(found: Stats) -> dict[str, object]:
    disk = found.disk
    return {
        "families": disk.families,
        "other_bytes": disk.other,
        "ledger_bytes": disk.ledger,
        "total_bytes": disk.total,
    }


def _part_json(clock: Clock, part: Part) -> dict[str, object]:
    return {
        "name": part.name,
        "events": part.events,
        "sessions": part.sessions,
        **clock.both("first", part.first_us),
        **clock.both("last", part.last_us),
    }


def _calendar_json(found: Stats) -> dict[str, object]:
    window = found.window
    return {
        "from": _iso(window.first),
        "to": _iso(window.last),
        "week_starts_on": WEEKDAYS[found.calendar.week_start],
        "total": sum(window.days.values()),
        "busiest": _iso(busiest(window.days)) if window.days else None,
        "days": {_iso(day): count for day, count in sorted(window.days.items())},
    }


def _iso(day: int) -> str:
    return date.fromordinal(day).isoformat()
