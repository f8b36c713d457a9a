"""`memtool events`: the newest that fit, in order of time, by session, project, agent, kind and time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from memtool.model.records import Claim, Event, Rewind
from tests.cli.golden import Golden
from tests.cli.history import (
    ALL,
    DECEMBER,
    EARLY,
    LATE,
    NOVEMBER,
    OPEN,
    STATION,
    TEELADEN,
    call,
    event,
    seen,
)
from tests.memory import Memory

Output = pytest.CaptureFixture[str]


def listed(memory: Memory, capsys: Output, *arguments: str) -> dict[str, Any]:
    assert call(memory.root, "events", *arguments, "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def ids(memory: Memory, capsys: Output, *arguments: str) -> list[str]:
    return [one["id"] for one in listed(memory, capsys, *arguments)["events"]]


def in_time(*events: Event) -> list[str]:
    return [one.id for one in sorted(events, key=lambda one: one.time_us)]


@pytest.mark.parametrize("columns", [80, 100])
@pytest.mark.parametrize(
    ("name", "arguments"), [("all", []), ("full", ["--full", "--kind", "tool_result"])]
)
def test_the_list_as_it_is_read(
    memory: Memory, golden: Golden, *, columns: int, name: str, arguments: list[str]
) -> None:
    golden(f"events-{name}-{columns}", seen(memory.root, "events", *arguments, columns=columns))


CASES: dict[str, tuple[list[str], Sequence[Event]]] = {
    "nothing asked": ([], [one for one in ALL if one not in OPEN]),
    "session": (["--session", STATION.session], [*DECEMBER, *LATE]),
    "beginning of a session": (["--session", "c843"], [*DECEMBER, *LATE]),
    "project's last part": (["--project", "wetterstation"], [*DECEMBER, *LATE]),
    "part of a path, any case": (["--project", "SRC/tee"], [*EARLY, *NOVEMBER]),
    "agent": (["--agent", "claude-code"], [one for one in ALL if one not in OPEN]),
    "beginning of an agent": (["--agent", "Claude"], [one for one in ALL if one not in OPEN]),
    "another agent": (["--agent", "codex"], []),
    "kind": (["--kind", "tool_call"], [NOVEMBER[3]]),
    "kinds": (["--kind", "tool_call", "--kind", "thinking"], [NOVEMBER[1], NOVEMBER[3]]),
    "since a day": (["--since", "2026-12-03"], DECEMBER[2:]),
    "until a day, all of it": (["--until", "2025-12-31"], EARLY),
    "a month": (["--since", "2026-11", "--until", "2026-11"], NOVEMBER),
    "a week by its name": (["--since", "last-week", "--until", "last-week"], [*NOVEMBER, *DECEMBER, *LATE]),
    "an ISO week": (["--since", "2026-W49", "--until", "2026-W49"], [*NOVEMBER, *DECEMBER, *LATE]),
    "since an instant": (["--since", "2026-12-03T15:01:00Z"], DECEMBER[4:]),
    "since an instant elsewhere": (["--since", "2026-12-03T10:01:00-05:00"], DECEMBER[4:]),
    "until an instant, with it": (["--until", "2025-12-31T10:00:00Z"], EARLY[:1]),
    "since a minute of the store's clock": (["--since", "2026-12-03 16:01"], DECEMBER[4:]),
    "until a minute, all of it": (["--until", "2025-12-31T11:00"], EARLY[:1]),
    "until a second, all of it": (["--until", "2025-12-31T11:00:00"], EARLY[:1]),
    "all at once": (
        ["--session", "c843", "--kind", "prompt", "--since", "2026-12-01", "--until", "2026-12-01"],
        [DECEMBER[0], *LATE],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_asked_for_is_listed_in_order_of_time(
    memory: Memory, capsys: Output, case: str
) -> None:
    arguments, expected = CASES[case]
    until = [] if "--until" in arguments else ["--until", "2026-12-09"]
    assert ids(memory, capsys, *arguments, *until) == in_time(*expected)


def test_records_of_one_instant_are_in_the_order_of_the_conversation(
    memory: Memory, capsys: Output
) -> None:
    assert sorted(ids(memory, capsys, "--since", "today")) == sorted(one.id for one in OPEN)


def test_a_limit_keeps_the_newest_and_says_that_older_ones_exist(
    memory: Memory, capsys: Output
) -> None:
    assert call(memory.root, "events", "--limit", "2", "--until", "2026-12-09") == 0
    printed = capsys.readouterr()
    assert "newest 2 matches" in printed.err
    assert "--until 2026-12-03T16:00:00" in printed.err
    assert "Measure the current" in printed.out
    found = listed(memory, capsys, "--limit", "2", "--until", "2026-12-09")
    assert found["has_more"]
    assert [one["id"] for one in found["events"]] == in_time(*DECEMBER[3:])


def test_the_limit_that_is_named_is_one_that_is_taken(tmp_path: Path, capsys: Output) -> None:
    memory = Memory(tmp_path / "store")
    many = [
        event(number, f"2026-12-01T10:{number % 60:02}:00", "prompt", "x")
        for number in range(10_001)
    ]
    memory.take_in(many)
    assert call(memory.root, "events", "--limit", "2000") == 0
    assert "older ones: --limit 10000, or --until" in capsys.readouterr().err
    assert call(memory.root, "events", "--limit", "10000", "--full") == 0
    assert "older ones: --until" in capsys.readouterr().err


def test_a_limit_that_fits_exactly_leaves_nothing_to_say(memory: Memory, capsys: Output) -> None:
    assert not listed(memory, capsys, "--limit", str(len(ALL)))["has_more"]
    assert call(memory.root, "events", "--limit", str(len(ALL))) == 0
    assert capsys.readouterr().err == ""


def test_reverse_is_newest_first(memory: Memory, capsys: Output) -> None:
    forwards = ids(memory, capsys)
    assert ids(memory, capsys, "--reverse") == forwards[::-1]


def test_what_was_taken_back_is_listed_as_such(tmp_path: Path, capsys: Output) -> None:
    memory = Memory(tmp_path / "store")
    one = event(1, "2026-12-01T10:00:00", "prompt", "Never mind")
    memory.take_in([one, Rewind(one.id, 0)])
    assert listed(memory, capsys)["events"][0]["rewound"] is True
    assert call(memory.root, "events") == 0
    assert "(rewound) Never mind" in capsys.readouterr().out


def test_a_session_that_shares_an_event_lists_it_too(tmp_path: Path, capsys: Output) -> None:
    memory = Memory(tmp_path / "store")
    claims = (Claim("a-old", "/one"), Claim("b-new", "/two"))
    one = replace(event(1, "2026-12-01T10:00:00", "prompt", "Shared"), claims=claims)
    memory.take_in([one])
    assert ids(memory, capsys, "--session", "b-new") == [one.id]
    assert ids(memory, capsys, "--project", "two") == [one.id]


def test_a_short_session_is_one_that_session_takes(tmp_path: Path, capsys: Output) -> None:
    memory = Memory(tmp_path / "store")
    names = ["2026-12-01-a", "2026-12-01-b", "2026-12-01", "x"]
    memory.take_in(
        [
            event(number, f"2026-12-01T1{number}:00:00", "prompt", "Hi", Claim(name, "/p"))
            for number, name in enumerate(names)
        ]
    )
    assert call(memory.root, "events") == 0
    lines = capsys.readouterr().out.splitlines()
    shown = [line.rpartition("session ")[2] for line in lines if " · session " in line]
    assert shown == names
    for name in names:
        assert len(ids(memory, capsys, "--session", name)) == 1


def test_a_beginning_that_several_sessions_share_lists_them(tmp_path: Path, capsys: Output) -> None:
    memory = Memory(tmp_path / "store")
    memory.take_in(
        [
            event(number, "2026-12-01T10:00:00", "prompt", "Hi", Claim(f"same-{number}", "/p"))
            for number in range(30)
        ]
    )
    assert call(memory.root, "events", "--session", "same") == 2
    said = capsys.readouterr().err
    assert "30 sessions" in said
    assert "same-0" in said
    assert "and 20 more" in said


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--session", "nobody"], "no session begins with"),
        (["--kind", "prmpt"], "did you mean prompt?"),
        (["--kind", "nothing like it"], "a kind is one of: prompt, answer"),
        (["--since", "soon"], "2026-11-22T14:30"),
        (["--until", "2026-11-22T25:00"], "--until"),
        (["--until", "2026-02-30T10:00"], "2026-11-22T14:30"),
        (["--since", "2026-11-22T14:30:61Z"], "--since"),
        (["--limit", "0"], "--limit"),
        (["--limit", "10001"], "--limit"),
        (["--limit", "many"], "--limit"),
        (["extra"], "extra"),
    ],
)
def test_what_is_not_understood_is_refused_with_what_would_be(
    memory: Memory, capsys: Output, arguments: list[str], expected: str
) -> None:
    assert call(memory.root, "events", *arguments) == 2
    assert expected in capsys.readouterr().err


def test_nothing_that_fits_is_no_error(memory: Memory, capsys: Output) -> None:
    assert call(memory.root, "events", "--since", "2027") == 0
    assert capsys.readouterr().out == "No event matches.\n"


def test_without_a_store_it_says_how_to_begin(tmp_path: Path, capsys: Output) -> None:
    assert call(tmp_path / "none", "events") == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "no memory yet" in said.err
    assert call(tmp_path / "none", "events", "--session", "any", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "kind": "events", "version": 1, "exists": False, "zone": "UTC", "has_more": False, "events": [],
    }  # fmt: skip
    assert call(tmp_path / "none", "events", "--since", "soon") == 2


def test_an_event_has_the_names_of_the_event_schema(memory: Memory, capsys: Output) -> None:
    found = listed(memory, capsys, "--kind", "tool_call")
    assert (found["kind"], found["version"], found["zone"]) == ("events", 1, "Europe/Berlin")
    assert found["events"] == [
        {
            "id": NOVEMBER[3].id, "agent": "claude-code", "session": TEELADEN.session,
            "project": TEELADEN.project, "time_us": NOVEMBER[3].time_us,
            "time": "2026-11-29T09:00:06.000000+01:00", "kind": "tool_call", "role": "assistant",
            "text": "Read: shop/views.py", "group": "m-1", "metadata": {"tool": "Read"}, "rewound": False,
        }
    ]  # fmt: skip
