"""What an ingest costs beside the least that it could do: decode the same lines, put the same encoded events.

    PYTHON benchmarks/ingest.py [--megabytes N] [--runs N]

Whole processes, run in turns. The least: a process that reads the same files, decodes each line with `json`, and writes
the very rows that the ingest wrote into an empty store, in as many synced batches. Prints the ratio of the medians,
and the same for files whose every record is known already.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from made import originals, write_copies

_BYTES_OF_COPIES = sum(len(line) for lines in originals() for line in lines) / len(originals())


def main(arguments: Sequence[str]) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--least", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.least:
        _do_the_least(*map(Path, asked.least))
        return
    with tempfile.TemporaryDirectory(prefix="memtool-benchmark-") as folder:
        _compare(Path(folder), asked.megabytes, asked.runs)


def _compare(folder: Path, megabytes: int, runs: int) -> None:
    first, again = folder / "projects" / "first", folder / "projects" / "again"
    size = write_copies(first, 0, round(megabytes * 1e6 / _BYTES_OF_COPIES))
    shutil.copytree(first, again)
    rows, store = folder / "rows", folder / "store"
    least = [sys.executable, __file__, "--least", str(first), str(rows), str(folder / "least")]
    new: list[float] = []
    known: list[float] = []
    floor: list[float] = []
    for run in range(runs):
        shutil.rmtree(store, ignore_errors=True)
        new.append(_seconds(_ingest(store, first)))
        if run == 0:
            _keep_rows(store, rows)
        known.append(_seconds(_ingest(store, again)))
        floor.append(_seconds(lambda: subprocess.run(least, check=True)))
        print(
            f"run {run + 1}: new {new[-1]:.1f} s, known {known[-1]:.1f} s, least {floor[-1]:.1f} s"
        )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{size / 1e6:.0f} MB in {sum(1 for _ in first.iterdir())} files, {runs} runs, medians")
    print(f"ingest ÷ least: {median(new) / median(floor):.2f}")
    print(f"ingest of what is known ÷ least: {median(known) / median(floor):.2f}")
    print(f"{size / 1e6 / median(new):.1f} MB/s; the largest process had {peak:.0f} MiB")
    stored = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
    print(f"store ÷ transcripts: {stored / size:.2f}")


def _ingest(store: Path, folder: Path) -> Callable[[], object]:
    command = [sys.executable, "-m", "memtool", "--store", str(store), "ingest", str(folder)]
    here = Path(__file__).resolve().parents[1]
    environ = {**os.environ, "PYTHONPATH": str(here), "HOME": str(store.parent)}
    # 1: a real transcript among the originals has a damaged line.
    return lambda: _run(command, environ, {0, 1})


def _run(command: Sequence[str], environ: dict[str, str], codes: set[int]) -> None:
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode not in codes:
        sys.exit(f"{command} ended with {done.returncode}: {done.stderr}")


def _seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def _keep_rows(store: Path, rows: Path) -> None:
    """Keep what the ingest has written, with the number of batches that it took."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from memtool.store import keys  # noqa: PLC0415
    from memtool.store.access import Access  # noqa: PLC0415

    with Access(store).reading() as opened:
        found = [
            (name, key, value) for name in keys.FAMILIES for key, value in opened.engine.scan(name)
        ]
        batches = sum(
            max(1, -(-source.size_bytes // (4 << 20))) for source in opened.sources().values()
        )
    rows.write_bytes(pickle.dumps((found, batches)))


def _do_the_least(folder: Path, rows: Path, where: Path) -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from memtool.store.engine import open_writer  # noqa: PLC0415

    for file in sorted(folder.iterdir()):
        for line in file.read_bytes().splitlines():
            _decode(line)
    found, batches = pickle.loads(rows.read_bytes())  # noqa: S301 - written a moment ago
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir()
    engine = open_writer(where, create=True)
    size = -(-len(found) // batches)
    for start in range(0, len(found), size):
        batch = engine.batch()
        for family, key, value in found[start : start + size]:
            batch.put(family, key, value)
        engine.write(batch, sync=True)
    engine.close()


def _decode(line: bytes) -> None:
    try:
        json.loads(line)
    except ValueError:
        return  # a damaged one


if __name__ == "__main__":
    main(sys.argv[1:])
