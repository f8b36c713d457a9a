"""Sources that are no plain lines: compressed files, documents that are rewritten, and what a format reads itself."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
import zstandard

from memtool.agents import registry
from memtool.agents.discover import look, unchanged
from memtool.agents.outcomes import Disposition, Outcome
from memtool.agents.reading import CUT_SHORT, FOREIGN, Limits, read_chunks
from memtool.agents.registry import AGENTS, Agent, File, Format, Found, Parser, Row
from memtool.agents.values import JsonObject, list_at, text_at
from memtool.model.records import Claim, Event, Source, digest_of, event_id
from tests.agents.records import all_records, events_of, record, user, write

Pack = Callable[[bytes], bytes]
PACKED = pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])


class Toy(Format):
    """A document {"toy": …, "says": […]}, or a database with a table `toy`."""

    def recognises(self, record: JsonObject) -> bool:
        return "toy" in record

    def expanded(self, record: JsonObject) -> Iterable[JsonObject]:
        return [{"toy": text} for text in list_at(record, "says")]

    def parser(self, file: File) -> Parser:  # noqa: ARG002
        return ToyParser()

    def opens(self, path: Path, head: bytes) -> bool:  # noqa: ARG002
        return head.startswith(b"SQLite format 3")

    def look(self, path: Path) -> Found:
        found = super().look(path)
        log = path.with_name(f"{path.name}-wal")
        size = log.stat().st_size if log.exists() else 0
        return found._replace(size_bytes=found.size_bytes + size)

    def rows(self, path: Path, cursor: str) -> Iterator[Row]:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            seen = int(cursor or 0)
            for number, text in database.execute("SELECT n, t FROM toy WHERE n > ?", (seen,)):
                yield Row({"toy": text}, str(number))


class ToyParser(Parser):
    def parse(self, record: JsonObject) -> Outcome:
        text = text_at(record, "toy")
        digest = digest_of("toy", text)
        said = Event(event_id(digest, 1), "toy", (Claim("s", ""),), 1, "answer", "", text, digest)
        return Outcome(Disposition.TAKEN, "toy", (said,))


FORMAT = Toy()


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "AGENTS", (*AGENTS, Agent("toy", "Toy", __name__)))


def texts(path: Path, source: Source | None = None, limits: Limits | None = None) -> list[str]:
    chunks = read_chunks(path, source, limits=limits or Limits())
    return [one.text for one in all_records(chunks) if isinstance(one, Event)]


def story(length: int) -> list[dict[str, object]]:
    """Return prompts one after the other, of text that does not compress well."""
    return [
        user(f"t{n * n * 7919}", f"u{n}", parentUuid=f"u{n - 1}" if n else None)
        for n in range(length)
    ]


@PACKED
def test_a_compressed_file_gives_the_same_events(tmp_path: Path, pack: Pack) -> None:
    plain = write(tmp_path / "s.jsonl", *story(3000))
    packed = tmp_path / "s.jsonl.pack"
    packed.write_bytes(pack(plain.read_bytes()))
    assert events_of(packed) == events_of(plain)
    source = list(read_chunks(packed))[-1].source
    assert unchanged(look(packed, source), source)


def test_looking_back_in_a_compressed_file_finds_what_was_before(tmp_path: Path) -> None:
    """A rewind asks for the records before it: the stream is taken up where it was."""
    talk = [
        user("one", "u1", parentUuid=None),
        record("assistant", "a1", parentUuid="u1", message={"content": "yes"}),
        user("two", "u2", parentUuid="a1"),
        record("assistant", "a2", parentUuid="u2", message={"content": "done"}),
        user("three", "u3", parentUuid="a1"),
    ]
    plain = write(tmp_path / "s.jsonl", *talk)
    packed = tmp_path / "s.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    expected = all_records(read_chunks(plain))
    assert len([one for one in expected if not isinstance(one, Event)]) == 2
    assert all_records(read_chunks(packed)) == expected


@PACKED
def test_of_a_damaged_compressed_file_the_beginning_is_read(tmp_path: Path, pack: Pack) -> None:
    lines = "".join(json.dumps(one) + "\n" for one in story(20_000))
    path = tmp_path / "s.jsonl.pack"
    data = pack(lines.encode())
    path.write_bytes(data[: len(data) // 2] + b"\xff" * 4000 + data[len(data) // 2 + 4000 :])
    chunks = list(read_chunks(path))
    assert chunks[-1].source.problem == CUT_SHORT
    assert 100 < len(all_records(chunks)) < 20_000


@pytest.mark.parametrize("indent", [None, 2])
def test_a_document_is_read_as_its_objects_and_again_when_it_is_rewritten(
    tmp_path: Path, indent: int | None
) -> None:
    path = tmp_path / "d.json"
    path.write_text(json.dumps({"toy": 1, "says": ["a", "b"]}, indent=indent))
    chunks = list(read_chunks(path))
    assert texts(path) == ["a", "b"]
    source = chunks[-1].source
    assert unchanged(look(path, source), source)
    path.write_text(json.dumps({"toy": 1, "says": ["a", "b", "c"]}, indent=indent))
    assert texts(path, source) == ["a", "b", "c"]


def test_a_document_that_is_being_written_waits(tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    text = json.dumps({"toy": 1, "says": ["a\u1234b", True, 1.5]}, indent=2)
    for size in range(2, len(text)):
        path.write_text(text[:size])
        source = list(read_chunks(path))[-1].source
        assert (source.problem, source.waiting_bytes > 0) == ("", True), text[:size]
    path.write_text('{\n  "toy" 1 and much more text than that\n}')
    assert list(read_chunks(path))[-1].source.problem == FOREIGN


def test_a_database_is_read_from_where_the_last_reading_ended(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE toy (n INTEGER, t TEXT)")
        database.executemany("INSERT INTO toy VALUES (?, ?)", [(n, f"t{n}") for n in range(1, 6)])
    first = next(read_chunks(path, limits=Limits(chunk_records=2)))
    assert [one.text for one in first.records if isinstance(one, Event)] == ["t1", "t2"]
    assert texts(path, first.source) == ["t3", "t4", "t5"]
    source = list(read_chunks(path))[-1].source
    assert list(read_chunks(path, source)) == []
