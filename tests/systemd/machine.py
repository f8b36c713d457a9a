"""A real systemd, booted as PID 1 of a container on top of this machine's own root, and thrown away afterwards.

Nothing of the host is written: all that the container changes goes to an overlay in memory, in a mount namespace that
ends with the test, even with a test that is killed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

# Guards that only end a hung test.
COMMAND_TIMEOUT_S = 600
BOOT_TIMEOUT_S = 600
NEEDED = ("systemd-nspawn", "unshare", "nsenter", "setpriv", "mount", "loginctl", "busctl")
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "SYSTEMD_COLORS": "0",
    "SYSTEMD_PAGER": "",
}
# systemd-nspawn puts a container into `payload`, below the cgroup in which it is started. Two that share one see, and
# remove, the cgroups of each other's units: jobs then fail to start, now and then.
_INTO_CGROUPS = 'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs"; shift; done; shift; exec "$@"'
_HIERARCHIES = {"0::": ("unified", "."), "name=systemd:": ("systemd",)}
# The pty of the console fills up and stops PID 1 with any other kind of console.
QUIET = ("systemd.unit=multi-user.target", "systemd.show_status=no")

Done = subprocess.CompletedProcess[str]


class MachineError(Exception):
    """The container did not do what it had to, with what it said."""


def missing() -> list[str]:
    """Return the programs that are needed and not here."""
    return [name for name in NEEDED if shutil.which(name) is None]


def call(command: Sequence[str], *, timeout_s: float = COMMAND_TIMEOUT_S, stdin: str = "") -> Done:
    """Run a program to its end, its output as text."""
    return subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=timeout_s,
        check=False,
    )


def must(command: Sequence[str]) -> str:
    """Run a program that must succeed, and return what it wrote."""
    done = call(command)
    if done.returncode != 0:
        raise MachineError(f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def wait_until(
    happened: Callable[[], object], what: str, timeout_s: float = BOOT_TIMEOUT_S
) -> None:
    """Return as soon as it has happened; raise MachineError when it does not in time."""
    end = time.monotonic() + timeout_s
    while not happened():
        if time.monotonic() > end:
            raise MachineError(f"not within {timeout_s:g} s: {what}")
        time.sleep(0.1)


def cgroups_of(process: int | str) -> list[Path]:
    """Return the cgroup of a process in each hierarchy that systemd uses."""
    found, text = [], ""
    with contextlib.suppress(OSError):  # it has ended
        text = Path(f"/proc/{process}/cgroup").read_text("utf-8")
    for line in text.splitlines():
        for head, places in _HIERARCHIES.items():
            _, is_this, below = line.partition(head)
            roots = [Path("/sys/fs/cgroup") / place for place in places]
            root = next((root for root in roots if (root / "cgroup.procs").exists()), None)
            if is_this and root is not None:
                found.append(root / below.strip("/"))
    return found


def own_cgroups(name: str) -> list[Path]:
    """Make a cgroup of this name below that of this process, in each hierarchy that systemd uses."""
    groups = [group / name for group in cgroups_of("self")]
    # By a program: a test itself may write nowhere else. Read-only in some containers: they share one.
    return [group for group in groups if call(["mkdir", "-p", str(group)]).returncode == 0]


def remove_cgroup(group: Path) -> None:
    """Remove a cgroup with all that is below it, as far as no process is left there."""
    call(["find", str(group), "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"])


class Workshop:
    """A mount namespace with a file system in memory, in which the roots of containers are put together."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        keeper = ["unshare", "--mount", "--propagation", "private", "sleep", "infinity"]
        self._keeper = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *keeper])
        self._counter = 0

    def __enter__(self) -> Self:
        """Return it, without its mounts."""
        return self

    def mount(self) -> None:
        """Mount what every root is made of. Raise MachineError where that is not allowed."""
        host = Path("/proc/self/ns/mnt").readlink()
        ours = Path(f"/proc/{self._keeper.pid}/ns/mnt")
        wait_until(lambda: self._keeper.poll() or ours.readlink() != host, "a mount namespace")
        for name in ("host", "memory"):
            (self.folder / name).mkdir()
        self.inside("mount", "--bind", "/", str(self.folder / "host"))
        self.inside("mount", "-t", "tmpfs", "-o", "mode=755", "memory", str(self.folder / "memory"))

    def __exit__(self, *_: object) -> None:
        """End the namespace, and with it all mounts."""
        self._keeper.kill()
        self._keeper.wait()

    def entered(self, *command: str) -> list[str]:
        """Return the command as it is run in the namespace."""
        return ["nsenter", f"--target={self._keeper.pid}", "--mount", *command]

    def inside(self, *command: str) -> str:
        """Run a command in the namespace; it must succeed."""
        return must(self.entered(*command))

    def root(self, layers: Sequence[str] = (), base: Path | None = None) -> tuple[Path, str]:
        """Return a root on top of the layers, the uppermost first, and of the base; and its own, new layer.

        The base is the root of another system, or by default the host's.
        """
        self._counter += 1
        place = self.folder / "memory" / str(self._counter)
        parts = [place / name for name in ("layer", "work", "root")]
        self.inside("mkdir", "-p", *map(str, parts))
        upper, work, root = map(str, parts)
        below = ":".join([*layers, str(base or self.folder / "host")])
        options = f"lowerdir={below},upperdir={upper},workdir={work}"
        self.inside("mount", "-t", "overlay", "-o", options, "overlay", root)
        return parts[2], upper


