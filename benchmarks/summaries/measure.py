"""The figures: how much of the questions' evidence is cited, and ROUGE-1, -2 and -L against the session's summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from rouge_score.rouge_scorer import RougeScorer

from benchmarks.summaries.talks import Talk

MOST_TURNS, MOST_WORDS = 5, 160
_ROUGE = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)


@dataclass(frozen=True, slots=True)
class Summary:
    """What one method made of a talk: which turns it cites, and its words."""

    cited: tuple[int, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over all talks; `coverage` is over all pairs of a question and a turn that is evidence for it.

    `turns` is the other reading: of each talk the share of its evidence turns, each counted once.
    """

    coverage: float
    turns: float
    rouge_1: float
    rouge_2: float
    rouge_l: float
    words: float


def within_budget(cited: Sequence[int], texts: Sequence[str]) -> Summary:
    """Return the summary cut to the words that all have; a turn that was cut away still counts as cited."""
    left, kept = MOST_WORDS, []
    for text in texts[:MOST_TURNS]:
        said = text.split()[:left]
        left -= len(said)
        kept.append(" ".join(said))
    return Summary(tuple(cited[:MOST_TURNS]), tuple(filter(None, kept)))


def figures(talks: Sequence[Talk], summaries: Sequence[Summary]) -> Figures:
    """Return the means over the talks of what one method made of them."""
    pairs = list(zip(talks, summaries, strict=True))
    proven = [sum(talk.turns[at].evidence for at in set(one.cited)) for talk, one in pairs]
    every = [sum(turn.evidence for turn in talk.turns) for talk in talks]
    shares = [_share(talk, one) for talk, one in pairs if any(turn.evidence for turn in talk.turns)]
    scores = [_ROUGE.score(talk.summary, " ".join(one.texts)) for talk, one in pairs]
    return Figures(
        sum(proven) / sum(every),
        fmean(shares),
        *(fmean(score[name].fmeasure for score in scores) for name in _ROUGE.rouge_types),
        fmean(sum(len(text.split()) for text in one.texts) for one in summaries),
    )


def _share(talk: Talk, summary: Summary) -> float:
    wanted = {at for at, turn in enumerate(talk.turns) if turn.evidence}
    return len(wanted & set(summary.cited)) / len(wanted)


def mean(several: Sequence[Figures]) -> Figures:
    """Return the mean of each figure."""
    return Figures(*(fmean(getattr(one, name) for one in several) for name in Figures.__slots__))
