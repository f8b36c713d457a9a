"""Compressed transcripts as streams. What they hold is read as it streams by, and again from the start where needed."""

from __future__ import annotations

import gzip
import io
import os
import sys
import zlib
from collections.abc import Callable
from typing import BinaryIO, Protocol, cast

from memtool.errors import StorageError


class _Reader(Protocol):
    def read(self, size: int, /) -> bytes: ...


_Open = Callable[[BinaryIO], tuple[_Reader, tuple[type[Exception], ...]]]
"""Returns what decompresses a file, and what it raises where the data is damaged."""


def _zstd(stream: BinaryIO) -> tuple[_Reader, tuple[type[Exception], ...]]:
    if sys.version_info >= (3, 14):
        from compression import zstd

        return zstd.ZstdFile(stream), (zstd.ZstdError, EOFError)
    try:
        import zstandard
    except ImportError as error:
        raise StorageError(
            "it is compressed with zstd, and the Python package zstandard is missing",
            hint=f"{sys.executable} -m pip install zstandard",
        ) from error
    reader = zstandard.ZstdDecompressor().stream_reader(
        stream, read_across_frames=True, closefd=False
    )
    return cast("_Reader", reader), (zstandard.ZstdError,)


def _gzip(stream: BinaryIO) -> tuple[_Reader, tuple[type[Exception], ...]]:
    return gzip.GzipFile(fileobj=stream), (gzip.BadGzipFile, zlib.error, EOFError)


_KINDS: dict[bytes, _Open] = {b"\x28\xb5\x2f\xfd": _zstd, b"\x1f\x8b": _gzip}
"""By the bytes that a file begins with."""
_STEP_BYTES = 1 << 16
SUFFIXES = (".zst", ".gz")


def unpacked(stream: BinaryIO) -> Unpacked | None:
    """Return the decompressed stream of a file, None where it is not compressed.

    Raise StorageError where what it needs is not installed.
    """
    head = os.pread(stream.fileno(), max(map(len, _KINDS)), 0)
    kind = next((kind for magic, kind in _KINDS.items() if head.startswith(magic)), None)
    return None if kind is None else Unpacked(stream, kind)


class Unpacked(io.RawIOBase):
    """What a compressed file holds. It ends where the data is `damaged`. To go back, it begins again."""

    def __init__(self, stream: BinaryIO, kind: _Open) -> None:
        self._stream = stream
        self._kind = kind
        self._reader, self._errors = kind(stream)
        self._position = 0
        self.damaged = False

    def readable(self) -> bool:
        """Return true: io asks."""
        return True

    def seekable(self) -> bool:
        """Return true: io asks."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # what io gives it
        """Fill the buffer as far as one step goes."""
        try:
            data = self._reader.read(min(len(buffer), _STEP_BYTES))
        except self._errors:
            self.damaged = True
            return 0
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a place counted from the start, or tell where it stands."""
        if whence == os.SEEK_SET:
            if offset < self._position:
                self._stream.seek(0)
                self._reader, self._errors = self._kind(self._stream)
                self._position = 0
            while self._position < offset:
                if not self.read(min(_STEP_BYTES, offset - self._position)):
                    break
        return self._position
