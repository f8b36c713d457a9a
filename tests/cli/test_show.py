"""`memtool show`: a node in full, whatever state it is in; ids as people type them; JSON; errors."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from memtool.model.calendar import Calendar
from memtool.model.levels import Level
from memtool.model.records import NodeId
from memtool.rollup.plan import Choices
from memtool.store import keys
from tests.cli.golden import Golden
from tests.cli.history import EARLY, NOVEMBER, NOW_US, TEELADEN, Scribe, at, call, event, seen
from tests.memory import Memory

Output = pytest.CaptureFixture[str]


def node(memory: Memory, capsys: Output, name: str) -> dict[str, Any]:
    assert call(memory.root, "show", name, "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def segments_of(memory: Memory, day: str) -> list[str]:
    with memory.access.reading() as store:
        return [found.id for found in store.nodes(Level.SEGMENT) if f":{day}:" in found.id]


NODES = {
    "day": "2026-11-29",
    "stale-week": "week:2026-11-29",
    "incomplete-day": "2026-12-03",
    "open-month": "2026-12",
    "waiting-day": "2026-12-10",
    "year": "2025",
}


@pytest.mark.parametrize("columns", [80, 100])
@pytest.mark.parametrize("name", NODES)
def test_a_node_as_it_is_read(memory: Memory, golden: Golden, columns: int, name: str) -> None:
    golden(f"show-{name}-{columns}", seen(memory.root, "show", NODES[name], columns=columns))


def test_a_segment_as_it_is_read(memory: Memory, golden: Golden) -> None:
    first = segments_of(memory, "2026-11-29")[0]
    golden("show-segment-80", seen(memory.root, "show", first))


@pytest.mark.parametrize(
    ("text", "node_id"),
    [
        ("2026-11-29", "day:2026-11-29"),
        ("day:2026-11-29", "day:2026-11-29"),
        ("2026-W49", "week:2026-11-29"),
        ("week:2026-12-02", "week:2026-11-29"),
        ("last-week", "week:2026-11-29"),
        ("today", "day:2026-12-10"),
        ("last-year", "year:2025"),
        (" 2026-11 ", "month:2026-11"),
    ],
)
def test_periods_are_understood_as_everywhere(
    memory: Memory, capsys: Output, text: str, node_id: str
) -> None:
    assert node(memory, capsys, text)["id"] == node_id


def shown(memory: Memory, capsys: Output, name: str, **environ: str) -> str:
    """Return what is printed, wrapped lines joined."""
    assert call(memory.root, "show", name, columns=80, **environ) == 0
    return " ".join(capsys.readouterr().out.split())


def test_another_recipe_makes_a_node_outdated_and_says_how_to_write_it_anew(
    memory: Memory, capsys: Output
) -> None:
    said = shown(memory, capsys, "2025-12", MEMTOOL_SUMMARIZER__MAX_BULLETS="9")
    assert "[outdated]" in said
    assert "memtool rollup month --force month:2025-12" in said


def test_an_open_node_that_is_stale_names_the_command_that_mends_it_now(
    tmp_path: Path, capsys: Output
) -> None:
    memory = Memory(tmp_path / "store")
    memory.take_in([event(1, "2026-12-10T08:00:00", "prompt", "Hello")])
    choices = Choices(include_open=True)
    memory.roll_up(Level.DAY, NOW_US, summarizer=Scribe(), choices=choices)
    memory.take_in([event(2, "2026-12-10T08:01:00", "prompt", "More")])
    said = shown(memory, capsys, "today")
    assert "[open] [stale]" in said
    assert "memtool rollup day --include-open updates it" in said


def test_a_segment_that_failed_tells_when_it_is_tried_again(memory: Memory, capsys: Output) -> None:
    gap = node(memory, capsys, "2026-12-03")["gaps"][0]["id"]
    said = shown(memory, capsys, gap)
    assert "not summarized yet [failed]" in said
    assert "failed 1 time: the answer was not usable; next try after Tue 8 Dec 2026 06:00" in said


def test_many_gaps_are_counted_not_all_listed(tmp_path: Path, capsys: Output) -> None:
    memory = Memory(tmp_path / "store")
    poison = [
        event(hour, f"2026-12-08T{hour:02}:00:00", "prompt", "Poison" if hour else "Fine")
        for hour in range(24)
    ]
    memory.take_in(poison)
    memory.roll_up(Level.DAY, NOW_US, summarizer=Scribe({"Poison"}))
    said = shown(memory, capsys, "2026-12-08")
    assert said.count("is missing (the answer was not usable)") == 10
    assert "incomplete: 13 more are missing" in said


def test_a_segment_of_a_day_that_ends_late_tells_on_which_date_it_ended(
    tmp_path: Path, capsys: Output
) -> None:
    memory = Memory(tmp_path / "store", Calendar("UTC", 240))
    memory.take_in(
        [
            event(1, "2026-12-08T23:50:00", "prompt", "Late"),
            event(2, "2026-12-09T00:10:00", "answer", "Later"),
        ]
    )
    memory.roll_up(Level.DAY, NOW_US, summarizer=Scribe())
    assert "23:50 to Wed 9 Dec 2026 00:10 teeladen · Late" in shown(memory, capsys, "2026-12-08")


def test_a_node_without_a_record_of_its_writing_is_shown_all_the_same(
    tmp_path: Path, capsys: Output
) -> None:
    memory = Memory(tmp_path / "store")
    memory.take_in([event(1, "2026-12-08T10:00:00", "prompt", "Hello")])
    memory.roll_up(Level.DAY, NOW_US, summarizer=Scribe())
    store = memory.access.open_for_writing(None)
    batch = store.engine.batch()
    batch.delete(keys.WRITES, keys.node(store.generation, NodeId("day:2026-12-08")))
    store.engine.write(batch, sync=True)
    store.close()
    assert "written by mock" in shown(memory, capsys, "2026-12-08")
    assert node(memory, capsys, "2026-12-08")["written"] is None


def test_a_segment_is_found_by_the_beginning_of_its_id(memory: Memory, capsys: Output) -> None:
    for segment in segments_of(memory, "2026-11-29"):
        for text in (segment, segment[:-10], segment.removeprefix("segment:")[:-12]):
            assert node(memory, capsys, text)["id"] == segment


def test_a_beginning_that_several_segments_share_lists_them(tmp_path: Path, capsys: Output) -> None:
    memory = Memory(tmp_path / "store")
    memory.take_in(
        [event(hour, f"2026-12-08T{hour:02}:00:00", "prompt", "Hello") for hour in range(24)]
    )
    memory.roll_up(Level.DAY, NOW_US, summarizer=Scribe())
    ids = segments_of(memory, "2026-12-08")
    shared = next(one[:-15] for one in ids if sum(other[:-15] == one[:-15] for other in ids) > 1)
    assert call(memory.root, "show", shared) == 2
    said = capsys.readouterr().err
    assert all(one in said for one in ids if one.startswith(shared))


def test_every_grip_that_is_shown_is_one_that_grip_takes(memory: Memory, capsys: Output) -> None:
    assert call(memory.root, "show", "2026-11") == 0
    shown = re.findall(r"^  grips? ([0-9a-f ]+)$", capsys.readouterr().out, re.MULTILINE)
    assert shown
    for short in " ".join(shown).split():
        assert len(short) >= 6
        assert call(memory.root, "grip", short) == 0


def test_what_to_type_next_works(memory: Memory, capsys: Output) -> None:
    assert call(memory.root, "show", "2026-11-29") == 0
    hints = re.findall(r": memtool (.+)$", capsys.readouterr().out, re.MULTILINE)
    assert len(hints) == 3
    for hint in hints:
        assert call(memory.root, *hint.split()) == 0


def test_json_has_all_that_is_known_of_a_node(memory: Memory, capsys: Output) -> None:
    found = node(memory, capsys, "2025-12-31")
    grips = found.pop("grips")
    by_excerpt = {grip["excerpt"]: grip["id"] for grip in grips}
    written = found.pop("written")
    child = found.pop("children")[0]
    (thread,) = found.pop("threads")
    assert found == {
        "kind": "node", "version": 2, "exists": True, "id": "day:2025-12-31", "level": "day",
        "scope": "Wed 31 Dec 2025",
        "title": "Close the books of the year", "state": [], "events": 2, "sessions": 1,
        "projects": ["/home/mira/src/teeladen"], "also_under": None, "zone": "Europe/Berlin",
        "bullets": [{"text": text, "grips": [by_excerpt[text]]} for text in (EARLY[0].text, EARLY[1].text)],
        "keywords": found["keywords"], "parents": ["week:2025-12-28", "month:2025-12"], "gaps": [],
        "recipe": {"summarizer": "mock", "model": "", "prompt": found["recipe"]["prompt"], "settings": "max_bullets=5"},
        "failure": None, "segment": None, "rest": [], "tokens": [],
        "resume": [{"session": EARLY[0].session, "command": f"claude --resume {EARLY[0].session}",
                    "time_us": EARLY[0].time_us, "time": "2025-12-31T11:00:00.000000+01:00"}],
    }  # fmt: skip
    assert thread["headline"] == "Close the books of the year"
    assert (thread["state"], thread["shown"]) == ("answered", True)
    assert {"text", "kind", "grips", "shown", "weight", "time_us"} <= set(thread["points"][0])
    assert set(grips[0]) == {"id", "short", "events", "start", "end", "excerpt"}
    assert written["time"] == "2026-12-08T05:00:00.000000+01:00"
    assert written["time_us"] == at("2026-12-08T04:00:00")
    assert re.fullmatch("[0-9a-f]{12}", written["run"])
    assert child["level"] == "segment"


def test_json_of_a_segment_has_its_events(memory: Memory, capsys: Output) -> None:
    found = node(memory, capsys, segments_of(memory, "2026-11-29")[0])
    segment = found["segment"]
    assert segment["session"] == TEELADEN.session
    assert segment["project"] == TEELADEN.project
    assert segment["agent"] == "claude-code"
    assert segment["events"] == [
        one.id for one in NOVEMBER if segment["start_us"] <= one.time_us <= segment["end_us"]
    ]
    assert found["parents"] == ["day:2026-11-29"]


def test_json_tells_gaps_and_failures(memory: Memory, capsys: Output) -> None:
    day = node(memory, capsys, "2026-12-03")
    assert day["state"] == ["incomplete"]
    gap = day["gaps"][0]
    assert gap["error"] == "the answer was not usable"
    failure = node(memory, capsys, gap["id"])["failure"]
    assert failure["error"] == "the answer was not usable"
    assert failure["count"] == 1
    assert failure["retry_us"] > at("2026-12-08T04:00:00")


@pytest.mark.parametrize(
    "text",
    ["nonsense", "2026-13-01", "", "segment:2026-11-29:", "segment:2026-02-30:ab", "grip:ab"],
)
def test_a_node_that_is_none_is_refused_with_the_forms_there_are(
    memory: Memory, capsys: Output, text: str
) -> None:
    assert call(memory.root, "show", text) == 2
    said = capsys.readouterr().err
    assert "2026-W47" in said
    assert "segment:2026-11-22:4ac3" in said


@pytest.mark.parametrize("text", ["2001", "2026-11-30", "segment:2026-11-30:ab", "2199-12-31"])
def test_a_node_that_is_not_there_is_refused(memory: Memory, capsys: Output, text: str) -> None:
    assert call(memory.root, "show", text) == 2
    assert "memtool toc" in capsys.readouterr().err


def test_without_a_store_there_is_no_node(tmp_path: Path, capsys: Output) -> None:
    assert call(tmp_path / "none", "show", "today") == 0
    assert "no memory yet" in capsys.readouterr().err
    assert call(tmp_path / "none", "show", "soon") == 2
    assert not (tmp_path / "none").exists()
