"""Runs a program with asyncio in its own process group, with limits, and kills the whole group at the end.

Never raises for how a program ended. Import it where it is used: it imports asyncio.
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
# For programs that would draw on a terminal.
_DULL = {**PLAIN, "NO_COLOR": "1", "TERM": "dumb"}


class Bounds(NamedTuple):
    """How long a program may take and how much it may write; `grace_s` is the time from SIGTERM to SIGKILL."""

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
    """Run a program in a session of its own and return how it ended. All that it has started is killed then.

    Returns a result for a program that is missing, too slow or writes too much, too. Cancelling the call kills the
    program first. Raise OSError if the system cannot start one more process.
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
    # Cancelling the start itself would leave processes behind.
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
        said = f"{called[0]} did not answer within {bounds.timeout_s:g} s"
        return Finished(called, TIMED_OUT, output, said, is_timed_out=True)
    code = -signal.SIGKILL if code is None else code
    if family.is_flooded:
        said = f"{called[0]} wrote more than {bounds.output_bytes} bytes"
        return Finished(called, code, output, said, is_flooded=True)
    return Finished(called, code, output, text_of(bytes(family.output[_STDERR])))


class _Family(asyncio.SubprocessProtocol):
    """A program and its process group."""

    def __init__(self, loop: asyncio.AbstractEventLoop, output_bytes: int) -> None:
        self.exited: asyncio.Future[None] = loop.create_future()
        self.is_flooded = False
        self.output = {_STDOUT: bytearray(), _STDERR: bytearray()}
        self._most = {_STDOUT: output_bytes, _STDERR: _STDERR_BYTES}
        self._flooded: asyncio.Future[None] = loop.create_future()
        self._drained: asyncio.Future[None] = loop.create_future()
        self._transport: asyncio.SubprocessTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Keep the output. More than the limit is an error on stdout, and is dropped on stderr."""
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
        """Write its input, and return when it has ended, has written too much, or is too slow."""
        pipe = self._pipe(_STDIN)
        if pipe is not None:
            pipe.write(stdin)
            pipe.write_eof()
        over = {self.exited, self._flooded}
        await asyncio.wait(over, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)

    async def end(self, grace_s: float) -> None:
        """Terminate all that still runs, then kill it, and wait for the rest of the output."""
        try:
            if not self.exited.done():
                self._signal(signal.SIGTERM)
                await asyncio.wait({self.exited}, timeout=grace_s)
        finally:
            self._signal(signal.SIGKILL)
        await asyncio.wait({self.exited, self._drained}, timeout=_DRAIN_S)

    def close(self) -> None:
        """Close its pipes."""
        pipe = self._pipe(_STDIN)
        if pipe is not None and pipe.get_write_buffer_size():
            pipe.abort()  # a close would wait for somebody to read the rest
        if self._transport is not None:
            self._transport.close()

    def _signal(self, number: int) -> None:
        # No other process gets this number while the group has a member, nor right after its end.
        assert self._transport is not None
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._transport.get_pid(), number)

    def _pipe(self, fd: int) -> asyncio.WriteTransport | None:
        assert self._transport is not None
        return cast("asyncio.WriteTransport | None", self._transport.get_pipe_transport(fd))
