"""Forgetting: what a selector means, what it finds, and taking it away until no byte of it is in any file.

Tombstones come first, batch by batch. May be killed anywhere.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from memtool.context import RunContext
from memtool.errors import UsageError
from memtool.files import remove, reporting, sync_directory
from memtool.jobs.backup import STAGING
from memtool.jobs.compact import Report as Compaction
from memtool.jobs.compact import compact_store
from memtool.jobs.restore import NEW
from memtool.ledger.reading import blank
from memtool.locks import is_free, job_lock_path
from memtool.model.levels import Level, place_of
from memtool.model.records import (
    EVENT_ID_DIGITS,
    FIRST_INSTANT_US,
    LAST_INSTANT_US,
    Event,
    EventId,
    NodeId,
)
from memtool.process import SUMMARIZER_DIRECTORY
from memtool.query.events import Query, bounds_us
from memtool.query.names import ShortNames, session_named
from memtool.query.reader import Reader
from memtool.store import erase
from memtool.store.access import Access, Lease
from memtool.store.erase import periods_over, suspect_nodes
from memtool.store.store import Erasing, Store, erasing
from memtool.store.toc import drop_half_built

MIN_EVENT_DIGITS = 8
_EVENT = re.compile(rf"[0-9a-f]{{{MIN_EVENT_DIGITS},{EVENT_ID_DIGITS}}}")
EVENT_FORM = f"an event is {MIN_EVENT_DIGITS} to {EVENT_ID_DIGITS} hex digits, as memtool events --json prints them"


SAMPLES = 5
_SHORTEST_NAME = 4
"""Session ids and projects shorter than this are not looked for in other texts: they would be found anywhere."""
SLICE = 500
"""How many events, or nodes, one batch deletes. Between two, other writers get their turn and signals are looked at."""
_NAMED = re.compile(r"\b(?:segment|day|week|month|year):[0-9]{4}(?:-[0-9]{2}){0,2}")

T = TypeVar("T")


class Selector(msgspec.Struct, frozen=True):
    """What a person names; all of it must hold, and what is empty asks for nothing."""

    session: str = ""
    project: str = ""
    agent: str = ""
    since: str = ""
    until: str = ""
    match: str = ""
    events: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it names nothing at all."""
        return not any(getattr(self, name) for name in self.__struct_fields__)


class Filter(msgspec.Struct, frozen=True):
    """A selector as it is understood in one store."""

    start_us: int = FIRST_INSTANT_US
    end_us: int = LAST_INSTANT_US
    session: str = ""
    project: str = ""
    agent: str = ""
    pattern: re.Pattern[str] | None = None
    ids: frozenset[EventId] | None = None
    older: frozenset[EventId] = frozenset()
    """Events of which a superseded revision matches the pattern."""

    def fits(self, event: Event) -> bool:
        """Return whether the event is to be forgotten, if it lies within the time."""
        sessions = {claim.session for claim in event.claims}
        projects = [claim.project for claim in event.claims]
        return (
            (self.ids is None or event.id in self.ids)
            and (not self.session or self.session in sessions)
            and (not self.agent or event.agent.casefold() == self.agent.casefold())
            and (not self.project or any(_is_project(self.project, one) for one in projects))
            and (self.pattern is None or event.id in self.older or _matches(self.pattern, event))
        )


def _matches(pattern: re.Pattern[str], event: Event) -> bool:
    return any(pattern.search(text) for text in (event.text, *event.metadata.values()))


def _is_project(wanted: str, project: str) -> bool:
    """Return whether a project's path, or the last part of it, is the one that was named."""
    path = project.rstrip("/")
    return bool(path) and wanted.rstrip("/") in (path, path.rpartition("/")[2])


