"""Reads one node: its bullets with their grips, its children, who wrote it, and its state."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, field

from memtool.errors import UsageError
from memtool.model.levels import PERIOD_FORMS, Period, heading, parents_of, place_of
from memtool.model.records import Bullet, EventId, GripId, NodeId, Recipe
from memtool.model.threads import threads_in
from memtool.query.contents import Entry, Tree
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
    holding: str = field(name="_holding", default="")
    short_session: str = field(name="_short_session", default="")


def show(reader: Reader, text: str) -> Shown:
    """Return the node that the text names.

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
        return _shown(tree, tree.entry(period), tree.entries_below(period))


def _named(reader: Reader, store: Store | None, text: str) -> Period:
    try:
        return reader.period(store, text)
    except UsageError as error:
        raise UsageError(f"unknown node: {text}", hint=f"a node is one of: {NODE_FORMS}") from error


def _shown(tree: Tree, entry: Entry, children: Sequence[Entry] = ()) -> Shown:
    store, node, cut, names = (
        tree.store,
        tree.store.node(entry.id),
        entry.cut,
        ShortNames(tree.store),
    )
    period, scope = place_of(entry.id).period, entry.scope
    write, failure = store.write_of(entry.id), tree.failures.get(entry.id)
    made_of = threads_in(node.body) if node is not None and cut is None else ()
    threads, rest = shown_threads(made_of, period.level)
    parents = (period,) if cut else parents_of(period, store.calendar.week_start)
    return Shown(
        exists=True,
        id=entry.id,
        level=entry.level,
        scope=f"{heading(period)} {scope}" if cut else scope,
        title=entry.title,
        state=entry.state,
        bullets=node.bullets if node else (),
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
            for one in (node.grips if node else ())
        ),
        children=tuple(children),
        parents=tuple(parent.id for parent in parents),
        gaps=tuple(
            FailedNode(gap, missing.error if (missing := tree.failures.get(gap)) else "")
            for gap in (node.gaps if node else ())
        ),
        recipe=node.recipe if node else None,
        written=Written(write.written_us, write.run) if write else None,
        failure=NodeFailure(failure.error, failure.count, failure.retry_us) if failure else None,
        segment=None
        if cut is None
        else SegmentFacts(
            cut.session, cut.project, cut.agent, cut.start_us, cut.end_us, cut.events, cut.tokens
        ),
        holding=period.id,
        short_session=names.session(cut.session) if cut else "",
    )
