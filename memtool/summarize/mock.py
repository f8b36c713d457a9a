"""A summarizer for tests: counts, quotes the first and last item of every section, and nothing else."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from memtool.model.records import Recipe
from memtool.model.summary import Draft, DraftBullet, Request, Section
from memtool.summarize import Options
from memtool.summarize.check import MOST_BULLETS, SummaryFailed
from memtool.summarize.text.citing import beginning
from memtool.summarize.text.keywords import Terms
from memtool.summarize.text.plain import plain, shorten
from memtool.summarize.text.words import words

VERSION = "mock-1"
_TEXT_LIMIT = 60
_ITEM_CHARACTERS = 2_000


class Mock(Struct, frozen=True):
    """Deterministic; a change of any item's text, order or number changes the draft."""

    max_bullets: int
    waits: Literal[False] = False

    @property
    def recipe(self) -> Recipe:
        """What signs its nodes."""
        return Recipe("mock", prompt=VERSION, settings=f"max_bullets={self.max_bullets}")

    def summarize(self, request: Request) -> Draft:
        """Return the draft. Raise SummaryFailed if the request has no item at all."""
        sections = [section for section in request.sections if section.items]
        if not sections:
            raise SummaryFailed(f"there is nothing to summarize in {request.scope}")
        count = sum(len(section.items) for section in sections)
        bullets = _fitted([_bullet(section) for section in sections])
        return Draft(f"{count} items in {len(sections)} sections", bullets, _keywords(sections))


def make(options: Options) -> Mock:
    """Return the summarizer."""
    return Mock(options.max_bullets)


def _bullet(section: Section) -> DraftBullet:
    first, last = section.items[0], section.items[-1]
    texts = (shorten(plain(item.text), _TEXT_LIMIT) or item.kind for item in (first, last))
    cited = dict.fromkeys((beginning(first), beginning(last)))
    return DraftBullet(f"{len(section.items)}: {' … '.join(texts)}", tuple(cited))


def _fitted(bullets: list[DraftBullet]) -> tuple[DraftBullet, ...]:
    """Return at most MOST_BULLETS; the last one cites for all that found no room."""
    rest = bullets[MOST_BULLETS - 1 :]
    if len(rest) < 2:  # noqa: PLR2004
        return tuple(bullets)
    cited = tuple(citation for bullet in rest for citation in bullet.citations)
    return (*bullets[: MOST_BULLETS - 1], DraftBullet(f"and {len(rest)} more sections", cited))


def _keywords(sections: list[Section]) -> tuple[str, ...]:
    terms = Terms()
    for section in sections:
        for item in section.items:
            terms.add(words(item.text[:_ITEM_CHARACTERS]), 16)
    return terms.best(5)
