"""Typed reads of an open store. Whoever has a Store may read; only `capture` and `toc` write, in whole batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

import msgspec

from memtool.model.calendar import Calendar, calendar_from
from memtool.model.levels import Level, Period
from memtool.model.merge import Identity
from memtool.model.records import Cut, Event, EventId, Grip, GripId, Node, NodeId, Source, Tombstone
from memtool.store import codec, keys
from memtool.store.codec import Failure, Session, Write
from memtool.store.engine import Engine


class ZoneTable(msgspec.Struct, frozen=True):
    """The offsets that the days so far were cut by (invariant 13)."""

    first_year: int
    last_year: int
    transitions: list[tuple[int, int]]


def encode_zone(table: ZoneTable) -> bytes:
    """Return the `meta` value of the zone table."""
    return codec.encode_json(
        {
            "first_year": table.first_year,
            "last_year": table.last_year,
            "transitions": table.transitions,
        }
    )


BUILDING = b"building"
BUILDING_ZONE = b"building_zone"


class Store:
    """An open store, and one table of contents in it: the current one, or the one that a rebuild has `begun`."""

    def __init__(self, engine: Engine, *, begun: Mapping[str, object] | None = None) -> None:
        self.engine = engine
        self.zone_key = b"zone" if begun is None else BUILDING_ZONE
        """Where in `meta` the offsets are that this table of contents was cut by."""
        if begun is None:
            begun = {name: self.meta(name) for name in ("generation", "calendar")}
        self.generation = cast("int", begun["generation"])
        pinned = cast("dict[str, str]", begun["calendar"])
        self.calendar: Calendar = calendar_from(
            pinned["zone"], pinned["day_starts_at"], pinned["week_starts_on"]
        )

    def building(self) -> Store | None:
        """Return the same store with the table of contents that a rebuild has begun, or None."""
        begun = cast("dict[str, object] | None", self.meta(BUILDING.decode()))
        return None if begun is None else Store(self.engine, begun=begun)

    def current(self) -> Store:
        """Return the same store with the table of contents that readers see."""
        return Store(self.engine)

    def generations(self) -> tuple[Store, ...]:
        """Return the same store with each table of contents that must not miss a change of the events."""
        building = self.building()
        return (self.current(),) if building is None else (self.current(), building)

    def meta(self, name: str) -> object:
        """Return a `meta` value, or None."""
        data = self.engine.get(keys.META, name.encode())
        return None if data is None else codec.decode_json(data)

    def zone_table(self) -> ZoneTable | None:
        """Return the recorded offsets, or None where nothing was captured yet."""
        value = cast("dict[str, object] | None", self.meta(self.zone_key.decode()))
        if value is None:
            return None
        rows = cast("list[list[int]]", value["transitions"])
        return ZoneTable(
            cast("int", value["first_year"]),
            cast("int", value["last_year"]),
            [(instant_us, offset_s) for instant_us, offset_s in rows],
        )

    def sequence(self) -> int:
        """Return the number of the newest mark."""
        return cast("int", self.meta("sequence"))

    # Events

    def events(self, start_us: int, end_us: int) -> Iterator[Event]:
        """Yield all events (rewound ones too) from one instant to before another, in order of time and id.

        A day that holds an event of 1970's first hours may begin before 1970, west of Greenwich.
        """
        for key, value in self.engine.scan(
            keys.EVENTS, keys.instant(max(0, start_us)), keys.instant(max(0, end_us))
        ):
            yield codec.EVENT.decode(value, key)

    def event(self, event_id: EventId) -> Event | None:
        """Return the newest revision of an event, or None."""
        place = self.engine.get(keys.IDS, keys.identifier(event_id))
        if place is None:
            return None
        key = keys.event(keys.read_instant(place), event_id)
        value = self.engine.get(keys.EVENTS, key)
        return None if value is None else codec.EVENT.decode(value, key)

    def identity(self, event_id: EventId) -> Identity:
        """Return all that is known of an event id."""
        raw = keys.identifier(event_id)
        buried = self.engine.get(keys.TOMBSTONES, raw)
        tombstone = None if buried is None else codec.TOMBSTONE.decode(buried, raw)
        return Identity(self._revisions(event_id), self._rewind(raw), tombstone)

    def _revisions(self, event_id: EventId) -> tuple[Event, ...]:
        current = self.event(event_id)
        if current is None:
            return ()
        raw = keys.identifier(event_id)
        rows = self.engine.scan(keys.REVISIONS, raw, keys.after_prefix(raw))
        older = [codec.EVENT.decode(value, key) for key, value in rows]
        return (current, *sorted(older, key=lambda e: (e.revision, e.digest), reverse=True))

    def _rewind(self, raw: bytes) -> int | None:
        value = self.engine.get(keys.REWINDS, raw)
        return None if value is None else keys.read_instant(value)

    def tombstones(self) -> Iterator[Tombstone]:
        """Yield every tombstone."""
        for key, value in self.engine.scan(keys.TOMBSTONES):
            yield codec.TOMBSTONE.decode(value, key)

    def is_empty(self) -> bool:
        """Return whether it holds no event, no summary of swept events, and no trace of forgotten or rewound ones."""
        rows = (keys.EVENTS, keys.NODES, keys.TOMBSTONES, keys.REWINDS)
        return all(next(self.engine.scan(family), None) is None for family in rows)

    def span_us(self) -> tuple[int, int] | None:
        """Return the instants of the first and the last event, or None."""
        first = next(self.engine.scan(keys.EVENTS), None)
        last = next(self.engine.scan_back(keys.EVENTS, b"\xff" * 24), None)
        if first is None or last is None:
            return None
        return keys.read_instant(first[0]), keys.read_instant(last[0])

    def days(self, calendar: Calendar | None = None) -> Iterator[int]:
        """Yield the days, of this or another calendar, that hold an event."""
        calendar, start_us = calendar or self.calendar, 0
        while row := next(self.engine.scan(keys.EVENTS, keys.instant(start_us)), None):
            day = calendar.day_of(keys.read_instant(row[0]))
            yield day
            start_us = calendar.day_start_us(day + 1)

    def session(self, session: str) -> Session | None:
        """Return the bounds of a session, or None."""
        key = session.encode()
        value = self.engine.get(keys.SESSIONS, key)
        return None if value is None else codec.SESSION.decode(value, key)

    def sessions(self, prefix: str = "") -> Iterator[tuple[str, Session]]:
        """Yield the sessions whose id begins with the prefix."""
        for key, value in self.engine.scan(keys.SESSIONS, prefix.encode()):
            if not key.startswith(prefix.encode()):
                return
            yield key.decode(), codec.SESSION.decode(value, key)

    def sources(self) -> dict[str, Source]:
        """Return what is recorded of each transcript file, by path."""
        rows = self.engine.scan(keys.SOURCES)
        return {
            key.decode(errors="surrogateescape"): codec.SOURCE.decode(value, key)
            for key, value in rows
        }

    # The table of contents

    def cuts(self, day: int, end: int | None = None) -> list[Cut]:
        """Return the segments of a day (or of the days before `end`), in order of time."""
        low, high = keys.cut_range(self.generation, day, day + 1 if end is None else end)
        return [
            codec.CUT.decode(value, key) for key, value in self.engine.scan(keys.CUTS, low, high)
        ]

    def node(self, node_id: NodeId) -> Node | None:
        """Return a node, or None."""
        key = keys.node(self.generation, node_id)
        value = self.engine.get(keys.NODES, key)
        return None if value is None else codec.NODE.decode(value, key)

    def nodes(self, level: Level, first: int = 1, end: int = 1 << 31) -> Iterator[Node]:
        """Yield the nodes of one level that begin on the days from `first` to before `end`."""
        low, high = keys.level_range(self.generation, level, first, end)
        for key, value in self.engine.scan(keys.NODES, low, high):
            yield codec.NODE.decode(value, key)

    def write_of(self, node_id: NodeId) -> Write | None:
        """Return when a node was written, or None."""
        key = keys.node(self.generation, node_id)
        value = self.engine.get(keys.WRITES, key)
        return None if value is None else codec.WRITE.decode(value, key)

    def marks(self) -> dict[Period, int]:
        """Return every marked period with its sequence number: the list of the work there is."""
        prefix = keys.generation(self.generation)
        rows = self.engine.scan(keys.MARKS, prefix, keys.after_prefix(prefix))
        return {keys.read_period(key): keys.read_instant(value) for key, value in rows}

    def mark(self, period: Period) -> int | None:
        """Return the period's own mark, or None."""
        value = self.engine.get(keys.MARKS, keys.period(self.generation, period))
        return None if value is None else keys.read_instant(value)

    def failures(self) -> dict[NodeId, Failure]:
        """Return what could not be summarised and when to try again."""
        prefix = keys.generation(self.generation)
        rows = self.engine.scan(keys.FAILURES, prefix, keys.after_prefix(prefix))
        return {keys.read_node(key): codec.FAILURE.decode(value, key) for key, value in rows}

    def failure(self, node_id: NodeId) -> Failure | None:
        """Return the node's failure, or None."""
        key = keys.node(self.generation, node_id)
        value = self.engine.get(keys.FAILURES, key)
        return None if value is None else codec.FAILURE.decode(value, key)

    def citations(self, prefix_digits: str = "") -> Iterator[tuple[GripId, NodeId]]:
        """Yield (grip, citing node) for the grips whose id begins with these hex digits."""
        low = keys.generation(self.generation) + bytes.fromhex(
            prefix_digits[: len(prefix_digits) // 2 * 2]
        )
        end = keys.after_prefix(keys.generation(self.generation))
        for key, _ in self.engine.scan(keys.GRIPS, low, end):
            grip_id, node_id = keys.read_grip(key)
            if grip_id.startswith(prefix_digits):
                yield grip_id, node_id
            elif grip_id > prefix_digits:
                return

    def grip(self, grip_id: GripId) -> Grip | None:
        """Return the grip, from the first node that cites it."""
        for _, node_id in self.citations(grip_id):
            node = self.node(node_id)
            found = [grip for grip in node.grips if grip.id == grip_id] if node else []
            if found:
                return found[0]
        return None

    def close(self) -> None:
        """Close the database."""
        self.engine.close()
