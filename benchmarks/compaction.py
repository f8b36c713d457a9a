"""What compacting costs, how long it keeps others waiting, and whether rebuilding for ever makes a store grow.

    PYTHON benchmarks/compaction.py STORE [--runs N] [--rebuilds N]

STORE is one that benchmarks/scale.py made with --keep; copies of it are used. Whole processes, in turns: `memtool
compact` beside a process that opens the store and compacts each family in one range. Another process wants the writer
all the time meanwhile: the longest that it waited is printed. Then the store is rebuilt again and again, compacted, and
weighed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[1]))

from memtool.files import bytes_below  # noqa: E402
from memtool.locks import Holder, LockWait, writer  # noqa: E402

ONE_RANGE = """
import sys
from pathlib import Path
from memtool.store.engine import open_writer
from memtool.store.keys import FAMILIES
engine = open_writer(Path(sys.argv[1]) / "store")
engine.flush()
for family in FAMILIES:
    engine.compact(family, None, None)
engine.close()
"""


def main(arguments: Sequence[str]) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("store", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rebuilds", type=int, default=100)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="memtool-benchmark-") as name:
        folder = Path(name)
        _compare(asked.store, folder, asked.runs)
        _wait(asked.store, folder)
        if asked.rebuilds:
            _grow(asked.store, folder, asked.rebuilds)


def _compare(store: Path, folder: Path, runs: int) -> None:
    ours: list[float] = []
    plain: list[float] = []
    for run in range(runs):
        ours.append(_seconds(_memtool(_copy(store, folder / f"ours-{run}"), "compact")))
        where = _copy(store, folder / f"plain-{run}")
        plain.append(_seconds([sys.executable, "-c", ONE_RANGE, str(where)]))
    print(f"compact ÷ one range of every family: {median(ours) / median(plain):.2f}")


def _wait(store: Path, folder: Path) -> None:
    """Want the writer again and again while a compaction runs."""
    root = _copy(store, folder / "wait")
    me = Holder(os.getpid(), "benchmark", 0)
    longest, times = 0.0, 0
    with subprocess.Popen(
        _memtool(root, "compact"), env=_environ(), stdout=subprocess.DEVNULL
    ) as job:
        while job.poll() is None:
            began = time.perf_counter()
            with writer(root, me, LockWait(60)):
                longest, times = max(longest, time.perf_counter() - began), times + 1
            time.sleep(0.01)
    print(f"another writer got in {times} times and waited at most {longest:.2f} s")


def _grow(store: Path, folder: Path, rebuilds: int) -> None:
    root = _copy(store, folder / "grow")
    _seconds(_memtool(root, "compact"))
    before = bytes_below(root / "store")
    for _ in range(rebuilds):
        _seconds(_memtool(root, "rebuild"))
    _seconds(_memtool(root, "compact"))
    after = bytes_below(root / "store")
    print(f"after {rebuilds} rebuilds and a compaction: {before} -> {after} bytes")


def _copy(store: Path, where: Path) -> Path:
    shutil.copytree(store, where, symlinks=True)
    return where


def _memtool(root: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "memtool", "--store", str(root), *arguments]


def _environ() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(HERE.parents[1]), "MEMTOOL_CALENDAR__TIMEZONE": "UTC"}


def _seconds(command: Sequence[str]) -> float:
    began = time.perf_counter()
    done = subprocess.run(command, env=_environ(), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command} ended with {done.returncode}: {done.stderr}")
    return time.perf_counter() - began


if __name__ == "__main__":
    main(sys.argv[1:])
