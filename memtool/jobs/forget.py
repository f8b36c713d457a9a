"""Forgetting: what a selector means, what it finds, and taking it away until no byte of it is in any file.

Tombstones come first, batch by batch. May be killed anywhere.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from memtool.agents.hooks.spool import REJECTED, SPOOL
from memtool.context import RunContext
from memtool.errors import UsageError
from memtool.files import remove, reporting, sync_directory
from memtool.jobs.backup import STAGING
from memtool.jobs.compact import Report as Compaction
from memtool.jobs.compact import compact_store
from memtool.jobs.restore import NEW
from memtool.ledger.reading import blank, read, speaking
from memtool.locks import is_free, job_lock_path
from memtool.model.levels import Level, place_of
from memtool.model.records import (
    EVENT_ID_DIGITS,
    FIRST_INSTANT_US,
    LAST_INSTANT_US,
    Event,
    EventId,
    Node,
    NodeId,
)
from memtool.process import SUMMARIZER_DIRECTORY
from memtool.query.events import Query, bounds_us
from memtool.query.names import ShortNames, session_named
from memtool.query.projects import Projects, UnknownProjectError, projects_named
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
LOOSE = (REJECTED, SPOOL)
"""Directories beside the store with texts of agents that are in no event."""
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
    here: str = ""
    """The directory whose project `.` is."""

    @property
    def is_empty(self) -> bool:
        """Whether it names nothing at all."""
        return self == Selector(here=self.here)

    @property
    def is_whole(self) -> bool:
        """Whether it takes all of a session or of a project: then nothing else should name them."""
        parts = (self.session, self.project)
        return any(parts) and self == Selector(*parts, here=self.here)


class Filter(msgspec.Struct, frozen=True):
    """A selector as it is understood in one store."""

    start_us: int = FIRST_INSTANT_US
    end_us: int = LAST_INSTANT_US
    session: str = ""
    projects: Projects | None = None
    agent: str = ""
    pattern: re.Pattern[str] | None = None
    ids: frozenset[EventId] | None = None
    older: frozenset[EventId] = frozenset()
    """Events of which a superseded revision matches the pattern."""

    def fits(self, event: Event) -> bool:
        """Return whether the event is to be forgotten, if it lies within the time."""
        sessions = {claim.session for claim in event.claims}
        return (
            (self.ids is None or event.id in self.ids)
            and (not self.session or self.session in sessions)
            and (not self.agent or event.agent.casefold() == self.agent.casefold())
            and (self.projects is None or self.projects.hold_any(event.claims))
            and (self.pattern is None or event.id in self.older or _matches(self.pattern, event))
        )


def _matches(pattern: re.Pattern[str], event: Event) -> bool:
    return any(pattern.search(text) for text in (event.text, *event.metadata.values()))


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
        projects=_project(store, selector) if selector.project else None,
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


def _project(store: Store, selector: Selector) -> Projects:
    """Return the one project that is named, with its subdirectories; none where it is unknown. Raise UsageError."""
    try:
        found = projects_named(store, selector.project, selector.here, is_exact=True)
    except UnknownProjectError:
        return Projects((), frozenset())
    tops = [one for one in found.roots if not any(one.startswith(f"{up}/") for up in found.roots)]
    if len(tops) > 1:
        raise UsageError(
            f"{selector.project} may mean {len(tops)} projects",
            hint=f"type more of the path: {', '.join(tops)}",
        )
    return found


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
    projects_left: AbstractSet[str] = frozenset()
    """Those of them that other sessions were in, too."""
    days: set[int] = set()
    nodes: dict[Level, int] = {}
    samples: list[Event] = []
    suspects: list[NodeId] = []
    sources: list[str] = []
    sources_kept: list[str] = []
    """Files of the agents that still hold it, or whose recorded path names it."""
    quoting: list[Event] = []
    """Other events that name a session or project of which all is forgotten; at most so many."""
    quoting_count: int = 0
    backup_us: int = 0
    """When the last backup was made, by the ledger; 0: none is known."""
    named: list[str] = []
    """Sessions and projects that match the pattern by their name, of which nothing else was found."""
    echoes: int = 0
    """Texts beside the events that match: of summaries, of the ledger, of what could not be read."""
    copies: list[str] = []
    """Other stores beside this one, which keep what they hold."""
    erasing: Erasing | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was found that could be forgotten."""
        return not self.ids and not self.echoes

    @property
    def names(self) -> frozenset[str]:
        """Sessions, and projects of no other session, as other texts may name them: agents write dashes in paths."""
        projects = self.projects.keys() - self.projects_left
        plain = {*self.sessions, *projects}
        dashed = {re.sub(r"[^A-Za-z0-9]", "-", path) for path in projects}
        return frozenset(name for name in plain | dashed if len(name) >= _SHORTEST_NAME)

    def is_named_in(self, text: str) -> bool:
        """Return whether a text names a session or project of what is forgotten."""
        return any(name in text for name in self.names)


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
        zone=store.calendar.zone,
        copies=_copies_beside(reader.root),
        erasing=erasing(store),
        backup_us=_last_backup(reader.root),
    )
    for event in _fitting(store, wanted):
        found.ids.append(event.id)
        found.sessions.update(claim.session for claim in event.claims)
        found.projects.update({claim.project for claim in event.claims} - {""})
        found.days.add(store.calendar.day_of(event.time_us))
        if len(found.samples) < SAMPLES:
            found.samples.append(event)
    others = (row for name, row in store.sessions() if name not in found.sessions)
    found.projects_left = {project for row in others for project in row.projects}
    if found.ids:
        _find_what_goes_along(store, found)
    _find_echoes(reader.root, store, wanted, found)
    if selector.is_whole:
        _find_quotes(store, found)
    short = ShortNames(store)
    found.short_sessions = {session: short.session(session) for session in found.sessions}
    return found


