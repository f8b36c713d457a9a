"""What the extractive summarizer costs beside tokenising the same text once, over real transcripts; and its memory.

Usage: MEMTOOL_TEST_DATA=FOLDER PYTHON benchmarks/extractive_speed.py [RUNS], with the Python of an installed memtool.
The transcripts are read and cut into segments by memtool's own code. The yardstick is `words` over the texts that all
those segments hold. Prints medians of one run, taken in turn, and their ratio; and the most memory that summarising
held at a time beside the texts: for the largest segment alone, and for all of them, one after another.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
import tracemalloc
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from memtool.agents.reading import read_chunks
from memtool.model.records import Event
from memtool.model.segmenting import segments_of
from memtool.signals.threads import threads_of
from memtool.signals.turns import turns_of
from memtool.summarize.text.words import words

DEFAULT_RUNS = 9
GOAL = 3.0
DAY_US = 86_400_000_000


def segments(folder: Path) -> list[list[Event]]:
    """Return the events of all segments of all transcripts below the folder; days are those of UTC."""
    found: dict[str, Event] = {}
    for path in sorted(folder.rglob("*.json*")):
        for chunk in read_chunks(path):
            found |= {record.id: record for record in chunk.records if isinstance(record, Event)}
    days: dict[int, list[Event]] = defaultdict(list)
    for event in found.values():
        days[event.time_us // DAY_US].append(event)
    return [events for day in sorted(days) for _, events in segments_of(days[day], day)]


def summarize(asked: Sequence[list[Event]]) -> None:
    """Take the turns of each segment and the threads of them, as a rollup does."""
    for events in asked:
        threads_of(turns_of(events))


def tokenize(asked: Sequence[list[Event]]) -> None:
    """Split every text of the segments into words, once."""
    for events in asked:
        for event in events:
            words(event.text)


def measured_s(
    work: Callable[[Sequence[list[Event]]], None], asked: Sequence[list[Event]]
) -> float:
    """Return how long the work takes."""
    start_s = time.perf_counter()
    work(asked)
    return time.perf_counter() - start_s


def peak_bytes(asked: Sequence[list[Event]]) -> int:
    """Return the most memory that summarising these held at a time."""
    tracemalloc.start()
    summarize(asked)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def size_of(events: list[Event]) -> int:
    """Return the characters of a segment."""
    return sum(len(event.text) for event in events)


def main(arguments: Sequence[str]) -> int:
    """Measure both in turn and print what came out."""
    data = os.environ.get("MEMTOOL_TEST_DATA", "")
    asked = segments(Path(data) / "transcripts") if data else []
    if not asked:
        print("skipped: MEMTOOL_TEST_DATA must name the folder that holds transcripts")
        return 0
    largest = max(asked, key=size_of)
    peaks = [peak_bytes([largest]), peak_bytes(asked)]
    runs = int(arguments[0]) if arguments else DEFAULT_RUNS
    times: dict[str, list[float]] = {"summarising": [], "tokenising": []}
    for _ in range(runs):
        times["summarising"].append(measured_s(summarize, asked))
        times["tokenising"].append(measured_s(tokenize, asked))
    medians = {name: statistics.median(values) for name, values in times.items()}
    megabytes = sum(map(size_of, asked)) / 1e6
    print(f"{len(asked)} segments, {megabytes:.2f} million characters, {runs} runs")
    for name, median_s in medians.items():
        print(f"{name:<14} {median_s * 1000:7.1f} ms")
    ratio = medians["summarising"] / medians["tokenising"]
    print(f"{'ratio':<14} {ratio:7.2f}  (goal: at most {GOAL})")
    print(
        f"{'peak':<14} {peaks[0] / 1e6:7.2f} MB for the largest segment, {peaks[1] / 1e6:.2f} for all"
    )
    return 0 if ratio <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
