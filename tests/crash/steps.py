"""Durable steps, counted in the process that takes them, which kills itself before or after the one that was chosen.

What is on the disk after a step and before the next one is the same; "after" only tells the last step of a run.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from memtool.jobs import ingest, restore
from memtool.store import access
from memtool.store.engine import Engine

STEPS: tuple[tuple[Any, str], ...] = (
    (Engine, "write"),
    (Engine, "sync"),
    (Engine, "flush"),
    (Engine, "compact"),
    (Engine, "checkpoint"),
    (access, "open_writer"),
    (restore, "exchange"),
    (os, "mkdir"),
    (os, "fsync"),
    (os, "rename"),
    (os, "replace"),
    (os, "write"),
)


class Steps:
    """Counts the steps of this process from now on; at the chosen one, only `do_at` is called in its place."""

    def __init__(self, chosen: int, do_at: Callable[[], None]) -> None:
        self.taken: list[str] = []
        self._chosen = chosen
        self._do_at = do_at
        for owner, name in STEPS:
            setattr(owner, name, self._counted(owner, name))

    def _counted(self, where: Any, name: str) -> Callable[..., Any]:
        real = getattr(where, name)
        owner = where.__name__.rpartition(".")[2]

        def step(*arguments: Any, **named: Any) -> Any:
            if len(self.taken) == self._chosen:
                self._do_at()
            self.taken.append(f"{owner}.{name}")
            return real(*arguments, **named)

        return step


def kill_this_process() -> None:
    """End as by `kill -9`: nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


def note_acknowledged(path: str) -> None:
    """Append to the file the id of each event that a capture in this process has accepted."""
    real: Callable[..., Any] = vars(ingest)["capture"]

    def capture(store: Any, records: Any, **named: Any) -> Any:
        captured = real(store, records, **named)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.pwrite(file, "".join(f"{record.id}\n" for record in records).encode(), 0)
        os.close(file)
        return captured

    setattr(ingest, "capture", capture)  # noqa: B010 - mypy sees a module's function as constant
