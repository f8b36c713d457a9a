"""What `memtool setup` installs, where, and how."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from memtool.errors import MemtoolError
from memtool.files import atomic_write, private_directory, reporting
from memtool.paths import SYSTEM_STORE, home_directory, shipped, xdg_directory
from memtool.person import Person, as_owner, as_person, owner_uid
from memtool.process import run
from memtool.program import DISTRIBUTION, Way
from memtool.systemd.changes import Change, tell_systemd, write
from memtool.systemd.jobs import JOBS, STARTERS
from memtool.systemd.programs import HIDDEN
from memtool.systemd.states import TimerState
from memtool.systemd.systemctl import (
    Manager,
    Scope,
    ask,
    config_directory,
    failure,
    manager_of,
)

SERVICES = tuple(job.unit for job in JOBS)
STOP_TIMEOUT_S = 180
"""A job ends its step; after TimeoutStopSec= of its unit systemd kills it."""
RECORD = "setup.json"
"""In the store's directory: the directories that setup made, for the removal."""
CREDENTIAL = Path("/etc/credstore/memtool.llm-key")
"""The key that the system's services are given (LoadCredential= in their units)."""


class Places(NamedTuple):
    """Where the files of one installation are."""

    units: Path
    """The unit files that setup writes."""
    admin: Path
    """What a person, systemctl and the settings add: drop-ins, masks, links of enabled timers."""
    runtime: Path
    """The same, until the next boot."""
    stamps: Path
    """Where systemd keeps when a persistent timer has last fired."""
    share: Path
    man: Path
    zsh: Path
    fish: Path
    store: Path
    """The store's directory, unless the settings name another."""
    config: Path
    package: Path | None = None
    """For a package: the directory of sysusers.d, tmpfiles.d and presets."""

    def pages(self) -> dict[Path, str]:
        """Return the man page and the completions: where each goes, and the name by which it is shipped."""
        return {
            self.man / "man1/memtool.1": "man/memtool.1",
            self.share / "bash-completion/completions/memtool": "completions/memtool.bash",
            self.zsh / "_memtool": "completions/_memtool",
            self.fish / "memtool.fish": "completions/memtool.fish",
        }


def places(scope: Scope, environ: Mapping[str, str], uid: int) -> Places:
    """Return the places of the system's installation, or of this user's own."""
    return _system_places() if scope == "system" else _user_places(environ, uid)


def _system_places() -> Places:
    share = Path("/usr/local/share")
    return Places(
        # Not /etc: there `systemctl mask` and `revert` would not work on them.
        units=Path("/usr/local/lib/systemd/system"),
        admin=Path("/etc/systemd/system"),
        runtime=Path("/run/systemd/system"),
        stamps=Path("/var/lib/systemd/timers"),
        share=share,
        man=share / "man",
        zsh=share / "zsh/site-functions",
        fish=share / "fish/vendor_completions.d",
        store=SYSTEM_STORE,
        config=Path("/etc/memtool"),
    )


def _user_places(environ: Mapping[str, str], uid: int) -> Places:
    home = home_directory(environ)
    config = xdg_directory(environ, "XDG_CONFIG_HOME", ".config")
    share = xdg_directory(environ, "XDG_DATA_HOME", ".local/share")
    units = config_directory(environ)
    runtime = manager_of("user", environ, uid).environ.get("XDG_RUNTIME_DIR", f"/run/user/{uid}")
    return Places(
        units=units,
        admin=units,
        runtime=Path(runtime) / "systemd/user",
        stamps=share / "systemd/timers",
        share=share,
        man=home
        / ".local/share/man",  # man searches beside ~/.local/bin, and ignores XDG_DATA_HOME
        zsh=share / "zsh/site-functions",
        fish=config / "fish/completions",
        store=home / ".local/state/memtool",
        config=config / "memtool",
    )


def package_places(root: Path) -> Places:
    """Return the places of a distribution's package, below the directory in which it is put together."""
    share = root / "usr/share"
    is_debian = Path("/etc/debian_version").exists()
    units = root / "usr/lib/systemd/system"
    return Places(
        units=units,
        admin=root / "etc/systemd/system",
        runtime=root / "run/systemd/system",
        stamps=root / "var/lib/systemd/timers",
        share=share,
        man=share / "man",
        zsh=share / ("zsh/vendor-completions" if is_debian else "zsh/site-functions"),
        fish=share / "fish/vendor_completions.d",
        store=root / "var/lib/memtool",
        config=root / "etc/memtool",
        package=root / "usr/lib",
    )


def page_texts(places: Places) -> dict[Path, str]:
    """Return the man page and the completions as they are shipped, by where they go."""
    return {
        path: shipped(name).read_text(encoding="utf-8") for path, name in places.pages().items()
    }


