"""Lists of all files of a machine, and how two of them differ: what an installation leaves behind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from tests.systemd.machine import Machine, MachineError

# Not on the disk of an installed system, or written by the system itself while it runs.
LEFT_OUT = (
    *("/proc", "/sys", "/dev", "/run", "/tmp", "/mnt", "/var/tmp", "/var/log", "/var/cache"),
    *("/var/lib/systemd/random-seed", "/var/lib/systemd/timesync", "/var/lib/apt"),
)

Listing = Mapping[str, str]


def listing(machine: Machine) -> Listing:
    """Return every path of the machine with its kind, mode, owner, group, target and, for a file, its size."""
    pruned = " -o ".join(f"-path {path}" for path in LEFT_OUT)
    line = r"%p\t%y %m %U %G %l"
    script = (
        rf"find / -xdev \( {pruned} \) -prune -o "
        rf"\( -type f -printf '{line} %s\0' -o -printf '{line}\0' \)"
    )
    done = machine.run("sh", "-c", script)
    if done.returncode != 0:
        raise MachineError(f"find: {done.stderr}")
    entries = (entry.partition("\t") for entry in done.stdout.split("\0") if entry)
    return {path: rest for path, _, rest in entries}


def difference(before: Listing, after: Listing, *, allowed: Iterable[str] = ()) -> list[str]:
    """Return what differs, a path a line; `+` is new, `-` is gone, `~` has changed.

    A path that an allowed pattern matches from its start is left out.
    """
    patterns = [re.compile(pattern) for pattern in allowed]
    found = [f"+ {path}" for path in after.keys() - before.keys()]
    found += [f"- {path}" for path in before.keys() - after.keys()]
    found += [
        f"~ {path}: {before[path]} → {after[path]}"
        for path in before.keys() & after.keys()
        if before[path] != after[path]
    ]
    kept = [line for line in found if not any(pattern.match(line[2:]) for pattern in patterns)]
    return sorted(kept, key=lambda line: line[2:])
