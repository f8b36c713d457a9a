"""What starts cost beside their imports, and what a long listing costs. CPU time, ratios of medians taken in turn.

    PYTHON benchmarks/reading.py STORE [--runs N]

STORE is a store with summaries, such as one that benchmarks/scale.py --keep has made. All output is piped.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

PROGRAM = Path(sys.executable).with_name("memtool")
REFERENCE = (sys.executable, "-c", "import typer, rocksdict, rich")


def cpu_s(command: Sequence[str | Path]) -> float:
    """Return the CPU time of the command as a whole process."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    process.stdout.read()
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return usage.ru_utime + usage.ru_stime


def last_day(program: Sequence[str | Path]) -> str:
    """Return the name of the last entry of the table of contents."""
    text = subprocess.run([*program, "toc", "--json"], check=True, capture_output=True).stdout
    entries = json.loads(text)["entries"]
    while entries[-1]["children"]:
        entries = entries[-1]["children"]
    return str(entries[-1]["id"])


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("store", type=Path)
    parser.add_argument("--runs", type=int, default=21)
    asked = parser.parse_args(arguments)
    program = (PROGRAM, "--store", asked.store)
    commands: dict[str, Sequence[str | Path]] = {
        "reference": REFERENCE,
        "toc": (*program, "toc"),
        "show": (*program, "show", last_day(program)),
        "rollup day": (*program, "rollup", "day"),
        "events --full": (*program, "events", "--full", "--limit", "10000"),
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(asked.runs + 1):
        for name, command in commands.items():
            taken_s = cpu_s(command)
            if number:  # the first is not counted: what is read from the disk once
                times[name].append(taken_s)
    reference_s = median(times["reference"])
    for name, values in times.items():
        print(f"{name:<14} {median(values) * 1000:8.1f} ms  {median(values) / reference_s:5.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
