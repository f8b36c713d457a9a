"""How long Claude Code keeps its own transcripts, by its settings. Reads them, and nothing else of Claude Code's.

`cleanupPeriodDays` (https://code.claude.com/docs/en/settings) is 30 unless it is set. Whenever Claude Code starts it
deletes the transcripts that were not written to for longer. Managed settings win over all others.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NAME = "cleanupPeriodDays"
DEFAULT_DAYS = 30
_MANAGED = Path("etc/claude-code")
_LONGEST_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Retention:
    """After how many days transcripts are deleted, which file says so (None: the default), and which are unreadable."""

    days: int
    file: Path | None = None
    unreadable: tuple[Path, ...] = ()

    @property
    def origin(self) -> str:
        """Where it is set, in words."""
        return "its default" if self.file is None else str(self.file)


def retention_of(claude_root: Path, machine: Path) -> Retention:
    """Return what is in force: managed settings, else the shorter of the user's own, else the default."""
    unreadable: list[Path] = []
    for files in (_managed(machine), _own(claude_root)):
        found: list[tuple[int, Path]] = []
        for file in files:
            try:
                days = _days_in(file)
            except (OSError, ValueError, RecursionError):
                unreadable.append(file)
                continue
            if days is not None:
                found.append((days, file))
        if found:
            days, file = min(found)
            return Retention(days, file, tuple(unreadable))
    return Retention(DEFAULT_DAYS, unreadable=tuple(unreadable))


def _managed(machine: Path) -> Iterator[Path]:
    yield machine / _MANAGED / "managed-settings.json"
    try:
        yield from sorted((machine / _MANAGED / "managed-settings.d").glob("*.json"))
    except OSError:
        return


def _own(claude_root: Path) -> Iterator[Path]:
    """Yield the user's settings; the local ones count for sessions in the home directory, and the sweep is one."""
    yield claude_root / "settings.json"
    yield claude_root / "settings.local.json"


def _days_in(file: Path) -> int | None:
    """Return the setting, or None where it is not set. Raise OSError or ValueError where that cannot be told."""
    try:
        with file.open("rb") as opened:
            text = opened.read(_LONGEST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not text.strip():
        return None
    settings = json.loads(text)
    days = settings.get(NAME) if isinstance(settings, dict) else None
    if days is not None and (isinstance(days, bool) or not isinstance(days, int | float)):
        raise ValueError(f"{NAME} is {days!r}")
    return None if days is None else int(days)
