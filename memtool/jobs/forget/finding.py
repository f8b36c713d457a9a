"""What a selector finds: events, and all that goes with them. Reads only; the look and the deed begin with it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from memtool.jobs.forget.leftovers import copies_beside
from memtool.jobs.forget.selecting import Filter, Selector, fitting, resolve
from memtool.model.levels import Level
from memtool.model.records import Event, EventId, NodeId
from memtool.query.names import ShortNames
from memtool.query.reader import Reader
from memtool.store import codec, families
from memtool.store.erase import Erasing, erasing, periods_over, suspects
from memtool.store.store import Store

SAMPLES = 5
_SHORTEST_NAME = 4
"""Session ids and projects shorter than this are not looked for in other texts: they would be found anywhere."""


@dataclass(slots=True)
class Found:
    """What there is to forget. `exists` is whether there is a store at all."""

    exists: bool = True
    zone: str = "UTC"
    ids: list[EventId] = field(default_factory=list)
    sessions: Counter[str] = field(default_factory=Counter)
    short_sessions: dict[str, str] = field(default_factory=dict)
    projects: Counter[str] = field(default_factory=Counter)
    days: set[int] = field(default_factory=set)
    nodes: dict[Level, int] = field(default_factory=dict)
    samples: list[Event] = field(default_factory=list)
    suspects: list[NodeId] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    sources_kept: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
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


def look(reader: Reader, selector: Selector) -> Found:
    """Return what would be forgotten now. Raise UsageError where the selector means nothing."""
    with reader.store() as store:
        return Found(exists=False) if store is None else find(reader, store, selector)


def find(reader: Reader, store: Store, selector: Selector) -> Found:
    """Return what the selector finds in this store."""
    wanted = resolve(reader, store, selector)
    found = Found(
        zone=store.calendar.zone, copies=copies_beside(reader.root), erasing=erasing(store)
    )
    _find_events(store, wanted, found)
    if not found.is_empty:
        _find_nodes(store, found)
        _find_sources(store, found)
    names = ShortNames(store)
    found.short_sessions = {session: names.session(session) for session in found.sessions}
    return found


def _find_events(store: Store, wanted: Filter, found: Found) -> None:
    for event in fitting(store, wanted):
        found.ids.append(event.id)
        found.sessions.update(claim.session for claim in event.claims)
        found.projects.update({claim.project for claim in event.claims} - {""})
        found.days.add(store.calendar.day_of(event.time_us))
        if len(found.samples) < SAMPLES:
            found.samples.append(event)
    if found.ids:  # what was moved or changed was on its older days as well
        gone = frozenset(found.ids)
        for key, value in store.engine.scan(families.REVISIONS):
            older = codec.EVENT.decode(value, key)
            if older.id in gone:
                found.days.add(store.calendar.day_of(older.time_us))


def _find_nodes(store: Store, found: Found) -> None:
    """Count the nodes that go: those of the segments and of all that holds their days, and those that are stale."""
    found.suspects = suspects(store)
    going = {*found.suspects}
    going |= {period.id for period in periods_over(found.days, store.calendar.week_start)}
    gone = frozenset(found.ids)
    for day in sorted(found.days):
        going |= {cut.id for cut in store.cuts(day) if not gone.isdisjoint(cut.events)}
    words = Counter(one.partition(":")[0] for one in going if store.node(one) is not None)
    found.nodes = {level: words[level.word] for level in Level if words[level.word]}


def _find_sources(store: Store, found: Found) -> None:
    """Find the transcripts whose path tells a session or a project; the row of one that is gone serves nobody."""
    for path in store.sources():
        if any(name in path for name in found.names):
            (found.sources_kept if Path(path).exists() else found.sources).append(path)
