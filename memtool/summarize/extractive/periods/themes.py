"""The title of a period: the one to three main themes of its children, without dates and small talk. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from memtool.model.summary import Section
from memtool.summarize.extractive.periods.claims import (
    READ_CHARACTERS,
    Claim,
    subject_of,
    weight_of,
)
from memtool.summarize.extractive.periods.dates import undated
from memtool.summarize.extractive.periods.standing import Standing, is_small_talk, round_of
from memtool.summarize.extractive.phrases import (
    ARROW,
    SEPARATOR,
    is_chore,
    is_routine,
    is_whole,
    points_back,
    tells_deed,
    topic,
)
from memtool.summarize.text.keywords import central
from memtool.summarize.text.plain import ELLIPSIS, plain, shorten
from memtool.summarize.text.words import keys

TITLE_LIMIT = 116
MOST_THEMES = 3
MOST_WEIGHED = 64
"""Themes that are compared with one another; the children's first ones come first."""
_FIRST_LIMIT, _OTHER_LIMIT = 56, 48
_SHORTEST = 16
_ENDS_IN_NUMBER = re.compile(r"\d$")
_ASKED, _DEED, _REPEATED, _LATER_PART, _MATTERS = 8, 4, 9, 4, 2
_ROUTINE_LOSS, _VAGUE_LOSS, _POINTS_BACK_LOSS = 20, 6, 8
_SAME_CHILD_LOSS, _SMALL_TALK_LOSS = 5, 60
_SAME_PERCENT = 60
_VAGUE = re.compile(
    r"^(?:how|why|what|when|where|which|who|does|do|did|is|are|can|could|should|was|were|quick one|"
    r"deployed|merged|pushed|committed|rebased|released|tested|continue|go on|commit|push)\b|[?？]$",  # noqa: RUF001
    re.IGNORECASE,
)
"""Questions and reports of steps say less of the work than what was to be done."""
_HEDGE = re.compile(
    r"\s+or (?:something|so|whatever|anything)(?: like that| similar)?\b", re.IGNORECASE
)
_LOOSE_END = re.compile(
    r"(?:\s+(?:a|an|the|and|or|of|for|to|in|on|at|by|with|from|that|which|is|are|was|were|it|its|as|so|then|now|"
    r"der|die|das|und|ein|eine|le|la|les|et|un|une|el|los|y|de))+$",
    re.IGNORECASE,
)


@dataclass(slots=True)
class _Theme:
    text: str
    keys: frozenset[str]
    score: int
    project: str
    sections: set[int] = field(default_factory=set)


def title_of(sections: Sequence[Section], claims: Sequence[Claim], weights: dict[str, int]) -> str:
    """Return one line that names what most children were about."""
    left = list(_themes(sections, claims, weights))
    heaviest = max(left, key=lambda theme: theme.score)
    title = headline(heaviest.text, _FIRST_LIMIT) if len(left) > 1 else ""
    title = title or _at_any_rate(heaviest.text)
    named = [heaviest]
    left.remove(heaviest)
    while left and len(named) < MOST_THEMES:
        best = max(left, key=lambda theme: theme.score - _heard(theme, named))
        left.remove(best)
        if best.score < 0:
            break
        text = headline(best.text, min(TITLE_LIMIT - len(title) - len(SEPARATOR), _OTHER_LIMIT))
        if is_whole(text) and not _repeats(text, title):
            title += SEPARATOR + text
            named.append(best)
    return title


def headline(text: str, limit: int) -> str:
    """Return the text as a part of a title, whole or cut where a clause ends, or "" if that is not possible."""
    if limit < _SHORTEST:
        return ""
    text = _HEDGE.sub("", text)
    found = topic(text, limit)
    if found.endswith(ELLIPSIS) or (
        _ENDS_IN_NUMBER.search(found) and not text.endswith(found[-3:])
    ):
        return ""
    return _closed(_LOOSE_END.sub("", found)).strip(" ,;:.–-")


