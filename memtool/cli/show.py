"""`memtool show`: one node, with its bullets, their grips, and its state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from memtool.cli.options import JsonOption, periods
from memtool.cli.output import Clock, Page, last_part, number, print_json
from memtool.cli.reading import label, reading, recipe_json, scope_of, state_parts, took_in
from memtool.cli.toc import entry_json
from memtool.model.levels import Level
from memtool.model.records import Bullet, Node, Recipe
from memtool.query.contents import Entry
from memtool.query.node import Shown
from memtool.query.node import show as shown
from memtool.query.reader import NoMemoryError

VERSION = 1
_MARGIN = "  "
_MOST_GAPS = 10
_NOTHING: dict[str, object] = {
    "exists": False,
    "id": None,
    "level": None,
    "scope": None,
    "title": None,
    "state": [],
    "bullets": [],
    "events": None,
    "sessions": None,
    "projects": [],
    "also_under": None,
    "zone": "UTC",
    "keywords": [],
    "grips": [],
    "children": [],
    "parents": [],
    "gaps": [],
    "recipe": None,
    "written": None,
    "failure": None,
    "segment": None,
}
"""What --json prints where nothing is remembered yet."""

NodeArgument = Annotated[
    str,
    typer.Argument(
        metavar="NODE",
        autocompletion=periods,
        help="A period such as 2026-11-22, last-week or 2026-11, or a segment's id as toc prints it.",
    ),
]


def show(context: typer.Context, node: NodeArgument, *, json: JsonOption = False) -> None:
    """Show one node: its bullets with their grips, its children, who wrote it, and its state."""
    call, reader = reading(context)
    try:
        found = shown(reader, node)
    except NoMemoryError:
        if not took_in(call, as_json=json):
            print_json("node", VERSION, _NOTHING)
            return
        found = shown(reader, node)
    if json:
        print_json("node", VERSION, _json(found))
        return
    page, clock = Page(call.environ), Clock(found.zone)
    _print_head(page, clock, found)
    if found.node is not None:
        _print_body(page, found, found.node)
    _print_children(page, clock, found.entry)
    _print_next(page, found)


def _print_head(page: Page, clock: Clock, found: Shown) -> None:
    entry = found.entry
    title = entry.title if entry.title is not None else "not summarised yet"
    page.line(
        (_scope(clock, found), "bold"), " · ", (title, "bold"), *state_parts(entry.state.words)
    )
    for line in _facts(clock, found):
        page.line((line, "dim"), first=_MARGIN)
    for line in _warnings(clock, found):
        page.line((line, "yellow"), first=_MARGIN)


def _scope(clock: Clock, found: Shown) -> str:
    entry = found.entry
    return found.scope if entry.cut is None else f"{found.scope} {scope_of(clock, entry)}"


def _facts(clock: Clock, found: Shown) -> Iterator[str]:
    entry = found.entry
    counts = "" if entry.events is None else number(entry.events, "event")
    if entry.cut is not None:
        yield f"{entry.id}, {counts}"
        yield f"session {found.short_session} of {entry.cut.agent} in {entry.cut.project or 'no project'}"
    else:
        sessions = f" in {number(entry.sessions, 'session')}" if entry.sessions else ""
        yield ", ".join(part for part in (entry.id, f"{counts}{sessions}") if part)
        if entry.projects:
            yield f"about {', '.join(sorted(set(map(last_part, entry.projects))))}"
    if found.node is not None:
        yield _signature(clock, found, found.node.recipe)


def _signature(clock: Clock, found: Shown, recipe: Recipe) -> str:
    """Return who wrote the node, from what recipe, when and in which run."""
    details = [part for part in (recipe.model, recipe.prompt, recipe.settings) if part]
    who = f"{recipe.summarizer} ({', '.join(details)})" if details else recipe.summarizer
    if found.write is None:
        return f"written by {who}"
    return f"written {clock.moment(found.write.written_us)} by {who}, run {found.write.run}"


def _warnings(clock: Clock, found: Shown) -> Iterator[str]:
    """Say what each word of the state means for this node, and what to do about it."""
    state, level = found.entry.state, found.entry.level
    job = "day" if level is Level.SEGMENT else level.word
    if state.open:
        yield f"open: the {job} has not ended; memtool rollup {job} --include-open summarises it as it is now"
    elif found.node is None:
        yield f"not summarised yet: memtool rollup {job} does it"
    if state.stale:
        more = " --include-open" if state.open else ""
        yield f"stale: what it was made from has changed; memtool rollup {job}{more} mends it"
    if state.outdated:
        yield f"outdated: another recipe is in force; memtool rollup {job} --force {found.holding} writes it anew"
    for gap, why in list(found.gaps.items())[:_MOST_GAPS]:
        yield f"incomplete: {gap} is missing" + (f" ({why})" if why else "")
    if len(found.gaps) > _MOST_GAPS:
        yield f"incomplete: {len(found.gaps) - _MOST_GAPS} more are missing"
    if found.failure is not None:
        tries, retry = number(found.failure.count, "time"), clock.moment(found.failure.retry_us)
        yield f"failed {tries}: {found.failure.error}; next try after {retry}"


def _print_body(page: Page, found: Shown, node: Node) -> None:
    page.blank()
    for bullet in node.bullets:
        page.line(bullet.text, first="• ")
        page.line((_grips(found, bullet), "cyan"), first=_MARGIN)
    if node.keywords:
        page.blank()
        page.line(("Keywords: ", "bold"), ", ".join(node.keywords), rest=_MARGIN)


def _grips(found: Shown, bullet: Bullet) -> str:
    names = " ".join(found.short_grips[grip] for grip in bullet.grips)
    return f"{'grip' if len(bullet.grips) == 1 else 'grips'} {names}"


def _print_children(page: Page, clock: Clock, entry: Entry) -> None:
    if not entry.children:
        return
    page.blank()
    page.line((f"{entry.children[0].level.word.capitalize()}s:", "bold"))
    width = max(len(child.name) for child in entry.children) + 1
    for child in entry.children:
        page.text(label(clock, child), first=_MARGIN + child.name.ljust(width))


def _print_next(page: Page, found: Shown) -> None:
    page.blank()
    if found.node is not None:
        grip = found.short_grips[found.node.bullets[0].grips[0]]
        page.line((f"The proof of a bullet: memtool grip {grip}", "dim"))
    if found.entry.children:
        page.line((f"One level down: memtool show {found.entry.children[-1].name}", "dim"))
    elif found.entry.cut is not None:
        page.line((f"Its events: memtool events --session {found.short_session}", "dim"))
    else:
        page.line(
            (f"Its events: memtool events --since {found.holding} --until {found.holding}", "dim")
        )
    for parent in found.parents[:1]:
        page.line((f"One level up: memtool show {parent}", "dim"))


def _json(found: Shown) -> dict[str, object]:
    clock = Clock(found.zone)
    entry, node = found.entry, found.node
    return {
        "exists": True,
        **entry_json(clock, entry, deep=False),
        "scope": _scope(clock, found),
        "zone": found.zone,
        "bullets": [{"text": row.text, "grips": list(row.grips)} for row in node.bullets]
        if node
        else [],
        "keywords": list(node.keywords) if node else [],
        "grips": _grips_json(found, node) if node else [],
        "children": [entry_json(clock, child, deep=False) for child in entry.children],
        "parents": list(found.parents),
        "gaps": [{"id": gap, "error": why} for gap, why in found.gaps.items()],
        "recipe": recipe_json(node.recipe) if node else None,
        "written": _written_json(clock, found),
        "failure": _failure_json(clock, found),
        "segment": _segment_json(clock, entry),
    }


def _grips_json(found: Shown, node: Node) -> list[dict[str, object]]:
    return [
        {
            "id": grip.id,
            "short": found.short_grips[grip.id],
            "events": list(grip.events),
            "start": grip.start,
            "end": grip.end,
            "excerpt": grip.excerpt,
        }
        for grip in node.grips
    ]


def _written_json(clock: Clock, found: Shown) -> dict[str, object] | None:
    write = found.write
    return None if write is None else {**clock.both("time", write.written_us), "run": write.run}


def _failure_json(clock: Clock, found: Shown) -> dict[str, object] | None:
    failure = found.failure
    if failure is None:
        return None
    return {"error": failure.error, "count": failure.count, **clock.both("retry", failure.retry_us)}


def _segment_json(clock: Clock, entry: Entry) -> dict[str, object] | None:
    cut = entry.cut
    if cut is None:
        return None
    return {
        "session": cut.session,
        "project": cut.project,
        "agent": cut.agent,
        **clock.both("start", cut.start_us),
        **clock.both("end", cut.end_us),
        "events": list(cut.events),
        "tokens": cut.tokens,
    }
