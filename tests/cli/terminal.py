"""The real program on a real terminal: what it prints is waited for, and answered as a person would."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import pytest

from tests.conftest import SOURCE

CTRL_C, CTRL_D = "\x03", "\x04"
_GUARD_S = 120
"""Ends a test that hangs; none that works comes near it."""
_SEQUENCES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


class Terminal:
    """The program with these arguments, on a terminal of its own."""

    def __init__(
        self, *arguments: str | Path, environ: Mapping[str, str], cwd: Path, columns: int = 80
    ) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self._process = subprocess.Popen(
            # Without a controlling terminal, ^C would reach nobody.
            ["setsid", "--ctty", sys.executable, "-m", "memtool", *map(str, arguments)],
            env={**environ, "TERM": "xterm", "PYTHONPATH": str(SOURCE)},
            cwd=cwd,
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        self._read = b""
        self._seen = 0

    @property
    def text(self) -> str:
        """All that was printed so far, without colours and cursor movements."""
        return _SEQUENCES.sub("", self._read.decode(errors="replace")).replace("\r\n", "\n")

    def wait_for(self, words: str) -> None:
        """Read until these words come, after those that were waited for before."""
        while (found := self.text.find(words, self._seen)) < 0:
            if not self._more():
                pytest.fail(f"it ended without {words!r}: {self.text[-2000:]}")
        self._seen = found + len(words)

    def type(self, keys: str) -> None:
        """Press these keys."""
        os.write(self._master, keys.encode())

    def end(self) -> int:
        """Read to the end and return the exit code."""
        while self._more():
            pass
        return self._process.wait(_GUARD_S)

    def _more(self) -> bool:
        """Read some more; return whether there may be more to come."""
        if not select.select([self._master], [], [], _GUARD_S)[0]:
            pytest.fail(f"nothing more came: {self.text[-2000:]}")
        try:
            part = os.read(self._master, 65536)
        except OSError:  # Linux says so of a terminal that nothing has open any more
            return False
        self._read += part
        return bool(part)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._master)
