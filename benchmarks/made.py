"""Transcripts of any size for benchmarks: the real ones of MEMTOOL_TEST_DATA again and again, each time with new ids.

A copy has the mix of record kinds and sizes of the originals. Every id (UUIDs, message, tool and request ids) and every
session is new in it, and it plays on a day of its own, so that each copy is new work all the way up.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from hashlib import blake2b
from pathlib import Path

_UUID = re.compile(rb"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_OTHER_ID = re.compile(rb"\b(msg|toolu|req)_[A-Za-z0-9]{10,40}\b")
_TIME = re.compile(rb'"timestamp":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z"')
_FIRST_DAY = datetime(2016, 1, 1)  # noqa: DTZ001 - only its date is used


def originals() -> list[list[bytes]]:
    """Return the lines of each real transcript. End the program, saying so, where there are none."""
    folder = os.environ.get("MEMTOOL_TEST_DATA", "")
    files = sorted(Path(folder, "transcripts", "claude").glob("*.jsonl")) if folder else []
    if not files:
        sys.exit("skipped: MEMTOOL_TEST_DATA names no folder with transcripts/claude/*.jsonl")
    return [file.read_bytes().splitlines(keepends=True) for file in files]


def copies(first: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield (file name, content) of the copies `first` to before `first + count`; copy n plays on day n."""
    lines_of = originals()
    for number in range(first, first + count):
        lines = lines_of[number % len(lines_of)]
        yield f"made-{number:06}.jsonl", b"".join(_copied(lines, number))


def write_copies(folder: Path, first: int, count: int) -> int:
    """Write the copies into the folder, as files of a Claude project, and return their bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    size = 0
    for name, content in copies(first, count):
        (folder / name).write_bytes(content)
        size += len(content)
    return size


def _copied(lines: list[bytes], number: int) -> Iterator[bytes]:
    begin = next(
        (found[1] for line in lines if (found := _TIME.search(line))), b"2016-01-01T00:00:00"
    )
    shift = _FIRST_DAY + timedelta(days=number) - _day(begin)
    for line in lines:
        moved = _TIME.sub(partial(_moved, shift), line)
        renamed = _UUID.sub(partial(_new_uuid, number), moved)
        yield _OTHER_ID.sub(partial(_new_id, number), renamed)


def _day(stamp: bytes) -> datetime:
    return datetime.fromisoformat(stamp.decode()).replace(hour=0, minute=0, second=0)


def _moved(shift: timedelta, match: re.Match[bytes]) -> bytes:
    then = datetime.fromisoformat(match[1].decode()) + shift
    return b'"timestamp":"%s%sZ"' % (then.isoformat().encode(), match[2] or b"")


def _new_uuid(number: int, match: re.Match[bytes]) -> bytes:
    fresh = _digest(number, match[0], 16)
    return b"-".join((fresh[:8], fresh[8:12], fresh[12:16], fresh[16:20], fresh[20:]))


def _new_id(number: int, match: re.Match[bytes]) -> bytes:
    return match[1] + b"_" + _digest(number, match[0], 12)


def _digest(number: int, old: bytes, size: int) -> bytes:
    return blake2b(b"%d %s" % (number, old), digest_size=size).hexdigest().encode()
