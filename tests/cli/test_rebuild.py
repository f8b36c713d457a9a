"""`memtool rebuild` as a person calls it: what it costs, does, says and refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

Call = Callable[..., tuple[int, str, str]]
MONDAYS = {"MEMTOOL_CALENDAR__WEEK_STARTS_ON": "monday"}
TOKYO = {"MEMTOOL_CALENDAR__TIMEZONE": "Asia/Tokyo"}
PAGE = Path(__file__).resolve().parents[2] / "docs/json.md"


@pytest.fixture
def call(call: Call, tmp_path: Path) -> Call:
    """Return what runs a command, on a store with two days of work that are rolled up."""
    times = ("2026-03-01T20:00:00Z", "2026-03-03T10:00:00Z")
    events = [
        {"agent": "pi", "session": "s", "time": time, "kind": "prompt", "text": f"fix {time}"}
        for time in times
    ]
    file = tmp_path / "work.jsonl"
    file.write_text("".join(json.dumps(event) + "\n" for event in events))
    call("ingest", str(file))
    call("rollup", "all")
    return call


def test_what_stays_equal_is_copied_and_told(call: Call) -> None:
    code, out, err = call("rebuild")
    assert (code, out, err) == (0, "rebuild: done, 0 nodes written, 6 copied\n", "")


def test_a_dry_run_prices_another_calendar_and_the_rebuild_takes_it_on(call: Call) -> None:
    code, out, _ = call("rebuild", "--calendar", "--dry-run", **MONDAYS)
    assert code == 0
    assert out.splitlines()[:2] == [
        "calendar: week_starts_on sunday -> monday",
        "3 periods and 0 segments (0 tokens) to summarize, 3 summarizer calls at most; 4 nodes stay",
    ]
    assert "a model would take about" in out
    assert call("rollup", "week", **MONDAYS)[0] == 78
    code, out, _ = call("rebuild", "--calendar", **MONDAYS)
    assert code == 0
    assert out.startswith("rebuild: done, ")
    assert "memtool scheduler apply" in out
    assert call("rollup", "all", **MONDAYS)[0] == 0
    assert call("rollup", "week")[0] == 78
    assert "week_starts_on" not in call("rebuild", "--dry-run")[1]


def test_a_laptop_that_travels_asks_for_no_zone(call: Call) -> None:
    _, out, _ = call("rebuild", "--calendar", "--dry-run", MEMTOOL_CALENDAR__TIMEZONE="auto")
    assert "calendar:" not in out
    assert "0 summarizer calls" in out


def test_one_that_broke_off_says_so_everywhere_and_goes_on(call: Call) -> None:
    code, out, err = call("rebuild", "--calendar", "--max-calls", "2", **TOKYO)
    assert code == 0
    assert out.splitlines() == [
        "rebuild: partial, 2 nodes written, 1 copied",
        "the table of contents is the one before; memtool rebuild goes on",
    ]
    assert "the budget of 2 calls" in err
    assert "A rebuild is not finished" in call("verify")[1]
    assert json.loads(call("verify", "--json")[1])["half_built"] is True
    code, out, err = call("rebuild")
    assert code == 0
    assert "going on with the rebuild that was begun (Asia/Tokyo, 00:00, sunday)" in err
    assert "half done" not in call("verify")[1]
    runs = json.loads(call("scheduler", "history", "rebuild", "--json")[1])["runs"]
    assert [run["result"] for run in runs] == ["done", "partial"]
    assert call("scheduler", "status")[1].count("rebuild") == 0


def test_what_is_half_built_can_be_dropped(call: Call) -> None:
    call("rebuild", "--calendar", "--max-calls", "2", **TOKYO)
    assert call("rebuild", "--abandon")[::2] == (0, "dropped\n")
    assert call("rebuild", "--abandon")[2].startswith("no rebuild was begun")
    assert "half done" not in call("verify")[1]
    assert call("rollup", "all")[0] == 0


@pytest.mark.parametrize("other", ["--calendar", "--dry-run", "--with-gaps", "--max-calls=3"])
def test_abandoning_goes_with_nothing_else(call: Call, other: str) -> None:
    code, _, err = call("rebuild", "--abandon", other)
    assert code == 2
    assert "memtool rebuild --abandon" in err


def test_its_json_is_described(call: Call) -> None:
    part = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    page = next(one for one in part if one.startswith("rebuild\n"))
    run = set(json.loads(call("compact", "--json")[1]))
    for words in (("rebuild", "--json"), ("rebuild", "--dry-run", "--json")):
        shown = json.loads(call(*words)[1])
        assert shown["kind"].startswith("rebuild")
        for name in set(shown) - run:
            assert f"`{name}`" in page


def test_a_memory_of_nothing_is_no_error(call: Call, tmp_path: Path) -> None:
    empty = ("--store", str(tmp_path / "nothing"))
    code, out, err = call(*empty, "rebuild")
    assert (code, out) == (0, "")
    assert "nothing to rebuild yet" in err
    assert call(*empty, "rebuild", "--dry-run")[0] == 0
