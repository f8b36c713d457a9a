"""The body of the compaction job: every family, in key ranges, with the writer let go and signals heeded in between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from memtool.base.files import reporting
from memtool.jobs.context import RunContext
from memtool.store.access import Access, Lease
from memtool.store.families import FAMILIES

SLICE_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Slice:
    """One range of keys of one family; None is an open end."""

    family: str
    start: bytes | None
    end: bytes | None


@dataclass(slots=True)
class Report:
    """What a compaction came to, in bytes on the disk."""

    before_bytes: int = 0
    after_bytes: int = 0
    slices: int = 0
    families: list[str] = field(default_factory=list)


def compact(context: RunContext, report: Report) -> None:
    """Compact the store slice by slice; `report` and the tally are right however the run ends."""
    access = Access(context.root)
    if not access.exists():
        context.reports.talk("there is nothing to compact yet: run `memtool ingest` first")
        return
    report.before_bytes = report.after_bytes = size_of(access.path)
    try:
        with access.lease(context.writer) as lease:
            _compact_all(context, lease, report)
    finally:
        report.after_bytes = size_of(access.path)
        context.tally.details |= {
            "bytes_before": report.before_bytes,
            "bytes_after": report.after_bytes,
            "slices": report.slices,
        }


def _compact_all(context: RunContext, lease: Lease, report: Report) -> None:
    # What is still in memory and in the log joins the files first, or it would not be compacted with them.
    lease.store().engine.flush()
    slices = [part for family in FAMILIES for part in _slices(lease, family)]
    for number, part in enumerate(slices):
        context.checkpoint()
        context.progress(number, len(slices), part.family)
        lease.store().engine.compact(part.family, part.start, part.end)
        lease.release()  # another writer need not wait for more than one slice
        report.slices += 1
        if part.end is None:
            report.families.append(part.family)
    context.progress(len(slices), len(slices), "")


def _slices(lease: Lease, family: str) -> Iterator[Slice]:
    """Yield ranges that hold about SLICE_BYTES of files each, and together every key."""
    start: bytes | None = None
    size_bytes = 0
    for _, last, file_bytes in lease.store().engine.files(family):
        size_bytes += file_bytes
        if size_bytes >= SLICE_BYTES:
            yield Slice(family, start, last)
            start, size_bytes = last, 0
    yield Slice(family, start, None)


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
