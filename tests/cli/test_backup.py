"""The commands around a whole memory, as a person meets them: backup, restore, export, and the pages about them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from memtool.jobs.backup import read_manifest
from tests.cli.history import remember
from tests.crash import history
from tests.crash.checks import everything

DOCS = Path(__file__).resolve().parents[2] / "docs"
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a store where `call` looks for one."""
    return remember(tmp_path / "memory").root


def test_a_backup_is_made_and_brought_back(root: Path, tmp_path: Path, call: Call) -> None:
    before = everything(root)
    code, out, errors = call("backup", str(tmp_path / "backups"))
    assert (code, errors) == (0, "")
    place, summary = out.splitlines()
    assert Path(place).parent == tmp_path / "backups"
    assert re.fullmatch(r"\d+ files, [\d.]+ \w+: 18 events, \d+ nodes; verified", summary)
    history.write(tmp_path / "more.jsonl", history.exchange("more", "2026-01-05", 9))
    assert call("ingest", str(tmp_path / "more.jsonl"))[0] == 0
    assert everything(root) != before
    code, out, errors = call("restore", place, "--replace")
    assert (code, errors) == (0, "")
    assert "before-restore-" in out
    assert everything(root) == before


def test_slips_of_the_pen_are_told_and_leave_no_record(
    root: Path, tmp_path: Path, call: Call
) -> None:
    assert call("backup", str(tmp_path / "backups"))[0] == 0
    (place,) = (tmp_path / "backups").iterdir()
    ledger = (root / "ledger" / "ledger.sqlite3").read_bytes()
    for words, code, what in (
        (["backup", str(root / "deep")], 2, "lies within the store"),
        (["restore", str(place)], 2, "there is a store at"),
        (["restore", str(tmp_path), "--replace"], 65, "is not a backup"),
        (["restore", str(tmp_path / "nothing"), "--replace"], 65, "is not a backup"),
        (["export", "--json"], 2, "--json needs -o FILE"),
        (["export", "--since", "never"], 2, "--since: unknown time: never"),
    ):
        got, _, errors = call(*words)
        assert got == code, errors
        assert what in errors
        assert "hint: " in errors or words[0] == "export"
    assert (root / "ledger" / "ledger.sqlite3").read_bytes() == ledger
    assert call("backup", str(tmp_path), MEMTOOL_STORE__PATH=str(tmp_path / "none"))[0] == 2


def test_a_damaged_backup_is_told_in_one_line_with_a_hint(
    root: Path, tmp_path: Path, call: Call
) -> None:
    before = everything(root)
    assert call("backup", str(tmp_path / "backups"))[0] == 0
    (place,) = (tmp_path / "backups").iterdir()
    entry = next(one for one in read_manifest(place).files if one.path.endswith(".sst"))
    (place / entry.path).write_bytes(b"")
    code, out, errors = call("restore", str(place), "--to", str(tmp_path / "new"))
    assert (code, out) == (74, "")
    said, hint = errors.splitlines()
    assert f"{entry.path} is damaged" in said
    assert hint.startswith("hint: ")
    assert everything(root) == before


def test_an_export_goes_to_a_file_whole_or_not_at_all(
    root: Path, tmp_path: Path, call: Call
) -> None:
    assert root.exists()
    file = tmp_path / "out.jsonl"
    file.write_text("old")
    code, _, _ = call("export", "-o", str(file))
    assert code == 0
    lines = file.read_text().splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["event"] * 18
    times = [json.loads(line)["time"] for line in lines]
    assert times == sorted(times)
    assert [one.name for one in tmp_path.glob(".out*")] == []
    code, _, _ = call("export", "--since", "never", "-o", str(file))
    assert code == 2
    assert file.read_text().splitlines() == lines


def test_exported_text_steers_no_terminal(tmp_path: Path, call: Call) -> None:
    """And is the same text when it is read again."""
    text = "C1 \x9b31m, a line\u2028separator, \u202ereversed, a tag \U000e0041, \\ud800 spelt out"
    record = {**history.line("s", "2024-12-31T10:00:00Z", text), "metadata": {"note": text}}
    history.write(tmp_path / "in.jsonl", [record])  # type: ignore[list-item]
    assert call("ingest", str(tmp_path / "in.jsonl"))[0] == 0
    assert call("export", "-o", str(tmp_path / "out.jsonl"))[0] == 0
    data = (tmp_path / "out.jsonl").read_text()
    assert not set("\x9b\u2028\u202e\U000e0041") & set(data)
    again = json.loads(data)
    assert (again["text"], again["metadata"]["note"]) == (text, text)


@pytest.mark.parametrize("kind", ["backup", "restore", "export"])
def test_every_field_is_on_the_page(root: Path, tmp_path: Path, call: Call, kind: str) -> None:
    assert root.exists()
    words = {
        "backup": ["backup", str(tmp_path / "b")],
        "restore": ["restore", "", "--replace"],
        "export": ["export", "-o", str(tmp_path / "x")],
    }[kind]
    if kind == "restore":
        words[1] = json.loads(call("backup", str(tmp_path / "b"), "--json")[1])["path"]
    code, out, _ = call(*words, "--json")
    assert code == 0
    found = json.loads(out)
    assert found["kind"] == kind
    page = (DOCS / "json.md").read_text(encoding="utf-8")
    section = re.split(r"^## ", page, flags=re.MULTILINE)
    described = next(part for part in section if part.startswith(kind))
    ingest = next(part for part in section if part.startswith("ingest"))
    known = set(re.findall(r"`(\w+)`", described + ingest))
    assert set(found) - known - {"kind", "version"} == set()
