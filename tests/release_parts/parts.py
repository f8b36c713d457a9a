"""The parts of `tests/release`: what is tried on which system."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from memtool.systemd.jobs import JOBS
from tests.checkout import REPOSITORY
from tests.release_parts.bench import (
    COMMAND_TIMEOUT_S,
    Bench,
    SkippedError,
    as_installer,
    as_person,
    as_root,
    check_equal,
    check_works,
    expect,
    files_of,
)
from tests.release_parts.ways import CACHES, CLONE, VENV_PACKAGE, WAYS, Way
from tests.systemd.machine import MachineError, call
from tests.systemd.sides import CHECKOUT, Side

HOST = "host"
RELEASES = ("debian12", "debian13")
OLDER = "ea0c955"  # the last commit with an install.sh that did all by itself
SCHEDULE = "*-*-* 05:10:00"


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that is tried, on each of some systems."""

    name: str
    run: Callable[[Bench], None]
    systems: tuple[str, ...] = RELEASES


def install_and_remove(way: Way, bench: Bench) -> None:
    """Install memtool, use it, and remove it: afterwards every file of the machine is as it was."""
    with bench.machine(way.mode, program=way.program) as side:
        as_root(side, way.prepare)
        if way.fetch:
            as_installer(side, way.fetch)
        before = files_of(side)
        as_installer(side, way.install)
        check_works(side)
        as_installer(side, way.remove)
        if way.keeps_memory:
            check_memory_stays(side)
        check_equal(before, files_of(side), way.leaves)


def check_memory_stays(side: Side) -> None:
    """Check that the removal has left the memory, and then delete it with the directories that it is in."""
    as_person(side, f"test -e {side.root}/FORMAT\nrm -r {side.root}")
    as_person(side, "rmdir -p .local/state 2>/dev/null || true")


def upgrade(mode: str, bench: Bench) -> None:
    """Upgrade an installation of the older install.sh: what a person has changed about it stays."""
    older = bench.folder / "older"
    if not older.is_dir():
        raise SkippedError(f"this clone has no commit {OLDER}")
    options = "" if mode == "user" else " --system --run-as mira"
    with bench.machine(mode) as side:
        as_root(side, VENV_PACKAGE)
        as_installer(side, f"cp -r /mnt/older older\n{CLONE}")
        before = files_of(side)
        as_installer(side, f"cd older\n./install.sh{options}")
        change_installation(side)
        contents = side.toc()
        as_installer(side, f"cd memtool\n./install.sh{options}")
        check_kept(side, contents)
        side.control("enable", "--now", "memtool-compaction.timer")
        expect(side.memtool("scheduler", "resume", "--all"))
        check_works(side)
        as_installer(side, f"cd memtool\n./install.sh --uninstall --purge --{mode}")
        # The older install.sh did not write down which directories it made.
        after = {
            path: entry
            for path, entry in files_of(side).items()
            if path in before or not entry.startswith("d")
        }
        check_equal(before, after, (CACHES,))


def change_installation(side: Side) -> None:
    """Take in the sample, and change about the timers all that can be changed."""
    side.take_in()
    expect(side.start("day-rollup"))
    side.control("disable", "--now", "memtool-compaction.timer")
    expect(side.memtool("scheduler", "pause", "week-rollup"))
    if side.mode == "user":
        expect(side.memtool("config", "set", "day_rollup.schedule", SCHEDULE))
        expect(side.memtool("scheduler", "apply"))
    else:
        text = f'[day_rollup]\nschedule = "{SCHEDULE}"\n'
        as_root(side, f"mkdir /etc/memtool\ncat >/etc/memtool/config.toml <<'TEXT'\n{text}TEXT")
        as_root(side, "memtool scheduler apply")


