"""The one way to start another program: an argument list, a bound, plain output. Never raises for how it ended."""

from __future__ import annotations

import subprocess  # noqa: TID251 - the one place
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

MISSING = 127  # as a shell says it
TIMED_OUT = 124  # as timeout(1) says it

# No colours, no pager, English, whatever the person has set.
PLAIN = {"LC_ALL": "C.UTF-8", "LANGUAGE": "", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""}
# For output that is parsed: times in UTC, too.
PARSED = {**PLAIN, "TZ": "UTC"}


class Finished(NamedTuple):
    """How a program ended. A negative code is the signal that killed it."""

    argv: tuple[str, ...]
    code: int
    stdout: str = ""
    stderr: str = ""
    is_missing: bool = False
    is_timed_out: bool = False
    is_flooded: bool = False
    """Whether it was killed for writing more than it may."""

    @property
    def is_ok(self) -> bool:
        """Whether it ran and ended with 0."""
        return self.code == 0

    @property
    def said(self) -> str:
        """The first line that it wrote on stderr, or else on stdout; else its exit code in words."""
        for line in (*self.stderr.splitlines(), *self.stdout.splitlines()):
            if line.strip():
                return line.strip()
        return f"{self.argv[0]} ended with {self.code} and said nothing"


def run(
    argv: Sequence[str],
    environ: Mapping[str, str],
    *,
    timeout_s: float | None = 30,
    stdin: bytes = b"",
) -> Finished:
    """Run a program and return how it ended, with its output for parsing. It is killed after the timeout.

    Returns a result for a program that is missing, not executable or too slow, too.
    """
    called = tuple(argv)
    try:
        done = subprocess.run(
            called,
            env={**environ, **PARSED},
            input=stdin,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        said = f"{called[0]} did not answer within {timeout_s:g} s"
        return Finished(called, TIMED_OUT, text_of(late.stdout), said, is_timed_out=True)
    except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
        return not_started(called, error)
    return Finished(called, done.returncode, text_of(done.stdout), text_of(done.stderr))


def stream(
    argv: Sequence[str], environ: Mapping[str, str], on_line: Callable[[str], None]
) -> Finished:
    """Run a program, pass on each line of its output as it comes, and return how it ended.

    An exception of `on_line` and Ctrl-C terminate the program.
    """
    called = tuple(argv)
    try:
        child = subprocess.Popen(
            called,
            env={**environ, **PLAIN},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
    except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
        return not_started(called, error)
    with child:
        assert child.stdout is not None
        assert child.stderr is not None
        try:
            for line in child.stdout:
                on_line(line.rstrip("\n"))
            said = child.stderr.read()  # little enough to have waited in the pipe
        except BaseException:
            child.terminate()
            raise
    return Finished(called, child.returncode, "", said)


def not_started(argv: tuple[str, ...], error: OSError) -> Finished:
    """Return the result of a program that is not there, or may not be run."""
    what = "may not be run here" if isinstance(error, PermissionError) else "is not installed"
    return Finished(argv, MISSING, "", f"{argv[0]} {what}", is_missing=True)


def text_of(output: bytes | str | None) -> str:
    """Return output as text, for any bytes."""
    if isinstance(output, bytes):
        return output.decode("utf-8", "replace")
    return output or ""


WITHIN = "MEMTOOL_WITHIN"
"""An environment variable: set, to anything, in all that memtool runs a model with."""

SUMMARIZER_DIRECTORY = "memtool-summarizer"
"""Where it runs it, below the store: a session that works in a directory of this name is memtool's own, whichever
store's it was."""
