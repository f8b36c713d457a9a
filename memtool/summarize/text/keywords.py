"""Keywords: the terms one would type to find this again. Integer weights, ties go to what came first."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import isqrt

from memtool.summarize.text.plain import plain
from memtool.summarize.text.words import PLAIN, is_file, key, parts_of, specificity

MOST = 8
_LONGEST = 40


@dataclass(slots=True)
class _Term:
    weight: int = 0
    last_part: int = -1
    surfaces: dict[str, int] = field(default_factory=dict)


class Terms:
    """Counts weighted words over the parts of a conversation."""

    def __init__(self) -> None:
        self._terms: dict[str, _Term] = {}
        self._part = 0

    def add(self, found: Iterable[str], weight: int) -> None:
        """Count the words of one part; what is said in many parts matters more than what is repeated in one."""
        self._part += 1
        for word in found:
            name = key(word)
            if not name:
                continue
            term = self._terms.setdefault(name, _Term())
            term.surfaces[word] = term.surfaces.get(word, 0) + 1
            term.weight += weight if term.last_part != self._part else weight // 4
            term.last_part = self._part

    def best(self, most: int = MOST) -> tuple[str, ...]:
        """Return the heaviest terms as they were written most often; names leave room for plain words."""
        spelled = {name: _spelling(term) for name, term in self._terms.items()}
        named = {part for word in spelled.values() for part in parts_of(word)}
        worth = {
            name: -_damped(term.weight) * _worth(name, spelled[name], named)
            for name, term in self._terms.items()
        }
        ranked = sorted(worth, key=worth.__getitem__)
        return _picked((_surface(self._terms[name], spelled[name]) for name in ranked), most)


def _picked(ranked: Iterable[str], most: int) -> tuple[str, ...]:
    """Return the first ones, without what says the same twice, and not too many names of programs."""
    found: list[str] = []
    left = {True: max(most // 2 - 1, 1), False: most}
    for word in ranked:
        is_name = is_file(word) or specificity(word) > PLAIN
        if word and left[is_name] > 0 and not any(_same(word, other) for other in found):
            found.append(word)
            left[is_name] -= 1
        if len(found) == most:
            break
    return tuple(found)


def _damped(weight: int) -> int:
    """Return ten times the square root; in integers, so that every machine agrees."""
    return isqrt(100 * weight)


_IN_NAME = 14
"""A plain word that programs are named after is a word of the trade at hand."""


def _worth(name: str, word: str, named: set[str]) -> int:
    own = specificity(word)
    if own != PLAIN:
        return own
    if name in named:
        return _IN_NAME
    return _VERBAL if _VERB_FORM.search(word) else own


_VERBAL = 7
_VERB_FORM = re.compile(r"[a-z]{3}(?:ing|ed|ly)$")


def _spelling(term: _Term) -> str:
    """Return the commonest spelling, the first one among equals."""
    if len(term.surfaces) == 1:
        return next(iter(term.surfaces))
    most = max(term.surfaces.values())
    return next(word for word, count in term.surfaces.items() if count == most)


def _surface(term: _Term, word: str) -> str:
    """Return how a keyword is shown: plain words in lower case, where one was ever written so."""
    if word.lower() in term.surfaces or (word.istitle() and not is_file(word)):
        word = word.lower()
    word = plain(word)
    return "" if len(word) > _LONGEST else word


def _same(word: str, other: str) -> bool:
    """Return whether the one says nothing beside the other: `logger` beside `logger.go`."""
    low, high = word.lower(), other.lower()
    if len(low) > len(high):
        low, high = high, low
    if not (high.startswith(low) or high.endswith(low)):
        return False
    return low in {high, high.rpartition(".")[0], high.rpartition(".")[2]}
