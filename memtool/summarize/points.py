"""What the children of a period say, point by point; what they repeat, and what a cut tore apart, is put together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from memtool.core.summary import Item, Section
from memtool.summarize.keywords import central
from memtool.summarize.phrases import (
    ARROW,
    CONCLUSIONS,
    UNTOLD,
    is_chore,
    is_routine,
    points,
    tells_deed,
)
from memtool.summarize.plain import plain, shorten
from memtool.summarize.words import alike, keys

TEXT_LIMIT = 160
FEW_KEYS = 3
MOST_POINTS = 600
"""Bullets of all children that are weighed; of each child at least its first one."""
_COMPARED = 200
"""A bullet is compared with as many that came before it, to find repeats."""
_SAME_PERCENT = 75
_REPEAT_BONUS = 6


@dataclass(frozen=True, slots=True)
class Point:
    """A claim of one child, or of several that say the same, with the bullets that prove it.

    `asked` holds the words of the request, if the claim has one.
    """

    items: tuple[Item, ...]
    sections: tuple[int, ...]
    text: str
    keys: frozenset[str]
    asked: frozenset[str]
    score: int

    @property
    def position(self) -> int:
        """Where it stands among the period's bullets."""
        return self.items[0].number

    @property
    def result(self) -> str:
        """What the claim says came of it."""
        return self.text.partition(ARROW)[2] or self.text


def points_of(sections: Sequence[Section], weights: dict[str, int]) -> list[Point]:
    """Return what the children say in order of time; every child that has a bullet is part of some point."""
    most = max(MOST_POINTS // max(len(sections), 1), 1)
    found = [
        [_point(item, at, weights) for item in section.items[:most]]
        for at, section in enumerate(sections)
    ]
    return _merged(_mended(found, sections))


def _point(item: Item, section: int, weights: dict[str, int]) -> Point:
    text = plain(item.text) or "…"
    said = frozenset(keys(text))
    ask, arrow, result = text.partition(ARROW)
    asked = frozenset(keys(ask)) or said
    result = result or text
    score = central(said, weights) + 4 * bool(arrow) + 3 * tells_deed(result)
    score -= 6 * (len(said) < FEW_KEYS) + 5 * is_chore(result) + 4 * (not arrow) * is_chore(text)
    score -= 6 * (bool(arrow) and is_routine(asked))
    return Point((item,), (section,), text, said, asked if arrow else frozenset(), score)


def _mended(found: list[list[Point]], sections: Sequence[Section]) -> list[Point]:
    """Return all points, with each request that a cut left open joined to what the next children tell of it."""
    whole: dict[int, Point] = {}
    absorbed: set[int] = set()
    for ask, followers in _torn(found, sections):
        joined, used = _joined(ask, followers)
        whole[ask.position] = joined
        absorbed |= {point.position for point in used}
    every = (point for here in found for point in here if point.position not in absorbed)
    return [whole.get(point.position, point) for point in every]


def _torn(
    found: list[list[Point]], sections: Sequence[Section]
) -> Iterator[tuple[Point, list[Point]]]:
    """Yield requests with the points that follow them in later children of the same name, up to the next request."""
    threads: dict[tuple[str, str], list[int]] = {}
    for at, section in enumerate(sections):
        threads.setdefault((section.project, section.label), []).append(at)
    for thread in threads.values():
        open_ask, followers = None, list[Point]()
        for point in (point for at in thread for point in found[at]):
            if point.asked:
                if open_ask and followers:
                    yield open_ask, followers
                open_ask, followers = point, []
            elif open_ask and _related(open_ask, point, sections):
                followers.append(point)
        if open_ask and followers:
            yield open_ask, followers


_SHARED_WORDS = 2


def _related(ask: Point, point: Point, sections: Sequence[Section]) -> bool:
    """Return whether a later child goes on with an earlier one: they share words that matter to both."""
    earlier, later = sections[ask.sections[0]], sections[point.sections[0]]
    if earlier is later:
        return False
    return len(_subject(earlier) & (_subject(later) | point.keys)) >= _SHARED_WORDS


def _subject(section: Section) -> frozenset[str]:
    return frozenset(keys(" ".join((section.title, *section.keywords))))


def _joined(ask: Point, followers: list[Point]) -> tuple[Point, list[Point]]:
    """Return the request with its result, and the points that need not be told apart from it any more."""
    chores = [point for point in followers if is_chore(point.text)]
    told = [point for point in followers if not is_chore(point.text)]
    if not is_chore(ask.result) or not told:
        items = (*ask.items, *(item for point in chores for item in point.items))
        return replace(ask, items=items, sections=_sections((ask, *chores))), chores
    best = max(told, key=lambda point: _tells_of(ask, point))
    asked = ask.text.partition(ARROW)[0]
    text = f"{asked}{ARROW}{shorten(best.text, max(TEXT_LIMIT - len(asked) - 3, 40))}"
    used = [*chores, best]
    items = (*ask.items, *best.items, *(item for point in chores for item in point.items))
    score = max(ask.score, best.score) + 4
    said = ask.asked | best.keys
    return Point(items, _sections((ask, *used)), text, said, ask.asked, score), used


def _tells_of(ask: Point, point: Point) -> int:
    """Return how well a point tells what came of a request."""
    own = points(point.text, CONCLUSIONS) + 6 * tells_deed(point.text)
    return own + 4 * len(ask.asked & point.keys) + point.score // 2


def _sections(several: Sequence[Point]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(section for point in several for section in point.sections))


def _merged(found: list[Point]) -> list[Point]:
    """Return the points with those that repeat one another put together, in order of first mention."""
    kept: list[Point] = []
    for point in found:
        start = max(len(kept) - _COMPARED, 0)
        for at in range(start, len(kept)):
            if not set(point.sections) <= set(kept[at].sections) and _repeats(point, kept[at]):
                kept[at] = _union(kept[at], point)
                break
        else:
            kept.append(point)
    return kept


def _union(one: Point, later: Point) -> Point:
    """Return both as one; the later one speaks, since it knows how it ended, unless it tells no result."""
    speaks = one if is_chore(later.result) and not is_chore(one.result) else later
    return replace(
        speaks,
        items=(*one.items, *later.items),
        sections=_sections((one, later)),
        score=max(one.score, later.score) + _REPEAT_BONUS,
    )


def _repeats(one: Point, other: Point) -> bool:
    """Return whether two points say the same, or at least ask the same."""
    same = one.text == other.text or _alike(one.keys, other.keys)
    return same or _alike(one.asked, other.asked)


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) >= FEW_KEYS and alike(one, other) > _SAME_PERCENT


def shown(point: Point) -> str:
    """Return the text without the sign that a request was left open, which is no news after its day."""
    return point.text.removesuffix(UNTOLD) or point.text
