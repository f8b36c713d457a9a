"""The draft of a day, week, month or year: every child has its due, however many there are. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from memtool.model.levels import Level
from memtool.model.summary import Draft, Request
from memtool.summarize.extractive.periods.claims import Claim, claims_of, in_order
from memtool.summarize.extractive.periods.grouping import grouped
from memtool.summarize.extractive.periods.repeats import merged
from memtool.summarize.extractive.periods.search_terms import search_terms
from memtool.summarize.extractive.periods.telling import MOST_NAMED, bullet_of
from memtool.summarize.extractive.periods.themes import title_of
from memtool.summarize.extractive.periods.torn import mended

MOST_BULLETS = 12
"""Of a period whose children are more than that, bullets tell of several claims each."""
_WORTH_ADDING = 3
_HEARD_BEFORE = 4


def summarize_period(request: Request, max_bullets: int) -> Draft:
    """Return a draft whose bullets together cite every child that has a bullet."""
    sections = [section for section in request.sections if section.items]
    told, weights = claims_of(request, sections)
    whole = (
        mended(told, sections) if request.level is Level.DAY else [c for one in told for c in one]
    )
    claims = merged(whole)
    most = min(MOST_BULLETS, max(max_bullets, len(sections), _needed(claims)))
    chosen = _chosen(claims, most, max_bullets)
    owners = {item.number: at for at, one in enumerate(sections) for item in one.items}
    bullets = tuple(bullet_of(group, request.level, owners) for group in grouped(chosen, most))
    return Draft(title_of(sections, claims, weights), bullets, search_terms(sections, claims))


def _needed(claims: Sequence[Claim]) -> int:
    """Return in how many bullets all that matters can be named."""
    return -(-sum(claim.is_main for claim in claims) // MOST_NAMED)


def _chosen(claims: list[Claim], most: int, wished: int) -> list[Claim]:
    """Return what matters, the weightiest claim of each child that has nothing such, and details as far as wished."""
    chosen = [claim for claim in claims if claim.is_main]
    heard = {at for claim in chosen for at in claim.sections}
    best: dict[int, Claim] = {}
    for claim in claims:
        for at in claim.sections:
            if at not in heard and (at not in best or claim.score > best[at].score):
                best[at] = claim
    chosen += {id(claim): claim for claim in best.values()}.values()
    return in_order(_filled(chosen, claims, most, wished))


def _filled(
    chosen: Sequence[Claim], claims: Sequence[Claim], most: int, wished: int
) -> list[Claim]:
    """Return the chosen claims and the weightiest others, fewest of those children that were heard already."""
    filled = list(chosen)
    taken = set(map(id, chosen))
    left = [claim for claim in claims if id(claim) not in taken]
    said = dict.fromkeys((at for claim in claims for at in claim.sections), 0)
    for at in (at for claim in chosen for at in claim.sections):
        said[at] += 1
    while left and len(filled) < most:
        gains = [
            claim.score - _HEARD_BEFORE * min(said[at] for at in claim.sections) for claim in left
        ]
        best = gains.index(max(gains))
        if len(filled) >= wished and gains[best] < _WORTH_ADDING:
            break
        filled.append(left.pop(best))
        for at in filled[-1].sections:
            said[at] += 1
    return filled
