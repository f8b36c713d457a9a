"""A hook of an agent fires, and what was said is in the store, by the path unit and with the sandbox on."""

from __future__ import annotations

import json
import time

import pytest

from tests.systemd.machine import wait_until
from tests.systemd.sides import Side

pytestmark = pytest.mark.slow

PATH, INGEST = "memtool-spool.path", "memtool-ingest.service"
SOON_S = 2.0
SESSION = "5f0f2a64-0000-4000-8000-{:012d}"


def hook(side: Side) -> str:
    return f"{side.home}/.local/share/memtool/memtool-hook"


@pytest.fixture
def hooked(side: Side) -> Side:
    """Return an installation with the hooks of Claude Code. The timer of ingest fires four times an hour."""
    side.write(f"{side.home}/.claude/settings.json", "{}\n")
    done = side.memtool("hooks", "install", "claude-code")
    assert done.returncode == 0, done.stderr
    assert "memtool setup" not in done.stdout  # the path unit is there
    assert side.start("ingest").returncode == 0
    return side


def say(side: Side, *numbers: int, folder: str = "") -> None:
    """Write a session for each number, and fire a hook for each, in one shell."""
    rows = []
    for number in numbers:
        session = SESSION.format(number)
        where = folder or f"{side.home}/.claude/projects/-home-x"
        path = f"{where}/{session}.jsonl"
        record = {
            "type": "user",
            "uuid": f"00000000-0000-4000-8000-{number:012d}",
            "parentUuid": None,
            "sessionId": session,
            "timestamp": "2026-11-20T10:00:00.000Z",
            "cwd": "/home/x/shop",
            "version": "2.1.0",
            "isSidechain": False,
            "userType": "external",
            "message": {"role": "user", "content": f"number {number}"},
        }
        payload = {"session_id": session, "transcript_path": path, "hook_event_name": "Stop"}
        rows += [path, json.dumps(record), json.dumps(payload)]
    script = (
        'while [ $# -gt 0 ]; do mkdir -p "$(dirname "$1")"; printf "%s\\n" "$2" >"$1"; '
        f'printf "%s" "$3" | {hook(side)} capture claude-code || exit 9; shift 3; done'
    )
    done = side.machine.run(*side.as_person("sh", "-c", script, "sh", *rows))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def known(side: Side) -> set[str]:
    """Return the sessions that are in the store."""
    found = side.json("events", "--limit", "1000")
    return {row["session"] for row in found["events"]}


def waiting(side: Side) -> list[str]:
    said = side.machine.run("sh", "-c", f"ls {side.root}/spool").stdout.split()
    return [name for name in said if name.endswith(".json")]


def wait_for(side: Side, *numbers: int) -> None:
    wanted = {SESSION.format(number) for number in numbers}
    wait_until(lambda: not waiting(side), "the spool is drained", 60)
    wait_until(lambda: wanted <= known(side), f"{len(numbers)} sessions are in the store", 60)


def test_what_was_said_is_in_the_store_within_two_seconds(hooked: Side) -> None:
    say(hooked, 1)  # all is loaded from the disk once
    wait_for(hooked, 1)
    began_s = time.monotonic()
    say(hooked, 2)
    wait_until(lambda: not waiting(hooked), "the payload is taken", 60)
    took_s = time.monotonic() - began_s
    assert SESSION.format(2) in known(hooked)
    began_s = time.monotonic()
    assert hooked.start("ingest").returncode == 0
    assert took_s < max(SOON_S, 3 * (time.monotonic() - began_s))  # a busy machine needs longer
    assert hooked.begun("ingest")[-1]["trigger"] == "timer"
    assert hooked.property(PATH, "ActiveState") == "active"


def test_a_paused_ingest_keeps_what_hooks_say_and_resume_takes_it(hooked: Side) -> None:
    assert hooked.memtool("scheduler", "pause", "ingest").returncode == 0
    for number in range(1, 21):
        say(hooked, number)
    assert hooked.property(PATH, "ActiveState") == "active"
    assert len(waiting(hooked)) == 20
    assert known(hooked) == set()
    assert hooked.memtool("scheduler", "resume", "ingest").returncode == 0
    wait_for(hooked, *range(1, 21))
    say(hooked, 30)
    wait_for(hooked, 30)


def test_a_burst_and_a_hook_every_half_second_are_all_taken(hooked: Side) -> None:
    say(hooked, *range(100, 150))
    wait_for(hooked, *range(100, 150))
    for number in range(200, 220):
        say(hooked, number)
        time.sleep(0.5)
    wait_for(hooked, *range(200, 220))
    assert hooked.property(PATH, "Result") == "success"
    assert hooked.property(PATH, "ActiveState") == "active"
    assert hooked.control("--failed", "--no-legend").stdout == ""


def test_what_cannot_be_drained_stops_nothing(hooked: Side) -> None:
    script = (
        f"cd {hooked.root}/spool; mkdir claude-code.1.json claude-code.4.json; mkfifo claude-code.2.json; "
        "mount -t tmpfs tmpfs claude-code.4.json; echo no >claude-code.3.json"
    )
    done = hooked.machine.run("sh", "-ec", script)
    assert done.returncode == 0, done.stderr
    say(hooked, 7)
    wait_until(lambda: SESSION.format(7) in known(hooked), "the good one is in the store", 60)
    wait_until(lambda: hooked.property(INGEST, "ActiveState") == "inactive", "ingest has ended", 60)
    runs = len(hooked.runs("ingest"))
    time.sleep(3)
    assert len(hooked.runs("ingest")) == runs  # it does not start again and again
    say(hooked, 8)
    wait_until(lambda: SESSION.format(8) in known(hooked), "so is the next", 60)
    assert hooked.property(PATH, "ActiveState") == "active"
    assert waiting(hooked) == ["claude-code.4.json"]
    found = hooked.json("hooks", "status")
    assert any("not JSON" in row["reason"] for row in found["rejected"])
