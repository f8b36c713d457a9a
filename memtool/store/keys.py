"""Column families and their keys: order-preserving, decoded as strictly as they are encoded (docs/store-format.md)."""

from __future__ import annotations

import struct

from memtool.model.levels import Level, Period, Segment, place_of
from memtool.model.records import EventId, GripId, NodeId

META = "meta"
EVENTS = "events"
IDS = "ids"
REVISIONS = "revisions"
REWINDS = "rewinds"
TOMBSTONES = "tombstones"
SESSIONS = "sessions"
SOURCES = "sources"
CUTS = "cuts"
NODES = "nodes"
GRIPS = "grips"
MARKS = "marks"
FAILURES = "failures"
WRITES = "writes"

FAMILIES = (
    META,
    EVENTS,
    IDS,
    REVISIONS,
    REWINDS,
    TOMBSTONES,
    SESSIONS,
    SOURCES,
    CUTS,
    NODES,
    GRIPS,
    MARKS,
    FAILURES,
    WRITES,
)
GENERATION_FAMILIES = (CUTS, NODES, GRIPS, MARKS, FAILURES, WRITES)
"""Those whose keys begin with the number of a table of contents."""

INDEX_GENERATION = 0
"""Of the marks that the text index reads; tables of contents are numbered from 1."""

_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")
_GENERATION_LEVEL_DAY = struct.Struct(">IBI")
_GENERATION_DAY = struct.Struct(">II")
ID_BYTES = 16
TAIL_BYTES = 8


def instant(instant_us: int) -> bytes:
    """Return an instant so that byte order is time order."""
    return _U64.pack(instant_us)


def read_instant(data: bytes) -> int:
    """Return the instant at the front of a key, or the whole of a value."""
    return int(_U64.unpack_from(data)[0])


def identifier(text: str) -> bytes:
    """Return the 16 bytes of an event id, grip id or digest."""
    data = bytes.fromhex(text)
    assert len(data) == ID_BYTES, text
    return data


def event(instant_us: int, event_id: EventId) -> bytes:
    return instant(instant_us) + identifier(event_id)


def path(text: str) -> bytes:
    """Return the key in `sources`: the file's path as the system has it."""
    return text.encode(errors="surrogateescape")


def read_path(key: bytes) -> str:
    return key.decode(errors="surrogateescape")


def revision(event_id: EventId, digest: str) -> bytes:
    return identifier(event_id) + identifier(digest)


def generation(number: int) -> bytes:
    """Return the prefix of everything that belongs to one table of contents."""
    return _U32.pack(number)


def index_mark(day: int) -> bytes:
    """Return the key in `marks` of a day that the text index has to read again."""
    return _GENERATION_DAY.pack(INDEX_GENERATION, day)


def read_index_mark(key: bytes) -> int:
    """Return the day of an index mark."""
    return int(_GENERATION_DAY.unpack(key)[1])


def read_generation(key: bytes) -> int:
    return int(_U32.unpack_from(key)[0])


def place(number: int, of: Period | Segment) -> bytes:
    """Return the key of a period or segment in `nodes`, `marks` and the like."""
    if isinstance(of, Period):
        return _GENERATION_LEVEL_DAY.pack(number, of.level, of.first)
    return _GENERATION_LEVEL_DAY.pack(number, of.level, of.day) + _tail(of)


def _tail(segment: Segment) -> bytes:
    tail = bytes.fromhex(segment.tail)
    assert len(tail) == TAIL_BYTES, segment
    return tail


def node(number: int, node_id: NodeId) -> bytes:
    return place(number, place_of(node_id))


def read_place(key: bytes) -> Period | Segment:
    """Return the period or segment whose key (with its generation) this is."""
    _, level, day = _GENERATION_LEVEL_DAY.unpack_from(key)
    tail = key[_GENERATION_LEVEL_DAY.size :]
    if level == Level.SEGMENT:
        assert len(tail) == TAIL_BYTES, key
        return Segment(day, tail.hex())
    assert not tail, key
    return Period(Level(level), day)


def level_range(number: int, level: Level, first: int, end: int) -> tuple[bytes, bytes]:
    """Return the range of keys of one level's periods (or segments) from day `first` to before day `end`."""
    return _GENERATION_LEVEL_DAY.pack(number, level, first), _GENERATION_LEVEL_DAY.pack(
        number, level, end
    )


def cut(number: int, of: Segment, start_us: int) -> bytes:
    """Return the key in `cuts`: a day's segments lie in order of time."""
    return _GENERATION_DAY.pack(number, of.day) + instant(start_us) + _tail(of)


def cut_range(number: int, first: int, end: int) -> tuple[bytes, bytes]:
    """Return the range of the cuts from day `first` to before day `end`."""
    return _GENERATION_DAY.pack(number, first), _GENERATION_DAY.pack(number, end)


def grip(number: int, grip_id: GripId, citing: NodeId) -> bytes:
    """Return the key in `grips` that says which node cites the grip."""
    return generation(number) + identifier(grip_id) + node(number, citing)[_U32.size :]


def read_grip(key: bytes) -> tuple[GripId, NodeId]:
    start = _U32.size
    grip_id = GripId(key[start : start + ID_BYTES].hex())
    return grip_id, read_place(key[:start] + key[start + ID_BYTES :]).id


def after_prefix(prefix: bytes) -> bytes:
    """Return the first key that does not begin with the prefix."""
    number = int.from_bytes(prefix, "big") + 1
    return number.to_bytes(len(prefix), "big")
