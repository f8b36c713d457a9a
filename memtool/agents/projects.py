"""Which project a directory belongs to: the root of its repository. The one rule for all agents."""

from __future__ import annotations

import os
import re
from functools import lru_cache

_WORKTREE = re.compile(r"(/.*?)/(?:\.claude/worktrees|\.worktrees)/[^/]+(?:/.*)?")
_GITDIR = re.compile(r"gitdir: *(.+?)/?\s*")
_OF_WORKTREE = re.compile(r"(.+?)(?:/\.git)?/worktrees/[^/]+")
_LONGEST_LINK_BYTES = 4096
_HEAD = "ref: refs/heads/"


@lru_cache(maxsize=4096)
def project_of(directory: str) -> str:
    """Return the root of the repository that the directory is in; the directory itself where none is found.

    A worktree belongs to its repository. Where the directory does not exist (any more), its path decides.
    """
    directory = directory.rstrip("/") or directory[:1]
    if found := _WORKTREE.fullmatch(directory):
        return found[1]
    place = directory
    while place.startswith("/") and place != "/":
        link = os.path.join(place, ".git")  # noqa: PTH118 - millions of times a Path is not free
        if os.path.isdir(link):  # noqa: PTH112
            return place
        if os.path.isfile(link):  # noqa: PTH113
            return _main_worktree(place, link)
        place = place.rpartition("/")[0]
    return directory


def branch_of(directory: str) -> str:
    """Return the branch that is checked out where the directory is, or "": none, or a detached head."""
    place = directory.rstrip("/")
    while place.startswith("/"):
        link = os.path.join(place, ".git")  # noqa: PTH118
        if os.path.isfile(link):  # noqa: PTH113
            found = _GITDIR.fullmatch(_text_of(link))
            link = os.path.join(place, found[1]) if found else link  # noqa: PTH118
        if os.path.isdir(link):  # noqa: PTH112
            head = _text_of(os.path.join(link, "HEAD")).strip()  # noqa: PTH118
            return head.removeprefix(_HEAD) if head.startswith(_HEAD) else ""
        place = place.rpartition("/")[0]
    return ""


def _text_of(file: str) -> str:
    try:
        with open(file, encoding="utf-8", errors="replace") as opened:  # noqa: PTH123
            return opened.read(_LONGEST_LINK_BYTES)
    except OSError:
        return ""


def _main_worktree(place: str, link: str) -> str:
    """Return the repository that the file `.git` of a worktree points to; of a submodule its own directory."""
    found = _GITDIR.fullmatch(_text_of(link))
    if found is None:
        return place
    target = os.path.normpath(os.path.join(place, found[1]))  # noqa: PTH118
    main = _OF_WORKTREE.fullmatch(target)
    return main[1] if main else place
