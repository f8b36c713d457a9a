"""Fresh machines with two people in them, and what every installation of memtool must be able to do there."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from memtool.systemd.jobs import JOBS
from tests.checkout import copy_checkout
from tests.release_parts.files import Listing, difference, listing
from tests.release_parts.roots import DIST, host_environment, host_files
from tests.systemd.machine import Done, Machine, MachineError, Workshop, must, wait_until
from tests.systemd.sides import CHECKOUT, PEOPLE, SOON, Side

COMMAND_TIMEOUT_S = 3600  # only ends what hangs
# With the network, which `apply` opens where a model is asked; offline services are at 0.2.
MOST_EXPOSED = {"system": 0.5, "user": 1.3}
FAR_AWAY = "*-01-01"


class SkippedError(Exception):
    """What a part needs is not here."""


@dataclass(frozen=True)
class Bench:
    """What all parts share: where machines are made, and what of memtool is seen in them."""

    workshop: Workshop
    folder: Path
    root: Path = Path()
    environ: Mapping[str, str] = field(default_factory=host_environment)

    @property
    def dist(self) -> Path:
        """The folder with the wheel, and with the bundle that is cloned."""
        return self.folder / "dist"

    @property
    def checkout(self) -> Path:
        """A copy of this checkout that everybody can read."""
        return self.folder / "checkout"

    @contextmanager
    def machine(self, mode: str, *, program: str = "") -> Iterator[Side]:
        """Give a booted machine with mira and noor, of whom noor lingers, and with the sample of transcripts."""
        binds = {**host_files(), self.dist: DIST, self.checkout: CHECKOUT, **self._older()}
        with Machine(
            self.workshop, binds=binds, base=self.root, environ=self.environ, name="memtool-release"
        ) as machine:
            machine.boot()
            for name, uid in PEOPLE.items():
                shell = ("--shell", "/bin/bash")
                done = machine.run("useradd", "--create-home", *shell, "--uid", str(uid), name)
                expect(done)
            expect(machine.run("loginctl", "enable-linger", "noor"))
            side = Side(machine, mode, program)
            wait_until(lambda: side.control("is-active", "timers.target").returncode == 0, "timers")
            side.give_transcripts()
            yield side

    def _older(self) -> Mapping[Path, str]:
        older = self.folder / "older"
        return {older: "/mnt/older"} if older.is_dir() else {}


def expect(done: Done, code: int = 0) -> str:
    """Return what a command wrote, on both channels. Raise MachineError if it ended in another way."""
    said = done.stdout + done.stderr
    if done.returncode != code:
        arguments = " ".join(map(str, done.args)) if isinstance(done.args, list) else done.args
        raise MachineError(
            f"exit code {done.returncode} instead of {code}: {arguments[-600:]}\n{said[-4000:]}"
        )
    return said


def as_root(side: Side, script: str, code: int = 0) -> str:
    """Run a script as root in /root, and return what it wrote."""
    command = ("sh", "-ec", f"cd /root\n{script}")
    return expect(side.machine.run(*command, timeout_s=COMMAND_TIMEOUT_S), code)


def as_person(side: Side, script: str, code: int = 0) -> str:
    """Run a script as the person in their home, and return what it wrote."""
    command = side.as_person("sh", "-ec", f"cd\n{script}")
    return expect(side.machine.run(*command, timeout_s=COMMAND_TIMEOUT_S), code)


def as_installer(side: Side, script: str) -> str:
    """Run a script as whoever installs in this mode, and return what it wrote."""
    return as_person(side, script) if side.mode == "user" else as_root(side, script)


def check_works(side: Side) -> None:
    """Check that memtool runs, that its timers fire and that its jobs and reading commands work."""
    states = side.control("is-enabled", *(job.timer for job in JOBS)).stdout.split()
    if states != ["enabled"] * len(JOBS):
        raise MachineError(f"timers are {states}")
    check_units(side)
    fire(side)
    started = side.start("day-rollup")
    if started.returncode != 0:
        raise MachineError(f"day-rollup: {started.stderr}\n{side.journal('day-rollup')[-2000:]}")
    contents = expect(side.memtool("toc"))
    if "2026" not in contents:
        raise MachineError(f"memtool toc says only: {contents}")
    expect(side.memtool("scheduler", "status"))


def check_units(side: Side) -> None:
    """Check that systemd has no complaint about the units, and that they are hardly exposed."""
    own = () if side.mode == "system" else ("--user",)
    for job in JOBS:
        verify = ("systemd-analyze", *own, "verify", "--man=no", job.unit, job.timer)
        done = side.machine.run(*(verify if side.mode == "system" else side.as_person(*verify)))
        said = done.stdout + done.stderr
        if said:
            raise MachineError(f"systemd-analyze verify {job.unit}: {said}")
        limit = str(round(MOST_EXPOSED[side.mode] * 10))
        security = (
            "systemd-analyze",
            *own,
            "security",
            "--no-pager",
            f"--threshold={limit}",
            job.unit,
        )
        expect(
            side.machine.run(*(security if side.mode == "system" else side.as_person(*security)))
        )


def fire(side: Side) -> None:
    """Let the timer of ingest fire, and wait until its job has run."""
    manager = "/run" if side.mode == "system" else f"/run/user/{PEOPLE[side.person]}"
    folder = f"{manager}/systemd/{side.mode}/memtool-ingest.timer.d"
    before = len(side.runs("ingest"))
    side.write(f"{folder}/90-soon.conf", SOON)
    side.control("daemon-reload")
    expect(side.control("restart", "memtool-ingest.timer"))
    side.wait_for_runs("ingest", before + 1)
    expect(side.machine.run("rm", "-r", folder))
    side.control("daemon-reload")
    expect(side.control("restart", "memtool-ingest.timer"))
    last = side.runs("ingest")[-1]
    if (last["trigger"], last["result"]) != ("timer", "done"):
        raise MachineError(f"the run of ingest that the timer began: {last}")


def check_equal(before: Listing, after: Listing, allowed: tuple[str, ...]) -> None:
    """Check that two lists of files differ in nothing but the paths that these patterns allow."""
    lines = difference(before, after, allowed=allowed)
    if lines:
        raise MachineError("files before and after differ:\n" + "\n".join(lines[:60]))


def files_of(side: Side) -> Listing:
    """Return the list of the machine's files."""
    return listing(side.machine)


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """Give what all parts share. Raise MachineError where machines cannot be made."""
    made = Bench(Workshop(folder), folder)
    with made.workshop:
        made.workshop.mount()
        make_checkout(made.checkout)
        make_dist(made.checkout, made.dist)
        must(["chmod", "-R", "a+rX", str(folder)])
        yield made


def make_checkout(target: Path) -> None:
    """Make a copy of this checkout that is a repository of one commit."""
    copy_checkout(target)
    git = ["git", "-C", str(target)]
    must([*git, "init", "-q"])
    must([*git, "add", "-A"])
    author = ["-c", "user.name=tests", "-c", "user.email=tests@localhost"]
    must([*git, *author, "commit", "-q", "-m", "the checkout"])


def make_dist(checkout: Path, dist: Path) -> None:
    """Build the wheel, and a bundle that `git clone` takes."""
    dist.mkdir()
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", str(dist)]
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "source"
        shutil.copytree(checkout, source, ignore=shutil.ignore_patterns(".git"))
        done = subprocess.run(
            [*pip, str(source)], capture_output=True, encoding="utf-8", check=False
        )
    if done.returncode != 0:
        raise MachineError(f"pip wheel: {done.stdout}{done.stderr}")
    bundle = str(dist / "memtool.bundle")
    must(["git", "-C", str(checkout), "bundle", "create", "-q", bundle, "HEAD"])
