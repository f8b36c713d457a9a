"""Where the events of one session's day are cut into segments: by order, gaps, groups and tokens, and nothing else."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby

from memtool.model.levels import Segment
from memtool.model.records import Cut, Event, RecordId, digest_of

GAP_US = 30 * 60 * 1_000_000
MAX_TOKENS = 6000
BYTES_PER_TOKEN = 4


def tokens_of(text: str) -> int:
    """Return the estimate that cuts and budgets use: a quarter of the UTF-8 bytes, rounded up, at least 1."""
    return max(1, -(-len(text.encode()) // BYTES_PER_TOKEN))


def in_order(events: Iterable[Event]) -> list[Event]:
    """Return one session's events by time, then parent link among equal times, then id."""
    ordered: list[Event] = []
    for _, same_time in groupby(
        sorted(events, key=lambda e: (e.time_us, e.id)), key=lambda e: e.time_us
    ):
        together = list(same_time)
        ordered += together if len(together) == 1 else _parents_first(together)
    return ordered


def _parents_first(events: list[Event]) -> list[Event]:
    """Sort the records topologically, smallest id first; records in a (forged) circle follow by id."""
    records: dict[RecordId, list[Event]] = defaultdict(list)
    for event in events:
        records[event.record].append(event)
    children: dict[str, list[RecordId]] = defaultdict(list)
    waiting: dict[RecordId, int] = {}
    for record, blocks in records.items():
        parents = {event.parent for event in blocks} & records.keys() - {record}
        waiting[record] = len(parents)
        for parent in parents:
            children[parent].append(record)
    ready = [record for record, count in waiting.items() if count == 0]
    heapq.heapify(ready)
    order: list[RecordId] = []
    while ready:
        record = heapq.heappop(ready)
        order.append(record)
        for child in children[record]:
            waiting[child] -= 1
            if waiting[child] == 0:
                heapq.heappush(ready, child)
    order += sorted(records.keys() - set(order))
    return [event for record in order for event in records[record]]


def cuts_of(events: Iterable[Event], day: int) -> list[Cut]:
    """Return the segments of one session's current events of one day, in order of time; each is of one project."""
    of_project: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        of_project[event.project].append(event)
    cuts = [cut for held in of_project.values() for cut in _cuts_of_project(held, day)]
    return sorted(cuts, key=lambda cut: (cut.start_us, cut.id)) if len(of_project) > 1 else cuts


def _cuts_of_project(events: Iterable[Event], day: int) -> list[Cut]:
    units = _units(in_order(events))
    runs: list[list[Event]] = []
    tokens, last_us = 0, 0
    for unit in units:
        size = sum(tokens_of(event.text) for event in unit)
        if not runs or unit[0].time_us - last_us > GAP_US or tokens + size > MAX_TOKENS:
            runs.append([])
            tokens = 0
        runs[-1] += unit
        tokens += size
        last_us = unit[-1].time_us
    return [_cut(run, day) for run in runs]


def _units(ordered: Sequence[Event]) -> list[list[Event]]:
    """Return runs that must stay whole: a message group, with everything that lies between its parts."""
    last_of_group = {event.group: index for index, event in enumerate(ordered) if event.group}
    units: list[list[Event]] = []
    whole_until = -1
    for index, event in enumerate(ordered):
        if index > whole_until:
            units.append([])
        whole_until = max(whole_until, index, last_of_group.get(event.group, -1))
        units[-1].append(event)
    return units


def _cut(run: list[Event], day: int) -> Cut:
    first = run[0]
    tail = digest_of("segment", first.session, first.id)[:16]
    return Cut(
        id=Segment(day, tail).id,
        session=first.session,
        agent=first.agent,
        project=first.project,
        start_us=first.time_us,
        end_us=run[-1].time_us,
        events=tuple(event.id for event in run),
        tokens=sum(tokens_of(event.text) for event in run),
    )


def by_session(events: Iterable[Event]) -> dict[str, list[Event]]:
    """Return the current events of a day by the session that they belong to."""
    sessions: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if not event.rewound:
            sessions[event.session].append(event)
    return dict(sorted(sessions.items()))
