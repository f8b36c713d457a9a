"""A rebuild: the table of contents of a fresh store of the same events, at the price of what is not there yet."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from memtool.context import Limits, Reports, RunContext
from memtool.errors import UnavailableError
from memtool.jobs.runner import Outcome, run_job
from memtool.model.calendar import Calendar
from memtool.model.levels import PERIOD_LEVELS, Level
from memtool.model.records import Record
from memtool.model.summary import Request
from memtool.query.verify import verify
from memtool.rollup.plan import Choices, Forecast, RollupOptions
from memtool.rollup.rebuild import Report, abandon, next_calendar, price
from memtool.rollup.rebuild import rebuild as rebuild_body
from memtool.store import keys
from memtool.store.capture import mark_moved_days
from memtool.summarize import Options, Summarizer, SummaryFailed, make
from memtool.summarize.calls import Budget
from memtool.systemd.jobs import runnable_named
from tests.crash.discipline import Waiting, take_in_at_once
from tests.crash.events import START_US, an_event
from tests.memory import UTC_CALENDAR, Memory
from tests.strategies import DAY_US, calendars, histories

Rows = dict[str, dict[bytes, bytes]]
DAY_S = DAY_US // 1_000_000
LATER_US = START_US + 400 * DAY_US
TOKYO = Calendar("Asia/Tokyo", day_start_minutes=240, week_start=0)
SOME = settings(
    max_examples=max(10, settings().max_examples // 20),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@dataclass
class Rebuilds:
    """Rebuilds of one memory, as the command runs them."""

    memory: Memory
    said: list[str] = field(default_factory=list)
    report: Report = field(default_factory=Report)

    def run(
        self,
        *,
        calendar: Calendar | None = None,
        summarizer: Summarizer | None = None,
        now_us: int = LATER_US,
        most: int | None = None,
        **wishes: Any,
    ) -> Outcome:
        options = self.options(calendar or UTC_CALENDAR, summarizer, most)
        self.report = Report()

        def body(context: RunContext) -> None:
            adopts = calendar is not None
            rebuild_body(context, options, self.report, adopts_calendar=adopts, **wishes)

        return self.job(body, now_us)

    def job(self, body: Callable[[RunContext], None], now_us: int = LATER_US) -> Outcome:
        return run_job(
            runnable_named("rebuild"),
            body,
            root=self.memory.root,
            clock=lambda: now_us,
            reports=Reports(talk=self.said.append),
        )

    @staticmethod
    def options(
        calendar: Calendar, summarizer: Summarizer | None = None, most: int | None = None
    ) -> RollupOptions:
        return RollupOptions(
            level=Level.YEAR,
            summarizer=summarizer or make("mock", Options(max_bullets=5)),
            calendar=calendar,
            zone_is_set=True,
            choices=Choices(),
            budget=Budget(calls_per_run=most),
            at_once=3,
        )

    def price(self, calendar: Calendar | None = None, now_us: int = LATER_US) -> Forecast:
        with self.memory.access.reading() as store:
            options = None if calendar is None else self.options(calendar)
            return price(store, next_calendar(store, options), now_us)


def unnumbered(rows: Rows) -> Rows:
    """Return the rows without the generation in their keys."""
    return {name: {key[4:]: value for key, value in held.items()} for name, held in rows.items()}


def rebuilt(calendar: Calendar, records: list[Record], now_us: int = LATER_US) -> Rows:
    """Return the closed part of a fresh store of these records."""
    with tempfile.TemporaryDirectory() as directory:
        memory = Memory(Path(directory) / "memory", calendar)
        memory.take_in(records)
        memory.roll_up_all(now_us)
        return unnumbered(memory.closed_part(now_us))


def closed(memory: Memory, now_us: int = LATER_US) -> Rows:
    return unnumbered(memory.closed_part(now_us))


def problems(memory: Memory, now_us: int = LATER_US) -> list[object]:
    with memory.access.reading() as store:
        return list(verify(store, now_us).problems)


def visible(memory: Memory) -> Rows:
    """Return the current table of contents, marks and all."""
    with memory.access.reading() as store:
        prefix = keys.generation(store.generation)
        return {
            name: dict(store.engine.scan(name, prefix, keys.after_prefix(prefix)))
            for name in keys.GENERATION_FAMILIES
        }


def generation(memory: Memory) -> int:
    with memory.access.reading() as store:
        return store.generation


NUMBERS = [day * DAY_S + hour * 3600 for day in (0, 1, 2, 9, 40) for hour in (1, 20)]
EVENTS: list[Record] = [an_event(number) for number in NUMBERS]


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    """Return a memory of a few days in two months, rolled up."""
    memory = Memory(tmp_path / "memory")
    memory.take_in(EVENTS)
    memory.roll_up_all(LATER_US)
    return memory


@pytest.fixture
def rebuilds(memory: Memory) -> Rebuilds:
    return Rebuilds(memory)


@SOME
@given(calendars, st.none() | calendars, histories(), st.data())
def test_a_rebuild_at_any_time_is_a_fresh_store_byte_for_byte(
    calendar: Calendar, other: Calendar | None, history: list[Record], data: st.DataObject
) -> None:
    """Whatever was rolled up before, however often it broke off, and whatever came while it was half done."""
    end_us = max(getattr(record, "time_us", 0) for record in history)
    now_us = end_us + data.draw(st.sampled_from([0, DAY_US, 3 * DAY_US, 366 * DAY_US]))
    first = data.draw(st.integers(0, len(history)))
    with tempfile.TemporaryDirectory() as directory:
        memory = Memory(Path(directory) / "memory", calendar)
        memory.take_in(history[:first] or history[:1])
        for level in data.draw(st.lists(st.sampled_from(PERIOD_LEVELS), max_size=2)):
            memory.roll_up(level, now_us, choices=Choices(include_open=data.draw(st.booleans())))
        rebuilds = Rebuilds(memory)
        most = data.draw(st.none() | st.integers(0, 5))
        outcome = rebuilds.run(calendar=other, now_us=now_us, most=most)
        assert outcome.exit_code == 0
        assert rebuilds.report.is_taken_over == (outcome.run.result == "done")
        assert problems(memory, now_us) == []
        memory.take_in(history)
        in_force = other if other and rebuilds.report.is_taken_over else calendar
        if data.draw(st.booleans()):
            memory.roll_up(Level.MONTH, now_us, calendar=in_force)
        most_now = rebuilds.price(other, now_us).calls
        outcome = rebuilds.run(calendar=other, now_us=now_us)
        assert (outcome.exit_code, outcome.run.result) == (0, "done")
        assert outcome.run.calls <= most_now
        assert closed(memory, now_us) == rebuilt(other or calendar, history, now_us)
        assert problems(memory, now_us) == []
        memory.roll_up_all(now_us, calendar=other or calendar)
        assert closed(memory, now_us) == rebuilt(other or calendar, history, now_us)


def test_where_all_is_equal_nothing_is_summarised_and_all_is_there(
    memory: Memory, rebuilds: Rebuilds
) -> None:
    before = unnumbered(visible(memory))
    outcome = rebuilds.run(now_us=LATER_US + DAY_US)
    assert (outcome.run.result, outcome.run.calls, outcome.run.nodes) == ("done", 0, 0)
    assert rebuilds.report.copied == len(before[keys.NODES])
    assert unnumbered(visible(memory)) == before  # also when each node was written
    assert generation(memory) == 2
    assert problems(memory) == []


def test_what_another_recipe_wrote_is_kept_too(memory: Memory, rebuilds: Rebuilds) -> None:
    before = closed(memory)
    outcome = rebuilds.run(summarizer=make("mock", Options(max_bullets=2)))
    assert outcome.run.calls == 0
    assert closed(memory) == before


def test_another_week_start_costs_only_what_weeks_feed(memory: Memory, rebuilds: Rebuilds) -> None:
    mondays = replace(UTC_CALENDAR, week_start=0)
    expected = rebuilds.price(mondays)
    assert {period.level for period in expected.periods} <= set(PERIOD_LEVELS[1:])
    assert expected.segments == 0
    outcome = rebuilds.run(calendar=mondays)
    assert 0 < outcome.run.calls <= expected.calls
    assert rebuilds.report.copied >= expected.copied
    assert closed(memory) == rebuilt(mondays, EVENTS)
    assert memory.roll_up(Level.YEAR, LATER_US, calendar=mondays).run.calls == 0


def test_a_dry_run_writes_nothing_and_prices_what_it_takes(
    memory: Memory, rebuilds: Rebuilds
) -> None:
    before = memory.everything()
    same, other = rebuilds.price(), rebuilds.price(TOKYO)
    assert same.calls == 0
    assert same.copied == len(before[keys.NODES])
    assert memory.everything() == before
    assert rebuilds.run(calendar=TOKYO).run.calls == other.calls
    assert rebuilds.price(TOKYO).calls == 0


def test_open_periods_wait_for_their_end(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "memory")
    memory.take_in(EVENTS)
    now_us = START_US + 9 * DAY_US + DAY_US // 2
    memory.roll_up_all(now_us, choices=Choices(include_open=True))
    Rebuilds(memory).run(now_us=now_us)
    assert closed(memory, now_us) == rebuilt(UTC_CALENDAR, EVENTS, now_us)
    assert memory.marks()
    memory.roll_up_all(LATER_US)
    assert closed(memory) == rebuilt(UTC_CALENDAR, EVENTS)


def test_readers_see_the_old_one_whole_until_the_new_one_is_there(
    memory: Memory, rebuilds: Rebuilds
) -> None:
    before = visible(memory)
    seen: list[bool] = []

    def look(_: Request) -> None:
        seen.append(visible(memory) == before)
        assert problems(memory) == []

    with memory.access.reading() as early:
        assert rebuilds.run(calendar=TOKYO, summarizer=Waiting(look)).run.result == "done"
        assert early.calendar == UTC_CALENDAR
        assert len(list(early.nodes(Level.DAY))) == 5
        assert verify(early, LATER_US).problems == []
    assert len(seen) > 10
    assert all(seen)
    with memory.access.reading() as late:
        assert late.calendar == TOKYO


def test_what_is_taken_in_meanwhile_is_in_it(memory: Memory, rebuilds: Rebuilds) -> None:
    """Late events of days that are done already, and of days that are not there yet."""
    late = [7200, 3 * DAY_S, 9 * DAY_S + 7200, 40 * DAY_S + 7300]
    codes: list[int] = []

    def ingest(_: Request) -> None:
        if late:
            codes.append(take_in_at_once(memory.root, [late.pop()])[0])

    everything = [*EVENTS, *(an_event(number) for number in late)]
    outcome = rebuilds.run(calendar=TOKYO, summarizer=Waiting(ingest))
    assert (outcome.run.result, codes) == ("done", [0, 0, 0, 0])
    assert closed(memory) == rebuilt(TOKYO, everything)
    assert memory.marks() == {}
    assert problems(memory) == []


def test_a_rollup_waits_for_a_rebuild_that_runs(memory: Memory, rebuilds: Rebuilds) -> None:
    codes: list[int] = []

    def roll_up(_: Request) -> None:
        if not codes:
            limits = Limits(lock_wait_s=0)
            codes.append(memory.roll_up(Level.DAY, LATER_US, limits=limits).exit_code)

    assert rebuilds.run(calendar=TOKYO, summarizer=Waiting(roll_up)).run.result == "done"
    assert codes == [UnavailableError.exit_code.code]


def test_one_that_broke_off_goes_on_and_the_current_one_lives_on(
    memory: Memory, rebuilds: Rebuilds
) -> None:
    before = visible(memory)
    total = rebuilds.price(TOKYO).calls
    outcome = rebuilds.run(calendar=TOKYO, most=4)
    assert (outcome.run.result, outcome.exit_code, outcome.run.calls) == ("partial", 0, 4)
    assert not rebuilds.report.is_taken_over
    assert visible(memory) == before
    with memory.access.reading() as store:
        found = verify(store, LATER_US)
        assert (found.problems, found.half_built) == ([], True)
    memory.take_in([an_event(7200)])
    assert memory.roll_up(Level.YEAR, LATER_US).run.nodes
    assert closed(memory) == rebuilt(UTC_CALENDAR, [*EVENTS, an_event(7200)])
    outcome = rebuilds.run()
    assert "going on with the rebuild that was begun" in rebuilds.said[-1]
    assert outcome.run.calls <= total
    assert closed(memory) == rebuilt(TOKYO, [*EVENTS, an_event(7200)])
    assert problems(memory) == []


def test_what_was_written_anew_in_between_is_taken_over(memory: Memory, rebuilds: Rebuilds) -> None:
    """Nobody pays twice for an upgrade because a rebuild was half done."""
    assert rebuilds.run(calendar=TOKYO, most=4).run.result == "partial"
    other = make("mock", Options(max_bullets=2))
    memory.roll_up_all(LATER_US + 1, summarizer=other, choices=Choices(outdated=True))
    upgraded = {node.id: node for node in memory.nodes(Level.SEGMENT)}
    assert {node.recipe for node in upgraded.values()} == {other.recipe}
    assert rebuilds.run(now_us=LATER_US + 2).run.result == "done"
    kept = {node.id: node for node in memory.nodes(Level.SEGMENT) if node.id in upgraded}
    assert len(kept) == 5
    assert kept.items() <= upgraded.items()
    assert problems(memory) == []


def test_new_zone_data_that_came_in_between_moves_its_days(
    memory: Memory, rebuilds: Rebuilds
) -> None:
    """The offsets that it was begun with are made to differ, as they would after an update of the zone data."""
    rebuilds.run(calendar=TOKYO, most=4)
    store = memory.access.open_for_writing(None)
    view = store.building()
    assert view is not None
    table = view.zone_table()
    assert table is not None
    moved = (START_US + DAY_US, 3600), (START_US + 3 * DAY_US, 9 * 3600)
    mark_moved_days(view, set(), replace(table, transitions=[*table.transitions, *moved]))
    store.close()
    assert rebuilds.run().run.result == "done"
    assert closed(memory) == rebuilt(TOKYO, EVENTS)
    with memory.access.reading() as reader:
        assert reader.zone_table() == table


def test_another_calendar_begins_anew_and_abandoning_leaves_nothing(
    memory: Memory, rebuilds: Rebuilds
) -> None:
    before = memory.everything()
    rebuilds.run(calendar=TOKYO, most=4)
    berlin = Calendar("Europe/Berlin")
    assert rebuilds.run(calendar=berlin, most=1).run.result == "partial"
    assert "a rebuild with another calendar was begun: it is dropped" in rebuilds.said
    with memory.access.reading() as store:
        view = store.building()
        assert view is not None
        assert view.calendar == berlin
    rebuilds.job(abandon)
    after = memory.everything()
    now, then = (int(rows[keys.META].pop(b"sequence")) for rows in (after, before))
    assert now > then
    assert after == before
    assert rebuilds.run(calendar=berlin).run.result == "done"
    assert closed(memory) == rebuilt(berlin, EVENTS)


@pytest.mark.parametrize("numbers", [(72000,), NUMBERS[1::2]], ids=["few", "many"])
def test_failures_are_told_and_a_summarizer_that_fails_on_everything_takes_nothing(
    memory: Memory, rebuilds: Rebuilds, numbers: tuple[int, ...]
) -> None:
    def fail(request: Request) -> None:
        items = [item for section in request.sections for item in section.items]
        asked = {f"Why {number}?" for number in numbers}
        if request.level is Level.SEGMENT and any(item.text in asked for item in items):
            raise SummaryFailed("no answer")

    before = visible(memory)
    outcome = rebuilds.run(calendar=TOKYO, summarizer=Waiting(fail))
    assert (outcome.run.result, outcome.exit_code) == ("failed", 1)
    assert rebuilds.report.missing == len(numbers)
    assert rebuilds.report.is_taken_over == (len(numbers) == 1)
    if len(numbers) > 1:
        assert visible(memory) == before
        assert outcome.tally is not None
        assert any("--with-gaps takes it over" in one for one in outcome.tally.failures)
        rebuilds.run(summarizer=Waiting(fail), takes_gaps=True)
        assert rebuilds.report.is_taken_over
    assert problems(memory) == []
    memory.roll_up_all(LATER_US + DAY_US, calendar=TOKYO)
    assert closed(memory) == rebuilt(TOKYO, EVENTS)


def test_an_endpoint_that_is_down_changes_nothing_for_readers(
    memory: Memory, rebuilds: Rebuilds
) -> None:
    before, calls = visible(memory), [0]

    def go_down(_: Request) -> None:
        calls[0] += 1
        if calls[0] > 5:
            raise UnavailableError("down")

    outcome = rebuilds.run(calendar=TOKYO, summarizer=Waiting(go_down))
    assert (outcome.run.result, outcome.exit_code) == ("failed", 69)
    assert visible(memory) == before
    assert rebuilds.run().run.result == "done"
    assert closed(memory) == rebuilt(TOKYO, EVENTS)


def test_verify_names_a_generation_that_nobody_knows(memory: Memory) -> None:
    store = memory.access.open_for_writing(None)
    batch = store.engine.batch()
    batch.put(keys.MARKS, keys.generation(9) + b"\x01\x00\x00\x00\x01", keys.instant(1))
    store.engine.write(batch, sync=True)
    store.close()
    with memory.access.reading() as store:
        found = verify(store, LATER_US)
    assert [problem.where for problem in found.problems] == ["generation 9"]
    assert not found.half_built


def test_a_memory_of_nothing_needs_no_rebuild(tmp_path: Path) -> None:
    rebuilds = Rebuilds(Memory(tmp_path / "memory"))
    assert rebuilds.run(calendar=TOKYO).exit_code == 0
    assert "nothing to rebuild yet" in rebuilds.said[0]
    assert rebuilds.job(abandon).exit_code == 0
