"""Print the points of memtool/summarize/salience.py, and what they are worth on conversations that they never saw.

Usage: MEMTOOL_TEST_DATA=FOLDER PYTHON -m benchmarks.summaries.fit

A logistic model with a ridge: is the message evidence for some question? A message that several questions name weighs
more. Each conversation is scored by a model of the others; the points are those of a model of all of them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.summaries.measure import MOST_TURNS, Summary, figures
from benchmarks.summaries.ours import MAPPINGS, items_of
from benchmarks.summaries.talks import Talk, talks
from memtool.summarize.extractive.segments.salience import FEATURES, told_by
from memtool.summarize.extractive.segments.speakers import talk_of

Array = npt.NDArray[np.float64]
RIDGE = 10.0
STEPS = 25
PER_UNIT = 100
"""Points of a coefficient of 1."""


def counts_of(talk: Talk) -> Array:
    """Return one row a turn, one column a feature."""
    told = told_by(talk_of(items_of(talk, MAPPINGS[0])))
    return np.array([one.counts for one in told], dtype=np.float64)


def coefficients(read: Sequence[Talk]) -> Array:
    """Return the model's coefficients for the raw counts, by Newton's method; the intercept is left out."""
    rows = np.vstack([counts_of(talk) for talk in read])
    named = np.array([turn.evidence for talk in read for turn in talk.turns])
    spread = rows.std(axis=0) + 1e-9
    inputs = np.hstack([(rows - rows.mean(axis=0)) / spread, np.ones((len(rows), 1))])
    weight, truth = 1 + np.maximum(named - 1, 0) / 2, (named > 0).astype(np.float64)
    ridge = RIDGE * np.diag([1.0] * rows.shape[1] + [0.0])
    model = np.zeros(inputs.shape[1])
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-inputs @ model))
        slope = inputs.T @ (weight * (truth - chance)) - ridge @ model
        curve = (inputs * (weight * chance * (1 - chance))[:, None]).T @ inputs + ridge
        model += np.linalg.solve(curve, slope)
    found: Array = model[:-1] / spread
    return found


def points_of(read: Sequence[Talk]) -> Array:
    """Return the coefficients as whole points."""
    return np.round(PER_UNIT * coefficients(read))


def coverage(read: Sequence[Talk], points: Array) -> tuple[float, float]:
    """Return both readings of coverage when the turns with the most points are cited."""
    best = [np.argsort(-counts_of(talk) @ points, kind="stable")[:MOST_TURNS] for talk in read]
    found = figures(read, [Summary(tuple(map(int, one)), ("-",)) for one in best])
    return found.coverage, found.turns


def main() -> None:
    """Cross-validate, then fit to all."""
    read = talks(Path(os.environ["MEMTOOL_TEST_DATA"]))
    names = sorted({talk.conversation for talk in read})
    picked: list[Summary] = []
    for name in names:
        points = points_of([talk for talk in read if talk.conversation != name])
        held_out = [talk for talk in read if talk.conversation == name]
        by_question, of_turns = coverage(held_out, points)
        print(f"{name:<10} held out: coverage {by_question:.3f}, of turns {of_turns:.3f}")
        for talk in held_out:
            best = np.argsort(-counts_of(talk) @ points, kind="stable")[:MOST_TURNS]
            picked.append(Summary(tuple(map(int, best)), ("-",)))
    by_name = sorted(read, key=lambda talk: talk.conversation)
    found = figures(by_name, picked)
    print(f"{'all':<10} held out: coverage {found.coverage:.3f}, of turns {found.turns:.3f}")
    for label, points in (
        ("fitted", points_of(read)),
        ("in use", np.array([feature.points for feature in FEATURES], dtype=np.float64)),
    ):
        by_question, of_turns = coverage(read, points)
        print(f"{label:<10} on all: coverage {by_question:.3f}, of turns {of_turns:.3f}")
        print(*(f"  {one.name}={point:.0f}" for one, point in zip(FEATURES, points, strict=True)))


if __name__ == "__main__":
    main()
