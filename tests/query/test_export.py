"""What is exported and taken in elsewhere is the same memory; two memories that take in each other's are one."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from memtool.agents.drafts import sanitize
from memtool.agents.jsonl import encode
from memtool.agents.values import rfc3339
from memtool.context import RunContext
from memtool.errors import UsageError
from memtool.jobs.ingest import Order, ingest
from memtool.jobs.ingest import Report as IngestReport
from memtool.jobs.runner import run_job
from memtool.model.calendar import Calendar
from memtool.model.levels import PERIOD_LEVELS, Level, Period
from memtool.model.records import Event, EventId, Record, Rewind, Tombstone
from memtool.query.events import Query
from memtool.query.export import Report, export
from memtool.query.reader import Reader
from memtool.query.verify import verify
from memtool.redact.rules import RULESET_VERSION
from memtool.store import keys
from memtool.systemd.jobs import job_named
from tests.crash.events import an_event
from tests.memory import UTC_CALENDAR, Memory
from tests.strategies import DAY_US, calendars, histories

YEAR_US = 366 * DAY_US
SOME = settings(
    max_examples=max(10, settings().max_examples // 20),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
OF_EVENTS = (
    keys.EVENTS,
    keys.IDS,
    keys.REVISIONS,
    keys.REWINDS,
    keys.TOMBSTONES,
)
"""What depends on the set of records alone."""
Rows = dict[str, dict[bytes, bytes]]


def sealed(record: Record) -> Record:
    """Return the record as an importer leaves it: redacted and shortened."""
    if not isinstance(record, Event):
        return record
    done = sanitize(record.kind, record.text, record.metadata)
    return replace(record, text=done.text, metadata=done.metadata)


sealed_histories = histories().map(lambda records: [sealed(record) for record in records])


@contextmanager
def memories(calendar: Calendar, count: int) -> Iterator[list[Memory]]:
    with tempfile.TemporaryDirectory() as directory:
        yield [Memory(Path(directory) / str(number), calendar) for number in range(count)]


def exported(memory: Memory, query: Query = Query()) -> list[Record]:  # noqa: B008 - frozen
    return list(export(Reader(memory.root, 0, memory.calendar), query, Report()))


def lines(records: Sequence[Record]) -> bytes:
    return "".join(f"{encode(record)}\n" for record in records).encode()


def take_in(memory: Memory, data: bytes) -> IngestReport:
    """Do what `memtool ingest -` does."""
    report = IngestReport()
    order = Order((), (), lambda: memory.calendar, BytesIO(data))

    def body(context: RunContext) -> None:
        ingest(context, order, report)

    outcome = run_job(job_named("ingest"), body, root=memory.root, clock=lambda: 0)
    assert outcome.exit_code == 0, outcome.error
    return report


def of_events(memory: Memory) -> Rows:
    rows = memory.everything()
    return {family: rows[family] for family in OF_EVENTS}


def settled(memory: Memory, now_us: int) -> Rows:
    """Roll it all up; return the closed part, which is sound."""
    memory.roll_up_all(now_us)
    with memory.access.reading() as store:
        assert verify(store, now_us).problems == []
    return memory.closed_part(now_us)


@SOME
@given(calendars, sealed_histories, st.data())
def test_what_is_exported_and_taken_in_is_the_same_memory(
    calendar: Calendar, history: list[Record], data: st.DataObject
) -> None:
    now_us = max(getattr(record, "time_us", 0) for record in history) + YEAR_US
    with memories(calendar, 2) as (first, second):
        shuffled = data.draw(st.permutations(history))
        size = data.draw(st.integers(1, len(shuffled)))
        for batch in (shuffled[:size], shuffled[size:]):
            first.take_in(batch)
            first.roll_up(data.draw(st.sampled_from(PERIOD_LEVELS)), now_us)
        written = lines(exported(first))
        report = take_in(second, written)
        assert report.counts.damaged == report.counts.skipped == 0
        assert of_events(second) == of_events(first)
        assert lines(exported(second)) == written
        assert settled(second, now_us) == settled(first, now_us)


@SOME
@given(calendars, sealed_histories, st.data())
def test_two_memories_that_take_in_each_others_are_one(
    calendar: Calendar, history: list[Record], data: st.DataObject
) -> None:
    """In either order, in one go or again; and the same as one memory that was told everything."""
    now_us = max(getattr(record, "time_us", 0) for record in history) + YEAR_US
    sides = data.draw(st.lists(st.sampled_from(["a", "b", "ab"]), min_size=len(history)))
    parts = [
        [record for record, side in zip(history, sides, strict=False) if name in side]
        for name in "ab"
    ]
    with memories(calendar, 3) as (first, second, whole):
        for memory, part in zip((first, second), parts, strict=True):
            memory.take_in(part)
            if data.draw(st.booleans()):
                memory.roll_up_all(now_us)
        from_first, from_second = lines(exported(first)), lines(exported(second))
        take_in(first, from_second)
        take_in(second, from_first)
        whole.take_in(history)
        assert of_events(first) == of_events(second) == of_events(whole)
        assert settled(first, now_us) == settled(second, now_us) == settled(whole, now_us)
        before = first.everything()
        again = take_in(first, from_second).captured
        assert (again.new, again.changed) == (0, 0)
        assert first.everything() == before


def test_what_was_forgotten_on_one_machine_is_forgotten_on_the_other(tmp_path: Path) -> None:
    """Its day is marked, and the next rollup drops what was said about it."""
    first, second = Memory(tmp_path / "first"), Memory(tmp_path / "second")
    secret, harmless = an_event(1), an_event(86_400)
    now_us = harmless.time_us + YEAR_US
    for memory in (first, second):
        memory.take_in([secret, harmless])
        memory.roll_up_all(now_us)
    first.take_in([Tombstone(secret.id, "forgotten", now_us)])
    report = take_in(second, lines(exported(first)))
    assert report.captured.forgotten == 1
    day = UTC_CALENDAR.day_of(secret.time_us)
    assert list(second.marks()) == [Period(Level.DAY, day)]
    assert settled(second, now_us) == settled(first, now_us)
    everything = repr(second.everything()[keys.NODES])
    assert secret.text not in everything
    assert harmless.text in everything
    take_in(first, lines([secret]))
    assert of_events(first) == of_events(second)


def test_events_come_by_time_and_id_and_the_rest_after_them(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "memory")
    old = an_event(3)
    new = replace(old, revision=1, text="Why not?", digest="0" * 32)
    buried = Tombstone(EventId("f" * 32), "forgotten", 7)
    lone = Rewind(EventId("e" * 32), 5)
    memory.take_in([new, old, an_event(2), an_event(4), buried, lone])
    found = exported(memory)
    assert found == [an_event(2), new, an_event(4), old, lone, buried]


def test_a_choice_of_events_leaves_tombstones_and_what_is_of_others_out(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "memory")
    events = [an_event(number) for number in range(4)]
    taken_back = [Rewind(events[2].id, 0), Rewind(events[3].id, 0)]
    buried = Tombstone(EventId("f" * 32), "forgotten", 7)
    memory.take_in([*events, *taken_back, buried])
    assert exported(memory, Query(session="s2")) == [
        replace(events[2], rewound=True),
        taken_back[0],
    ]
    late = exported(memory, Query(since=rfc3339(events[2].time_us)))
    assert sorted(record.id for record in late) == sorted([events[2].id, events[3].id] * 2)
    with pytest.raises(UsageError, match="unknown project: /nowhere"):
        exported(memory, Query(project="/nowhere"))


def test_a_memory_of_many_events_is_exported_one_at_a_time(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "memory")
    memory.take_in([an_event(number) for number in range(500)])
    report = Report()
    found = export(Reader(memory.root, 0, memory.calendar), Query(), report)
    next(found)
    assert report.events == 1
    found.close()  # type: ignore[attr-defined]


def test_the_rules_version_is_kept_where_todays_rules_find_nothing_more(tmp_path: Path) -> None:
    """Else a memory that takes in an old one's events would differ from it for ever."""
    memory = Memory(tmp_path / "memory")
    harmless, leaky = an_event(1), replace(an_event(2), text="password: hunter2!")
    stated = [replace(event, redaction=9) for event in (harmless, leaky)]
    records = [json.loads(encode(record)) for record in stated]
    unstated = {**records[0], "id": "0" * 32, "redaction": 0}
    take_in(
        memory, b"".join(json.dumps(record).encode() + b"\n" for record in [*records, unstated])
    )
    kept = {record.id: record for record in exported(memory) if isinstance(record, Event)}
    assert kept[harmless.id] == stated[0]
    assert kept[EventId("0" * 32)].redaction == RULESET_VERSION
    assert "hunter2" not in kept[leaky.id].text
