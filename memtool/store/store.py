"""Typed reads of an open store. Only `capture`, `toc` and `erase` write, in whole batches."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TypeVar

import msgspec

from memtool.errors import DamagedError
from memtool.model.calendar import Calendar, ZoneTable, calendar_from
from memtool.model.levels import Level, Period, Segment
from memtool.model.merge import Identity
from memtool.model.records import (
    WHOLE_SESSION,
    Cut,
    Event,
    EventId,
    Failure,
    Grip,
    GripId,
    Node,
    NodeId,
    Recipe,
    Rewind,
    Session,
    Source,
    Tombstone,
    Write,
)
from memtool.store import codec, keys
from memtool.store.codec import Codec
from memtool.store.engine import WAY_BACK, Engine, RawBatch

T = TypeVar("T")
_LAST_DAY = 1 << 31


class Begun(msgspec.Struct, frozen=True):
    """A table of contents that a rebuild has begun: its number, and its calendar as `Calendar.describe` has it."""

    generation: int
    calendar: dict[str, str]


class Slice(msgspec.Struct, frozen=True):
    """One range of keys of one column family, for a compaction; None is an open end."""

    family: str
    start: bytes | None
    end: bytes | None


class Store:
    """An open store, and one table of contents in it: the current one, or the one that a rebuild has `begun`."""

    def __init__(self, engine: Engine, *, begun: Begun | None = None) -> None:
        self.engine = engine
        self.is_current = begun is None
        self.zone_key = "zone" if self.is_current else "building_zone"
        """The name in `meta` of the offsets that this table of contents was cut by."""
        if begun is None:
            begun = Begun(self._pinned("generation", int), self._pinned("calendar", dict[str, str]))
        self.generation = begun.generation
        self.calendar = calendar_from(**begun.calendar)

    def building(self) -> Store | None:
        """Return the same store with the table of contents that a rebuild has begun, or None."""
        begun = self.meta("building", Begun)
        return None if begun is None else Store(self.engine, begun=begun)

    def current(self) -> Store:
        """Return the same store with the table of contents that readers see."""
        return Store(self.engine)

    def generations(self) -> tuple[Store, ...]:
        """Return the same store with each table of contents that must not miss a change of the events."""
        building = self.building()
        return (self.current(),) if building is None else (self.current(), building)

    def meta(self, name: str, kind: type[T]) -> T | None:
        data = self.engine.get(keys.META, name.encode())
        return None if data is None else codec.decode_json(name, data, kind)

    def _pinned(self, name: str, kind: type[T]) -> T:
        value = self.meta(name, kind)
        if value is None:
            raise DamagedError(f"the store is damaged: it has no {name}", hint=WAY_BACK)
        return value

    @property
    def id(self) -> str:
        """The store's own id: 16 random hex digits, the same in all copies of it."""
        return self._pinned("store", str)

    def zone_table(self) -> ZoneTable | None:
        """Return the recorded offsets, or None where nothing was captured yet."""
        return self.meta(self.zone_key, ZoneTable)

    def sequence(self) -> int:
        """Return the number of the newest mark."""
        return self._pinned("sequence", int)

    def _get(self, family: str, key: bytes, values: Codec[T]) -> T | None:
        data = self.engine.get(family, key)
        return None if data is None else values.decode(data, key)

    def _values(
        self, family: str, values: Codec[T], start: bytes = b"", end: bytes | None = None
    ) -> Iterator[T]:
        for key, data in self.engine.scan(family, start, end):
            yield values.decode(data, key)

    # Events

    def events(self, start_us: int, end_us: int) -> Iterator[Event]:
        """Yield all events (rewound ones too) from one instant to before another, in order of time and id.

        A day that holds an event of 1970's first hours may begin before 1970, west of Greenwich.
        """
        bounds = keys.instant(max(0, start_us)), keys.instant(max(0, end_us))
        return self._values(keys.EVENTS, codec.EVENT, *bounds)

    def events_back(self, start_us: int, end_us: int) -> Iterator[Event]:
        """Yield the same events, the newest first."""
        # A row's key is longer than an instant, so that all rows of `end_us` come after it.
        for key, data in self.engine.scan_back(keys.EVENTS, keys.instant(max(0, end_us))):
            if keys.read_instant(key) < start_us:
                return
            yield codec.EVENT.decode(data, key)

    def event(self, event_id: EventId) -> Event | None:
        """Return the newest revision of an event, or None."""
        time_us = self.time_of(event_id)
        if time_us is None:
            return None
        return self._get(keys.EVENTS, keys.event(time_us, event_id), codec.EVENT)

    def has_event(self, event_id: EventId) -> bool:
        """Return whether the index leads to an event. The event is not decoded."""
        time_us = self.time_of(event_id)
        if time_us is None:
            return False
        return self.engine.get(keys.EVENTS, keys.event(time_us, event_id)) is not None

    def time_of(self, event_id: EventId) -> int | None:
        """Return the instant of an event by the index, or None."""
        value = self.engine.get(keys.IDS, keys.identifier(event_id))
        return None if value is None else keys.read_instant(value)

    def times(self) -> Iterator[tuple[EventId, int]]:
        """Yield the id and the instant of each event, in order of the ids."""
        for key, value in self.engine.scan(keys.IDS):
            yield EventId(key.hex()), keys.read_instant(value)

    def ids_from(self, digits: str) -> set[EventId]:
        """Return the ids that begin with these hex digits, of events and of what was forgotten."""
        low = bytes.fromhex(digits[: len(digits) // 2 * 2])
        found: set[EventId] = set()
        for family in (keys.IDS, keys.TOMBSTONES):
            for key, _ in self.engine.scan(family, low):
                if key.hex().startswith(digits):
                    found.add(EventId(key.hex()))
                elif key.hex() > digits:
                    break
        return found

    def identity(self, event_id: EventId) -> Identity:
        """Return all that is known of an event id."""
        rewind = self.engine.get(keys.REWINDS, keys.identifier(event_id))
        return Identity(
            self._revisions_of(event_id),
            None if rewind is None else keys.read_instant(rewind),
            self.tombstone(event_id),
        )

    def _revisions_of(self, event_id: EventId) -> tuple[Event, ...]:
        current = self.event(event_id)
        if current is None:
            return ()
        raw = keys.identifier(event_id)
        older = self._values(keys.REVISIONS, codec.EVENT, raw, keys.after_prefix(raw))
        return (current, *sorted(older, key=lambda e: (e.revision, e.digest), reverse=True))

    def revisions(self) -> Iterator[Event]:
        """Yield the superseded revisions of all events."""
        return self._values(keys.REVISIONS, codec.EVENT)

    def events_with(self, pattern: re.Pattern[bytes]) -> Iterator[Event]:
        """Yield the events, and superseded revisions, in which the pattern is found; the others are not decoded."""
        for family in (keys.EVENTS, keys.REVISIONS):
            for key, data in self.engine.scan(family):
                if pattern.search(data):
                    yield codec.EVENT.decode(data, key)

    def rewinds(self) -> Iterator[Rewind]:
        for key, value in self.engine.scan(keys.REWINDS):
            yield Rewind(EventId(key.hex()), keys.read_instant(value))

    def tombstone(self, event_id: EventId) -> Tombstone | None:
        """Return what is left of a forgotten event, or None."""
        return self._get(keys.TOMBSTONES, keys.identifier(event_id), codec.TOMBSTONE)

    def tombstones(self) -> Iterator[Tombstone]:
        """Yield those of events."""
        stones = self._values(keys.TOMBSTONES, codec.TOMBSTONE)
        return (stone for stone in stones if stone.reason != WHOLE_SESSION)

    def is_empty(self) -> bool:
        """Return whether it holds no event, no node, and no trace of forgotten or rewound events."""
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
        return self._get(keys.SESSIONS, session.encode(), codec.SESSION)

    def sessions(self, prefix: str = "") -> Iterator[tuple[str, Session]]:
        for key, value in self.engine.scan(keys.SESSIONS, prefix.encode()):
            if not key.startswith(prefix.encode()):
                return
            yield key.decode(), codec.SESSION.decode(value, key)

    def sessions_beside(self, session: str) -> Iterator[str]:
        """Yield the ids just before and just after that of a session: no other shares more of its beginning."""
        key = session.encode()
        before = (row for row, _ in self.engine.scan_back(keys.SESSIONS, key) if row != key)
        after = (row for row, _ in self.engine.scan(keys.SESSIONS, key) if row != key)
        yield from (row.decode() for rows in (before, after) for row in islice(rows, 1))

    def sources(self) -> dict[str, Source]:
        """Return what is recorded of each transcript file, by path."""
        return {
            keys.read_path(key): codec.SOURCE.decode(value, key)
            for key, value in self.engine.scan(keys.SOURCES)
        }

    def unreadable(self) -> dict[str, str]:
        """Return the files and directories that the last ingest could not read, with the reasons."""
        return self.meta(UNREADABLE, dict[str, str]) or {}

    # The table of contents

    def cuts(self, day: int, end: int | None = None) -> list[Cut]:
        """Return the segments of a day (or of the days before `end`), in order of time."""
        bounds = keys.cut_range(self.generation, day, day + 1 if end is None else end)
        return list(self._values(keys.CUTS, codec.CUT, *bounds))

    def cut_sizes(self, day: int, end: int) -> Iterator[tuple[NodeId, str, str, int]]:
        """Yield ID, session, project and number of events of the segments of some days, in order of time."""
        for found in self._values(
            keys.CUTS, codec.CUT_SIZE, *keys.cut_range(self.generation, day, end)
        ):
            yield found.id, found.session, found.project, found.count

    def node(self, node_id: NodeId) -> Node | None:
        return self._get(keys.NODES, keys.node(self.generation, node_id), codec.NODE)

    def nodes(self, level: Level, first: int = 1, end: int = _LAST_DAY) -> Iterator[Node]:
        """Yield the nodes of one level that begin on the days from `first` to before `end`."""
        bounds = keys.level_range(self.generation, level, first, end)
        return self._values(keys.NODES, codec.NODE, *bounds)

    def has_node(self, node_id: NodeId) -> bool:
        """Return whether there is a node. It is not decoded."""
        return self.engine.get(keys.NODES, keys.node(self.generation, node_id)) is not None

    def node_places(self) -> Iterator[Period | Segment]:
        """Yield what each node is of, in order of levels and time. No node is decoded."""
        for key, _ in self._own(keys.NODES):
            yield keys.read_place(key)

    def recipes(self, level: Level) -> Iterator[tuple[NodeId, Recipe]]:
        """Yield the id and the recipe of each node of one level: half the time of decoding the nodes."""
        bounds = keys.level_range(self.generation, level, 1, _LAST_DAY)
        for found in self._values(keys.NODES, codec.SIGNATURE, *bounds):
            yield found.id, found.recipe

    def write_of(self, node_id: NodeId) -> Write | None:
        return self._get(keys.WRITES, keys.node(self.generation, node_id), codec.WRITE)

    def marks(self) -> dict[Period, int]:
        """Return every marked period with its sequence number: the list of the work there is."""
        rows = self._own(keys.MARKS)
        return {keys.read_place(key).period: keys.read_instant(value) for key, value in rows}

    def mark(self, period: Period) -> int | None:
        value = self.engine.get(keys.MARKS, keys.place(self.generation, period))
        return None if value is None else keys.read_instant(value)

    def index_marks(self, after: int) -> dict[int, int]:
        """Return the days that the text index has to read again since this sequence number, each with its own."""
        prefix = keys.generation(keys.INDEX_GENERATION)
        rows = self.engine.scan(keys.MARKS, prefix, keys.after_prefix(prefix))
        found = {keys.read_index_mark(key): keys.read_instant(value) for key, value in rows}
        return {day: number for day, number in found.items() if number > after}

    def failures(self) -> dict[NodeId, Failure]:
        """Return what could not be summarized and when to try again."""
        rows = self._own(keys.FAILURES)
        return {keys.read_place(key).id: codec.FAILURE.decode(value, key) for key, value in rows}

    def failure(self, node_id: NodeId) -> Failure | None:
        return self._get(keys.FAILURES, keys.node(self.generation, node_id), codec.FAILURE)

    def citations(self, prefix_digits: str = "") -> Iterator[tuple[GripId, NodeId]]:
        """Yield (grip, citing node) for the grips whose id begins with these hex digits."""
        low = bytes.fromhex(prefix_digits[: len(prefix_digits) // 2 * 2])
        for key, _ in self._own(keys.GRIPS, low):
            grip_id, node_id = keys.read_grip(key)
            if grip_id.startswith(prefix_digits):
                yield grip_id, node_id
            elif grip_id > prefix_digits:
                return

    def is_cited(self, grip_id: GripId, node_id: NodeId) -> bool:
        """Return whether the index of grips knows that the node cites the grip."""
        key = keys.grip(self.generation, grip_id, node_id)
        return self.engine.get(keys.GRIPS, key) is not None

    def grip(self, grip_id: GripId) -> Grip | None:
        """Return the grip, from the first node that cites it."""
        for _, node_id in self.citations(grip_id):
            node = self.node(node_id)
            found = [grip for grip in node.grips if grip.id == grip_id] if node else []
            if found:
                return found[0]
        return None

    def _own(self, family: str, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield the rows of this table of contents, from the key that begins so after the generation."""
        prefix = keys.generation(self.generation)
        return self.engine.scan(family, prefix + start, keys.after_prefix(prefix))

    # Writing, and the whole store

    @contextmanager
    def batch(self, *, sync: bool) -> Iterator[RawBatch]:
        """Give a batch, and write it as one atomic step, unless nothing is in it or an error ends the block.

        With `sync` it is on the disk then. Only for the modules beside this one.
        """
        batch = self.engine.batch()
        yield batch
        if len(batch):
            self.engine.write(batch, sync=sync)

    def sync(self) -> None:
        """Put on the disk what was written without `sync`."""
        self.engine.sync()

    def placed_events(self) -> Iterator[tuple[Event, bool]]:
        """Yield every event, in order of time, and whether its key is made of its time and id."""
        for key, value in self.engine.scan(keys.EVENTS):
            event = codec.EVENT.decode(value, key)
            yield event, key == keys.event(event.time_us, event.id)

    def placed_revisions(self) -> Iterator[tuple[Event, bool]]:
        """Yield every superseded revision, and whether its key is made of its id and digest."""
        for key, value in self.engine.scan(keys.REVISIONS):
            event = codec.EVENT.decode(value, key)
            yield event, key == keys.revision(event.id, event.digest)

    def other_rows(self) -> Iterator[None]:
        """Read the rows that no typed read passes through: a damaged block shows only where it is read."""
        for family in (keys.REWINDS, keys.WRITES, keys.META):
            for _ in self.engine.scan(family):
                yield

    def generations_found(self) -> Iterator[tuple[str, int]]:
        """Yield each column family of a table of contents, and the number of each generation with a key in it."""
        for family in keys.GENERATION_FAMILIES:
            start = keys.generation(keys.INDEX_GENERATION + 1)
            while (row := next(self.engine.scan(family, start), None)) is not None:
                number = keys.read_generation(row[0])
                yield family, number
                start = keys.after_prefix(keys.generation(number))

    def sizes(self) -> dict[str, int]:
        """Return the bytes of each column family's files; what is only in the log is not in them."""
        return {family: self.engine.table_bytes(family) for family in keys.FAMILIES}

    def copy_to(self, path: Path) -> None:
        """Copy RocksDB's directory, as it is now, to a path that does not exist. Large files become hard links."""
        self.engine.checkpoint(path)

    def slices(self, size_bytes: int) -> list[Slice]:
        """Write what is in memory to files, and return ranges of about this size that together hold every key."""
        self.engine.flush()
        found: list[Slice] = []
        for family in keys.FAMILIES:
            start, held_bytes = None, 0
            for _, last, file_bytes in self.engine.files(family):
                held_bytes += file_bytes
                if held_bytes >= size_bytes:
                    found.append(Slice(family, start, last))
                    start, held_bytes = last, 0
            found.append(Slice(family, start, None))
        return found

    def compact(self, part: Slice, *, rewrite: bool) -> None:
        """Compact a range; with `rewrite` every file of it, so that nothing that was deleted is left in any."""
        self.engine.compact(part.family, part.start, part.end, rewrite=rewrite)

    def close(self) -> None:
        self.engine.close()


def put_meta(batch: RawBatch, name: str, value: object) -> None:
    batch.put(keys.META, name.encode(), codec.encode_json(value))


UNREADABLE = "unreadable"
MOVED = "moved"


def moves(store: Store) -> dict[str, str]:
    """Return where projects moved, as a person said: the new path by the old one."""
    return store.meta(MOVED, dict[str, str]) or {}


def moved(project: str, rule: Mapping[str, str]) -> str:
    """Return the path that a project, or a directory below one, has now."""
    start = project
    while start:
        if start in rule:
            return rule[start] + project[len(start) :]
        start = start.rpartition("/")[0]
    return project


ERASING = "erasing"
RULES_APPLIED = "redaction"


class Erasing(msgspec.Struct, frozen=True):
    """Something was deleted since this instant, and its bytes may still be in the files.

    `number` rises with every batch that deletes something: a compaction clears only what it has seen.
    """

    since_us: int
    number: int


def erasing(store: Store) -> Erasing | None:
    """Return the note that the files may still hold what was deleted, or None."""
    return store.meta(ERASING, Erasing)


def note_erasing(store: Store, batch: RawBatch, now_us: int) -> None:
    """Note in the batch that it deletes what must be in no file."""
    known = erasing(store) or Erasing(now_us, 0)
    batch.delete(keys.META, UNREADABLE.encode())  # paths may name what is deleted
    put_meta(batch, ERASING, Erasing(known.since_us, known.number + 1))
