"""The keywords of a period: what its children are found by, without dates and what only says when. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from memtool.model.summary import Section
from memtool.summarize.extractive.periods.claims import READ_CHARACTERS, Claim, words_of
from memtool.summarize.extractive.periods.dates import names_a_time, undated
from memtool.summarize.extractive.periods.standing import Standing
from memtool.summarize.text.keywords import Terms
from memtool.summarize.text.words import words

_OF_CHILD, _OF_TITLE, _OF_CLAIM, _OF_ROUTINE = 16, 16, 12, 3


def search_terms(sections: Sequence[Section], claims: Sequence[Claim]) -> tuple[str, ...]:
    """Return the heaviest words of the children's keywords and titles and of all claims."""
    terms = Terms()
    for section in sections:
        terms.add(_timeless(section.keywords), _OF_CHILD)
        terms.add(_timeless(words(undated(section.title[:READ_CHARACTERS]))), _OF_TITLE)
    for claim in claims:
        weight = _OF_ROUTINE if claim.standing is Standing.ROUTINE else _OF_CLAIM
        terms.add(_timeless(words_of(claim.text)), weight)
    return terms.best()


def _timeless(found: Iterable[str]) -> Iterator[str]:
    return (word for word in found if not names_a_time(word))
