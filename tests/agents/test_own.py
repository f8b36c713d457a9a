"""What agents wrote because memtool ran them: nothing of it becomes an event, in whatever pieces it is read."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from memtool.agents.outcomes import OWN, total
from memtool.agents.reading import Limits, read_chunks, read_stream
from memtool.model.records import Event
from tests.agents.records import all_records, assistant, queued, user, write

DIRECTORY = "/var/lib/memtool/memtool-summarizer"
LIMITS = Limits(own="memtool-summarizer")
# As `claude -p` writes it: what comes first names no directory.
SESSION = (
    {"type": "summary", "summary": "A memory", "leafUuid": "x"},
    queued("Condense this"),
    queued(None, "dequeue"),
    user("Condense this", cwd=DIRECTORY),
    assistant({"type": "text", "text": "{}"}, cwd=DIRECTORY),
)


def events(path: Path, limits: Limits = LIMITS) -> list[str]:
    records = all_records(read_chunks(path, limits=limits))
    return [one.text for one in records if isinstance(one, Event)]


def test_a_session_in_memtools_directory_gives_nothing_and_is_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", *SESSION)
    assert all_records(read_chunks(path, limits=LIMITS)) == []
    counts = total(chunk.counts for chunk in read_chunks(path, limits=LIMITS))
    assert (counts.taken, counts.ignored[OWN], counts.metadata["summary"]) == (0, 3, 1)
    assert "Condense this" in events(path, Limits())


def test_the_same_session_elsewhere_is_taken_in(tmp_path: Path) -> None:
    elsewhere = ({**one, "cwd": f"{DIRECTORY}-2"} if "cwd" in one else one for one in SESSION)
    path = write(tmp_path / "s.jsonl", *elsewhere)
    assert events(path) == events(path, Limits())
    assert "{}" in events(path)


def test_it_stays_memtools_own_where_it_goes_elsewhere(tmp_path: Path) -> None:
    away = user("Look", "u2", cwd="/home/u/project")
    assert events(write(tmp_path / "s.jsonl", *SESSION, away)) == []


def test_of_a_persons_session_only_what_was_done_there_is_passed_over(tmp_path: Path) -> None:
    there = user("What is in here?", "u2", cwd=f"{DIRECTORY}/below")
    path = write(tmp_path / "s.jsonl", user("Go there"), there, user("And back", "u3"))
    assert events(path) == ["Go there", "And back"]


def test_in_pieces_it_is_the_same(tmp_path: Path) -> None:
    """Once a line has named a directory: before it, nothing tells whose session it will be."""
    path = write(tmp_path / "s.jsonl", *SESSION[:4])
    first = list(read_chunks(path, limits=Limits(own=LIMITS.own, chunk_records=1)))
    write(path, *SESSION)
    more = list(read_chunks(path, first[-1].source, limits=LIMITS))
    assert all_records([*first, *more]) == []


def test_it_is_read_on_where_the_last_reading_ended(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", *SESSION)
    source = list(read_chunks(path, limits=LIMITS))[-1].source
    assert source.offset == path.stat().st_size
    assert list(read_chunks(path, source, limits=LIMITS)) == []


def lines(path: Path) -> BinaryIO:
    return path.open("rb")


def test_lines_of_the_schema_count_one_by_one(tmp_path: Path) -> None:
    common = {"agent": "pi", "session": "s", "time": 1, "kind": "prompt"}
    path = write(
        tmp_path / "s.jsonl",
        {**common, "text": "theirs", "project": DIRECTORY},
        {**common, "text": "of nowhere"},
        {**common, "text": "mine", "project": "/home/u"},
    )
    assert events(path) == ["of nowhere", "mine"]
    with lines(path) as stream:
        records = all_records(read_stream(stream, limits=LIMITS))
    assert [one.text for one in records if isinstance(one, Event)] == ["of nowhere", "mine"]
