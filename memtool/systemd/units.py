"""The unit files of one installation, rendered from the job table and the shipped templates. Writes none.

`memtool scheduler status` compares them with what is installed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from memtool.agents import registry
from memtool.paths import shipped
from memtool.systemd.changes import UNREADABLE, changes
from memtool.systemd.jobs import BY_NAME, JOBS, STARTERS, Job
from memtool.systemd.states import SLICE
from memtool.systemd.systemctl import SYSTEM_UNITS, Scope

SHARED = "memtool-.service.d"
"""Where drop-ins for all services are. systemd reads them for every service whose name begins with "memtool-"."""
COMMON = f"{SHARED}/10-memtool.conf"
RUN_AS = f"{SHARED}/15-memtool-run-as.conf"
SANDBOX = f"{SHARED}/20-memtool-sandbox.conf"
TRANSCRIPTS = tuple(
    f"{job.unit}.d/15-memtool-transcripts.conf" for job in JOBS if job.reads_transcripts
)

# Of a model: where the key is, and what a job gets without one.
_KEYS: dict[Scope, str] = {
    "system": """\
# A model's key: /etc/credstore/memtool.llm-key. It may be missing.
LoadCredential=memtool.llm-key""",
    "user": """\
# A model's key: ~/.config/memtool/llm-key. If it is missing, the job gets the empty one below.
LoadCredential=memtool.llm-key:%h/.config/memtool/llm-key
SetCredential=memtool.llm-key:\\n""",
}
_ROOTS: dict[Scope, str] = {"system": "/var/lib/memtool", "user": "%h/.local/state/memtool"}
_SECOND_TIME = """\
# Where clocks skip the time above in spring, systemd skips that run. On all other days the run at
# this time finds nothing to do.
"""
_WANTS = """\
# {jobs} first: after a night asleep all timers fire at once. If that fails or is paused, this job
# runs all the same.
"""
_LIMIT = """\
# Ten starts in three hours: the retries below end within that, and then the unit has failed.
StartLimitIntervalSec=3h
StartLimitBurst=10"""
_NO_LIMIT = """\
# No start limit: it starts by its timer, and again with every job that wants it.
StartLimitIntervalSec=0"""
_RETRY = """\
# RestartPreventExitStatus= in the shared file says what is not tried again.
Restart=on-failure
RestartSec=5min"""
# What earlier versions wrote into the directory of each service.
_OLD_RUN_AS, _OLD_SANDBOX, _OLD_TRANSCRIPTS = (
    "10-run-as.conf",
    "10-sandbox.conf",
    "10-transcripts.conf",
)
_HEAD = '# Written by "memtool setup" and "memtool scheduler apply". Put lines of your own into another file.\n'
_NO_SANDBOX = """\
# The rest of the sandbox needs user namespaces. They did not work here when memtool tried them.
# `memtool scheduler apply` tries again.
"""
_PLAIN = re.compile(r"[^\s]+")
_UNSAFE = re.compile(r"[\"'\\]")
_SHELL = """/bin/sh -c 'exec "$$0" "$$@"'"""
_INGEST = BY_NAME["ingest"]


class Installation(NamedTuple):
    """What the unit files depend on."""

    scope: Scope
    program: Path
    run_as: str = ""
    """The system's: whom the jobs run as; empty for the user that the shipped units name."""
    home: Path | None = None
    """The person's home: what the system's jobs may read is in it, and a user's program may be named by it."""
    has_sandbox: bool | None = None
    """A user's: whether the sandbox that needs user namespaces works here; None if that was not tried."""


def unit_files(installation: Installation) -> dict[str, str]:
    """Return the text of every unit file, by its path below the directory of units."""
    scope = installation.scope
    files = {SLICE: _shipped(SLICE), COMMON: _shipped(f"{scope}/{COMMON}")}
    for job in JOBS:
        files[job.timer] = _timer(job)
        if job.path:
            files[job.path] = _path(job, scope)
        files[job.unit] = _service(job, installation)
    if scope == "user" and installation.has_sandbox is not None:
        files[SANDBOX] = _shipped(f"user/{SANDBOX}") if installation.has_sandbox else _NO_SANDBOX
    if scope == "system" and installation.run_as:
        files |= _of_person(installation.run_as, installation.home)
    return files


def possible_unit_paths() -> tuple[str, ...]:
    """Return the path of every file that `unit_files` may give, or that earlier versions wrote in its place."""
    old = (_OLD_RUN_AS, _OLD_SANDBOX, _OLD_TRANSCRIPTS)
    return (
        *(SLICE, *STARTERS, *(job.unit for job in JOBS)),
        *(COMMON, RUN_AS, SANDBOX, *TRANSCRIPTS),
        *(f"{job.unit}.d/{name}" for job in JOBS for name in old),
    )


def installation_in(directory: Path, scope: Scope, home: Path) -> Installation | None:
    """Return the installation whose units are in the directory, as any version wrote them; None if none are.

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
    has_sandbox = None
    for path in (directory / SANDBOX, directory / f"{_INGEST.unit}.d" / _OLD_SANDBOX):
        if path.exists():
            has_sandbox = bool(_value(path, "PrivateUsers"))
    if program.startswith("%h/"):
        return Installation(scope, home / program[3:], home=home, has_sandbox=has_sandbox)
    return Installation(scope, Path(program), has_sandbox=has_sandbox)


def run_as_user(root: Path = Path("/")) -> str:
    """Return whom the system's jobs run as, by the installed units, also those of a package; empty if none are."""
    for name in (RUN_AS, f"{_INGEST.unit}.d/{_OLD_RUN_AS}", _INGEST.unit):
        for directory in SYSTEM_UNITS:
            if user := _value(root / directory / name, "User"):
                return user.replace("%%", "%")
    return ""


