"""Child processes for tests of locks, signals and kills: each runs a piece of Python and is waited for with a bound."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from tests.waiting import HUNG_S

REPOSITORY = Path(__file__).parents[2]

_HEAD = """
import os, sys, time
from pathlib import Path
from memtool.errors import *
from memtool.locks import *
from memtool.context import *
from memtool.jobs.runner import *
from memtool.systemd.jobs import *
from memtool.ledger.reading import *
root = Path(sys.argv[1])
def ready():
    print("ready", flush=True)
holder = Holder(os.getpid(), "test", 0)
wait = LockWait(float("inf"))  # however busy the machine is: what hangs is ended by HUNG_S
"""


def start(
    root: Path, code: str, *arguments: object, before: Sequence[str] = ()
) -> subprocess.Popen[str]:
    """Start a child; `root`, `holder`, `wait` and `ready()` are at its hand, arguments from sys.argv[2]."""
    program = _HEAD + textwrap.dedent(code)
    return subprocess.Popen(
        [*before, sys.executable, "-c", program, str(root), *map(str, arguments)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_ready(root: Path, code: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a child and wait until it says that it is ready."""
    child = start(root, code, *arguments)
    assert child.stdout is not None
    line = child.stdout.readline()
    assert line == "ready\n", (line, child.communicate(timeout=HUNG_S)[1])
    return child


def finish(child: subprocess.Popen[str], expected: int = 0) -> str:
    """Return what the child printed, having ended with this exit code."""
    output, errors = child.communicate("\n", timeout=HUNG_S)
    assert child.returncode == expected, errors
    return output
