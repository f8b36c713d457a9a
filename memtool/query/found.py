"""What each agent has on disk: how much of it is new, what was refused and why, and when the agent deletes it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from memtool.agents.discover import Discovered, discover, look, source_key, waiting
from memtool.agents.registry import Root
from memtool.jobs.ingest import unread_span
from memtool.model.records import Source

_DAY_US = 86_400_000_000


class Refused(Struct, frozen=True):
    """A file that is not read, or not all of it, and why. `count` files are passed over for the same reason."""

    path: str
    reason: str
    count: int = 1


class Kept(Struct, frozen=True):
    """How long the agent keeps what it does not write to, and where that is set."""

    days: int
    setting: str
    origin: str
    next_us: int | None
    """When the next transcript goes; None where there is none."""
    unread: int
    """How many of those that are not read yet go within a week."""


class AgentFiles(Struct, frozen=True):
    """The transcripts of one agent below one of its roots."""

    agent: str
    title: str
    root: str
    is_there: bool
    files: int
    size_bytes: int
    new_files: int
    new_bytes: int
    last_us: int | None
    """When something was last written."""
    kept: Kept | None
    """None where the agent keeps its transcripts for ever."""
    refused: tuple[Refused, ...]
    """What was read in vain or only in part."""
    passed_over: tuple[Refused, ...]
    """What is no transcript, or one that is not meant to be read: one row for each reason."""


def agent_files(
    roots: Iterable[Root], sources: Mapping[str, Source], machine: Path, now_us: int
) -> tuple[AgentFiles, ...]:
    """Return what is below each root, as an ingest would find it now. `machine` is the root directory."""
    return tuple(_of_root(root, sources, machine, now_us) for root in roots)


def _of_root(root: Root, sources: Mapping[str, Source], machine: Path, now_us: int) -> AgentFiles:
    is_there = root.path.is_dir()
    found = discover(roots=(root,)) if is_there else Discovered(())
    sizes: list[int] = []
    written_us: list[int] = []
    for path in found.files:
        try:
            seen = look(path, sources.get(source_key(path)))
        except OSError:
            continue  # deleted meanwhile
        sizes.append(seen.size_bytes)
        if path not in _lists(root):
            written_us.append(seen.mtime_ns // 1000)
    news = {path: seen.mtime_ns // 1000 for path, seen in waiting(found.files, sources)}
    return AgentFiles(
        agent=root.agent.name,
        title=root.agent.title,
        root=str(root.path),
        is_there=is_there,
        files=len(sizes),
        size_bytes=sum(sizes),
        new_files=len(news),
        new_bytes=sum(len(unread_span(path, sources.get(source_key(path)))) for path in news),
        last_us=max(written_us, default=None),
        kept=_kept(root, machine, written_us, news.values(), now_us) if is_there else None,
        refused=(*_unreadable(found), *_in_vain(found, sources)),
        passed_over=_passed_over(found),
    )


def _lists(root: Root) -> set[Path]:
    """Return the files that outlive the transcripts."""
    return {root.path / name for name in root.agent.lists}


def _kept(
    root: Root, machine: Path, written_us: list[int], news_us: Iterable[int], now_us: int
) -> Kept | None:
    kept = root.agent.format.retention(root.path, machine)
    if kept is None:
        return None
    life_us = kept.days * _DAY_US
    soon_us = now_us + 7 * _DAY_US
    return Kept(
        days=kept.days,
        setting=kept.setting,
        origin=kept.origin,
        next_us=min(written_us, default=None) and min(written_us) + life_us,
        unread=sum(one_us + life_us < soon_us for one_us in news_us),
    )


def _unreadable(found: Discovered) -> Iterable[Refused]:
    yield from (Refused(str(path), why.message) for path, why in found.failed)
    yield from (
        Refused(str(path), "cannot be read: permission denied")
        for path in found.files
        if not os.access(path, os.R_OK)
    )


def _in_vain(found: Discovered, sources: Mapping[str, Source]) -> Iterable[Refused]:
    for path in found.files:
        source = sources.get(source_key(path))
        if source is not None and source.problem:
            yield Refused(str(path), source.problem)
        elif source is not None and source.damaged:
            many = (
                "1 damaged record" if source.damaged == 1 else f"{source.damaged} damaged records"
            )
            yield Refused(str(path), f"{many}; the rest was read")


def _passed_over(found: Discovered) -> tuple[Refused, ...]:
    paths: dict[str, list[Path]] = {}
    for path, why in found.unread:
        paths.setdefault(why, []).append(path)
    return tuple(Refused(str(rows[0]), why, len(rows)) for why, rows in paths.items())
