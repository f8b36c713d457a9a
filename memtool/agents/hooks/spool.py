"""The spool: what the agents' hooks have said is new, one small file for each time a hook has run.

`memtool-hook` writes the files, ingest takes them. What cannot be understood goes to `rejected/`, with the reason.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from memtool.errors import StorageError
from memtool.files import atomic_write, private_directory, remove, reporting

SPOOL = "spool"
RING = "ring"
REJECTED = "rejected"
MOST_REJECTED = 100
_MOST_BYTES = 1 << 20  # what memtool-hook writes of a payload
_MOST_KEPT = 64 << 10
_STALE_S = 3600
_TRANSCRIPTS = ("transcript_path", "transcriptPath", "agent_transcript_path", "agentTranscriptPath")


class Payload(NamedTuple):
    """What a hook was given: by which agent, and the transcripts that it names. `problem` says why it is of no use."""

    path: Path
    agent: str
    transcripts: tuple[Path, ...] = ()
    problem: str = ""
    text: str = ""


def directory(root: Path) -> Path:
    """Return where the hooks of this memory leave their payloads."""
    return root / SPOOL


def names(root: Path) -> list[str]:
    """Return the files that wait, the oldest name first; none if there is no spool."""
    with reporting(directory(root)):
        try:
            found = os.listdir(directory(root))  # noqa: PTH208 - names are all it takes
        except (FileNotFoundError, NotADirectoryError):
            return []
    return sorted(name for name in found if name.endswith(".json"))


def oldest_us(root: Path) -> int | None:
    """Return since when the oldest payload waits, in microseconds since 1970; None if none does."""
    found = []
    for name in names(root):
        try:
            found.append((directory(root) / name).lstat().st_mtime_ns // 1000)
        except OSError:
            continue  # it was taken meanwhile
    return min(found, default=None)


def ring(root: Path) -> bool:
    """Do what a hook does last, which systemd hears; return whether that was possible. Makes no file."""
    try:
        os.close(os.open(directory(root) / RING, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def payloads(root: Path, seen: set[str]) -> Iterator[Payload]:
    """Yield what waits and was not seen before, which it then was. Raise StorageError for a spool that is closed."""
    for name in names(root):
        if name not in seen:
            seen.add(name)
            yield _read(directory(root) / name)


def _read(path: Path) -> Payload:
    agent = path.name.partition(".")[0]
    try:
        # Not through a link, and not waiting for a pipe: others could have put it there.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        return Payload(
            path, agent, problem=f"cannot be read: {(error.strerror or str(error)).lower()}"
        )
    text = data.decode("utf-8", "replace")
    if len(data) >= _MOST_BYTES:
        return Payload(path, agent, problem="longer than 1 MiB", text=text)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return Payload(path, agent, problem="not JSON", text=text)
    if not isinstance(found, dict):
        return Payload(path, agent, problem="not an object of JSON", text=text)
    paths = _transcripts(found)
    wrong = next((one for one in paths if not one.is_absolute() or "\0" in str(one)), None)
    problem = "" if wrong is None else f"names a transcript that is no absolute path: {wrong}"
    return Payload(path, agent, () if problem else paths, problem, text)


def _transcripts(found: dict[str, Any]) -> tuple[Path, ...]:
    values = (found.get(key) for key in _TRANSCRIPTS)
    return tuple(dict.fromkeys(Path(value) for value in values if isinstance(value, str) and value))


def take(payload: Payload) -> bool:
    """Remove a payload whose transcripts are in the store; return whether that was possible."""
    try:
        remove(payload.path)
    except StorageError:
        return False
    return True


def reject(root: Path, payload: Payload, reason: str, now_us: int) -> bool:
    """Move a payload to `rejected/`, redacted, with the reason; return whether it is out of the spool.

    The oldest ones go, so that there are never more than MOST_REJECTED.
    """
    from memtool.redact import redact

    row = {
        "reason": reason,
        "agent": payload.agent,
        "time_us": now_us,
        "payload": redact(payload.text).text[:_MOST_KEPT],
    }
    where = private_directory(root / REJECTED)
    atomic_write(where / f"{now_us}-{payload.path.name}", json.dumps(row, indent=2).encode())
    for old in _rejected_paths(root)[:-MOST_REJECTED]:
        remove(old)
    return take(payload)


def rejected(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield what was rejected and why, the newest first."""
    for path in reversed(_rejected_paths(root)):
        try:
            reason = str(json.loads(path.read_text(encoding="utf-8"))["reason"])
        except (OSError, ValueError, LookupError, TypeError):
            continue
        yield path, reason


def _rejected_paths(root: Path) -> list[Path]:
    with reporting(root / REJECTED):
        try:
            return sorted((root / REJECTED).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []


def sweep(root: Path, now_us: int) -> None:
    """Remove what hooks left that were killed long ago."""
    try:
        for path in directory(root).glob("*.tmp"):
            if now_us / 1_000_000 - path.lstat().st_mtime > _STALE_S:
                remove(path)
    except (OSError, StorageError):
        return  # the next run tries it again
