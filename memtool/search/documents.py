"""What the index holds: one document an event and one a node, as terms and small numbers. No text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING

import msgspec

from memtool.model.calendar import utc_bounds_us
from memtool.model.levels import Level
from memtool.model.records import FENCE, ROLES, Event, Node, is_by_hand
from memtool.model.segmenting import in_order
from memtool.search.words import joined_terms
from memtool.store.store import Store
from memtool.text import lowered

if TYPE_CHECKING:
    from ahocorasick_rs import AhoCorasick

DATA_KINDS = frozenset({"tool_call", "tool_result", "note", "session_start", "session_end"})
"""Kinds that hold data rather than what a person or an agent said: they are clipped, and count less."""
KINDS = tuple(ROLES)
HEAD, TAIL = 1500, 500
"""How many characters of data are indexed, at its beginning and at its end."""
PROSE_CHARACTERS = 60_000
POSITION_BITS = 24
_DATA_PLACES = 1 << 23
_OWN_TOOL = "memtool"


class Document(msgspec.Struct, frozen=True):
    """One document. `session` and `place` are digests; `place` also counts the session's events of the day."""

    id: str
    field: str
    terms: str
    tags: tuple[str, ...]
    time: int
    end: int
    kind: int
    session: int
    place: int
    turn: int
    size: int
    shape: int

    @property
    def check(self) -> int:
        """A digest of the terms and tags: by it `verify` proves that the index holds what the store holds."""
        return number_of("\n".join((self.field, self.terms, *self.tags)), 32)


def number_of(text: str, bits: int) -> int:
    """Return a digest of the text as a number of so many bits."""
    from hashlib import blake2b

    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> (64 - bits)


def documents_of_day(store: Store, day: int) -> Iterator[Document]:
    """Yield the documents of the events of one UTC day (an ordinal), and of the nodes that begin on that date."""
    yield from documents_of_events(store.events(*utc_bounds_us(day)), day)
    yield from documents_of_nodes(store, day)


def documents_of_events(events: Iterable[Event], day: int) -> Iterator[Document]:
    """Yield the documents of all events of one UTC day."""
    current = sorted((event for event in events if not event.rewound), key=lambda one: one.session)
    for session, rows in groupby(current, key=lambda one: one.session):
        number = number_of(session, 32)
        first_place = number_of(f"{session} {day}", 64 - POSITION_BITS) << POSITION_BITS
        turn = position = number_of_data = 0
        for event in _foreign(in_order(list(rows))):
            turn += event.kind == "prompt"
            is_data = event.kind in DATA_KINDS and not is_by_hand(session)
            # Data has a sequence of its own: the neighbours of what was said are what was said before and after it.
            place = first_place + (_DATA_PLACES + number_of_data if is_data else position)
            number_of_data += is_data
            position += not is_data
            found = joined_terms(_clipped(event.text, is_data=is_data))
            yield Document(
                event.id,
                "data" if is_data else "prose",
                found,
                tags_of(event, day),
                event.time_us,
                event.time_us,
                KINDS.index(event.kind),
                number,
                place,
                (first_place >> POSITION_BITS << POSITION_BITS) + turn,
                found.count(" ") + 1,
                shape_of(event.text),
            )


QUESTION, WHEN, NUMBER, REASON = 1, 2, 4, 8
"""What a text may answer: it asks itself, says when, how many, or why."""


