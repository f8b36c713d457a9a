"""`memtool ingest` and the sessions that memtool's own summarizer has left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.agents.records import assistant, queued, user, write

Call = Callable[..., tuple[int, str, str]]


def session(directory: Path, cwd: Path, name: str) -> None:
    """Write what `claude -p` leaves of a run in that directory."""
    slug = directory / "projects" / str(cwd).replace("/", "-").replace(".", "-")
    slug.mkdir(parents=True)
    write(
        slug / f"{name}.jsonl",
        {**queued("Condense this"), "sessionId": name},
        user("Condense this", f"{name}-u", cwd=str(cwd), sessionId=name),
        assistant({"type": "text", "text": "{}"}, uuid=f"{name}-a", cwd=str(cwd), sessionId=name),
    )


def test_what_memtools_summarizer_wrote_is_counted_and_not_taken_in(
    call: Call, tmp_path: Path, home: Path
) -> None:
    assert home.is_dir()
    claude = tmp_path / "home/.claude"
    session(claude, tmp_path / "memory/memtool-summarizer", "own")
    code, out, err = call("ingest")
    assert (code, "memtool:" in err) == (0, False)
    assert "1 file read: 0 new events" in out
    assert "passed over: memtool's own 3" in out
    assert json.loads(call("events", "--json")[1])["events"] == []
    session(claude, tmp_path / "elsewhere", "a-person")
    _, out, _ = call("ingest", "--json")
    assert json.loads(out)["events"]["new"] == 3
    events = json.loads(call("events", "--json")[1])["events"]
    assert {event["session"] for event in events} == {"a-person"}


def test_any_store_s_summarizer_is_known_by_its_directory_s_name(
    call: Call, tmp_path: Path
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "memory").symlink_to(tmp_path / "real")
    for number, root in enumerate(("real", "memory")):
        session(tmp_path / "home/.claude", tmp_path / root / "memtool-summarizer", f"own-{number}")
    assert "2 files read: 0 new events" in call("ingest")[1]
