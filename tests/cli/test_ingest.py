"""`memtool ingest` as a person or a timer calls it: what it takes in, what it says, how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import HUNG_S

Call = Callable[..., tuple[int, str, str]]


def line(text: str, number: int = 1, **more: Any) -> str:
    event = {
        "agent": "pi",
        "session": "s1",
        "id": f"e{number}",
        "time": f"2026-03-01T10:{number:02}:00Z",
        "kind": "prompt",
        "text": text,
        **more,
    }
    return json.dumps(event) + "\n"


def events_of(call: Call) -> list[str]:
    _, out, _ = call("events", "--json", "--limit", "1000")
    return [event["text"] for event in json.loads(out)["events"]]


def test_a_file_is_taken_in_once_however_often_it_is_read(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(line("one", 1) + line("two", 2))
    assert "2 new events" in call("ingest", str(file))[1]
    code, out, _ = call("ingest", str(file))
    assert code == 0
    assert "1 unchanged: 0 new events" in out
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(file.read_bytes())
    assert "0 new events, 2 known already" in call("ingest", str(copy))[1]
    assert events_of(call) == ["one", "two"]


def test_only_what_was_added_is_read(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(line("one", 1))
    call("ingest", str(file))
    with file.open("a") as stream:
        stream.write(line("two", 2))
    _, out, _ = call("ingest", str(file), "--json")
    assert json.loads(out)["records"]["taken"] == 1
    assert events_of(call) == ["one", "two"]


def test_a_half_written_line_waits_for_its_end(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    second = line("two", 2)
    file.write_text(line("one", 1) + second[:20])
    code, out, _ = call("ingest", str(file))
    assert code == 0
    assert "looked at again" in out
    with file.open("a") as stream:
        stream.write(second[20:])
    assert call("ingest", str(file))[0] == 0
    assert events_of(call) == ["one", "two"]


def test_a_replaced_file_is_read_from_its_start(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(line("one", 1) + line("two", 2))
    call("ingest", str(file))
    file.write_text(line("three", 3) + line("four", 4) + line("five", 5))
    call("ingest", str(file))
    assert events_of(call) == ["one", "two", "three", "four", "five"]


def test_new_damage_ends_with_one_and_known_damage_is_only_listed(
    call: Call, tmp_path: Path
) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(line("one", 1) + "{broken\n" + line("two", 2))
    code, out, err = call("ingest", str(file))
    assert code == 1
    assert "damaged at byte" in out
    assert "one damaged record" in err
    code, out, _ = call("ingest", str(file))
    assert code == 0
    assert "as reported before: 1 damaged record" in out
    assert events_of(call) == ["one", "two"]


@pytest.mark.parametrize(
    ("content", "code", "word"),
    [
        (b"", 0, "0 new events"),
        (b"\x00\x01\x02\xff\xfe\n\x00\n", 65, "foreign"),
        (b"hello world\n", 65, "foreign"),
        (b'{"some": "json"}\n', 65, "foreign"),
        (b"[1, 2, 3]\n", 65, "foreign"),
    ],
)
def test_input_that_is_no_transcript_is_named_and_counted(
    call: Call, tmp_path: Path, content: bytes, code: int, word: str
) -> None:
    file = tmp_path / "odd.jsonl"
    file.write_bytes(content)
    found, out, _ = call("ingest", str(file))
    assert found == code
    assert word in out


def test_one_foreign_file_does_not_keep_the_others_out(call: Call, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_text("no transcript\n")
    (tmp_path / "in" / "b.jsonl").write_text(line("one", 1))
    assert call("ingest", str(tmp_path / "in"))[0] == 1
    assert events_of(call) == ["one"]
    assert call("ingest", str(tmp_path / "in"))[0] == 0


def test_a_path_that_is_not_there_is_a_slip_and_no_failed_run(call: Call, tmp_path: Path) -> None:
    code, _, err = call("ingest", str(tmp_path / "none.jsonl"))
    assert code == 2
    assert "no such file" in err
    assert call("scheduler", "history")[1] == "No run is recorded.\n"


def test_without_transcripts_there_is_nothing_to_do(call: Call) -> None:
    code, out, _ = call("ingest")
    assert code == 0
    assert "No transcripts found" in out


def test_claude_codes_own_directory_is_read_where_nothing_is_named(
    call: Call, tmp_path: Path
) -> None:
    record = {
        "type": "user",
        "uuid": "6e3f2d3c-55c3-4d0f-9b3c-0c3d0a6b8f01",
        "parentUuid": None,
        "sessionId": "0d6c4a0e-2f7b-4d84-8c1f-7c0f4b9f9a11",
        "timestamp": "2026-03-01T10:00:00.000Z",
        "cwd": "/home/u/shop",
        "version": "2.1.0",
        "message": {"role": "user", "content": "add a basket"},
    }
    projects = tmp_path / "elsewhere" / "projects" / "-home-u-shop"
    (projects / "0d6c" / "subagents").mkdir(parents=True)
    (projects / "0d6c4a0e.jsonl").write_text(json.dumps(record) + "\n")
    copy = projects / "0d6c" / "subagents" / "agent-acompact-1.jsonl"
    copy.write_text(json.dumps(record) + "\n")
    code, out, _ = call("ingest", CLAUDE_CONFIG_DIR=str(tmp_path / "elsewhere"))
    assert code == 0
    assert "repeats the main session" in out
    assert "add a basket" in events_of(call)


def test_secrets_never_reach_the_store(call: Call, tmp_path: Path) -> None:
    secret = "correct-horse-7" + "battery"
    file = tmp_path / "a.jsonl"
    file.write_text(
        line(f"log in with password={secret} please", 1, metadata={"note": f"pw: {secret}"})
    )
    _, out, _ = call("ingest", str(file))
    assert "redacted" in out
    stored = b"".join(path.read_bytes() for path in (tmp_path / "memory" / "store").iterdir())
    assert b"password=" in stored
    assert f"password={secret}".encode() not in stored


def test_standard_input_takes_lines_of_the_event_schema(tmp_path: Path) -> None:
    environ = {
        **os.environ,
        "HOME": str(tmp_path),
        "MEMTOOL_STORE__PATH": str(tmp_path / "memory"),
        "MEMTOOL_CALENDAR__TIMEZONE": "UTC",
    }
    done = subprocess.run(
        [sys.executable, "-m", "memtool", "ingest", "-", "--json"],
        input=line("one", 1) + line("two", 2),
        env=environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=HUNG_S,
    )
    assert json.loads(done.stdout)["events"]["new"] == 2


def test_everything_it_makes_belongs_to_this_user_alone(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(line("one", 1))
    before = os.umask(0o077)  # as `main` sets it
    try:
        call("ingest", str(file))
        call("rollup", "all")
    finally:
        os.umask(before)
    made = [tmp_path / "memory", *(tmp_path / "memory").rglob("*")]
    assert [path for path in made if path.stat().st_mode & 0o077] == []


def test_a_run_with_nothing_new_writes_nothing_to_the_store(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(line("one", 1))
    call("ingest", str(file))
    call("rollup", "all")

    def contents() -> dict[str, bytes]:
        store = tmp_path / "memory" / "store"
        return {path.name: path.read_bytes() for path in store.iterdir()}

    before = contents()
    call("ingest", str(file))
    call("rollup", "all")
    assert contents() == before


@pytest.fixture
def waiting(tmp_path: Path) -> Callable[[str], subprocess.Popen[bytes]]:
    """Return what starts `memtool ingest -` and gives it some lines, but not the end of its input."""

    def start(lines: str) -> subprocess.Popen[bytes]:
        environ = {
            **os.environ,
            "HOME": str(tmp_path / "home"),
            "MEMTOOL_STORE__PATH": str(tmp_path / "memory"),
            "MEMTOOL_CALENDAR__TIMEZONE": "UTC",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "memtool", "ingest", "-"], stdin=subprocess.PIPE, env=environ
        )
        assert process.stdin is not None
        process.stdin.write(lines.encode())
        process.stdin.flush()
        return process

    return start


@pytest.mark.parametrize("lines", ["", line("one")])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_an_ingest_that_waits_for_its_input(
    waiting: Callable[[str], subprocess.Popen[bytes]], lines: str, number: signal.Signals
) -> None:
    process = waiting(lines)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(2)  # it waits
    process.send_signal(number)
    assert process.wait(HUNG_S) in {128 + number, -number}


def test_an_ingest_that_waits_for_its_input_keeps_no_other_writer_waiting(
    call: Call, waiting: Callable[[str], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    (tmp_path / "a.jsonl").write_text(line("zero", 0))
    assert call("ingest", str(tmp_path / "a.jsonl"))[0] == 0
    process = waiting(line("one"))
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(2)
    code, _, said = call("rollup", "day", "--include-open", MEMTOOL_LOCKS__WAIT_S="1")
    assert (code, said) == (0, "")
    place = tmp_path / "home/.claude/projects/x"
    place.mkdir(parents=True)
    (place / "b.jsonl").write_text(line("three", 3))
    assert call("ingest")[0] == 0  # 75 if another ingest is running
    history = json.loads(call("scheduler", "history", "--json")[1])["runs"]
    assert [(run["result"], run["reason"]) for run in history if run["result"] == "partial"] == [
        ("partial", "the input has stalled")
    ]
    process.communicate(line("two", 2).encode(), timeout=HUNG_S)
    assert process.returncode == 0
    assert events_of(call) == ["zero", "one", "two", "three"]
    history = json.loads(call("scheduler", "history", "--json")[1])["runs"]
    assert {run["result"] for run in history} == {"done"}


# --- Claude Code's list of prompts

GONE, KEPT = "0d6c4a0e-2f7b-4d84-8c1f-7c0f4b9f9a11", "1d6c4a0e-2f7b-4d84-8c1f-7c0f4b9f9a11"


def listed(text: str, session: str, minute: int, **more: Any) -> str:
    entry = {
        "display": text,
        "timestamp": 1_772_359_200_000 + minute * 60_000,  # 2026-03-01T10:00Z
        "project": "/nowhere/shop",
        "sessionId": session,
        "pastedContents": {},
        **more,
    }
    return json.dumps(entry) + "\n"


@pytest.fixture
def claude(tmp_path: Path) -> Path:
    """Return a directory of Claude Code with one transcript, and a list of its prompts and another's."""
    record = {
        "type": "user",
        "uuid": "6e3f2d3c-55c3-4d0f-9b3c-0c3d0a6b8f01",
        "parentUuid": None,
        "sessionId": KEPT,
        "timestamp": "2026-03-01T10:00:00.100Z",
        "cwd": "/nowhere/shop",
        "version": "2.1.0",
        "message": {"role": "user", "content": "add a basket"},
    }
    (tmp_path / "claude/projects/p").mkdir(parents=True)
    (tmp_path / "claude/projects/p" / f"{KEPT}.jsonl").write_text(json.dumps(record) + "\n")
    pasted = {"1": {"id": 1, "type": "text", "content": "a stack"}}
    (tmp_path / "claude/history.jsonl").write_text(
        listed("add a basket", KEPT, 0)
        + listed("why [Pasted text #1 +1 lines]?", GONE, 1, pastedContents=pasted)
        + listed("/compact", GONE, 2)
    )
    return tmp_path / "claude"


