"""Retention: events that have had their time go, what was made of them stays as it was, and nothing comes back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtool.core.calendar import Calendar
from memtool.core.levels import PERIOD_LEVELS, Level, Period, period_named
from memtool.core.model import Claim, Event, Node, Record, Rewind, Tombstone
from memtool.jobs import retention
from memtool.jobs.forget.selecting import Selector
from memtool.jobs.reading.grips import prove
from memtool.jobs.reading.reader import Reader
from memtool.jobs.rollup.order import Choices
from memtool.jobs.verify import verify
from memtool.store import erase
from memtool.store.capture import horizon, mark_moved_days
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
from tests.jobs.test_convergence import SOME, a_memory, last_instant
from tests.memory import Memory
from tests.strategies import DAY_US, HOUR_US, calendars, histories

START_US = 1_735_430_400_000_000  # 2024-12-29, a Sunday
DAYS = 50
END_US = START_US + DAYS * DAY_US
ALPHA, BETA = Claim("alpha-session", "/home/u/alpha"), Claim("beta-session", "/home/u/beta")


def history() -> list[Record]:
    """Return two sessions' events on every other day of fifty."""
    return [
        an_event(2 * day + n, START_US + day * DAY_US + (9 + n) * HOUR_US, f"Old words {day} {n}", claim)
        for day in range(0, DAYS, 2)
        for n, claim in enumerate((ALPHA, BETA))
    ]  # fmt: skip


def remembered(root: Path) -> Memory:
    memory = Memory(root)
    memory.take_in(history(), now_us=END_US)
    memory.roll_up_all(END_US)
    return memory


def nodes_of(memory: Memory) -> dict[str, Node]:
    with memory.access.reading() as store:
        return {node.id: node for level in Level for node in store.nodes(level)}


def problems(memory: Memory, now_us: int = END_US) -> list[object]:
    with memory.access.reading() as store:
        return list(verify(store, now_us).problems)


def test_days_past_their_time_are_swept_and_their_nodes_say_the_same_for_ever(
    tmp_path: Path,
) -> None:
    memory = remembered(tmp_path / "memory")
    before = nodes_of(memory)
    _, report = compacted(memory, END_US, events_days=20)
    assert report.swept.horizon == Period(Level.DAY, memory.calendar.day_of(END_US) - 20)
    assert (report.swept.days, report.swept.events) == (15, 30)
    assert report.erased
    after = nodes_of(memory)
    assert {name: node.content for name, node in after.items()} == {
        name: node.content for name, node in before.items()
    }
    edge = report.swept.horizon.first
    for name, node in after.items():
        if not name.startswith("segment"):
            assert node.frozen == (period_named(node.id).end <= edge)
    assert {level.word for level in PERIOD_LEVELS if any(n.frozen for n in memory.nodes(level))} == {
        "day", "week", "month", "year",
    }  # fmt: skip
    assert problems(memory) == []
    with memory.access.reading() as store:
        first = next(store.events(0, END_US))
        assert first.time_us >= horizon(store) == memory.calendar.day_start_us(edge)
        assert {stone.reason for stone in store.tombstones()} == {"expired"}
    memory.roll_up_all(END_US)
    assert nodes_of(memory) == after


def test_a_second_sweep_on_the_same_day_writes_nothing(tmp_path: Path) -> None:
    memory = remembered(tmp_path / "memory")
    compacted(memory, END_US, events_days=20)
    before = memory.everything()
    _, report = compacted(memory, END_US, events_days=20)
    assert report.swept.events == 0
    assert memory.everything() == before


def test_old_events_are_counted_and_not_taken_in_and_nothing_comes_back(tmp_path: Path) -> None:
    memory = remembered(tmp_path / "memory")
    compacted(memory, END_US, events_days=20)
    before = memory.everything()
    late = an_event(999, START_US + HOUR_US, "This comes too late")
    captured = memory.take_in([*history(), late], now_us=END_US)
    assert (captured.new, captured.changed, captured.expired) == (0, 0, 31)
    assert memory.everything() == before
    compacted(memory, END_US, events_days=4000)  # raised: the horizon does not move back
    compacted(memory, END_US)
    assert memory.take_in(history(), now_us=END_US).new == 0
    assert memory.everything() == before


def test_lowering_sweeps_more(tmp_path: Path) -> None:
    memory = remembered(tmp_path / "memory")
    compacted(memory, END_US, events_days=40)
    _, report = compacted(memory, END_US, events_days=10)
    assert report.swept.events > 0
    assert problems(memory) == []


