"""Reading is incremental, bounded and harmless to repeat; whatever a file holds, every line is accounted for."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from memtool.agents.discover import look, unchanged
from memtool.agents.reading import Limits, read_chunks, read_stream
from memtool.errors import StorageError
from memtool.model.records import Event, Source
from tests.agents.records import (
    TIME,
    all_records,
    counts_of,
    events_of,
    is_accounted_for,
    odd_objects,
    queued,
    user,
    write,
)

SMALL = Limits(line_bytes=1000, chunk_bytes=500, chunk_records=3, sniff_lines=20)


def last_source(path: Path, source: Source | None = None) -> Source:
    return list(read_chunks(path, source))[-1].source


def texts(path: Path, source: Source | None = None) -> list[str]:
    records = all_records(read_chunks(path, source))
    return [one.text for one in records if isinstance(one, Event)]


def append(path: Path, *records: object, end: str = "\n") -> None:
    addition = write(path.with_suffix(".part"), *records, end=end)
    with path.open("ab") as file:
        file.write(addition.read_bytes())


def test_a_second_reading_of_an_unchanged_file_does_not_open_it(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", user("one"))
    source = last_source(path)
    assert unchanged(look(path, source), source)
    path.chmod(0)
    assert list(read_chunks(path, source)) == []


def test_only_what_was_appended_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", user("one"))
    source = last_source(path)
    append(path, user("two", "u2"))
    assert texts(path, source) == ["two"]
    assert last_source(path, source).offset == path.stat().st_size


def test_a_half_written_last_line_waits_and_is_no_damage(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", user("one"), '{"type":"user","uu', end="")
    [chunk] = read_chunks(path)
    assert chunk.source.waiting_bytes == len('{"type":"user","uu')
    assert chunk.counts.damaged == 0
    path.write_text(json.dumps(user("one")) + "\n", encoding="utf-8")
    append(path, user("two", "u2"))
    assert texts(path, chunk.source) == ["two"]


def test_a_whole_record_without_newline_is_taken_but_stays_unread(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", user("one"), user("two", "u2"), end="")
    source = last_source(path)
    assert texts(path) == ["one", "two"]
    assert source.offset == len(json.dumps(user("one"))) + 1
    assert source.waiting_bytes == path.stat().st_size - source.offset
    append(path, "", user("three", "u3"))
    assert texts(path, source) == ["two", "three"]


@pytest.mark.parametrize("text", ["shorter", "the same", "replaced, and longer than it was"])
def test_a_rewritten_file_is_read_from_its_start(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "s.jsonl", user("the size"))
    source = last_source(path)
    write(path, user(text))
    os.utime(path, ns=(1, source.mtime_ns + 1))
    assert texts(path, source) == [text]


def test_a_file_put_in_its_place_is_read_from_its_start(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", user("one"))
    source = last_source(path)
    write(tmp_path / "new", user("one"), user("two", "u2")).replace(path)
    assert texts(path, source) == ["one", "two"]


def test_reading_again_gives_the_very_same_records(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", user("one"), queued("q"), queued("q"), user("q", "u2"))
    source = replace(last_source(path), mtime_ns=1)
    assert all_records(read_chunks(path)) == all_records(read_chunks(path, source))


def test_two_objects_glued_on_a_line_both_count(tmp_path: Path) -> None:
    glued = json.dumps(user("one")) + json.dumps(user("two", "u2"))
    path = write(tmp_path / "s.jsonl", glued)
    assert texts(path) == ["one", "two"]
    assert counts_of(path).damaged == 0


@pytest.mark.parametrize(
    "line",
    [
        '{"type":"user","message":{"con' + json.dumps(user("good")),
        "garbage " + json.dumps(user("good")),
        json.dumps(user("good")) + ' {"half',
        "\x00\x00\x00" + json.dumps(user("good")),
        json.dumps(user("good")) + "}}]]",
    ],
)
def test_the_good_part_of_a_damaged_line_counts(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "s.jsonl", user("before", "u0"), line, user("after", "u9"))
    assert texts(path) == ["before", "good", "after"]
    assert counts_of(path).damaged == 1


def test_what_is_nested_in_a_damaged_record_is_no_record(tmp_path: Path) -> None:
    line = '"data": {"x": ' + json.dumps(user("embedded")) + ', "y": 1}}'
    path = write(tmp_path / "s.jsonl", user("one"), line)
    assert texts(path) == ["one"]


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        "[1, 2]",
        "null",
        "[" * 100_000,
        '{"a":' * 5000 + "1" + "}" * 5000,
        '{"type":"user","n":' + "9" * 5000 + "}",
        "\x00" * 50,
    ],
)
def test_damage_is_counted_with_its_place_and_stops_nothing(tmp_path: Path, line: str) -> None:
    first = user("one")
    path = write(tmp_path / "s.jsonl", first, line, user("two", "u2"))
    [chunk] = read_chunks(path)
    assert texts(path) == ["one", "two"]
    assert chunk.counts.damaged == chunk.source.damaged == 1
    assert chunk.damage[0][0] == len(json.dumps(first)) + 1


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('{"n": NaN, "m": 1e999, ' + json.dumps(user("nan"))[1:], "nan"),
        (json.dumps(user("x")).replace('"x"', '"a\\ud800b"'), "a\ufffdb"),
        (json.dumps(user("😀")), "😀"),
        ("\ufeff" + json.dumps(user("bom")), "bom"),
        (json.dumps(user("crlf")) + "\r", "crlf"),
        ("\n\n   \n" + json.dumps(user("blank")), "blank"),
    ],
)
def test_odd_but_whole_lines_are_taken(tmp_path: Path, line: str, text: str) -> None:
    path = write(tmp_path / "s.jsonl", line)
    [event] = events_of(path)
    assert event.text == text
    event.text.encode()
    assert counts_of(path).damaged == 0


def test_bytes_that_are_no_utf8_are_replaced_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(json.dumps(user("x")).encode().replace(b'"x"', b'"a\xff"') + b"\n")
    assert texts(path) == ["a\ufffd"]
    assert counts_of(path).repaired == 1


def test_a_line_beyond_the_limit_is_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", user("one"), user("x" * 5000, "u2"), user("three", "u3"))
    records = all_records(read_chunks(path, limits=SMALL))
    assert [one.text for one in records if isinstance(one, Event)] == ["one", "three"]
    assert counts_of(path, SMALL).damaged == 1


def test_a_file_of_something_else_is_foreign_and_an_empty_one_just_empty(tmp_path: Path) -> None:
    foreign = write(tmp_path / "foreign.jsonl", {"payload": 1}, "text")
    binary = tmp_path / "binary.jsonl"
    binary.write_bytes(bytes(range(256)) * 100)
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    assert "foreign" in last_source(foreign).problem
    assert "foreign" in last_source(binary).problem
    assert last_source(empty).problem == ""
    append(foreign, user("at last"))
    assert texts(foreign, last_source(foreign)) == []  # unchanged since
    assert texts(foreign) == ["at last"]


def test_the_content_tells_the_format_not_the_name(tmp_path: Path) -> None:
    path = write(tmp_path / "notes.txt", "# a heading", user("one"))
    assert texts(path) == ["one"]


def test_chunks_are_bounded_and_each_state_resumes_where_it_ends(tmp_path: Path) -> None:
    """A crash after any chunk loses nothing: reading from its state gives the rest."""
    records = [user(f"text {number}", f"u{number}") for number in range(20)]
    path = write(tmp_path / "s.jsonl", *records, "damage", queued("q"), queued("q"))
    chunks = list(read_chunks(path, limits=SMALL))
    assert len(chunks) > 3
    whole = all_records(chunks)
    for number, chunk in enumerate(chunks[:-1]):
        assert not unchanged(look(path, None), chunk.source)
        rest = all_records(read_chunks(path, chunk.source, limits=SMALL))
        assert all_records(chunks[: number + 1]) + rest == whole
    assert unchanged(look(path, None), chunks[-1].source)
    assert chunks[-1].source.damaged == 1


@given(
    st.lists(odd_objects.map(json.dumps) | st.sampled_from(["", "x", '{"a"', "\x00"]), max_size=8),
    st.integers(1, 400),
)
def test_no_content_stops_reading_and_all_of_it_is_counted(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], cut: int
) -> None:
    path = write(tmp_path_factory.mktemp("odd") / "s.jsonl", user("one"), *lines)
    counts = counts_of(path)
    assert is_accounted_for(counts)
    for one in events_of(path):
        one.text.encode()
    data = path.read_bytes()
    path.write_bytes(data[: len(json.dumps(user("one"))) + 1 + cut])
    source = last_source(path)
    path.write_bytes(data)
    list(read_chunks(path, source))


def test_a_stream_is_read_to_its_end_and_has_no_waiting_line() -> None:
    lines = json.dumps(user("one")) + "\n" + json.dumps(user("two", "u2")) + '\n{"half'
    [chunk] = read_stream(io.BytesIO(lines.encode()))
    assert [one.text for one in chunk.records if isinstance(one, Event)] == ["one", "two"]
    assert (chunk.counts.damaged, chunk.source.waiting_bytes) == (1, 0)


def test_a_foreign_stream_says_so() -> None:
    [chunk] = read_stream(io.BytesIO(b"what is this\n"))
    assert "foreign" in chunk.source.problem
    [chunk] = read_stream(io.BytesIO(b""))
    assert chunk.source.problem == ""


def test_a_fifo_or_a_missing_file_is_an_error_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path / "missing", tmp_path):
        with pytest.raises(StorageError, match=path.name):
            list(read_chunks(path))


def test_counts_of_damage_add_up_over_readings_and_start_anew_with_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", user("one"), "damage", {"type": "new", "sessionId": "s"})
    source = last_source(path)
    append(path, "more damage")
    source = last_source(path, source)
    assert (source.damaged, source.skipped) == (2, 1)
    write(path, user("one"))
    assert last_source(path, source).damaged == 0


def test_names_of_unknown_types_are_bounded(tmp_path: Path) -> None:
    many = [{"type": f"type {n}" + "x" * 200, "sessionId": "s"} for n in range(200)]
    counts = counts_of(write(tmp_path / "s.jsonl", *many))
    assert sum(counts.unknown.values()) == 200
    assert len(counts.unknown) < 60
    assert max(map(len, counts.unknown)) < 100


@given(st.data())
def test_however_a_file_grew_the_same_records_come_out(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Read after each step of growth, cut anywhere, or once at the end: the same set of records."""
    words = st.sampled_from(["go on", "fix it", "/compact", "<tick>1</tick>"])
    line = st.one_of(
        words.map(queued),
        words.map(lambda text: user(text, "u" + text)),
        words.map(lambda text: user(text, "", sessionId=None)),
        st.sampled_from([{"type": "user", "message": {"content": "x"}, "timestamp": TIME}]),
    )
    content = "".join(
        json.dumps(one) + "\n" for one in [user("start", "u0"), *data.draw(st.lists(line))]
    ).encode()
    cuts = data.draw(st.lists(st.integers(0, len(content)), max_size=4).map(sorted))
    path = tmp_path_factory.mktemp("grown") / "s.jsonl"
    source, found = None, set()
    for cut in [*cuts, len(content)]:
        path.write_bytes(b"") if not path.exists() else None
        with path.open("r+b") as file:
            file.write(content[:cut])
        for chunk in read_chunks(path, source, limits=SMALL):
            source = chunk.source
            found |= {repr(one) for one in chunk.records}
    assert found == {repr(one) for one in all_records(read_chunks(path))}
