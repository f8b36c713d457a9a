"""Reads a transcript as chunks of records with bounded memory, from where the last reading ended.

The format is chosen by content. The state in a chunk is true once its records are stored: after a crash in between,
they are read again. Sessions of agents that memtool runs as its summarizer are not read.
"""

from __future__ import annotations

import codecs
import io
import itertools
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec.structs import replace

from memtool.agents import registry
from memtool.agents.compressed import SUFFIXES, Unpacked, unpacked
from memtool.agents.discover import is_current, look, unchanged
from memtool.agents.lines import Damage, Line, decoded, is_unfinished, lines_of, parts_of
from memtool.agents.outcomes import OWN, Counts, Disposition, Outcome, Tally
from memtool.agents.registry import Agent, File, Parser, agent_named
from memtool.agents.values import JsonObject, text_at
from memtool.errors import StorageError
from memtool.files import storage_error
from memtool.model.records import Event, Record, Source, digest_of

FOREIGN = "foreign: no transcript that memtool knows"
CUT_SHORT = "the compressed data is damaged or cut short: what came before that was read"
UTF_16 = "UTF-16: convert it to UTF-8"
MAX_DAMAGE_LISTED = 100
FINGERPRINT_BYTES = 4096
_MOST_OBJECTS_FOR_PLACE = 1000
_HEAD_BYTES = 16
_BLANK = b" \t\r\n\xef\xbb\xbf"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Limits(msgspec.Struct, frozen=True):
    """How much is held at once, and how far a source is searched for something understood.

    `own` is the name of the directories in which memtool runs programs: sessions there are skipped; "" skips none.
    With `only`, a file of another agent than this one is foreign. `is_covered` is as in File.
    """

    line_bytes: int = 64 << 20
    chunk_bytes: int = 4 << 20
    chunk_records: int = 1000
    sniff_lines: int = 100
    own: str = ""
    only: str = ""
    is_covered: Callable[[str, int], bool] = lambda _session, _time_us: False


_LIMITS = Limits()


class Chunk(msgspec.Struct, frozen=True):
    """Records to store together, the state of the source once they are, and what was counted on the way.

    `damage` lists the byte offset of the line and the reason, at most MAX_DAMAGE_LISTED a chunk.
    """

    records: tuple[Record, ...]
    source: Source
    counts: Counts
    damage: tuple[tuple[int, str], ...] = ()


def read_chunks(
    path: Path, source: Source | None = None, *, limits: Limits = _LIMITS
) -> Iterator[Chunk]:
    """Yield what is new in the source since `source`, nothing if it is unchanged; the last chunk has the final state.

    Raise StorageError where it cannot be read.
    """
    try:
        if source is not None and unchanged(look(path, source), source):
            return
        # O_NONBLOCK: a FIFO in a file's place must not hang the job.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise StorageError(f"{path}: not a regular file")
            head = os.pread(descriptor, _HEAD_BYTES, 0)
            agent = next((one for one in registry.AGENTS if one.format.opens(path, head)), None)
            if agent is None:
                yield from _read_file(path, stream, source, limits)
        if agent is not None:
            yield from _read_rows(path, agent, source, limits)
    except OSError as error:
        raise storage_error(error, path) from error


def read_stream(stream: BinaryIO, *, name: str = "", limits: Limits = _LIMITS) -> Iterator[Chunk]:
    """Yield what a stream without a past says; `name` stands in where records tell no session."""
    agent, lines = _choose_agent(lines_of(stream, 0, None, limits.line_bytes), limits)
    if agent is None:
        yield _foreign_chunk(lines, Source())
        return
    # Of a stream, nothing can be looked at again or ahead: each record counts by itself.
    parser = _parser(agent, File(name, lambda _: iter(())), limits.own)
    yield from _fill_chunks(lines, parser, Source(format=agent.name), limits, is_growing=False)


# --- Files of lines, and documents ---------------------------------------------------------


def _read_file(
    path: Path, stream: BinaryIO, source: Source | None, limits: Limits
) -> Iterator[Chunk]:
    found = os.fstat(stream.fileno())
    packed = _unpacked(path, stream)
    if packed is None:
        start = _resume_at(stream.fileno(), found, source)
        # Only the bytes of this stat are read: its size and time are then what the state can vouch for.
        content = _Content(stream, found.st_size, limits)
    else:
        start = Source(inode=found.st_ino)
        content = _Content(io.BufferedReader(packed), None, limits)
    last = None
    for chunk in _chunks(path, content, start, limits):
        if last is not None:
            yield _with_file_state(last, stream, found, content, is_final=False)
        last = chunk
    assert last is not None
    if packed is not None and packed.damaged:
        last = Chunk(
            last.records, replace(last.source, problem=CUT_SHORT), last.counts, last.damage
        )
    yield _with_file_state(last, stream, found, content, is_final=True)


