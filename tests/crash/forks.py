"""A warmed-up interpreter that forks one child a task: real processes without the price of starting Python for each.

The server never opens a store itself, so no child inherits RocksDB's threads.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from tests.waiting import HUNG_S

T = TypeVar("T")
REPOSITORY = Path(__file__).parents[2]
RAISED = 99
"""The exit code of a child whose task raised; its traceback is in `errors`."""
_WARM = (
    "memtool.cli.app",
    "tests.memory",
    "tests.crash.tasks",
    "memtool.summarize.extractive",
)


@dataclass(frozen=True, slots=True)
class Ended(Generic[T]):
    """How a child ended: its exit code (or minus a signal's number), what it said, what its task returned."""

    status: int
    output: str
    errors: str
    result: T | None

    @property
    def value(self) -> T:
        """What the task returned; it must have ended well."""
        assert self.status == 0, (self.status, self.output, self.errors)
        assert self.result is not None
        return self.result


@dataclass(frozen=True, slots=True)
class _Start:
    task: Callable[..., object]
    arguments: tuple[object, ...]
    place: Path
    environ: dict[str, str]


@dataclass(frozen=True, slots=True)
class Child(Generic[T]):
    """A running child of the server."""

    pid: int
    place: Path
    _server: Forks

    def wait(self) -> Ended[T]:
        """Return how it ended; fail where it does not end in time."""
        status = self._server.ask(self.pid, self.pid)
        output, errors = ((self.place / name).read_text() for name in ("output", "errors"))
        kept = self.place / "value"
        value = pickle.loads(kept.read_bytes()) if status == 0 else None
        return Ended(status, output, errors, value)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)


class Forks:
    """The server, as a test sees it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._count = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.forks"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def start(self, task: Callable[..., T], *arguments: object) -> Child[T]:
        """Run the task in a new child, in the environment that this process has now."""
        self._count += 1
        place = self._directory / str(self._count)
        place.mkdir()
        for name in ("output", "errors"):
            (place / name).touch()  # the child may be killed before it opens them
        request = _Start(task, arguments, place, dict(os.environ))
        return Child(self.ask(request), place, self)

    def run(self, task: Callable[..., T], *arguments: object) -> Ended[T]:
        """Run the task in a new child and return how it ended."""
        return self.start(task, *arguments).wait()

    def ask(self, request: _Start | int, pid: int = 0) -> int:
        """Send a request and return the answer: a pid, or how a pid ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pickle.dump(request, self._process.stdin)
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], HUNG_S)[0]:
            if pid:
                os.kill(pid, signal.SIGKILL)
            raise TimeoutError(f"no answer within {HUNG_S} s to {request}")
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End the server."""
        self._process.communicate(timeout=HUNG_S)


def _serve() -> None:
    for name in _WARM:
        __import__(name)
    while True:
        try:
            request = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        answer = _started(request) if isinstance(request, _Start) else _ended(request)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


def _ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _started(request: _Start) -> int:
    pid = os.fork()
    if pid == 0:
        status = RAISED
        try:
            status = _work(request)
        finally:
            os._exit(status)
    return pid


def _work(request: _Start) -> int:
    _redirect(request.place)
    kept = (request.place / "value").open("wb")  # now: a task may change who it is
    os.environ.clear()
    os.environ.update(request.environ)
    tempfile.tempdir = None
    try:
        value: Any = request.task(*request.arguments)
        pickle.dump(value, kept)
    except BaseException:  # noqa: BLE001 - told to the test
        traceback.print_exc()
        return RAISED
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        kept.close()
    return 0


def _redirect(place: Path) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for number, name in ((1, "output"), (2, "errors")):
        file = os.open(place / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, number)


if __name__ == "__main__":
    # Under the name by which tasks and requests are pickled.
    from tests.crash import forks

    forks._serve()
