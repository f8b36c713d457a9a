"""What a memory costs as it grows: one new day, a run with nothing to do, and all of it from nothing.

    PYTHON benchmarks/scale.py [--events 10000 100000 1000000] [--runs N] [--keep FOLDER]

For each size a store is filled with copies of the real transcripts' events (new ids, 2.2 sessions a day, the last on
the same date in each), rolled up from nothing, and then given one new day after another. Whole processes; what a day
reads is counted inside one. Memory is the largest that the process had.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median

from msgspec.structs import replace

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[1]))

from made import originals  # noqa: E402

from memtool.agents.reading import read_chunks  # noqa: E402
from memtool.locks import Holder, LockWait, writer  # noqa: E402
from memtool.model.calendar import Calendar  # noqa: E402
from memtool.model.records import (  # noqa: E402
    Claim,
    Event,
    EventId,
    digest_of,
    event_id,
)
from memtool.store.access import Access  # noqa: E402
from memtool.store.capture import capture  # noqa: E402
from memtool.store.engine import Engine  # noqa: E402

UTC = Calendar("UTC")
DAY_US = 24 * 3600 * 1_000_000
LAST_DAY = date(2026, 1, 20).toordinal()
"""New days follow it: they share a week, a month and a young year with the same neighbours in a store of any size."""
SESSIONS_A_DAY = 2.2
REFERENCE = """
import sys, typer, rocksdict
from memtool.store.access import Access
from pathlib import Path
with Access(Path(sys.argv[1])).reading() as store:
    store.sequence()
"""


def main(arguments: Sequence[str]) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="where stores are made, and used again")
    parser.add_argument("--within", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.within:
        WITHIN[asked.within[0]](Path(asked.within[1]))
        return
    with tempfile.TemporaryDirectory(prefix="memtool-benchmark-") as folder:
        sizes = {
            events: _measure(asked.keep or Path(folder), events, asked.runs)
            for events in asked.events
        }
    small, large = sizes[min(sizes)], sizes[max(sizes)]
    print(f"\none new day at {max(sizes)} events ÷ at {min(sizes)}:")
    for name in ("day_s", "day_mib", "day_keys"):
        print(f"  {name}: {large[name] / small[name]:.2f}")


def _measure(folder: Path, events: int, runs: int) -> dict[str, float]:
    root = folder / f"store-{events}"
    found: dict[str, float] = {}
    if not root.exists():
        filled = _process("fill", root, environ={"MEMTOOL_BENCHMARK_EVENTS": str(events)})
        rolled = _process("rollup", root)
        read = _process("read", root)
        found |= {"fill_s": filled["s"], "rebuild_s": rolled["s"], "rebuild_mib": rolled["mib"]}
        found |= {"rebuild_ratio": rolled["s"] / read["s"]}
    days = [_new_day(root) for _ in range(runs)]
    for name in ("s", "mib", "keys"):
        found[f"day_{name}"] = median(day[name] for day in days)
    reference = [_seconds([sys.executable, "-c", REFERENCE, str(root)]) for _ in range(runs)]
    idle = [_seconds([*_memtool(root), "rollup", "day"]) for _ in range(runs)]
    status = [_seconds([*_memtool(root), "scheduler", "status"], codes={0, 1}) for _ in range(runs)]
    found["idle_ratio"] = median(idle) / median(reference)
    found["status_ratio"] = median(status) / median(reference)
    print(f"{events} events: " + ", ".join(f"{name} {value:.3g}" for name, value in found.items()))
    return found


def _new_day(root: Path) -> dict[str, float]:
    _process("add", root)
    return _process("day", root)


def _memtool(root: Path) -> list[str]:
    return [sys.executable, "-m", "memtool", "--store", str(root)]


def _process(name: str, root: Path, environ: dict[str, str] | None = None) -> dict[str, float]:
    """Run one of WITHIN in a process of its own and return what it measured."""
    command = [sys.executable, str(HERE), "--within", name, str(root)]
    done = subprocess.run(
        command, env=_environ(environ), capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stderr)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def _environ(more: dict[str, str] | None = None) -> dict[str, str]:
    plain = {"PYTHONPATH": str(HERE.parents[1]), "MEMTOOL_CALENDAR__TIMEZONE": "UTC"}
    return {**os.environ, **plain, **(more or {})}


def _seconds(command: Sequence[str], codes: frozenset[int] | set[int] = frozenset({0})) -> float:
    began = time.perf_counter()
    done = subprocess.run(command, env=_environ(), capture_output=True, text=True, check=False)
    if done.returncode not in codes:
        sys.exit(done.stderr)
    return time.perf_counter() - began


def _timed(action: Callable[[], object]) -> dict[str, float]:
    began = time.perf_counter()
    action()
    return {
        "s": time.perf_counter() - began,
        "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _fill(root: Path) -> None:
    wanted = int(os.environ["MEMTOOL_BENCHMARK_EVENTS"])
    sessions = _sessions()
    count = round(wanted * len(sessions) / sum(map(len, sessions)))
    with _lease(root) as lease:

        def fill() -> None:
            for number in range(count):
                day = LAST_DAY - int((count - 1 - number) / SESSIONS_A_DAY)
                capture(lease.store(), _copy(sessions[number % len(sessions)], number, day))

        _print(_timed(fill))


def _lease(root: Path):  # type: ignore[no-untyped-def]  # noqa: ANN202, RUF100 - a context manager of a Lease
    lock = partial(writer, root, Holder(os.getpid(), "benchmark", 0), LockWait(60))
    return Access(root).lease(lock, UTC)


def _sessions() -> list[list[Event]]:
    with tempfile.TemporaryDirectory() as folder:
        found: list[list[Event]] = []
        for number, lines in enumerate(originals()):
            path = Path(folder) / f"{number}.jsonl"
            path.write_bytes(b"".join(lines))
            records = [record for chunk in read_chunks(path) for record in chunk.records]
            found.append([record for record in records if isinstance(record, Event)])
    return found


def _copy(events: Sequence[Event], number: int, day: int) -> list[Event]:
    """Return the events as another session's, on that day, a few minutes later than the session before."""
    first_day = min(event.time_us for event in events) // DAY_US
    shift = (day - date(1970, 1, 1).toordinal() - first_day) * DAY_US + number % 7 * 60_000_000

    def renamed(old: str) -> str:
        return digest_of(number, old)[:28] if old else ""

    return [
        replace(
            event,
            id=EventId(event_id(digest_of(number, event.id[:28]), int(event.id[28:], 16))),
            claims=(Claim(f"session-{number:07}", f"/home/ada/project-{number % 12}"),),
            time_us=event.time_us + shift,
            revision=event.revision + shift,
            digest=digest_of(number, event.digest),
            group=renamed(event.group),
            parent=renamed(event.parent),
        )
        for event in events
    ]


