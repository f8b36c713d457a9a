"""What a node shows of its threads: headlines first, then the best points, within a number of words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from memtool.model.levels import Level
from memtool.model.threads import STATES, Kind, Point, State, Thread, by_weight
from memtool.model.words import content_words, share

WORDS = {Level.DAY: 250, Level.WEEK: 350, Level.MONTH: 400, Level.YEAR: 450}
MOST_TITLE = 100
MOST_POINTS = {Level.DAY: 12, Level.WEEK: 8, Level.MONTH: 5, Level.YEAR: 4}
_SMALL_KINDS: frozenset[Kind] = frozenset({"ask", "done", "found", "subagent", "test", "error"})
_LARGE = 0.7
_ALIKE = 0.6
_STEP_SHARE = 0.4
"""A to-do that shares more of its words with the headline is a step of it."""
_SMALLEST = 0.18
_SMALLEST_OF_WORK = 0.35


PREFIXES: Mapping[Kind, str] = {
    "decision": "decided: ",
    "open": "open: ",
    "ask": "asked: ",
    "found": "found: ",
    "subagent": "found: ",
    "plan": "planned: ",
    "note": "note: ",
}
"""What stands before a point of this kind; without a prefix stands what was done."""


class Shown(NamedTuple):
    """One thread that is shown, and its points that are, in order of time."""

    thread: Thread
    points: tuple[Point, ...]


class View(NamedTuple):
    """What is shown of a node; `rest` counts the other threads by state."""

    title: str
    threads: tuple[Shown, ...]
    rest: tuple[tuple[State, int], ...]


def view_of(threads: Sequence[Thread], level: Level) -> View:
    """Return what a node of this level shows."""
    ordered = sorted(threads, key=by_weight)
    budget = WORDS[level]
    chosen: list[Thread] = []
    used = 0
    for thread in ordered:
        words = len(thread.headline.split())
        if is_whole(thread) and (not chosen or used + words <= budget // 2):
            chosen.append(thread)
            used += words
    points: list[list[Point]] = [[] for _ in chosen]
    queues = [_queue(thread, level) for thread in chosen]
    for number, queue in enumerate(queues):
        if queue:
            used += _take(queue.pop(0), points[number], budget - used)
    waiting = sorted(
        (
            (-worth(point) * FURTHER**place, point.time_us, point.text, number, point)
            for number, queue in enumerate(queues)
            for place, point in enumerate(queue)
        ),
        key=lambda each: each[:-1],
    )
    for _, _, _, number, point in waiting:
        if len(points[number]) < MOST_POINTS[level]:
            used += _take(point, points[number], budget - used)
    shown = tuple(
        Shown(thread, tuple(sorted(mine, key=lambda p: (p.time_us, p.text))))
        for thread, mine in zip(chosen, points, strict=True)
    )
    states = Counter(thread.state for thread in ordered if thread not in chosen)
    rest = tuple((state, states[state]) for state in STATES if states[state])
    return View(title_of(ordered), shown, rest)


def is_whole(thread: Thread) -> bool:
    """Return whether a thread is stored with the words that prove its headline; only such a one is shown."""
    return any(proof.excerpt for each in thread.headlines[:1] for proof in each.proofs)


def _queue(thread: Thread, level: Level) -> list[Point]:
    """Return the points of a thread by weight, without those that say what another or the headline says.

    What was open and is settled is not told. Above the week small steps are not shown, nor what was asked for:
    of a thread that has nothing else, only the best one.
    """
    said = [content_words(thread.headline)]
    standing = {item.text for item in thread.open_items}
    kept: list[Point] = []
    smallest = _SMALLEST_OF_WORK if thread.edits else _SMALLEST
    told = [each for each in thread.points if each.kind != "open" or each.text in standing]
    large = [
        each
        for each in told
        if level < Level.MONTH or each.weight >= _LARGE or each.kind not in _SMALL_KINDS
    ]
    for point in sorted(large or told, key=lambda p: (-worth(p), p.time_us, p.text)):
        words = content_words(point.text)
        is_step = point.kind == "done" and share(words, said[0]) >= _STEP_SHARE
        if is_step or point.weight < smallest or any(_alike(words, other) for other in said):
            continue
        said.append(words)
        kept.append(point)
    return kept if large else kept[:1]


DENSITY = 0.3
FURTHER = 0.95
"""What the next point of a thread is worth beside the one before: each thread tells something first."""
_USUAL_WORDS = 10


def worth(point: Point) -> float:
    """Return the weight of a point for the words that it takes: a short one leaves room for another."""
    room: float = (_USUAL_WORDS / max(5, len(point.text.split()))) ** DENSITY
    return point.weight * room


def _alike(words: frozenset[str], other: frozenset[str]) -> bool:
    return len(words & other) >= _ALIKE * max(1, min(len(words), len(other)))


def _take(point: Point, points: list[Point], left: int) -> int:
    words = len(point.text.split())
    if words > left:
        return 0
    points.append(point)
    return words


def title_of(ordered: Sequence[Thread]) -> str:
    """Return as many whole headlines of the heaviest threads as fit."""
    title = ""
    for thread in ordered:
        longer = f"{title} · {thread.headline}" if title else thread.headline
        if thread.headline and len(longer) <= MOST_TITLE:
            title = longer
    return title
