"""Reads one node: its bullets with their grips, its children, who wrote it, and its state."""

from __future__ import annotations

from msgspec import Struct

from memtool.errors import UsageError
from memtool.model.levels import PERIOD_FORMS, Level, Period, heading, parents_of, place_of
from memtool.model.records import Cut, Failure, Grip, Node, NodeId, Write
from memtool.query.contents import Entry, Tree, View
from memtool.query.names import SEGMENT_FORM, ShortNames, is_segment, segment_named
from memtool.query.reader import NoMemoryError, Reader
from memtool.store.store import Store

NODE_FORMS = f"{PERIOD_FORMS}, {SEGMENT_FORM}"


class Shown(Struct, frozen=True):
    """One node with all that belongs to it. `node` is None where nothing was summarised yet.

    `holding` is the period itself, of a segment its day, and `scope` its date in words.
    """

    zone: str
    entry: Entry
    node: Node | None
    holding: NodeId
    scope: str
    parents: tuple[NodeId, ...]
    short_grips: dict[str, str]
    short_session: str
    gaps: dict[NodeId, str]
    write: Write | None
    failure: Failure | None


def show(reader: Reader, text: str) -> Shown:
    """Return the node that the text names.

    Raise UsageError where there is nothing of that name, NoMemoryError where nothing is remembered yet.
    """
    with reader.memory() as store:
        if store is None:
            if not is_segment(text):
                _named(reader, None, text)
            raise NoMemoryError(reader.root)
        view = View(store, reader)
        cut = segment_named(store, text)
        if cut is None:
            period = _named(reader, store, text)
            tree = Tree(view, period)
            if not tree.holds(period):
                raise UsageError(
                    f"nothing was recorded in {heading(period)} ({period.id})",
                    hint=f"memtool toc lists what there is; a node is one of: {NODE_FORMS}",
                )
            return _shown(view, tree.entry(period, 1))
        return _shown(view, _segment(view, cut))


def _segment(view: View, cut: Cut) -> Entry:
    day = place_of(cut.id).period
    rivals = [rival.id for rival in view.store.cuts(day.first)]
    return Tree(view, day).segment(cut, rivals)


def _named(reader: Reader, store: Store | None, text: str) -> Period:
    try:
        return reader.period(store, text)
    except UsageError as error:
        raise UsageError(
            f"{text!r} names no node", hint=f"a node is one of: {NODE_FORMS}"
        ) from error


def _shown(view: View, entry: Entry) -> Shown:
    store, node = view.store, view.store.node(entry.id)
    names = ShortNames(store)
    gaps = node.gaps if node else ()
    return Shown(
        zone=store.calendar.zone,
        entry=entry,
        node=node,
        holding=place_of(entry.id).period.id,
        scope=heading(place_of(entry.id).period),
        parents=_parents(entry, view.week_start),
        short_grips={grip.id: names.grip(grip.id) for grip in _grips(node)},
        short_session=names.session(entry.cut.session) if entry.cut else "",
        gaps={gap: _why(view, gap) for gap in gaps},
        write=store.write_of(entry.id),
        failure=view.failures.get(entry.id),
    )


def _grips(node: Node | None) -> tuple[Grip, ...]:
    return node.grips if node else ()


def _why(view: View, gap: NodeId) -> str:
    failure = view.failures.get(gap)
    return failure.error if failure else ""


def _parents(entry: Entry, week_start: int) -> tuple[NodeId, ...]:
    period = place_of(entry.id).period
    if entry.level is Level.SEGMENT:
        return (period.id,)
    return tuple(parent.id for parent in parents_of(period, week_start))
