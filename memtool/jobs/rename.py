"""Says that a project moved: what is stored of it, and what will still be read of it, belongs to its new path.

The rule is stored first, so that nothing which is ingested meanwhile is missed. May be killed anywhere, and run again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from memtool.context import RunContext
from memtool.errors import UsageError
from memtool.jobs.forget import slices
from memtool.model.records import EventId
from memtool.query.projects import projects_named
from memtool.query.reader import Reader
from memtool.search import index
from memtool.store.access import Access
from memtool.store.capture import put_moves, rename_events, rename_sessions
from memtool.store.store import Store, moved, moves


class Found(msgspec.Struct, frozen=True):
    """What would get a new path. `projects`: the old one and its subdirectories; `exists`: is there a store?"""

    exists: bool = False
    old: str = ""
    new: str = ""
    projects: tuple[str, ...] = ()
    events: int = 0
    known: int = 0
    """How many events the new path has already: they cannot be told apart afterwards."""


class Report(msgspec.Struct):
    """The result, right however the run ends."""

    renamed: int = 0


def look(reader: Reader, text: str, new: str, here: str) -> Found:
    """Return what would be renamed. Raise UsageError where the old project is unknown, or the new path lies in it."""
    with reader.memory() as store:
        if store is None:
            return Found()
        found = projects_named(store, text, here, is_exact=True)
        if len(found.roots) > 1:
            raise UsageError(
                f"{text} may mean {len(found.roots)} projects",
                hint=f"type more of the path: {', '.join(found.roots)}",
            )
        old = found.roots[0]
        if new == old or new.startswith(f"{old}/"):
            raise UsageError(
                f"{new} is {old}, or lies in it", hint="memtool project rename OLD NEW, two paths"
            )
        rule = {old: new}
        return Found(
            True,
            old,
            new,
            tuple(sorted(found.names)),
            len(_events_at(store, rule)),
            len(_events_at(store, {new: old})),
        )


def rename(context: RunContext, old: str, new: str, report: Report) -> None:
    """Record that the project moved, and give all that is stored of it its new path."""
    access = Access(context.root)
    with access.lease(context.writer) as lease:
        rule = _with_move(moves(lease.store()), old, new)
        put_moves(lease.store(), rule)
        lease.release()
        with access.reading() as store:
            ids = _events_at(store, rule)
        for part in slices(context, ids, "events"):
            rename_events(lease.store(), part, rule)
            report.renamed += len(part)
            context.tally.events = report.renamed
        rename_sessions(lease.store(), rule)
    index.keep(context)


def _with_move(known: Mapping[str, str], old: str, new: str) -> dict[str, str]:
    """Return the rules with one more: what led to the old path leads to the new one, and nothing leads away from it."""
    rule = {start: moved(end, {old: new}) for start, end in known.items()} | {old: new}
    return {start: end for start, end in rule.items() if start not in {end, new}}


def _events_at(store: Store, rule: Mapping[str, str]) -> list[EventId]:
    """Return the events that have another path under the rule."""
    pattern = re.compile(b"|".join(re.escape(old.encode()) for old in rule))
    found = {
        event.id: None
        for event in store.events_with(pattern)
        if any(moved(claim.project, rule) != claim.project for claim in event.claims)
    }
    return list(found)
