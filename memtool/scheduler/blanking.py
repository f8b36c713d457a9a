"""Takes texts out of the ledger and the account of calls that are not to be remembered any more."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from memtool.base.files import atomic_write, reporting
from memtool.base.lock import LEDGER, Holder, lock_path, wait_for
from memtool.scheduler.calls import calls_path
from memtool.scheduler.ledger import LOCK_WAIT, ledger_path

BLANK = "(forgotten)"
_TEXTS = {"start": (), "end": ("error", "reason"), "call": ("result",)}
"""The fields of each type of line that may quote something."""


def blank(root: Path, holder: Holder, speaks: Callable[[str], bool]) -> int:
    """Replace the texts of which this is true, or of what their line is about; return how many lines that were.

    A line that cannot be read is dropped where it speaks: nobody could say what is in it.
    """
    with wait_for(lock_path(root, LEDGER), holder, LOCK_WAIT):
        return sum(_blank(path, speaks) for path in (ledger_path(root), calls_path(root)))


def _blank(path: Path, speaks: Callable[[str], bool]) -> int:
    _remove_torn_copies(path)
    with reporting(path):
        if not path.exists():
            return 0
        lines = path.read_bytes().splitlines(keepends=True)
    blanked = [_blanked(line, speaks) for line in lines]
    changed = sum(one != other for one, other in zip(lines, blanked, strict=True))
    if changed:
        atomic_write(path, b"".join(blanked))
    return changed


def _remove_torn_copies(path: Path) -> None:
    """Remove what a killed `atomic_write` has left: the ledger's lock is held, so nobody is writing one."""
    with reporting(path):
        for copy in path.parent.glob(f".{path.name}.*.tmp"):
            copy.unlink(missing_ok=True)


def _blanked(line: bytes, speaks: Callable[[str], bool]) -> bytes:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        return b"" if speaks(line.decode(errors="replace")) else line
    texts = {name: record.get(name) for name in _TEXTS.get(str(record.get("type")), ())}
    about = f"{record.get('node', '')} {record.get('periods', '')}"
    said = [
        name
        for name, text in texts.items()
        if isinstance(text, str) and text not in ("", "ok", BLANK) and speaks(f"{text} {about}")
    ]
    if not said:
        return line
    shorter = {**record, **dict.fromkeys(said, BLANK)}
    text = json.dumps(shorter, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace") + b"\n"
