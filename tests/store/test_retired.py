"""Stores that memtool made while it had retention: those with frozen nodes are refused, all others are as they were."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from memtool.errors import ConfigError
from memtool.jobs.backup import KIND, VERSION, Manifest, copy_file, files_in, write_manifest
from memtool.model.levels import Level
from memtool.redact.rules import RULESET_VERSION
from memtool.store import codec, keys
from memtool.store.access import Access
from tests.crash.checks import everything, problems
from tests.crash.history import AFTER_ALL_US, early, exchange, late, write
from tests.crash.tasks import ENVIRON, program
from tests.memory import UTC_CALENDAR, Memory
from tests.store.test_migrations import open_once, unpacked

TABLES = (keys.CUTS, keys.NODES, keys.GRIPS, keys.EVENTS, keys.SESSIONS)
READING = (("toc",), ("show", "2024"), ("events",), ("verify",), ("stats",), ("export",))
WRITING = (
    ("ingest", "{place}/transcripts"),
    ("rollup", "all"),
    ("compact",),
    ("rebuild",),
    ("backup", "{place}/b"),
)


def state(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.glob("store/*")}


def test_a_store_whose_events_were_swept_is_refused(tmp_path: Path) -> None:
    root = unpacked(tmp_path, "store-2-swept")
    before = state(root)
    with pytest.raises(ConfigError, match=r"made with retention\.events_days") as refused:
        everything(root)
    assert "memtool ingest" in refused.value.hint
    assert "memtool export" in refused.value.hint
    assert state(root) == before
    with pytest.raises(ConfigError, match=r"made with retention\.events_days"):
        open_once(root)
    assert (root / "FORMAT").read_text().endswith("format 2\n")


@pytest.mark.parametrize("words", [*READING, *WRITING], ids=" ".join)
def test_every_command_says_so_and_ends_with_78(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
) -> None:
    root = unpacked(tmp_path, "store-2-swept")
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    late(early(tmp_path / "transcripts"))
    filled = [word.replace("{place}", str(tmp_path)) for word in words]
    assert program(root, *filled) == 78
    said = capsys.readouterr()
    assert "move it away and run `memtool ingest`" in said.err
    assert "Traceback" not in said.err


def test_a_backup_of_it_is_refused_and_a_good_one_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    root, swept = unpacked(tmp_path, "store-2-swept"), tmp_path / "swept"
    files = tuple(copy_file(root, swept, path) for path in files_in(root))
    write_manifest(
        swept, Manifest(KIND, VERSION, "0.1.0", 0, "", "", 2, 0, 16, verified=True, files=files)
    )
    assert program(tmp_path / "new", "restore", swept) == 78
    said = capsys.readouterr().err
    assert f"the backup {swept} is of a store that this memtool refuses" in said
    assert not (tmp_path / "new" / "store").exists()
    whole = unpacked(tmp_path, "store-2")
    assert program(whole, "backup", tmp_path / "backups") == 0
    (backup,) = (tmp_path / "backups").iterdir()
    assert program(root, "restore", backup, "--replace") == 0
    assert everything(root) == everything(whole)


def test_a_store_without_swept_events_is_as_it_was_byte_for_byte(tmp_path: Path) -> None:
    root = unpacked(tmp_path, "store-2")
    before = everything(root)
    assert problems(root) == []
    memory = Memory(root)
    assert len(memory.nodes(Level.SEGMENT)) == 7
    memory.roll_up_all(AFTER_ALL_US)
    assert everything(root) == before
    for level in Level:
        for node in memory.nodes(level):
            assert codec.NODE.encode(node) in before[keys.NODES].values()


def as_then(row: bytes) -> bytes:
    """Return an event's row as it was written then: without a reader, by the first set of redaction rules."""
    fields = msgspec.msgpack.decode(row)
    assert fields.pop("reader") == 0
    assert fields["redaction"] == RULESET_VERSION
    fields["redaction"] = 1
    return msgspec.msgpack.encode(fields)


def without_body(row: bytes) -> bytes:
    """Return a node's row without its turns or threads, and what their digest is part of."""
    fields = msgspec.msgpack.decode(row)
    fields.pop("body", None)
    if fields["children"]:
        fields["children"] = [child["id"] for child in fields["children"]]
        fields.pop("inputs")
    return msgspec.msgpack.encode(fields)


def test_what_is_written_today_equals_what_was_written_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    then = everything(unpacked(tmp_path, "store-2"))
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    transcripts = late(early(tmp_path / "transcripts"))
    assert program(tmp_path / "now", "ingest", transcripts) == 0
    assert program(tmp_path / "now", "rollup", "all") == 0
    now = everything(tmp_path / "now")
    now[keys.EVENTS] = {key: as_then(row) for key, row in now[keys.EVENTS].items()}
    for tables in (then, now):
        tables[keys.NODES] = {key: without_body(row) for key, row in tables[keys.NODES].items()}
    assert {name: now[name] for name in TABLES} == {name: then[name] for name in TABLES}


def test_an_export_with_expired_tombstones_is_taken_in_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    (event,) = exchange("alpha", "2024-12-28", 9)[:1]
    stone = {"type": "tombstone", "reason": "expired", "time": 7}
    lines = [event, {**stone, "id": "a" * 32}, {**stone, "id": "b" * 32}]
    write(tmp_path / "lines.jsonl", lines)  # type: ignore[arg-type]
    assert program(tmp_path / "memory", "ingest", tmp_path / "lines.jsonl") == 0
    said = capsys.readouterr().out
    assert "1 file read: 1 new event\n" in said
    assert "passed over: expired tombstone 2\n" in said
    with Access(tmp_path / "memory").reading() as store:
        assert list(store.tombstones()) == []


def test_a_new_store_has_no_horizon(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    store = Access(tmp_path / "memory").open_for_writing(UTC_CALENDAR)
    assert store.meta("horizon", object) is None
    store.close()
