"""Where the events of one session's day are cut into segments: by order, gaps, groups and tokens, and nothing else."""

from __future__ import annotations

import heapq
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from memtool.model.levels import Segment
from memtool.model.records import Cut, Event, RecordId, digest_of

GAP_US = 30 * 60 * 1_000_000
MAX_TOKENS = 6000
MAX_UNPROMPTED_TOKENS = 12_000
MAX_EVENTS = 5000
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
    """Return the segments of one session's current events of one day, in order of time; each is of one project.

    A cut is made only before a prompt: after a gap, or where what was said would exceed the limit. A reply stays
    with the question before it. Where no prompt was seen, a cut is made after a gap, or before an answer.
    """
    of_project: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        of_project[event.project].append(event)
    cuts = [cut for held in of_project.values() for cut in _cuts_of_project(held, day)]
    return sorted(cuts, key=lambda cut: (cut.start_us, cut.id)) if len(of_project) > 1 else cuts


def _cuts_of_project(events: Iterable[Event], day: int) -> list[Cut]:
    runs: list[_Run] = []
    for unit in _units(in_order(events)):
        if not runs or runs[-1].ends_before(unit):
            runs.append(_Run())
        runs[-1].add(unit)
    return [_cut(run.events, day) for run in runs]


class _Run:
    """The events of a segment, while it grows."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._said = 0
        self._has_prompt = False
        self._answer = ""

    def add(self, unit: Sequence[Event]) -> None:
        self.events += unit
        self._said += _said(unit)
        self._has_prompt |= _is_prompt(unit[0])
        answers = [event.text for event in unit if event.kind == "answer" and _is_main(event)]
        self._answer = answers[-1] if answers else self._answer

    def ends_before(self, unit: Sequence[Event]) -> bool:
        is_gap = unit[0].time_us - self.events[-1].time_us > GAP_US
        if _is_prompt(unit[0]):
            is_full = self._said + _said(unit) > MAX_TOKENS
            return (is_gap or is_full) and not _ASKS.search(self._answer[-_LONGEST_END:])
        is_long = self._said >= MAX_UNPROMPTED_TOKENS or len(self.events) >= MAX_EVENTS
        is_answer = unit[0].kind == "answer" and _is_main(unit[0])
        return (is_gap and not self._has_prompt) or (is_long and is_answer)


# The end of an answer that a reply belongs to: a question, or a list of options.
_ASKS = re.compile(r"\?[*_)\s]*\Z|^\s*(?:\d{1,2}|[A-Za-z])[.)] ", re.MULTILINE)
_LONGEST_END = 600


def _is_main(event: Event) -> bool:
    return not event.metadata.get("sidechain")


def _is_prompt(event: Event) -> bool:
    return event.kind == "prompt" and _is_main(event)


def _said(unit: Sequence[Event]) -> int:
    """Return the tokens of what is said: prompts, answers and recaps; not what tools print."""
    return sum(tokens_of(event.text) for event in unit if event.kind in _SAID)


_SAID = frozenset(("prompt", "answer", "compaction", "recap"))


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


def segments_of(events: Iterable[Event], day: int) -> Iterator[tuple[Cut, list[Event]]]:
    """Yield the segments of a day's current events, each with its events, session by session."""
    for held in by_session(events).values():
        by_id = {event.id: event for event in held}
        for cut in cuts_of(held, day):
            yield cut, [by_id[event_id] for event_id in cut.events]
