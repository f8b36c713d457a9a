"""The title of a period: the main themes of its children, the weightiest first. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from memtool.core.summary import Section
from memtool.summarize.keywords import central
from memtool.summarize.phrases import ARROW, SEPARATOR, is_chore, is_routine, is_whole, topic
from memtool.summarize.plain import plain
from memtool.summarize.words import keys, overlap

TITLE_LIMIT = 70
MOST_THEMES = 4
MOST_WEIGHED = 400
"""Themes that are compared with one another; the children's first ones come first."""
_FIRST_LIMIT, _SHARED_BY = 46, 2
"""From so many children on, the first theme leaves room for a second one."""
_SHORTEST, _LONG_ENOUGH = 16, 20
_ASKED, _ROUTINE_LOSS, _REPEATED, _LATER_PART = 8, 20, 6, 4
_SAME_PERCENT = 60


@dataclass(slots=True)
class _Theme:
    text: str
    keys: frozenset[str]
    score: int


def title_of(sections: Sequence[Section], weights: dict[str, int]) -> str:
    """Return one line that names what most children were about."""
    themes = sorted(_themes(sections, weights), key=lambda theme: -theme.score)
    first = themes[0]
    shares = len(sections) >= _SHARED_BY and len(themes) > 1
    title = topic(first.text, _FIRST_LIMIT if shares else TITLE_LIMIT)
    for theme in themes[1:MOST_THEMES]:
        room = TITLE_LIMIT - len(title) - len(SEPARATOR)
        text = topic(theme.text, room) if room >= _SHORTEST and theme.score >= 0 else ""
        if is_whole(text) or len(text) >= _LONG_ENOUGH:
            title += SEPARATOR + text
    return title


def _themes(sections: Sequence[Section], weights: dict[str, int]) -> list[_Theme]:
    themes: list[_Theme] = []
    for section in sections:
        for place, text in enumerate(_title_parts(section)):
            said = frozenset(keys(text))
            score = central(said, weights) + min(len(section.items), 6) - _LATER_PART * place
            score += _ASKED * _was_asked(text, section)
            score -= _ROUTINE_LOSS * (is_routine(said) or is_chore(text))
            _add(themes, _Theme(text, said, score))
    return themes


def _title_parts(section: Section) -> list[str]:
    parts = [part for part in plain(section.title).split(SEPARATOR) if part.strip()]
    return parts or [plain(section.items[0].text).partition(ARROW)[0] or "…"]


def _was_asked(text: str, section: Section) -> bool:
    """Return whether the words are those of a request, not of some result."""
    return any(item.text.startswith(text[:12]) and ARROW in item.text for item in section.items)


def _add(themes: list[_Theme], theme: _Theme) -> None:
    """Add the theme, or count it to the one that it repeats."""
    for other in themes[:MOST_WEIGHED]:
        if theme.text == other.text or overlap(theme.keys, other.keys) > _SAME_PERCENT:
            other.score += _REPEATED
            return
    themes.append(theme)
