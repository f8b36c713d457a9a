"""Fields of JSON from outside: any may be missing or of any type, and nothing here raises for it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec

from memtool.model.records import FIRST_INSTANT_US, LAST_INSTANT_US

JsonObject = dict[str, object]

MAX_DEPTH = 100
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
_LONE_SURROGATES = re.compile("[\ud800-\udfff]")


S = TypeVar("S", bound=msgspec.Struct)


def remembered(memory: str, kind: type[S]) -> S:
    """Return the state that an earlier parser left as JSON; a new one where it left none of this kind."""
    try:
        return msgspec.json.decode(memory or "{}", type=kind)
    except msgspec.DecodeError:
        return kind()


def text_at(record: JsonObject, key: str) -> str:
    """Return the string under the key, or "" where there is none."""
    value = record.get(key)
    return value if isinstance(value, str) else ""


def object_at(record: JsonObject, key: str) -> JsonObject:
    """Return the object under the key, or an empty one."""
    value = record.get(key)
    return value if isinstance(value, dict) else {}


def list_at(record: JsonObject, key: str) -> list[object]:
    """Return the list under the key, or an empty one."""
    value = record.get(key)
    return value if isinstance(value, list) else []


def is_true(record: JsonObject, key: str) -> bool:
    """Return whether the key holds `true` itself."""
    return record.get(key) is True


def count_text(record: JsonObject, key: str) -> str:
    """Return the whole number under the key as text, or ""."""
    value = record.get(key)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def canonical(record: JsonObject, without: frozenset[str]) -> str:
    """Return the record as ASCII JSON with sorted keys, less some top-level keys: equal records give equal text."""
    kept = {key: value for key, value in record.items() if key not in without}
    return _CANONICAL(kept)


def is_too_deep(value: object) -> bool:
    """Return whether lists and objects nest deeper than MAX_DEPTH; itself it never recurses."""
    layer = [value]
    for _ in range(MAX_DEPTH):
        layer = [child for parent in layer for child in _children(parent)]
        if not layer:
            return False
    return True


def without_lone_surrogates(value: object) -> object:
    """Return the value with U+FFFD for what cannot be encoded as UTF-8; its depth has been checked."""
    if isinstance(value, str):
        return _LONE_SURROGATES.sub("\ufffd", value)
    if isinstance(value, list):
        return [without_lone_surrogates(child) for child in value]
    if isinstance(value, dict):
        return {
            _LONE_SURROGATES.sub("\ufffd", key): without_lone_surrogates(child)
            for key, child in value.items()
        }
    return value


def _children(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return [child for child in value.values() if isinstance(child, (dict, list))]
    if isinstance(value, list):
        return [child for child in value if isinstance(child, (dict, list))]
    return ()


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,30}))?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def instant_us(value: object) -> int | None:
    """Return the instant that RFC 3339 text names, or None: no zone, no such moment, outside 1970 to 2200."""
    match = _RFC3339.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    date, clock, fraction, zone = match.groups()
    offset = "+00:00" if zone in "Zz" else zone
    try:
        moment = datetime.fromisoformat(f"{date}T{clock}{offset}")
    except ValueError:
        return None
    return in_range((moment - _EPOCH) // _MICROSECOND + int((fraction or "0").ljust(6, "0")[:6]))


def in_range(value_us: int) -> int | None:
    """Return the instant if the store can hold it."""
    return value_us if FIRST_INSTANT_US <= value_us < LAST_INSTANT_US else None


def rfc3339(value_us: int) -> str:
    """Return the instant as RFC 3339 in UTC, to the microsecond."""
    moment = _EPOCH + timedelta(microseconds=value_us)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