def differing(directory: Path, scope: Scope, home: Path) -> tuple[str, ...]:
    """Return which unit files in the directory are not as `unit_files` gives them: changed, missing or too many.

    Files of others do not count. If no file of memtool is there, as beside a distribution's package, none differs.
    """
    ours = [directory / name for name in possible_unit_paths()]
    installation = installation_in(directory, scope, home)
    if installation is None:
        is_ours = any(map(os.path.lexists, ours))
        return tuple(job.unit for job in JOBS) if is_ours else ()
    wanted = {directory / name: text for name, text in unit_files(installation).items()}
    unknown = (
        [directory / name for name in (RUN_AS, *TRANSCRIPTS)] if lacks_user(installation) else []
    )
    return tuple(
        str(change.path.relative_to(directory))
        for change in changes(wanted, ours)
        if change.path not in unknown
        # Of a file of the system that this user may not read, nothing is known.
        and (change.old != UNREADABLE or scope == "user" or os.access(change.path, os.R_OK))
    )


def lacks_user(installation: Installation) -> bool:
    """Return whether the user of the jobs does not exist, so that no one knows what the jobs may read."""
    return bool(installation.run_as) and installation.home is None


def sandbox_properties(home: Path) -> tuple[str, ...]:
    """Return the lines of a user's sandbox as systemd-run takes them, for a trial."""
    lines = _shipped(f"user/{SANDBOX}").splitlines()
    return tuple(
        line.replace("%h", str(home))
        for line in lines
        if re.match(r"[A-Z][A-Za-z]*=", line) and not line.startswith("ExecStartPre=")
    )


def home_of(user: str) -> Path | None:
    """Return the home of a user; None if there is no such user."""
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


def bound_path(path: Path, *, may_be_missing: bool = True) -> str:
    """Return the path as one word of a Bind…Paths=.

    systemd splits the word at a colon even between quotes, unless a backslash is before it. Outside quotes, versions
    differ in what a backslash means (seen: 252, 257, 262).
    """
    text = f"{'-' if may_be_missing else ''}{plain_path(path)}"
    if not re.search(r"[\s:\\\"']", text):
        return text
    quote = "'" if '"' in text else '"'
    return quote + re.sub(r"([\\:])", r"\\\1", text) + quote


def _timer(job: Job) -> str:
    first, *more = (f"OnCalendar={time}\n" for time in job.schedule)
    return _filled(
        "job.timer",
        job,
        schedule=(first + (_SECOND_TIME if more else "") + "".join(more)).rstrip(),
        jitter_s=str(job.settings.jitter_s),
    )


def _path(job: Job, scope: Scope) -> str:
    return _filled("job.path", job, root=_ROOTS[scope], watches=job.watches)


def _service(job: Job, installation: Installation) -> str:
    scope = installation.scope
    after = [BY_NAME[name].unit for name in job.after]
    order = [_WANTS.format(jobs=", ".join(job.wants)).rstrip()] if job.wants else []
    order += [f"Wants={BY_NAME[name].unit}" for name in job.wants]
    order += [f"After={' '.join(after[at : at + 3])}" for at in range(0, len(after), 3)]
    asks_model = job.network == "summarizer"
    return _filled(
        f"{scope}/job.service",
        job,
        order="\n".join(order),
        start_limit=_LIMIT if job.is_retried else _NO_LIMIT,
        program=_program_word(installation),
        command=" ".join(job.command),
        key=_KEYS[scope] if asks_model else "",
        retry=_RETRY if job.is_retried else "",
        timeout_s=str(job.settings.timeout_s),
        network="# No network; `memtool scheduler apply` allows it if the summarizer needs it."
        if asks_model
        else "# This job needs no network.",
    )


def _filled(template: str, job: Job, **values: str) -> str:
    """Return the template with `{name}` replaced by each value; a line of an empty one goes."""
    text = _shipped(template)
    for name, value in {"job": job.name, "description": job.description, **values}.items():
        text = text.replace(f"{{{name}}}" if value else f"{{{name}}}\n", value)
    return text


def _program_word(installation: Installation) -> str:
    program, home = installation.program, installation.home
    if installation.scope == "user" and home is not None and program.is_relative_to(home):
        return _words(Path("/") / program.relative_to(home), "%h")
    return _words(program)


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
        roots = [root for agent in registry.AGENTS for root in agent.roots if root[:2] == "~/"]
        bound = [f"BindReadOnlyPaths={bound_path(home / root[2:])}" for root in roots]
        transcripts = ["[Service]", *bound, ""]
        yield from ((name, _HEAD + "\n".join(transcripts)) for name in TRANSCRIPTS)
    yield RUN_AS, _HEAD + "\n".join(["[Service]", *service, ""])


def _shipped(name: str) -> str:
    return shipped(f"systemd/{name}").read_text(encoding="utf-8")


def _value(path: Path, name: str) -> str:
    """Return what the file sets by this name first; empty if it does not, or cannot be read."""
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
