"""Reads the fields of memtool's own event lines strictly: what is wrong is an error that names the field."""

from __future__ import annotations

import re

from memtool.core.digest import digest_of
from memtool.core.model import RECORD_DIGITS, Claim, EventId, event_id
from memtool.transcripts.times import in_range, instant_us
from memtool.transcripts.values import JsonObject

MAX_METADATA = 100
ADDED_NAME = "size_bytes"
"""The name that memtool itself adds where it shortens text: what it has exported it must take."""
MAX_INTEGER = 2**63 - 1
_HEX_32 = re.compile(r"[0-9a-f]{32}")


class FieldError(ValueError):
    """A field that is missing, or does not hold what it must."""


def text_of(record: JsonObject, name: str, default: str = "") -> str:
    """Return a field of text; null counts as missing."""
    value = record.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise FieldError(f"{name}: not a text")
    return value


def required_text(record: JsonObject, name: str) -> str:
    """Return a field of text that must be there and not be empty."""
    value = text_of(record, name)
    if not value:
        raise FieldError(f"{name}: missing")
    return value


def choice_of(record: JsonObject, name: str, choices: frozenset[str], default: str = "") -> str:
    """Return a field that must hold one of some words."""
    value = text_of(record, name, default)
    if value not in choices:
        shown = f"{name}: {value[:40]!r} is none of {', '.join(sorted(choices))}"
        raise FieldError(shown if value else f"{name}: missing")
    return value


def integer_of(record: JsonObject, name: str) -> int:
    """Return a field of a whole number from 0, or 0 where it is missing."""
    value = record.get(name)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_INTEGER:
        raise FieldError(f"{name}: not a whole number from 0")
    return value


def bool_of(record: JsonObject, name: str) -> bool:
    """Return a field of true or false, or False where it is missing."""
    value = record.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise FieldError(f"{name}: neither true nor false")


def time_of(record: JsonObject) -> int:
    """Return the field `time`: RFC 3339 with a zone, or whole microseconds since 1970."""
    value = record.get("time")
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    time_us = in_range(value) if is_integer and isinstance(value, int) else instant_us(value)
    if time_us is None:
        raise FieldError("time: missing" if value is None else "time: no instant from 1970 to 2200")
    return time_us


def digest_field(record: JsonObject) -> str:
    """Return the field `digest`, or "" where it is missing."""
    value = text_of(record, "digest")
    if value and not _HEX_32.fullmatch(value):
        raise FieldError("digest: not 32 lower-case hex digits")
    return value


def id_of(record: JsonObject, agent: str) -> EventId | None:
    """Return the event that the field `id` names, or None where it is missing."""
    value = text_of(record, "id")
    if not value:
        return None
    if _HEX_32.fullmatch(value):
        return EventId(value)
    if not agent:
        raise FieldError("agent: missing, and the id is not 32 lower-case hex digits")
    return event_id(digest_of("id", agent, value), 1)


def parent_of(record: JsonObject, agent: str) -> str:
    """Return the record that the field `parent` names, by the same rule as `id`, or ""."""
    value = text_of(record, "parent")
    named = id_of({"id": value}, agent) if value else None
    return named[:RECORD_DIGITS] if named else ""


def claims_of(record: JsonObject, own: Claim) -> tuple[Claim, ...]:
    """Return the claims in their order, the record's own session and project among them."""
    listed = record.get("claims")
    if listed is None:
        return (own,)
    if not isinstance(listed, list):
        raise FieldError("claims: not a list")
    return tuple(sorted({own, *map(_claim, listed)}))


def _claim(value: object) -> Claim:
    if not isinstance(value, dict):
        raise FieldError("claims: not a list of objects")
    try:
        return Claim(required_text(value, "session"), text_of(value, "project"))
    except FieldError as error:
        raise FieldError(f"claims: {error}") from error


def metadata_of(record: JsonObject) -> dict[str, str]:
    """Return the field `metadata`: names and texts; numbers and truth values are taken as their JSON text."""
    value = record.get("metadata")
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value.keys() - {ADDED_NAME}) > MAX_METADATA:
        raise FieldError(f"metadata: not an object of at most {MAX_METADATA} names")
    return {name: _metadata_text(name, entry) for name, entry in value.items()}


def _metadata_text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise FieldError(f"metadata: {name[:40]!r} is no text")
