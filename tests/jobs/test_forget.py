"""Forgetting: what is named goes for good, with all that quotes it; in any order, the rest comes out the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memtool.errors import UsageError
from memtool.jobs.forget import Found, Selector, look
from memtool.ledger.file import CallRecord, run_of
from memtool.ledger.reading import record_call, record_end
from memtool.model.calendar import Calendar
from memtool.model.levels import PERIOD_LEVELS, Level
from memtool.model.records import Claim, Event, EventId, Record, Rewind, Source
from memtool.process import SUMMARIZER_DIRECTORY
from memtool.query.reader import Reader
from memtool.query.verify import Since, verify
from memtool.rollup.plan import Choices
from memtool.store import keys
from memtool.store.capture import capture
from memtool.store.store import erasing
from memtool.store.toc import begin_generation
from tests.cli.history import Scribe
from tests.forgetting import (
    an_event,
    compacted,
    dead_entries,
    forgotten,
    in_files,
    in_rows,
    plain_files,
    revised,
)
from tests.jobs.test_convergence import a_memory, last_instant, rebuilt
from tests.memory import Memory
from tests.strategies import DAY_US, HOUR_US, calendars, histories

YEAR_US = 366 * DAY_US
START_US = 1_735_430_400_000_000  # 2024-12-29
NOW_US = START_US + 2 * YEAR_US
SOME = settings(
    max_examples=max(6, settings().max_examples // 25),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def claimed_by(history: list[Record], session: str) -> set[EventId]:
    events = [record for record in history if isinstance(record, Event)]
    return {one.id for one in events if any(claim.session == session for claim in one.claims)}


@SOME
@given(calendars, histories(max_size=16), st.data())
def test_forgetting_and_ingesting_in_any_order_come_to_the_store_that_never_saw_the_events(
    calendar: Calendar, history: list[Record], data: st.DataObject
) -> None:
    session = data.draw(st.sampled_from(["alpha", "aardvark"]))
    gone = claimed_by(history, session)
    rest = [record for record in history if record.id not in gone]
    now_us = last_instant(history) + data.draw(st.sampled_from([0, 3 * DAY_US, YEAR_US]))
    waiting = data.draw(st.permutations(history))
    with a_memory(calendar) as memory:
        while waiting:
            size = data.draw(st.integers(1, len(waiting)))
            batch, waiting = waiting[:size], waiting[size:]
            memory.take_in(batch)
            for level in data.draw(st.lists(st.sampled_from(PERIOD_LEVELS), max_size=2)):
                early_us = now_us - data.draw(st.sampled_from([0, DAY_US, 40 * DAY_US]))
                choices = Choices(include_open=data.draw(st.booleans()))
                assert memory.roll_up(level, early_us, choices=choices).exit_code == 0
            with memory.access.reading() as store:
                is_known = store.session(session) is not None
            if is_known and (not waiting or data.draw(st.booleans())):
                forgotten(memory, now_us, Selector(session=session))
        memory.roll_up_all(now_us)
        assert memory.take_in(history).new == 0
        memory.roll_up_all(now_us)
        assert memory.closed_part(now_us) == rebuilt(calendar, rest, now_us)
        rows = memory.everything()
        for family in (keys.IDS, keys.REVISIONS):
            assert not {EventId(key[: keys.ID_BYTES].hex()) for key in rows[family]} & gone
        with memory.access.reading() as store:
            assert verify(store, now_us).problems == []
            assert erasing(store) is None


SECRET = Claim("needle-session-0b7e", "/home/u/needle-project-Größe")
OTHER = Claim("plain-session", "/home/u/plain")
NEEDLES = [
    text.encode()
    for text in (
        "needle-session-0b7e", "needle-project-Größe", "needle-text", "nadel-für-テスト-🙂", "needle-metadata",
        "needle-result", "needle-revised", "needle-moved", "needle-rewound", "needle-failure", "needle-claimed",
    )
]  # fmt: skip


def secrets() -> list[Record]:
    """Return what is to be forgotten: every kind of row that can hold a word of it."""
    moved = an_event(5, START_US + 5 * HOUR_US, "needle-moved from here", SECRET)
    taken_back = an_event(6, START_US + 6 * HOUR_US, "needle-rewound for good", SECRET)
    return [
        an_event(1, START_US + HOUR_US, "needle-text in a prompt, needle-text again", SECRET),
        an_event(2, START_US + 2 * HOUR_US, "nadel-für-テスト-🙂", SECRET, path="/needle-metadata"),
        an_event(3, START_US + 3 * HOUR_US, "needle-result 1\n2\n3", SECRET, kind="tool_result"),
        an_event(4, START_US + 4 * HOUR_US, "needle-revised at first", SECRET),
        moved,
        taken_back,
        an_event(7, START_US + 40 * DAY_US, "needle-text, much later", SECRET),
        an_event(8, START_US + 7 * HOUR_US, "needle-claimed by two", OTHER, SECRET),
    ]


def plain() -> list[Record]:
    return [
        an_event(100 + n, START_US + n * 7 * HOUR_US, f"Plain words, number {n}", OTHER)
        for n in range(12)
    ]


def remembered(root: Path) -> Memory:
    """Return a memory of both, with all that can happen to an event, and nodes of every level."""
    memory = Memory(root)
    memory.take_in([*plain(), *secrets()], now_us=NOW_US)
    memory.roll_up_all(NOW_US, choices=Choices(include_open=True))
    events = {record.id: record for record in secrets() if isinstance(record, Event)}
    first, changed, moved, taken_back = (
        events[an_event(number, 0, "").id] for number in (1, 4, 5, 6)
    )
    memory.take_in(
        [
            revised(changed, "needle-revised at last"),
            revised(moved, "needle-moved to there", later_us=50 * HOUR_US),
            Rewind(taken_back.id, 0),
        ],
        now_us=NOW_US,
    )
    memory.roll_up(Level.DAY, NOW_US)
    memory.take_in([revised(first, "needle-text, stale now")], now_us=NOW_US)
    return memory


def ledger_with_texts(memory: Memory) -> None:
    """Add records whose texts name what is to be forgotten, and a file that a summarizer's program has left."""
    day = "day:2024-12-29"
    end = {
        "type": "end", "run": "0" * 12, "job": "day-rollup", "trigger": "manual", "started_us": NOW_US, "pid": 1,
        "version": "0", "ended_us": NOW_US, "result": "failed", "exit_code": 1, "periods": [day],
    }  # fmt: skip
    texts = [f"segment:2024-12-29:00: needle-failure {n}" for n in range(2)]
    texts.append("cannot read /p/-home-u-needle-project-Gr--e/needle-session-0b7e.jsonl: gone")
    lines = [{**end, "run": f"{n:012}", "error": text} for n, text in enumerate(texts)]
    for line in lines:
        record_end(memory.root, run_of(line))
    record_call(memory.root, CallRecord(0, "0" * 12, day, "openai", "m", 1, 1, 1, "needle-failure"))
    left = memory.root / SUMMARIZER_DIRECTORY / "below"
    left.mkdir(parents=True)
    (left / "scratch").write_text("needle-text")