def check_visible(parts: Iterable[Path], command: str) -> None:
    """Raise MemtoolError if the system's services cannot see one of the paths. `command` installs memtool elsewhere."""
    for part in parts:
        for path in (part, part.resolve()):
            if any(path.is_relative_to(hidden) for hidden in HIDDEN):
                raise MemtoolError(
                    f"the system's timers cannot see home directories, and {path} is in one",
                    hint=f"install memtool outside of them: {command}",
                )


def lasting_command(way: Way, person: str) -> str:
    """Return the command that installs memtool for the whole system, by the way in which it was installed here."""
    match way:
        case "pipx":
            return (
                "sudo env PIPX_HOME=/opt/pipx PIPX_BIN_DIR=/usr/local/bin "
                f"pipx install --python /usr/bin/python3 {DISTRIBUTION}"
            )
        case "uv tool" | "cache":
            return (
                "sudo env UV_TOOL_DIR=/opt/uv/tools UV_TOOL_BIN_DIR=/usr/local/bin "
                f"UV_PYTHON_INSTALL_DIR=/opt/uv/python uv tool install {DISTRIBUTION}"
            )
        case "install.sh" | "checkout":
            return f"sudo ./install.sh --system --run-as {person}"
        case _:
            return (
                "sudo sh -c '/usr/bin/python3 -m venv /opt/memtool && "
                f"/opt/memtool/bin/pip install {DISTRIBUTION}'"
            )


def zsh_advice(places: Places, environ: Mapping[str, str]) -> str:
    """Return what to add to ~/.zshrc for completion; empty if nothing is needed."""
    home = home_directory(environ)
    if not environ.get("SHELL", "").endswith("/zsh") or not places.zsh.is_relative_to(home):
        return ""
    file = Path(environ.get("ZDOTDIR") or home) / ".zshrc"
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    if str(places.zsh.relative_to(home)) in text:
        return ""
    return (
        f"for completion in zsh, put this into {file} before compinit: fpath=({places.zsh} $fpath)"
    )


def check_owner(store: Path, owner: str, run_as: str, take_over: str) -> None:
    """Raise MemtoolError if the system's memory belongs to another user than `run_as`.

    `owner` owns it now, or is whom the installed jobs run as; empty if there is neither. `take_over` is the owner that
    the command line names.
    """
    if take_over and take_over != owner:
        whose = f"belongs to {owner}" if owner else "does not exist"
        raise MemtoolError(
            f"--take-over {take_over}: the memory in {store} {whose}",
            hint="leave --take-over out" if owner in ("", run_as) else f"--take-over {owner}",
        )
    if owner and owner != run_as and not take_over:
        raise MemtoolError(
            f"the memory in {store} belongs to {owner}; {run_as} would get all of it",
            hint=f"to give it to {run_as}: memtool setup --system --run-as {run_as} --take-over {owner}",
        )


def new_timers(places: Places) -> list[str]:
    """Return the timers and path units that are neither installed nor masked."""
    names = [name for name in STARTERS if not (places.units / name).exists()]
    return [name for name in names if not (places.admin / name).is_symlink()]


_RECORD_VERSION = 1
_CHECK = "memtool-setup-check"
_NOT_RUNNING = (
    "its file system must not be mounted noexec, and the user of the jobs must be able to read it"
)
_SYSTEMCTL_TIMEOUT_S = 90


class Plan(NamedTuple):
    """What to do: files to change, new timers to enable, the store and its owner."""

    places: Places
    changes: Sequence[Change]
    enable: Sequence[str]
    store: Path
    owner: Person | None = None
    """Who will own the store: the system's run-as user; None for the user who runs this."""
    take_over: str = ""
    """The user whose store becomes the owner's."""
    is_of_system: bool = True
    """Whether the system's settings name the store, not the user's own."""


def carry_out(plan: Plan, manager: Manager | None, offline: Manager | None) -> tuple[str, ...]:
    """Carry out the plan and return the restarted timers.

    `manager` is the systemd that runs now. Without one, `offline` enables the timers for its next start; None if there
    is no systemctl. Raise MemtoolError at the first step that fails; doing it again continues.
    """
    _record_directories(plan)
    # Also the store, so that jobs can be paused before the first run.
    make_store(plan.store, plan.owner, is_of_system=plan.is_of_system)
    states: Mapping[str, TimerState] = ask(manager).states if manager else {}
    for change in plan.changes:
        write(change)
    again: tuple[str, ...] = ()
    if manager is not None:
        again = tell_systemd(manager, plan.changes, states)
    if plan.take_over and plan.owner is not None:
        if manager is not None:
            manager.call("stop", *SERVICES, timeout_s=STOP_TIMEOUT_S)
        for store in {plan.places.store, plan.store}:
            give_to(store, plan.owner)
    if plan.enable and (manager or offline):
        _enable(plan.enable, manager, offline)
    return again


