"""What a real run of the program asks of the kernel, in order: strace's log, read as writes, syncs and renames."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.crash.forks import REPOSITORY
from tests.crash.tasks import ENVIRON
from tests.waiting import HUNG_S

WRITES = ("write", "pwrite64", "writev", "pwritev")
SYNCS = ("fsync", "fdatasync", "sync_file_range")
RENAMES = ("rename", "renameat", "renameat2")
_CALL = re.compile(r"^(?P<pid>\d+) +(?P<name>\w+)\((?P<rest>.*)$")
_RESUMED = re.compile(r"^(?P<pid>\d+) +<\.\.\. (?P<name>\w+) resumed>")
_DESCRIPTOR = re.compile(r"^(?P<number>\d+)<(?P<path>[^>]*)>")
_UNFINISHED = "<unfinished ...>"


@dataclass(frozen=True, slots=True)
class Call:
    """One system call; a sync stands where it returned, everything else where it began."""

    name: str
    descriptor: int
    path: str
    rest: str

    @property
    def is_result(self) -> bool:
        """Whether it tells the caller of the program something."""
        return self.name in WRITES and self.descriptor == 1

    @property
    def is_log(self) -> bool:
        """Whether it is about RocksDB's write-ahead log."""
        return self.path.endswith(".log")


def trace(root: Path, *arguments: str | Path, stdin: Path | None = None) -> list[Call]:
    """Run the program under strace and return its calls."""
    log = root.parent / "trace"
    calls = ",".join((*WRITES, *SYNCS, *RENAMES))
    program = [sys.executable, "-m", "memtool", "--store", root, *arguments]
    with (stdin or Path(os.devnull)).open() as given, (root.parent / "out").open("w") as taken:
        subprocess.run(
            ["strace", "-f", "-y", "-qq", "-o", log, "-e", f"trace={calls}", *program],
            env={**os.environ, **ENVIRON, "PYTHONPATH": str(REPOSITORY)},
            stdin=given,
            stdout=taken,
            timeout=HUNG_S,
            check=True,
        )
    return list(_calls(log.read_text(errors="replace").splitlines()))


def _calls(lines: list[str]) -> Iterator[Call]:
    pending: dict[str, Call] = {}
    for line in lines:
        found = _CALL.match(line)
        if found:
            call = _call(found["name"], found["rest"])
            if call.name in SYNCS and line.endswith(_UNFINISHED):
                pending[found["pid"]] = call
            else:
                yield call
        elif (resumed := _RESUMED.match(line)) and resumed["name"] in SYNCS:
            yield pending.pop(resumed["pid"])


def _call(name: str, rest: str) -> Call:
    descriptor = _DESCRIPTOR.match(rest)
    if descriptor is None:
        return Call(name, -1, "", rest)
    return Call(name, int(descriptor["number"]), descriptor["path"], rest)


def unsynced(calls: list[Call], paths: str = "") -> set[str]:
    """Return the files with this in their path that were written to after their last sync."""
    dirty: set[str] = set()
    for call in calls:
        if call.name in WRITES and paths in call.path:
            dirty.add(call.path)
        elif call.name in SYNCS:
            dirty.discard(call.path)
    return dirty