def _last_backup(root: Path) -> int:
    ended = (
        run.ended_us for run in read(root).of_job("backup") if run.result in {"done", "partial"}
    )
    return max(filter(None, ended), default=0)


def _find_what_goes_along(store: Store, found: Found) -> None:
    """Find the nodes of the segments, those over their days and the stale ones; and records of transcripts."""
    gone = frozenset(found.ids)
    moved = (older for older in store.revisions() if older.id in gone)
    found.days |= {store.calendar.day_of(older.time_us) for older in moved}
    found.suspects = suspect_nodes(store)
    counts = Counter(place_of(one).level for one in _going(store, found) if store.has_node(one))
    found.nodes = {level: counts[level] for level in Level if counts[level]}
    others = {name for name, _ in store.sessions()} - found.sessions.keys()
    for path in store.sources():
        if not Path(path).exists():  # the row of a transcript that is gone serves nothing
            found.sources += [path] if found.is_named_in(path) else []
        elif found.is_named_in(path) or _is_named_within(Path(path), found, others):
            found.sources_kept.append(path)


def _is_named_within(path: Path, found: Found, others: AbstractSet[str]) -> bool:
    """Return whether a file holds a session of what is forgotten. One that is named after another is not read."""
    if path.stem in others:
        return False
    needles = [session.encode() for session in found.sessions if len(session) >= _SHORTEST_NAME]
    try:
        with path.open("rb") as file:
            return any(any(needle in line for needle in needles) for line in file)
    except OSError:
        return False


def _find_echoes(root: Path, store: Store, wanted: Filter, found: Found) -> None:
    """Find what speaks of it beside the events: summaries that no event of theirs explains, the ledger, loose files."""
    names_it = _naming(found, store.calendar.week_start, wanted.pattern)
    if wanted.pattern is not None:
        going = _going(store, found)
        nodes = (node for level in Level for node in store.nodes(level) if node.id not in going)
        told = [node.id for node in nodes if any(map(wanted.pattern.search, _texts(node)))]
        found.suspects += told
        found.echoes += len(told)
        names = {one for name, row in store.sessions() for one in (name, *row.projects)}
        search = wanted.pattern.search
        found.named = sorted(
            one for one in names - found.sessions.keys() - found.projects.keys() if search(one)
        )
    found.echoes += speaking(root, names_it) + len(_loose_files(root, names_it))


