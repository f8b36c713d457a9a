"""`memtool verify`: healthy or not, what waits, what is strange; exit 1 for problems and for nothing else."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from memtool.model.levels import Level
from memtool.model.records import NodeId
from memtool.model.threads import Signal, Thread, Turn, body_of, threads_in, turns_in
from memtool.query import verify
from memtool.store import codec, keys
from memtool.store.access import FORMAT
from memtool.summarize import Options, make
from tests.cli.golden import Golden
from tests.cli.history import NOW_US, Scribe, at, call, event, seen
from tests.memory import Memory
from tests.signals.talk import Talk

Output = pytest.CaptureFixture[str]


def verified(memory: Memory, capsys: Output) -> dict[str, Any]:
    call(memory.root, "verify", "--json")
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def damaged(root: Path) -> Memory:
    """Return a memory that lost its index of ids."""
    memory = Memory(root)
    memory.take_in(
        [event(number, f"2026-12-01T10:{number:02}:00", "prompt", "Hello") for number in range(60)]
    )
    memory.roll_up(Level.DAY, NOW_US, summarizer=Scribe())
    store = memory.access.open_for_writing(None)
    batch = store.engine.batch()
    for key, _ in list(store.engine.scan(keys.IDS)):
        batch.delete(keys.IDS, key)
    store.engine.write(batch, sync=True)
    store.close()
    return memory


def strange(root: Path) -> Memory:
    memory = Memory(root)
    memory.take_in(
        [
            event(1, "1970-01-01T12:00:00", "prompt", "The beginning"),
            event(2, "2100-01-01T12:00:00", "prompt", "The future"),
        ]
    )
    return memory


def test_a_healthy_store_as_it_is_read(memory: Memory, golden: Golden) -> None:
    golden("verify-80", seen(memory.root, "verify"))


def test_what_waits_is_told_and_is_no_problem(memory: Memory, capsys: Output) -> None:
    found = verified(memory, capsys)
    assert found["healthy"] is True
    assert (found["problem_count"], found["problems"]) == (0, [])
    assert "day:2026-12-01" in found["stale"]
    assert "week:2026-11-29" in found["stale"]
    assert "the answer was not usable" in {one["error"] for one in found["failed"]}


def test_problems_are_named_counted_and_exit_1(tmp_path: Path, capsys: Output) -> None:
    memory = damaged(tmp_path / "store")
    assert call(memory.root, "verify") == 1
    shown = capsys.readouterr().out
    assert "the index by id does not lead to it" in shown
    assert "… and " in shown
    assert "Not healthy" in shown
    found = verified(memory, capsys)
    assert found["healthy"] is False
    assert found["problem_count"] > len(found["problems"]) == 50
    assert set(found["problems"][0]) == {"where", "what"}


def test_events_at_strange_times_are_listed_and_are_no_problem(
    tmp_path: Path, capsys: Output
) -> None:
    memory = strange(tmp_path / "store")
    assert call(memory.root, "verify") == 0
    shown = capsys.readouterr().out
    assert "2 events at a strange time" in shown
    assert "Thu 1 Jan 1970 12:00" in shown
    assert "Fri 1 Jan 2100 12:00" in shown
    found = verified(memory, capsys)
    assert found["strange_count"] == 2
    assert [one["time"] for one in found["strange_events"]] == [
        "1970-01-01T12:00:00.000000+00:00", "2100-01-01T12:00:00.000000+00:00",
    ]  # fmt: skip


def test_without_a_store_there_is_nothing_wrong(tmp_path: Path, capsys: Output) -> None:
    assert call(tmp_path / "none", "verify") == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "no memory yet" in said.err
    assert call(tmp_path / "none", "verify", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["exists"], found["healthy"]) == (False, True)


def test_a_store_that_cannot_be_read_exits_74(tmp_path: Path, capsys: Output) -> None:
    memory = strange(tmp_path / "store")
    (memory.access.path / "CURRENT").write_text("MANIFEST-999999\n")
    for command in (["toc"], ["show", "today"], ["grip", "abcd"], ["events"], ["verify"]):
        assert call(memory.root, *command) == 74
        assert "memtool restore BACKUP" in capsys.readouterr().err


def test_a_store_of_a_newer_format_exits_78(tmp_path: Path, capsys: Output) -> None:
    memory = strange(tmp_path / "store")
    (memory.root / "FORMAT").write_text(f"memtool store\nformat {FORMAT + 1}\n")
    for command in (["toc"], ["show", "today"], ["grip", "abcd"], ["events"], ["verify"]):
        assert call(memory.root, *command) == 78
        assert f"format {FORMAT + 1}" in capsys.readouterr().err


def test_a_terminal_sees_how_far_the_walk_is(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = damaged(tmp_path / "store")
    monkeypatch.setattr(verify, "SHOWN_EVERY", 1)
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    assert call(memory.root, "verify", TERM="xterm") == 1
    assert "checking the store" in terminal.getvalue()
    assert "walking" not in capsys.readouterr().out


def test_json_names_everything(memory: Memory, capsys: Output) -> None:
    found = verified(memory, capsys)
    assert set(found) == {
        "kind", "version", "exists", "zone", "healthy", "counts", "problem_count", "problems", "old_count",
        "old_rules_count",
        "strange_count", "strange_events", "stale", "failed", "half_built", "erasing",
    }  # fmt: skip
    assert (found["kind"], found["version"]) == ("verify", 1)


# --- turns and threads


def worked(root: Path) -> Memory:
    """Return a memory with a thread over two days of a week that has ended."""
    memory = Memory(root)
    for number, day in enumerate(("2026-11-23", "2026-11-24")):
        talk = Talk(f"{number}1111111-aaaa", "fix/double-pay", at(f"{day}T08:00:00"), "/src/shop")
        talk.prompt("Reject the second payment of a cart").edit("pay.py")
        talk.answer(f"Rejected the second payment in the checkout of version {number}.")
        memory.take_in(talk.events)
    memory.roll_up_all(NOW_US, summarizer=make("extractive", Options(max_bullets=5)))
    return memory


def rewritten(memory: Memory, node_id: str, change: Callable[[Any], Any]) -> None:
    """Change the turns or threads in the body of a node."""
    store = memory.access.open_for_writing(None)
    node = store.node(NodeId(node_id))
    assert node is not None
    is_period = node_id.startswith(("day:", "week:"))
    held = threads_in(node.body) if is_period else turns_in(node.body)
    key = keys.node(store.generation, node.id)
    batch = store.engine.batch()
    body = body_of([change(each) for each in held]) if change is not cut_off else node.body[:-9]
    batch.put(keys.NODES, key, codec.NODE.encode(replace(node, body=body)))
    store.engine.write(batch, sync=True)
    store.close()


def cut_off(_: object) -> None:
    """Stand for a body of which the end is missing."""


def other_words(thread: Thread) -> Thread:
    points = tuple(replace(each, text="Unify the printers") for each in thread.points)
    return replace(thread, points=points)


def other_proof(thread: Thread) -> Thread:
    first, *more = thread.points
    proofs = tuple(replace(each, start=each.start + 1) for each in first.proofs)
    return replace(thread, points=(replace(first, proofs=proofs), *more))


def other_event(thread: Thread) -> Thread:
    first, *more = thread.points
    proofs = tuple(replace(each, event="0" * 32) for each in first.proofs)
    return replace(thread, points=(replace(first, proofs=proofs), *more))


@pytest.mark.parametrize(
    ("node", "change", "what"),
    [
        ("day", other_words, "the proofs of a point do not hold its words"),
        ("day", other_proof, "the words that prove a point are not what the event"),
        ("day", other_event, "which is not there"),
        ("day", lambda thread: replace(thread, edits=7), "do not have the edits of its segments"),
        ("day", lambda thread: replace(thread, sessions=("x",)), "none of its segments has"),
        ("day", lambda thread: replace(thread, points=thread.points * 30), "than its level stores"),
        ("day", cut_off, "its threads, or those below it, cannot be read"),
        ("week", other_words, "a thread says what no period below it says"),
        ("week", lambda thread: replace(thread, last_us=1), "says what no period below it says"),
        (
            "week",
            lambda thread: replace(thread, branch="x"),
            "a thread of a period below it is missing",
        ),
        ("seg", lambda turn: replace(turn, session="x"), "a turn belongs to another session"),
        ("seg", lambda turn: replace(turn, signals=proven_elsewhere(turn)), "not in the segment"),
        ("seg", cut_off, "its turns cannot be read"),
    ],
)
def test_what_a_node_is_made_of_is_checked(
    tmp_path: Path, capsys: Output, node: str, change: Callable[[Any], Any], what: str
) -> None:
    memory = worked(tmp_path / "store")
    assert verified(memory, capsys)["problems"] == []
    names = {
        "day": "day:2026-11-24",
        "week": "week:2026-11-22",
        "seg": memory.nodes(Level.SEGMENT)[0].id,
    }
    rewritten(memory, names[node], change)
    problems = [each["what"] for each in verified(memory, capsys)["problems"]]
    assert any(what in each for each in problems), problems


def proven_elsewhere(turn: Turn) -> tuple[Signal, ...]:
    first, *more = turn.signals
    proofs = tuple(replace(each, event="0" * 32) for each in first.proofs)
    return (replace(first, proofs=proofs), *more)
