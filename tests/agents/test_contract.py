"""What every row of the table of agents must do, tried on samples of the agents' own files."""

from __future__ import annotations

import json
import os
import random
from contextlib import nullcontext, suppress
from hashlib import sha256
from pathlib import Path

import pytest

from memtool.agents.reading import Limits, read_chunks
from memtool.agents.registry import AGENTS, resume_of
from memtool.errors import StorageError
from memtool.model.actions import decode
from memtool.model.records import Event, Record
from memtool.process import SUMMARIZER_DIRECTORY
from tests.agents.contract import (
    ROWS,
    SAMPLES,
    SECRET,
    Sample,
    current,
    files_of,
    grown_database,
    laid_out,
    records_of,
    states_of,
)

ONE_BY_ONE = Limits(chunk_records=1)
EVERY = pytest.mark.parametrize("row", ROWS, ids=lambda one: str(one.agent))
_SEEDS = range(5)
_MUTATIONS = 150


@pytest.fixture
def root(row: Sample, tmp_path: Path) -> Path:
    return laid_out(row, tmp_path / "root")


def test_every_agent_has_a_sample() -> None:
    assert [row.agent for row in ROWS] == [agent.name for agent in AGENTS]


@EVERY
def test_all_of_the_sample_is_understood(row: Sample, root: Path) -> None:
    files = files_of(row, root)
    assert files
    for path in files:
        chunks = list(read_chunks(path))
        assert chunks[-1].source.format == row.agent, path
        assert chunks[-1].source.problem == ""
        for chunk in chunks:
            assert (chunk.counts.damaged, chunk.counts.unknown) == (0, {}), path
    assert len(states_of(records_of(files))) == row.events


@EVERY
def test_what_was_read_is_not_read_again(row: Sample, root: Path) -> None:
    for path in files_of(row, root):
        assert list(read_chunks(path, list(read_chunks(path))[-1].source)) == []


@EVERY
def test_order_and_repetition_change_nothing(row: Sample, root: Path) -> None:
    files = list(files_of(row, root))
    expected = states_of(records_of(files))
    for seed in _SEEDS:
        mixed = random.Random(seed)
        mixed.shuffle(files)
        records = records_of(files) * 2
        mixed.shuffle(records)
        assert states_of(records) == expected


@EVERY
def test_reading_resumes_after_every_chunk(row: Sample, root: Path) -> None:
    for path in files_of(row, root):
        whole = states_of(records_of([path]))
        records: list[Record] = []
        for chunk in read_chunks(path, limits=ONE_BY_ONE):
            records += chunk.records
            rest = [one for more in read_chunks(path, chunk.source) for one in more.records]
            assert states_of([*records, *rest]) == whole


@EVERY
def test_a_file_that_grows_says_the_same_in_the_end(row: Sample, root: Path) -> None:
    for path in files_of(row, root):
        data, found = path.read_bytes(), path.stat()
        whole = states_of(records_of([path]))
        for size in _sizes(path, data):
            os.truncate(path, 0)
            records: list[Record] = []
            source = None
            for part in (data[:size], data):
                with path.open("r+b") as stream:  # in place, as agents append
                    stream.write(part)
                if row.is_bare:
                    os.utime(path, ns=(found.st_mtime_ns, found.st_mtime_ns))
                for chunk in read_chunks(path, source):
                    records += chunk.records
                    source = chunk.source
            assert states_of(records) == whole, f"{path} cut at {size}"


def _sizes(path: Path, data: bytes) -> list[int]:
    """Return where a file of lines is cut: at the end of each, just before it, and within it."""
    if path.suffix != ".jsonl":
        return []
    ends = [at + 1 for at, byte in enumerate(data) if byte == ord("\n")]
    return sorted({max(0, at) for end in ends for at in (end, end - 1, end - 40)})


@EVERY
def test_a_database_that_grows_says_the_same_in_the_end(row: Sample, tmp_path: Path) -> None:
    for script in (SAMPLES / row.agent).rglob("*.sql"):
        path = tmp_path / script.with_suffix("").name
        records: list[Record] = []
        source = None
        for _ in grown_database(path, script.read_text(encoding="utf-8")):
            for chunk in read_chunks(path, source):
                records += chunk.records
                source = chunk.source
        assert states_of(records) == states_of(records_of([path]))


@EVERY
def test_nothing_in_a_file_can_stop_the_reading(row: Sample, root: Path) -> None:
    """Bytes and values are changed at random; what is left of the file is read, and the next file, too."""
    for path in files_of(row, root):
        data = path.read_bytes()
        for seed in range(_MUTATIONS):
            mixed = random.Random(seed)
            path.write_bytes(_broken(data, mixed) if seed % 3 else _mutated(data, mixed))
            # What is left of a database may be none: that is told, and the next file is read.
            with suppress(StorageError) if path.suffix == ".db" else nullcontext():
                for record in records_of([path]):
                    assert not isinstance(record, Event) or record.claims[0].session
        path.write_bytes(data)


