"""Reads a transcript as chunks of records with bounded memory, from where the last reading ended.

The state in a chunk is true once its records are stored: a crash in between loses nothing and reads again.
"""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from msgspec.structs import replace

from memtool.agents import File, format_named
from memtool.agents.chunks import Chunk, Limits, choose_format, fill_chunks, foreign_chunk
from memtool.agents.lines import lines_of
from memtool.agents.objects import Damage, decoded, parts_of
from memtool.agents.own import Own, without_own
from memtool.agents.sources import fingerprint, resume_at, unchanged
from memtool.agents.values import JsonObject
from memtool.errors import StorageError
from memtool.files import storage_error
from memtool.model.records import Source

__all__ = ["Chunk", "Limits", "Own", "read_chunks", "read_stream", "unchanged"]

_LIMITS = Limits()
_NONE = Own()


def read_chunks(
    path: Path, source: Source | None = None, *, limits: Limits = _LIMITS, own: Own = _NONE
) -> Iterator[Chunk]:
    """Yield what is new in the file since `source`, nothing if it is unchanged; the last chunk has the final state.

    What is memtool's own is passed over. Raise StorageError where the file cannot be read.
    """
    try:
        if source is not None and unchanged(path.stat(), source):
            return
        with _opened(path) as stream:
            yield from _read_file(_Asked(path, limits, own), stream, source)
    except OSError as error:
        raise storage_error(error, path) from error


def read_stream(
    stream: BinaryIO, *, name: str = "", limits: Limits = _LIMITS, own: Own = _NONE
) -> Iterator[Chunk]:
    """Yield what a stream without a past says; `name` stands in where records tell no session."""
    lines = lines_of(stream, 0, None, limits.line_bytes)
    chosen, lines = choose_format(lines, limits)
    if chosen is None:
        yield foreign_chunk(lines, Source())
        return
    # Of a stream, nothing can be looked at again or ahead: each record counts by itself.
    parser = without_own(chosen, File(name, lambda _: iter(())), own, lambda _: iter(()))
    state = Source(format=chosen.name)
    yield from fill_chunks(lines, parser, state, limits, is_growing=False)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which file is read, and how."""

    path: Path
    limits: Limits
    own: Own


def _opened(path: Path) -> BinaryIO:
    # O_NONBLOCK: a FIFO in a file's place must not hang the job.
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")


def _read_file(asked: _Asked, stream: BinaryIO, source: Source | None) -> Iterator[Chunk]:
    found = os.fstat(stream.fileno())
    if not stat.S_ISREG(found.st_mode):
        raise StorageError(f"{asked.path}: not a regular file")
    last = None
    start = resume_at(stream.fileno(), found, source)
    # Only the bytes of this stat are read: its size and time are then what the state can vouch for.
    for chunk in _chunks(asked, stream, start, found.st_size):
        if last is not None:
            yield _signed(last, stream, found, is_final=False)
        last = chunk
    assert last is not None
    yield _signed(last, stream, found, is_final=True)


def _chunks(asked: _Asked, stream: BinaryIO, start: Source, end: int) -> Iterator[Chunk]:
    chosen = format_named(start.format)
    if chosen is None:
        start = Source(inode=start.inode)
    stream.seek(start.offset)
    lines = lines_of(stream, start.offset, end, asked.limits.line_bytes)
    if chosen is None:
        chosen, lines = choose_format(lines, asked.limits)
    if chosen is None:
        yield foreign_chunk(lines, start)
        return
    past = _Past(stream, start.offset, asked.limits.line_bytes)
    whole = _Past(stream, end, asked.limits.line_bytes)
    parser = without_own(chosen, File(asked.path.stem, past.earlier), asked.own, whole.earlier)
    state = replace(start, format=chosen.name, waiting_bytes=0)
    yield from fill_chunks(lines, parser, state, asked.limits, is_growing=True)


def _signed(chunk: Chunk, stream: BinaryIO, found: os.stat_result, *, is_final: bool) -> Chunk:
    """Return the chunk with the file's state; only the last one may say that all of the file was read."""
    state = replace(
        chunk.source,
        inode=found.st_ino,
        size_bytes=found.st_size if is_final else chunk.source.offset,
        mtime_ns=found.st_mtime_ns if is_final else 0,
        fingerprint=fingerprint(stream.fileno(), chunk.source.offset),
    )
    return dataclasses.replace(chunk, source=state)


@dataclass(frozen=True, slots=True)
class _Past:
    """The part of a file before the point where this reading began."""

    stream: BinaryIO
    end: int
    line_bytes: int

    def earlier(self, word: str) -> Iterator[JsonObject]:
        """Yield its objects; the stream is left where it was."""
        here = self.stream.tell()
        self.stream.seek(0)
        needle = word.encode("ascii")
        try:
            for line in lines_of(self.stream, 0, self.end, self.line_bytes):
                # Only an escape could spell the word otherwise.
                if line.data is not None and (needle in line.data or b"\\u" in line.data):
                    parts = parts_of(decoded(line.data)[0])
                    yield from (part for part in parts if not isinstance(part, Damage))
        finally:
            self.stream.seek(here)
