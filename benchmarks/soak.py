"""Many processes on one store for minutes: nothing is lost or there twice, nobody fails, hangs or grows.

    PYTHON benchmarks/soak.py [--minutes 10] [--processes 16] [--seed N] [--keep FOLDER]

Each of so many workers (soakers.py) starts one `memtool` after the other, without a pause: ingesters whose transcripts
grow, readers, rollups of each level, compactions, the scheduler's status; and one that forgets, rebuilds, backs up and
exports in between. Every process has a bound in time, and is looked at when it ends: exit code, traceback, memory.
"""

from __future__ import annotations

import argparse
import random
import secrets
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from soakers import ROLES, Soak, run_whole

from tests.crash import truth
from tests.crash.chances import DAY_US, exchange
from tests.crash.history import write
from tests.crash.truth import Facts, demand

MOST_LINES = 40


def main(arguments: Sequence[str]) -> int:
    """Let them work, check, print; return 1 where anything is not as it must be."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--keep", type=Path, help="where the store is made, and kept")
    asked = parser.parse_args(arguments)
    place = asked.keep or Path(tempfile.mkdtemp(prefix="memtool-soak-"))
    (place / "transcripts").mkdir(parents=True, exist_ok=True)
    soak = Soak(place, asked.seed, asked.minutes)
    print(f"seed {asked.seed}, in {place}", flush=True)
    _begin(soak)
    workers = [
        threading.Thread(target=_work, args=(soak, number)) for number in range(asked.processes)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    worked_s = time.monotonic() - soak.began_s
    try:
        _check(soak)
    except truth.Fault as fault:
        soak.faults.append(str(fault))
    _report(soak, asked.processes, worked_s)
    if asked.keep is None and not soak.faults:
        shutil.rmtree(place)
    return 1 if soak.faults else 0


def _begin(soak: Soak) -> None:
    """Make a store for the readers to look at."""
    chance = random.Random(soak.seed)  # noqa: S311 - to be repeated
    soak.offer(
        soak.place / "transcripts" / "first.jsonl",
        exchange(chance, "soak-first", soak.now_us - 9 * DAY_US, soak.number()),
    )
    soak.run("ingest", "ingest", "--json", soak.place / "transcripts")


def _work(soak: Soak, number: int) -> None:
    chance = random.Random(soak.seed * 1000 + number)  # noqa: S311 - to be repeated
    try:
        for _ in ROLES[number % len(ROLES)](soak, chance):
            if soak.part >= 1:
                return
    except Exception as error:  # noqa: BLE001 - a fault of this script must not pass as a good run
        soak.faults.append(f"worker {number}: {error!r}")


def _check(soak: Soak) -> None:
    """Check, when all have ended, what must hold of the store, of the backups and of the machine."""
    left = [
        file.parent.name
        for file in Path("/proc").glob("[0-9]*/cmdline")
        if str(soak.root).encode() in _read(file)
    ]
    demand(left, "processes that outlive the run")
    for words in (("ingest", "--json", soak.place / "transcripts"), ("rollup", "all")):
        demand(soak.run(words[0], *words).code, f"{words} failed at the end")
    demand(soak.run("verify", "verify").code, "verify is not healthy")
    held = truth.facts(soak.root, time.time_ns() // 1000)
    meant = {
        one
        for name in soak.forgotten
        for one in soak.offered.meant(("session", name), held.calendar)
    }
    offered = set(soak.offered.time_us)
    demand(offered - meant - held.events, "events are lost")
    demand(held.events - (offered - meant), "events are there that must not be")
    demand(held.tombstones.keys() ^ meant, "not what was to be forgotten is forgotten")
    demand(
        soak.events_new - len(offered), "events were taken in as new more often, or less, than once"
    )
    demand(held.stale or held.is_half_built or held.is_erasing, "something is unfinished")
    for backup in (soak.place / "backups").glob("memtool-*"):
        truth.facts(backup, time.time_ns() // 1000)
    _compare(soak, held)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def _compare(soak: Soak, held: Facts) -> None:
    """Compare what is closed with a store built from nothing."""
    fresh = soak.place / "fresh"
    write(
        fresh / "lines", [line for one in sorted(held.events) for line in soak.offered.lines[one]]
    )
    for words in (["ingest", str(fresh / "lines")], ["rollup", "all"]):
        ended = run_whole(["--store", str(fresh / "memory"), *words])
        demand(ended.code, f"a fresh store: {words} ended {ended.errors}")
    found, expected = (
        truth.comparable(root, soak.now_us, []) for root in (soak.root, fresh / "memory")
    )
    differ = {
        key.hex()
        for name, rows in expected.items()
        for key, _ in rows.items() ^ found[name].items()
    }
    demand(differ, "it differs from a store built from nothing")


def _report(soak: Soak, processes: int, worked_s: float) -> None:
    runs = sum(sum(codes.values()) for codes in soak.codes.values())
    print(f"\n{'command':<12}{'runs':>7}{'slowest':>10}{'most MiB':>10}  exit codes")
    for name, codes in sorted(soak.codes.items()):
        slowest_s, mib = soak.most[name]
        told = ", ".join(f"{code}: {count}" for code, count in sorted(codes.items()))
        print(f"{name:<12}{sum(codes.values()):>7}{slowest_s:>8.1f} s{mib:>10.0f}  {told}")
    skips = sum(codes[75] for codes in soak.codes.values())
    print(
        f"\n{runs} processes, {processes} at a time, in {worked_s:.0f} s; {len(soak.offered.time_us)}"
    )
    print(
        f"events offered, taken in as new {soak.events_new} times, {len(soak.forgotten)} sessions"
    )
    print(f"forgotten; {soak.waits} waits for a lock, {skips} skips; {len(soak.faults)} faults")
    for fault in soak.faults[:MOST_LINES]:
        print(f"FAULT (seed {soak.seed}, {soak.place}): {fault}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
