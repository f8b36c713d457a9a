"""Finds the files of a program by its links and its interpreter. Starts nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from os.path import normpath
from pathlib import Path
from typing import NamedTuple

from memtool.errors import ConfigError

SYSTEM_PATH = tuple(
    map(Path, ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"))
)
HIDDEN = (Path("/home"), Path("/root"), Path("/run/user"))
"""What ProtectHome=tmpfs hides from the system's services."""

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_MOST_STEPS = 20
_LONGEST_LINE = 512
# Folders that programs share: then only the file itself is needed.
_SHARED = ("", ".local", ".config", ".cache", ".local/share", ".local/lib", ".local/state")


class Program(NamedTuple):
    """The folders and files of a program, without what every system has."""

    folders: tuple[Path, ...]
    """What PATH has to contain."""
    parts: tuple[Path, ...]


def find_program(words: Sequence[str], search: Sequence[Path], home: Path) -> Program:
    """Return what the program of a command line needs; of `env NAME=VALUE… program`, the program.

    Raise ConfigError if it does not exist or is not executable.
    """
    name = _program_of(words)
    search = (*search, *SYSTEM_PATH, home / ".local/bin", home / "bin")
    found = _located(name, search, home)
    if found is None:
        raise ConfigError(
            f"summarizer.command: no such program: {name}",
            hint="name it with its whole path, such as /home/you/.local/bin/claude",
        )
    steps = list(_steps(found, (found.parent, *search)))
    steps = [(step, is_on_path) for step, is_on_path in steps if step.parent not in SYSTEM_PATH]
    folders = dict.fromkeys(step.parent for step, is_on_path in steps if is_on_path)
    parts = dict.fromkeys(_own_part(step, home) for step, _ in steps)
    outermost = (part for part in parts if not any(parent in parts for parent in part.parents))
    return Program(tuple(folders), tuple(outermost))


def _program_of(words: Sequence[str]) -> str:
    if Path(words[0]).name != "env":
        return words[0]
    rest = (word for word in words[1:] if not _ASSIGNMENT.match(word))
    name = next(rest, "env")
    return "env" if name.startswith("-") else name


def _located(name: str, search: Sequence[Path], home: Path) -> Path | None:
    if name.startswith("~/"):
        name = str(home / name[2:])
    places = [Path(name)] if "/" in name else [folder / name for folder in search]
    return next((place for place in places if place.is_absolute() and _is_program(place)), None)


def _is_program(path: Path) -> bool:
    try:
        return path.is_file() and bool(path.stat().st_mode & 0o111)
    except OSError:
        return False


def _steps(path: Path, search: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    """Yield the file, the targets of its links, and the same of its interpreter, and whether PATH finds each."""
    is_on_path = True
    for _ in range(_MOST_STEPS):
        yield path, is_on_path
        if path.is_symlink():
            path, is_on_path = Path(normpath(path.parent / path.readlink())), False
            continue
        interpreter = _interpreter(path)
        if interpreter is None:
            return
        is_on_path = "/" not in interpreter
        found = _located(interpreter, search, Path("/"))
        if found is None:
            raise ConfigError(
                f"summarizer.command: {path} needs {interpreter}, which is missing",
                hint='call "memtool scheduler apply" where it is on PATH, or name both with their whole paths',
            )
        path = found


def _interpreter(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            line = file.readline(_LONGEST_LINE)
    except OSError as error:
        raise ConfigError(f"summarizer.command: {path} cannot be read: {error.strerror}") from error
    words = line[2:].decode("utf-8", "replace").split() if line.startswith(b"#!") else []
    if not words:
        return None
    words = [word for word in words if word != "-S"] if words[0].endswith("/env") else words[:1]
    return _program_of(words)


def _own_part(path: Path, home: Path) -> Path:
    """Return what this file needs to work: its package or installation, else its folder."""
    if "node_modules" in path.parts:
        return Path(*path.parts[: path.parts.index("node_modules") + 1])
    folder = path.parent
    shared = [home / name for name in _SHARED]
    if (
        folder.name == "bin"
        and folder.parent not in shared
        and ((folder.parent / "lib").is_dir() or (folder.parent / "pyvenv.cfg").is_file())
    ):
        return folder.parent
    return path if folder in shared else folder
