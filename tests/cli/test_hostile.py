"""Stored text is shown, never obeyed, by every command that reads: titles, words, names of sessions and projects."""

from __future__ import annotations

import io
import os
import re
import sys

import pytest
from rich.cells import cell_len

from memtool.model.levels import Level
from memtool.model.records import Bullet, Claim, Failure, Grip, Node, NodeId, Write, grip_id
from memtool.store.toc import put_failure, put_node
from tests.cli.history import NOW_US, Scribe, call, event, seen
from tests.memory import Memory

Output = pytest.CaptureFixture[str]
EVIL = "\x1b]0;pwned\x07\x1b[2J\x9b31m\u202eevil\u2066\x00\r\n\x1b[1A[red]:smile:"
CLAIM = Claim(f"s\x1b[31m-{EVIL}", f"/p/{EVIL}/q\x1b[0m")
DAY = NodeId("day:2026-12-01")
COMMANDS = (
    ["toc"], ["toc", "2026-12", "--depth", "5"], ["show", "2026-12-01"],
    ["events"], ["events", "--full"], ["grip", ""], ["grip", "", "--full"], ["verify"],
)  # fmt: skip


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Memory:
    """Return a memory in which every text that a source chooses is an attack."""
    memory = Memory(tmp_path_factory.mktemp("hostile") / "store")
    one = event(1, "2026-12-01T10:00:00", "prompt", f"Words {EVIL}\n{EVIL}", CLAIM)
    memory.take_in([one, event(2, "2026-12-02T10:00:00", "answer", EVIL, CLAIM)])
    memory.roll_up(Level.DAY, NOW_US, summarizer=Scribe({"Words"}))
    grip = Grip(grip_id((one.id,), 0, len(one.text)), (one.id,), 0, len(one.text), one.text)
    node = Node(
        DAY,
        f"Title {EVIL}",
        (Bullet(EVIL, (grip.id,)),),
        (EVIL,),
        (grip,),
        (),
        (),
        "",
        Scribe().recipe,
    )
    store = memory.access.open_for_writing(None)
    put_node(store, node, Write(NOW_US, EVIL), seen=None)
    put_failure(store, DAY, Failure("", Scribe().recipe, 2, NOW_US, EVIL))
    store.close()
    return memory


def grip_of(memory: Memory) -> str:
    with memory.access.reading() as store:
        node = store.node(DAY)
    assert node is not None
    return node.grips[0].id


def is_harmless(text: str, *, colours: bool = False) -> bool:
    if colours:
        text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_no_escape_reaches_the_terminal(
    hostile: Memory, capsys: Output, command: list[str], form: list[str]
) -> None:
    words = [word or grip_of(hostile) for word in command]
    assert call(hostile.root, *words, *form) in (0, 1)
    printed = capsys.readouterr()
    assert is_harmless(printed.out)
    assert is_harmless(printed.err)
    assert "😄" not in printed.out


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_escape_but_our_colours_reaches_a_terminal_with_colours(
    hostile: Memory, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    words = [word or grip_of(hostile) for word in command]
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    call(hostile.root, *words, TERM="xterm-256color")
    shown = terminal.getvalue()
    assert "\x1b[" in shown
    assert is_harmless(shown, colours=True)
    if "show" in words or "grip" in words:
        assert "evil" in shown
    terminal.seek(0)
    terminal.truncate()
    call(hostile.root, *words, TERM="xterm-256color", NO_COLOR="1")
    assert "\x1b" not in terminal.getvalue()


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_no_id_is_cut_however_narrow_the_terminal(memory: Memory, columns: int) -> None:
    joined = re.sub(r"[\s│├└─]", "", seen(memory.root, "toc", "--depth", "5", columns=columns))
    with memory.access.reading() as store:
        segments = [node.id for node in store.nodes(Level.SEGMENT)]
    for segment in segments:
        assert segment[:-10] in joined


@pytest.mark.parametrize("columns", [80, 100])
@pytest.mark.parametrize(
    "command",
    [
        ["toc"],
        ["toc", "2026-12", "--depth", "3"],
        ["show", "2026-11-29"],
        ["events"],
        ["verify"],
        ["stats", "--by", "project"],
        ["summarizers"],
    ],
    ids=" ".join,
)
def test_no_line_is_wider_than_the_terminal(
    memory: Memory, columns: int, command: list[str]
) -> None:
    lines = seen(memory.root, *command, columns=columns).splitlines()
    assert [line for line in lines if cell_len(line) > columns] == []
    assert [line for line in lines if line != line.rstrip()] == []


def test_a_terminal_that_knows_only_ascii_gets_ascii_guides(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="latin-1", errors="replace")
    monkeypatch.setattr(sys, "stdout", stream)
    assert call(memory.root, "toc") == 0
    stream.flush()
    assert b"`- Week" in raw.getvalue()
    assert os.linesep.encode() in raw.getvalue()
