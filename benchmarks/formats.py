"""How fast the readers of the agents' formats are, ÷ decoding the same files as JSON.

    DATA PYTHON benchmarks/formats.py [--megabytes 8]

Reads real files where MEMTOOL_TEST_DATA has some of the agent (`transcripts/AGENT`), else the tests' samples, again and
again. Nothing is stored.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from memtool.agents.reading import read_chunks
from tests.agents.contract import ROWS, Sample, files_of, laid_out

_RUNS = 3
_REAL = Path(os.environ.get("MEMTOOL_TEST_DATA", "/nonexistent")) / "transcripts"
_DIRECTORIES = {"claude-code": "claude"}


def main(arguments: Sequence[str]) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=float, default=8)
    wanted_bytes = parser.parse_args(arguments).megabytes * 1e6
    print("| format | files | MB/s | ÷ decoding |\n|---|---|---|---|")
    for row in ROWS:
        with TemporaryDirectory() as place:
            kind, files = _files(row, Path(place))
            size_bytes = sum(path.stat().st_size for path in files)
            files *= max(1, round(wanted_bytes / size_bytes))
            size_bytes = sum(path.stat().st_size for path in files)
            read_s = _seconds(lambda: [list(read_chunks(path)) for path in files])  # noqa: B023
            decoded_s = _seconds(lambda: [_decode(path) for path in files])  # noqa: B023
        is_json = all(path.suffix in (".json", ".jsonl") for path in files)
        ratio = f"{read_s / decoded_s:.1f}" if is_json else ""
        print(f"| {row.agent} | {kind} | {size_bytes / 1e6 / read_s:.1f} | {ratio} |", flush=True)


def _files(row: Sample, place: Path) -> tuple[str, list[Path]]:
    real = sorted((_REAL / _DIRECTORIES.get(row.agent, row.agent)).glob("*.json*"))
    if real:
        return "real", real
    found = files_of(row, laid_out(row, place / "root"))
    return "samples", [path for path in found if path.suffix in (".jsonl", ".json", ".db")]


def _decode(path: Path) -> None:
    """Decode the lines, or the document."""
    data = path.read_bytes()
    try:
        json.loads(data)
    except ValueError:
        for line in data.splitlines():
            try:
                json.loads(line)
            except ValueError:
                continue


def _seconds(work: Callable[[], object]) -> float:
    found = []
    for _ in range(_RUNS):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return median(found)


if __name__ == "__main__":
    main(sys.argv[1:])
