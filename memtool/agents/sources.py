"""Whether a file has to be read, and from where: decided from its stat, its recorded Source and its first bytes."""

from __future__ import annotations

import os

from msgspec.structs import replace

from memtool.model.records import Source, digest_of

FINGERPRINT_BYTES = 4096


def unchanged(stat: os.stat_result, source: Source) -> bool:
    """Return whether the file is as it was when it was read to its end: then it need not be opened."""
    seen = (source.inode, source.size_bytes, source.mtime_ns)
    return seen == (stat.st_ino, stat.st_size, stat.st_mtime_ns)


def fingerprint(descriptor: int, offset: int) -> str:
    """Return the digest of the first and the last 4 KiB before the offset."""
    if not offset:
        return ""
    head = os.pread(descriptor, min(offset, FINGERPRINT_BYTES), 0)
    start = max(0, offset - FINGERPRINT_BYTES)
    return digest_of(head, os.pread(descriptor, offset - start, start))


def resume_at(descriptor: int, stat: os.stat_result, source: Source | None) -> Source:
    """Return the state to go on from: the recorded one where the file only grew, else a fresh one."""
    fresh = Source(inode=stat.st_ino)
    if source is None or not source.offset or source.inode != stat.st_ino:
        return fresh
    grew = stat.st_size > source.size_bytes
    if grew and fingerprint(descriptor, source.offset) == source.fingerprint:
        return replace(source, problem="")
    return fresh
