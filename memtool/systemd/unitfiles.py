"""The unit files of one installation: the shipped ones, with its program, and what they need to run as its person.

Reads files, and writes none. `scheduler status` uses it at every start.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from memtool.paths import shipped
from memtool.systemd.changes import changes
from memtool.systemd.jobs import JOBS
from memtool.systemd.systemctl import Scope

SLICE = "memtool.slice"
SHARED = "memtool-.service.d"
"""Where drop-ins for all services are. systemd reads them for every service whose name begins with "memtool-"."""
COMMON = f"{SHARED}/10-memtool.conf"
RUN_AS = f"{SHARED}/15-memtool-run-as.conf"
SANDBOX = f"{SHARED}/20-memtool-sandbox.conf"
TRANSCRIPTS = "memtool-ingest.service.d/15-memtool-transcripts.conf"

_PROGRAMS: dict[Scope, str] = {
    "system": "/usr/local/bin/memtool",
    "user": "%h/.local/bin/memtool",
}
"""The program as the shipped services name it."""
# What earlier versions wrote into the directory of each service.
_OLD_RUN_AS, _OLD_SANDBOX, _OLD_TRANSCRIPTS = (
    "10-run-as.conf",
    "10-sandbox.conf",
    "10-transcripts.conf",
)
_HEAD = '# Written by "memtool setup" and "memtool scheduler apply". Put lines of your own into another file.\n'
_PLAIN = re.compile(r"[^\s]+")
_UNSAFE = re.compile(r"[\"'\\]")
_SHELL = """/bin/sh -c 'exec "$$0" "$$@"'"""
_INGEST = JOBS[0]
assert _INGEST.name == "ingest"


@dataclass(frozen=True, slots=True)
class Installation:
    """Whose timers these are, as far as the unit files depend on it."""

    scope: Scope
    program: Path
    run_as: str = ""
    """The system's: whom the jobs run as; empty for the user that the shipped units name."""
    home: Path | None = None
    """The person's home: what the system's jobs may read is in it, and a user's program may be named by it."""
    has_sandbox: bool = False
    """A user's: whether the sandbox that needs user namespaces works here."""


def unit_files(installation: Installation) -> dict[str, str]:
    """Return the text of every unit file, by its path below the directory of units."""
    scope = installation.scope
    files = {name: _shipped(name) for name in (SLICE, *(job.timer for job in JOBS))}
    for job in JOBS:
        files[job.unit] = _service(installation, job.unit)
    files[COMMON] = _shipped(f"{scope}/{COMMON}")
    if scope == "user" and installation.has_sandbox:
        files[SANDBOX] = _shipped(f"user/{SANDBOX}")
    if scope == "system" and installation.run_as:
        files |= _of_person(installation.run_as, installation.home)
    return files


def possible_unit_paths() -> tuple[str, ...]:
    """Return the path of every file that `unit_files` may give, or that earlier versions wrote in its place."""
    old = (_OLD_RUN_AS, _OLD_SANDBOX, _OLD_TRANSCRIPTS)
    return (
        *(SLICE, *(unit for job in JOBS for unit in (job.timer, job.unit))),
        *(COMMON, RUN_AS, SANDBOX, TRANSCRIPTS),
        *(f"{job.unit}.d/{name}" for job in JOBS for name in old),
    )


def installation_in(directory: Path, scope: Scope, home: Path) -> Installation | None:
    """Return the installation whose units are in the directory, as any version wrote them; None where none are.

    `home` is that of the user whose manager it is.
    """
    commands = (_value(directory / job.unit, "ExecStart") for job in JOBS)
    program = next(filter(None, map(_program, commands)), "")
    if not program:
        return None
    if scope == "system":
        old = directory / f"{_INGEST.unit}.d" / _OLD_RUN_AS
        run_as = _value(directory / RUN_AS, "User") or _value(old, "User")
        run_as = run_as.replace("%%", "%")
        return Installation(scope, Path(program), run_as, home_of(run_as) if run_as else None)
    old = directory / f"{_INGEST.unit}.d" / _OLD_SANDBOX
    has_sandbox = (directory / SANDBOX).exists() or old.exists()
    if program.startswith("%h/"):
        return Installation(scope, home / program[3:], home=home, has_sandbox=has_sandbox)
    return Installation(scope, Path(program), has_sandbox=has_sandbox)


