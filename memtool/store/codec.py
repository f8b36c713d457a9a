"""Values: MessagePack of plain dataclasses, checked against their types when read. RocksDB's untyped bytes end here."""

from __future__ import annotations

import json
from typing import Generic, TypeVar

import msgspec

from memtool.errors import DamagedError
from memtool.model.records import Cut, Event, Node, Recipe, Source, Tombstone

T = TypeVar("T")


class Session(msgspec.Struct, frozen=True):
    """Bounds that hold all events of a session, and what was seen in it."""

    first_us: int
    last_us: int
    agents: tuple[str, ...]
    projects: tuple[str, ...]


class Failure(msgspec.Struct, frozen=True):
    """A node that could not be written: from which inputs, how often, when to try again."""

    inputs: str
    recipe: Recipe
    count: int
    retry_us: int
    error: str


class Write(msgspec.Struct, frozen=True):
    """When a node was written and by which run."""

    written_us: int
    run: str


class Codec(Generic[T]):
    """Encodes and decodes one type of value."""

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind
        self._decoder = msgspec.msgpack.Decoder(kind)

    def encode(self, value: T) -> bytes:
        """Return the value's bytes."""
        assert isinstance(value, self._kind), value
        return msgspec.msgpack.encode(value)

    def decode(self, data: bytes, key: bytes) -> T:
        """Return the value; raise DamagedError naming the key where the bytes are not one."""
        try:
            return self._decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DamagedError(
                f"a {self._kind.__name__.lower()} in the store cannot be read (key {key.hex()}): {error}",
                hint="`memtool verify` shows what else is damaged; `memtool restore BACKUP --replace` is the way back",
            ) from error


class _NodeCodec(Codec[Node]):
    """Writes `frozen`, which is always false, into the rows of nodes: equal nodes keep equal bytes in older stores."""

    def encode(self, value: Node) -> bytes:
        """Return the node's bytes."""
        return msgspec.msgpack.encode({**msgspec.structs.asdict(value), "frozen": False})


EVENT = Codec(Event)
TOMBSTONE = Codec(Tombstone)
SESSION = Codec(Session)
SOURCE = Codec(Source)
CUT = Codec(Cut)
NODE = _NodeCodec(Node)
FAILURE = Codec(Failure)
WRITE = Codec(Write)


def encode_json(value: object) -> bytes:
    """Return a `meta` value's bytes."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True).encode()


def decode_json(data: bytes) -> object:
    """Return a `meta` value."""
    value: object = json.loads(data)
    return value
