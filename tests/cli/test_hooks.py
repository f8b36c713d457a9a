"""`memtool hooks`, `memtool mcp install`: an agent's settings, the script that it runs, what ingest makes of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from memtool.agents.hooks import spool
from memtool.agents.registry import AGENTS
from tests.crash.disk import read_only, small_disk
from tests.waiting import HUNG_S

Call = Callable[..., tuple[int, str, str]]
HOOKED = [row for row in AGENTS if row.hooks is not None]
SERVED = [row for row in AGENTS if row.server is not None]
SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]
OLD = '{\n    "model": "opus", // mine\n    "hooks": {\n        "Stop": []\n    }\n}\n'


@pytest.fixture(autouse=True)
def home(home: Path, tmp_path: Path) -> Path:
    home = tmp_path / "home"
    for row in AGENTS:
        for place in [facts.place for facts in (row.hooks, row.server) if facts is not None]:
            place.directory({"HOME": str(home)}).mkdir(parents=True, exist_ok=True)
    return home


def place_of(facts: Any, home: Path) -> Path:
    path: Path = facts.place.path({"HOME": str(home)})
    return path


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


# --- The settings ------------------------------------------------------------------------------


@pytest.mark.parametrize("row", HOOKED, ids=lambda row: row.name)
def test_hooks_are_installed_once_and_removed_to_the_byte(row: Any, call: Call, home: Path) -> None:
    path = place_of(row.hooks, home)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(OLD)
    code, said, _ = call("hooks", "install", row.name)
    assert code == 0
    assert str(path) in said
    assert path.with_name(f"{path.name}.memtool-hooks-backup").read_text() == OLD
    made = path.read_bytes()
    assert call("hooks", "install", row.name)[:1] == (0,)
    assert path.read_bytes() == made
    assert json.loads(call("hooks", "status", row.name, "--json")[1])["agents"][0]["capture"]
    assert call("hooks", "remove", row.name)[0] == 0
    assert path.read_text() == OLD
    assert tree(home) == {str(path.relative_to(home)): OLD.encode()}


@pytest.mark.parametrize("row", HOOKED, ids=lambda row: row.name)
def test_a_file_that_was_not_there_goes_again(row: Any, call: Call, home: Path) -> None:
    assert call("hooks", "install", row.name)[0] == 0
    assert call("hooks", "remove", row.name)[0] == 0
    assert call("hooks", "remove", row.name)[0] == 0
    assert tree(home) == {}


@pytest.mark.parametrize("row", SERVED, ids=lambda row: row.name)
def test_the_server_is_entered_once_and_removed_to_the_byte(
    row: Any, call: Call, home: Path
) -> None:
    path = place_of(row.server, home)
    old = "# mine\n[x]\ny = 1" if path.suffix == ".toml" else OLD
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(old)
    assert call("mcp", "install", row.name)[0] == 0
    made = path.read_bytes()
    assert call("mcp", "install", row.name)[0] == 0
    assert path.read_bytes() == made
    rows = json.loads(call("mcp", "status", "--json")[1])["agents"]
    (shown,) = (one for one in rows if one["agent"] == row.name)
    assert shown["command"].endswith("memtool mcp")
    assert Path(shown["command"].removesuffix(" mcp")).exists()
    assert call("mcp", "remove", row.name)[0] == 0
    assert path.read_text() == old
    assert tree(home) == {str(path.relative_to(home)): old.encode()}


def test_installing_more_later_keeps_what_was_there_first(call: Call, home: Path) -> None:
    path = home / ".claude/settings.json"
    path.write_text(OLD)
    call("hooks", "install", "claude-code")
    call("hooks", "install", "claude-code", "--context")
    script = home / ".local/share/memtool/memtool-hook"
    path.write_text(path.read_text().replace(str(script), "/elsewhere/memtool-hook"))
    assert call("hooks", "install", "claude-code")[0] == 0
    assert path.read_text().count(f"{script} context") == 1
    assert "/elsewhere" not in path.read_text()
    assert path.with_name("settings.json.memtool-hooks-backup").read_text() == OLD
    call("hooks", "remove", "claude-code")
    assert path.read_text() == OLD


def test_what_a_person_changes_meanwhile_stays(call: Call, home: Path) -> None:
    path = home / ".claude/settings.json"
    path.write_text(OLD)
    call("hooks", "install", "claude-code", "--context")
    path.write_text(path.read_text().replace('"opus"', '"sonnet"'))
    call("hooks", "remove", "claude-code")
    assert path.read_text() == '{\n    "model": "sonnet" // mine\n}\n'


def test_a_link_to_dotfiles_stays_a_link_and_keeps_its_mode(call: Call, home: Path) -> None:
    real = home / "dotfiles/settings.json"
    real.parent.mkdir()
    real.write_text(OLD)
    real.chmod(0o640)
    path = home / ".claude/settings.json"
    path.symlink_to("../dotfiles/settings.json")
    call("hooks", "install", "claude-code")
    assert path.is_symlink()
    assert "memtool-hook" in real.read_text()
    assert real.stat().st_mode & 0o777 == 0o640
    call("hooks", "remove", "claude-code")
    assert path.is_symlink()
    assert real.read_text() == OLD


@pytest.mark.parametrize("command", ["install", "remove"])
@pytest.mark.parametrize("what", ["hooks", "mcp"])
def test_a_broken_file_is_refused_with_its_line_and_stays(
    what: str, command: str, call: Call, home: Path
) -> None:
    path = home / (".claude/settings.json" if what == "hooks" else ".claude.json")
    path.write_text('{\n  "a": 1,\n  oops\n}\n')
    code, _, said = call(what, command, "claude-code")
    assert code == 78
    assert f"{path}:3: " in said
    assert "nothing was changed" in said
    assert tree(home) == {str(path.relative_to(home)): b'{\n  "a": 1,\n  oops\n}\n'}
    path.write_bytes(b"{\xff}")
    assert call(what, command, "claude-code")[0] == 78


def test_print_changes_nothing(call: Call, home: Path) -> None:
    path = home / ".claude/settings.json"
    path.write_text(OLD)
    said = call("hooks", "install", "claude-code", "--context", "--print")[1]
    assert said.startswith('{\n    "model": "opus", // mine\n')
    assert "memtool-hook context claude-code" in said
    said = call("mcp", "install", "claude-code", "--print")[1]
    assert '"mcpServers"' in said
    assert "**Search first.**" in said
    assert "AGENTS.md" in call("mcp", "install", "--print")[1]
    assert tree(home) == {".claude/settings.json": OLD.encode()}


def test_what_is_not_known_is_refused_with_what_is(call: Call, home: Path) -> None:
    code, _, said = call("hooks", "install", "claude-cod")
    assert code == 2
    assert "did you mean claude-code?" in said
    assert "memtool knows how for: claude-code" in call("mcp", "install", "jsonl")[2]
    shutil.rmtree(home / ".claude")
    code, _, said = call("hooks", "install", "claude-code")
    assert code == 78
    assert f"there is no {home / '.claude'}" in said
    assert call("mcp", "install")[0] == 2


def test_a_skill_says_search_first_then_get_and_toc_for_last_week(call: Call, home: Path) -> None:
    call("mcp", "install", "claude-code")
    text = (home / ".claude/skills/memtool/SKILL.md").read_text()
    head, body = text.split("---\n")[1:]
    assert "name: memtool\n" in head
    assert len(head) < 1024  # what Claude Code takes of a description
    places = [body.index(words) for words in ("search(", "get([", 'toc("last-week")')]
    assert places == sorted(places)


# --- The script --------------------------------------------------------------------------------


@pytest.fixture
def script(call: Call, home: Path) -> Path:
    assert call("hooks", "install", "claude-code")[0] == 0
    return home / ".local/share/memtool/memtool-hook"


def fire(script: Path, payload: str | bytes, *before: str, **environ: str) -> None:
    data = payload.encode() if isinstance(payload, str) else payload
    done = subprocess.run(
        [*before, str(script), "capture", "claude-code"],
        input=data,
        capture_output=True,
        env={"PATH": os.environ["PATH"], **environ},
        timeout=HUNG_S,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def waiting(root: Path) -> list[bytes]:
    return [(root / "spool" / name).read_bytes() for name in spool.names(root)]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_writes_what_it_is_given_in_every_shell(
    shell: str, script: Path, tmp_path: Path
) -> None:
    before = (shell, "sh") if shell == "busybox" else (shell,)
    payloads = [b"{}", b"\0\xff\n" * 100, b"", "é".encode() * 100_000]
    for payload in payloads:
        fire(script, payload, *before)
    assert sorted(waiting(tmp_path / "memory")) == sorted(payloads)
    assert (tmp_path / "memory/spool/ring").exists()


def test_a_hook_of_what_memtool_has_started_does_nothing(script: Path, tmp_path: Path) -> None:
    fire(script, "{}", MEMTOOL_WITHIN="1")
    assert waiting(tmp_path / "memory") == []


def test_the_spool_is_bounded_and_a_missing_one_is_not_made(script: Path, tmp_path: Path) -> None:
    folder = tmp_path / "memory/spool"
    fire(script, b"x" * 3_000_000)
    assert [len(data) for data in waiting(tmp_path / "memory")] == [1 << 20]
    for number in range(1000):
        (folder / f"claude-code.x{number}.json").touch()
    fire(script, "{}")
    assert len(waiting(tmp_path / "memory")) == 1001
    shutil.rmtree(folder)
    fire(script, "{}")
    assert not folder.exists()


def test_two_hundred_at_once_of_which_many_are_killed(script: Path, tmp_path: Path) -> None:
    begun = []
    for number in range(200):
        one = subprocess.Popen(
            [str(script), "capture", "claude-code"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert one.stdin is not None
        one.stdin.write(json.dumps({"number": number, "text": "x" * 2000}).encode())
        one.stdin.close()
        one.stdin = None
        begun.append(one)
        if number % 4 == 3:  # a moment later, in the middle of something
            os.killpg(begun[-2].pid, signal.SIGKILL)
    ended = []
    for number, one in enumerate(begun):
        said, _ = one.communicate(timeout=HUNG_S)
        assert said == b""
        if one.returncode == 0:
            ended.append(number)
        else:
            assert one.returncode == -signal.SIGKILL
    found = [json.loads(data)["number"] for data in waiting(tmp_path / "memory")]
    assert len(found) == len(set(found))
    assert set(ended) <= set(found)
    assert len(ended) >= 150


def test_on_a_full_disk_a_payload_is_whole_or_not_there_and_the_agent_sees_nothing(
    script: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "memory/spool"
    shutil.rmtree(folder)
    payloads = [json.dumps({"number": number, "text": "x" * 9000}) for number in range(200)]
    with small_disk(folder, 64 << 10):
        running = [
            subprocess.Popen(
                [str(script), "capture", "claude-code"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            for _ in payloads
        ]
        for one, payload in zip(running, payloads, strict=True):
            said, _ = one.communicate(payload.encode(), timeout=HUNG_S)
            assert (one.returncode, said) == (0, b"")
        found = [data.decode() for data in waiting(tmp_path / "memory")]
        assert found
        assert set(found) <= set(payloads)
        assert [path.name for path in folder.iterdir() if path.suffix == ".tmp"] == []
        for name in spool.names(tmp_path / "memory"):
            (folder / name).unlink()
        fire(script, payloads[0])  # there is room again
        assert [data.decode() for data in waiting(tmp_path / "memory")] == payloads[:1]
        with read_only(folder):
            fire(script, payloads[1])


def given(script: Path, root: Path, agent: str, payload: dict[str, str], **environ: str) -> str:
    done = subprocess.run(
        [str(script), "context", agent],
        input=json.dumps(payload),
        capture_output=True,
        encoding="utf-8",
        env={"PATH": os.environ["PATH"], "MEMTOOL_STORE__PATH": str(root), **environ},
        timeout=HUNG_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_new_session_is_given_what_is_known_and_no_agent_an_error(
    call: Call, script: Path, home: Path, tmp_path: Path
) -> None:
    root, shop = tmp_path / "memory", tmp_path / "shop"
    shop.mkdir()
    path = transcript(home / "x", 1)
    path.write_text(path.read_text().replace("/home/x/shop", str(shop)))
    assert call("ingest", str(path))[0] == 0
    here = {"cwd": str(shop), "session_id": "another"}
    told = given(script, root, "claude-code", here)
    assert "- asked: number 1" in told
    assert told.startswith("<memtool-memory")
    answer = json.loads(given(script, root, "gemini", here))["hookSpecificOutput"]
    assert answer == {"hookEventName": "SessionStart", "additionalContext": told.rstrip("\n")}
    assert given(script, root, "claude-code", {**here, "session_id": path.stem}) == ""
    assert given(script, root, "gemini", {"cwd": str(tmp_path)}) == ""
    assert given(script, root, "claude-code", here, MEMTOOL_WITHIN="1") == ""
    assert given(script, root, "claude-code", {}, MEMTOOL_MCP__SCOPE="wrong") == ""
    text = script.read_text()
    for program in ("/no/such/memtool", "false", "sh -c 'kill -9 $$'"):
        line = next(line for line in text.splitlines() if line.startswith("memtool="))
        script.write_text(text.replace(line, f'memtool="{program}"'))
        assert given(script, root, "claude-code", here) == ""


# --- What ingest makes of it -------------------------------------------------------------------


def transcript(folder: Path, number: int, *, more: str = "") -> Path:
    session = f"5f0f2a64-0000-4000-8000-{number:012d}"
    record = {
        "type": "user",
        "uuid": f"00000000-0000-4000-8000-{number:012d}",
        "parentUuid": None,
        "sessionId": session,
        "timestamp": "2026-09-20T10:00:00.000Z",
        "cwd": "/home/x/shop",
        "version": "2.1.0",
        "isSidechain": False,
        "userType": "external",
        "message": {"role": "user", "content": f"number {number}{more}"},
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{session}.jsonl"
    path.write_text(json.dumps(record) + "\n")
    return path


def stop(path: Path, **more: str) -> str:
    return json.dumps({"session_id": path.stem, "transcript_path": str(path), **more})


def texts(call: Call) -> set[str]:
    return {
        row["text"] for row in json.loads(call("events", "--kind", "prompt", "--json")[1])["events"]
    }


def test_the_transcript_that_a_payload_names_is_read_also_outside_the_roots(
    call: Call, script: Path, tmp_path: Path
) -> None:
    one, agent = transcript(tmp_path / "else where", 1), transcript(tmp_path / "b", 2)
    fire(script, stop(one, agent_transcript_path=str(agent)))
    fire(script, stop(tmp_path / "not yet written.jsonl"))
    fire(script, "{}")
    code, said, _ = call("ingest")
    assert (code, texts(call)) == (0, {"number 1", "number 2"})
    assert "2 files read" in said
    assert waiting(tmp_path / "memory") == []
    one.write_text(
        one.read_text() + one.read_text().replace("0001", "0009").replace("number 1", "on")
    )
    fire(script, stop(one))
    fire(script, stop(one))
    assert call("ingest")[0] == 0
    assert texts(call) == {"number 1", "number 2", "on"}
    row = json.loads(call("ingest", "--json")[1])
    assert row["payloads"] == {"taken": 0, "rejected": [], "stuck": []}


def test_a_file_under_the_roots_is_read_once(call: Call, script: Path, home: Path) -> None:
    path = transcript(home / ".claude/projects/x", 1)
    fire(script, stop(path))
    row = json.loads(call("ingest", "--json")[1])
    assert (row["events"]["new"], row["events"]["known"], row["files_unchanged"]) == (2, 0, 1)


def test_what_is_not_understood_goes_redacted_to_rejected_with_its_reason(
    call: Call, script: Path, home: Path, tmp_path: Path
) -> None:
    secret = "sk-ant-api03-" + "Zq7" * 30
    other = tmp_path / "passwd.jsonl"
    other.write_text(json.dumps({"some": "thing"}) + "\n")
    bad = [f"not json {secret}", "[1]", stop(other, prompt=secret), '{"transcript_path": "a/b"}']
    for payload in bad:
        fire(script, payload)
    fire(script, stop(transcript(home / "x", 1)))
    (tmp_path / "memory/spool/nobody.1.json").write_text("{}")
    assert call("ingest")[0] == 0
    assert texts(call) == {"number 1"}
    assert waiting(tmp_path / "memory") == []
    rows = [json.loads(path.read_text()) for path in (tmp_path / "memory/rejected").iterdir()]
    reasons = " ".join(sorted(row["reason"] for row in rows))
    for words in (
        "not JSON",
        "not an object",
        "foreign",
        "no absolute path",
        "does not know: nobody",
    ):
        assert words in reasons
    assert secret not in reasons + "".join(row["payload"] for row in rows)
    listed = json.loads(call("hooks", "status", "--json")[1])["rejected"]
    assert {row["reason"] for row in listed} == {row["reason"] for row in rows}
    for number in range(spool.MOST_REJECTED + 5):
        (tmp_path / f"memory/spool/claude-code.{number}.json").write_text("no")
    call("ingest")
    assert len(list((tmp_path / "memory/rejected").iterdir())) == spool.MOST_REJECTED


def test_a_payload_that_cannot_be_read_or_removed_stops_nothing(
    call: Call, script: Path, home: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "memory/spool"
    (folder / "claude-code.1.json").mkdir()
    os.mkfifo(folder / "claude-code.2.json")
    (folder / "claude-code.3.json").symlink_to("/etc/passwd")
    fire(script, stop(transcript(home / "x", 1)))
    assert call("ingest")[0] == 0
    assert texts(call) == {"number 1"}
    assert waiting(tmp_path / "memory") == []


def test_what_a_killed_hook_left_is_swept_when_it_is_old(
    call: Call, script: Path, tmp_path: Path
) -> None:
    old, new = (tmp_path / f"memory/spool/claude-code.{name}.tmp" for name in ("1", "2"))
    old.write_text("x")
    os.utime(old, (1, 1))
    new.write_text("x")
    os.utime(new, (2_000_000_000, 2_000_000_000))
    call("ingest")
    assert script.exists()
    assert (old.exists(), new.exists()) == (False, True)


def test_forgetting_leaves_no_payload(call: Call, script: Path, home: Path, tmp_path: Path) -> None:
    fire(script, stop(transcript(home / "x", 1)))
    fire(script, "not json, number 1")
    call("ingest")
    fire(script, stop(transcript(home / "x", 1), prompt="number 1"))
    assert call("forget", "--match", "number", "--yes")[0] == 0
    for folder in ("spool", "rejected"):
        assert list((tmp_path / "memory" / folder).glob("*.json")) == []


# --- What is wrong -----------------------------------------------------------------------------


def problems(call: Call, agent: str = "claude-code") -> list[dict[str, str]]:
    code, said, _ = call("hooks", "status", agent, "--json")
    found: list[dict[str, str]] = json.loads(said)["agents"][0]["problems"]
    assert code == bool(found)
    return found


def test_status_says_what_keeps_hooks_from_working(
    call: Call, script: Path, home: Path, tmp_path: Path
) -> None:
    assert problems(call) == []
    script.unlink()
    assert "not there" in problems(call)[0]["text"]
    call("hooks", "install", "claude-code")
    assert problems(call) == []
    (told,) = json.loads(call("--store", str(tmp_path / "other"), "hooks", "status", "--json")[1])[
        "agents"
    ][:1]
    assert "ingest reads" in told["problems"][0]["text"]
    path = home / ".claude/settings.json"
    path.write_text(path.read_text().replace("{", '{"disableAllHooks": true,', 1))
    assert "disableAllHooks" in problems(call)[0]["text"]
    path.write_text("{")
    assert f"{path}:1" in problems(call)[0]["text"]


def test_a_hook_that_codex_has_not_been_told_to_trust_is_a_problem(call: Call, home: Path) -> None:
    said = call("hooks", "install", "codex")[1]
    assert "/hooks" in said
    (told,) = problems(call, "codex")
    assert "Stop" in told["text"]
    path = home / ".codex/hooks.json"
    events = ("user_prompt_submit", "stop", "subagent_stop", "pre_compact")
    rows = [f'[hooks.state."{path}:{event}:0:0"]\ntrusted_hash = "sha256:1"\n' for event in events]
    (home / ".codex/config.toml").write_text("".join(rows[1:]))
    assert (
        problems(call, "codex")[0]["text"]
        == "Codex does not run UserPromptSubmit before you trust it"
    )
    (home / ".codex/config.toml").write_text("".join(rows))
    assert problems(call, "codex") == []


def doctors(call: Call) -> tuple[str, str, str]:
    rows = json.loads(call("doctor", "--json")[1])["checks"]
    (row,) = (row for row in rows if row["name"] == "hooks")
    return row["verdict"], row["found"], row["todo"]


def test_doctor_says_what_is_wrong_with_hooks_and_what_they_left(
    call: Call, home: Path, tmp_path: Path
) -> None:
    assert doctors(call)[0] == "skipped"
    call("hooks", "install", "claude-code")
    assert doctors(call)[:2] == ("ok", "hooks of Claude Code")
    script = home / ".local/share/memtool/memtool-hook"
    fire(script, "no")
    waiting = next((tmp_path / "memory/spool").glob("*.json"))
    os.utime(waiting, (1_700_000_000, 1_700_000_000))
    assert doctors(call)[0::2] == ("warning", "memtool ingest")
    call("ingest")
    verdict, found, _ = doctors(call)
    assert (verdict, "not JSON" in found) == ("warning", True)
    script.unlink()
    assert doctors(call)[0::2] == ("problem", "memtool hooks install claude-code")
