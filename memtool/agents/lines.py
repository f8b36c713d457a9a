"""JSON objects in a stream of lines, with bounded memory: a line beyond the limit is skipped while it streams by."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import msgspec

from memtool.agents.values import MAX_DEPTH, JsonObject, is_too_deep, without_lone_surrogates

_STEP_BYTES = 1 << 20


class Line(NamedTuple):
    """Bytes `start` to `end` of the source. `data` is None where the line is too long to be read."""

    start: int
    end: int
    data: bytes | None
    complete: bool


def lines_of(stream: BinaryIO, start: int, end: int | None, max_line_bytes: int) -> Iterator[Line]:
    """Yield the lines of the stream, which stands at `start`, up to `end` or its end."""
    while end is None or start < end:
        line = _next_line(stream, start, end, max_line_bytes)
        if line.end == start:
            return
        yield line
        start = line.end


def _next_line(stream: BinaryIO, start: int, end: int | None, max_line_bytes: int) -> Line:
    data = stream.readline(_room(start, end, max_line_bytes + 1))
    if data.endswith(b"\n") or len(data) <= max_line_bytes:
        return Line(start, start + len(data), data, data.endswith(b"\n"))
    position, last = start + len(data), data[-1:]
    while last != b"\n":
        step = stream.readline(_room(position, end, _STEP_BYTES))
        if not step:
            break
        position, last = position + len(step), step[-1:]
    return Line(start, position, None, last == b"\n")


def _room(position: int, end: int | None, wanted: int) -> int:
    return wanted if end is None else min(wanted, end - position)


MAX_RESUMES = 64
"""How often reading is taken up again behind damage in one line: a bound, since each try costs the rest of the line."""

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")
_BOM = "\ufeff"


class Damage(NamedTuple):
    """A part of a line that is no record, and why."""

    reason: str


def decoded(data: bytes) -> tuple[str, bool]:
    """Return the line as text, and whether bytes that are no UTF-8 had to be replaced."""
    try:
        return data.decode().strip("\r\n\t " + _BOM), False
    except UnicodeDecodeError:
        return data.decode(errors="replace").strip("\r\n\t " + _BOM), True


def parts_of(text: str) -> Iterator[JsonObject | Damage]:
    """Yield each object on the line, and one Damage for each stretch between them."""
    if (whole := _only_object(text)) is not None:
        yield whole
        return
    position = _skip_space(text, 0)
    while position < len(text):
        value, end = _decode(text, position)
        if end == position:
            resumed = _resume(text, position)
            end = len(text) if resumed is None else resumed
        yield value
        position = _skip_space(text, end)


def _only_object(text: str) -> JsonObject | Damage | None:
    """Return the object that is all of the line, decoded the fast way; None where that refuses, or is no object.

    What it takes it reads as json does; it refuses NaN, lone surrogates, numbers that are too long and trailing text.
    """
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return _checked(value, text) if isinstance(value, dict) else None


def _decode(text: str, position: int) -> tuple[JsonObject | Damage, int]:
    """Return the object at the position and its end; damage whose end cannot be told ends where it starts."""
    try:
        value, end = _DECODER.raw_decode(text, position)
    except json.JSONDecodeError as error:
        return Damage(f"not JSON: {error.msg}"), position
    except RecursionError:
        return Damage("nested too deeply"), len(text)
    except ValueError:  # an integer beyond what Python converts
        return Damage("not JSON: a number is too long"), position
    if not isinstance(value, dict):
        return Damage("not a JSON object"), position
    return _checked(value, text), end


_LONGEST_ESCAPE = len("\\ud83d\\ude00")


def is_unfinished(text: str) -> bool:
    """Return whether the text looks like the beginning of one JSON value: it may still be being written."""
    try:
        _DECODER.raw_decode(text)
    except json.JSONDecodeError as error:
        at_end = error.pos >= len(text) - _LONGEST_ESCAPE
        return at_end or error.msg.startswith("Unterminated string")
    except (RecursionError, ValueError):
        return False
    return False


def _checked(value: JsonObject, text: str) -> JsonObject | Damage:
    may_be_deep = text.count("{") + text.count("[") > MAX_DEPTH  # to look costs more than to count
    if may_be_deep and is_too_deep(value):
        return Damage(f"nested deeper than {MAX_DEPTH}")
    if "\\ud" not in text and "\\uD" not in text:
        return value
    cleaned = without_lone_surrogates(value)
    assert isinstance(cleaned, dict)
    return cleaned


def _resume(text: str, position: int) -> int | None:
    """Return where the next whole object begins.

    Only one that ends the line or stands before another is taken: an object nested in the damaged part is
    followed by its comma or bracket, and is no record.
    """
    for _ in range(MAX_RESUMES):
        position = text.find("{", position + 1)
        if position < 0:
            return None
        value, end = _decode(text, position)
        following = _skip_space(text, end)
        if not isinstance(value, Damage) and text[following : following + 1] in {"", "{"}:
            return position
    return None


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    assert match is not None
    return match.end()