def differing(directory: Path, scope: Scope, home: Path) -> tuple[str, ...]:
    """Return which unit files in the directory are not as `unit_files` gives them: changed, missing or too many.

    What others have put there does not count. Nothing differs where nothing of ours is, as beside a distribution's
    package.
    """
    ours = [directory / name for name in possible_unit_paths()]
    installation = installation_in(directory, scope, home)
    if installation is None:
        is_ours = any(map(os.path.lexists, ours))
        return tuple(job.unit for job in JOBS) if is_ours else ()
    wanted = {directory / name: text for name, text in unit_files(installation).items()}
    return tuple(str(change.path.relative_to(directory)) for change in changes(wanted, ours))


def sandbox_properties(home: Path) -> tuple[str, ...]:
    """Return the lines of a user's sandbox as systemd-run takes them, for a trial."""
    lines = _shipped(f"user/{SANDBOX}").splitlines()
    return tuple(
        line.replace("%h", str(home))
        for line in lines
        if re.match(r"[A-Z][A-Za-z]*=", line) and not line.startswith("ExecStartPre=")
    )


def home_of(user: str) -> Path | None:
    """Return the home of a user; None where there is no such user."""
    import pwd

    try:
        return Path(pwd.getpwnam(user).pw_dir)
    except KeyError:
        return None


def escaped(text: str) -> str:
    """Return the text as it may stand between double quotes."""
    for sign, instead in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%")):
        text = text.replace(sign, instead)
    return text


def plain_path(path: Path) -> str:
    """Return the path as a whole value, in which only percent signs mean something."""
    return str(path).replace("%", "%%")


def bound_path(path: Path) -> str:
    """Return the path as one word of a Bind…Paths= whose source may be missing.

    systemd splits the word at a colon even between quotes, unless a backslash is before it. Outside quotes, versions
    differ in what a backslash means (seen: 252, 257, 262).
    """
    text = f"-{plain_path(path)}"
    if not re.search(r"[\s:\\\"']", text):
        return text
    quote = "'" if '"' in text else '"'
    return quote + re.sub(r"([\\:])", r"\\\1", text) + quote


def _service(installation: Installation, name: str) -> str:
    scope, program, home = installation.scope, installation.program, installation.home
    word = _words(program)
    if scope == "user" and home is not None and program.is_relative_to(home):
        word = _words(Path("/") / program.relative_to(home), "%h")
    text = _shipped(f"{scope}/{name}")
    start = f"ExecStart={_PROGRAMS[scope]} "
    assert start in text
    return text.replace(start, f"ExecStart={word} ")


def _words(program: Path, before: str = "") -> str:
    """Return the program as ExecStart= takes it. systemd starts none with quotes in its name: a shell does."""
    path = str(program)
    if _UNSAFE.search(path):
        return f'{_SHELL} "{before}{escaped(path).replace("$", "$$")}"'
    word = before + plain_path(program)
    return word if _PLAIN.fullmatch(path) else f'"{word}"'


def _of_person(user: str, home: Path | None) -> Iterator[tuple[str, str]]:
    service = [f"User={user.replace('%', '%%')}"]
    if home is not None:
        service += [
            "# The settings of this person. Of the rest of the home nothing is seen.",
            f"BindReadOnlyPaths={bound_path(home / '.config/memtool')}",
        ]
        transcripts = ["[Service]", f"BindReadOnlyPaths={bound_path(home / '.claude')}", ""]
        yield TRANSCRIPTS, _HEAD + "\n".join(transcripts)
    yield RUN_AS, _HEAD + "\n".join(["[Service]", *service, ""])


def _shipped(name: str) -> str:
    return shipped(f"systemd/{name}").read_text(encoding="utf-8")


def _value(path: Path, name: str) -> str:
    """Return what the file sets by this name first; empty where it does not, or cannot be read."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = re.search(rf"^{name}=(.*)$", text, re.MULTILINE)
    return found[1].strip() if found else ""


def _program(command: str) -> str:
    """Return the program of ExecStart= as a path; a leading %h stays as it is."""
    is_by_shell = command.startswith(_SHELL)
    found = re.match(r'"((?:[^"\\]|\\.)*)"|(\S+)', command.removeprefix(_SHELL).lstrip())
    if found is None:
        return ""
    word = found[2] if found[1] is None else re.sub(r"\\(.)", r"\1", found[1])
    return (word.replace("$$", "$") if is_by_shell else word).replace("%%", "%")