def _resolved(reader: Reader, store: Store, selector: Selector) -> Filter:
    """Return what the selector means in this store. Raise UsageError where it names nothing, or nothing there is."""
    if selector.is_empty:
        raise UsageError(
            "nothing is named that should be forgotten",
            hint="name it: --session, --project, --agent, --since, --until, --match or --event",
        )
    start_us, end_us = bounds_us(reader, store, Query(since=selector.since, until=selector.until))
    ids = frozenset(_event_named(store, text) for text in selector.events)
    found = Filter(
        start_us,
        end_us,
        project=selector.project,
        agent=selector.agent,
        ids=ids if selector.events else None,
    )
    if selector.match:
        try:
            pattern = re.compile(selector.match)
        except re.error as error:
            raise UsageError(
                f"--match {selector.match!r} is not a regular expression: {error}",
                hint="characters such as ( [ * + ? . stand for themselves after a backslash",
            ) from None
        older = frozenset(event.id for event in store.revisions() if _matches(pattern, event))
        found = replace(found, pattern=pattern, older=older)
    if not selector.session:
        return found
    try:
        return replace(found, session=session_named(store, selector.session))
    except UsageError:
        if erasing(store) is None or next(store.sessions(selector.session), None) is not None:
            raise
        return replace(found, ids=frozenset())  # it went with the run that is now finished


def _event_named(store: Store, text: str) -> EventId:
    """Return the event whose id begins with these digits: one that is there, or was and left its tombstone."""
    digits = text.strip().lower()
    if not _EVENT.fullmatch(digits):
        raise UsageError(f"{text!r} is not an event", hint=EVENT_FORM)
    found = sorted(store.ids_from(digits))
    if not found:
        raise UsageError(f"no event begins with {digits}", hint=EVENT_FORM)
    if len(found) > 1:
        raise UsageError(f"{digits} is the beginning of several events", hint="type more of it")
    return found[0]


def _fitting(store: Store, wanted: Filter) -> Iterator[Event]:
    """Yield the events that are to be forgotten, in order of time."""
    start_us, end_us = wanted.start_us, wanted.end_us
    if wanted.session and (bounds := store.session(wanted.session)) is not None:
        start_us, end_us = max(start_us, bounds.first_us), min(end_us, bounds.last_us + 1)
    if wanted.ids is None:
        return filter(wanted.fits, store.events(start_us, end_us))
    found = (store.event(event_id) for event_id in wanted.ids)
    inside = [one for one in found if one is not None and start_us <= one.time_us < end_us]
    return filter(wanted.fits, sorted(inside, key=lambda one: (one.time_us, one.id)))