def test_prompts_of_sessions_that_are_gone_come_from_the_list(call: Call, claude: Path) -> None:
    code, out, _ = call("ingest", "--json", CLAUDE_CONFIG_DIR=str(claude))
    assert code == 0
    assert json.loads(out)["records"]["ignored"] == {"history/in a transcript": 1}
    prompts = [text for text in events_of(call) if text != "Session started"]
    assert prompts == ["add a basket", "why a stack?", "/compact"]
    _, out, _ = call("events", "--session", GONE, "--json")
    assert {event["project"] for event in json.loads(out)["events"]} == {"/nowhere/shop"}


def test_the_list_adds_nothing_once_a_transcript_was_swept(call: Call, claude: Path) -> None:
    call("ingest", CLAUDE_CONFIG_DIR=str(claude))
    before = events_of(call)
    for path in claude.rglob(f"{KEPT}.jsonl"):
        path.unlink()
    with (claude / "history.jsonl").open("a") as file:
        file.write(listed("and a till", KEPT, 3))
    call("ingest", CLAUDE_CONFIG_DIR=str(claude))
    assert events_of(call) == before


def test_a_transcript_that_was_renamed_is_counted_once(call: Call, claude: Path) -> None:
    call("ingest", CLAUDE_CONFIG_DIR=str(claude))
    before = events_of(call)
    (claude / "projects/p").rename(claude / "projects/q")
    call("ingest", CLAUDE_CONFIG_DIR=str(claude))
    assert events_of(call) == before
    assert json.loads(call("stats", "--json")[1])["sources"] == 2  # with the list of prompts