def _broken(data: bytes, mixed: random.Random) -> bytes:
    """Return the bytes with a stretch of them cut out, doubled or overwritten."""
    start = mixed.randrange(len(data))
    end = min(len(data), start + mixed.choice((1, 2, 10, 1000)))
    middle = mixed.choice(
        (b"", data[start:end] * 2, bytes(mixed.randbytes(end - start)), b"{", b"\n")
    )
    return data[:start] + middle + data[end:]


_JUNK: tuple[object, ...] = (
    None,
    True,
    0,
    -1,
    2**70,
    1.5,
    "",
    "x",
    "\ud800",
    [],
    [[]],
    {},
    {"type": []},
    ["x"],
    [{}],
)


def _mutated(data: bytes, mixed: random.Random) -> bytes:
    """Return the lines, or the document, with a few values replaced by others of any type."""
    try:
        whole = json.loads(data)
        return json.dumps(_with_junk(whole, mixed), indent=2).encode()
    except ValueError:
        pass
    lines = []
    for line in data.splitlines():
        try:
            lines.append(json.dumps(_with_junk(json.loads(line), mixed)))
        except ValueError:
            lines.append(repr(line))
    return "\n".join(lines).encode()


def _with_junk(value: object, mixed: random.Random) -> object:
    if mixed.random() < 0.03:
        return mixed.choice(_JUNK)
    if isinstance(value, dict):
        return {key: _with_junk(one, mixed) for key, one in value.items() if mixed.random() > 0.02}
    if isinstance(value, list):
        return [_with_junk(one, mixed) for one in value]
    return value


@EVERY
def test_no_secret_is_stored(row: Sample, root: Path) -> None:
    held = sum(path.read_bytes().count(SECRET.encode()) for path in files_of(row, root))
    records = records_of(files_of(row, root))
    assert held or any(".pack" in path.name for path in SAMPLES.rglob("*"))
    assert not [one for one in records if SECRET in repr(one)]
    assert [one for one in records if "[redacted:" in repr(one)]


@EVERY
def test_what_memtool_itself_started_is_not_read(row: Sample, root: Path) -> None:
    """Sessions of agents that write summaries are in a directory of this name."""
    if row.is_bare or row.agent == "opencode":
        pytest.skip("its sample names the project in another way")
    own = f"/home/ann/{SUMMARIZER_DIRECTORY}"
    old, new = (sha256(place.encode()).hexdigest().encode() for place in (row.project, own))
    for path in list(root.rglob("*")):
        if path.is_file() and path.suffix != ".zst":
            data = path.read_bytes().replace(old, new)
            path.write_bytes(data.replace(row.project.encode(), own.encode()))
    files = [path for path in files_of(row, root) if path.suffix != ".zst"]
    places = {one.project for one in current(records_of(files))}
    assert own in places
    left = current(records_of(files, Limits(own=SUMMARIZER_DIRECTORY)))
    assert {event.metadata.get("source", event.kind) for event in left} <= {"history"}


@EVERY
def test_who_said_what(row: Sample, root: Path) -> None:
    events = current(records_of(files_of(row, root)))
    own = [event for event in events if "sidechain" not in event.metadata]
    prompts = [event for event in own if event.kind == "prompt"]
    said = [event for event in prompts if not event.rewound]
    assert len(said) == len(row.typed), [event.text for event in said]
    for event, words in zip(said, row.typed, strict=True):
        assert event.text.startswith(words)
    undone = [event.text for event in own if event.rewound and event.kind in ("prompt", "answer")]
    assert len(undone) == len(row.undone), undone
    for words in row.undone:
        assert any(text.startswith(words) for text in undone)
    for words in row.injected:
        assert not any(words in event.text for event in prompts)
    assert {event.project for event in events} - {""} == {row.project}
    assert {event.agent for event in events} == {"robo" if row.agent == "jsonl" else row.agent}


@EVERY
def test_actions_have_names(row: Sample, root: Path) -> None:
    events = current(records_of(files_of(row, root)))
    found = {action.__struct_config__.tag for event in events for action in decode(event.metadata)}
    assert found >= row.actions
    calls = {one.metadata.get("tool_use_id") for one in events if one.role == "assistant"}
    results = [event for event in events if event.kind == "tool_result"]
    assert results or row.is_bare
    assert {event.metadata.get("tool_use_id") for event in results} <= calls


@EVERY
def test_a_subagent_is_told_from_the_person(row: Sample, root: Path) -> None:
    events = current(records_of(files_of(row, root)))
    own = [event for event in events if row.subagent in event.text and event.kind == "answer"]
    assert own
    for event in own if row.subagent else ():
        assert event.metadata["sidechain"] == "true"
        assert event.metadata["agent_id"]
        assert event.session == row.session


@EVERY
def test_the_session_can_be_resumed(row: Sample, root: Path) -> None:
    sessions = {event.session for event in current(records_of(files_of(row, root)))}
    assert row.session in sessions
    assert resume_of(row.agent, row.session) == row.resume


@EVERY
def test_a_title_is_found(row: Sample, root: Path) -> None:
    titles = [one.text for one in current(records_of(files_of(row, root))) if one.kind == "title"]
    assert row.title in titles or not row.title
