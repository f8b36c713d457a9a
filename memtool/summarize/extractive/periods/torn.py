"""Requests of one day that stand apart from their results: both are put together again. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from memtool.model.summary import Section
from memtool.summarize.extractive.periods.claims import Claim, items_of, sections_of
from memtool.summarize.extractive.periods.standing import Standing
from memtool.summarize.extractive.phrases import ARROW, CONCLUSIONS, is_chore, points, tells_deed
from memtool.summarize.text.plain import shorten
from memtool.summarize.text.words import keys

TEXT_LIMIT = 200
_JOINED_LIMIT = 250
_SHARED_WORDS = 2
_SHORTEST_RESULT = 40


def mended(found: Sequence[Sequence[Claim]], sections: Sequence[Section]) -> list[Claim]:
    """Return all claims, with each request that a cut left open joined to what the next children tell of it."""
    whole: dict[int, Claim] = {}
    absorbed: set[int] = set()
    found = [_with_decisions(here) for here in found]
    for ask, followers in _torn(found, sections):
        joined, used = _joined(ask, followers)
        whole[ask.position] = joined
        absorbed |= {claim.position for claim in used}
    every = (claim for here in found for claim in here if claim.position not in absorbed)
    return [whole.get(claim.position, claim) for claim in every]


def _with_decisions(told: Sequence[Claim]) -> list[Claim]:
    """Return a child's claims, with what was decided or left open in the course of a request told as its result."""
    kept: list[Claim] = []
    for claim in told:
        ask = kept[-1] if kept else None
        if ask and ask.asked and _belongs(claim, ask):
            kept[-1] = replace(
                ask,
                items=items_of((ask, claim)),
                text=f"{ask.asked}{ARROW}{claim.text.rstrip('.')}; {ask.result}",
                keys=ask.keys | claim.keys,
                score=max(ask.score, claim.score) + 2,
                standing=claim.standing,
            )
        else:
            kept.append(claim)
    return kept


def _belongs(claim: Claim, ask: Claim) -> bool:
    """Return whether a claim without request is the decision or the open end of the request before it."""
    matters = not claim.asked and claim.standing >= Standing.DECIDED > ask.standing
    fits = len(claim.text) + len(ask.text) <= _JOINED_LIMIT
    return matters and fits and not is_chore(ask.result)


def _torn(
    found: Sequence[Sequence[Claim]], sections: Sequence[Section]
) -> Iterator[tuple[Claim, list[Claim]]]:
    """Yield requests with the claims that follow them in later children of the same name, up to the next request."""
    threads: dict[tuple[str, str], list[int]] = {}
    for at, section in enumerate(sections):
        threads.setdefault((section.project, section.label), []).append(at)
    subjects = [frozenset(keys(" ".join((one.title, *one.keywords)))) for one in sections]
    for thread in threads.values():
        open_ask, followers = None, list[Claim]()
        for claim in (claim for at in thread for claim in found[at]):
            if claim.asked:
                if open_ask and followers:
                    yield open_ask, followers
                open_ask, followers = claim, []
            elif open_ask and _related(open_ask, claim, subjects):
                followers.append(claim)
        if open_ask and followers:
            yield open_ask, followers


def _related(ask: Claim, claim: Claim, subjects: Sequence[frozenset[str]]) -> bool:
    """Return whether a later child goes on with an earlier one: they share words that matter to both."""
    earlier, later = ask.sections[0], claim.sections[0]
    shared = subjects[earlier] & (subjects[later] | claim.keys)
    return earlier != later and len(shared) >= _SHARED_WORDS


def _joined(ask: Claim, followers: Sequence[Claim]) -> tuple[Claim, list[Claim]]:
    """Return the request with its result, and the claims that need not be told apart from it any more."""
    chores = [claim for claim in followers if is_chore(claim.text)]
    told = [claim for claim in followers if not is_chore(claim.text)]
    if not told or not is_chore(ask.result):
        several = (ask, *chores)
        return replace(ask, items=items_of(several), sections=sections_of(several)), chores
    best = max(told, key=lambda claim: _tells_of(ask, claim))
    several = (ask, best, *chores)
    room = max(TEXT_LIMIT - len(ask.asked) - len(ARROW), _SHORTEST_RESULT)
    joined = replace(
        ask,
        items=items_of(several),
        sections=sections_of(several),
        text=f"{ask.asked}{ARROW}{shorten(best.text, room)}",
        keys=ask.subject | best.keys,
        score=max(ask.score, best.score) + 4,
        standing=max(ask.standing, best.standing),
    )
    return joined, [best, *chores]


def _tells_of(ask: Claim, claim: Claim) -> int:
    """Return how well a claim tells what came of a request."""
    own = points(claim.text, CONCLUSIONS) + 6 * tells_deed(claim.text)
    return own + 4 * len(ask.subject & claim.keys) + claim.score // 2
