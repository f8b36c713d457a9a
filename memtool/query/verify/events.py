"""Verifies events and their indexes, and that each day's segments hold its current events exactly."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from memtool.model.calendar import year_of
from memtool.model.levels import Level, Period, parse_segment
from memtool.model.records import ROLES, Event, EventId
from memtool.model.segmenting import by_session, cuts_of
from memtool.query.verify.walk import MAX_LISTED, Walk
from memtool.store import codec, keys

_OLDEST_LIKELY_YEAR = 2015
_DAY_US = 24 * 3600 * 1_000_000


def check_events_and_days(walk: Walk) -> Iterator[str]:
    """Check every event, and the cuts of every day that has any."""
    days = groupby(_events(walk), key=lambda event: walk.store.calendar.day_of(event.time_us))
    seen: set[int] = set()
    for day, events in days:
        seen.add(day)
        held = []
        for event in events:
            _check_event(walk, event)
            held.append(event)
            yield "events"
        _check_day(walk, day, held)
        yield "days"
    for cut in walk.store.cuts(1, 1 << 31):
        segment = parse_segment(cut.id)
        if segment is None or (segment.day not in seen and not walk.is_stale(cut.id)):
            walk.found.say(cut.id, "a segment of a day that has no events")
        yield "segments"


def _events(walk: Walk) -> Iterator[Event]:
    for key, value in walk.store.engine.scan(keys.EVENTS):
        event = codec.EVENT.decode(value, key)
        if keys.event(event.time_us, event.id) != key:
            walk.found.say(event.id, "its key does not match its time and id")
        yield event


def _check_event(walk: Walk, event: Event) -> None:
    store, say = walk.store, walk.found.say
    raw = keys.identifier(event.id)
    if store.engine.get(keys.IDS, raw) != keys.instant(event.time_us):
        say(event.id, "the index by id does not lead to it")
    if store.engine.get(keys.TOMBSTONES, raw) is not None:
        say(event.id, "it is there although it was forgotten")
    if event.kind not in ROLES or list(event.claims) != sorted(event.claims) or not event.claims:
        say(event.id, "its kind or its claims are not well formed")
    for claim in event.claims:
        session = store.session(claim.session)
        if session is None or not session.first_us <= event.time_us <= session.last_us:
            say(event.id, f"it lies outside the bounds of its session {claim.session}")
    if year_of(event.time_us) < _OLDEST_LIKELY_YEAR or event.time_us > walk.now_us + _DAY_US:
        walk.found.strange_count += 1
        if len(walk.found.strange_events) < MAX_LISTED:
            walk.found.strange_events.append((event.id, event.time_us))


def _check_day(walk: Walk, day: int, events: list[Event]) -> None:
    period = Period(Level.DAY, day)
    if period in walk.stale:
        return
    expected = [cut for held in by_session(events).values() for cut in cuts_of(held, day)]
    standing = walk.store.cuts(day)
    if sorted(standing, key=lambda cut: cut.id) != sorted(expected, key=lambda cut: cut.id):
        walk.found.say(period.id, "its segments do not cover its events exactly")
    for cut in standing:
        if walk.store.node(cut.id) is None and walk.store.failure(cut.id) is None:
            walk.found.say(cut.id, "the segment has no node, and no failure is recorded")


def check_ids(walk: Walk) -> Iterator[str]:
    """Check that the index by id leads to events only."""
    for key, _ in walk.store.engine.scan(keys.IDS):
        if walk.store.event(EventId(key.hex())) is None:
            walk.found.say(key.hex(), "the index by id leads to no event")
        yield "ids"


def check_revisions(walk: Walk) -> Iterator[str]:
    """Check that superseded revisions lie where they belong, beside a current one."""
    for key, value in walk.store.engine.scan(keys.REVISIONS):
        event = codec.EVENT.decode(value, key)
        if keys.revision(event.id, event.digest) != key:
            walk.found.say(event.id, "the key of a superseded revision does not match it")
        if walk.store.event(event.id) is None:
            walk.found.say(event.id, "a superseded revision of an event that is not there")
        yield "revisions"
