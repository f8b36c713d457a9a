"""`rollup --outdated`: newest first, to what a rebuilt store would hold, once, and on from where it was stopped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace

from memtool.agents.values import instant_us
from memtool.errors import UnavailableError
from memtool.jobs.runner import Outcome
from memtool.model.calendar import Calendar
from memtool.model.levels import PERIOD_LEVELS, Level
from memtool.model.records import Claim, Event, Node, Recipe, Record, digest_of, event_id
from memtool.model.summary import Draft, Request
from memtool.query.reader import Reader
from memtool.query.recipes import recipes
from memtool.query.verify import verify
from memtool.rollup.plan import Choices, forecast
from memtool.store import codec, keys
from memtool.summarize import Local, Options, Summarizer, make
from memtool.summarize.calls import Budget
from memtool.summarize.mock import Mock
from tests.memory import Memory
from tests.strategies import DAY_US, calendars, histories

MOCK = Mock(5)
UPGRADE = Choices(outdated=True)


def at(text: str) -> int:
    instant = instant_us(f"{text}Z")
    assert instant is not None, text
    return instant


NOW_US = at("2027-03-01T00:00:00")


@dataclass
class Newer:
    """A summarizer of another recipe, and of other words unless it is `quiet`; it notes what it is asked.

    It may break down after so many.
    """

    inner: Local = MOCK
    waits: Literal[False] = False
    quiet: bool = False
    breaks_after: int = 1 << 30
    asked: list[Request] = field(default_factory=list)

    @property
    def recipe(self) -> Recipe:
        return Recipe("newer", prompt="newer-1")

    def summarize(self, request: Request) -> Draft:
        if len(self.asked) >= self.breaks_after:
            raise UnavailableError("it is down")
        self.asked.append(request)
        draft = self.inner.summarize(request)
        return draft if self.quiet else replace(draft, title=f"new: {draft.title}")

    def scopes(self, level: Level) -> list[str]:
        return [request.scope for request in self.asked if request.level is level]


def said(text: str, when: str) -> Event:
    return Event(
        id=event_id(digest_of(text, when), 1),
        agent="test",
        claims=(Claim("s", "/home/u/s"),),
        time_us=at(when),
        kind="prompt",
        role="user",
        text=text,
        digest=digest_of(text, when),
        redaction=1,
    )


HISTORY = [
    said("close the books", "2025-12-30T09:00:00"),
    said("fix the login", "2026-11-02T10:00:00"),
    said("store format", "2026-11-02T14:00:00"),
    said("retry the queue", "2026-11-04T09:00:00"),
    said("deploy", "2026-11-11T09:00:00"),
    said("measure", "2027-02-28T09:00:00"),
]


def upgrade(
    memory: Memory, summarizer: Summarizer, choices: Choices = UPGRADE, now_us: int = NOW_US
) -> list[Outcome]:
    return memory.roll_up_all(now_us, summarizer=summarizer, choices=choices)


def calls(outcomes: list[Outcome]) -> int:
    return sum(outcome.run.calls for outcome in outcomes)


def all_nodes(memory: Memory) -> Iterator[Node]:
    for level in Level:
        yield from memory.nodes(level)


def outdated(memory: Memory, recipe: Recipe) -> dict[str, int]:
    reader = Reader(memory.root, NOW_US, memory.calendar, recipe)
    return {level: n for level, n in recipes(reader).outdated.nodes.items() if n}


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    memory = Memory(tmp_path / "memory")
    memory.take_in(HISTORY)
    memory.roll_up_all(NOW_US)
    return memory


def rebuilt(root: Path, summarizer: Summarizer) -> Memory:
    fresh = Memory(root)
    fresh.take_in(HISTORY)
    fresh.roll_up_all(NOW_US, summarizer=summarizer)
    return fresh


DAYS = ["Sun 28 Feb 2027", "Wed 11 Nov 2026", "Wed 4 Nov 2026", "Mon 2 Nov 2026", "Tue 30 Dec 2025"]


def test_the_newest_days_are_upgraded_first(memory: Memory) -> None:
    newer = Newer()
    upgrade(memory, newer)
    assert newer.scopes(Level.DAY) == DAYS
    levels = [request.level for request in newer.asked]
    assert levels[:3] == [Level.SEGMENT, Level.DAY, Level.SEGMENT]


def test_the_newest_are_upgraded_first_at_every_level(memory: Memory) -> None:
    """Where a recipe says the same, no parent is stale, and each level is upgraded for itself."""
    newer = Newer(quiet=True)
    upgrade(memory, newer)
    assert newer.scopes(Level.DAY) == DAYS
    weeks = ["Week 8–14 Nov 2026", "Week 1–7 Nov 2026", "Week 28 Dec 2025–3 Jan 2026"]
    assert newer.scopes(Level.WEEK) == weeks
    assert newer.scopes(Level.MONTH) == ["February 2027", "November 2026", "December 2025"]
    assert newer.scopes(Level.YEAR) == ["2026", "2025"]


def test_the_upgraded_store_is_the_rebuilt_one_byte_for_byte(
    memory: Memory, tmp_path: Path
) -> None:
    upgrade(memory, Newer())
    assert memory.closed_part(NOW_US) == rebuilt(tmp_path / "fresh", Newer()).closed_part(NOW_US)
    assert {node.recipe.summarizer for node in all_nodes(memory)} == {"newer"}
    with memory.access.reading() as store:
        assert verify(store, NOW_US).problems == []


def test_a_recipe_that_says_the_same_signs_every_node_anew(memory: Memory, tmp_path: Path) -> None:
    """Equal content makes no parent stale: each node is upgraded for its own recipe's sake."""
    same = make("mock", Options(max_bullets=7))
    upgrade(memory, same)
    assert memory.closed_part(NOW_US) == rebuilt(tmp_path / "fresh", same).closed_part(NOW_US)


