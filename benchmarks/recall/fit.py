"""Fits the weights of memtool/search/ranking.py: a listwise logistic regression over both corpora, each as heavy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy  # noqa: ICN001

from benchmarks.recall.corpora import Question
from memtool.model.records import LAST_INSTANT_US
from memtool.search.documents import KINDS
from memtool.search.find import find, wanted_of
from memtool.search.ranking import KIND_WEIGHTS, WEIGHTS
from memtool.store.access import Access

FOLDS = 5
STEPS, RATE, DECAY = 400, 0.05, 1e-3
NAMES = [*(name for name in WEIGHTS if name not in ("kind", "dates")), *KIND_WEIGHTS]


def fit(questions: Sequence[Question]) -> None:
    """Print the cross-validated figures, each part left out, and the weights fitted to everything."""
    rows = [row for question in questions if (row := _row(question)) is not None]
    names = sorted({row["group"] for row in rows})
    fold = {name: number % FOLDS for number, name in enumerate(names)}
    print("as shipped      ", _score(rows, _shipped()))
    print("cross-validated ", _validated(rows, fold, range(len(NAMES))))
    for number, name in enumerate(NAMES[: -len(KIND_WEIGHTS)]):
        kept = [other for other in range(len(NAMES)) if other != number]
        print(f"without {name:16}", _validated(rows, fold, kept))
    for corpus in ("locomo", "coding"):
        weights = _fitted([row for row in rows if row["corpus"] == corpus], range(len(NAMES)))
        others = [row for row in rows if row["corpus"] != corpus]
        print(f"fitted to {corpus} only, on the other:", _score(others, weights))
    weights = _fitted(rows, range(len(NAMES)))
    print({name: round(float(value), 2) for name, value in zip(NAMES, weights, strict=True)})


def _row(question: Question) -> dict[str, Any] | None:
    with Access(Path(question.store)).reading() as store:
        found = find(question.store, store, wanted_of([question.text]), LAST_INSTANT_US - 1).ranked
    if not found:
        return None
    features = [
        [
            *(one.features[name] for name in NAMES if name in one.features),
            *(float(KINDS[one.candidate.kind] == kind) for kind in KIND_WEIGHTS),
        ]
        for one in found
    ]
    is_answer = [any(one.candidate.id.startswith(a) for a in question.answers) for one in found]
    return {
        "corpus": question.corpus,
        "group": question.group,
        "count": len(question.answers),
        "features": numpy.array(features),
        "answers": numpy.array(is_answer, float),
    }


def _shipped() -> Any:
    return numpy.array([WEIGHTS.get(name, KIND_WEIGHTS.get(name, 0.0)) for name in NAMES])


def _fitted(rows: Sequence[dict[str, Any]], kept: Sequence[int]) -> Any:
    """Return the weights by Adam; those that are not kept stay 0."""
    mask = numpy.isin(numpy.arange(len(NAMES)), list(kept)).astype(float)
    weights, mean, square = mask.copy(), numpy.zeros(len(NAMES)), numpy.zeros(len(NAMES))
    useful = [row for row in rows if row["answers"].any()]
    share = {
        corpus: sum(row["corpus"] == corpus for row in useful) for corpus in ("locomo", "coding")
    }
    for step in range(1, STEPS + 1):
        slope = DECAY * weights
        for row in useful:
            scores = row["features"] @ weights
            chances = numpy.exp(scores - scores.max())
            wanted = row["answers"] / row["answers"].sum()
            slope += row["features"].T @ (chances / chances.sum() - wanted) / share[row["corpus"]]
        mean = 0.9 * mean + 0.1 * slope
        square = 0.99 * square + 0.01 * slope**2
        scaled = (mean / (1 - 0.9**step)) / (numpy.sqrt(square / (1 - 0.99**step)) + 1e-8)
        weights -= RATE * scaled * mask
    return weights


def _validated(rows: Sequence[dict[str, Any]], fold: dict[str, int], kept: Sequence[int]) -> str:
    sums: dict[str, list[float]] = {}
    for number in range(FOLDS):
        weights = _fitted([row for row in rows if fold[row["group"]] != number], kept)
        _add(sums, [row for row in rows if fold[row["group"]] == number], weights)
    return _told(sums)


def _score(rows: Sequence[dict[str, Any]], weights: Any) -> str:
    sums: dict[str, list[float]] = {}
    _add(sums, rows, weights)
    return _told(sums)


def _add(sums: dict[str, list[float]], rows: Sequence[dict[str, Any]], weights: Any) -> None:
    for row in rows:
        order = numpy.argsort(-(row["features"] @ weights), kind="stable")
        for limit in (5, 10):
            held = row["answers"][order[:limit]].sum()
            share = held / row["count"] if row["corpus"] == "locomo" else float(held > 0)
            sums.setdefault(f"{row['corpus']}@{limit}", []).append(share)


def _told(sums: dict[str, list[float]]) -> str:
    return "  ".join(f"{name} {sum(found) / len(found):.3f}" for name, found in sums.items())
