"""`memtool show`: one node, with its threads, their points and grips, and its state; or one thread through its days."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from memtool.cli.cost import in_words, prices_of
from memtool.cli.options import Invocation, JsonOption, invocation, periods
from memtool.cli.output import Page, cleaned, note, number, print_json
from memtool.cli.reading import (
    STATE_COLOURS,
    counted,
    label,
    read,
    reader_of,
    sign,
    state_parts,
    threads_by_state,
)
from memtool.context import RunContext
from memtool.errors import OK, ExitCode
from memtool.model.clock import Clock
from memtool.model.records import GripId, Recipe
from memtool.model.shown import PREFIXES
from memtool.query.contents import by_state
from memtool.query.follow import THREAD, History, followed
from memtool.query.names import THREAD_DIGITS
from memtool.query.node import Resume, Shown
from memtool.query.node import show as shown
from memtool.query.threads import ShownPoint, ShownReference, ShownThread
from memtool.summarize import SUMMARIZERS, make

VERSION = 2
_MARGIN = "  "
_OF_THREADS = {row.name for row in SUMMARIZERS} - {"mock"}
"""What a mock writes, and what no row of the table wrote, is printed as its bullets."""
_MOST_GAPS = 10

NodeArgument = Annotated[
    str,
    typer.Argument(
        metavar="NODE",
        autocompletion=periods,
        help="Period such as 2026-11-22, last-week or 2026-11, segment ID as toc prints it, thread:BRANCH or :ID.",
    ),
]


def _summarizers() -> list[tuple[str, str]]:
    """Offer the summarizers."""
    return [(row.name, row.about) for row in SUMMARIZERS]


WithOption = Annotated[
    str,
    typer.Option(
        "--with",
        metavar="NAME",
        autocompletion=_summarizers,
        help="Print what this summarizer would say about a period. Writes no summary.",
    ),
]


def show(
    context: typer.Context,
    node: NodeArgument,
    *,
    with_: WithOption = "",
    json: JsonOption = False,
) -> ExitCode:
    """Show one summary: what was worked on, what came of it, what proves it. Or follow one thread.

    With --with, a model is asked about each day of the period, within the budgets."""
    call = invocation(context)
    if with_:
        return _show_with(call, node, with_, as_json=json)
    _show(call, node, as_json=json)
    return OK


def _show_with(call: Invocation, text: str, name: str, *, as_json: bool) -> ExitCode:
    """Print what another summarizer would say."""
    from memtool.cli.running import conclude, outcome_json, run
    from memtool.query.preview import of_preview, period_to_preview
    from memtool.rollup.configured import budget_of, options_of
    from memtool.rollup.preview import Preview, preview

    summarizer = make(name, options_of(call.config, call.environ, call.store.root, name=name))
    reader = reader_of(call)
    period = period_to_preview(reader, text)
    if period is None:
        _show(call, text, as_json=as_json)  # it offers to begin, or says how
        return OK
    made: list[Preview] = []
    settings, budget = call.config.summarizer, budget_of(call.config, None)

    def body(running: RunContext) -> None:
        assert period is not None
        found = preview(running, period, summarizer, budget, at_once=settings.concurrency)
        made.append(found)

    outcome = run(call, "preview", body, waits=True)
    if made:
        found = of_preview(reader, period, made[0])
        took = {"calls": made[0].calls, "tokens": made[0].tokens}
        if as_json:
            print_json("preview", 1, {**outcome_json(outcome), **took, "node": found})
        else:
            _print_page(call, found)
            if made[0].calls:
                note(f"{number(made[0].calls, 'call')}, {number(made[0].tokens, 'token')}.")
    return conclude(outcome)


def _show(call: Invocation, node: str, *, as_json: bool) -> None:
    if node.startswith(THREAD):
        history = read(call, lambda reader: followed(reader, node), as_json=as_json)
        if as_json:
            print_json("thread", 1, history)
        elif history.thread is not None:
            _print_history(Page(call.environ), history)
        return
    prices = prices_of(call)
    found = read(call, lambda reader: shown(reader, node, prices), as_json=as_json)
    if as_json:
        print_json("node", VERSION, found)
        return
    _print_page(call, found)


def _print_page(call: Invocation, found: Shown) -> None:
    page, clock = Page(call.environ), Clock(found.zone)
    has_threads = bool(found.threads) and (
        found.recipe is None or found.recipe.summarizer in _OF_THREADS
    )
    _print_head(page, clock, found)
    if has_threads:
        _print_threads(page, clock, found)
    elif found.recipe is not None:
        _print_body(page, found)
    _print_children(page, found, has_threads=has_threads)
    _print_next(page, clock, found)


def _print_head(page: Page, clock: Clock, found: Shown) -> None:
    title = found.title if found.title is not None else "not summarized yet"
    page.line((found.scope or "", "bold"), " · ", (title, "bold"), *state_parts(found.state))
    if found.threads:
        page.line((" · ".join(_counts(found)), "dim"))
    else:
        for line in _facts(clock, found):
            page.line((line, "dim"), first=_MARGIN)
    for line in _warnings(clock, found):
        page.line((line, "yellow"), first=_MARGIN)


def _counts(found: Shown) -> Iterator[str]:
    """Yield how much a period was: sessions, threads by state, what was delivered."""
    if found.sessions:
        yield number(found.sessions, "session")
    yield threads_by_state(by_state(each.state for each in found.threads))
    made = {
        (each.kind, each.key)
        for thread in found.threads
        for each in thread.references
        if each.kind == "commit" or each.here
    }
    for kind in ("commit", "pull request", "issue"):
        count = sum(each == kind for each, _ in made)
        if count:
            yield number(count, kind)


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
            yield f"about {', '.join(sorted({found.short_projects.get(name, name) for name in found.projects}))}"
    if found.tokens:
        yield in_words(found.tokens)
    if found.recipe is not None:
        yield _signature(clock, found, found.recipe)


def _signature(clock: Clock, found: Shown, recipe: Recipe) -> str:
    """Return who wrote the node, when, and in which run."""
    details = [part for part in (recipe.model, recipe.prompt, recipe.settings) if part]
    who = f"{recipe.summarizer} ({', '.join(details)})" if details else recipe.summarizer
    if found.written is None:
        return f"by {who}" if "preview" in found.state else f"written by {who}"
    return f"written {clock.moment(found.written.time_us)} by {who}, run {found.written.run}"


def _warnings(clock: Clock, found: Shown) -> Iterator[str]:
    """Yield what each word of the state means for this node, and what to do."""
    state, job = found.state, "day" if found.segment else found.level
    if "preview" in state and found.recipe is not None:
        yield f"preview: what {found.recipe.summarizer} would say; nothing was written"
        return
    if "open" in state and found.threads and "stale" not in state:
        yield f"open: the {job} has not ended; this is how it stands now"
    elif "open" in state:
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


_DEEP = "    "


def _print_threads(page: Page, clock: Clock, found: Shown) -> None:
    """Print the threads by project: headline, facts, then the points with their grips."""
    short = {grip.id: grip.short for grip in found.grips}
    shown = [thread for thread in found.threads if thread.shown]
    names = {
        thread.id: found.short_projects.get(thread.project, thread.project) for thread in shown
    }
    for name in dict.fromkeys(names.values()):
        page.blank()
        page.line((name, "bold"))
        for thread in shown:
            if names[thread.id] == name:
                _print_thread(page, clock, thread, short, level=found.level or "")
    if found.rest:
        page.blank()
        total = sum(rest.threads for rest in found.rest)
        states = counted({rest.state: rest.threads for rest in found.rest})
        page.line(f"and {number(total, 'smaller piece')} of work: {states}")


def _print_thread(
    page: Page, clock: Clock, thread: ShownThread, short: dict[GripId, str], *, level: str
) -> None:
    page.text(
        cleaned((thread.headline, "bold")),
        first=f"{sign(page, thread.state)} ",
        lead=STATE_COLOURS[thread.state],
        right=" ".join(f"#{each.number}" for each in _requests(thread)) or None,
        url="".join(each.url for each in _requests(thread)[-1:]),
    )
    page.line((" · ".join(_thread_facts(clock, thread, level)), "dim"), first=_DEEP)
    _print_points(page, thread.points, short)


def _print_points(page: Page, points: Sequence[ShownPoint], short: dict[GripId, str]) -> None:
    for point in points:
        if point.shown:
            names = " ".join(f"[{short[grip]}]" for grip in point.grips if grip in short)
            page.line(
                PREFIXES.get(point.kind, "") + point.text,
                (f"  {names}" if names else "", "dim"),
                first=_DEEP,
                rest=_DEEP + _MARGIN,
            )


def _requests(thread: ShownThread) -> list[ShownReference]:
    """Return the last pull requests that were opened here, as many as stand beside a headline."""
    opened = [
        each
        for each in thread.references
        if each.kind == "pull request" and each.here and each.number
    ]
    return opened[-_MOST_BESIDE:]


_MOST_BESIDE = 2


def _thread_facts(clock: Clock, thread: ShownThread, level: str) -> Iterator[str]:
    yield thread.branch or f"thread:{thread.id[:THREAD_DIGITS]}"
    if {point.kind for point in thread.points} == {"note"}:
        yield "noted by hand"
    if level != "day":
        yield clock.dates(thread.first_us, thread.last_us)
    else:
        first, last = clock.minute(thread.first_us), clock.minute(thread.last_us)
        yield first if first == last else f"{first}–{last}"
    if len(thread.sessions) > 1:
        yield number(len(thread.sessions), "session")
    if thread.commits:
        hashes = " ".join(f"@{each.key[:7]}" for each in thread.commits[:_MOST_BESIDE])
        more = " …" if len(thread.commits) > _MOST_BESIDE else ""
        since = f", {number(thread.edits_since, 'edit')} since" if thread.edits_since else ""
        yield f"{number(len(thread.commits), 'commit')} {hashes}{more}{since}"


def _print_body(page: Page, found: Shown) -> None:
    page.blank()
    short = {grip.id: grip.short for grip in found.grips}
    for bullet in found.bullets:
        page.line(bullet.text, first="• ")
        names = " ".join(short[grip] for grip in bullet.grips)
        what = "grip" if len(bullet.grips) == 1 else "grips"
        if names:
            page.line((f"{what} {names}", "cyan"), first=_MARGIN)
    if found.keywords:
        page.blank()
        page.line(("Keywords: ", "bold"), ", ".join(found.keywords), rest=_MARGIN)


def _print_children(page: Page, found: Shown, *, has_threads: bool) -> None:
    """Print what is one level down; the segments of a day say nothing that its threads do not."""
    if not found.children or (has_threads and found.level == "day"):
        return
    page.blank()
    page.line((f"{found.children[0].level.capitalize()}s:", "bold"))
    width = max(len(child.name) for child in found.children) + 1
    for child in found.children:
        page.text(label(page, child), first=_MARGIN + child.name.ljust(width))


def _print_next(page: Page, clock: Clock, found: Shown) -> None:
    page.blank()
    for line in _facts(clock, found) if found.threads else ():
        page.line((line, "dim"))
    _print_resumes(page, clock, found.resume, found.holding)
    grip = next(
        (grip.short for bullet in found.bullets for grip in found.grips if grip.id in bullet.grips),
        "",
    )
    if grip:
        what = "point" if found.threads else "bullet"
        page.line((f"The proof of a {what}: memtool grip {grip}", "dim"))
    if found.children and found.level != "day":
        page.line((f"One level down: memtool show {found.children[-1].name}", "dim"))
    elif found.children:
        page.line((f"Its segments: memtool toc {found.id}", "dim"))
    elif found.segment is not None:
        page.line((f"Its events: memtool events --session {found.short_session}", "dim"))
    else:
        page.line(
            (f"Its events: memtool events --since {found.holding} --until {found.holding}", "dim")
        )
    for parent in found.parents[:1]:
        page.line((f"One level up: memtool show {parent}", "dim"))


def _print_resumes(page: Page, clock: Clock, found: Sequence[Resume], day: str = "") -> None:
    """Print the commands that resume sessions, one a line, and when they began: a time alone is of this day."""
    for index, each in enumerate(found):
        is_here = day.endswith(clock.date(each.time_us))
        began = "" if is_here else f"{clock.dates(each.time_us, each.time_us)} "
        page.line(
            each.command,
            (f"  {began}{clock.minute(each.time_us)}", "dim"),
            first=" " * len("Resume: ") if index else "Resume: ",
        )


def _print_history(page: Page, found: History) -> None:
    """Print a thread: what it came to, then each of its days."""
    clock, whole = Clock(found.zone), found.thread
    assert whole is not None
    page.text(
        cleaned((whole.headline, "bold")),
        first=f"{sign(page, whole.state)} ",
        lead=STATE_COLOURS[whole.state],
        right=" ".join(f"#{each.number}" for each in _requests(whole)) or None,
        url="".join(each.url for each in _requests(whole)[-1:]),
    )
    facts = (
        whole.state,
        found.short_projects.get(whole.project, whole.project),
        *_thread_facts(clock, whole, ""),
    )
    page.line((" · ".join(facts), "dim"), first=_DEEP)
    short = {grip.id: grip.short for grip in found.grips}
    for each in found.days:
        page.blank()
        part = each.thread
        commits = number(len(part.commits), "commit") if part.commits else ""
        more = "".join(f" · {one}" for one in (part.state, commits) if one)
        page.line(
            (each.scope, "bold"),
            (f"  {sign(page, part.state)}", STATE_COLOURS[part.state]),
            (f" {clock.minute(part.first_us)}–{clock.minute(part.last_us)}{more}", "dim"),
        )
        if part.headline != whole.headline:
            page.line(part.headline, first=_DEEP)
        _print_points(page, part.points, short)
    page.blank()
    page.line((f"thread:{whole.id}", "dim"))
    _print_resumes(page, clock, found.resume)
    for each in found.days[-1:]:
        page.line((f"All of that day: memtool show {each.id}", "dim"))
