"""Values: MessagePack of the records, checked against their types when read. RocksDB's untyped bytes end here."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Generic, TypeVar, cast

import msgspec

from memtool.errors import DamagedError
from memtool.model.records import (
    Cut,
    Event,
    Failure,
    Node,
    NodeId,
    Recipe,
    Session,
    Source,
    Tombstone,
    Write,
)

T = TypeVar("T")


class Codec(Generic[T]):
    """Encodes and decodes one type of value. `more` are fields that are written and not read."""

    def __init__(self, kind: type[T], **more: object) -> None:
        self._kind = kind
        self._more = more

    @cached_property
    def _decoder(self) -> msgspec.msgpack.Decoder[T]:
        return msgspec.msgpack.Decoder(self._kind)

    def encode(self, value: T) -> bytes:
        assert isinstance(value, self._kind), value
        if self._more:
            fields = {**msgspec.structs.asdict(cast("msgspec.Struct", value)), **self._more}
            if not fields.get("body", True):
                del fields["body"]  # nodes of older stores have none
            return msgspec.msgpack.encode(fields)
        return msgspec.msgpack.encode(value)

    def decode(self, data: bytes, key: bytes) -> T:
        """Return the value; raise DamagedError naming the key where the bytes are not one."""
        try:
            return self._decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _damaged(f"a {self._kind.__name__.lower()}", key.hex(), error) from error


class Signature(msgspec.Struct, frozen=True):
    """What is counted of a node."""

    id: NodeId
    recipe: Recipe


class CutSize(msgspec.Struct, frozen=True):
    """What is counted of a segment. Its events are not decoded: that takes four fifths of the time."""

    id: NodeId
    session: str
    project: str
    events: msgspec.Raw

    @property
    def count(self) -> int:
        """The number of its events, from the head of the MessagePack array."""
        head = bytes(self.events)[:5]
        sizes = {0xDC: 2, 0xDD: 4}  # array 16, array 32; else fixarray
        size = sizes.get(head[0])
        return head[0] & 0x0F if size is None else int.from_bytes(head[1 : 1 + size], "big")


EVENT = Codec(Event)
TOMBSTONE = Codec(Tombstone)
SESSION = Codec(Session)
SOURCE = Codec(Source)
CUT = Codec(Cut)
CUT_SIZE = Codec(CutSize)
NODE = Codec(Node, frozen=False)  # always so: equal nodes have equal bytes in older stores
SIGNATURE = Codec(Signature)
FAILURE = Codec(Failure)
WRITE = Codec(Write)


def encode_json(value: object) -> bytes:
    plain = msgspec.to_builtins(value)
    return json.dumps(plain, ensure_ascii=False, sort_keys=True).encode()


def decode_json(name: str, data: bytes, kind: type[T]) -> T:
    """Return a `meta` value; raise DamagedError where the bytes are not one."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _damaged("a value of meta", name, error) from error


def _damaged(what: str, key: str, error: Exception) -> DamagedError:
    return DamagedError(
        f"{what} in the store cannot be read (key {key}): {error}",
        hint="`memtool verify` shows what else is damaged; `memtool restore BACKUP --replace` is the way back",
    )
