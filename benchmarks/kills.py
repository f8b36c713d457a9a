"""Random SIGKILLs through every command that writes: after each one `verify` is clean, and nothing is lost or twice.

    PYTHON benchmarks/kills.py [--kills 1000] [--seed N] [--minutes 40] [--keep FOLDER]
    PYTHON benchmarks/kills.py --replay FOLDER/sequence.jsonl

One long-lived store gets ingests, rollups, rebuilds (some with another calendar), forgetting, compactions,
backups, restores, and gives its events to a second store. Each command is a process that is killed at a random moment
or before a random durable step. Every 100 kills all jobs are finished and what is closed is compared, byte for byte,
with a store built from nothing. The seed decides all but how long things take on the day; so a fault leaves its
sequence of commands, with their moments, to be replayed.
"""

from __future__ import annotations

import argparse
import json
import secrets
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.crash.chances import Action, Chances, action_of
from tests.crash.forks import Forks
from tests.crash.random_kills import Kills

COMPARED_EVERY = 100
SHOWN_LAST = 5


def main(arguments: Sequence[str]) -> int:
    """Kill, check, print; return 1 where something was lost, twice or not healthy."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--minutes", type=float, default=40, help="no new command after it")
    parser.add_argument("--keep", type=Path, help="where stores are made, and kept")
    parser.add_argument("--replay", type=Path, help="the sequence.jsonl of a run with a fault")
    asked = parser.parse_args(arguments)
    place = asked.keep or Path(tempfile.mkdtemp(prefix="memtool-kills-"))
    place.mkdir(parents=True, exist_ok=True)
    (place / "forks").mkdir()
    now_us, replayed = _sequence(asked.replay) if asked.replay else (time.time_ns() // 1000, None)
    forks = Forks(place / "forks")
    kills = Kills(forks, place, now_us)
    print(f"seed {asked.seed}, in {place}", flush=True)
    try:
        if replayed is None:
            _kill(kills, Chances(asked.seed, now_us), asked.kills, asked.minutes)
        else:
            _replay(kills, replayed)
    except Exception:  # noqa: BLE001 - whatever it is, the sequence that led to it is kept
        _report(kills)
        _tell_fault(kills, place, asked.seed)
        return 1
    finally:
        forks.close()
    _report(kills)
    if asked.keep is None:
        shutil.rmtree(place)
    return 0


def _sequence(file: Path) -> tuple[int, list[Action]]:
    """Return what `_tell_fault` wrote: the instant that it is about, and the commands."""
    first, *rows = map(json.loads, file.read_text().splitlines())
    return int(first["now_us"]), [action_of(row) for row in rows]


def _kill(kills: Kills, chances: Chances, wanted: int, minutes: float) -> None:
    end_s = time.monotonic() + minutes * 60
    compared_at = 0
    while kills.kills < wanted:
        if time.monotonic() > end_s:
            print(f"{minutes:g} minutes are over after {kills.kills} kills")
            break
        kills.do(kills.next(chances))
        if kills.kills >= compared_at + COMPARED_EVERY:
            compared_at = kills.kills
            kills.finish()
            print(f"{kills.kills} kills: {len(kills.facts.events)} events there", flush=True)
    if kills.kills > compared_at:
        kills.finish()


def _replay(kills: Kills, actions: list[Action]) -> None:
    """Do again what was done; what belongs to finishing begins it, as its first command is among them."""
    for action in actions:
        kills.do(action)
    kills.finish()


def _report(kills: Kills) -> None:
    print(f"\n{'command':<22}{'killed at a step':>17}{'at a moment':>13}{'not killed':>12}")
    for name in sorted({name for name, _ in kills.counts}):
        print(f"{name:<22}" + "".join(_cells(kills.counts, name)))
    now = kills.facts
    print(f"\n{kills.kills} kills, {sum(kills.counts.values())} commands")
    print(f"{len(kills.offered.time_us)} events offered, {len(now.events)} there,", end=" ")
    print(f"{len(now.tombstones)} forgotten")
    print(f"{kills.compared} rows equal to a store built from nothing; `memtool verify` as a whole")
    print(f"process {kills.verified} times, within this one after every command")


def _cells(counts: Counter[tuple[str, str]], name: str) -> Iterator[str]:
    for width, what in ((17, "killed, step"), (13, "killed, time"), (12, "ended")):
        yield f"{counts[name, what]:>{width}}"


def _tell_fault(kills: Kills, place: Path, seed: int) -> None:
    file = place / "sequence.jsonl"
    rows = [{"now_us": kills.now_us}, *(action.as_json() for action in kills.sequence)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    traceback.print_exc()
    print(f"\nFAULT after {kills.kills} kills, seed {seed}; stores and transcripts are in {place}")
    print(f"the last {SHOWN_LAST} of {len(kills.sequence)} commands:")
    for action in kills.sequence[-SHOWN_LAST:]:
        print(f"  {action.name}: {' '.join(action.words)} [{action.way} {action.at:g}]")
    print(f"all of them again: {sys.executable} benchmarks/kills.py --replay {file}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
