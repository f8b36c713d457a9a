"""What is stale and what a node is made from: decided from marks and digests alone, the same for jobs and readers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from memtool.model.digest import digest_of
from memtool.model.levels import Period, parents_of
from memtool.model.records import Child, Cut, Event, NodeId


def stale_periods(marked: Iterable[Period], week_start: int) -> frozenset[Period]:
    """Return every period that is marked or fed by a marked one: the only answer to "is it stale?"."""
    stale: set[Period] = set()
    ahead = list(marked)
    while ahead:
        period = ahead.pop()
        if period not in stale:
            stale.add(period)
            ahead += parents_of(period, week_start)
    return frozenset(stale)


def segment_inputs(cut: Cut, events: Sequence[Event]) -> str:
    """Return the `inputs` digest of a segment: its bounds, and each event as a summarizer sees it."""
    parts = [text for event in events for text in (event.id, event.body_digest())]
    return digest_of(cut.id, cut.start_us, cut.end_us, *parts)


def period_inputs(node: NodeId, bounds_us: tuple[int, int], children: Iterable[Child]) -> str:
    """Return the `inputs` digest of a period: its bounds, and each child's id and content (or gap), in order."""
    parts = [text for child in children for text in (child.id, child.content)]
    return digest_of(node, *bounds_us, *parts)


def offsets_differ(
    old: Sequence[tuple[int, int]], new: Sequence[tuple[int, int]], end_us: int
) -> list[tuple[int, int]]:
    """Return the spans (from, to), before `end_us`, in which two tables of (instant, offset) disagree."""
    edges = sorted({instant for instant, _ in (*old, *new)} | {end_us})
    spans = pairwise(edges)
    return [(low, high) for low, high in spans if _offset_at(old, low) != _offset_at(new, low)]


def _offset_at(table: Sequence[tuple[int, int]], instant_us: int) -> int | None:
    offsets = [offset for start, offset in table if start <= instant_us]
    return offsets[-1] if offsets else None
