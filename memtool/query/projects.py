"""Projects as people name and read them: the one rule for what belongs to a project, and names that tell them apart."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from memtool.agents.projects import project_of
from memtool.errors import UsageError
from memtool.model.records import Claim
from memtool.store.store import Store

HERE = "."
NO_PROJECT = "(no project)"
_MOST_SHOWN = 5
_HOLDS_OTHERS = re.compile(r"|/root|/(?:home|Users|mnt|[A-Za-z]/Users|mnt/[a-z]/Users)(?:/[^/]+)?")
"""Directories in which projects lie beside each other: what is below one of them is a project of its own."""


class UnknownProjectError(UsageError):
    """No project of the store is of that name."""


class Projects(Struct, frozen=True):
    """What a name means in one store: the roots that it names, and all that belongs to them.

    `names` are the paths of the projects, those of their subdirectories among them. What has no project belongs to that
    of its session: `loose` are the sessions of these projects that hold such events.
    """

    roots: tuple[str, ...]
    names: frozenset[str]
    loose: frozenset[str] = frozenset()

    def __contains__(self, project: object) -> bool:
        """Return whether a project's path is one of them."""
        return project in self.names

    def hold(self, session: str, project: str) -> bool:
        """Return whether what a session has recorded in a project belongs to them."""
        return project in self.names if project else session in self.loose

    def hold_any(self, claims: Iterable[Claim]) -> bool:
        """Return whether an event with these claims belongs to them."""
        return any(self.hold(claim.session, claim.project) for claim in claims)


def projects_named(store: Store, text: str, here: str = "", *, is_exact: bool = False) -> Projects:
    """Return what is meant by a path, the last part or parts of one, or `.`, the repository of the directory `here`.

    Else, and unless it has to be exact, by a part of a path. Raise UsageError where nothing is.
    """
    sessions = list(store.sessions())
    known = sorted({name for _, row in sessions for name in row.projects if name})
    roots = _roots(known, text, here, is_exact=is_exact)
    names = frozenset(name for name in known if any(_belongs(name, root) for root in roots))
    if not names:
        raise _unknown(known, text if text != HERE else roots[0])
    loose = (
        session
        for session, row in sessions
        if "" in row.projects and not names.isdisjoint(row.projects)
    )
    return Projects(tuple(roots), names, frozenset(loose))


def _roots(known: Sequence[str], text: str, here: str, *, is_exact: bool) -> list[str]:
    if text == HERE and not here:
        raise UsageError("the current directory is gone", hint="name the project by its path")
    if text == HERE:
        return [project_of(str(Path(here).absolute()))]
    wanted = text.rstrip("/") or text
    if wanted.startswith(("/", "~/")):
        path = os.path.expanduser(wanted)  # noqa: PTH111 - a Path would drop what is typed
        is_known = is_exact or any(_belongs(name, path) for name in known)
        return [path if is_known else project_of(path)]
    found = [name for name in known if f"/{name.strip('/')}".endswith(f"/{wanted}")]
    if not found and not is_exact:
        found = [name for name in known if wanted.casefold() in name.casefold()]
    return found


def _belongs(project: str, root: str) -> bool:
    """Return whether a project is the one at the root or a subdirectory of it, and no repository of its own."""
    if project.rstrip("/") == root.rstrip("/"):
        return True
    if not project.startswith(f"{root.rstrip('/')}/") or _HOLDS_OTHERS.fullmatch(root.rstrip("/")):
        return False
    is_there = os.path.isdir(project) and os.path.isdir(root)  # noqa: PTH112
    return not is_there or project_of(project) == root


def _unknown(known: Sequence[str], text: str) -> UsageError:
    above = [name for name in known if text.startswith(f"{name}/")]
    if above:
        return UsageError(
            f"{text} is no project, but a directory in one",
            hint=f"its project is {max(above, key=len)}; its sessions can be named with --session",
        )
    shown = ", ".join(known[:_MOST_SHOWN]) or "none"
    return UnknownProjectError(
        f"unknown project: {text}", hint=f"projects are, for example: {shown}"
    )


def roots_of(known: Iterable[str]) -> Mapping[str, str]:
    """Return the project that each path belongs to: itself, or the known one whose subdirectory it is."""
    found: dict[str, str] = {}
    for name in sorted({*known}):  # what is above comes first
        parts = name.split("/")
        above = ("/".join(parts[:end]) for end in range(len(parts) - 1, 1, -1))
        root = next((one for one in above if one in found and _belongs(name, one)), None)
        found[name] = name if root is None else found[root]
    return found


def short_projects(store: Store) -> Mapping[str, str]:
    """Return the name of each project of a store: as much of the end of its path as tells it apart.

    A subdirectory has the name of the project that it belongs to.
    """
    roots = roots_of(name for _, row in store.sessions() for name in row.projects)
    names = shortest_paths(roots.values())
    return {path: names[root] for path, root in roots.items()}


def shortest_paths(paths: Iterable[str]) -> Mapping[str, str]:
    """Return as many of the last parts of each path as no other path ends in; all of it where that is needed."""
    parts = {path: [part for part in path.split("/") if part] for path in {*paths}}
    ends: dict[tuple[str, ...], int] = {}
    for one in parts.values():
        for count in range(1, len(one) + 1):
            end = tuple(one[-count:])
            ends[end] = ends.get(end, 0) + 1
    found: dict[str, str] = {}
    for path, one in parts.items():
        count = next((n for n in range(1, len(one) + 1) if ends[tuple(one[-n:])] == 1), 0)
        found[path] = "/".join(one[-count:]) if count else path or NO_PROJECT
    return found
