"""`memtool show`: one node, with its bullets, their grips, and its state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from memtool.cli.options import JsonOption, invocation, periods
from memtool.cli.output import Page, number, print_json
from memtool.cli.reading import label, read, state_parts
from memtool.model.clock import Clock
from memtool.model.records import GripId, Recipe
from memtool.query.contents import last_part
from memtool.query.node import Shown
from memtool.query.node import show as shown
from memtool.query.threads import ShownThread

VERSION = 2
_MARGIN = "  "
_MOST_GAPS = 10

NodeArgument = Annotated[
    str,
    typer.Argument(
        metavar="NODE",
        autocompletion=periods,
        help="Period such as 2026-11-22, last-week or 2026-11, or segment ID as toc prints it.",
    ),
]


def show(context: typer.Context, node: NodeArgument, *, json: JsonOption = False) -> None:
    """Show one summary: bullets with their grips, children, author and state."""
    call = invocation(context)
    found = read(call, lambda reader: shown(reader, node), as_json=json)
    if json:
        print_json("node", VERSION, found)
        return
    page, clock = Page(call.environ), Clock(found.zone)
    _print_head(page, clock, found)
    if found.threads and found.recipe is not None and found.recipe.summarizer == "extractive":
        _print_threads(page, clock, found)
    elif found.recipe is not None:
        _print_body(page, found)
    _print_children(page, found)
    _print_next(page, found)


def _print_head(page: Page, clock: Clock, found: Shown) -> None:
    title = found.title if found.title is not None else "not summarized yet"
    page.line((found.scope or "", "bold"), " · ", (title, "bold"), *state_parts(found.state))
    for line in _facts(clock, found):
        page.line((line, "dim"), first=_MARGIN)
    for line in _warnings(clock, found):
        page.line((line, "yellow"), first=_MARGIN)


def _facts(clock: Clock, found: Shown) -> Iterator[str]:
    counts = "" if found.events is None else number(found.events, "event")
    if found.segment is not None:
        yield f"{found.id}, {counts}"
        project = found.segment.project or "no project"
        yield f"session {found.short_session} of {found.segment.agent} in {project}"
    else:
        sessions = f" in {number(found.sessions, 'session')}" if found.sessions else ""
        yield ", ".join(part for part in (found.id, f"{counts}{sessions}") if part)
        if found.projects:
            yield f"about {', '.join(sorted(set(map(last_part, found.projects))))}"
    if found.recipe is not None:
        yield _signature(clock, found, found.recipe)


def _signature(clock: Clock, found: Shown, recipe: Recipe) -> str:
    """Return who wrote the node, when, and in which run."""
    details = [part for part in (recipe.model, recipe.prompt, recipe.settings) if part]
    who = f"{recipe.summarizer} ({', '.join(details)})" if details else recipe.summarizer
    if found.written is None:
        return f"written by {who}"
    return f"written {clock.moment(found.written.time_us)} by {who}, run {found.written.run}"


def _warnings(clock: Clock, found: Shown) -> Iterator[str]:
    """Yield what each word of the state means for this node, and what to do."""
    state, job = found.state, "day" if found.segment else found.level
    if "open" in state:
        yield f"open: the {job} has not ended; memtool rollup {job} --include-open summarizes it as it is now"
    elif found.recipe is None:
        yield f"not summarized yet: memtool rollup {job} writes it"
    if "stale" in state:
        more = " --include-open" if "open" in state else ""
        yield f"stale: what it was made from has changed; memtool rollup {job}{more} updates it"
    if "outdated" in state:
        yield f"outdated: another recipe is in force; memtool rollup {job} --force {found.holding} writes it again"
    for gap in found.gaps[:_MOST_GAPS]:
        yield f"incomplete: {gap.id} is missing" + (f" ({gap.error})" if gap.error else "")
    if len(found.gaps) > _MOST_GAPS:
        yield f"incomplete: {len(found.gaps) - _MOST_GAPS} more are missing"
    if found.failure is not None:
        tries, retry = number(found.failure.count, "time"), clock.moment(found.failure.retry_us)
        yield f"failed {tries}: {found.failure.error}; next try after {retry}"


SIGNS = {"delivered": "✔", "open": "○", "in work": "◐", "answered": "·", "dropped": "✗"}
_PREFIXES = {"decision": "decided: ", "open": "open: "}


def _print_threads(page: Page, clock: Clock, found: Shown) -> None:
    """Print the threads by project: headline, facts, then the points with their grips."""
    short = {grip.id: grip.short for grip in found.grips}
    shown = [thread for thread in found.threads if thread.shown]
    for project in dict.fromkeys(thread.project for thread in shown):
        page.blank()
        page.line((last_part(project) or "no project", "bold"))
        for thread in shown:
            if thread.project == project:
                _print_thread(page, clock, thread, short)
    if found.rest:
        page.blank()
        total = sum(rest.threads for rest in found.rest)
        states = ", ".join(f"{rest.threads} {rest.state}" for rest in found.rest)
        page.line(f"and {number(total, 'smaller piece')} of work: {states}")


def _print_thread(page: Page, clock: Clock, thread: ShownThread, short: dict[GripId, str]) -> None:
    requests = [
        f"{each.key}" for each in thread.references if each.kind == "pull request" and each.here
    ]
    sign = SIGNS[thread.state]
    page.line((thread.headline, "bold"), *(f"  {each}" for each in requests), first=f"{sign} ")
    page.line((" · ".join(_thread_facts(clock, thread)), "dim"), first=_DEEP)
    for point in thread.points:
        if point.shown:
            names = " ".join(f"[{short[grip]}]" for grip in point.grips if grip in short)
            page.line(
                _PREFIXES.get(point.kind, "") + point.text, (f"  {names}", "dim"), first=_DEEP
            )


def _thread_facts(clock: Clock, thread: ShownThread) -> Iterator[str]:
    if thread.branch:
        yield thread.branch
    begin, end = clock.moment(thread.first_us), clock.moment(thread.last_us)
    yield begin if begin == end else f"{begin} – {end}"
    if len(thread.sessions) > 1:
        yield number(len(thread.sessions), "session")
    if thread.commits:
        hashes = " ".join(f"@{each.key[:7]}" for each in thread.commits[:1])
        since = f", {number(thread.edits_since, 'edit')} since" if thread.edits_since else ""
        yield f"{number(len(thread.commits), 'commit')} {hashes}{since}"


_DEEP = "    "


def _print_body(page: Page, found: Shown) -> None:
    page.blank()
    short = {grip.id: grip.short for grip in found.grips}
    for bullet in found.bullets:
        page.line(bullet.text, first="• ")
        names = " ".join(short[grip] for grip in bullet.grips)
        what = "grip" if len(bullet.grips) == 1 else "grips"
        page.line((f"{what} {names}", "cyan"), first=_MARGIN)
    if found.keywords:
        page.blank()
        page.line(("Keywords: ", "bold"), ", ".join(found.keywords), rest=_MARGIN)


def _print_children(page: Page, found: Shown) -> None:
    if not found.children:
        return
    page.blank()
    page.line((f"{found.children[0].level.capitalize()}s:", "bold"))
    width = max(len(child.name) for child in found.children) + 1
    for child in found.children:
        page.text(label(child), first=_MARGIN + child.name.ljust(width))


def _print_next(page: Page, found: Shown) -> None:
    page.blank()
    if found.bullets:
        grip = next(grip.short for grip in found.grips if grip.id == found.bullets[0].grips[0])
        page.line((f"The proof of a bullet: memtool grip {grip}", "dim"))
    if found.children:
        page.line((f"One level down: memtool show {found.children[-1].name}", "dim"))
    elif found.segment is not None:
        page.line((f"Its events: memtool events --session {found.short_session}", "dim"))
    else:
        page.line(
            (f"Its events: memtool events --since {found.holding} --until {found.holding}", "dim")
        )
    for parent in found.parents[:1]:
        page.line((f"One level up: memtool show {parent}", "dim"))
