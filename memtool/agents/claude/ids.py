"""What identifies a record of Claude Code: its own id, or where it has none, a hash of all it says."""

from __future__ import annotations

from memtool.agents.values import JsonObject, canonical, text_at
from memtool.model.records import RECORD_DIGITS, digest_of

NAME = "claude-code"
_NOT_IN_DIGEST = frozenset({"sessionId", "cwd", "version"})


def content_of(record: JsonObject) -> str:
    """Return the raw record, less what differs between copies of it under several sessions."""
    return canonical(record, _NOT_IN_DIGEST)


def own_digest(uuid: str) -> str:
    """Return the digest that the id of a record with an id of its own is cut from."""
    return digest_of("id", NAME, uuid)


def raw_digest(record: JsonObject, time_us: int, ordinal: int) -> str:
    """Return the digest that the id of a record without an id is cut from."""
    session = text_at(record, "sessionId")
    return digest_of("raw", session, content_of(record), time_us, ordinal)


def raw_key(record: JsonObject) -> str:
    """Return what is the same for records that only their ordinal tells apart."""
    return digest_of(text_at(record, "sessionId"), content_of(record))


def parent_of(record: JsonObject) -> str:
    """Return the record that this one follows, or ""."""
    parent = text_at(record, "parentUuid")
    return own_digest(parent)[:RECORD_DIGITS] if parent else ""
