"""Permanent deletion, on request. Each step is one synced batch.

Must never leave a tombstone without its event gone, nor a node that quotes an event which is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

import msgspec

from memtool.files import reporting, sync_directory
from memtool.model.calendar import utc_day
from memtool.model.levels import (
    PERIOD_LEVELS,
    Level,
    Period,
    period_of,
    place_of,
    stale_periods,
)
from memtool.model.merge import Identity, merged
from memtool.model.records import (
    FIRST_INSTANT_US,
    LAST_INSTANT_US,
    WHOLE_SESSION,
    Cut,
    Event,
    EventId,
    NodeId,
    Session,
    Tombstone,
    session_stone,
)
from memtool.model.summary import segment_inputs
from memtool.store import codec, keys
from memtool.store.capture import put_identity, widened
from memtool.store.engine import RawBatch
from memtool.store.store import (
    ERASING,
    MOVED,
    RULES_APPLIED,
    Erasing,
    Store,
    erasing,
    moves,
    note_erasing,
    put_meta,
)
from memtool.store.toc import drop_cut, drop_node, mark, mark_for_index

_LOGS = "LOG.old.*"


def conclude(store: Store, path: Path, seen: Erasing) -> bool:
    """Record that the files hold nothing of what was deleted; return whether nothing more was deleted since.

    Every table was rewritten before, and the store was opened again: the list of files and the log, which name keys,
    begin again with each open. RocksDB's messages from before this open may name keys, too: they are removed.
    """
    with reporting(path):
        for file in path.glob(_LOGS):
            file.unlink(missing_ok=True)
        sync_directory(path)
    if erasing(store) != seen:
        return False
    with store.batch(sync=True) as batch:
        batch.delete(keys.META, ERASING.encode())
    return True


# Forgetting and masking


def suspect_nodes(store: Store) -> list[NodeId]:
    """Return the nodes, and failures, that may quote events which are not theirs any more: the stale ones.

    An event that was rewound or moved since they were written is in none of their inputs, but in their words.
    """
    found: list[NodeId] = []
    for period in sorted(stale_periods(store.marks(), store.calendar.week_start)):
        if store.failure(period.id) is not None or store.has_node(period.id):
            found.append(period.id)
        if period.level is Level.DAY:
            cuts = store.cuts(period.first)
            found += [cut.id for cut in cuts if not _is_current(store, cut)]
    return found


def _is_current(store: Store, cut: Cut) -> bool:
    """Return whether the segment's node, if it has one, is of the events of its cut as they are now."""
    node = store.node(cut.id)
    if node is None:
        return store.failure(cut.id) is None
    events = [event for event_id in cut.events if (event := store.event(event_id)) is not None]
    return len(events) == len(cut.events) and segment_inputs(cut, events) == node.inputs


def drop_nodes(store: Store, node_ids: Iterable[NodeId], now_us: int) -> None:
    """Delete the nodes and mark their periods, so that the next rollup writes them again."""
    with store.batch(sync=True) as batch:
        marked: set[Period] = set()
        for node_id in node_ids:
            drop_node(store, batch, node_id)
            marked.add(place_of(node_id).period)
        mark(store, batch, marked)
        note_erasing(store, batch, now_us)


def drop_sources(store: Store, paths: Iterable[str], now_us: int) -> None:
    with store.batch(sync=True) as batch:
        for path in paths:
            batch.delete(keys.SOURCES, keys.path(path))
        note_erasing(store, batch, now_us)


def forget_events(store: Store, ids: Sequence[EventId], now_us: int) -> None:
    """Replace the events by tombstones; with them goes all that may quote them."""
    gone: list[Event] = []
    with store.batch(sync=True) as batch:
        for event_id in ids:
            before = store.identity(event_id)
            gone += before.revisions
            after = merged(before, [Tombstone(event_id, "forgotten", now_us)])
            if after != before:
                put_identity(batch, event_id, before, after)
                if before.rewind is not None:
                    batch.delete(keys.REWINDS, keys.identifier(event_id))
        _drop_quotes(store, batch, gone, now_us)
        _put_session_stones(batch, gone, now_us)