@settings(
    max_examples=max(8, settings().max_examples // 25),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(calendars, histories())
def test_any_history_is_upgraded_to_the_rebuilt_one(
    calendar: Calendar, history: list[Record]
) -> None:
    last_us = max(getattr(record, "time_us", 0) for record in history)
    now_us = last_us + 40 * DAY_US  # the year, and perhaps the month, is open
    with TemporaryDirectory() as directory:
        old, fresh = (Memory(Path(directory) / name, calendar) for name in ("old", "fresh"))
        for one in (old, fresh):
            one.take_in(history)
        old.roll_up_all(now_us)
        upgrade(old, Newer(), now_us=now_us)
        fresh.roll_up_all(now_us, summarizer=Newer())
        assert old.closed_part(now_us) == fresh.closed_part(now_us)


def test_nothing_is_left_to_do_afterwards_no_call_and_no_write(memory: Memory) -> None:
    upgrade(memory, Newer())
    before = memory.everything()
    again = Newer()
    outcomes = upgrade(memory, again)
    assert (calls(outcomes), again.asked) == (0, [])
    assert [outcome.run.result for outcome in outcomes] == ["done"] * 4
    assert memory.everything() == before
    assert outdated(memory, again.recipe) == {}


def test_without_the_option_nothing_is_upgraded(memory: Memory) -> None:
    before = memory.everything()
    assert calls(upgrade(memory, Newer(), Choices())) == 0
    assert memory.everything() == before


def change(memory: Memory, nodes: list[Node]) -> None:
    """Put the nodes into the store behind its back."""
    store = memory.access.open_for_writing(None)
    batch = store.engine.batch()
    for node in nodes:
        key = keys.node(store.generation, node.id)
        batch.put(keys.NODES, key, codec.NODE.encode(node))
    store.engine.write(batch, sync=True)
    store.close()


def test_since_leaves_what_is_older(memory: Memory) -> None:
    since = memory.calendar.parse("2026-11-04", NOW_US)
    newer = Newer()
    upgrade(memory, newer, replace(UPGRADE, since=since))
    assert newer.scopes(Level.DAY) == DAYS[:3]
    by_day = {str(node.id): node.recipe.summarizer for node in memory.nodes(Level.DAY)}
    assert (by_day["day:2026-11-04"], by_day["day:2026-11-02"]) == ("newer", "mock")


def test_an_open_period_waits_unless_it_is_asked_for(memory: Memory) -> None:
    noon_us = at("2026-11-11T12:00:00")
    early = Memory(memory.root.parent / "early")
    early.take_in(HISTORY[:5])
    early.roll_up_all(noon_us, choices=Choices(include_open=True))
    newer = Newer()
    upgrade(early, newer, now_us=noon_us)
    assert "Wed 11 Nov 2026" not in newer.scopes(Level.DAY)
    upgrade(early, newer, replace(UPGRADE, include_open=True), noon_us)
    assert newer.scopes(Level.DAY)[-1] == "Wed 11 Nov 2026"
    assert outdated(early, newer.recipe) == {}


def interrupted_by_a_failure(memory: Memory, done: int) -> None:
    outcome = memory.roll_up(
        Level.DAY, NOW_US, summarizer=Newer(breaks_after=done), choices=UPGRADE
    )
    assert outcome.exit_code == 69


@pytest.mark.parametrize("done", [1, 2, 5, 8])
def test_an_interrupted_upgrade_goes_on_where_it_was(
    memory: Memory, tmp_path: Path, done: int
) -> None:
    whole = rebuilt(tmp_path / "fresh", newest := Newer())
    interrupted_by_a_failure(memory, done)
    rest = Newer()
    upgrade(memory, rest)
    assert len(rest.asked) + done == len(newest.asked)
    assert memory.closed_part(NOW_US) == whole.closed_part(NOW_US)


def test_an_upgrade_within_a_budget_takes_several_nights_and_no_day_twice(
    memory: Memory, tmp_path: Path
) -> None:
    """What lies above days that are upgraded in different nights is written in each of them."""
    whole = rebuilt(tmp_path / "fresh", newest := Newer())
    newer = Newer()
    results = [
        memory.roll_up(
            level, NOW_US, summarizer=newer, choices=UPGRADE, budget=Budget(calls_per_run=3)
        ).run.result
        for _ in range(4)
        for level in PERIOD_LEVELS
    ]
    assert results[0] == "partial"
    assert results[-4:] == ["done"] * 4
    for level in (Level.SEGMENT, Level.DAY):
        assert sorted(newer.scopes(level)) == sorted(newest.scopes(level))
    assert memory.closed_part(NOW_US) == whole.closed_part(NOW_US)


def test_new_events_in_the_middle_of_an_upgrade_are_in_it(memory: Memory, tmp_path: Path) -> None:
    interrupted_by_a_failure(memory, 5)
    late = said("a late thought", "2026-11-03T08:00:00")
    memory.take_in([late])
    memory.roll_up_all(NOW_US, summarizer=Newer())
    upgrade(memory, Newer())
    whole = Memory(tmp_path / "fresh")
    whole.take_in([*HISTORY, late])
    whole.roll_up_all(NOW_US, summarizer=Newer())
    assert memory.closed_part(NOW_US) == whole.closed_part(NOW_US)


def by_forecast(memory: Memory) -> tuple[int, int]:
    with memory.access.reading() as store:
        found = forecast(store, PERIOD_LEVELS, UPGRADE, NOW_US, Newer())
        return found.calls, found.spend


def by_counting(memory: Memory) -> tuple[int, int]:
    reader = Reader(memory.root, NOW_US, memory.calendar, Newer().recipe)
    price = recipes(reader).outdated
    return price.calls, price.spend


def test_what_is_counted_is_what_the_dry_run_says_and_what_is_done(memory: Memory) -> None:
    assert by_counting(memory) == by_forecast(memory)
    foretold, _ = by_counting(memory)
    assert calls(upgrade(memory, Newer())) == foretold
    assert by_counting(memory) == (0, 0)
