"""Reads and replaces the files that hooks need: an agent's settings, with a copy of what was there, and the script."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from memtool.agents.hooks import SCRIPT, SERVER, Hooks, Server, merging
from memtool.agents.hooks.jsonc import BrokenError
from memtool.errors import ConfigError, MemtoolError, UnavailableError
from memtool.files import atomic_write, private_directory, remove, reporting
from memtool.paths import shipped, xdg_directory

Edit = Callable[[str], str]
"""Gives the new text of a file for the one that it has; raises BrokenError."""

HOOKS_BACKUP, SERVER_BACKUP = "memtool-hooks", "memtool-mcp"
"""What the copies of settings files are called, beside them."""
_MODE = 0o600


class Change(NamedTuple):
    """What becomes of a settings file. A text that is None: there is no file."""

    path: Path
    old: str | None
    new: str | None
    backup: Path
    is_first: bool = False
    """Whether the old text has nothing of memtool: then it is kept as what was there before."""
    is_removal: bool = False

    @property
    def is_needed(self) -> bool:
        """Whether anything changes."""
        return self.old != self.new


def entering(path: Path, suffix: str, edit: Edit, without: Edit) -> Change:
    """Return the change that an edit makes, which `without` undoes. Raise ConfigError if the file is not valid."""
    old = read(path)
    is_first = old is not None and _edited(path, without, old) == old
    return Change(path, old, _edited(path, edit, old or ""), _backup(path, suffix), is_first)


def leaving(path: Path, suffix: str, edit: Edit, again: Edit, top: Mapping[str, object]) -> Change:
    """Return the change that takes memtool's part out, by `edit`; `again` would enter it.

    Where nothing else was changed since, the file becomes what it was, to the byte. A file that memtool made goes, if
    it has nothing but `top`.
    """
    old, backup = read(path), _backup(path, suffix)
    if old is None:
        return Change(path, None, None, backup, is_removal=True)
    new: str | None = _edited(path, edit, old)
    before = read(backup)
    if before is not None:
        try:
            if edit(again(before)) == new:
                new = before
        except BrokenError:
            pass  # the copy is of no use
    elif old != new and _is_bare(new or "", top):
        new = None
    return Change(path, old, new, backup, is_removal=True)


def hooks_removal(hooks: Hooks, environ: Mapping[str, str]) -> Change:
    """Return the change that takes memtool's hooks out of an agent's settings."""
    commands = dict.fromkeys(hooks.events, f"{SCRIPT} capture")
    return leaving(
        hooks.place.path(environ),
        HOOKS_BACKUP,
        lambda text: merging.without_hooks(text, hooks),
        lambda text: merging.with_hooks(text, hooks, commands),
        hooks.top,
    )


def server_removal(server: Server, environ: Mapping[str, str]) -> Change:
    """Return the change that takes memtool's MCP server out of an agent's settings."""
    path = server.place.path(environ)
    is_toml = path.suffix == ".toml"
    return leaving(
        path,
        SERVER_BACKUP,
        lambda text: merging.without_server(text, server, is_toml=is_toml),
        lambda text: merging.with_server(text, server, [SERVER, "mcp"], is_toml=is_toml),
        {},
    )


def skill_path(server: Server, environ: Mapping[str, str]) -> Path | None:
    """Return where the skill is that says how to search; None for an agent that takes none from memtool."""
    if not server.skills:
        return None
    return server.place.directory(environ) / server.skills / SERVER / "SKILL.md"


def _is_bare(text: str, top: Mapping[str, object]) -> bool:
    from memtool.agents.hooks.jsonc import parse

    return not text.strip() or (text.lstrip()[0] == "{" and parse(text).data in ({}, dict(top)))


def carry_out(change: Change) -> None:
    """Make the change; what was there first is kept beside the file until memtool's part goes.

    A link stays one: the file that it leads to is replaced. Raise UnavailableError if the file is changed meanwhile.
    """
    if change.is_needed:
        backup = read(change.backup)
        if change.is_first and change.old is not None:
            atomic_write(change.backup, change.old.encode(), mode=_mode(change.path))
        try:
            _replace(change)
        except MemtoolError:
            if change.is_first and backup is None:
                remove(change.backup)
            raise
    if change.is_removal:
        remove(change.backup)


def _replace(change: Change) -> None:
    if read(change.path) != change.old:
        raise UnavailableError(f"{change.path} was changed meanwhile", hint="try it again")
    if change.new is None:
        remove(change.path)
    else:
        real = Path(os.path.realpath(change.path))
        private_directory(real.parent)
        atomic_write(real, change.new.encode(), mode=_mode(change.path))


def read(path: Path) -> str | None:
    """Return the text of a file, with its line ends as they are; None if there is none."""
    with reporting(path):
        try:
            return path.read_bytes().decode()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except UnicodeDecodeError as error:
            raise ConfigError(
                f"{path}: not UTF-8: {error.reason}", hint="nothing was changed"
            ) from error


def _edited(path: Path, edit: Edit, text: str) -> str:
    try:
        return edit(text)
    except BrokenError as error:
        raise ConfigError(
            f"{path}:{error.line}: {error.reason}", hint="correct it; nothing was changed"
        ) from error


def _backup(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}.{suffix}-backup")


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode & 0o777
    except OSError:
        return _MODE


# --- The script ------------------------------------------------------------------------------


def script_path(environ: Mapping[str, str]) -> Path:
    """Return where the script is that the agents run: a place that no upgrade of memtool moves."""
    return xdg_directory(environ, "XDG_DATA_HOME", ".local/share") / "memtool" / SCRIPT


def script_text(spool: Path, program: Path) -> str:
    """Return the script for this spool and this memtool."""
    text = shipped(f"hooks/{SCRIPT}").read_text(encoding="utf-8")
    for name, path in (("spool", spool), ("memtool", program)):
        text = text.replace(f"'{{{name}}}'", shlex.quote(str(path)))
    return text


def write_script(path: Path, text: str) -> bool:
    """Write the script if it is another; return whether it was."""
    if read(path) == text and os.access(path, os.X_OK):
        return False
    private_directory(path.parent)
    atomic_write(path, text.encode(), mode=0o700)
    return True