def _put_session_stones(batch: RawBatch, gone: Sequence[Event], now_us: int) -> None:
    """Keep out what a list of prompts tells of these sessions: its ids are not those of their transcripts."""
    told = [event for event in gone if event.metadata.get("source") != "history"]
    for session in {claim.session for event in told for claim in event.claims}:
        stone = Tombstone(session_stone(session), WHOLE_SESSION, now_us)
        batch.put(keys.TOMBSTONES, keys.identifier(stone.id), codec.TOMBSTONE.encode(stone))


def forget_moves(store: Store, projects: AbstractSet[str], now_us: int) -> None:
    """Delete the rules that name a project of which all is forgotten, as the old path or the new one."""
    known = moves(store)
    left = {old: new for old, new in known.items() if projects.isdisjoint((old, new))}
    if left != known:
        with store.batch(sync=True) as batch:
            put_meta(batch, MOVED, left)
            note_erasing(store, batch, now_us)


class Masked(msgspec.Struct, frozen=True):
    """An event and its revisions before and after today's rules; `quoted` are those of before that said more."""

    before: Identity
    after: Identity

    @property
    def quoted(self) -> list[Event]:
        """The revisions in which something was masked."""
        pairs = zip(self.before.revisions, self.after.revisions, strict=True)
        return [old for old, new in pairs if (old.text, old.metadata) != (new.text, new.metadata)]


def mask_events(store: Store, masked: Sequence[Masked], now_us: int) -> None:
    """Put events as today's rules leave them in place of what is stored; with a secret goes all that may quote it."""
    with store.batch(sync=True) as batch:
        for one in masked:
            put_identity(batch, one.before.revisions[0].id, one.before, one.after)
        quoted = [event for one in masked for event in one.quoted]
        if quoted:
            _drop_quotes(store, batch, quoted, now_us)


def _drop_quotes(store: Store, batch: RawBatch, gone: Sequence[Event], now_us: int) -> None:
    """Drop the cuts that hold the events and every node over their days: a parent may quote its child."""
    days = {store.calendar.day_of(event.time_us) for event in gone}
    ids = frozenset(event.id for event in gone)
    for day in sorted(days):
        for cut in store.cuts(day):
            if not ids.isdisjoint(cut.events):
                drop_cut(store, batch, cut, with_node=True)
    periods = periods_over(days, store.calendar.week_start)
    for period in sorted(periods):
        drop_node(store, batch, period.id)
    mark_for_index(store, batch, {utc_day(event.time_us) for event in gone})
    mark(store, batch, periods)
    note_erasing(store, batch, now_us)


def periods_over(days: Iterable[int], week_start: int) -> set[Period]:
    """Return the days and all weeks, months and years that hold one of them."""
    return {period_of(level, day, week_start) for day in set(days) for level in PERIOD_LEVELS}


# How far the store is under today's rules of redaction


def rules_applied(store: Store) -> int:
    """Return the version of the rules that `memtool redact --again` last applied to all that was stored; 0: none."""
    return store.meta(RULES_APPLIED, int) or 0


def put_rules_applied(store: Store, version: int) -> None:
    with store.batch(sync=True) as batch:
        put_meta(batch, RULES_APPLIED, version)


# Sessions' rows, which say no more than what is left


def loose_sessions(store: Store) -> list[str]:
    """Return the sessions whose rows say more than the events that are left."""
    left: dict[str, Session] = {}
    for event in store.events(FIRST_INSTANT_US, LAST_INSTANT_US):
        for claim in event.claims:
            left[claim.session] = widened(left.get(claim.session), event, claim.project)
    return [name for name, row in store.sessions() if row != left.get(name)]


def trim_session(store: Store, name: str) -> None:
    """Write the session's row again from what is left of it, or remove it. The caller holds the writer."""
    row = store.session(name)
    if row is None:
        return
    left: Session | None = None
    for event in store.events(row.first_us, row.last_us + 1):
        for claim in event.claims:
            if claim.session == name:
                left = widened(left, event, claim.project)
    if left == row:
        return
    with store.batch(sync=False) as batch:
        if left is None:
            batch.delete(keys.SESSIONS, name.encode())
        else:
            batch.put(keys.SESSIONS, name.encode(), codec.SESSION.encode(left))
