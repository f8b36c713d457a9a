"""The order of hits: what is known of a candidate, divided by the best of the query, weighed and summed. Pure.

The weights were fitted by benchmarks/recall to two corpora at once: talk between people, and sessions of coding agents.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from operator import mul

import msgspec

from memtool.model.records import ROLES
from memtool.search.documents import KINDS, NUMBER, QUESTION, REASON, WHEN

WEIGHTS: Mapping[str, float] = {
    "text": 2.9,
    "coverage": 0.72,
    "around": 3.91,
    "before": 0.52,
    "turn": 1.35,
    "session": 2.68,
    "session_coverage": 1.96,
    "summary": 0.65,
    "common": 2.32,
    "length": 1.84,
    "asked_of_person": 5.16,
    "asks_when": 2.25,
    "asks_number": 2.28,
    "asks_why": 1.45,
    "is_question": -0.64,
    "dates": 3.0,
    "kind": 1.0,
}
KIND_WEIGHTS: Mapping[str, float] = {
    "prompt": 3.01,
    "answer": 3.07,
    "thinking": -2.86,
    "compaction": -0.94,
    "subagent_start": -0.72,
    "subagent_end": -1.34,
    "tool_call": -0.26,
    "tool_result": -0.29,
}

_PERSON = re.compile(
    r"\b(?:did|do|was|were|have|had|do) i\b|\bmy\b|\bmine\b"
    r"|\bi (?:say|said|ask|asked|want|wanted|point|pointed|complain|suggest|suggested|object|reject)",
    re.IGNORECASE,
)
_WHEN = re.compile(r"^\W*when\b|\bwhat (?:date|day)\b|\bhow long\b", re.IGNORECASE)
_NUMBER = re.compile(r"\bhow (?:many|much|long|big|often|old)\b", re.IGNORECASE)
_WHY = re.compile(r"^\W*why\b|\breason\b|\bcause\b", re.IGNORECASE)
_LENGTH_SCALE = 6


class Candidate(msgspec.Struct):
    """A document that may answer: its numbers, and what the index says of it. `terms`: bits of those that it holds."""

    id: str
    time: int
    kind: int
    session: int
    turn: int
    place: int
    size: int
    shape: int
    text: float = 0.0
    terms: int = 0
    common: int = 0


class Summary(msgspec.Struct, frozen=True):
    """A segment's node that the query found."""

    session: int
    start: int
    end: int
    score: float


class Question(msgspec.Struct, frozen=True):
    """A query as the ranking sees it: its text, the weight of each term by its bit, how many common ones, its dates."""

    text: str
    weights: tuple[float, ...]
    common: int = 0
    span_us: tuple[int, int] | None = None


class Ranked(msgspec.Struct, frozen=True):
    """A candidate with its score, and the features that it is made of."""

    candidate: Candidate
    score: float
    values: tuple[float, ...]
    """Of the features, in the order of WEIGHTS."""

    @property
    def features(self) -> dict[str, float]:
        """What is known of the candidate, by name."""
        return dict(zip(WEIGHTS, self.values, strict=True))

    @property
    def parts(self) -> dict[str, float]:
        """What each feature adds to the score, if anything."""
        return {name: WEIGHTS[name] * value for name, value in self.features.items() if value}


def ranked(
    question: Question, candidates: Sequence[Candidate], summaries: Iterable[Summary] = ()
) -> list[Ranked]:
    """Return the candidates, the best first."""
    weights = tuple(WEIGHTS.values())
    rows = [
        Ranked(candidate, sum(map(mul, weights, values)), values)
        for candidate, values in zip(
            candidates, values_of(question, candidates, summaries), strict=True
        )
    ]
    return sorted(rows, key=lambda row: (-row.score, -row.candidate.time, row.candidate.id))


def values_of(
    question: Question, candidates: Sequence[Candidate], summaries: Iterable[Summary]
) -> list[tuple[float, ...]]:
    """Return what is known of each candidate, in the order of WEIGHTS, most of it between 0 and 1."""
    share = _Shares(question.weights)
    place = {one.place: one for one in candidates}
    best = max((one.text for one in candidates), default=0) or 1
    sessions = {key: _Group(held) for key, held in _by("session", candidates).items()}
    turns = {key: _Group(held) for key, held in _by("turn", candidates).items()}
    strongest = max((one.strength for one in sessions.values()), default=0) or 1
    above: dict[int, list[Summary]] = {}
    for summary in summaries:
        above.setdefault(summary.session, []).append(summary)
    best_above = max((one.score for held in above.values() for one in held), default=0) or 1
    asks_when, asks_number, asks_why, of_person = (
        pattern.search(question.text) is not None for pattern in (_WHEN, _NUMBER, _WHY, _PERSON)
    )
    start_us, end_us = question.span_us or (0, 0)
    found: list[tuple[float, ...]] = []
    for one in candidates:
        at, shape = one.place, one.shape
        near = (place.get(at - 1), place.get(at - 2), place.get(at + 1))
        before, session, turn = near[0], sessions[one.session], turns[one.turn]
        bits = one.terms
        for other in near:
            if other is not None:
                bits |= other.terms
        over = [s.score for s in above.get(one.session, ()) if s.start <= one.time <= s.end]
        kind = KINDS[one.kind] if one.kind < len(KINDS) else ""
        found.append(
            (
                one.text / best,  # text
                share[one.terms],  # coverage
                share[bits],  # around
                before.text / best if before is not None else 0.0,  # before
                turn.best_beside(one) / best,  # turn
                session.strength / strongest,  # session
                share[session.bits],  # session_coverage
                max(over) / best_above if over else 0.0,  # summary
                one.common.bit_count() / question.common if question.common else 0.0,  # common
                math.log(one.size + 1) / _LENGTH_SCALE,  # length
                float(of_person and ROLES.get(kind) == "user"),  # asked_of_person
                float(asks_when and bool(shape & WHEN)),  # asks_when
                float(asks_number and bool(shape & NUMBER)),  # asks_number
                float(asks_why and bool(shape & REASON)),  # asks_why
                float(bool(shape & QUESTION)),  # is_question
                float(start_us <= one.time < end_us),  # dates
                KIND_WEIGHTS.get(kind, 0.0),  # kind
            )
        )
    return found


class _Shares(dict[int, float]):
    """Which share of a query's weight a set of its terms is, from 0 to 1; each set is added up once."""

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__()
        self._weights = weights
        self._total = sum(weights) or 1

    def __missing__(self, bits: int) -> float:
        held = sum(weight for bit, weight in enumerate(self._weights) if bits >> bit & 1)
        self[bits] = held / self._total
        return self[bits]


class _Group:
    """The candidates of one session or turn together: their best scores, and all terms that they hold."""

    def __init__(self, held: Sequence[Candidate]) -> None:
        self._best = sorted((one.text for one in held), reverse=True)[:4]
        self.strength = sum(score / 2**rank for rank, score in enumerate(self._best))
        self.bits = 0
        for one in held:
            self.bits |= one.terms

    def best_beside(self, one: Candidate) -> float:
        """Return the best score in the group that is not the candidate's own."""
        rest = self._best[1:] if self._best[0] == one.text else self._best
        return rest[0] if rest else 0.0


def _by(name: str, candidates: Iterable[Candidate]) -> dict[int, list[Candidate]]:
    found: dict[int, list[Candidate]] = {}
    for one in candidates:
        found.setdefault(getattr(one, name), []).append(one)
    return found
