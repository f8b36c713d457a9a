"""How much `memtool scheduler status` costs beside what it cannot do without: asking systemd, and its own imports.

Usage: PYTHON benchmarks/scheduler_status.py [--user | --system] [RUNS], with the Python of an installed memtool.
Prints medians of one run, taken in turn, and their ratio. Only the ratio means anything on a shared machine.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from memtool.systemd.jobs import JOBS

DEFAULT_RUNS = 21
PROGRAM = Path(sys.executable).with_name("memtool")
IMPORTS = (sys.executable, "-c", "import typer, rich.table")


def measured_s(command: Sequence[str]) -> float:
    """Return how long the command takes as a whole process."""
    start_s = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - start_s


def main(arguments: Sequence[str]) -> None:
    """Measure the three commands in turn and print what came out."""
    scope = "--user" if "--user" in arguments else "--system"
    numbers = [int(word) for word in arguments if word.isdigit()]
    units = [name for job in JOBS for name in (job.timer, job.unit)]
    commands = {
        "scheduler status": (str(PROGRAM), "scheduler", "status", scope),
        "systemctl show": ("systemctl", scope, "show", *units),
        "imports": IMPORTS,
    }
    for command in commands.values():
        measured_s(command)  # not counted: what is read from the disk once
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(numbers[0] if numbers else DEFAULT_RUNS):
        for name, command in commands.items():
            times[name].append(measured_s(command))
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median_s in medians.items():
        print(f"{name:<18} {median_s * 1000:7.1f} ms")
    reference_s = medians["systemctl show"] + medians["imports"]
    print(f"{'ratio':<18} {medians['scheduler status'] / reference_s:7.2f}  (goal: at most 1.5)")


if __name__ == "__main__":
    main(sys.argv[1:])
