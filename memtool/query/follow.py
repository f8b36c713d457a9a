"""Reads threads across nodes: one through its days, and what is open in all of them.

There is no index of threads: a parent has the threads of its children, so only the branches of the tree that hold the
thread are read. The lightest threads of a busy year (over 1,000) or month (over 400) are not found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct, field

from memtool.errors import UsageError
from memtool.model.levels import Level, Period, heading, inputs_of
from memtool.model.records import EventId, NodeId
from memtool.model.threads import Item, State, Thread, item_id, join
from memtool.query.contents import Tree
from memtool.query.names import ShortNames, ambiguous, shortest
from memtool.query.node import Resume, ShownGrip, resumes_of
from memtool.query.projects import projects_named
from memtool.query.reader import Reader
from memtool.query.threads import ShownThread, shown_threads
from memtool.store.store import Store

THREAD = "thread:"
QUIET_DAYS = 14
ITEM_DIGITS = 6
"""Digits of an open item's ID that are shown at least."""
_MIN_DIGITS = 4
_DAY_US = 24 * 3600 * 1_000_000


class ThreadDay(Struct, frozen=True):
    """What a day says of a thread."""

    id: NodeId
    scope: str
    thread: ShownThread


class History(Struct, frozen=True):
    """A thread as it is now, and its days, oldest first."""

    exists: bool = False
    zone: str = "UTC"
    thread: ShownThread | None = None
    days: tuple[ThreadDay, ...] = ()
    grips: tuple[ShownGrip, ...] = ()
    resume: tuple[Resume, ...] = ()
    short_projects: Mapping[str, str] = field(name="_short_projects", default_factory=dict)


def followed(reader: Reader, text: str) -> History:
    """Return the thread that the text names by a beginning of its ID or by its branch, through its days.

    Raise UsageError if there is none, or several.
    """
    name = text.removeprefix(THREAD).strip()
    with reader.memory() as store:
        if store is None:
            return History()
        tree = Tree(store, reader, None, counts=False)
        years = tree.all_years()
        whole = _named(join([tree.threads(year) for year in years], Level.YEAR), name)
        held = [day for year in years for day in _days_with(tree, year, whole.id)]
        days: list[ThreadDay] = []
        parts: list[Thread] = []
        for day in held:
            part = next(each for each in tree.threads(day) if each.id == whole.id)
            parts.append(part)
            days.append(ThreadDay(day.id, heading(day), shown_threads([part], Level.DAY)[0][0]))
        return History(
            True,
            store.calendar.zone,
            shown_threads(join([[part] for part in parts], Level.DAY) or [whole], Level.DAY)[0][0],
            tuple(days),
            tuple(_grips(store, days, parts)),
            resumes_of(store, [each.thread for each in days[-1:]]),
            tree.short_projects,
        )


def _named(threads: tuple[Thread, ...], name: str) -> Thread:
    found = [each for each in threads if name and each.branch == name]
    if not found and len(name) >= _MIN_DIGITS:
        found = [each for each in threads if each.id.startswith(name.lower())]
    if not found:
        raise UsageError(
            f"there is no thread {name}",
            hint="a thread is named by its branch, or by the first digits of its ID: memtool show prints both",
        )
    if len(found) > 1:
        raise ambiguous(name, "threads", [f"{THREAD}{each.id}" for each in found])
    return found[0]


def _days_with(tree: Tree, period: Period, thread: str) -> Iterator[Period]:
    """Yield the days below a period that hold the thread, oldest first."""
    if all(each.id != thread for each in tree.threads(period)):
        return
    if period.level is Level.DAY:
        yield period
        return
    for below in inputs_of(period, tree.store.calendar.week_start):
        if tree.holds(below):
            yield from _days_with(tree, below, thread)


def _grips(store: Store, days: list[ThreadDay], parts: list[Thread]) -> Iterator[ShownGrip]:
    """Yield the grips of what is shown, those that a node cites."""
    names = ShortNames(store)
    cited = {
        grip for day in days for point in day.thread.points if point.shown for grip in point.grips
    }
    proofs = (proof for part in parts for point in part.points for proof in point.proofs)
    found = {proof.grip.id: proof.grip for proof in proofs if proof.grip.id in cited}
    for grip_id, grip in sorted(found.items()):
        if next(store.citations(grip_id), None) is not None:
            yield ShownGrip(
                grip_id, names.grip(grip_id), grip.events, grip.start, grip.end, grip.excerpt
            )


class OpenPoint(Struct, frozen=True):
    """Something that a thread left open, the events that say so, and the grips by which a node proves it.

    `short` is the beginning of the ID by which a person settles it.
    """

    id: str
    text: str
    time_us: int
    events: tuple[EventId, ...]
    grips: tuple[str, ...]
    short: str = field(name="_short", default="")


class OpenThread(Struct, frozen=True):
    """A thread with open points, oldest first; `quiet` if nothing was heard of it for two weeks."""

    id: str
    headline: str
    project: str
    branch: str
    state: State
    last_us: int
    quiet: bool
    points: tuple[OpenPoint, ...]


