"""Values: MessagePack of the records, checked against their types when read. RocksDB's untyped bytes end here."""

from __future__ import annotations

import json
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
        self._decoder = msgspec.msgpack.Decoder(kind)

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


EVENT = Codec(Event)
TOMBSTONE = Codec(Tombstone)
SESSION = Codec(Session)
SOURCE = Codec(Source)
CUT = Codec(Cut)
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
