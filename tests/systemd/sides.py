"""memtool as it is installed in a machine, for the system or for a user: its units, its program, its ledger."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from memtool.systemd.jobs import JOBS, job_named
from tests.systemd.machine import Done, Machine, MachineError, wait_until

CHECKOUT = "/mnt/checkout"
INSTALL = ("env", "PIP_NO_INDEX=1", "PIP_FIND_LINKS=/mnt/wheels", f"{CHECKOUT}/install.sh")
PEOPLE = {"mira": 2001, "noor": 2002}
# In the place of schedules and delays of hours and minutes.
SOON = "[Timer]\nOnCalendar=\nOnCalendar=*:*:0/2\nRandomizedDelaySec=0\nAccuracySec=1us\n"
ONCE = "[Timer]\nOnCalendar=\nOnActiveSec=1s\nRandomizedDelaySec=0\nAccuracySec=1us\n"
AT_ONCE = "[Timer]\nRandomizedDelaySec=0\nAccuracySec=1us\n"

Run = Mapping[str, Any]


@dataclass(frozen=True)
class Side:
    """One of the two ways to have memtool: `system`, run as mira, or `user`, noor's own with linger."""

    machine: Machine
    mode: str
    program: str = ""  # memtool, where it is not below the prefix

    @property
    def person(self) -> str:
        """Whose transcripts and whose memory they are."""
        return "mira" if self.mode == "system" else "noor"

    @property
    def home(self) -> str:
        """The person's home directory."""
        return f"/home/{self.person}"

    @property
    def root(self) -> str:
        """The store's directory."""
        own = f"{self.home}/.local/state/memtool"
        return "/var/lib/memtool" if self.mode == "system" else own

    @property
    def units(self) -> str:
        """Where install.sh puts the units."""
        own = f"{self.home}/.config/systemd/user"
        return "/usr/local/lib/systemd/system" if self.mode == "system" else own

    @property
    def admin(self) -> str:
        """Where an administrator puts drop-ins, and `memtool scheduler apply`, too."""
        return "/etc/systemd/system" if self.mode == "system" else self.units

    @property
    def prefix(self) -> str:
        """Where the program is."""
        return "/usr/local" if self.mode == "system" else f"{self.home}/.local"

    @property
    def stamps(self) -> str:
        """Where systemd remembers when a timer has last fired."""
        own = f"{self.home}/.local/share/systemd/timers"
        return "/var/lib/systemd/timers" if self.mode == "system" else own

    def boot(self) -> None:
        """Boot the machine, and wait for the manager that runs the jobs."""
        self.machine.boot()
        wait_until(lambda: self.control("is-active", "timers.target").returncode == 0, "timers")

    def reboot(self) -> None:
        """Cut the power and boot again."""
        self.machine.power_off()
        self.boot()

    def as_person(self, *command: str) -> tuple[str, ...]:
        """Return a command as the person runs it, with a user's systemd within reach."""
        runtime = f"XDG_RUNTIME_DIR=/run/user/{PEOPLE[self.person]}"
        environ = ("env", f"HOME={self.home}", f"USER={self.person}", runtime)
        return ("runuser", "-u", self.person, "--", *environ, *command)

    def control(self, *arguments: str) -> Done:
        """Run systemctl on the manager that runs the jobs."""
        if self.mode == "system":
            return self.machine.run("systemctl", *arguments)
        return self.machine.run(*self.as_person("systemctl", "--user", *arguments))

    def property(self, unit: str, name: str) -> str:
        """Return a property of a unit."""
        return self.control("show", unit, f"--property={name}", "--value").stdout.strip()

    def properties(self, unit: str, *names: str) -> list[str]:
        """Return properties of a unit as they are at one moment."""
        said = self.control("show", unit, f"--property={','.join(names)}").stdout
        values = dict(line.split("=", 1) for line in said.splitlines())
        return [values[name] for name in names]

    def next_elapse(self, timer: str) -> datetime:
        """Return when a timer of the calendar elapses next."""
        command: tuple[str, ...] = ("env", "TZ=UTC", "systemctl", "show", timer, "--value")
        if self.mode == "user":
            command = self.as_person(*command, "--user")
        said = self.machine.run(*command, "--property=NextElapseUSecRealtime").stdout.strip()
        return datetime.strptime(said, "%a %Y-%m-%d %H:%M:%S %Z").replace(tzinfo=UTC)

    def memtool(self, *arguments: str, stdin: str = "") -> Done:
        """Run memtool as the person does, in a shell of theirs."""
        program = self.program or f"{self.prefix}/bin/memtool"
        return self.machine.run(*self.as_person(program, *arguments), stdin=stdin)

    def json(self, *arguments: str) -> Any:
        """Return what a command of memtool prints as JSON."""
        done = self.memtool(*arguments, "--json")
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise MachineError(f"memtool {arguments}: {done.stdout}{done.stderr}") from None

    def begun(self, job: str) -> Sequence[Run]:
        """Return the job's runs that were not skipped, the oldest first."""
        return [run for run in self._history(job) if run["result"] != "skipped"]

    def runs(self, job: str) -> Sequence[Run]:
        """Return the job's runs that have ended, skipped ones among them, the oldest first."""
        return [run for run in self._history(job) if run["result"] is not None]

    def _history(self, job: str) -> Sequence[Run]:
        found: Sequence[Run] = self.json("scheduler", "history", job, "--limit", "1000")["runs"]
        return found[::-1]

    def status(self, job: str) -> Mapping[str, Any]:
        """Return what `memtool scheduler status` has on a job."""
        found = self.json("scheduler", "status")["jobs"]
        row: Mapping[str, Any] = next(row for row in found if row["job"] == job)
        return row

    def toc(self, *where: str) -> Any:
        """Return the whole table of contents."""
        return self.json(*where, "toc", "--depth", "9")["entries"]

    def start(self, *jobs: str) -> Done:
        """Start the jobs' services together, as timers do that are due together, and wait for them."""
        return self.control("start", *(job_named(job).unit for job in jobs))

    def begin(self, job: str) -> None:
        """Start the job's service and return when its process is at work."""
        before = len(self.begun(job))
        self.control("start", "--no-block", job_named(job).unit)
        wait_until(lambda: len(self.begun(job)) > before, f"{job} is at work")

    def person_begins(self, *arguments: str, job: str) -> subprocess.Popen[bytes]:
        """Run memtool as the person and return when its job is at work."""
        before = len(self.begun(job))
        program = f"{self.prefix}/bin/memtool"
        begun = subprocess.Popen(self.machine.command(*self.as_person(program, *arguments)))
        wait_until(lambda: len(self.begun(job)) > before, f"{job} is at work")
        return begun

    def wait_for_runs(self, job: str, count: int) -> Sequence[Run]:
        """Return the job's runs as soon as so many have ended."""
        wait_until(lambda: len(self.runs(job)) >= count, f"{count} runs of {job}")
        return self.runs(job)

    def write(self, path: str, text: str) -> None:
        """Write a file as the person, or as root where it is the system's."""
        command = ("sh", "-c", 'mkdir -p "$(dirname "$0")" && cat >"$0"', path)
        whole = self.as_person(*command) if path.startswith("/home/") else command
        done = self.machine.run(*whole, stdin=text)
        assert done.returncode == 0, done.stderr

    def drop_in(self, unit: str, text: str) -> None:
        """Change a unit, or with `memtool-.timer` all of a kind, as an administrator does."""
        self.write(f"{self.admin}/{unit}.d/60-test.conf", text)
        self.control("daemon-reload")

    def fire_once(self, timer: str) -> None:
        """Have a timer fire now, and not again."""
        self.drop_in(timer, ONCE)
        done = self.control("restart", timer)
        assert done.returncode == 0, done.stderr

    def give_transcripts(self, folder: str = "transcripts", year: int = 2026) -> None:
        """Let Claude Code have written the sample of demo/, in another year if need be."""
        script = (
            'mkdir -p ~/.claude && cp -r "$0"/projects ~/.claude/ && '
            'find ~/.claude -name "*.jsonl" -exec sed -i "s/\\b2026-/$1-/g" {} +'
        )
        source = f"{CHECKOUT}/demo/{folder}"
        done = self.machine.run(*self.as_person("sh", "-c", script, source, str(year)))
        assert done.returncode == 0, done.stderr

    def take_in(self) -> None:
        """Have the sample taken in, so that a rollup has something to do."""
        self.give_transcripts()
        done = self.start("ingest")
        assert done.returncode == 0, done.stderr

    def journal(self, job: str) -> str:
        """Return what the job and systemd have written about it."""
        unit = job_named(job).unit
        name = "UNIT" if self.mode == "system" else "USER_UNIT"
        both = (f"{name}={unit}", "+", f"_SYSTEMD_{name}={unit}")
        return self.machine.run("journalctl", "--output=cat", "--quiet", *both).stdout

    def journal_of_manager(self) -> str:
        """Return what the manager that runs the jobs has written."""
        whose = "_PID=1" if self.mode == "system" else f"_UID={PEOPLE[self.person]}"
        return self.machine.run("journalctl", "--output=cat", "--quiet", whose).stdout

    def processes(self) -> str:
        """Return the processes of memtool."""
        return self.machine.run("pgrep", "-f", "bin/memtool").stdout

    @contextmanager
    def held(self, lock: str) -> Iterator[None]:
        """Hold one of memtool's locks, so that a job has to wait as long as the test likes."""
        command = self.as_person("flock", f"{self.root}/locks/{lock}", "sh", "-c", "echo; cat")
        holder = subprocess.Popen(
            self.machine.command(*command), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert holder.stdin is not None
        assert holder.stdout is not None
        try:
            holder.stdout.readline()
            yield
        finally:
            holder.stdin.close()
            holder.wait()
            holder.stdout.close()


def all_jobs() -> list[str]:
    """Return the jobs in the order in which they queue up."""
    return [job.name for job in JOBS]
