"""`tests/release`: run the parts, and print how each went."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.release_parts.bench import Bench, SkippedError, bench
from tests.release_parts.parts import HOST, Part, all_parts, provide_older
from tests.release_parts.roots import SYSTEMS, default_cache, root_of
from tests.systemd.machine import MachineError, missing

USAGE_ERROR = 2
NEEDED = ("debootstrap", "git")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a part went on a system."""

    system: str
    part: str
    result: str  # "passed", "FAILED" or "skipped"
    seconds: float
    reason: str = ""


def main() -> int:
    """Run the parts that are named; return 0 if none failed."""
    arguments = parse()
    chosen = choose(arguments.words)
    if arguments.is_list:
        for system, part in chosen:
            print(f"{system:<9} {part.name}")
        return 0
    obstacle = what_is_missing()
    if obstacle:
        print(f"tests/release: {obstacle}", file=sys.stderr)
        return USAGE_ERROR
    with tempfile.TemporaryDirectory(prefix="memtool-release-", dir="/var/tmp") as name:
        folder = Path(name)
        provide_older(folder / "older")
        with bench(folder) as made:
            outcomes = run_all(made, chosen, arguments.cache, is_rebuilt=arguments.is_rebuilt)
    print_table(outcomes)
    return int(any(outcome.result == "FAILED" for outcome in outcomes))


@dataclass(frozen=True, slots=True)
class Arguments:
    """The command line."""

    words: Sequence[str]
    cache: Path
    is_rebuilt: bool
    is_list: bool


def parse() -> Arguments:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="tests/release",
        description="Try memtool on fresh systems, in every way to install it. Takes about an hour in all. "
        "Needs root, debootstrap, systemd-nspawn and the network.",
        epilog="Example: tests/release debian12 pipx",
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="WORD",
        help="only parts whose system or name has all these words",
    )
    parser.add_argument("--list", action="store_true", help="print the parts, and run none")
    parser.add_argument(
        "--cache",
        type=Path,
        default=default_cache(),
        help="where roots of systems are kept (%(default)s)",
    )
    parser.add_argument(
        "--rebuild", action="store_true", help="make the roots of the systems again"
    )
    found = parser.parse_args()
    return Arguments(found.words, found.cache, found.rebuild, found.list)


def choose(words: Sequence[str]) -> list[tuple[str, Part]]:
    """Return the parts with their systems that all these words are in. End with 2 if there is none."""
    names = (*(system.name for system in SYSTEMS), HOST)
    parts = list(all_parts())
    every = [(name, part) for name in names for part in parts if name in part.systems]
    chosen = [
        (name, part) for name, part in every if all(word in f"{name} {part.name}" for word in words)
    ]
    if not chosen:
        print(f"tests/release: no part matches: {' '.join(words)}; see --list", file=sys.stderr)
        raise SystemExit(USAGE_ERROR)
    return chosen


def what_is_missing() -> str:
    """Return what has to be here and is not, in words, or nothing."""
    if os.geteuid() != 0:
        return "must be run as root: it makes mounts and boots containers"
    absent = [*missing(), *(name for name in NEEDED if shutil.which(name) is None)]
    return f"not installed: {', '.join(absent)}" if absent else ""


def run_all(
    made: Bench, chosen: Sequence[tuple[str, Part]], cache: Path, *, is_rebuilt: bool
) -> list[Outcome]:
    """Run the parts one after another."""
    roots: dict[str, Path] = {}
    outcomes = []
    for name, part in chosen:
        print(f"{name:<9} {part.name:<18} … ", end="", flush=True)
        started = time.monotonic()
        result, reason = "passed", ""
        try:
            for system in SYSTEMS:
                if system.name == name and name not in roots:
                    roots[name] = root_of(system, cache, is_rebuilt=is_rebuilt)
            part.run(replace(made, root=roots.get(name, Path())))
        except SkippedError as error:
            result, reason = "skipped", str(error)
        except subprocess.TimeoutExpired as error:
            said = error.output or b""
            text = said if isinstance(said, str) else said.decode("utf-8", "replace")
            result, reason = (
                "FAILED",
                f"hangs for {error.timeout:.0f} s: {error.cmd[-1]}\n{text[-4000:]}",
            )
        except (MachineError, AssertionError, OSError) as error:
            result, reason = "FAILED", str(error)
        outcome = Outcome(name, part.name, result, time.monotonic() - started, reason)
        print(f"{result} ({outcome.seconds:.0f} s)", flush=True)
        if reason:
            print("\n".join(f"    {line}" for line in reason.splitlines()), flush=True)
        outcomes.append(outcome)
    return outcomes


def print_table(outcomes: Sequence[Outcome]) -> None:
    """Print one line for each part."""
    print()
    for outcome in outcomes:
        first = outcome.reason.partition("\n")[0]
        name = f"{outcome.system:<9} {outcome.part:<18}"
        print(f"{name} {outcome.result:<8} {outcome.seconds:5.0f} s  {first[:100]}".rstrip())
    counts = {
        word: sum(outcome.result == word for outcome in outcomes)
        for word in ("passed", "FAILED", "skipped")
    }
    print(", ".join(f"{count} {word}" for word, count in counts.items()))


if __name__ == "__main__":
    sys.exit(main())