_DAYS = "yesterday today monday tuesday wednesday thursday friday saturday sunday"
_MONTHS = "january february march april june july august september october november december"
_SPAN = r"(?:last|next|this|past) (?:\w+ )?(?:week|weekend|month|year|night|summer|winter|spring|fall|time)"
_WORDS = {
    WHEN: (*_DAYS.split(), *_MONTHS.split(), "tomorrow", "tonight", "ago", "since", "recently"),
    NUMBER: (
        *("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
        *("twice", "once", "couple", "several"),
    ),
    REASON: (
        *(
            "because",
            "since",
            "so that",
            "the reason",
            "root cause",
            "due to",
            "instead",
            "therefore",
        ),
        *("the issue", "the problem", "the bug"),
    ),
}
"""Words of a text that has a shape; of a time also what `_SPAN` matches, where one of its first words stands."""
_SPAN_WORDS = ("last ", "next ", "this ", "past ")
_PATTERNS = (
    (QUESTION, re.compile(r"\?(?:\s|$)")),
    (WHEN, re.compile(r"\b\d{4}-\d\d\b")),
    (NUMBER, re.compile(r"\b\d+\b")),
)


@cache
def _finder() -> tuple[AhoCorasick, tuple[tuple[int, re.Pattern[str]], ...]]:
    """Return what finds all words in one look, and what each of them, found somewhere, has to match there."""
    from ahocorasick_rs import AhoCorasick

    rows = [(word, shape, rf"\b{word}\b") for shape, words in _WORDS.items() for word in words] + [
        (word, WHEN, rf"\b{_SPAN}\b") for word in _SPAN_WORDS
    ]
    patterns = tuple((shape, re.compile(source, re.IGNORECASE)) for _, shape, source in rows)
    return AhoCorasick([word for word, _, _ in rows]), patterns


def shape_of(text: str) -> int:
    """Return what kind of things a text says, one bit each."""
    found = 0
    for shape, pattern in _PATTERNS:
        found |= shape if pattern.search(text, 0, PROSE_CHARACTERS) else 0
    finder, patterns = _finder()
    for word, start, _ in finder.find_matches_as_indexes(lowered(text), overlapping=True):
        shape, pattern = patterns[word]
        if not found & shape and pattern.match(text, start, PROSE_CHARACTERS):
            found |= shape
    return found


def _clipped(text: str, *, is_data: bool) -> str:
    if is_data and len(text) > HEAD + TAIL:
        return f"{text[:HEAD]} {text[-TAIL:]}"
    return text[:PROSE_CHARACTERS]


def tags_of(event: Event, day: int) -> tuple[str, ...]:
    """Return what an event can be filtered by."""
    return (
        f"day:{day}",
        f"kind:{event.kind}",
        f"role:{event.role}",
        f"agent:{event.agent}",
        *(f"session:{claim.session}" for claim in event.claims),
        *(f"project:{claim.project}" for claim in event.claims),
    )


def _foreign(events: Iterable[Event]) -> Iterator[Event]:
    """Yield the events but for memtool's own output: a memory that finds what it has found before finds little else."""
    own: set[str] = set()
    for event in events:
        call = event.metadata.get("tool_use_id", "")
        if event.kind == "settled":
            continue  # it has no words of its own
        if event.kind == "tool_call" and _is_own(event):
            own.add(call)
        elif not (
            event.kind == "tool_result" and call in own
        ) and not event.text.lstrip().startswith(FENCE):
            yield event


@cache
def _own_command() -> re.Pattern[str]:
    return re.compile(r"^\s*(?:\w+=\S+\s+)*(?:\S*/)?memtool\s", re.MULTILINE)


def _is_own(event: Event) -> bool:
    return (
        _OWN_TOOL in event.metadata.get("tool", "") or _own_command().search(event.text) is not None
    )


def documents_of_nodes(store: Store, day: int) -> Iterator[Document]:
    """Yield the documents of the nodes whose period, or segment, begins on this day of the store's calendar."""
    cuts = {cut.id: cut for cut in store.cuts(day)}
    for level in Level:
        for node in store.nodes(level, day, day + 1):
            cut = cuts.get(node.id)
            tags: tuple[str, ...] = (f"day:{day}", f"level:{level.word}")
            if cut is not None:
                tags += (f"agent:{cut.agent}", f"session:{cut.session}", f"project:{cut.project}")
            start_us = cut.start_us if cut else max(0, store.calendar.day_start_us(day))
            found = joined_terms(node_text(node))
            yield Document(
                node.id,
                "summary",
                found,
                tags,
                start_us,
                cut.end_us if cut else start_us,
                len(KINDS) + level,
                number_of(cut.session, 32) if cut else 0,
                0,
                0,
                found.count(" ") + 1,
                0,
            )


def node_text(node: Node) -> str:
    """Return all words of a node."""
    return "\n".join(
        (node.title, *(bullet.text for bullet in node.bullets), " ".join(node.keywords))
    )
