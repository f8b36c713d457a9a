"""The body of the compaction job: every family, in key ranges.

The writer is let go, and signals are heeded, between two ranges.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from memtool.context import RunContext
from memtool.files import reporting
from memtool.store import erase
from memtool.store.access import Access, Lease

SLICE_BYTES = 24 << 20
"""What is compacted in well under a second, even where files are large: others wait for a slice at most."""


class Report(msgspec.Struct):
    """What a compaction came to, in bytes on the disk. `erased`: it also finished taking something away."""

    before_bytes: int = 0
    after_bytes: int = 0
    slices: int = 0
    families: list[str] = []
    erased: bool = False


def compact(context: RunContext, report: Report) -> None:
    """Compact the store; the report is right however the run ends."""
    access = Access(context.root)
    if not access.exists():
        context.reports.talk("there is nothing to compact yet: run `memtool ingest` first")
        return
    compact_store(context, access, report)


def compact_store(context: RunContext, access: Access, report: Report) -> None:
    """Compact the store slice by slice; where something was taken away, until no byte of it is in any file."""
    report.before_bytes = report.after_bytes = size_of(access.path)
    try:
        with access.lease(context.writer) as lease:
            seen = erase.erasing(lease.store())
            if seen is not None:
                _trim(context, access, lease)
            _compact_all(context, lease, report, rewrite=seen is not None)
            if seen is not None:
                report.erased = _conclude(access, lease, seen)
    finally:
        report.after_bytes = size_of(access.path)
        context.tally.details |= {
            "bytes_before": report.before_bytes,
            "bytes_after": report.after_bytes,
            "slices": report.slices,
        }


def _compact_all(context: RunContext, lease: Lease, report: Report, *, rewrite: bool) -> None:
    # All of every family, also to delete something for good: a copy that was replaced long ago lies anywhere.
    slices = lease.store().slices(SLICE_BYTES)
    for number, part in enumerate(slices):
        context.checkpoint()
        context.progress(number, len(slices), part.family)
        # The lease lets another writer in before a slice, where it has held the store for long.
        lease.store().compact(part, rewrite=rewrite)
        report.slices += 1
        if part.end is None:
            report.families.append(part.family)
    context.progress(len(slices), len(slices), "")


def _trim(context: RunContext, access: Access, lease: Lease) -> None:
    """Let sessions' rows say no more than what is left of the sessions."""
    lease.release()
    with access.reading() as store:
        names = erase.loose_sessions(store)
    for name in names:
        context.checkpoint()
        erase.trim_session(lease.store(), name)


def _conclude(access: Access, lease: Lease, seen: erase.Erasing) -> bool:
    """Get rid of what names keys beside the tables, then of the note; return whether nothing more was taken away since.

    The list of files and the log of writes begin anew with each open: they named the first and last keys of files.
    """
    lease.release()
    store = lease.store()
    erase.remove_old_logs(access.path)
    return erase.clear_note(store, seen)


def size_of(path: Path) -> int:
    """Return the bytes of all files under a directory; one that vanishes meanwhile counts nothing."""
    total = 0
    with reporting(path):
        for file in path.iterdir():
            try:
                total += file.stat().st_size
            except FileNotFoundError:
                continue
    return total
