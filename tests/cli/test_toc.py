"""`memtool toc`: a tree with scopes, titles, states and counts; straddling weeks under both months; JSON; errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from memtool.model.records import Rewind
from memtool.rollup.plan import Choices
from memtool.store.store import Store
from tests.cli.golden import Golden
from tests.cli.history import NOW_US, call, event, remember, seen
from tests.memory import Memory

Output = pytest.CaptureFixture[str]


def tree(memory: Memory, capsys: Output, *arguments: str) -> dict[str, Any]:
    assert call(memory.root, "toc", *arguments, "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def ids(entries: list[dict[str, Any]]) -> list[Any]:
    return [[entry["id"], *ids(entry["children"])] for entry in entries]


@pytest.mark.parametrize("columns", [80, 100])
@pytest.mark.parametrize("period", ["", "2026-12", "2026-11-29"])
def test_the_tree_as_it_is_read(memory: Memory, golden: Golden, columns: int, period: str) -> None:
    shown = seen(memory.root, "toc", *([period] if period else []), columns=columns)
    golden(f"toc-{period or 'all'}-{columns}", shown)


def test_piped_output_is_not_wrapped(memory: Memory, capsys: Output, golden: Golden) -> None:
    for arguments in (["toc", "--depth", "5"], ["show", "2026-11-29"], ["events"]):
        assert call(memory.root, *arguments, columns=40) == 0
    golden("piped", capsys.readouterr().out)


def test_years_go_down_to_weeks_and_a_straddling_week_is_under_both_its_months(
    memory: Memory, capsys: Output
) -> None:
    assert ids(tree(memory, capsys)["entries"]) == [
        ["year:2025", ["month:2025-12", ["week:2025-12-28"]]],
        [
            "year:2026",
            ["month:2026-11", ["week:2026-11-29"]],
            ["month:2026-12", ["week:2026-11-29"], ["week:2026-12-06"]],
        ],
    ]


def test_below_a_month_a_straddling_week_has_only_the_days_of_the_month(
    memory: Memory, capsys: Output
) -> None:
    november = tree(memory, capsys, "2026-11")["entries"]
    assert ids(november) == [["month:2026-11", ["week:2026-11-29", ["day:2026-11-29"]]]]
    assert november[0]["children"][0]["also_under"] == "month:2026-12"
    days = tree(memory, capsys, "week:2026-11-29")["entries"][0]["children"]
    assert [day["id"] for day in days] == ["day:2026-11-29", "day:2026-12-01", "day:2026-12-03"]


@pytest.mark.parametrize(
    ("period", "levels"),
    [("2026", 3), ("2026-12", 3), ("week:2026-11-29", 2), ("2026-W49", 2), ("2026-12-03", 2)],
)
def test_the_depth_suits_the_period(
    memory: Memory, capsys: Output, period: str, levels: int
) -> None:
    def height(entries: list[dict[str, Any]]) -> int:
        return max((1 + height(entry["children"]) for entry in entries), default=0)

    assert height(tree(memory, capsys, period)["entries"]) == levels
    assert height(tree(memory, capsys, period, "--depth", "1")["entries"]) == 2
    assert height(tree(memory, capsys, "--depth", "1")["entries"]) == 1
    assert height(tree(memory, capsys, "--depth", "9")["entries"]) == 5


def test_states_are_told_and_only_where_they_are_true(memory: Memory, capsys: Output) -> None:
    week = tree(memory, capsys, "week:2026-11-29")["entries"][0]
    assert week["state"] == ["stale", "incomplete"]
    assert {day["id"]: day["state"] for day in week["children"]} == {
        "day:2026-11-29": [],
        "day:2026-12-01": ["stale"],
        "day:2026-12-03": ["incomplete"],
    }
    segments = tree(memory, capsys, "2026-12-03")["entries"][0]["children"]
    assert [(segment["title"], segment["state"]) for segment in segments] == [
        (None, ["failed"]),
        ("Measure the current while it is asleep", []),
    ]


def test_another_recipe_makes_all_nodes_outdated(memory: Memory, capsys: Output) -> None:
    assert call(memory.root, "toc", "2025", MEMTOOL_SUMMARIZER__MAX_BULLETS="9") == 0
    assert capsys.readouterr().out.count("[outdated]") == 3


def test_what_was_not_summarised_yet_is_listed_with_the_command_that_does_it(
    tmp_path: Path, capsys: Output
) -> None:
    memory = Memory(tmp_path / "store")
    memory.take_in([event(1, "2026-12-08T10:00:00", "prompt", "Hello")])
    assert call(memory.root, "toc", "2026-12") == 0
    shown = capsys.readouterr().out
    assert "Tue 8 Dec 2026 · not summarized yet" in shown
    assert "memtool rollup all" in shown


def test_a_day_whose_events_were_all_taken_back_is_not_listed(
    tmp_path: Path, capsys: Output
) -> None:
    memory = Memory(tmp_path / "store")
    gone = event(1, "2026-12-08T10:00:00", "prompt", "Hello")
    memory.take_in([gone, Rewind(gone.id, 0)])
    assert call(memory.root, "toc") == 0
    assert "The memory is empty" in capsys.readouterr().out


def test_events_and_sessions_are_counted(memory: Memory, capsys: Output) -> None:
    month = tree(memory, capsys, "2026-12")["entries"][0]
    assert (month["events"], month["sessions"]) == (8, 2)
    assert month["projects"] == ["/home/mira/src/teeladen", "/home/mira/src/wetterstation"]


def test_events_that_came_after_a_day_was_summarized_count_at_once(
    tmp_path: Path, capsys: Output
) -> None:
    memory = remember(tmp_path / "store")

    def counts(*arguments: str) -> list[int]:
        (entry,) = tree(memory, capsys, *arguments)["entries"]
        return [entry["events"], *(child["events"] for child in entry["children"])]

    memory.roll_up_all(NOW_US, choices=Choices(include_open=True))
    before = counts("week:2026-12-06"), counts("2026-12")
    more = [event(90 + n, f"2026-12-10T09:0{n}:00", "answer", f"Voucher {n}") for n in range(3)]
    memory.take_in(more, now_us=NOW_US)
    after = counts("week:2026-12-06"), counts("2026-12")
    for old, new in zip(before, after, strict=True):
        assert new[0] == old[0] + 3
        assert new[-1] == old[-1] + 3
    memory.roll_up_all(NOW_US, choices=Choices(include_open=True))
    assert (counts("week:2026-12-06"), counts("2026-12")) == after


@pytest.mark.parametrize("period", [[], ["2026"]])
def test_for_years_no_segment_is_read_to_count_events(
    memory: Memory, capsys: Output, monkeypatch: pytest.MonkeyPatch, period: list[str]
) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("the sizes of segments were read")

    monkeypatch.setattr(Store, "cut_sizes", refused)
    year = tree(memory, capsys, *period)["entries"][-1]
    assert (year["events"], year["threads"]) == (None, {"in work": 1, "answered": 2})


def test_without_a_store_it_says_how_to_begin(tmp_path: Path, capsys: Output) -> None:
    assert call(tmp_path / "none", "toc", "last-week") == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "no memory yet" in said.err
    assert call(tmp_path / "none", "toc", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "kind": "toc", "version": 2, "exists": False, "zone": "UTC", "period": None, "entries": [],
    }  # fmt: skip
    assert not (tmp_path / "none").exists()


def test_a_period_without_events_is_no_error(memory: Memory, capsys: Output) -> None:
    assert call(memory.root, "toc", "2001-02") == 0
    assert capsys.readouterr().out == "Nothing was recorded in February 2001 (month:2001-02).\n"


@pytest.mark.parametrize(
    "text", ["soon", "2026-13", "9999-12-31", "week:0001-01-01", "0001", "segment:2026-12-03:00"]
)
def test_a_period_that_is_none_is_refused_with_the_forms_there_are(
    memory: Memory, capsys: Output, text: str
) -> None:
    assert call(memory.root, "toc", text) == 2
    said = capsys.readouterr().err
    assert text in said
    assert "2026-W47" in said


def test_a_node_of_the_json_tree_has_these_fields(memory: Memory, capsys: Output) -> None:
    found = tree(memory, capsys, "2025-12-31")
    assert {name: found[name] for name in ("kind", "version", "zone", "period")} == {
        "kind": "toc", "version": 2, "zone": "Europe/Berlin", "period": "day:2025-12-31",
    }  # fmt: skip
    day = found["entries"][0]
    segment = day.pop("children")[0]
    assert day == {
        "id": "day:2025-12-31", "level": "day", "scope": "Wed 31 Dec 2025",
        "title": "Close the books of the year", "state": [],
        "headlines": [{"state": "answered", "text": "Close the books of the year"}], "threads": {"answered": 1},
        "events": 2, "sessions": 1,
        "projects": ["/home/mira/src/teeladen"], "also_under": None,
    }  # fmt: skip
    assert segment["scope"] == "11:00–11:01 teeladen"
    assert segment["children"] == []