def _unpacked(path: Path, stream: BinaryIO) -> Unpacked | None:
    try:
        return unpacked(stream)
    except StorageError as error:
        raise StorageError(f"{path}: {error.message}", hint=error.hint) from error


class _Content:
    """The lines of a file up to `end`. A document is one long line, and of it `is_whole` is true.

    Only of plain lines can more be appended: all else is read from the start when it changes. `is_unfinished` says
    that no format knows it, and that it may be a document which is still being written.
    """

    def __init__(self, stream: BinaryIO, end: int | None, limits: Limits) -> None:
        self._stream = stream
        self._limits = limits
        self._document: Line | None = None
        self.end = end
        self.is_unfinished = False

    @property
    def can_grow(self) -> bool:
        """Whether more may be appended to what was read."""
        return self.end is not None and self._document is None

    def lines(self, start: int, end: int | None) -> Iterator[Line]:
        """Yield the lines from one place to another; they are read as they are asked for."""
        if self._document is not None:
            return iter([self._document])
        self._stream.seek(start)
        return lines_of(self._stream, start, end, self._limits.line_bytes)

    def chosen(self, start: int) -> tuple[Agent | None, Iterator[Line]]:
        """Return the agent whose format it is, if any, and the lines to read."""
        agent, lines = _choose_agent(self.lines(start, self.end), self._limits)
        first, lines = _peeked(lines)
        if first is None or (agent is not None and not _is_document(first, agent)):
            return agent, lines
        if agent is None:
            first = self._all_as_line()
            agent, _ = _choose_agent(iter([first] if first else []), self._limits)
        if agent is None:
            self.is_unfinished = first is not None and is_unfinished(decoded(first.data or b"")[0])
            return None, self.lines(start, self.end)
        self._document = first
        return agent, self.lines(0, self.end)

    def objects(self, end: int | None, word: str, agent: Agent) -> Iterator[JsonObject]:
        """Yield the objects from the start up to a point; the stream is left where it was."""
        here = self._stream.tell()
        needle = word.encode("ascii")
        try:
            for line in self.lines(0, end):
                # Only an escape could spell the word otherwise.
                if line.data is not None and (needle in line.data or b"\\u" in line.data):
                    for part in parts_of(decoded(line.data)[0]):
                        if not isinstance(part, Damage):
                            yield from agent.format.expanded(part)
        finally:
            self._stream.seek(here)

    def _all_as_line(self) -> Line | None:
        """Return all of it as one line, None where it is too long or does not begin as an object does."""
        self._stream.seek(0)
        data = self._stream.read(self._limits.line_bytes + 1)[: self.end]
        if len(data) > self._limits.line_bytes or data.lstrip(_BLANK)[:1] != b"{":
            return None
        return Line(0, len(data), data, complete=True)


def _peeked(lines: Iterator[Line]) -> tuple[Line | None, Iterator[Line]]:
    first = next(lines, None)
    return first, lines if first is None else itertools.chain([first], lines)


def _is_document(line: Line, agent: Agent) -> bool:
    """Return whether the line without an end is all there is, and stands for several objects."""
    if line.complete or line.start or line.data is None:
        return False
    parts = parts_of(decoded(line.data)[0])
    whole = [part for part in parts if not isinstance(part, Damage)]
    return any(len(list(itertools.islice(agent.format.expanded(one), 2))) > 1 for one in whole)


def _chunks(path: Path, content: _Content, start: Source, limits: Limits) -> Iterator[Chunk]:
    agent = agent_named(start.format)
    if agent is None:
        start = Source(inode=start.inode)
        agent, lines = content.chosen(start.offset)
    else:
        lines = content.lines(start.offset, content.end)
    if agent is None:
        is_begun = content.can_grow and content.is_unfinished
        waiting = replace(start, waiting_bytes=content.end or 0)
        yield _Batch().chunk(waiting) if is_begun else _foreign_chunk(lines, start)
        return

    def objects(end: int | None, word: str) -> Iterator[JsonObject]:
        return content.objects(end, word, agent)

    key = agent.format.place_key
    if start.offset and key and not any(text_at(one, key) for one in objects(start.offset, key)):
        # What was read so far could not be placed: with what follows it can.
        start = Source(inode=start.inode)
        lines = content.lines(0, content.end)
    file = File(
        _stem(path),
        lambda word: objects(start.offset, word) if start.offset else iter(()),
        lambda word: objects(content.end, word),
        limits.is_covered,
        path,
        start.cursor,
    )
    parser = _parser(agent, file, limits.own)
    state = replace(start, format=agent.name, reader=agent.format.reader, waiting_bytes=0)
    yield from _fill_chunks(lines, parser, state, limits, is_growing=content.can_grow)


