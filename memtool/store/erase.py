"""Forgetting for good, on request. Each step is one synced batch.

Must never leave a tombstone without its event gone, nor a node that quotes an event which is gone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import cast

import msgspec

from memtool.files import reporting, sync_directory
from memtool.model.levels import (
    PERIOD_LEVELS,
    Level,
    Period,
    parse_segment,
    period_named,
    period_of,
    stale_periods,
)
from memtool.model.merge import Identity, merged
from memtool.model.records import (
    FIRST_INSTANT_US,
    LAST_INSTANT_US,
    Cut,
    Event,
    EventId,
    NodeId,
    Tombstone,
)
from memtool.model.summary import segment_inputs
from memtool.store import codec, keys
from memtool.store.capture import put_identity, widened
from memtool.store.codec import Session
from memtool.store.engine import RawBatch
from memtool.store.store import Store
from memtool.store.toc import drop_node, mark

_NOTE = b"erasing"
_LOGS = "LOG.old.*"


class Erasing(msgspec.Struct, frozen=True):
    """Something was taken away since this instant, and its bytes may still be in the files.

    `number` rises with every batch that takes something away: whoever compacts clears only what it has seen.
    """

    since_us: int
    number: int


def erasing(store: Store) -> Erasing | None:
    """Return the note that the files may still hold what was taken away, or None."""
    value = cast("dict[str, int] | None", store.meta(_NOTE.decode()))
    return None if value is None else Erasing(value["since_us"], value["number"])


def _put_note(store: Store, batch: RawBatch, now_us: int) -> None:
    known = erasing(store)
    since_us, number = (now_us, 1) if known is None else (known.since_us, known.number + 1)
    value = codec.encode_json({"since_us": since_us, "number": number})
    batch.put(keys.META, _NOTE, value)


def clear_note(store: Store, seen: Erasing) -> bool:
    """Say that the files hold nothing of what was taken away before; return whether that is all of it."""
    if erasing(store) != seen:
        return False
    batch = store.engine.batch()
    batch.delete(keys.META, _NOTE)
    store.engine.write(batch, sync=True)
    return True


def remove_old_logs(path: Path) -> None:
    """Remove RocksDB's messages from before this open: they may name keys. Make all that was removed durably gone."""
    with reporting(path):
        for file in path.glob(_LOGS):
            file.unlink(missing_ok=True)
        sync_directory(path)


# Forgetting


def suspects(store: Store) -> list[NodeId]:
    """Return the nodes, and failures, that may speak of events which are not theirs any more: the stale ones.

    An event that was taken back or moved since they were written is in none of their inputs, but in their words.
    """
    found: list[NodeId] = []
    for period in sorted(stale_periods(store.marks(), store.calendar.week_start)):
        if _speaks(store, period.id):
            found.append(period.id)
        if period.level is Level.DAY:
            cuts = store.cuts(period.first)
            found += [cut.id for cut in cuts if not _is_current(store, cut)]
    return found


def _speaks(store: Store, node_id: NodeId) -> bool:
    return store.failure(node_id) is not None or store.node(node_id) is not None


def _is_current(store: Store, cut: Cut) -> bool:
    """Return whether the segment's node, if it has one, is of the events of its cut as they are now."""
    node = store.node(cut.id)
    if node is None:
        return store.failure(cut.id) is None
    events = [event for event_id in cut.events if (event := store.event(event_id)) is not None]
    return len(events) == len(cut.events) and segment_inputs(cut, events) == node.inputs


def drop_nodes(store: Store, node_ids: Iterable[NodeId], now_us: int) -> None:
    """Take the nodes away and mark their periods, so that the next rollup writes them anew."""
    batch = store.engine.batch()
    marked: set[Period] = set()
    for node_id in node_ids:
        drop_node(store, batch, node_id)
        segment = parse_segment(node_id)
        marked.add(Period(Level.DAY, segment.day) if segment else period_named(node_id))
    mark(store, batch, marked)
    _put_note(store, batch, now_us)
    store.engine.write(batch, sync=True)


def drop_sources(store: Store, paths: Iterable[str], now_us: int) -> None:
    """Take away what is recorded of transcript files."""
    batch = store.engine.batch()
    for path in paths:
        batch.delete(keys.SOURCES, path.encode(errors="surrogateescape"))
    _put_note(store, batch, now_us)
    store.engine.write(batch, sync=True)


def forget_events(store: Store, ids: Sequence[EventId], now_us: int) -> None:
    """Replace the events by tombstones; with them go the cuts that hold them and every node of their days."""
    batch = store.engine.batch()
    days: set[int] = set()
    for event_id in ids:
        before = store.identity(event_id)
        days |= {store.calendar.day_of(event.time_us) for event in before.revisions}
        _bury(batch, before, Tombstone(event_id, "forgotten", now_us))
    gone = frozenset(ids)
    cuts = [cut for day in sorted(days) for cut in store.cuts(day) if gone & set(cut.events)]
    _drop_segments(store, batch, cuts)
    _drop_periods(store, batch, days)
    _put_note(store, batch, now_us)
    store.engine.write(batch, sync=True)


def _bury(batch: RawBatch, before: Identity, stone: Tombstone) -> None:
    after = merged(before, [stone])
    if after == before:
        return
    put_identity(batch, stone.id, before, after)
    if before.rewind is not None:
        batch.delete(keys.REWINDS, keys.identifier(stone.id))


def _drop_segments(store: Store, batch: RawBatch, cuts: Iterable[Cut]) -> None:
    for cut in cuts:
        place = parse_segment(cut.id)
        assert place is not None, cut.id
        batch.delete(keys.CUTS, keys.cut(store.generation, place, cut.start_us))
        drop_node(store, batch, cut.id)


def _drop_periods(store: Store, batch: RawBatch, days: Collection[int]) -> None:
    """Take away the nodes of the days and of all that holds these days, and mark them: a parent may quote a child."""
    periods = periods_over(days, store.calendar.week_start)
    for period in sorted(periods):
        drop_node(store, batch, period.id)
    mark(store, batch, periods)


def periods_over(days: Iterable[int], week_start: int) -> set[Period]:
    """Return the days and all weeks, months and years that hold one of them."""
    return {period_of(level, day, week_start) for day in set(days) for level in PERIOD_LEVELS}


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
    for event, project in _claimed(store.events(row.first_us, row.last_us + 1), name):
        left = widened(left, event, project)
    if left == row:
        return
    batch = store.engine.batch()
    if left is None:
        batch.delete(keys.SESSIONS, name.encode())
    else:
        batch.put(keys.SESSIONS, name.encode(), codec.SESSION.encode(left))
    store.engine.write(batch, sync=False)


def _claimed(events: Iterable[Event], session: str) -> Iterator[tuple[Event, str]]:
    for event in events:
        for claim in event.claims:
            if claim.session == session:
                yield event, claim.project
