"""The order of hits: what is known of a candidate, divided by the best of the query, weighed and summed. Pure.

The weights were fitted by benchmarks/recall to two corpora at once: talk between people, and sessions of coding agents.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence

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

    def weight(self, bits: int) -> float:
        """Return the share of the query that these terms are, from 0 to 1."""
        total = sum(self.weights)
        held = sum(weight for bit, weight in enumerate(self.weights) if bits >> bit & 1)
        return held / total if total else 0.0


class Ranked(msgspec.Struct, frozen=True):
    """A candidate with its score, and the parts that add up to it."""

    candidate: Candidate
    score: float
    parts: dict[str, float]


def ranked(
    question: Question,
    candidates: Sequence[Candidate],
    summaries: Iterable[Summary] = (),
    weights: Mapping[str, float] = WEIGHTS,
    kinds: Mapping[str, float] = KIND_WEIGHTS,
) -> list[Ranked]:
    """Return the candidates, the best first."""
    rows = [
        Ranked(candidate, sum(parts.values()), parts)
        for candidate, features in zip(
            candidates, features_of(question, candidates, summaries), strict=True
        )
        for parts in [_weighed(candidate, features, weights, kinds)]
    ]
    return sorted(rows, key=lambda row: (-row.score, -row.candidate.time, row.candidate.id))


def _weighed(
    candidate: Candidate,
    features: Mapping[str, float],
    weights: Mapping[str, float],
    kinds: Mapping[str, float],
) -> dict[str, float]:
    parts = {name: weights[name] * value for name, value in features.items() if value}
    kind = kinds.get(KINDS[candidate.kind], 0.0) if candidate.kind < len(KINDS) else 0.0
    return parts | ({"kind": weights["kind"] * kind} if kind else {})


def features_of(
    question: Question, candidates: Sequence[Candidate], summaries: Iterable[Summary]
) -> list[dict[str, float]]:
    """Return what is known of each candidate, most of it between 0 and 1."""
    place = {one.place: one for one in candidates}
    best = max((one.text for one in candidates), default=0) or 1
    sessions, turns = _by("session", candidates), _by("turn", candidates)
    strength = {
        key: sum(
            part / 2**n for n, part in enumerate(sorted((o.text for o in held), reverse=True)[:4])
        )
        for key, held in sessions.items()
    }
    strongest = max(strength.values(), default=0) or 1
    session_bits = {key: _union(held) for key, held in sessions.items()}
    tops = {
        key: [*sorted((one.text for one in held), reverse=True)[:2], 0.0, 0.0][:2]
        for key, held in turns.items()
    }
    above = list(summaries)
    best_above = max((one.score for one in above), default=0) or 1
    asks = [pattern.search(question.text) is not None for pattern in (_WHEN, _NUMBER, _WHY)]
    of_person = _PERSON.search(question.text) is not None
    found = []
    for one in candidates:
        near = [place.get(one.place + step) for step in (-1, -2, 1)]
        bits = one.terms
        for other in near:
            bits |= other.terms if other is not None else 0
        role = ROLES[KINDS[one.kind]] if one.kind < len(KINDS) else ""
        summary = [
            s.score for s in above if s.session == one.session and s.start <= one.time <= s.end
        ]
        span = question.span_us
        found.append(
            {
                "text": one.text / best,
                "coverage": question.weight(one.terms),
                "around": question.weight(bits),
                "before": near[0].text / best if near[0] is not None else 0.0,
                "turn": (tops[one.turn][1] if tops[one.turn][0] == one.text else tops[one.turn][0])
                / best,
                "session": strength[one.session] / strongest,
                "session_coverage": question.weight(session_bits[one.session]),
                "summary": max(summary, default=0) / best_above,
                "common": one.common.bit_count() / question.common if question.common else 0.0,
                "length": math.log(one.size + 1) / _LENGTH_SCALE,
                "asked_of_person": float(of_person and role == "user"),
                "asks_when": float(asks[0] and bool(one.shape & WHEN)),
                "asks_number": float(asks[1] and bool(one.shape & NUMBER)),
                "asks_why": float(asks[2] and bool(one.shape & REASON)),
                "is_question": float(bool(one.shape & QUESTION)),
                "dates": float(span is not None and span[0] <= one.time < span[1]),
            }
        )
    return found


def _by(name: str, candidates: Iterable[Candidate]) -> dict[int, list[Candidate]]:
    found: dict[int, list[Candidate]] = {}
    for one in candidates:
        found.setdefault(getattr(one, name), []).append(one)
    return found


def _union(candidates: Iterable[Candidate]) -> int:
    bits = 0
    for one in candidates:
        bits |= one.terms
    return bits
