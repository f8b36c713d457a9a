"""How long Claude Code keeps its own transcripts, by its settings. Reads them, and nothing else of Claude Code's.

`cleanupPeriodDays` (https://code.claude.com/docs/en/settings) is 30 unless it is set. Whenever Claude Code starts it
deletes the transcripts that were not written to for longer. Managed settings win over all others.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from memtool.agents.registry import Retention

NAME = "cleanupPeriodDays"
DEFAULT_DAYS = 30
_MANAGED = Path("etc/claude-code")
_LONGEST_BYTES = 4 << 20


def retention_of(claude_root: Path, machine: Path) -> Retention:
    """Return what is in force: managed settings, else the shorter of the user's own, else the default."""
    settings = claude_root / "settings.json"
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
            return Retention(days, NAME, settings, file, tuple(unreadable))
    return Retention(DEFAULT_DAYS, NAME, settings, unreadable=tuple(unreadable))


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