@dataclass
class Machine:
    """One container: boots, runs commands, is stopped and booted again on the same disk."""

    workshop: Workshop
    layers: Sequence[str] = ()
    binds: Mapping[Path, str] = field(default_factory=dict)
    name: str = "memtool"
    base: Path | None = None  # the root of another system than this machine's
    environ: Mapping[str, str] = field(default_factory=dict)  # for all commands
    layer: str = ""
    _root: Path = Path()
    _nspawn: subprocess.Popen[bytes] | None = None
    _leader: int = 0
    _cgroups: Sequence[Path] = ()

    def __enter__(self) -> Self:
        """Put its disk together. The services of the host are left out, so that it boots in half a second."""
        self._root, self.layer = self.workshop.root(self.layers, self.base)
        if not self.layers and self.base is None:
            etc = str(self._root / "etc/systemd")
            self.workshop.inside(
                "find", etc, "-name", "*.wants", "-prune", "-exec", "rm", "-r", "{}", "+"
            )
            journal = str(self._root / "var/log/journal")
            self.workshop.inside("rm", "-rf", journal)
            self.workshop.inside("mkdir", "-p", journal)  # one that lasts over a reboot
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Throw it away."""
        self.power_off()

    def on_disk(self, *command: str) -> str:
        """Run a host's command while the machine is off, with {} standing for the root of its disk."""
        return self.workshop.inside(*(part.replace("{}", str(self._root)) for part in command))

    def boot(self) -> None:
        """Boot, and return when systemd says that it is up."""
        binds = [f"--bind-ro={path}:{place}" for path, place in self.binds.items()]
        command = [
            *("systemd-nspawn", "--quiet", "--boot", f"--directory={self._root}"),
            *("--register=no", "--keep-unit", "--link-journal=no", "--console=read-only"),
            *(f"--machine={self.name}", f"--hostname={self.name}", *binds, *QUIET),
        ]
        # cgroup 2 inside, whatever the host has: on version 1 systemd counts no CPU time, and complains.
        unified = ("env", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1")
        killed = ("setpriv", "--pdeathsig", "KILL")
        self._cgroups = own_cgroups(f"memtool-{os.getpid()}-{self._root.parent.name}")
        apart = ("sh", "-c", _INTO_CGROUPS, "sh", *map(str, self._cgroups), "--")
        self._nspawn = subprocess.Popen(
            self.workshop.entered(*killed, *apart, *unified, *command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        wait_until(self._is_begun, "a container with systemd in it")
        wait_until(self._is_up, "systemd is up")

    def _is_begun(self) -> bool:
        assert self._nspawn is not None
        pid = self._nspawn.pid
        if self._nspawn.poll() is not None:
            said = self._nspawn.communicate()[1].decode("utf-8", "replace")
            raise MachineError(f"systemd-nspawn ended with {self._nspawn.returncode}: {said}")
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
            for child in children:
                if Path(f"/proc/{child}/comm").read_text("utf-8").strip() == "systemd":
                    self._leader = int(child)
        return self._leader > 0

    def _is_up(self) -> bool:
        said = self.run("systemctl", "is-system-running").stdout.strip()
        return said in ("running", "degraded")

    def run(self, *command: str, timeout_s: float = COMMAND_TIMEOUT_S, stdin: str = "") -> Done:
        """Run a command in the container as root."""
        return call(self.command(*command), timeout_s=timeout_s, stdin=stdin)

    def command(self, *command: str) -> list[str]:
        """Return a command of the container as one that the host can run."""
        enter = [
            "nsenter",
            f"--target={self._leader}",
            "--mount",
            "--pid",
            "--uts",
            "--ipc",
            "--cgroup",
        ]
        environ = [f"{name}={value}" for name, value in {**ENVIRONMENT, **self.environ}.items()]
        # systemd-logind 257 answers no process that is in none of the container's cgroups.
        joined = ("sh", "-c", _INTO_CGROUPS, "sh", *map(str, cgroups_of(self._leader)), "--")
        # As in a session: who runs the tests in the background ignores SIGINT, and so would all that they start.
        return [
            *joined,
            *enter,
            "env",
            "--default-signal",
            "-i",
            "--chdir=/",
            "HOME=/root",
            *environ,
            *command,
        ]

    def power_off(self) -> None:
        """Stop it as a power cut does: what is on its disk stays."""
        if self._nspawn is None:
            return
        if self._leader:
            call(["kill", "-KILL", str(self._leader)])
        else:
            self._nspawn.kill()
        self._nspawn.communicate()
        self._nspawn, self._leader = None, 0
        for group in self._cgroups:
            remove_cgroup(group)

    def reboot(self) -> None:
        """Cut its power and boot it again."""
        self.power_off()
        self.boot()
