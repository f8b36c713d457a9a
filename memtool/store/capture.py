"""Taking records in: one synced batch of events, their marks and how far the source was read. Never summarizes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from memtool.model.calendar import ZoneTable, utc_day, year_of, zone_table
from memtool.model.merge import Identity, merged
from memtool.model.records import Claim, Event, EventId, Record, Session, Source
from memtool.store import codec, keys
from memtool.store.engine import RawBatch
from memtool.store.store import MOVED, UNREADABLE, Store, moved, moves, note_erasing, put_meta
from memtool.store.toc import mark_days, mark_for_index, mark_moments


class Captured(msgspec.Struct):
    """What became of records, counted in events."""

    new: int = 0
    changed: int = 0
    known: int = 0
    forgotten: int = 0
    days: set[int] = set()


def capture(
    store: Store,
    records: Sequence[Record],
    *,
    path: str = "",
    source: Source | None = None,
    now_us: int = 0,
) -> Captured:
    """Merge the records into the store and record the source's state, all in one synced batch; return what changed.

    Nothing is written where nothing changed. The caller holds the writer. Where newer rules of redaction masked what
    was stored, it is noted that the files may still hold it.
    """
    result = Captured()
    by_id: dict[EventId, list[Record]] = defaultdict(list)
    rule = moves(store)
    for record in records:
        by_id[record.id].append(_as_moved(record, rule) if rule else record)
    fresh: list[Event] = []
    moments: set[int] = set()
    changed: set[int] = set()
    is_masked = False
    with store.batch(sync=True) as batch:
        for event_id, same in by_id.items():
            before = store.identity(event_id)
            after = merged(before, same)
            _count(result, before, after)
            if after != before:
                put_identity(batch, event_id, before, after)
                moments |= _moments_to_mark(before, after)
                changed |= {one.time_us for one in (before.current, after.current) if one}
                fresh += after.revisions[:1]
                is_masked = is_masked or _is_masked(before, after)
        _put_sessions(store, batch, fresh)
        _put_zone(store, batch, fresh)
        result.days = mark_moments(store, batch, moments)
        mark_for_index(store, batch, map(utc_day, changed))
        if is_masked:
            note_erasing(store, batch, now_us)
        if source is not None:
            key, value = keys.path(path), codec.SOURCE.encode(source)
            if store.engine.get(keys.SOURCES, key) != value:
                batch.put(keys.SOURCES, key, value)
    return result


def _as_moved(record: Record, rule: Mapping[str, str]) -> Record:
    if not isinstance(record, Event):
        return record
    claims = (Claim(claim.session, moved(claim.project, rule)) for claim in record.claims)
    return replace(record, claims=tuple(sorted(claims)))


def put_moves(store: Store, rule: Mapping[str, str]) -> None:
    """Record where projects moved: from now on it holds for all that is captured."""
    with store.batch(sync=True) as batch:
        put_meta(batch, MOVED, rule)


def rename_events(store: Store, ids: Iterable[EventId], rule: Mapping[str, str]) -> None:
    """Give the events the paths that their projects have now, in one synced batch."""
    moments: set[int] = set()
    with store.batch(sync=True) as batch:
        for event_id in ids:
            before = store.identity(event_id)
            revisions = tuple(_as_moved(one, rule) for one in before.revisions)
            after = replace(before, revisions=revisions)
            if after != before:
                put_identity(batch, event_id, before, after)
                moments |= {one.time_us for one in before.revisions[:1]}
        mark_moments(store, batch, moments)
        mark_for_index(store, batch, map(utc_day, moments))


def rename_sessions(store: Store, rule: Mapping[str, str]) -> None:
    """Give the rows of sessions the paths that projects have now, in one synced batch."""
    with store.batch(sync=True) as batch:
        for name, row in store.sessions():
            projects = tuple(sorted({moved(project, rule) for project in row.projects}))
            if projects != row.projects:
                now = replace(row, projects=projects)
                batch.put(keys.SESSIONS, name.encode(), codec.SESSION.encode(now))


def drop_sources(store: Store, paths: Iterable[str]) -> None:
    """Remove how far files were read that are there no more, in one synced batch."""
    with store.batch(sync=True) as batch:
        for path in paths:
            batch.delete(keys.SOURCES, keys.path(path))


def note_unreadable(store: Store, reasons: Mapping[str, str]) -> None:
    """Replace what is recorded of the files and directories that cannot be read."""
    with store.batch(sync=True) as batch:
        put_meta(batch, UNREADABLE, dict(reasons))


def _count(result: Captured, before: Identity, after: Identity) -> None:
    if after.tombstone is not None:
        result.forgotten += 1
    elif after == before:
        result.known += 1
    elif before.current is None and after.current is not None:
        result.new += 1
    else:
        result.changed += 1


def _is_masked(before: Identity, after: Identity) -> bool:
    """Return whether newer rules have changed what is stored of a record."""
    now = {event.digest: event for event in after.revisions}
    return any(
        was.redaction < now[was.digest].redaction
        and (was.text, was.metadata) != (now[was.digest].text, now[was.digest].metadata)
        for was in before.revisions
        if was.digest in now
    )


def _moments_to_mark(before: Identity, after: Identity) -> set[int]:
    """Return where in time what a summarizer sees of the event has changed."""
    seen = [event for event in (before.current, after.current) if event and not event.rewound]
    if len(seen) > 1 and len({event.body_digest() for event in seen}) == 1:
        return set()
    return {event.time_us for event in seen}


def put_identity(batch: RawBatch, event_id: EventId, before: Identity, after: Identity) -> None:
    """Bring all rows of one event id from one state to the next."""
    old, new = before.current, after.current
    raw = keys.identifier(event_id)
    if old is not None and (new is None or new.time_us != old.time_us):
        batch.delete(keys.EVENTS, keys.event(old.time_us, event_id))
    if new is not None:
        batch.put(keys.EVENTS, keys.event(new.time_us, event_id), codec.EVENT.encode(new))
        batch.put(keys.IDS, raw, keys.instant(new.time_us))
    elif old is not None:
        batch.delete(keys.IDS, raw)
    superseded = {event.digest for event in after.revisions[1:]}
    for event in before.revisions[1:]:
        if event.digest not in superseded:
            batch.delete(keys.REVISIONS, keys.revision(event_id, event.digest))
    for event in after.revisions[1:]:
        batch.put(keys.REVISIONS, keys.revision(event_id, event.digest), codec.EVENT.encode(event))
    if after.rewind is not None:
        batch.put(keys.REWINDS, raw, keys.instant(after.rewind))
    if after.tombstone is not None:
        batch.put(keys.TOMBSTONES, raw, codec.TOMBSTONE.encode(after.tombstone))


def _put_sessions(store: Store, batch: RawBatch, events: Sequence[Event]) -> None:
    seen: dict[str, Session] = {}
    for event in events:
        for claim in event.claims:
            known = seen.get(claim.session) or store.session(claim.session)
            seen[claim.session] = widened(known, event, claim.project)
    for session, value in seen.items():
        if value != store.session(session):
            batch.put(keys.SESSIONS, session.encode(), codec.SESSION.encode(value))


def widened(known: Session | None, event: Event, project: str) -> Session:
    """Return the bounds of a session that hold this event of it, too."""
    if known is None:
        return Session(event.time_us, event.time_us, (event.agent,), (project,))
    if (
        known.first_us <= event.time_us <= known.last_us
        and event.agent in known.agents
        and project in known.projects
    ):
        return known
    return Session(
        min(known.first_us, event.time_us),
        max(known.last_us, event.time_us),
        tuple(sorted({*known.agents, event.agent})),
        tuple(sorted({*known.projects, project})),
    )


def _put_zone(store: Store, batch: RawBatch, events: Sequence[Event]) -> None:
    """Extend the recorded offsets to the years that the events lie in; those recorded before stay as they were."""
    if not events:
        return
    times_us = [event.time_us for event in events]
    first, last = year_of(min(times_us)), year_of(max(times_us))
    for each in store.generations():
        zone, table = each.calendar.zone, each.zone_table()
        new = table.extended(zone, first, last) if table else zone_table(zone, first, last)
        if new != table:
            put_meta(batch, each.zone_key, new)


def mark_moved_days(store: Store, days: set[int], table: ZoneTable) -> None:
    """Mark the days whose bounds differ under today's zone data and record that data, in one batch."""
    with store.batch(sync=True) as batch:
        put_meta(batch, store.zone_key, table)
        mark_days(store, batch, days)
