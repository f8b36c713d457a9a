"""Keywords: the terms one would type to find this again. Integer weights, ties go to what came first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from memtool.summarize.plain import plain
from memtool.summarize.words import is_file, key, specificity, words

MOST = 8
_LONGEST = 40


@dataclass(slots=True)
class _Term:
    weight: int = 0
    spread: int = 0
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
            term.spread += term.last_part != self._part
            term.last_part = self._part

    def weights(self) -> dict[str, int]:
        """Return for each key in how many parts it is said, damped so that no word drowns the others."""
        return {name: 8 * min(term.spread, 8) for name, term in self._terms.items()}

    def best(self, most: int = MOST) -> tuple[str, ...]:
        """Return the heaviest terms as they were written most often."""
        ranked = sorted(
            (
                (_damped(term.weight) * _worth(term), _surface(term))
                for term in self._terms.values()
            ),
            key=lambda pair: -pair[0],
        )
        found: list[str] = []
        for _, word in ranked:
            if len(found) == most:
                break
            if word and not any(_same(word, other) for other in found):
                found.append(word)
        return tuple(found)


def central(found: frozenset[str], weights: dict[str, int]) -> int:
    """Return how much a sentence is about what everything is about, from 0 to 10."""
    total = sum(weights.get(name, 0) * specificity(name) for name in found)
    return min(total // (len(found) + 4) // 60, 10)


def _damped(weight: int) -> int:
    """Return about eight times the binary logarithm; integers, so that every machine agrees."""
    bits = weight.bit_length()
    return 8 * bits + (weight << 3 >> bits) if bits else 0


def _worth(term: _Term) -> int:
    return specificity(_surface(term) or "")


def _surface(term: _Term) -> str:
    """Return the commonest spelling; of a plain word in lower case, where it was ever written so."""
    most = max(term.surfaces.values())
    word = next(word for word, count in term.surfaces.items() if count == most)
    if word.lower() in term.surfaces or (word.istitle() and not is_file(word)):
        word = word.lower()
    word = " ".join(plain(word).split())
    return "" if len(word) > _LONGEST or "redacted" in word.lower() else word


def _same(word: str, other: str) -> bool:
    """Return whether the one says nothing beside the other: `logger` beside `logger.go`."""
    low, high = sorted((word.lower(), other.lower()), key=len)
    return low == high or (is_file(high) and high.rpartition(".")[0] == low)


def keywords_of(text: str, most: int = MOST) -> tuple[str, ...]:
    """Return the keywords of one text."""
    terms = Terms()
    terms.add(words(text), 16)
    return terms.best(most)