@pytest.mark.parametrize("text", ["", "\n", " \n\n"])
def test_a_file_without_words_is_no_failure(call: Call, tmp_path: Path, text: str) -> None:
    (tmp_path / "a.jsonl").write_text(text)
    code, _, said = call("ingest", str(tmp_path / "a.jsonl"))
    assert (code, "memtool:" in said) == (0, False)


def test_utf_16_is_named(call: Call, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(line("one"), encoding="utf-16")
    code, out, _ = call("ingest", str(tmp_path / "a.jsonl"))
    assert code == 65
    assert "UTF-16: convert it to UTF-8" in out


def test_a_scheduled_run_with_nothing_new_says_one_line(call: Call, tmp_path: Path) -> None:
    place = tmp_path / "home/.claude/projects/x"
    place.mkdir(parents=True)
    (place / "a.jsonl").write_text(line("one", 1) + "{broken\n")
    (place / "notes.txt").write_text("no transcript")
    os.mkfifo(place / "b.jsonl")
    (place / "c.jsonl").symlink_to("/dev/zero")
    (place / "d.jsonl").symlink_to("d.jsonl")
    (place / "e").symlink_to(place)
    by_systemd = {"SYSTEMD_EXEC_PID": str(os.getpid())}
    assert call("ingest", **by_systemd)[0] == 1
    code, out, err = call("ingest", **by_systemd)
    assert (code, out, err) == (0, "0 files read, 1 unchanged: 0 new events\n", "")
    by_hand = call("ingest")[1]
    assert "as reported before: 1 damaged record" in by_hand
    assert "not read: " in by_hand