def _add(root: Path) -> None:
    """Give the store one day more."""
    sessions = _sessions()
    with _lease(root) as lease:
        span = lease.store().span_us()
        assert span is not None
        day = span[1] // DAY_US + date(1970, 1, 1).toordinal() + 1
        number = 10_000_000 + day
        capture(lease.store(), _copy(sessions[1], number, day))
    _print({"day": day})


def _roll_up(root: Path) -> None:
    from memtool.cli.app import run  # noqa: PLC0415

    def everything() -> None:
        run(["--store", str(root), "rollup", "all"], os.environ, time.time_ns() // 1000)

    _print(_timed(everything))


def _one_day(root: Path) -> None:
    """Roll up what is new, and count the keys that it reads."""
    from memtool.cli.app import run  # noqa: PLC0415

    keys = 0
    get, scan = Engine.get, Engine.scan

    def counted_get(engine: Engine, family: str, key: bytes) -> bytes | None:
        nonlocal keys
        keys += 1
        return get(engine, family, key)

    def counted_scan(
        engine: Engine, family: str, start: bytes = b"", end: bytes | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        nonlocal keys
        for row in scan(engine, family, start, end):
            keys += 1
            yield row

    setattr(Engine, "get", counted_get)  # noqa: B010 - mypy allows no assignment
    setattr(Engine, "scan", counted_scan)  # noqa: B010

    def one_day() -> None:
        run(["--store", str(root), "rollup", "day"], os.environ, time.time_ns() // 1000)

    _print({**_timed(one_day), "keys": keys})


def _read(root: Path) -> None:
    """Scan, decode and tokenise every event: what any summary of them must do at least."""
    from memtool.summarize.text.words import words  # noqa: PLC0415

    def read() -> None:
        with Access(root).reading() as store:
            for event in store.events(0, 1 << 62):
                words(event.text)

    _print(_timed(read))


def _print(found: dict[str, float]) -> None:
    print(json.dumps(found))


WITHIN = {"fill": _fill, "rollup": _roll_up, "day": _one_day, "add": _add, "read": _read}

if __name__ == "__main__":
    main(sys.argv[1:])
