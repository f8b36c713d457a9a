"""A systemd for tests: programs of its names that answer from files and write down how they were called.

No code of ours is replaced. What they answer was recorded, or is built here as `systemctl show` prints it.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

from memtool.systemd.changes import Change, write
from memtool.systemd.jobs import JOBS
from memtool.systemd.units import Installation, unit_files

# For each call: the verb's file, if there is one, is run as a script; else it succeeds and says nothing.
_PROGRAM = """#!/bin/sh
PATH={path}
name={name} here={here}
echo "$name $*" >>"$here/calls"
for word; do
    case $word in -*) ;; *) verb=$word; break ;; esac
done
if [ -e "$here/$name-$verb" ]; then . "$here/$name-$verb"; fi
exit 0
"""
PROGRAMS = ("systemctl", "systemd-analyze", "journalctl", "loginctl")


class FakeSystemd:
    """Programs in `<directory>/bin`, their answers beside it."""

    def __init__(self, directory: Path) -> None:
        self.here = directory / "systemd"
        self.bin = directory / "bin"
        self.here.mkdir(parents=True)
        self.bin.mkdir(parents=True, exist_ok=True)
        for name in PROGRAMS:
            path = self.bin / name
            path.write_text(_PROGRAM.format(path="/usr/bin:/bin", name=name, here=self.here))
            path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def add(self, program: str, script: str) -> None:
        """Add another program: this shell script."""
        path = self.bin / program
        path.write_text(f'#!/bin/sh\necho "{program} $*" >>{self.here}/calls\n{script}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def answer(self, program: str, verb: str, script: str) -> None:
        """Let the program answer this verb by running a shell script."""
        (self.here / f"{program}-{verb}").write_text(script)

    def shows(self, text: str, *, user: str | None = None) -> None:
        """Let `systemctl show` print this text; `user`: what the user's own manager prints."""
        (self.here / "system.txt").write_text(text)
        (self.here / "user.txt").write_text(text if user is None else user)
        script = f'case "$*" in *--user*) cat {self.here}/user.txt ;; *) cat {self.here}/system.txt ;; esac'
        self.answer("systemctl", "show", script)

    def fails(self, text: str, code: int = 1, *, verb: str = "show") -> None:
        """Let `systemctl` fail in this way."""
        self.answer("systemctl", verb, f"cat >&2 <<'END'\n{text}\nEND\nexit {code}\n")

    @property
    def calls(self) -> list[str]:
        """How the programs were called, without the call for the timers' state."""
        path = self.here / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line for line in lines if " show " not in line]


def install_units(directory: Path, installation: Installation) -> None:
    """Write the unit files of an installation."""
    for name, text in unit_files(installation).items():
        write(Change(directory / name, None, text))


ARMED = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "SubState": "waiting",
    "UnitFileState": "enabled",
    "ActiveEnterTimestamp": "Sun 2026-11-01 00:00:00 UTC",
    "RandomizedDelayUSec": "5min",
}
IDLE = {"LoadState": "loaded", "ActiveState": "inactive", "SubState": "dead", "Result": "success"}
# Due and fired before 2026-11-24 12:00 UTC, and coming after it.
TIMES = {
    "ingest": ("*-*-* *:00/15:00 UTC", "Tue 2026-11-24 11:45:22 UTC", "Tue 2026-11-24 12:00:22 UTC"),
    "day-rollup": ("*-*-* 01:00:00 UTC", "Tue 2026-11-24 01:02:20 UTC", "Wed 2026-11-25 01:02:20 UTC"),
    "week-rollup": ("Sun *-*-* 02:00:00 UTC", "Sun 2026-11-22 02:00:14 UTC", "Sun 2026-11-29 02:00:14 UTC"),
    "month-rollup": ("*-*-01 03:00:00 UTC", "Sun 2026-11-01 03:02:14 UTC", "Tue 2026-12-01 03:02:14 UTC"),
    "year-rollup": ("*-01-01 03:30:00 UTC", "Thu 2026-01-01 03:33:09 UTC", "Fri 2027-01-01 03:33:09 UTC"),
    "compaction": ("Sun *-*-* 04:00:00 UTC", "Sun 2026-11-22 04:02:17 UTC", "Sun 2026-11-29 04:02:17 UTC"),
}  # fmt: skip


def show_text(
    timers: Mapping[str, Mapping[str, str]] | None = None,
    services: Mapping[str, Mapping[str, str]] | None = None,
) -> str:
    """Return what `systemctl show` prints of a system that is well, but for these properties of these jobs."""
    blocks: list[dict[str, str]] = []
    for job in JOBS:
        spec, last, following = TIMES.get(job.name, TIMES["day-rollup"])
        timer = {
            "Id": job.timer,
            **ARMED,
            "TimersCalendar": f"{{ OnCalendar={spec} ; next_elapse={following} }}",
            "NextElapseUSecRealtime": following,
            "LastTriggerUSec": last,
            **(timers or {}).get(job.name, {}),
        }
        service = {"Id": job.unit, **IDLE, **(services or {}).get(job.name, {})}
        blocks += [timer, service]
    return "\n".join(
        "".join(f"{name}={value}\n" for name, value in rows.items()) for rows in blocks
    )
