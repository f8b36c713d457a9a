"""Reading what came from outside: any field may be missing or of any JSON type, and nothing here raises for it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

JsonObject = dict[str, object]

MAX_DEPTH = 100
_LONE_SURROGATES = re.compile("[\ud800-\udfff]")


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
    return json.dumps(kept, sort_keys=True, separators=(",", ":"))


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
