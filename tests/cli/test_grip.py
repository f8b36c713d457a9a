"""`memtool grip`: the cited words in their conversation, joined as people saw it; what is gone is said to be so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from memtool.model.levels import Level
from memtool.model.records import (
    Bullet,
    Claim,
    Event,
    Grip,
    Node,
    NodeId,
    Record,
    Rewind,
    Tombstone,
    Write,
    grip_id,
)
from memtool.store.toc import put_node
from tests.cli.golden import Golden
from tests.cli.history import NOVEMBER, NOW_US, Scribe, call, event, grips_of, seen
from tests.memory import Memory

Output = pytest.CaptureFixture[str]


def proof(memory: Memory, capsys: Output, grip: str, *arguments: str) -> dict[str, Any]:
    assert call(memory.root, "grip", grip, "--json", *arguments) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def texts(messages: list[dict[str, Any]]) -> list[list[str]]:
    return [[one["text"] for one in message["events"]] for message in messages]


def summarized(root: Path, *events: Record) -> Memory:
    memory = Memory(root)
    memory.take_in(events)
    assert memory.roll_up(Level.DAY, NOW_US, summarizer=Scribe()).exit_code == 0
    return memory


@pytest.mark.parametrize("columns", [80, 100])
@pytest.mark.parametrize(
    ("name", "words"), [("prompt", "Why do"), ("part", "A double"), ("wide", "請求書")]
)
def test_a_proof_as_it_is_read(
    memory: Memory, golden: Golden, *, columns: int, name: str, words: str
) -> None:
    (grip,) = grips_of(memory, words)
    golden(f"grip-{name}-{columns}", seen(memory.root, "grip", grip, columns=columns))


def test_the_parts_of_one_message_are_joined_and_roles_told_apart(
    memory: Memory, capsys: Output
) -> None:
    (grip,) = grips_of(memory, "A double")
    found = proof(memory, capsys, grip, "--before", "1", "--after", "2")
    assert [message["role"] for message in found["before"]] == ["user"]
    assert texts(found["cited"]) == [[one.text for one in NOVEMBER[1:4]]]
    assert [message["role"] for message in found["after"]] == ["tool", "assistant"]
    spans = [one["span"] for one in found["cited"][0]["events"]]
    assert spans == [[0, len(NOVEMBER[1].text)], None, None]


@pytest.mark.parametrize(("before", "after"), [(0, 0), (1, 0), (0, 1), (3, 3), (1000, 1000)])
def test_so_many_messages_are_shown_on_both_sides(
    memory: Memory, capsys: Output, before: int, after: int
) -> None:
    (grip,) = grips_of(memory, "A double")
    found = proof(memory, capsys, grip, "--before", str(before), "--after", str(after))
    assert len(found["before"]) == min(before, 3)
    assert len(found["after"]) == min(after, 4)
    assert len(found["cited"]) == 1


def test_neighbours_are_found_however_far_away_and_past_other_sessions(
    tmp_path: Path, capsys: Output
) -> None:
    other = Claim("zz", "/other")
    far = [
        event(number, f"2026-{number:02}-03T12:00:00", "prompt", f"month {number}")
        for number in range(1, 12)
    ]
    noise = [
        event(100 + number, f"2026-{number:02}-03T12:00:01", "prompt", "noise", other)
        for number in range(1, 12)
    ]
    memory = summarized(tmp_path / "store", *far, *noise)
    (grip,) = grips_of(memory, "month 6")
    found = proof(memory, capsys, grip)
    assert texts(found["before"]) == [["month 4"], ["month 5"]]
    assert texts(found["after"]) == [["month 7"], ["month 8"]]


def test_equal_times_are_in_the_order_of_the_conversation(tmp_path: Path, capsys: Output) -> None:
    first = event(7, "2026-12-01T10:00:00", "prompt", "first")
    second = event(3, "2026-12-01T10:00:00", "answer", "second", parent=first.record)
    third = event(5, "2026-12-01T10:00:00", "prompt", "third", parent=second.record)
    memory = summarized(tmp_path / "store", third, second, first)
    found = proof(memory, capsys, grips_of(memory, "second")[0])
    assert texts([*found["before"], *found["cited"], *found["after"]]) == [
        ["first"], ["second"], ["third"],
    ]  # fmt: skip


def test_a_fork_shows_what_it_shares_with_the_session_that_it_came_from(
    tmp_path: Path, capsys: Output
) -> None:
    old, new = Claim("a-old", "/p"), Claim("b-new", "/p")
    shared = replace(event(1, "2026-12-01T10:00:00", "prompt", "shared", old), claims=(old, new))
    stayed = event(2, "2026-12-01T10:01:00", "answer", "only in the old one", old)
    forked = event(3, "2026-12-01T10:02:00", "answer", "only in the new one", new)
    memory = summarized(tmp_path / "store", shared, stayed, forked)
    found = proof(memory, capsys, grips_of(memory, "only in the new")[0])
    assert texts(found["before"]) == [["shared"]]


@pytest.mark.parametrize(
    ("record", "reason", "said"),
    [
        (lambda one: Rewind(one.id, 0), "rewound", "rewound by its source"),
        (lambda one: Tombstone(one.id, "forgotten", NOW_US), "forgotten", "forgotten on request"),
    ],
)
def test_an_excerpt_whose_event_is_gone_is_kept_and_said_to_be_so(
    tmp_path: Path, capsys: Output, record: Any, reason: str, said: str
) -> None:
    one = event(1, "2026-12-01T10:00:00", "prompt", "These words stay")
    memory = summarized(tmp_path / "store", one)
    (grip,) = grips_of(memory, "These words")
    memory.take_in([record(one)])
    found = proof(memory, capsys, grip)
    assert found["gone"] == [{"event": one.id, "reason": reason}]
    assert (found["excerpt"], found["verbatim"], found["cited"]) == ("These words stay", False, [])
    assert call(memory.root, "grip", grip) == 0
    shown = capsys.readouterr().out
    assert said in shown
    assert "▶These words stay◀" in shown


def test_an_excerpt_whose_event_was_revised_is_shown_as_it_was(
    tmp_path: Path, capsys: Output
) -> None:
    one = event(1, "2026-12-01T10:00:00", "prompt", "These words stay")
    memory = summarized(tmp_path / "store", one)
    (grip,) = grips_of(memory, "These words")
    memory.take_in([replace(one, text="New words", digest="0" * 32, revision=1)])
    assert call(memory.root, "grip", grip) == 0
    shown = capsys.readouterr().out
    assert "the source has changed this text since" in shown
    assert "▶These words stay◀" in shown
    assert "New words" in shown


def test_long_messages_are_shortened_around_the_words_and_whole_with_full(
    tmp_path: Path, capsys: Output
) -> None:
    long = "Cited line\n" + "\n".join(f"line {number} " + "x" * 30 for number in range(200))
    memory = summarized(tmp_path / "store", event(1, "2026-12-01T10:00:00", "prompt", long))
    (grip,) = grips_of(memory, "Cited")
    assert call(memory.root, "grip", grip) == 0
    short = capsys.readouterr().out
    assert "more characters]" in short
    assert len(short.splitlines()) < 20
    assert call(memory.root, "grip", grip, "--full") == 0
    assert "line 199" in capsys.readouterr().out


def test_a_message_without_words_can_be_cited(tmp_path: Path, capsys: Output) -> None:
    memory = summarized(
        tmp_path / "store", event(1, "2026-12-01T10:00:00", "prompt", "Hello there")
    )
    with memory.access.reading() as store:
        assert list(store.citations())
    empty: Event = event(2, "2026-12-02T10:00:00", "prompt", "\n ")
    memory.take_in([empty])
    grip = Grip(grip_id((empty.id,), 0, 0), (empty.id,), 0, 0, "")
    store = memory.access.open_for_writing(None)
    put_node(
        store,
        Node(
            NodeId("day:2026-12-02"),
            "t",
            (Bullet("b", (grip.id,)),),
            (),
            (grip,),
            (),
            (),
            "i",
            Scribe().recipe,
        ),
        Write(1, "run"),
        seen=None,
    )
    store.close()
    assert call(memory.root, "grip", grip.id) == 0
    assert "(no text)" in capsys.readouterr().out


def test_the_nodes_that_cite_it_are_named(memory: Memory, capsys: Output) -> None:
    (grip,) = grips_of(memory, "Close the")
    nodes = [one["id"] for one in proof(memory, capsys, grip)["nodes"]]
    assert nodes[0].startswith("segment:2025-12-31:")
    assert nodes[1:] == ["day:2025-12-31", "week:2025-12-28", "month:2025-12", "year:2025"]


def test_a_beginning_of_four_digits_is_enough(memory: Memory, capsys: Output) -> None:
    (grip,) = grips_of(memory, "Close the")
    for digits in (4, 5, 7, 31, 32):
        assert proof(memory, capsys, grip[:digits].upper())["id"] == grip


def alike() -> tuple[Event, Event]:
    """Return two events the grips of whose whole text begin with the same four digits."""
    seen: dict[str, Event] = {}
    for number in range(5000):
        one = event(number, f"2026-12-01T10:{number % 60:02}:00", "prompt", "Alike")
        beginning = grip_id((one.id,), 0, len(one.text))[:4]
        if beginning in seen:
            return seen[beginning], one
        seen[beginning] = one
    raise AssertionError("unreachable: a birthday among 65,536 days")


def test_a_beginning_that_several_share_lists_them(tmp_path: Path, capsys: Output) -> None:
    memory = summarized(tmp_path / "store", *alike())
    ids = grips_of(memory, "Alike")
    assert call(memory.root, "grip", ids[0][:4]) == 2
    said = capsys.readouterr().err
    assert all(one in said for one in ids)


@pytest.mark.parametrize("text", ["abc", "nothex", "", "f" * 33, "../..", "\x1b[31m"])
def test_what_is_no_grip_is_refused_with_the_form_expected(
    memory: Memory, capsys: Output, text: str
) -> None:
    assert call(memory.root, "grip", text) == 2
    said = capsys.readouterr().err
    assert "4 to 32 hex digits" in said
    assert "\x1b" not in said


def test_a_grip_that_nothing_cites_is_refused(memory: Memory, capsys: Output) -> None:
    assert call(memory.root, "grip", "0123456789abcdef") == 2
    assert "no node cites" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [("--before", "-1"), ("--after", "many")])
def test_a_number_of_messages_is_a_number(
    memory: Memory, capsys: Output, arguments: tuple[str, str]
) -> None:
    assert call(memory.root, "grip", "abcd", *arguments) == 2
    assert arguments[0] in capsys.readouterr().err


def test_without_a_store_there_is_no_grip(tmp_path: Path, capsys: Output) -> None:
    assert call(tmp_path / "none", "grip", "abcd") == 0
    assert "no memory yet" in capsys.readouterr().err
    assert call(tmp_path / "none", "grip", "xyz") == 2


def test_json_names_everything(memory: Memory, capsys: Output) -> None:
    (grip,) = grips_of(memory, "Close the")
    found = proof(memory, capsys, grip)
    assert set(found) == {
        "kind", "version", "exists", "id", "short", "zone", "excerpt", "start", "end", "events", "verbatim", "gone",
        "session", "project", "agent", "before", "cited", "after", "nodes",
    }  # fmt: skip
    assert (found["kind"], found["version"]) == ("grip", 1)
    assert set(found["cited"][0]) == {"role", "time", "time_us", "events"}
    assert set(found["cited"][0]["events"][0]) == {
        "id", "agent", "session", "project", "time", "time_us", "kind", "role", "text", "group", "metadata",
        "rewound", "span",
    }  # fmt: skip