def _at_any_rate(text: str) -> str:
    """Return the text as a title, cut between words if it cannot be cut between clauses."""
    found = headline(text, TITLE_LIMIT)
    if not found:
        found = _closed(shorten(topic(text, TITLE_LIMIT), TITLE_LIMIT).removesuffix(ELLIPSIS))
        found = _LOOSE_END.sub("", found).strip()
    return found or shorten(text.strip(), TITLE_LIMIT)


def _closed(text: str) -> str:
    """Return the text without a bracket or quotation that is never closed."""
    for opening, closing in (("(", ")"), ("“", "”"), ("[", "]"), ("«", "»"), ("„", "“")):
        if text.count(opening) > text.count(closing):
            cut = text.rindex(opening)
            text = text[:cut].rstrip() if cut >= _SHORTEST else text.replace(opening, "")
    return text


def _heard(theme: _Theme, named: Sequence[_Theme]) -> int:
    """Return what a theme loses because the title speaks of its children or its project already."""
    sections = {at for other in named for at in other.sections}
    told = theme.sections <= sections
    return _SAME_CHILD_LOSS * told + (theme.project in {other.project for other in named})


def _repeats(text: str, title: str) -> bool:
    return _same(subject_of(text), subject_of(title))


def _same(one: frozenset[str], other: frozenset[str]) -> bool:
    """Return whether the smaller subject is mostly part of the other one."""
    smaller = min(weight_of(one), weight_of(other))
    return 100 * weight_of(one & other) > _SAME_PERCENT * smaller


def _themes(
    sections: Sequence[Section], claims: Sequence[Claim], weights: dict[str, int]
) -> list[_Theme]:
    """Return what the period may be called after: at least one theme."""
    found: list[_Theme] = []
    for theme in _candidates(sections, claims, weights):
        _add(found, theme)
    if not found:
        found.append(_Theme(claims[0].text, frozenset(), 0, "", {0}))
    return found


def _candidates(
    sections: Sequence[Section], claims: Sequence[Claim], weights: dict[str, int]
) -> Iterator[_Theme]:
    of_section: list[list[Claim]] = [[] for _ in sections]
    for claim in claims:
        for at in claim.sections:
            of_section[at].append(claim)
    for at, section in enumerate(sections):
        project = of_section[at][0].project if of_section[at] else ""
        parts = [
            part for part in plain(section.title[:READ_CHARACTERS]).split(SEPARATOR) if part.strip()
        ]
        for place, text in enumerate(parts or [claim.text for claim in of_section[at][:1]]):
            name = undated(text.partition(ARROW)[0])
            said = subject_of(name)
            if name and (said or not keys(text)):
                score = _worth(name, said, of_section[at], weights) - _LATER_PART * place
                yield _Theme(name, said, score, project, {at})


def _worth(
    text: str, said: frozenset[str], claims: Sequence[Claim], weights: dict[str, int]
) -> int:
    """Return how well a text names what a child was about."""
    mains = sum(claim.is_main for claim in claims)
    score = central(said, weights) + min(mains, 6) + _DEED * tells_deed(text)
    own = [claim for claim in claims if claim.text[:12].lower() == text[:12].lower()]
    score += _ASKED * any(claim.asked for claim in own)
    score += _MATTERS * any(claim.standing >= Standing.DECIDED for claim in own)
    score -= _ROUTINE_LOSS * bool(is_routine(said) or is_chore(text) or round_of(text))
    score -= _VAGUE_LOSS * bool(_VAGUE.search(text)) + _SMALL_TALK_LOSS * is_small_talk(text)
    return score - _POINTS_BACK_LOSS * points_back(text, said)


def _add(themes: list[_Theme], theme: _Theme) -> None:
    """Add the theme, or count it to the one that it repeats."""
    for other in themes[:MOST_WEIGHED]:
        if theme.text == other.text or _same(theme.keys, other.keys):
            other.score += _REPEATED
            other.sections |= theme.sections
            return
    themes.append(theme)
