"""Reads one node: its bullets with their grips, its children, who wrote it, and its state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from memtool.agents.registry import resume_of
from memtool.errors import UsageError
from memtool.model.levels import PERIOD_FORMS, Level, Period, heading, parents_of, place_of
from memtool.model.records import Bullet, EventId, Grip, GripId, NodeId, Recipe
from memtool.model.threads import Thread
from memtool.query.contents import Entry, Tree
from memtool.query.cost import Price, Spent, spent, usage_of_day
from memtool.query.names import SEGMENT_FORM, ShortNames, is_segment, segment_named
from memtool.query.reader import Reader
from memtool.query.threads import Rest, ShownThread, shown_threads
from memtool.store.store import Store

NODE_FORMS = f"{PERIOD_FORMS}, {SEGMENT_FORM}"


class ShownGrip(Struct, frozen=True):
    """A grip, and the shortest beginning of its ID that is unique."""

    id: GripId
    short: str
    events: tuple[EventId, ...]
    start: int
    end: int
    excerpt: str


class FailedNode(Struct, frozen=True):
    """A node that could not be summarized, and why."""

    id: NodeId
    error: str


class Written(Struct, frozen=True):
    """When a node was written, and by which run."""

    time_us: int
    run: str


class NodeFailure(Struct, frozen=True):
    """Why a node could not be written, how often that was tried, and when it is tried again."""

    error: str
    count: int
    retry_us: int


class SegmentFacts(Struct, frozen=True):
    """What a segment is made of."""

    session: str
    project: str
    agent: str
    start_us: int
    end_us: int
    events: tuple[EventId, ...]
    tokens: int


class Resume(Struct, frozen=True):
    """How a session is resumed, and when it began."""

    session: str
    command: str
    time_us: int


class Shown(Struct, frozen=True):
    """One node with all that belongs to it. `recipe` is None if there is no summary yet.

    `holding` is the period itself, of a segment its day.
    """

    exists: bool = False
    id: NodeId | None = None
    level: str | None = None
    scope: str | None = None
    title: str | None = None
    state: tuple[str, ...] = ()
    bullets: tuple[Bullet, ...] = ()
    events: int | None = None
    sessions: int | None = None
    projects: tuple[str, ...] = ()
    also_under: NodeId | None = None
    zone: str = "UTC"
    threads: tuple[ShownThread, ...] = ()
    rest: tuple[Rest, ...] = ()
    """The threads that text does not show, by state."""
    keywords: tuple[str, ...] = ()
    grips: tuple[ShownGrip, ...] = ()
    children: tuple[Entry, ...] = ()
    parents: tuple[NodeId, ...] = ()
    gaps: tuple[FailedNode, ...] = ()
    recipe: Recipe | None = None
    written: Written | None = None
    failure: NodeFailure | None = None
    segment: SegmentFacts | None = None
    resume: tuple[Resume, ...] = ()
    """Of a day: the sessions of the heaviest threads, those that are not finished first."""
    tokens: tuple[Spent, ...] = ()
    """Of a day: what the agents' models took, by model."""
    holding: str = field(name="_holding", default="")
    short_session: str = field(name="_short_session", default="")
    short_projects: Mapping[str, str] = field(name="_short_projects", default_factory=dict)


def show(reader: Reader, text: str, prices: Sequence[Price] = ()) -> Shown:
    """Return the node that the text names; `prices` say what the tokens of a day cost.

    Raise UsageError if there is nothing of that name.
    """
    with reader.memory() as store:
        if store is None:
            if not is_segment(text):
                _named(reader, None, text)
            return Shown()
        cut = segment_named(store, text)
        if cut is not None:
            day = place_of(cut.id).period
            tree = Tree(store, reader, day)
            return _shown(tree, tree.segment(cut, [one.id for one in store.cuts(day.first)]))
        period = _named(reader, store, text)
        tree = Tree(store, reader, period)
        if not tree.holds(period):
            raise UsageError(
                f"nothing was recorded in {heading(period)} ({period.id})",
                hint=f"memtool toc lists what there is; a node is one of: {NODE_FORMS}",
            )
        found = _shown(tree, tree.entry(period), tree.entries_below(period))
        if period.level is not Level.DAY:
            return found
        is_read_live = period in tree.stale
        usages = usage_of_day(store, period.first, is_open=is_read_live)
        return replace(found, tokens=spent((usage for _, usage in usages), prices))


