"""One pass over the lines of a source: chooses its format by content and fills chunks of bounded size."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from msgspec.structs import replace

from memtool.agents import Fate, Format, Outcome, Parser, formats
from memtool.agents.counts import Counts, Tally
from memtool.agents.lines import Line
from memtool.agents.objects import Damage, decoded, parts_of
from memtool.model.records import Record, Source

FOREIGN = "foreign: no transcript that memtool knows"
MAX_DAMAGE_LISTED = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is held at once, and how far a source is searched for something understood."""

    line_bytes: int = 64 << 20
    chunk_bytes: int = 4 << 20
    chunk_records: int = 1000
    sniff_lines: int = 100


@dataclass(frozen=True, slots=True)
class Chunk:
    """Records to store together, the state of the source once they are, and what was counted on the way.

    `damage` lists the byte offset of the line and the reason, at most MAX_DAMAGE_LISTED a chunk.
    """

    records: tuple[Record, ...]
    source: Source
    counts: Counts
    damage: tuple[tuple[int, str], ...] = ()


@dataclass(slots=True)
class _Batch:
    """A chunk in the making."""

    records: list[Record] = field(default_factory=list)
    damage: list[tuple[int, str]] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    bytes: int = 0

    def add(self, outcome: Outcome, offset: int) -> None:
        """Take one part's outcome in."""
        self.tally.add(outcome)
        self.records += outcome.records
        if outcome.fate is Fate.DAMAGED and len(self.damage) < MAX_DAMAGE_LISTED:
            self.damage.append((offset, outcome.name))

    def settled(self, state: Source) -> Source:
        """Return the state with what was found in it added."""
        counts = self.tally.counts()
        return replace(
            state, damaged=state.damaged + counts.damaged, skipped=state.skipped + counts.skipped
        )

    def chunk(self, state: Source) -> Chunk:
        """Return it, with the state that is true once it is stored."""
        return Chunk(tuple(self.records), state, self.tally.counts(), tuple(self.damage))


def choose_format(lines: Iterator[Line], limits: Limits) -> tuple[Format | None, Iterator[Line]]:
    """Return the format of the first line that any one recognises, and the lines with those looked at put back."""
    looked_at: list[Line] = []
    size_bytes = 0
    for line in itertools.islice(lines, limits.sniff_lines):
        looked_at.append(line)
        chosen = _recognise(line)
        if chosen is not None:
            return chosen, itertools.chain(looked_at, lines)
        size_bytes += len(line.data or b"")
        if size_bytes > limits.line_bytes:
            break
    return None, itertools.chain(looked_at, lines)


def _recognise(line: Line) -> Format | None:
    for part in parts_of(decoded(line.data or b"")[0]):
        if isinstance(part, Damage):
            continue
        for known in formats():
            if known.recognises(part):
                return known
    return None


def fill_chunks(
    lines: Iterable[Line], parser: Parser, state: Source, limits: Limits, *, is_growing: bool
) -> Iterator[Chunk]:
    """Yield chunks; `offset` in each state is the end of its last line, the rest of the state is the caller's to fill.

    The last line of a growing source waits for its newline. What it says is taken where it is whole already,
    and taken again, to no effect, when it is read with its end.
    """
    batch = _Batch()
    for line in lines:
        if is_growing and not line.complete:
            state = replace(batch.settled(state), waiting_bytes=line.end - line.start)
            _peek(line, parser, batch)
            yield batch.chunk(state)
            return
        _take(line, parser, batch, limits)
        state = replace(state, offset=line.end)
        if batch.bytes >= limits.chunk_bytes or len(batch.records) >= limits.chunk_records:
            state = batch.settled(state)
            yield batch.chunk(state)
            batch = _Batch()
    yield batch.chunk(batch.settled(state))


def foreign_chunk(lines: Iterator[Line], state: Source) -> Chunk:
    """Return the only chunk of a source that no format recognises; an empty one is just empty."""
    line = next(lines, None)
    if line is None:
        return _Batch().chunk(state)
    if not line.complete:
        return _Batch().chunk(replace(state, waiting_bytes=line.end - line.start))
    return _Batch().chunk(replace(state, problem=FOREIGN))


def _take(line: Line, parser: Parser, batch: _Batch, limits: Limits) -> None:
    batch.bytes += line.end - line.start
    if line.data is None:
        batch.tally.lines += 1
        reason = f"line longer than {limits.line_bytes} bytes"
        batch.add(Outcome(Fate.DAMAGED, reason), line.start)
        return
    text, is_repaired = decoded(line.data)
    batch.tally.lines += bool(text)
    batch.tally.repaired += is_repaired
    for part in parts_of(text):
        if isinstance(part, Damage):
            batch.add(Outcome(Fate.DAMAGED, part.reason), line.start)
        else:
            batch.add(parser.parse(part), line.start)


def _peek(line: Line, parser: Parser, batch: _Batch) -> None:
    """Take what a line without its newline says, if it is whole; if not, it is still being written."""
    text, is_repaired = decoded(line.data or b"")
    parts = list(parts_of(text))
    whole = [part for part in parts if not isinstance(part, Damage)]
    if is_repaired or not whole or len(whole) != len(parts):
        return
    outcomes = [parser.parse(part) for part in whole]
    if all(outcome.fate is not Fate.DAMAGED for outcome in outcomes):
        batch.tally.lines += 1
        for outcome in outcomes:
            batch.add(outcome, line.start)
