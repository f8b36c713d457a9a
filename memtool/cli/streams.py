"""The standard streams: always there, never a reason to stop the work.

A stream that was closed is replaced by /dev/null, or the next file to be opened, such as one of RocksDB's, would get
its number. What cannot be written on stderr is dropped. What cannot be written on stdout is noted: the command goes
on, and `cli/app` reports it at the end.
"""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Mapping
from io import BufferedWriter, FileIO, TextIOWrapper
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_STDIN, _STDOUT, _STDERR = range(3)


class _Descriptor(FileIO):
    """Writes on a descriptor that others have, too. Keeps the first error; raises it if that is asked for."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "w", closefd=False)
        self.error: OSError | None = None
        self.raises = False

    def write(self, data: ReadableBuffer) -> int:
        """Write the data, as much as fits; all of it counts as written after an error."""
        try:
            return super().write(data)
        except BlockingIOError:
            raise
        except OSError as error:
            self.error = self.error or error
            if self.raises:
                raise
            return memoryview(data).nbytes


class Stream(TextIOWrapper):
    """A standard stream to write on, in UTF-8 if the locale has only ASCII; `?` for what the encoding lacks."""

    def __init__(self, number: int, before: TextIOWrapper | None) -> None:
        self._descriptor = _Descriptor(number)
        encoding = "utf-8" if before is None else before.encoding
        super().__init__(
            BufferedWriter(self._descriptor),
            encoding="utf-8" if codecs.lookup(encoding).name == "ascii" else encoding,
            errors="replace",
            line_buffering=number == _STDERR or (before is not None and before.line_buffering),
            write_through=before is not None and before.write_through,
        )
        self.is_journal = False
        """Whether systemd's journal reads it, which takes `<3>` at the start of a line as its priority."""

    @property
    def error(self) -> OSError | None:
        """The first error in writing, or None."""
        return self._descriptor.error

    def raise_errors(self) -> None:
        """Let a command end when what it prints cannot be written: for one that prints all that it reads."""
        self._descriptor.raises = True

    def drain(self) -> OSError | None:
        """Write what is buffered, and return the first error of all."""
        self._descriptor.raises = False
        self.flush()
        return self.error


def prepare(environ: Mapping[str, str]) -> None:
    """Put streams of this module into `sys`."""
    for number in (_STDIN, _STDOUT, _STDERR):
        try:
            os.fstat(number)
        except OSError:  # closed: the lowest free number is this one
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stdin is None:
        sys.stdin = open(_STDIN, closefd=False, encoding="utf-8")  # noqa: SIM115 - a descriptor
    sys.stdout = Stream(_STDOUT, _given(sys.stdout))
    sys.stderr = errors = Stream(_STDERR, _given(sys.stderr))
    errors.is_journal = _is_journal(environ.get("JOURNAL_STREAM", ""), _STDERR)


def _given(stream: object) -> TextIOWrapper | None:
    return cast("TextIOWrapper", stream) if isinstance(stream, TextIOWrapper) else None


def _is_journal(text: str, number: int) -> bool:
    """Return whether the descriptor is the one that systemd has connected to the journal (systemd.exec(5))."""
    found = os.fstat(number)
    return text == f"{found.st_dev}:{found.st_ino}"