def _stem(path: Path) -> str:
    """Return the name without its endings."""
    name = path.stem if path.suffix in SUFFIXES else path.name
    return Path(name).stem


def _resume_at(descriptor: int, found: os.stat_result, source: Source | None) -> Source:
    """Return the state to go on from: the recorded one where the file only grew, else a fresh one."""
    if source is not None and source.offset and source.inode == found.st_ino and is_current(source):
        grew = found.st_size > source.size_bytes
        if grew and _fingerprint(descriptor, source.offset) == source.fingerprint:
            return replace(source, problem="")
    return Source(inode=found.st_ino)


def _fingerprint(descriptor: int, offset: int) -> str:
    """Return the digest of the first and the last 4 KiB before the offset."""
    if not offset:
        return ""
    head = os.pread(descriptor, min(offset, FINGERPRINT_BYTES), 0)
    start = max(0, offset - FINGERPRINT_BYTES)
    return digest_of(head, os.pread(descriptor, offset - start, start))


def _with_file_state(
    chunk: Chunk, stream: BinaryIO, found: os.stat_result, content: _Content, *, is_final: bool
) -> Chunk:
    """Return the chunk with the file's state; only the last one may say that all of the file was read."""
    offset = chunk.source.offset if content.can_grow else 0
    state = replace(
        chunk.source,
        inode=found.st_ino,
        size_bytes=found.st_size if is_final else offset,
        mtime_ns=found.st_mtime_ns if is_final else 0,
        offset=offset,
        fingerprint=_fingerprint(stream.fileno(), offset),
        cursor=chunk.source.cursor if offset else "",
    )
    return Chunk(chunk.records, state, chunk.counts, chunk.damage)


# --- What a format reads itself ------------------------------------------------------------


def _read_rows(path: Path, agent: Agent, source: Source | None, limits: Limits) -> Iterator[Chunk]:
    found = agent.format.look(path)  # before it is read: what comes later is read again
    state = Source(format=agent.name, reader=agent.format.reader)
    if source is not None and source.format == agent.name and is_current(source):
        state = replace(source, problem="", size_bytes=0, mtime_ns=0)

    def rows(_word: str) -> Iterator[JsonObject]:
        return (row.record for row in agent.format.rows(path, ""))

    file = File(path.stem, lambda _: iter(()), rows, limits.is_covered, path)
    parser = _parser(agent, file, limits.own)
    batch = _Batch()
    for row in agent.format.rows(path, state.cursor):
        batch.add(parser.parse(row.record), 0)
        state = replace(state, cursor=row.cursor)
        if len(batch.records) >= limits.chunk_records:
            state = batch.counted(state)
            yield batch.chunk(state)
            batch = _Batch()
    inode, size_bytes, mtime_ns = found
    state = replace(state, inode=inode, size_bytes=size_bytes, mtime_ns=mtime_ns)
    yield batch.chunk(batch.counted(state))


# --- One pass over the lines ---------------------------------------------------------------


def _choose_agent(lines: Iterator[Line], limits: Limits) -> tuple[Agent | None, Iterator[Line]]:
    """Return whose format the first line is that any one recognises, and the lines with those looked at put back."""
    looked_at: list[Line] = []
    size_bytes = 0
    for line in itertools.islice(lines, limits.sniff_lines):
        looked_at.append(line)
        for part in parts_of(decoded(line.data or b"")[0]):
            for agent in registry.AGENTS:
                if limits.only not in ("", agent.name) or isinstance(part, Damage):
                    continue
                if agent.format.recognises(part):
                    return agent, itertools.chain(looked_at, lines)
        size_bytes += len(line.data or b"")
        if size_bytes > limits.line_bytes:
            break
    return None, itertools.chain(looked_at, lines)


class _Batch:
    """A chunk in the making."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.damage: list[tuple[int, str]] = []
        self.tally = Tally()
        self.bytes = 0

    def add(self, outcome: Outcome, offset: int) -> None:
        """Add one part's outcome."""
        self.tally.add(outcome)
        self.records += outcome.records
        if outcome.disposition is Disposition.DAMAGED and len(self.damage) < MAX_DAMAGE_LISTED:
            self.damage.append((offset, outcome.name))

    def counted(self, state: Source) -> Source:
        """Return the state with what was counted added."""
        counts = self.tally.counts()
        return replace(
            state, damaged=state.damaged + counts.damaged, skipped=state.skipped + counts.skipped
        )

    def chunk(self, state: Source) -> Chunk:
        """Return it, with the state that is true once it is stored."""
        return Chunk(tuple(self.records), state, self.tally.counts(), tuple(self.damage))