class Found(msgspec.Struct):
    """What there is to forget. `exists` is whether there is a store at all."""

    exists: bool = True
    zone: str = "UTC"
    ids: list[EventId] = []
    sessions: Counter[str] = msgspec.field(default_factory=Counter)
    short_sessions: dict[str, str] = {}
    projects: Counter[str] = msgspec.field(default_factory=Counter)
    days: set[int] = set()
    nodes: dict[Level, int] = {}
    samples: list[Event] = []
    suspects: list[NodeId] = []
    sources: list[str] = []
    sources_kept: list[str] = []
    copies: list[str] = []
    """Other stores beside this one, which keep what they hold."""
    erasing: Erasing | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was found that could be forgotten."""
        return not self.ids

    @property
    def names(self) -> frozenset[str]:
        """Session ids and project paths, as they may stand in other texts: agents write paths with dashes, too."""
        plain = {*self.sessions, *self.projects}
        dashed = {re.sub(r"[^A-Za-z0-9]", "-", path) for path in self.projects}
        return frozenset(name for name in plain | dashed if len(name) >= _SHORTEST_NAME)


class Report(msgspec.Struct):
    """The result of forgetting, right however the run ends. `found` is None where it did not come to look."""

    found: Found | None = None
    forgotten: int = 0
    blanked: int = 0
    compaction: Compaction = msgspec.field(default_factory=Compaction)


def look(reader: Reader, selector: Selector) -> Found:
    """Return what would be forgotten now. Raise UsageError where the selector means nothing."""
    with reader.store() as store:
        return Found(exists=False) if store is None else _find(reader, store, selector)


def _find(reader: Reader, store: Store, selector: Selector) -> Found:
    wanted = _resolved(reader, store, selector)
    found = Found(
        zone=store.calendar.zone, copies=_copies_beside(reader.root), erasing=erasing(store)
    )
    for event in _fitting(store, wanted):
        found.ids.append(event.id)
        found.sessions.update(claim.session for claim in event.claims)
        found.projects.update({claim.project for claim in event.claims} - {""})
        found.days.add(store.calendar.day_of(event.time_us))
        if len(found.samples) < SAMPLES:
            found.samples.append(event)
    if not found.is_empty:
        _find_what_goes_along(store, found)
    short = ShortNames(store)
    found.short_sessions = {session: short.session(session) for session in found.sessions}
    return found


def _find_what_goes_along(store: Store, found: Found) -> None:
    """Find the nodes of the segments, those over their days and the stale ones; and records of transcripts."""
    gone = frozenset(found.ids)
    moved = (older for older in store.revisions() if older.id in gone)
    found.days |= {store.calendar.day_of(older.time_us) for older in moved}
    found.suspects = suspect_nodes(store)
    going = {period.id for period in periods_over(found.days, store.calendar.week_start)}
    going |= {*found.suspects}
    for day in sorted(found.days):
        going |= {cut.id for cut in store.cuts(day) if not gone.isdisjoint(cut.events)}
    counts = Counter(place_of(one).level for one in going if store.has_node(one))
    found.nodes = {level: counts[level] for level in Level if counts[level]}
    names = found.names
    for path in store.sources():  # the row of a transcript that is gone serves nothing
        if any(name in path for name in names):
            (found.sources_kept if Path(path).exists() else found.sources).append(path)


def forget(context: RunContext, reader: Reader, selector: Selector, report: Report) -> None:
    """Delete all that the selector finds; finish first what an earlier run, that was killed, has left."""
    access = Access(context.root)
    if not access.exists():
        return
    with context.tree():  # a rollup could write again what it has read before
        with access.reading() as store:
            found = report.found = _find(reader, store, selector)
            names_it = _naming(found, store.calendar.week_start)
        if not found.is_empty:
            report.blanked = blank(context.root, names_it)
            remove_leftovers(context.root)
            with access.lease(context.writer) as lease:
                _delete(context, lease, found, report)
    if not found.is_empty or found.erasing is not None:
        compact_store(context, access, report.compaction)


def _delete(context: RunContext, lease: Lease, found: Found, report: Report) -> None:
    now_us = context.now_us
    drop_half_built(lease.store())
    for nodes in slices(context, found.suspects, "stale nodes"):
        erase.drop_nodes(lease.store(), nodes, now_us)
    for paths in slices(context, found.sources, "sources"):
        erase.drop_sources(lease.store(), paths, now_us)
    for ids in slices(context, found.ids, "events"):
        erase.forget_events(lease.store(), ids, now_us)
        report.forgotten += len(ids)
        context.tally.details["events_forgotten"] = report.forgotten


def slices(context: RunContext, rows: Sequence[T], label: str) -> Iterator[Sequence[T]]:
    """Yield the rows in slices of one batch each; between two, progress is shown and a stop is looked for."""
    for start in range(0, len(rows), SLICE):
        context.checkpoint()
        context.progress(start, len(rows), label)
        yield rows[start : start + SLICE]


def _naming(found: Found, week_start: int) -> Callable[[str], bool]:
    """Return a test of whether a text names a node that goes, or a session or project of what is forgotten."""
    going = {str(period.id) for period in periods_over(found.days, week_start)}
    going |= {one.replace("day:", "segment:", 1) for one in going if one.startswith("day:")}
    names = found.names

    def names_it(text: str) -> bool:
        named = set(_NAMED.findall(text))
        return not named.isdisjoint(going) or any(name in text for name in names)

    return names_it


# Beside the store: unfinished copies go, whole ones are named and stay.


def _unfinished(root: Path) -> list[str]:
    """Return the directories that killed tasks have left, which their next run would remove."""
    tasks = (("backup", STAGING), ("restore", NEW))
    return [name for task, name in tasks if is_free(job_lock_path(root, task))]


def remove_leftovers(root: Path) -> None:
    """Remove what killed tasks and a summarizer's program have left. No such program runs: rollups hold the tree."""
    with reporting(root):
        for name in _unfinished(root):
            remove(root / name)
        if (own := root / SUMMARIZER_DIRECTORY).is_dir():
            for left in own.iterdir():
                remove(left)
            sync_directory(own)
        sync_directory(root)


def _copies_beside(root: Path) -> list[str]:
    """Return the other stores under the root, such as one that a restore has put aside: a person chose to keep them."""
    known = {"store", *_unfinished(root)}
    with reporting(root):
        return sorted(
            str(path)
            for path in root.iterdir()
            if path.name not in known
            and ((path / "CURRENT").exists() or (path / "store" / "CURRENT").exists())
        )