def _named(reader: Reader, store: Store | None, text: str) -> Period:
    try:
        return reader.period(store, text)
    except UsageError as error:
        raise UsageError(f"unknown node: {text}", hint=f"a node is one of: {NODE_FORMS}") from error


def _shown(tree: Tree, entry: Entry, children: Sequence[Entry] = ()) -> Shown:
    store, cut, names = tree.store, entry.cut, ShortNames(tree.store)
    period, scope = place_of(entry.id).period, entry.scope
    node = store.node(entry.id) if cut else tree.node(period)
    write, failure = store.write_of(entry.id), tree.failures.get(entry.id)
    made_of = () if cut else tree.threads(period)
    threads, rest = shown_threads(made_of, period.level)
    bullets, grips = (node.bullets, node.grips) if node else _joined(made_of, threads)
    parents = (period,) if cut else parents_of(period, store.calendar.week_start)
    return Shown(
        exists=True,
        id=entry.id,
        level=entry.level,
        scope=f"{heading(period)} {scope}" if cut else scope,
        title=entry.title,
        state=entry.state,
        bullets=bullets,
        events=entry.events,
        sessions=entry.sessions,
        projects=entry.projects,
        also_under=entry.also_under,
        zone=store.calendar.zone,
        threads=threads,
        rest=rest,
        keywords=node.keywords if node else (),
        grips=tuple(
            ShownGrip(one.id, names.grip(one.id), one.events, one.start, one.end, one.excerpt)
            for one in grips
            if node or next(store.citations(one.id), None) is not None
        ),
        children=tuple(children),
        parents=tuple(parent.id for parent in parents),
        gaps=tuple(
            FailedNode(gap, missing.error if (missing := tree.failures.get(gap)) else "")
            for gap in (node.gaps if node else ())
        ),
        recipe=node.recipe if node else None,
        written=Written(write.written_us, write.run) if node and write else None,
        failure=NodeFailure(failure.error, failure.count, failure.retry_us) if failure else None,
        segment=None
        if cut is None
        else SegmentFacts(
            cut.session, cut.project, cut.agent, cut.start_us, cut.end_us, cut.events, cut.tokens
        ),
        resume=resumes_of(store, (each for each in threads if each.shown))
        if period.level is Level.DAY
        else (),
        holding=period.id,
        short_session=names.session(cut.session) if cut else "",
        short_projects=tree.short_projects,
    )


def _joined(
    made_of: Sequence[Thread], threads: Sequence[ShownThread]
) -> tuple[tuple[Bullet, ...], tuple[Grip, ...]]:
    """Return the bullets and grips of a period that has no node: the points that are shown, and what proves them."""
    bullets = [
        Bullet(point.text, point.grips)
        for thread in threads
        for point in thread.points
        if point.shown
    ]
    proofs = (proof for thread in made_of for point in thread.points for proof in point.proofs)
    grips = {proof.grip.id: proof.grip for proof in proofs}
    cited = {grip for bullet in bullets for grip in bullet.grips}
    return tuple(bullets), tuple(grips[key] for key in sorted(cited))


_MOST_RESUMED = 3
_UNFINISHED = ("open", "in work")


def resumes_of(store: Store, threads: Iterable[ShownThread]) -> tuple[Resume, ...]:
    """Return how the last session of each thread is resumed, of those that are not finished first."""
    found: dict[str, Resume] = {}
    for thread in sorted(threads, key=lambda thread: thread.state not in _UNFINISHED):
        rows = [(row, name) for name in thread.sessions if (row := store.session(name)) is not None]
        if not rows or len(found) == _MOST_RESUMED:
            continue
        row, name = max(rows, key=lambda each: (each[0].last_us, each[1]))
        command = resume_of(row.agents[0], name) if row.agents else ""
        if command:
            found.setdefault(name, Resume(name, command, row.first_us))
    return tuple(found.values())
