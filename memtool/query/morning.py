"""What a person asks in the morning: what was done on the last day worked, where it was left, and what is new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct, field

from memtool.model.levels import Level, Period, heading
from memtool.model.records import FIRST_INSTANT_US, NodeId, is_by_hand
from memtool.model.threads import State, Thread, item_id, join
from memtool.query.contents import Tree, by_state
from memtool.query.follow import is_quiet
from memtool.query.projects import Projects, projects_named
from memtool.query.reader import Reader
from memtool.query.threads import ShownThread, shown_threads
from memtool.store.store import Store

if TYPE_CHECKING:
    from memtool.query.left_off import LeftOff

MOST_BACK = 20_000
"""The last day worked is looked for among so many events."""
MOST_DAYS = 31


class Work(Struct, frozen=True):
    """What was done in some days: all threads, those first that are shown. `scope` names the days in words."""

    scope: str
    first_us: int
    last_us: int
    threads: tuple[ShownThread, ...]
    states: Mapping[State, int]
    sessions: int
    commits: int
    pull_requests: int


class Told(Struct, frozen=True):
    """Something that was delivered, or that stands open, and its thread."""

    id: str
    text: str
    thread: str
    headline: str
    project: str
    time_us: int


class News(Struct, frozen=True):
    """What was delivered and what became open since the last look."""

    since_us: int
    delivered: tuple[Told, ...]
    open: tuple[Told, ...]


class Look(Struct, frozen=True):
    """When somebody looked, and the newest event that was there then."""

    time_us: int
    newest_us: int


class Morning(Struct, frozen=True):
    """The morning page. `is_yesterday`: the last day worked is yesterday. `news` is None before the second look."""

    exists: bool = False
    zone: str = "UTC"
    store: str = ""
    day: NodeId | None = None
    is_yesterday: bool = False
    work: Work | None = None
    left_off: LeftOff | None = None
    news: News | None = None
    open: int = 0
    newest_us: int = 0
    short_projects: Mapping[str, str] = field(name="_short_projects", default_factory=dict)


def morning(reader: Reader, looks: Mapping[str, Look]) -> Morning:
    """Return the morning page; `looks` are the last looks by the ID of the store."""
    from memtool.query.left_off import left_off  # it reads turns: a stand-up needs no such tables

    with reader.memory() as store:
        if store is None:
            return Morning()
        tree = Tree(store, reader, None, counts=False)
        today = store.calendar.day_of(reader.now_us)
        day = last_day(store, today)
        span = store.span_us()
        threads = join([tree.threads(year) for year in tree.all_years()], Level.YEAR)
        look = looks.get(store.id)
        return Morning(
            True,
            store.calendar.zone,
            store.id,
            None if day is None else Period(Level.DAY, day).id,
            day == today - 1,
            None if day is None else work(tree, [day]),
            left_off(store, reader.now_us),
            None if look is None else _news(threads, look),
            sum(
                len(thread.open_items)
                for thread in threads
                if thread.state != "dropped" and not is_quiet(thread, reader.now_us)
            ),
            min(span[1], reader.now_us) if span else 0,
            tree.short_projects,
        )


def last_day(store: Store, today: int, projects: Projects | None = None) -> int | None:
    """Return the last day before today on which anything was said; today if there is none."""
    end_us = store.calendar.day_start_us(today)
    for before_us in (end_us, store.calendar.day_start_us(today + 1)):
        events = store.events_back(FIRST_INSTANT_US, max(FIRST_INSTANT_US, before_us))
        for count, event in enumerate(events):
            if count == MOST_BACK:
                break
            is_wanted = projects is None or projects.hold_any(event.claims)
            if is_wanted and not event.rewound and not is_by_hand(event.session):
                return store.calendar.day_of(event.time_us)
    return None


def work(tree: Tree, days: Sequence[int], projects: Projects | None = None) -> Work:
    """Return what was done in some days, which are in order; only in these projects if any are given."""
    calendar = tree.store.calendar
    parts = [tree.threads(Period(Level.DAY, day)) for day in days]
    level = Level.DAY if len(days) == 1 else Level.WEEK
    joined = [
        thread
        for thread in (parts[0] if len(days) == 1 else join(parts, level))
        if projects is None or projects.hold(thread.session, thread.project)
    ]
    shown, _ = shown_threads(joined, level)
    made = {
        (each.kind, each.key)
        for thread in joined
        for each in thread.references
        if each.kind == "commit" or each.here
    }
    first, last = heading(Period(Level.DAY, days[0])), heading(Period(Level.DAY, days[-1]))
    return Work(
        first if first == last else f"{first} to {last}",
        calendar.day_start_us(days[0]),
        calendar.day_start_us(days[-1] + 1),
        shown,
        by_state(thread.state for thread in joined),
        len({session for thread in joined for session in thread.sessions}),
        sum(kind == "commit" for kind, _ in made),
        sum(kind == "pull request" for kind, _ in made),
    )


def _news(threads: Sequence[Thread], look: Look) -> News:
    """Return what came after the newest event that the last look saw."""
    delivered = [
        Told(thread.id, thread.headline, thread.id, thread.headline, thread.project, when)
        for thread in threads
        if thread.state == "delivered" and (when := _delivered_us(thread)) > look.newest_us
    ]
    opened = [
        Told(
            item_id(thread.id, item.key),
            item.text,
            thread.id,
            thread.headline,
            thread.project,
            item.time_us,
        )
        for thread in threads
        for item in thread.open_items
        if thread.state != "dropped" and item.time_us > look.newest_us
    ]
    return News(look.time_us, tuple(delivered), tuple(opened))


def _delivered_us(thread: Thread) -> int:
    made = (each.time_us for each in thread.references if each.here and each.kind != "issue")
    return max(made, default=0)


class Standup(Struct, frozen=True):
    """What was done in some days, and what stands open in it."""

    exists: bool = False
    zone: str = "UTC"
    days: tuple[NodeId, ...] = ()
    work: Work | None = None
    short_projects: Mapping[str, str] = field(name="_short_projects", default_factory=dict)


def standup(reader: Reader, days: int, project: str, here: str) -> Standup:
    """Return the last day worked (`days` is 0), or the last days with today. Raise UsageError for no such project."""
    with reader.memory() as store:
        if store is None:
            return Standup()
        tree = Tree(store, reader, None, counts=False)
        projects = projects_named(store, project, here) if project else None
        today = store.calendar.day_of(reader.now_us)
        last = None if days else last_day(store, today, projects)
        wanted = range(today - days + 1, today + 1) if days else [] if last is None else [last]
        held = [day for day in wanted if tree.threads(Period(Level.DAY, day))]
        return Standup(
            True,
            store.calendar.zone,
            tuple(Period(Level.DAY, day).id for day in held),
            work(tree, held, projects) if held else None,
            tree.short_projects,
        )