def give_to(root: Path, owner: Person) -> None:
    """Make the user the owner of the directory and everything in it.

    No link is followed, also none that the present owner puts in the place of a directory meanwhile.
    """
    with reporting(root):
        if root.stat().st_uid == owner.uid:
            return
        for _, directories, files, descriptor in os.fwalk(root):
            for name in (*directories, *files):
                os.chown(name, owner.uid, owner.gid, dir_fd=descriptor, follow_symlinks=False)
        os.chown(root, owner.uid, owner.gid)


def _record_directories(plan: Plan) -> None:
    """Record which directories will be made: the removal removes no others."""
    place = plan.places.store
    paths = [change.path for change in plan.changes if change.new is not None]
    paths += [place / RECORD, plan.store / "x", plan.places.stamps / "x"]
    made = {*read_record(place), *missing_directories(paths)}
    private_directory(place)
    if plan.owner is not None and not plan.take_over:
        give_to(place, plan.owner)
    text = json.dumps({"version": _RECORD_VERSION, "directories": sorted(map(str, made))}, indent=2)
    record, data = place / RECORD, f"{text}\n".encode()
    with as_owner(place):
        if not record.exists() or record.read_bytes() != data:
            atomic_write(record, data)


def make_store(store: Path, owner: Person | None, *, is_of_system: bool) -> None:
    """Make the store's directory for this user, or for the present one, unless it exists.

    Only where the system's settings name it root makes it, and gives it away. What a user's own settings name is made
    as that user: root makes no directory for a user where that user could not. Raise MemtoolError if it cannot be made.
    """
    if store.exists():
        return
    if owner is None or owner.uid == os.geteuid():
        private_directory(store)
        return
    if is_of_system and owner_uid(store) != owner.uid:
        with reporting(store):
            for folder in reversed(store.parents):
                if not folder.is_dir():
                    folder.mkdir()
                    folder.chmod(0o755)
            store.mkdir(0o700)
            os.chown(store, owner.uid, owner.gid)
        return

    def make() -> int:
        try:
            private_directory(store)
        except MemtoolError:
            return 1
        return 0

    if as_person(owner, make) != 0:
        command = shlex.join(
            ["sudo", "install", "-d", "-m", "700", "-o", owner.name, "-g", str(owner.gid), str(store)]
        )  # fmt: skip
        raise MemtoolError(f"{owner.name} cannot make {store}", hint=command)


def read_record(store: Path) -> list[Path]:
    """Return the directories that setup made; none if the store has no record that can be read."""
    try:
        found = json.loads((store / RECORD).read_text(encoding="utf-8"))
        return [Path(name) for name in found["directories"]]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def missing_directories(paths: Iterable[Path]) -> list[Path]:
    """Return the missing directories above the paths."""
    parents = {parent for path in paths for parent in path.parents}
    return sorted(path for path in parents if not path.is_dir())


def _enable(timers: Sequence[str], manager: Manager | None, offline: Manager | None) -> None:
    """Enable and start the timers; if systemd does not run, they start with it."""
    asked = manager or offline
    assert asked is not None
    now = ["--now"] if manager is not None else []
    mask = os.umask(0o022)  # for the directories of links
    done = asked.call("enable", *now, *timers, timeout_s=_SYSTEMCTL_TIMEOUT_S)
    os.umask(mask)
    if not done.is_ok:
        raise failure(done, asked, "the files are written, but the timers are not enabled")


def offline_manager(manager: Manager) -> Manager:
    """Return a manager that only changes links."""
    return manager._replace(environ={**manager.environ, "SYSTEMD_OFFLINE": "1"})


def timers_off(manager: Manager) -> list[str]:
    """Return the timers that are installed and disabled."""
    return [
        timer
        for timer in STARTERS
        if manager.call("is-enabled", timer).stdout.strip() == "disabled"
    ]


def check_starts(program: Path, environ: Mapping[str, str], person: Person | None) -> None:
    """Raise MemtoolError unless the program starts, as this user if one is given."""

    def start() -> int:
        done = run([str(program), "--version"], environ)
        if not done.is_ok:
            os.write(2, f"{done.said}\n".encode())
        return 0 if done.is_ok else 1

    if (start() if person is None else as_person(person, start)) != 0:
        who = f" as {person.name}" if person else ""
        raise MemtoolError(f"{program} does not run{who}", hint=_NOT_RUNNING)


def check_unit_starts(manager: Manager, program: Path) -> None:
    """Raise MemtoolError unless a unit can start the program, with the drop-ins that all services share."""
    # With this name systemd applies the drop-ins of memtool-.service.d to it.
    argv = ["systemd-run", *manager.arguments, "--quiet", "--wait", "--collect"]
    argv += [f"--unit={_CHECK}", "--", str(program), "--version"]
    done = run(argv, manager.environ, timeout_s=_SYSTEMCTL_TIMEOUT_S)
    if done.is_missing or done.is_ok:
        return
    log = shlex.join(["journalctl", *manager.arguments, f"--unit={_CHECK}"])
    raise MemtoolError(
        f"the files are written, but a unit cannot start {program} ({done.said})",
        hint=f"{_NOT_RUNNING}; see: {log}",
    )
