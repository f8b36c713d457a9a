"""Programs that may run for long and start others: run beside the caller's own work, bounded, nothing left behind.

Never raises for how a program ended. It imports asyncio: import it where it is used.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from errno import ENOEXEC
from pathlib import Path
from typing import NamedTuple, TypeVar, cast

from memtool.process import PLAIN, TIMED_OUT, Finished, not_started, text_of

_STDIN, _STDOUT, _STDERR = range(3)
_STDERR_BYTES = 64 << 10
_DRAIN_S = 2.0
_Result = TypeVar("_Result")
# For whoever would draw on a terminal.
_DULL = {**PLAIN, "NO_COLOR": "1", "TERM": "dumb"}


class Bounds(NamedTuple):
    """How long a program may take and how much it may write; `grace_s` is between SIGTERM and SIGKILL."""

    timeout_s: float
    output_bytes: int
    grace_s: float = 3.0


async def run_family(
    argv: Sequence[str],
    environ: Mapping[str, str],
    *,
    directory: Path,
    stdin: bytes,
    bounds: Bounds,
) -> Finished:
    """Run a program in a session of its own and return how it ended. What it has started ends with it.

    A program that is not there or may not be run, takes too long or writes too much is a result too. A cancelled
    call ends the program first. Raise OSError where the system has no room for one more process.
    """
    called = tuple(argv)
    loop = asyncio.get_running_loop()
    start = asyncio.ensure_future(
        loop.subprocess_exec(
            lambda: _Family(loop, bounds.output_bytes),
            *called,
            env={**environ, **_DULL},
            cwd=directory,
            start_new_session=True,
        )
    )
    # A start that is broken off would leave the children of what it has started, and wait for their end.
    is_cancelled = await _to_its_end(start)
    problem = start.exception()
    if problem is not None:
        if is_cancelled:
            raise asyncio.CancelledError from problem
        return _not_begun(called, problem)
    transport, family = start.result()
    try:
        if is_cancelled:
            raise asyncio.CancelledError
        await family.until_over(stdin, bounds.timeout_s)
        is_late = not family.exited.done() and not family.is_flooded
    finally:
        try:
            await family.end(bounds.grace_s)
        finally:
            family.close()
    return _finished(called, family, bounds, transport.get_returncode(), is_late=is_late)


async def _to_its_end(task: asyncio.Future[_Result]) -> bool:
    """Wait for the task, which takes no long time, and return whether the caller was cancelled meanwhile."""
    is_cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            is_cancelled = True
    return is_cancelled


def _not_begun(called: tuple[str, ...], problem: BaseException) -> Finished:
    if isinstance(problem, FileNotFoundError | PermissionError | NotADirectoryError):
        return not_started(called, problem)
    if isinstance(problem, OSError) and problem.errno == ENOEXEC:
        return not_started(called, PermissionError())
    raise problem


def _finished(
    called: tuple[str, ...], family: _Family, bounds: Bounds, code: int | None, *, is_late: bool
) -> Finished:
    output = text_of(bytes(family.output[_STDOUT]))
    if is_late:
        told = f"{called[0]} did not answer within {bounds.timeout_s:g} s"
        return Finished(called, TIMED_OUT, output, told, is_timed_out=True)
    code = -signal.SIGKILL if code is None else code
    if family.is_flooded:
        told = f"{called[0]} wrote more than {bounds.output_bytes} bytes"
        return Finished(called, code, output, told, is_flooded=True)
    return Finished(called, code, output, text_of(bytes(family.output[_STDERR])))


class _Family(asyncio.SubprocessProtocol):
    """A program and all that is in its process group."""

    def __init__(self, loop: asyncio.AbstractEventLoop, output_bytes: int) -> None:
        self.exited: asyncio.Future[None] = loop.create_future()
        self.is_flooded = False
        self.output = {_STDOUT: bytearray(), _STDERR: bytearray()}
        self._most = {_STDOUT: output_bytes, _STDERR: _STDERR_BYTES}
        self._flooded: asyncio.Future[None] = loop.create_future()
        self._drained: asyncio.Future[None] = loop.create_future()
        self._transport: asyncio.SubprocessTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember what runs it."""
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Keep what it writes; more than it may on stdout is too much, on stderr it is dropped."""
        room = self._most[fd] - len(self.output[fd])
        self.output[fd] += data[: max(0, room)]
        if fd == _STDOUT and len(data) > room and not self.is_flooded:
            self.is_flooded = True
            self._flooded.set_result(None)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """Note the end of its output."""
        if fd == _STDOUT and not self._drained.done():
            self._drained.set_result(None)

    def process_exited(self) -> None:
        """Note that the program has ended; others of its group may be there still."""
        if not self.exited.done():
            self.exited.set_result(None)

    async def until_over(self, stdin: bytes, timeout_s: float) -> None:
        """Give it its input, and return when it has ended, has written too much, or is late."""
        pipe = self._pipe(_STDIN)
        if pipe is not None:
            pipe.write(stdin)
            pipe.write_eof()
        over = {self.exited, self._flooded}
        await asyncio.wait(over, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)

    async def end(self, grace_s: float) -> None:
        """End all that still runs, first politely, and wait for the last of its output."""
        try:
            if not self.exited.done():
                self._signal(signal.SIGTERM)
                await asyncio.wait({self.exited}, timeout=grace_s)
        finally:
            self._signal(signal.SIGKILL)
        await asyncio.wait({self.exited, self._drained}, timeout=_DRAIN_S)

    def close(self) -> None:
        """Let go of its pipes."""
        pipe = self._pipe(_STDIN)
        if pipe is not None and pipe.get_write_buffer_size():
            pipe.abort()  # a close would wait for somebody to read the rest
        if self._transport is not None:
            self._transport.close()

    def _signal(self, number: int) -> None:
        # The group's number is the program's, and no other process gets it as long as the group has a member. Right
        # after the last one's end it is free again, but numbers are given out in turn: nobody has it yet.
        assert self._transport is not None
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._transport.get_pid(), number)

    def _pipe(self, fd: int) -> asyncio.WriteTransport | None:
        assert self._transport is not None
        return cast("asyncio.WriteTransport | None", self._transport.get_pipe_transport(fd))
