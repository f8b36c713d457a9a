"""What the children of crash tests do: the real program in this process, with a kill or a signal at a chosen step."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
import sys
import time
from pathlib import Path

from memtool.cli.app import run
from tests.crash.steps import Steps, kill_this_process, note_acknowledged

ENVIRON = {"MEMTOOL_SUMMARIZER__NAME": "mock", "MEMTOOL_CALENDAR__TIMEZONE": "UTC"}
Command = tuple[str | Path, ...]
_CAPABILITY_VERSION_3 = 0x20080522
_NOBODY = 65534


def program(root: Path, *arguments: str | Path) -> int:
    """Run memtool in this process and return its exit code, as `cli.app.main` does."""
    os.umask(0o077)
    environ = {**ENVIRON, **os.environ}
    words = ["--store", str(root), *map(str, arguments)]
    code = run(words, environ, time.time_ns() // 1000)
    sys.stdout.flush()
    return code


def programs(root: Path, *commands: tuple[str | Path, ...]) -> list[int]:
    """Run one command after the other and return their exit codes."""
    return [program(root, *command) for command in commands]


def killed(root: Path, command: tuple[str | Path, ...], step: int, acknowledged: str) -> list[str]:
    """Run a command that is killed before its Nth durable step; return the steps where there are fewer."""
    note_acknowledged(acknowledged)
    steps = Steps(step, kill_this_process)
    code = program(root, *command)
    assert code == 0, code
    if step == len(steps.taken):  # after the last one, before the process ends by itself
        kill_this_process()
    return steps.taken


def signalled(root: Path, command: Command, step: int, number: int) -> tuple[int, int]:
    """Run a command that gets a signal at its Nth durable step; return its exit code and the batches written after."""
    steps = Steps(step, lambda: signal.raise_signal(number))
    code = program(root, *command)
    return code, steps.taken[step + 1 :].count("Engine.write")


def slow(root: Path, command: tuple[str | Path, ...], pause_s: float) -> int:
    """Run a command each of whose durable steps takes this long."""
    from memtool.store.engine import Engine

    real = Engine.write

    def write(*arguments: object, **named: object) -> None:
        time.sleep(pause_s)
        real(*arguments, **named)  # type: ignore[arg-type]

    setattr(Engine, "write", write)  # noqa: B010
    return program(root, *command)


def without_privileges(root: Path, *arguments: str | Path) -> int:
    """Run memtool as this user, but held to the modes of files as any user is."""
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    assert ctypes.CDLL(None, use_errno=True).capset(header, bytes(24)) == 0
    return program(root, *arguments)


def as_nobody(root: Path, *arguments: str | Path) -> int:
    """Run memtool as a user who may do nothing here; root only."""
    program(root.with_name("other"), *arguments)  # imports what this user may not read either
    os.setgroups([])
    os.setgid(_NOBODY)
    os.setuid(_NOBODY)
    return program(root, *arguments)


def limited(limit: int, value: int, root: Path, *arguments: str | Path) -> int:
    """Run memtool under a soft limit of the system, such as RLIMIT_NOFILE."""
    resource.setrlimit(limit, (value, resource.getrlimit(limit)[1]))
    return program(root, *arguments)
