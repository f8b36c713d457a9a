"""The workers of soak.py: each starts one whole `memtool` after the other, and every end is looked at."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from tests.crash.chances import DAY_US, exchange  # noqa: E402
from tests.crash.history import write  # noqa: E402
from tests.crash.truth import Line, Offered  # noqa: E402

ENVIRON = {
    "MEMTOOL_SUMMARIZER__NAME": "extractive",
    "MEMTOOL_CALENDAR__TIMEZONE": "UTC",
    "PYTHONPATH": str(REPOSITORY),
}
BOUND_S = 600
MOST_MIB = 400
DAYS = 400
ALLOWED = {
    "rollup": {0, 75},
    "compact": {0, 75},
    "status": {0, 1},
    "show": {0, 2},  # what toc or show has named may be forgotten, or written anew, meanwhile
    "grip": {0, 2},
}
_NODE = re.compile(r'"id": "((?:day|week|month|year|segment):[^"]+)"')
_GRIP = re.compile(r'"id": "([0-9a-f]{32})"')


@dataclass(frozen=True, slots=True)
class Ended:
    """One process that has ended."""

    code: int
    output: str
    errors: str
    seconds: float
    mib: float


class Soak:
    """The store, and what all workers together saw."""

    def __init__(self, place: Path, seed: int, minutes: float) -> None:
        self.place, self.root, self.seed = place, place / "memory", seed
        self.began_s = time.monotonic()
        self.length_s = minutes * 60
        self.now_us = time.time_ns() // 1000
        self.offered = Offered()
        self.events_new = self.waits = 0
        self.codes: dict[str, Counter[int]] = defaultdict(Counter)
        self.most: dict[str, tuple[float, float]] = {}
        self.faults: list[str] = []
        self.forgotten: set[str] = set()
        self.full: list[str] = []
        """Sessions that do not grow any more."""
        self._lock = threading.Lock()
        self._numbers = iter(range(1 << 30))

    @property
    def part(self) -> float:
        """How much of the time is over."""
        return (time.monotonic() - self.began_s) / self.length_s

    def number(self) -> int:
        """Return a number that nobody else has."""
        with self._lock:
            return next(self._numbers)

    def offer(self, file: Path, lines: list[Line]) -> None:
        """Append the lines to a transcript."""
        with self._lock:
            self.offered.add(lines)
        write(file, lines, more=True)

    def run(self, name: str, *words: str | Path, stdin: Path | None = None) -> Ended:
        """Run a command to its end, and look at how it ended."""
        ended = run_whole([str(word) for word in ("--store", self.root, *words)], stdin)
        with self._lock:
            self._note(name, ended)
        return ended

    def _note(self, name: str, ended: Ended) -> None:
        self.codes[name][ended.code] += 1
        slowest, largest = self.most.get(name, (0, 0))
        self.most[name] = (max(slowest, ended.seconds), max(largest, ended.mib))
        self.waits += ended.errors.count("waiting for the")
        if "Traceback" in ended.errors or ended.code not in ALLOWED.get(name, {0}):
            self.faults.append(f"{name} ended {ended.code}: {ended.errors[-2000:]}")
        if ended.mib > MOST_MIB:
            self.faults.append(f"{name} took {ended.mib:.0f} MiB")
        if name == "ingest" and ended.code == 0:
            self.events_new += int(json.loads(ended.output)["events"]["new"])


def run_whole(words: list[str], stdin: Path | None = None) -> Ended:
    """Run `memtool` with these words to its end, and return how it ended."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        began_s = time.monotonic()
        with (stdin or Path(os.devnull)).open() as given:
            process = subprocess.Popen(
                [sys.executable, "-m", "memtool", *words],
                cwd=REPOSITORY,
                env={**os.environ, **ENVIRON},
                stdin=given,
                stdout=output,
                stderr=errors,
            )
        bound = threading.Timer(BOUND_S, process.kill)
        bound.start()
        _, status, usage = os.wait4(process.pid, 0)
        bound.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began_s
        output.seek(0)
        errors.seek(0)
        return Ended(
            process.returncode, output.read(), errors.read(), seconds, usage.ru_maxrss / 1024
        )


# What workers do, one round each


def ingesting(soak: Soak, chance: random.Random) -> Iterator[None]:
    """Let a transcript grow, and take it in: by its name, with all others, or as a stream."""
    while True:
        number = soak.number()
        session, file = f"soak-{number:05}", soak.place / "transcripts" / f"{number:05}.jsonl"
        for _ in range(chance.randint(3, 12)):
            lines: list[Line] = []
            for _ in range(chance.randint(1, 4)):
                start_us = soak.now_us - chance.randint(3 * DAY_US, DAYS * DAY_US)
                lines += exchange(chance, session, start_us, soak.number())
            soak.offer(file, lines)
            way = chance.choice(("file", "file", "all", "stream"))
            if way == "stream":
                soak.run("ingest", "ingest", "--json", "-", stdin=file)
            else:
                soak.run("ingest", "ingest", "--json", file if way == "file" else file.parent)
            yield
        soak.run("ingest", "ingest", "--json", file)
        soak.full.append(session)


def reading(soak: Soak, chance: random.Random) -> Iterator[None]:
    """Look from the top down to the words, and all over it."""
    while True:
        nodes = _NODE.findall(soak.run("toc", "toc", "--json").output)
        yield
        if nodes:
            shown = soak.run("show", "show", chance.choice(nodes), "--json").output
            yield
            for grip in islice(_GRIP.findall(shown), 1):
                soak.run("grip", "grip", grip)
                yield
        for words in (("events", "--limit", "20"), ("verify",), ("stats",)):
            soak.run(words[0], *words)
            yield


def rolling(*levels: str) -> Callable[[Soak, random.Random], Iterator[None]]:
    """Return a worker that rolls up these levels, again and again."""

    def work(soak: Soak, _: random.Random) -> Iterator[None]:
        while True:
            for level in levels:
                soak.run("rollup", "rollup", level)
                yield

    return work


def keeping(soak: Soak, _: random.Random) -> Iterator[None]:
    """Compact, and ask how the jobs are."""
    while True:
        for _ in range(5):
            soak.run("status", "scheduler", "status")
            yield
        soak.run("compact", "compact")
        yield


def disturbing(soak: Soak, chance: random.Random) -> Iterator[None]:
    """Do each of the rare things twice, spread over the time; export meanwhile."""
    rare = ("backup", "forget", "rebuild", "forget", "backup", "rebuild")
    for number, name in enumerate(rare, 1):
        while soak.part < number / (len(rare) + 2) or not soak.full:
            soak.run("export", "export", "-o", soak.place / "lines.jsonl")
            yield
        words = {"backup": ["backup", soak.place / "backups"], "rebuild": ["rebuild"]}.get(name)
        if words is None:
            session = soak.full.pop(chance.randrange(len(soak.full)))
            soak.forgotten.add(session)
            words = ["forget", "--session", session, "--yes"]
        soak.run(name, *words)
        yield


ROLES = (
    ingesting,
    reading,
    rolling("day", "week"),
    ingesting,
    disturbing,
    keeping,
    rolling("month", "year"),
    reading,
    ingesting,
    rolling("all"),
    reading,
    ingesting,
    rolling("day"),
    reading,
    ingesting,
    keeping,
)