def test_a_day_that_is_not_summarised_keeps_its_events_until_it_is(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "memory")
    memory.take_in(history(), now_us=END_US)
    memory.roll_up_all(END_US, summarizer=Scribe(fails_on={"words 4 "}))
    _, report = compacted(memory, END_US, events_days=20)
    assert report.swept.waiting == ["day:2025-01-02"]
    assert report.swept.days == 14
    with memory.access.reading() as store:
        kept = [event.text for event in store.events(0, horizon(store))]
        assert kept == ["Old words 4 0", "Old words 4 1"]
        week = next(node for node in store.nodes(Level.WEEK))
        assert not week.frozen
    assert problems(memory) == []
    memory.roll_up_all(END_US + 9 * DAY_US, summarizer=Scribe())
    _, report = compacted(memory, END_US + 9 * DAY_US, events_days=29)
    assert (report.swept.days, report.swept.waiting_count) == (1, 0)
    assert nodes_of(memory)["week:2024-12-29"].frozen
    assert problems(memory) == []


def test_a_parent_that_is_written_later_is_frozen_by_the_next_sweep(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "memory")
    memory.take_in(history(), now_us=START_US + 12 * DAY_US)
    memory.roll_up(Level.DAY, START_US + 12 * DAY_US + HOUR_US)
    now_us = START_US + 12 * DAY_US + HOUR_US
    compacted(memory, now_us, events_days=3)
    assert nodes_of(memory)["day:2025-01-02"].frozen
    memory.roll_up_all(END_US)
    assert not nodes_of(memory)["month:2024-12"].frozen or nodes_of(memory)["year:2024"].frozen
    compacted(memory, END_US, events_days=20)
    after = nodes_of(memory)
    for name in ("week:2024-12-29", "month:2024-12", "year:2024"):
        assert after[name].frozen
    assert problems(memory) == []


def test_a_frozen_node_is_not_written_again_even_where_it_is_forced(tmp_path: Path) -> None:
    memory = remembered(tmp_path / "memory")
    compacted(memory, END_US, events_days=20)
    before = nodes_of(memory)
    for name in ("day:2025-01-02", "week:2024-12-29", "month:2024-12", "year:2024"):
        place = period_named(before[name].id)
        choices = Choices(force=place, include_open=True)
        assert memory.roll_up(place.level, END_US, choices=choices).exit_code == 0
    after = nodes_of(memory)
    assert {name: node for name, node in after.items() if node.frozen} == {
        name: node for name, node in before.items() if node.frozen
    }
    assert problems(memory) == []


def test_new_zone_data_marks_no_swept_day(tmp_path: Path) -> None:
    memory = remembered(tmp_path / "memory")
    compacted(memory, END_US, events_days=20)
    store = memory.access.open_for_writing(None)
    table = store.zone_table()
    assert table is not None
    first = store.calendar.day_of(START_US)
    mark_moved_days(store, set(range(first, first + DAYS)), table)
    edge = store.calendar.day_of(horizon(store))
    days = {period for period in store.marks() if period.level is Level.DAY}
    assert {period.first >= edge for period in days} == {True}
    store.close()


def test_a_grip_keeps_its_words_and_says_that_its_event_is_swept(tmp_path: Path) -> None:
    memory = remembered(tmp_path / "memory")
    compacted(memory, END_US, events_days=20)
    grip = nodes_of(memory)["day:2025-01-02"].grips[0]
    proof = prove(Reader(memory.root, END_US, memory.calendar), grip.id, before=2, after=2)
    assert proof.grip.excerpt == grip.excerpt
    assert set(proof.gone.values()) == {"expired"}


def test_a_dry_run_tells_what_the_sweep_then_does(tmp_path: Path) -> None:
    memory = remembered(tmp_path / "memory")
    with memory.access.reading() as store:
        told = retention.forecast(store, END_US, 20)
    _, report = compacted(memory, END_US, events_days=20)
    assert (told.days, told.events, told.horizon) == (
        report.swept.days, report.swept.events, report.swept.horizon,
    )  # fmt: skip


@pytest.mark.parametrize("is_plain", [True, False], ids=["uncompressed", "as it is"])
def test_what_no_summary_quotes_is_in_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_plain: bool
) -> None:
    if is_plain:
        plain_files(monkeypatch)
    needles = [b"needle-meta", b"needle-old-revision", b"needle-rewound"]
    memory = Memory(tmp_path / "memory")
    first, second = history()[:2]
    assert isinstance(first, Event)
    assert isinstance(second, Event)
    taken_back = an_event(900, START_US + 11 * HOUR_US, "needle-rewound", ALPHA)
    memory.take_in(history(), now_us=END_US)
    later: list[Record] = [
        revised(first, "needle-old-revision"),
        revised(first, "Newer words", revision=2),
        an_event(901, START_US + 12 * HOUR_US, "Words", ALPHA, path="needle-meta"),
        taken_back,
        Rewind(taken_back.id, 0),
    ]
    for record in later:
        memory.take_in([record], now_us=END_US)
    memory.roll_up_all(END_US)
    if is_plain:
        assert set(in_files(memory.root, needles)) == set(needles)
    compacted(memory, END_US, events_days=20)
    assert in_files(memory.root, needles) == {}
    assert in_rows(memory.root, needles) == {}
    assert dead_entries(memory.root) in {(0, 1), (1, 2)}
    with memory.access.reading() as store:
        assert erase.erasing(store) is None