def check_kept(side: Side, contents: object) -> None:
    """Check that an upgrade has kept the changes of `change_installation`, and the memory."""
    states = {job.timer: side.control("is-enabled", job.timer).stdout.strip() for job in JOBS}
    enabled = dict.fromkeys(states, "enabled")
    if states != {**enabled, "memtool-compaction.timer": "disabled"}:
        raise MachineError(f"the timers are {states}")
    if not side.status("week-rollup")["pause"]:
        raise MachineError("the pause of week-rollup is gone")
    schedule = side.property("memtool-day-rollup.timer", "TimersCalendar")
    if SCHEDULE.split()[1] not in schedule or schedule.count("OnCalendar") != 1:
        raise MachineError(f"the schedule of day-rollup is {schedule}")
    if side.toc() != contents:
        raise MachineError("the table of contents has changed")


def start_from_nothing(bench: Bench) -> None:
    """Without Debian's package for virtual environments: root and sudo get it installed, others its name."""
    with bench.machine("user") as side:
        as_installer(side, CLONE)
        said = as_person(side, "cd memtool\n./install.sh", code=1)
        if "As root, install python3" not in said:
            raise MachineError(f"the package is not named: {said}")
        said = as_root(side, f"{CLONE}cd memtool\n./install.sh --demo")
        if "Healthy" not in said:
            raise MachineError(f"the demo shows no healthy store: {said}")
        as_root(side, "apt-get purge -y -qq 'python3.*-venv'\napt-get install -y -qq sudo")
        as_root(side, "echo 'noor ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/noor")
        as_person(side, "cd memtool\n./install.sh")
        check_works(side)


def run_without_systemd(bench: Bench) -> None:
    """Without systemd, install.sh prints a crontab, and its lines run."""
    with bench.machine("user") as side:
        as_root(side, VENV_PACKAGE)
        as_installer(side, CLONE)
        hidden = "mount -t tmpfs none /run/systemd && runuser -u noor -- env HOME=/home/noor"
        said = as_root(side, f"unshare --mount sh -ec '{hidden} /home/noor/memtool/install.sh'")
        lines = [line for line in said.splitlines() if line.startswith(("*", "0", "30"))]
        if len(lines) != len(JOBS):
            raise MachineError(f"no line of a crontab for each job: {said}")
        for line in lines:
            as_person(side, line.split(" ", 5)[5].replace("\\%", "%"))
        expect(side.memtool("toc"))


def run_unit_tests(bench: Bench) -> None:
    """Run the quick tests under the system's own Python."""
    with bench.machine("user") as side:
        as_root(
            side, f"{VENV_PACKAGE}userdel --remove mira 2>&1"
        )  # tests name homes that must not be there
        script = (
            f"cp -r {CHECKOUT} memtool\ncd memtool\ntests/run --quick --python /usr/bin/python3"
        )
        as_person(side, script)


def run_unit_tests_with(python: str, bench: Bench) -> None:
    """Run the quick tests under a Python of this machine."""
    if shutil.which(python) is None or call([python, "-c", ""]).returncode != 0:
        raise SkippedError(f"there is no {python} here")
    folder = bench.folder / python
    shutil.copytree(bench.checkout, folder)
    command = [str(folder / "tests/run"), "--quick", "--python", python]
    expect(call(command, timeout_s=COMMAND_TIMEOUT_S))


def provide_older(folder: Path) -> None:
    """Put the older commit's files into a folder, where this clone has that commit."""
    if call(["git", "-C", str(REPOSITORY), "cat-file", "-e", OLDER]).returncode != 0:
        return
    folder.mkdir()
    archive = f"git -C '{REPOSITORY}' archive {OLDER} | tar -C '{folder}' -xf -"
    expect(call(["sh", "-ec", archive]))


def all_parts() -> Iterator[Part]:
    """Give all parts in the order in which they are run."""
    for way in WAYS:
        yield Part(way.name, functools.partial(install_and_remove, way))
    for mode in ("user", "system"):
        yield Part(f"upgrade-{mode}", functools.partial(upgrade, mode))
    yield Part("from-nothing", start_from_nothing)
    yield Part("no-systemd", run_without_systemd)
    yield Part("unit-tests", run_unit_tests, (*RELEASES, "sid"))
    yield Part("unit-tests-3.12", functools.partial(run_unit_tests_with, "python3.12"), (HOST,))