def _texts(node: Node) -> Iterator[str]:
    yield from (node.title, *(bullet.text for bullet in node.bullets), *node.keywords)
    yield from (grip.excerpt for grip in node.grips)
    yield node.body.decode(errors="replace")


def _going(store: Store, found: Found) -> set[NodeId]:
    """Return the nodes that go with the events."""
    gone = frozenset(found.ids)
    going = {period.id for period in periods_over(found.days, store.calendar.week_start)}
    going |= {*found.suspects}
    for day in sorted(found.days):
        going |= {cut.id for cut in store.cuts(day) if not gone.isdisjoint(cut.events)}
    return going


def _find_quotes(store: Store, found: Found) -> None:
    """Find the other events that name a session or project of which all is forgotten: they stay."""
    gone = frozenset(found.ids)
    names = [re.escape(name.encode()) for name in sorted(found.names)]
    if not names:
        return
    pattern = re.compile(rb"(?:" + rb"|".join(names) + rb")(?![\w-])")
    for event in store.events_with(pattern):
        if event.id not in gone:
            found.quoting_count += 1
            if len(found.quoting) < SAMPLES:
                found.quoting.append(event)


def forget(context: RunContext, reader: Reader, selector: Selector, report: Report) -> None:
    """Delete all that the selector finds; finish first what an earlier run, that was killed, has left."""
    access = Access(context.root)
    if not access.exists():
        return
    with context.tree():  # a rollup could write again what it has read before
        with access.reading() as store:
            found = report.found = _find(reader, store, selector)
            pattern = _resolved(reader, store, selector).pattern
            names_it = _naming(found, store.calendar.week_start, pattern)
        if not found.is_empty:
            report.blanked = blank(context.root, names_it)
            for file in _loose_files(context.root, names_it):
                remove(file)
            remove_leftovers(context.root)
            with access.lease(context.writer) as lease:
                _delete(context, lease, found, report)
    is_in_files = found.ids or found.suspects or found.erasing is not None
    if is_in_files:
        compact_store(context, access, report.compaction)


def _delete(context: RunContext, lease: Lease, found: Found, report: Report) -> None:
    now_us = context.now_us
    drop_half_built(lease.store())
    for nodes in slices(context, found.suspects, "stale nodes"):
        erase.drop_nodes(lease.store(), nodes, now_us)
    erase.forget_moves(lease.store(), found.projects.keys() - found.projects_left, now_us)
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


def _naming(
    found: Found, week_start: int, pattern: re.Pattern[str] | None
) -> Callable[[str], bool]:
    """Return a test of whether a text names a node that goes, a session or project of what is forgotten, or matches."""
    going = {str(period.id) for period in periods_over(found.days, week_start)}
    going |= {one.replace("day:", "segment:", 1) for one in going if one.startswith("day:")}
    names = found.names

    def names_it(text: str) -> bool:
        named = set(_NAMED.findall(text))
        return (
            not named.isdisjoint(going)
            or any(name in text for name in names)
            or (pattern is not None and pattern.search(text) is not None)
        )

    return names_it


# Beside the store: unfinished copies go, whole ones are named and stay.


def _unfinished(root: Path) -> list[str]:
    """Return the directories that killed tasks have left, which their next run would remove."""
    tasks = (("backup", STAGING), ("restore", NEW))
    return [name for task, name in tasks if is_free(job_lock_path(root, task))]


def _loose_files(root: Path, speaks: Callable[[str], bool]) -> list[Path]:
    """Return the files of what could not be understood, or was not read yet, that speak of it."""
    return [
        file
        for name in LOOSE
        for file in sorted((root / name).rglob("*"))
        if file.is_file() and speaks(file.read_text(errors="replace"))
    ]


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
