"""What `memtool setup` puts where, for whom, and what may not be done. Pure: asks no systemd and writes nothing."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from memtool.errors import MemtoolError
from memtool.paths import SYSTEM_STORE, home_directory, xdg_directory
from memtool.program import DISTRIBUTION, Way
from memtool.shipped import shipped
from memtool.systemd.jobs import JOBS
from memtool.systemd.programs import HIDDEN
from memtool.systemd.systemctl import Scope, config_directory

RECORD = "setup.json"
"""In the store's directory: what setup has to remember for the removal, the directories that it made."""
CREDENTIAL = Path("/etc/credstore/memtool.llm-key")
"""The key that the system's services are given (LoadCredential= in their units)."""


@dataclass(frozen=True, slots=True)
class Places:
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
    """For a package: below what the files for sysusers.d, tmpfiles.d and presets go."""

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
    runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}"
    return Places(
        units=units,
        admin=units,
        runtime=Path(runtime) / "systemd/user",
        stamps=share / "systemd/timers",
        share=share,
        man=home / ".local/share/man",  # man looks beside ~/.local/bin, whatever XDG_DATA_HOME is
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
    """Raise MemtoolError where the system's services cannot see one of the paths, links resolved.

    `command` installs memtool so that they can.
    """
    for part in parts:
        for path in (part, part.resolve()):
            if any(path.is_relative_to(hidden) for hidden in HIDDEN):
                raise MemtoolError(
                    f"the system's timers see no home, and {path} is in one",
                    hint=f"install memtool where they can see it: {command}",
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


_CALENDAR = re.compile(
    r"(?:(?P<weekday>Sun|Mon) )?\*(?:-(?P<month>\*|\d+)-(?P<day>\*|\d+) )?"
    r"(?:(?P<hour>\d+):(?P<minute>\d+):00|:0/(?P<step>\d+))"
)


def crontab_lines(program: Path, store: Path) -> Iterator[str]:
    """Yield the job table as lines of a crontab. cron knows no pauses: each line looks for the flags itself."""
    for job in JOBS:
        found = _CALENDAR.fullmatch(job.on_calendar)
        assert found is not None, job.on_calendar
        step = found["step"]
        times = (f"*/{step}", "*") if step else (_plain(found["minute"]), _plain(found["hour"]))
        days = (_plain(found[name] or "*") for name in ("day", "month"))
        flags = [shlex.quote(str(store / "pause" / name)) for name in ("all", job.name)]
        command = shlex.join([str(program), *job.command])
        text = f"[ -e {flags[0]} ] || [ -e {flags[1]} ] || {command}"
        escaped = text.replace("%", r"\%")  # cron reads a bare one as the end of the line
        yield " ".join([*times, *days, found["weekday"] or "*", escaped])


def zsh_advice(places: Places, environ: Mapping[str, str]) -> str:
    """Return the line that ~/.zshrc lacks for this user's completion, with its file; nothing where none is needed."""
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
    """Raise MemtoolError where the system's memory belongs to another than the one who is to have it.

    `owner` is whose it is now, empty where there is none; `take_over` is whom the command line names.
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
    """Return the timers that are not installed yet, and that nobody has masked."""
    names = [job.timer for job in JOBS if not (places.units / job.timer).exists()]
    return [name for name in names if not (places.admin / name).is_symlink()]


def _plain(number: str) -> str:
    return str(int(number)) if number.isdigit() else number
