"""Which files to read: those that were named, or all of the agents'. Opens no file, enters no directory twice."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from memtool.agents import registry
from memtool.agents.registry import Agent, Format, Found, Root, agent_named
from memtool.errors import StorageError
from memtool.files import exists, storage_error

if TYPE_CHECKING:
    from memtool.model.records import Source

STRAY = "no session transcript"
BROKEN_LINK = "link that leads nowhere"
SPECIAL = "neither a file nor a directory"


class Discovered(NamedTuple):
    """Files to read, in order of path, lists of prompts last; what else was found, with the reason why it is not read.

    `failed` holds what could not be looked at; that is no reason to stop.
    """

    files: tuple[Path, ...]
    unread: tuple[tuple[Path, str], ...] = ()
    failed: tuple[tuple[Path, StorageError], ...] = ()


def discover(paths: Iterable[Path] = (), *, roots: Iterable[Root] = ()) -> Discovered:
    """Return what the paths hold; without any, the transcripts below the agents' roots.

    A file that is named is read under any name; in a directory the agents' endings count.
    """
    named = tuple(paths)
    walk = _Walk(lists_strays=not named)
    for path in named:
        walk.add_named(path, registry.AGENTS)
    for root in () if named else roots:
        for place in filter(walk.finds, root.transcripts):
            walk.add_named(place, (root.agent,))
        for path in filter(walk.finds, (root.path / name for name in root.agent.lists)):
            walk.add_last(path)
    return walk.result()


def skip_reason(path: Path, agents: Iterable[Agent]) -> str:
    """Return why one of the agents says that a transcript of this name and place is not read, or ""."""
    return next(filter(None, (agent.format.skip_reason(path) for agent in agents)), "")


def _leads_nowhere(link: Path) -> bool:
    try:
        link.stat()
    except OSError as error:
        return error.errno in (errno.ENOENT, errno.ELOOP)
    return False


class _Walk:
    """What was found so far."""

    def __init__(self, *, lists_strays: bool) -> None:
        self._lists_strays = lists_strays
        self._files: dict[Path, tuple[int, int]] = {}
        self._last: list[Path] = []
        self._unread: dict[Path, str] = {}
        self._failed: dict[Path, StorageError] = {}
        self._entered: set[tuple[int, int]] = set()

    def finds(self, path: Path) -> bool:
        """Return whether something is there. What cannot be looked at is noted."""
        try:
            return exists(path)
        except StorageError as error:
            self._failed[path] = error
            return False

    def add_named(self, path: Path, agents: tuple[Agent, ...]) -> None:
        """Add a file, or the files of a directory, of one of these agents."""
        found = self._stat(path)
        if found is None:
            return
        if stat.S_ISDIR(found.st_mode):
            self._walk(path, agents)
        elif not stat.S_ISREG(found.st_mode):
            self._unread[path] = SPECIAL
        elif reason := skip_reason(path, agents):
            self._unread[path] = reason
        else:
            self._files[path] = (found.st_dev, found.st_ino)

    def add_last(self, path: Path) -> None:
        """Add a file that is read after all others."""
        found = self._stat(path)
        if found is not None and stat.S_ISREG(found.st_mode):
            self._last.append(path)

    def result(self) -> Discovered:
        """Return it in order; of several paths to one file only the first."""
        first: dict[tuple[int, int], Path] = {}
        for path in sorted(self._files):
            first.setdefault(self._files[path], path)
        unread = {path: why for path, why in self._unread.items() if path not in self._files}
        return Discovered(
            files=(*first.values(), *self._last),
            unread=tuple(sorted(unread.items())),
            failed=tuple((path, self._failed[path]) for path in sorted(self._failed)),
        )

    def _walk(self, top: Path, agents: tuple[Agent, ...]) -> None:
        waiting = [top]
        while waiting:
            directory = waiting.pop()
            found = self._stat(directory)
            if found is None or (found.st_dev, found.st_ino) in self._entered:
                continue
            self._entered.add((found.st_dev, found.st_ino))
            for path in self._names(directory):
                self._add_found(path, waiting, agents)

    def _add_found(self, path: Path, waiting: list[Path], agents: tuple[Agent, ...]) -> None:
        if path.is_symlink() and _leads_nowhere(path):
            self._unread[path] = BROKEN_LINK
            return
        found = self._stat(path)
        if found is None:
            return
        if stat.S_ISDIR(found.st_mode):
            waiting.append(path)
        elif not stat.S_ISREG(found.st_mode) or not path.name.endswith(
            tuple(suffix for agent in agents for suffix in agent.suffixes)
        ):
            if self._lists_strays and not any(one.format.ignores(path) for one in agents):
                self._unread[path] = STRAY
        elif reason := skip_reason(path, agents):
            self._unread[path] = reason
        else:
            self._files[path] = (found.st_dev, found.st_ino)

    def _names(self, directory: Path) -> list[Path]:
        try:
            return sorted(directory.iterdir(), reverse=True)
        except OSError as error:
            self._failed[directory] = storage_error(error, directory)
            return []

    def _stat(self, path: Path) -> os.stat_result | None:
        try:
            return path.stat()
        except OSError as error:
            self._failed[path] = storage_error(error, path)
            return None


# --- What was read before ------------------------------------------------------------------


def source_key(path: Path) -> str:
    """Return the path by which the store knows a file."""
    return str(path.absolute())


def waiting(files: Iterable[Path], sources: Mapping[str, Source]) -> Iterator[tuple[Path, Found]]:
    """Yield the transcripts that are not in the store as they are now. What cannot be looked at is left out."""
    for path in files:
        source = sources.get(source_key(path))
        try:
            found = look(path, source)
        except OSError:
            continue
        if found.size_bytes and (source is None or not unchanged(found, source)):
            yield path, found


def look(path: Path, source: Source | None) -> Found:
    """Return how a source looks that was perhaps read before. Raise OSError."""
    agent = agent_named(source.format) if source is not None else None
    return (Format() if agent is None else agent.format).look(path)


def unchanged(found: Found, source: Source) -> bool:
    """Return whether the source is as it was when it was read to its end: then it need not be opened."""
    seen = (source.inode, source.size_bytes, source.mtime_ns)
    return seen == tuple(found) and is_current(source)


def is_current(source: Source) -> bool:
    """Return whether the file was read by the reader of today."""
    agent = agent_named(source.format)
    return agent is None or source.reader == agent.format.reader
