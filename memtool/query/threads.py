"""The threads of a node as they are shown: what fits the words of its level, and the rest by state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from memtool.model.levels import Level
from memtool.model.records import GripId
from memtool.model.shown import View, view_of
from memtool.model.threads import Item, Kind, Point, Reference, State, Thread


class ShownPoint(Struct, frozen=True):
    """A statement of a thread, and the grips that prove it."""

    kind: Kind
    text: str
    time_us: int
    weight: float
    shown: bool
    grips: tuple[GripId, ...]


class ShownReference(Struct, frozen=True):
    """A commit, pull request or issue; `here`: it was made in this thread."""

    kind: str
    key: str
    text: str
    time_us: int
    verb: str
    url: str
    number: int
    here: bool


class OpenItem(Struct, frozen=True):
    """Something that stands open."""

    key: str
    text: str
    time_us: int


class ShownThread(Struct, frozen=True):
    """One piece of work; `shown` if text shows it. `edits_since` are those after the last delivery."""

    id: str
    headline: str
    project: str
    branch: str
    state: State
    shown: bool
    first_us: int
    last_us: int
    points: tuple[ShownPoint, ...]
    open: tuple[OpenItem, ...]
    references: tuple[ShownReference, ...]
    files: tuple[tuple[str, int], ...]
    sessions: tuple[str, ...]
    edits: int
    edits_since: int

    @property
    def commits(self) -> tuple[ShownReference, ...]:
        """The commits that were made."""
        return tuple(each for each in self.references if each.kind == "commit")


class Rest(Struct, frozen=True):
    """How many threads of a state are not shown."""

    state: State
    threads: int


def shown_threads(
    threads: Sequence[Thread], level: Level
) -> tuple[tuple[ShownThread, ...], tuple[Rest, ...]]:
    """Return all threads of a node, the shown ones first, and how many others there are of each state."""
    view = view_of(threads, level)
    found = list(_shown(view))
    told = {thread.id for thread in found}
    found += [_thread(each, (), shown=False) for each in threads if each.id not in told]
    return tuple(found), tuple(Rest(state, count) for state, count in view.rest)


def _shown(view: View) -> Iterator[ShownThread]:
    for thread, points in view.threads:
        yield _thread(thread, points, shown=True)


def _thread(thread: Thread, points: Sequence[Point], *, shown: bool) -> ShownThread:
    return ShownThread(
        id=thread.id,
        headline=thread.headline,
        project=thread.project,
        branch=thread.branch,
        state=thread.state,
        shown=shown,
        first_us=thread.first_us,
        last_us=thread.last_us,
        points=tuple(_point(point, shown=point in points) for point in thread.points),
        open=tuple(_open(item) for item in thread.open_items),
        references=tuple(_reference(each) for each in thread.references),
        files=thread.files,
        sessions=thread.sessions,
        edits=thread.edits,
        edits_since=thread.since,
    )


def _point(point: Point, *, shown: bool) -> ShownPoint:
    grips = tuple(proof.grip.id for proof in point.proofs)
    return ShownPoint(point.kind, point.text, point.time_us, point.weight, shown, grips)


def _open(item: Item) -> OpenItem:
    return OpenItem(item.key, item.text, item.time_us)


def _reference(each: Reference) -> ShownReference:
    return ShownReference(
        each.kind, each.key, each.text, each.time_us, each.verb, each.url, each.number, each.here
    )
