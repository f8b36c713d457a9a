"""OpenCode: what its database says after an undo, while it is open, and where the old tree of files is there too."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from memtool.agents.opencode import FORMAT
from memtool.agents.reading import read_chunks
from memtool.model.records import Event, Record
from tests.agents.contract import ROWS, current, laid_out, records_of

ROW = next(row for row in ROWS if row.agent == "opencode")
UNDONE = "ses_ddb56cfbeffeC6GWwVoJtjHD21"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return laid_out(ROW, tmp_path) / "opencode.db"


def change(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(statement, values)


def add(path: Path, table: str, *values: object) -> None:
    change(path, f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", *values)


def said(records: list[Record]) -> list[str]:
    kinds = ("prompt", "answer")
    return [one.text for one in current(records) if one.kind in kinds and not one.rewound]


def test_an_undo_takes_the_message_and_what_followed_back(database: Path) -> None:
    before = records_of([database])
    revert = json.dumps({"messageID": "msg_a1"})
    undo = "UPDATE session SET revert = ?, time_updated = ? WHERE id = ?"
    change(database, undo, revert, 1_795_911_999_000, UNDONE)
    after = said([*before, *records_of([database])])
    assert any(text.startswith("Use the token") for text in said(before))
    assert not any(text.startswith("Use the token") for text in after)
    assert "Rather about sizes" in after


def test_what_an_undo_deleted_is_taken_back_by_the_log_of_events(database: Path) -> None:
    """OpenCode deletes the messages with the next prompt; they were read before that."""
    at = 1_795_911_600_000
    talk = (("user", "Paint it red"), ("assistant", "Painted."))
    for number, (role, text) in enumerate(talk):
        message, part, when = f"msg_x{number}", f"prt_x{number}", at + number
        said_by = json.dumps({"role": role, "time": {"created": when}})
        words = {"id": part, "messageID": message, "type": "text", "text": text}
        logged = json.dumps({"part": words})
        add(database, "message", message, UNDONE, when, when, said_by)
        add(database, "part", part, message, UNDONE, when, when, json.dumps(words))
        add(database, "event", part, UNDONE, 900 + number, "message.part.updated.1", logged)
    chunks = list(read_chunks(database))
    records = [record for chunk in chunks for record in chunk.records]
    assert "Paint it red" in said(records)
    for number in range(2):
        change(database, "DELETE FROM message WHERE id = ?", f"msg_x{number}")
        change(database, "DELETE FROM part WHERE message_id = ?", f"msg_x{number}")
        gone = json.dumps({"sessionID": UNDONE, "messageID": f"msg_x{number}"})
        add(database, "event", f"g{number}", UNDONE, 950 + number, "message.removed.1", gone)
    change(database, "UPDATE session SET time_updated = ? WHERE id = ?", at + 100, UNDONE)
    for chunk in read_chunks(database, chunks[-1].source):
        records += chunk.records
    assert not {"Paint it red", "Painted."} & set(said(records))


def test_only_sessions_that_changed_are_read_again(database: Path) -> None:
    source = list(read_chunks(database))[-1].source
    title = "UPDATE session SET title = 'Colours', time_updated = ? WHERE id = ?"
    change(database, title, 1_795_912_000_000, UNDONE)
    again = [one for chunk in read_chunks(database, source) for one in chunk.records]
    events = [one for one in again if isinstance(one, Event)]
    assert any(one.text == "Colours" for one in events)
    assert {one.session for one in events} == {UNDONE}


def test_a_clock_that_went_back_hides_nothing(database: Path) -> None:
    source = list(read_chunks(database))[-1].source
    said_by = json.dumps({"role": "user", "time": {"created": 1_700_000_000_000}})
    words = json.dumps({"type": "text", "text": "From the past."})
    add(database, "message", "msg_z", UNDONE, 5, 5, said_by)
    add(database, "part", "prt_z", "msg_z", UNDONE, 5, 5, words)
    again = [one for chunk in read_chunks(database, source) for one in chunk.records]
    assert "From the past." in said(again)


def test_a_database_that_is_being_written_is_read_and_not_held(database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE session SET title = 'not yet'")
        titles = [one.text for one in current(records_of([database])) if one.kind == "title"]
        writer.execute("COMMIT")
        assert "not yet" not in titles
        assert writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0


def test_the_old_tree_of_files_gives_the_same_events(database: Path, tmp_path: Path) -> None:
    """It is what the program moved into the database: both may be there."""
    storage = tmp_path / "storage"

    def put(name: str, data: object) -> None:
        path = storage / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(data), encoding="utf-8")

    with closing(sqlite3.connect(database)) as db:
        for key, parent, directory, title, created, updated in db.execute(
            "SELECT id, parent_id, directory, title, time_created, time_updated FROM session"
        ):
            times = {"created": created, "updated": updated}
            about = {"id": key, "parentID": parent, "directory": directory, "title": title}
            put(f"session/p1/{key}", {**about, "time": times})
        for key, session, data in db.execute("SELECT id, session_id, data FROM message"):
            put(f"message/{session}/{key}", json.loads(data))
        for key, message, data in db.execute("SELECT id, message_id, data FROM part"):
            put(f"part/{message}/{key}", json.loads(data))
    files = sorted(storage.glob("session/*/*.json"))
    assert {one.id for one in current(records_of(files))} == {
        one.id for one in current(records_of([database]))
    }
    source = list(read_chunks(files[0]))[-1].source
    assert list(read_chunks(files[0], source)) == []
    first = next((storage / "message" / files[0].stem).glob("*.json"))
    put(f"part/{first.stem}/prt_new", {"type": "text", "text": "One more thing."})
    again = [one for chunk in read_chunks(files[0], source) for one in chunk.records]
    assert any(isinstance(one, Event) and one.text == "One more thing." for one in again)


def test_another_database_is_not_taken_for_one_of_opencode(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    change(path, "CREATE TABLE message (id)")
    assert not FORMAT.opens(path, path.read_bytes()[:16])
