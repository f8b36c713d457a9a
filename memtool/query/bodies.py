"""Checks what a node is made of: the turns of a segment, the threads of a period, and the words that prove them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from memtool.model.levels import Level, Period
from memtool.model.records import Cut, EventId, Node, is_by_hand
from memtool.model.shown import WORDS, view_of
from memtool.model.threads import LIMITS, Proof, Thread, Turn, threads_in, turns_in
from memtool.model.words import content_words, share
from memtool.store.store import Store
from memtool.summarize.extractive import VERSION

LEAST_HELD = 0.5
"""The share of a point's content words that its proofs must hold, where no model wrote it."""


def problems_of_segment(store: Store, node: Node, cut: Cut) -> Iterator[str]:
    """Yield what is wrong with the turns of a segment's node."""
    try:
        turns = turns_in(node.body)
    except msgspec.DecodeError as error:
        yield f"its turns cannot be read: {error}"
        return
    session = "" if is_by_hand(cut.session) else cut.session
    if any(turn.session != session for turn in turns):
        yield "a turn belongs to another session"
    proofs = [each for turn in turns for signal in turn.signals for each in signal.proofs]
    if {each.event for each in proofs} - set(cut.events):
        yield "a signal is proven by an event that is not in the segment"
    yield from _proof_problems(store, proofs)


def problems_of_period(
    store: Store, node: Node, period: Period, below: Sequence[Node]
) -> Iterator[str]:
    """Yield what is wrong with the threads of a period's node; `below` are the nodes that it was made from."""
    try:
        threads = threads_in(node.body)
        if period.level is Level.DAY:
            turns = [turn for each in below for turn in turns_in(each.body)]
            yield from _beside_turns(threads, turns)
        else:
            parts = [thread for each in below for thread in threads_in(each.body)]
            yield from _beside_parts(threads, parts, period.level)
    except msgspec.DecodeError as error:
        yield f"its threads, or those below it, cannot be read: {error}"
        return
    if len({thread.id for thread in threads}) < len(threads):
        yield "it has a thread twice"
    yield from _size_problems(threads, period.level)
    yield from _proof_problems(store, _proofs(threads))
    if period.level is Level.DAY and node.recipe.prompt == VERSION:
        yield from _unproven(threads)


def _proofs(threads: Iterable[Thread]) -> Iterator[Proof]:
    for thread in threads:
        for group in (thread.headlines, thread.points, thread.items, thread.references):
            for each in group:
                yield from each.proofs


def _proof_problems(store: Store, proofs: Iterable[Proof]) -> Iterator[str]:
    """Check that each proof is what its event says; one without an excerpt only names the event."""
    texts: dict[EventId, str | None] = {}
    for each in dict.fromkeys(proofs):
        if each.event not in texts:
            event = store.event(each.event)
            texts[each.event] = None if event is None or event.rewound else event.text
        text = texts[each.event]
        if text is None:
            yield f"a point or headline is proven by the event {each.event}, which is not there"
        elif each.excerpt and text[each.start : each.end] != each.excerpt:
            yield f"the words that prove a point are not what the event {each.event} says"


def _unproven(threads: Iterable[Thread]) -> Iterator[str]:
    for thread in threads:
        for point in () if thread.written else thread.points:
            said = content_words(" ".join(proof.excerpt for proof in point.proofs))
            if not point.proofs or share(content_words(point.text), said) < LEAST_HELD:
                yield f"the proofs of a point do not hold its words: {point.text}"


def _size_problems(threads: Sequence[Thread], level: Level) -> Iterator[str]:
    limits = LIMITS[level]
    if len(threads) > limits.threads or any(
        len(thread.points) > limits.points or len(thread.items) > limits.items for thread in threads
    ):
        yield "it has more threads, points or open items than its level stores"
    told = view_of(threads, level).threads
    headlines = [len(shown.thread.headline.split()) for shown in told]
    words = sum(headlines) + sum(len(p.text.split()) for shown in told for p in shown.points)
    if words > max(WORDS[level], *headlines, 0):
        yield f"it shows {words} words, more than the {WORDS[level]} of its level"


def _beside_turns(threads: Sequence[Thread], turns: Sequence[Turn]) -> Iterator[str]:
    """Check a day's threads beside the turns that they were made from."""
    if {each for thread in threads for each in thread.sessions} - {turn.session for turn in turns}:
        yield "a thread has a session that none of its segments has"
    edits = sum(count for turn in turns for _, count, _ in turn.edits)
    if len(threads) < LIMITS[Level.DAY].threads and sum(each.edits for each in threads) != edits:
        yield "its threads do not have the edits of its segments"


def _beside_parts(
    threads: Sequence[Thread], parts: Sequence[Thread], level: Level
) -> Iterator[str]:
    """Check that what the threads of a period say is said below it, and that none is missing."""
    by_id: dict[str, list[Thread]] = {}
    for part in parts:
        by_id.setdefault(part.id, []).append(part)
    if len(threads) < LIMITS[level].threads and by_id.keys() - {thread.id for thread in threads}:
        yield "a thread of a period below it is missing"
    for thread in threads:
        held = by_id.get(thread.id, [])
        is_covered = (
            _said(thread) <= {each for part in held for each in _said(part)}
            and thread.edits == sum(part.edits for part in held)
            and thread.first_us == min((part.first_us for part in held), default=-1)
            and thread.last_us == max((part.last_us for part in held), default=-1)
            and thread.state in {part.state for part in held}
        )
        if not is_covered:
            yield f"a thread says what no period below it says: {thread.headline}"


def _said(thread: Thread) -> set[tuple[str, str]]:
    """Return what a thread says, in a form in which a parent repeats it."""
    return {
        *(("headline", each.text) for each in thread.headlines),
        *((point.kind, point.text) for point in thread.points),
        *(("item", item.key) for item in thread.items),
        *((each.kind, each.key) for each in thread.references),
        *(("session", session) for session in thread.sessions),
    }