class OpenThreads(Struct, frozen=True):
    """What is open, by project, oldest first."""

    exists: bool = False
    zone: str = "UTC"
    threads: tuple[OpenThread, ...] = ()
    short_projects: Mapping[str, str] = field(name="_short_projects", default_factory=dict)


def open_threads(reader: Reader, project: str = "", here: str = "") -> OpenThreads:
    """Return what is open in all threads that were not dropped, or only in those of a project.

    It is named as `projects_named` takes it. Raise UsageError for none.
    """
    with reader.memory() as store:
        if store is None:
            return OpenThreads()
        tree, names = Tree(store, reader, None, counts=False), ShortNames(store)
        threads = _open_ones(tree)
        projects = projects_named(store, project, here) if project else None
        ids = [item_id(thread.id, item.key) for thread in threads for item in thread.open_items]
        found = [
            _open(thread, reader.now_us, names, ids)
            for thread in threads
            if projects is None or projects.hold(thread.session, thread.project)
        ]
        found.sort(
            key=lambda each: (
                tree.short_projects.get(each.project, ""),
                each.points[0].time_us,
                each.id,
            )
        )
        return OpenThreads(True, store.calendar.zone, tuple(found), tree.short_projects)


def _open_ones(tree: Tree) -> list[Thread]:
    threads = join([tree.threads(year) for year in tree.all_years()], Level.YEAR)
    return [thread for thread in threads if thread.open_items and thread.state != "dropped"]


def is_quiet(thread: Thread, now_us: int) -> bool:
    """Return whether nothing was heard of the thread for so long that it is listed apart."""
    return now_us - thread.last_us > QUIET_DAYS * _DAY_US


def _open(thread: Thread, now_us: int, names: ShortNames, ids: Sequence[str]) -> OpenThread:
    items = sorted(thread.open_items, key=lambda item: (item.time_us, item.key))
    return OpenThread(
        thread.id,
        thread.headline,
        thread.project,
        thread.branch,
        thread.state,
        thread.last_us,
        is_quiet(thread, now_us),
        tuple(_point(item_id(thread.id, item.key), item, names, ids) for item in items),
    )


def _point(point_id: str, item: Item, names: ShortNames, ids: Sequence[str]) -> OpenPoint:
    cited = [
        proof.grip.id
        for proof in item.proofs
        if next(names.store.citations(proof.grip.id), None) is not None
    ]
    return OpenPoint(
        point_id,
        item.text,
        item.time_us,
        tuple(proof.event for proof in item.proofs),
        tuple(map(names.grip, cited)),
        shortest(point_id, ids, at_least=ITEM_DIGITS),
    )


class Standing(NamedTuple):
    """An open item that was named, and each day on which it stands: when it was said last there."""

    thread: Thread
    item: Item
    times_us: tuple[int, ...]


def named_items(store: Store, reader: Reader, texts: Sequence[str]) -> list[Standing]:
    """Return the open items that the texts name: by an ID, a grip, or `thread:` for all of a thread.

    Raise UsageError if there is none of a name, or if it may mean several.
    """
    tree = Tree(store, reader, None, counts=False)
    every = [(thread, item) for thread in _open_ones(tree) for item in thread.open_items]
    found: dict[str, tuple[Thread, Item]] = {}
    for text in texts:
        for thread, item in _named_by(text.strip("[] ").lower(), every):
            found[item_id(thread.id, item.key)] = thread, item
    return [
        Standing(thread, item, tuple(_times(tree, thread, item)) or (item.time_us,))
        for thread, item in found.values()
    ]


def _named_by(text: str, every: Sequence[tuple[Thread, Item]]) -> Sequence[tuple[Thread, Item]]:
    digits = text.removeprefix(THREAD)
    if text.startswith(THREAD):
        found = [
            row for row in every if digits in {row[0].id[: len(digits)], row[0].branch.lower()}
        ]
        several = {row[0].id for row in found}
    else:
        found = [row for row in every if item_id(row[0].id, row[1].key).startswith(digits)]
        found = found or [
            row for row in every if any(proof.grip.id.startswith(digits) for proof in row[1].proofs)
        ]
        several = {item_id(row[0].id, row[1].key) for row in found}
    if len(digits) < _MIN_DIGITS or not found:
        raise UsageError(f"nothing open is named {text}", hint="memtool open --all lists the IDs")
    if len(several) > 1:
        raise ambiguous(text, "open items", sorted(several))
    return found


def _times(tree: Tree, thread: Thread, item: Item) -> Iterator[int]:
    """Yield when the item was said last, for each day on which it stands."""
    for year in tree.all_years():
        for day in _days_with(tree, year, thread.id):
            part = next(each for each in tree.threads(day) if each.id == thread.id)
            yield from (each.time_us for each in part.open_items if each.key == item.key)
