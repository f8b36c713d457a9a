"""`memtool stats`: counts in 80 columns, and a JSON contract."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from memtool.model.calendar import Calendar
from memtool.model.records import Claim
from tests.cli.golden import Golden
from tests.cli.history import call, event, seen
from tests.cli.test_json_page import fields, section
from tests.memory import Memory

Output = pytest.CaptureFixture[str]
_SIZE = re.compile(r"\d[\d.]* (?:[KMG]iB|bytes)")


def without_sizes(text: str) -> str:
    """Return the text without the lines on disk, whose sizes differ between versions of RocksDB."""
    before, _, after = text.partition("Disk ")
    lines = after.splitlines()
    end = next(number for number, line in enumerate(lines) if not line)
    assert _SIZE.search(lines[0])
    return "\n".join([f"{before}Disk …", *lines[end:], ""])


def test_what_is_kept_as_it_is_read(memory: Memory, golden: Golden) -> None:
    shown = seen(memory.root, "stats", "--by", "project")
    assert max(map(len, shown.splitlines())) <= 80
    golden("stats-80", without_sizes(shown))


def test_a_year_by_agent(memory: Memory, capsys: Output) -> None:
    assert call(memory.root, "stats", "--year", "2025", "--by", "agent") == 0
    shown = capsys.readouterr().out
    assert "2 events on 1 day from Wed 1 Jan 2025 to Wed 31 Dec 2025" in shown
    assert re.search(r"18 +3 +2025-12-31 +2026-12-10 +claude-code", shown)


def test_a_year_without_events_says_so(memory: Memory, capsys: Output) -> None:
    assert call(memory.root, "stats", "--year", "1999") == 0
    assert "No event from Fri 1 Jan 1999 to Fri 31 Dec 1999." in capsys.readouterr().out


def test_without_a_store_it_says_what_makes_one(tmp_path: Path, capsys: Output) -> None:
    assert call(tmp_path / "none", "stats") == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "no memory yet" in said.err
    assert call(tmp_path / "none", "stats", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["exists"], found["events"], found["calendar"]["days"]) == (False, 0, {})
    assert found["first_us"] is None
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("words", [["--by", "tree"], ["--year", "1812"], ["--year", "x"]])
def test_what_is_not_understood_is_a_2(memory: Memory, words: list[str]) -> None:
    assert call(memory.root, "stats", *words) == 2


def test_json_is_described_and_adds_up(memory: Memory, capsys: Output) -> None:
    assert call(memory.root, "stats", "--by", "project", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    described = set(re.findall(r"`(\w+)`", section("stats") + section("summarizers")))
    found_fields = {
        name
        for key, value in found.items()
        if key not in ("agents", "tombstones", "calendar", "disk")
        for name in (key, *fields(value))
    }
    found_fields |= set(found["calendar"]) | set(found["disk"])
    assert found_fields - described - {"kind", "version"} == set()
    assert (found["kind"], found["version"]) == ("stats", 1)
    assert found["events"] == sum(part["events"] for part in found["parts"]) == 18
    calendar = found["calendar"]
    assert calendar["total"] == sum(calendar["days"].values()) == 18
    assert (calendar["from"], calendar["to"]) == ("2025-12-11", "2026-12-10")
    assert calendar["days"][calendar["busiest"]] == max(calendar["days"].values())
    assert set(found["disk"]["families"]) >= {"events", "nodes", "ids"}


def test_names_from_a_store_cannot_command_the_terminal(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "store", Calendar("UTC"))
    claim = Claim("s", "/home/x/\x1b[31mred\u202e" + "long " * 40)
    memory.take_in([event(1, "2026-11-29T08:00:00", "prompt", "Hi", claim)])
    shown = seen(memory.root, "stats", "--by", "project")
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert max(map(len, shown.splitlines())) <= 80
