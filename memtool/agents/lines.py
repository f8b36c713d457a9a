"""Lines of a binary stream with bounded memory: a line beyond the limit is passed over while it streams by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_STEP_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Line:
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