def test_forgetting_takes_frozen_nodes_where_they_are_surely_meant(tmp_path: Path) -> None:
    memory = remembered(tmp_path / "memory")
    compacted(memory, END_US, events_days=20)
    report = forgotten(memory, END_US, Selector(session="alpha"))
    assert report.found is not None
    assert len(report.found.segments) == 15
    assert report.found.kept == []
    memory.roll_up_all(END_US)
    alone = Memory(tmp_path / "alone")
    alone.take_in([one for one in history() if isinstance(one, Event) and one.claims == (BETA,)])
    alone.roll_up_all(END_US)
    assert {name: node.content for name, node in nodes_of(memory).items()} == {
        name: node.content for name, node in nodes_of(alone).items()
    }
    assert in_files(memory.root, [b"alpha-session"]) == {}
    assert problems(memory) == []
    compacted(memory, END_US, events_days=20)
    assert nodes_of(memory)["day:2025-01-02"].frozen
    assert problems(memory) == []


def test_forgetting_by_time_takes_frozen_segments_that_lie_within_and_names_the_others(
    tmp_path: Path,
) -> None:
    memory = remembered(tmp_path / "memory")
    both = [an_event(800, END_US - DAY_US, "late"), an_event(801, START_US + DAY_US, "early")]
    memory.take_in(both)
    memory.roll_up_all(END_US)
    compacted(memory, END_US, events_days=20)
    report = forgotten(memory, END_US, Selector(since="2024-12-31", until="2025-01-02T09:30"))
    assert report.found is not None
    assert {cut.session for cut in report.found.segments} == {"alpha-session", "beta-session"}
    assert len(report.found.segments) == 3
    words = Selector(match="Old words 8 0")
    report = forgotten(memory, END_US, words)
    assert report.found is not None
    assert [cut.id.split(":")[1] for cut in report.found.segments] == ["2025-01-06"]
    assert report.found.kept_count > 0
    memory.roll_up_all(END_US)
    assert in_rows(memory.root, [b"Old words 8 0"]) == {}
    assert problems(memory) == []


def test_a_sweep_that_stops_within_a_day_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "SLICE", 1)
    memory = remembered(tmp_path / "memory")
    taken: list[int] = []

    def once(*arguments: object) -> None:
        taken.append(1)
        if len(taken) == 2:
            raise RuntimeError("killed")
        real(*arguments)  # type: ignore[arg-type]

    real = erase.sweep
    monkeypatch.setattr(erase, "sweep", once)
    with pytest.raises(RuntimeError):
        compacted(memory, END_US, events_days=20)
    assert problems(memory) == []
    memory.roll_up_all(END_US, choices=Choices(outdated=True))
    assert problems(memory) == []
    _, report = compacted(memory, END_US, events_days=20)
    assert report.erased
    assert problems(memory) == []
    assert nodes_of(memory)["year:2024"].frozen


@SOME
@given(calendars, histories(), st.data())
def test_sweeping_at_any_time_leaves_the_same_words(
    calendar: Calendar, history: list[Record], data: st.DataObject
) -> None:
    """What was summarised before a sweep says the same after it, and all that follows finds nothing wrong."""
    stones = [one for one in history if isinstance(one, Tombstone | Rewind)]
    events = [one for one in history if isinstance(one, Event)]
    now_us = last_instant(history) + 40 * DAY_US
    with a_memory(calendar) as memory:
        memory.take_in([*events, *stones])
        memory.roll_up_all(now_us)
        before = {name: node.content for name, node in nodes_of(memory).items()}
        for days in data.draw(st.lists(st.integers(36, 44), min_size=1, max_size=2)):
            compacted(memory, now_us, events_days=days)
            memory.take_in(data.draw(st.permutations(history)))
            assert problems(memory, now_us) == []
        memory.roll_up_all(now_us)
        assert {name: node.content for name, node in nodes_of(memory).items()} == before
        assert memory.marks() == {} or min(memory.marks()).level is not Level.DAY
        assert problems(memory, now_us) == []