@pytest.mark.parametrize("is_plain", [True, False], ids=["uncompressed", "as it is"])
def test_no_byte_of_it_is_in_any_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_plain: bool
) -> None:
    if is_plain:
        plain_files(monkeypatch)
    memory = remembered(tmp_path / "memory")
    ledger_with_texts(memory)
    if is_plain:  # the search finds what there is to find
        assert set(in_files(memory.root, NEEDLES)) == set(NEEDLES)
    report = forgotten(memory, NOW_US, Selector(session="needle"))
    assert report.compaction.erased
    assert report.forgotten == len(secrets())
    assert in_files(memory.root, NEEDLES) == {}
    assert in_rows(memory.root, NEEDLES) == {}
    assert dead_entries(memory.root) in {(0, 1), (1, 2)}, "the note alone, and its end"
    memory.roll_up_all(NOW_US)
    assert in_files(memory.root, NEEDLES) == {}
    untouched = Memory(tmp_path / "untouched")
    untouched.take_in(plain())
    untouched.roll_up_all(NOW_US)
    assert memory.closed_part(NOW_US) == untouched.closed_part(NOW_US)
    assert memory.take_in(secrets()).new == 0
    assert in_files(memory.root, NEEDLES) == {}


def test_the_batches_alone_would_leave_its_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search in the files is no empty promise: before the compaction it finds them."""
    plain_files(monkeypatch)
    memory = remembered(tmp_path / "memory")
    monkeypatch.setattr("memtool.jobs.forget.compact_store", lambda *_: None)
    forgotten(memory, NOW_US, Selector(session="needle"))
    assert in_rows(memory.root, NEEDLES) == {
        b"needle-session-0b7e": {"sessions"},
        "needle-project-Größe".encode(): {"sessions"},
    }
    assert b"needle-text" in in_files(memory.root, NEEDLES)
    with memory.access.reading() as store:
        assert erasing(store) is not None
        assert verify(store, NOW_US).erasing == Since(NOW_US)
    _, report = compacted(memory, NOW_US)
    assert report.erased
    assert in_files(memory.root, NEEDLES) == {}


def found(memory: Memory, **selector: object) -> Found:
    return look(Reader(memory.root, NOW_US, memory.calendar), Selector(**selector))  # type: ignore[arg-type]


def test_each_selector_finds_its_events_and_all_of_them_must_hold(tmp_path: Path) -> None:
    memory = remembered(tmp_path / "memory")
    everything = len(found(memory, agent="test").ids)
    assert everything == len(secrets()) + len(plain())
    assert len(found(memory, session="needle").ids) == len(secrets())
    assert len(found(memory, project="needle-project-Größe").ids) == len(secrets())
    assert len(found(memory, project="/home/u/plain/").ids) == len(plain()) + 1
    assert found(memory, project="needle").ids == []
    assert found(memory, agent="tes").ids == []
    assert len(found(memory, match="needle").ids) == len(secrets())
    assert len(found(memory, match="^Plain").ids) == len(plain())
    assert len(found(memory, match="(?i)^plain", until="2024-12-29").ids) == 4
    assert len(found(memory, since="2025-02", until="2025-02").ids) == 1
    one = found(memory, match="needle-metadata").ids
    assert found(memory, events=(one[0][:12],)).ids == one
    assert found(memory, events=(one[0],), session="plain").ids == []


def test_a_superseded_revision_that_matches_is_found(tmp_path: Path) -> None:
    memory = remembered(tmp_path / "memory")
    for words in ("moved from here", "revised at first"):
        assert len(found(memory, match=words).ids) == 1


@pytest.mark.parametrize(
    ("selector", "says"),
    [
        ({}, "nothing is named"),
        ({"session": "nobody"}, "no session"),
        ({"match": "("}, "not a regular expression"),
        ({"since": "soon"}, "unknown time"),
        ({"events": ("xyz",)}, "not an event"),
        ({"events": ("00000000",)}, "no event begins"),
    ],
)
def test_a_selector_that_means_nothing_is_an_error(
    tmp_path: Path, selector: dict[str, object], says: str
) -> None:
    memory = remembered(tmp_path / "memory")
    with pytest.raises(UsageError, match=says):
        found(memory, **selector)


def test_a_day_that_loses_its_last_event_loses_its_nodes_and_its_parents_are_written_anew(
    tmp_path: Path,
) -> None:
    memory = remembered(tmp_path / "memory")
    memory.roll_up_all(NOW_US)
    assert "month:2025-02" in {node.id for node in memory.nodes(Level.MONTH)}
    forgotten(memory, NOW_US, Selector(since="2025-02", until="2025-02"))
    for level in (*PERIOD_LEVELS, Level.SEGMENT):
        assert not any("2025-02" in node.id for node in memory.nodes(level))
    memory.roll_up_all(NOW_US)
    assert not any("2025-02" in node.id for level in PERIOD_LEVELS for node in memory.nodes(level))
    assert "year:2025" in {node.id for node in memory.nodes(Level.YEAR)}
    assert memory.marks() == {}


def test_other_segments_of_the_day_keep_their_nodes(tmp_path: Path) -> None:
    """What did not change costs no call."""
    memory = remembered(tmp_path / "memory")
    memory.roll_up_all(NOW_US)
    before = {node.id: node for node in memory.nodes(Level.SEGMENT)}
    forgotten(memory, NOW_US, Selector(match="^Plain words, number 0$"))
    left = {node.id: node for node in memory.nodes(Level.SEGMENT)}
    assert len(before) - len(left) == 1
    assert all(before[name] == node for name, node in left.items())


def test_a_session_keeps_no_project_that_only_forgotten_events_had(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "memory")
    two = [
        an_event(1, START_US, "one", Claim("both", "/home/u/needle-project")),
        an_event(2, START_US + HOUR_US, "two", Claim("both", "/home/u/plain")),
    ]
    memory.take_in(two)
    forgotten(memory, NOW_US, Selector(project="needle-project"))
    with memory.access.reading() as store:
        row = store.session("both")
        assert row is not None
        assert (row.first_us, row.projects) == (START_US + HOUR_US, ("/home/u/plain",))


def test_a_failure_that_speaks_of_it_goes_too(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "memory")
    memory.take_in([*plain(), *secrets()])
    memory.roll_up_all(NOW_US, summarizer=Scribe(fails_on={"needle-claimed"}))
    with memory.access.reading() as store:
        assert store.failures()
    forgotten(memory, NOW_US, Selector(match="needle-claimed"))
    with memory.access.reading() as store:
        assert store.failures() == {}
    memory.roll_up_all(NOW_US)
    with memory.access.reading() as store:
        assert verify(store, NOW_US).problems == []


def test_a_half_built_table_of_contents_goes_first(tmp_path: Path) -> None:
    memory = remembered(tmp_path / "memory")
    store = memory.access.open_for_writing(None)
    begin_generation(store, memory.calendar)
    store.close()
    forgotten(memory, NOW_US, Selector(session="needle"))
    with memory.access.reading() as store:
        assert store.building() is None


def test_a_source_row_goes_where_its_transcript_is_gone(tmp_path: Path) -> None:
    """One whose transcript is there would come back with the next ingest: its path is the one thing that stays."""
    memory = remembered(tmp_path / "memory")
    here = tmp_path / "needle-session-0b7e.jsonl"
    here.touch()
    for path in (str(here), "/gone/-home-u-needle-project-Gr--e/1.jsonl", "/gone/other.jsonl"):
        store = memory.access.open_for_writing(None)
        capture(store, [], path=path, source=Source(offset=1))
        store.close()
    report = forgotten(memory, NOW_US, Selector(session="needle"))
    assert report.found is not None
    assert report.found.sources_kept == [str(here)]
    with memory.access.reading() as store:
        assert set(store.sources()) == {str(here), "/gone/other.jsonl"}
