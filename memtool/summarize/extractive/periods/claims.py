"""The claims of a period's children: each with its project, its request and result, and the bullets that prove it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from memtool.model.levels import Level
from memtool.model.summary import Item, Request, Section
from memtool.summarize.extractive.periods.marks import (
    Part,
    named_in,
    parts_of_bullet,
    project_name,
    unmarked,
)
from memtool.summarize.extractive.periods.standing import (
    Standing,
    canonical,
    is_small_talk,
    round_of,
    standing_of,
)
from memtool.summarize.extractive.phrases import ARROW, is_chore, is_routine, tells_deed
from memtool.summarize.text.keywords import Terms, central
from memtool.summarize.text.plain import ELLIPSIS, plain
from memtool.summarize.text.words import GENERIC_KEYS, key, parts_of, words

FEW_KEYS = 3
MOST_CLAIMS = 1200
"""Bullets of all children that are read; of each child at least its first one."""
READ_CHARACTERS = 500
"""Of a bullet or title; a checked draft has none that is longer."""
_WORTH = {Standing.ROUTINE: -8, Standing.WORK: 0, Standing.DECIDED: 7, Standing.OPEN: 8}
_OWN_KEY, _GENERIC_KEY = 10, 3


@dataclass(frozen=True, slots=True)
class Claim:
    """What one child says, or several say, with the bullets that prove it.

    `subject` holds what it is about: the words of its request if it has one, in their canonical forms.
    `times` counts how often a day told it, or on how many days it came; `unnamed` counts what its
    bullets cite without naming it.
    """

    items: tuple[Item, ...]
    sections: tuple[int, ...]
    project: str
    text: str
    keys: frozenset[str]
    subject: frozenset[str]
    score: int
    standing: Standing
    round: str = ""
    times: int = 1
    unnamed: int = 0

    @property
    def position(self) -> int:
        """Where it stands among the period's bullets."""
        return self.items[0].number

    @property
    def asked(self) -> str:
        """The request, or "" where none is told."""
        asked, arrow, _ = self.text.partition(ARROW)
        return asked if arrow else ""

    @property
    def result(self) -> str:
        """What came of it."""
        return self.text.partition(ARROW)[2] or self.text

    @property
    def is_main(self) -> bool:
        """Whether a reader would miss it: a request with its result, a decision, an open end, what came back."""
        told = bool(self.asked) and self.result != ELLIPSIS
        matters = told or self.standing >= Standing.DECIDED
        return (matters and self.standing > Standing.ROUTINE) or len(self.sections) > 1


def claims_of(
    request: Request, sections: Sequence[Section]
) -> tuple[list[list[Claim]], dict[str, int]]:
    """Return for each section what it says, at least one claim, in its order; and how much each word counts."""
    most = max(MOST_CLAIMS // max(len(sections), 1), 1)
    by_segments = request.level is Level.DAY
    told = (_told_by_segments if by_segments else _told_by_periods)(sections, most)
    weights = _weights(sections, [[part.text for _, part in here] for here in told])
    found = [
        [_claim(item, at, part, weights) for item, part in here] for at, here in enumerate(told)
    ]
    return found, weights


def _told_by_segments(sections: Sequence[Section], most: int) -> list[list[tuple[Item, Part]]]:
    names = [project_name(section.project) for section in sections]
    return [
        [
            (item, Part(name, unmarked(item.text[:READ_CHARACTERS]) or ELLIPSIS))
            for item in section.items[:most]
        ]
        for name, section in zip(names, sections, strict=True)
    ]


def _told_by_periods(sections: Sequence[Section], most: int) -> list[list[tuple[Item, Part]]]:
    told = [
        [(item, plain(item.text[:READ_CHARACTERS])) for item in one.items[:most]]
        for one in sections
    ]
    projects = frozenset(named_in(text) for here in told for _, text in here)
    names = [project_name(section.project) for section in sections]
    return [
        [(item, part) for item, text in here for part in parts_of_bullet(text, projects, of=name)]
        for name, here in zip(names, told, strict=True)
    ]


def _weights(sections: Sequence[Section], told: Sequence[Iterable[str]]) -> dict[str, int]:
    """Return how much each word counts: what many children say counts most."""
    terms = Terms()
    for section, texts in zip(sections, told, strict=True):
        said = [word for text in texts for word in words_of(text)]
        terms.add([*section.keywords, *words(section.title), *said], 1)
    return terms.weights()


def _claim(item: Item, section: int, part: Part, weights: dict[str, int]) -> Claim:
    said = keys_of(part.text)
    asked, arrow, result = part.text.partition(ARROW)
    result = result or part.text
    standing = standing_of(asked, result)
    score = central(said, weights) + 4 * bool(arrow) + 3 * tells_deed(result) + _WORTH[standing]
    score -= 6 * (len(said) < FEW_KEYS) + 5 * is_chore(result) + 12 * is_small_talk(asked)
    if is_routine(keys_of(asked)):
        score -= 6 * bool(arrow)
        standing = (
            min(standing, Standing.WORK) if standing >= Standing.DECIDED else Standing.ROUTINE
        )
    return Claim(
        items=(item,),
        sections=(section,),
        project=part.project,
        text=part.text,
        keys=said,
        subject=subject_of(asked),
        score=score,
        standing=standing,
        round=round_of(asked),
        times=part.times,
        unnamed=part.unnamed,
    )


@lru_cache(maxsize=1 << 12)
def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a claim; they are asked for again and again."""
    return tuple(words(text))


def keys_of(text: str) -> frozenset[str]:
    """Return the keys of all words that say something."""
    return frozenset(filter(None, map(key, words_of(text))))


def subject_of(text: str) -> frozenset[str]:
    """Return the canonical keys of a text, with those of the words that names of programs are made of."""
    found: set[str] = set()
    for word in words_of(text):
        parts = parts_of(word)
        found.update(map(canonical, filter(None, parts or [key(word)])))
    return frozenset(found)


def weight_of(names: Iterable[str]) -> int:
    """Return how much keys say together; words that every session has say little."""
    return sum(_GENERIC_KEY if name in GENERIC_KEYS else _OWN_KEY for name in names)


def sections_of(claims: Iterable[Claim]) -> tuple[int, ...]:
    """Return the sections of all, each once, in order of mention."""
    return tuple(dict.fromkeys(at for claim in claims for at in claim.sections))


def items_of(claims: Iterable[Claim]) -> tuple[Item, ...]:
    """Return the bullets of all, each once, in order of mention."""
    return tuple({item.number: item for claim in claims for item in claim.items}.values())


def in_order(claims: Iterable[Claim]) -> list[Claim]:
    """Return the claims as the period told them."""
    return sorted(claims, key=lambda claim: claim.position)
