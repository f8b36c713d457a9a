"""The body of the compaction job: every family, in key ranges.

Between two ranges other writers get their turn, and a signal or a deadline ends the run.
"""

from __future__ import annotations

import msgspec

from memtool.context import RunContext
from memtool.files import bytes_below
from memtool.search import index
from memtool.store import erase
from memtool.store.access import Access, Lease
from memtool.store.store import erasing

SLICE_BYTES = 24 << 20
"""What is compacted in well under a second, even where files are large: others wait for a slice at most."""


class Report(msgspec.Struct):
    """The result of a compaction, in bytes on the disk. `erased`: it also finished a permanent deletion."""

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
    if not report.erased:
        index.keep(context, rebuild=index.is_worn(context.root))


def compact_store(context: RunContext, access: Access, report: Report) -> None:
    """Compact the store slice by slice; after a permanent deletion, until no byte of it is in any file."""
    report.before_bytes = report.after_bytes = bytes_below(access.path)
    try:
        with access.lease(context.writer) as lease:
            seen = erasing(lease.store())
            if seen is not None:
                _trim_sessions(context, access, lease)
            # All of every family, whatever was deleted: a copy that was replaced long ago lies anywhere.
            slices = lease.store().slices(SLICE_BYTES)
            for number, part in enumerate(slices):
                context.checkpoint()
                context.progress(number, len(slices), part.family)
                # The lease lets another writer in before a slice, where it has held the store for long.
                lease.store().compact(part, rewrite=seen is not None)
                report.slices += 1
                if part.end is None:
                    report.families.append(part.family)
            context.progress(len(slices), len(slices), "")
            if seen is not None:
                lease.release()
                index.remove(context)
                report.erased = erase.conclude(lease.store(), access.path, seen)
    finally:
        report.after_bytes = bytes_below(access.path)
        context.tally.details |= {
            "bytes_before": report.before_bytes,
            "bytes_after": report.after_bytes,
            "slices": report.slices,
        }
    if report.erased:
        index.keep(context)


def _trim_sessions(context: RunContext, access: Access, lease: Lease) -> None:
    """Reduce the rows of sessions to what is left of them."""
    lease.release()
    with access.reading() as store:
        names = erase.loose_sessions(store)
    for name in names:
        context.checkpoint()
        erase.trim_session(lease.store(), name)