def _fill_chunks(
    lines: Iterable[Line], parser: Parser, state: Source, limits: Limits, *, is_growing: bool
) -> Iterator[Chunk]:
    """Yield chunks; `offset` in each state is the end of its last line, the rest of the state is the caller's to fill.

    The last line of a growing source waits for its newline. What it says is taken if it is whole already, and
    taken again, to no effect, when it is read with its end.
    """
    agent = agent_named(state.format)
    assert agent is not None, state
    batch = _Batch()
    for line in lines:
        if is_growing and not line.complete:
            # What the unfinished line holds is not counted in the state: it is read again.
            state = replace(
                batch.counted(state),
                waiting_bytes=line.end - line.start,
                cursor=parser.memory(),
            )
            _take_unfinished(line, agent, parser, batch)
            yield batch.chunk(state)
            return
        _take(line, agent, parser, batch, limits)
        state = replace(state, offset=line.end)
        if batch.bytes >= limits.chunk_bytes or len(batch.records) >= limits.chunk_records:
            state = replace(batch.counted(state), cursor=parser.memory())
            yield batch.chunk(state)
            batch = _Batch()
    yield batch.chunk(replace(batch.counted(state), cursor=parser.memory()))


def _foreign_chunk(lines: Iterator[Line], state: Source) -> Chunk:
    """Return the only chunk of a source that no format recognises; one without words is just empty."""
    for line in lines:
        if not line.complete:
            state = replace(state, waiting_bytes=line.end - line.start)
        elif line.data is None or line.data.strip():
            is_utf_16 = line.start == 0 and (line.data or b"")[:2] in _UTF_16
            return _Batch().chunk(replace(state, problem=UTF_16 if is_utf_16 else FOREIGN))
    return _Batch().chunk(state)


def _take(line: Line, agent: Agent, parser: Parser, batch: _Batch, limits: Limits) -> None:
    batch.bytes += line.end - line.start
    if line.data is None:
        batch.tally.add_line()
        reason = f"line longer than {limits.line_bytes} bytes"
        batch.add(Outcome(Disposition.DAMAGED, reason), line.start)
        return
    text, is_repaired = decoded(line.data)
    if text:
        batch.tally.add_line(is_repaired=is_repaired)
    for part in parts_of(text):
        if isinstance(part, Damage):
            batch.add(Outcome(Disposition.DAMAGED, part.reason), line.start)
        else:
            for record in agent.format.expanded(part):
                batch.add(parser.parse(record), line.start)


def _take_unfinished(line: Line, agent: Agent, parser: Parser, batch: _Batch) -> None:
    """Take what a line without its newline says, if it is whole; if not, it is still being written."""
    text, is_repaired = decoded(line.data or b"")
    parts = list(parts_of(text))
    whole = [part for part in parts if not isinstance(part, Damage)]
    if is_repaired or not whole or len(whole) != len(parts):
        return
    outcomes = [parser.parse(one) for part in whole for one in agent.format.expanded(part)]
    if all(outcome.disposition is not Disposition.DAMAGED for outcome in outcomes):
        batch.tally.add_line()
        for outcome in outcomes:
            batch.add(outcome, line.start)


# --- memtool's own sessions ----------------------------------------------------------------


def _parser(agent: Agent, file: File, own: str) -> Parser:
    """Return the agent's parser, without memtool's own sessions."""
    parser = agent.format.parser(file)
    return _WithoutOwn(parser, agent.format.place_key, own, file.whole) if own else parser


class _WithoutOwn(Parser):
    """A parser that counts and skips the records of sessions in directories named `own`.

    A record counts by its own project. In a format of one session a file, all of a file counts by the first place that
    it names: a session may begin with records that name none, and go on elsewhere.
    """

    def __init__(
        self,
        parser: Parser,
        place_key: str,
        own: str,
        whole: Callable[[str], Iterator[JsonObject]],
    ) -> None:
        self._parser = parser
        self._place_key = place_key
        self._own = own
        self._whole = whole
        self._is_own_file: bool | None = None

    def parse(self, record: JsonObject) -> Outcome:
        """Return what the object says; of an own one, only that it is one."""
        outcome = self._parser.parse(record)
        if outcome.disposition is not Disposition.TAKEN:
            return outcome
        if self._is_own_file is None:
            self._is_own_file = bool(self._place_key) and self._is_own(self._first_place())
        events = (one for one in outcome.records if isinstance(one, Event))
        if self._is_own_file or any(
            self._is_own(event.metadata.get("directory", event.project)) for event in events
        ):
            return Outcome(Disposition.IGNORED, OWN)
        return outcome

    def memory(self) -> str:
        """Return the parser's."""
        return self._parser.memory()

    def _is_own(self, place: str) -> bool:
        return self._own in place.split("/")

    def _first_place(self) -> str:
        records = itertools.islice(self._whole(self._place_key), _MOST_OBJECTS_FOR_PLACE)
        places = (text_at(record, self._place_key) for record in records)
        return next(filter(None, places), "")
