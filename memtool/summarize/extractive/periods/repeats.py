"""What comes back through a period, in the same words or in others, becomes one claim. Pure, n log n in the claims."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from memtool.summarize.extractive.periods.claims import (
    Claim,
    items_of,
    sections_of,
    weight_of,
    words_of,
)
from memtool.summarize.extractive.periods.standing import Standing, canonical, comes_back
from memtool.summarize.extractive.phrases import is_chore
from memtool.summarize.text.plain import ELLIPSIS
from memtool.summarize.text.words import GENERIC_KEYS, key

_SAME_PERCENT = 75
_SAME_SUBJECT_PERCENT = 60
_SAME_TROUBLE_PERCENT = 60
"""Of the smaller subject: where both tell of trouble, the one may tell more of it than the other."""
_FEW_KEYS = 3
_FEWEST_THINGS = 2
"""Words that narrow a search: so many two requests share at least if they are the same in other words."""
_RAREST, _LOOKED_AT = 6, 8
"""Of a claim so many keys are looked up, and for each so many of the claims that had it last."""
_COMPARED, _SURE = 6, 9
"""With so many of those that share most a claim is compared; equal texts and equal rounds come first."""
_REPEAT_BONUS = 6


def merged(found: Iterable[Claim]) -> list[Claim]:
    """Return the claims with those that repeat one another put together, in order of first mention."""
    found = list(found)
    spread: dict[str, int] = {}
    for claim in found:
        for name in claim.keys | claim.subject:
            spread[name] = spread.get(name, 0) + 1
    kept: list[Claim] = []
    with_handle: dict[str, list[int]] = {}
    for claim in found:
        handles = _handles(claim, spread)
        at = _repeated(claim, kept, with_handle, handles)
        if at is None:
            at = len(kept)
            kept.append(claim)
        else:
            kept[at] = _union(kept[at], claim)
        for handle in handles:
            seen = with_handle.setdefault(handle, [])
            if at not in seen[-_LOOKED_AT:]:
                seen.append(at)
    return kept


def _handles(claim: Claim, spread: dict[str, int]) -> list[str]:
    """Return what a repeat would be found by: the text and the round (with a blank before), the rarest words."""
    names = sorted(claim.keys | claim.subject, key=lambda name: (spread[name], name))
    shared = [name for name in names if spread[name] > 1]
    signs = [f" text {claim.text}"]
    if claim.round:
        signs.append(f" round {claim.project} {claim.round}")
    return signs + shared[:_RAREST]


def _repeated(
    claim: Claim, kept: list[Claim], with_handle: dict[str, list[int]], handles: list[str]
) -> int | None:
    """Return which earlier claim of another child this one repeats."""
    votes: dict[int, int] = {}
    for handle in handles:
        for at in with_handle.get(handle, [])[-_LOOKED_AT:]:
            votes[at] = votes.get(at, 0) + (_SURE if handle[0] == " " else 1)
    likely = sorted((at for at in votes if votes[at] > 1), key=lambda at: (-votes[at], at))
    for at in likely[:_COMPARED]:
        told_elsewhere = not set(claim.sections) <= set(kept[at].sections)
        if told_elsewhere and _repeats(kept[at], claim):
            return at
    return None


def _repeats(one: Claim, later: Claim) -> bool:
    """Return whether two claims of one project say the same, or at least ask the same."""
    if one.project != later.project and one.project and later.project:
        return False
    if one.text == later.text or (one.round and one.round == later.round):
        return True
    if _is_clipped(one) or _is_clipped(later):
        return False
    return _say_the_same(one, later) or (
        bool(one.asked and later.asked) and _ask_the_same(one, later)
    )


def _is_clipped(claim: Claim) -> bool:
    """Return whether words are missing that may be what told it from others."""
    return (claim.asked or claim.text).endswith(ELLIPSIS)


def _say_the_same(one: Claim, later: Claim) -> bool:
    shared = one.keys & later.keys
    if len(shared) < _FEW_KEYS:
        return False
    alike = 100 * weight_of(shared) > _SAME_PERCENT * weight_of(one.keys | later.keys)
    return alike and _names(one) == _names(later)


def _ask_the_same(one: Claim, later: Claim) -> bool:
    """Return whether both ask in other words for the same, or tell of trouble with what is mostly the same."""
    both = one.subject & later.subject
    things = len(both - GENERIC_KEYS)
    if things and one.subject == later.subject and _names(one) == _names(later):
        return True
    if things < _FEWEST_THINGS or Standing.DECIDED in (one.standing, later.standing):
        return False
    shared = 100 * weight_of(both)
    if comes_back(one.asked) and comes_back(later.asked):
        smaller = min(weight_of(one.subject), weight_of(later.subject))
        return shared > _SAME_TROUBLE_PERCENT * smaller
    alike = shared > _SAME_SUBJECT_PERCENT * weight_of(one.subject | later.subject)
    has_all = one.subject <= later.subject or later.subject <= one.subject
    return alike and has_all and things > _FEWEST_THINGS and not _numbers(one) ^ _numbers(later)


def _names(claim: Claim) -> list[str]:
    """Return what a claim names, in its order: a's b is not b's a, and issue 12 is not issue 13."""
    said = words_of(claim.asked or claim.text)
    named = ((canonical(key(word)) or word) for word in said if key(word) or _has_digit(word))
    return list(dict.fromkeys(named))


def _numbers(claim: Claim) -> set[str]:
    return {word for word in words_of(claim.asked) if _has_digit(word)}


def _has_digit(word: str) -> bool:
    return any(map(str.isdigit, word))


def _union(one: Claim, later: Claim) -> Claim:
    """Return both as one; the later one speaks, since it knows how it ended, unless it tells no result."""
    speaks = one if is_chore(later.result) and not is_chore(one.result) else later
    both = (one, later)
    return replace(
        speaks,
        items=items_of(both),
        sections=sections_of(both),
        keys=one.keys,
        subject=one.subject,
        score=max(one.score, later.score) + _REPEAT_BONUS,
        standing=speaks.standing,
        times=one.times + later.times,
        unnamed=one.unnamed + later.unnamed,
        project=one.project or later.project,
    )
