"""What is compared: classics from a library, three that anyone would think of, and an oracle that knows the answers.

Each picks whole turns, in order of time. Every turn is one sentence to the library's methods.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from sumy.models.dom import ObjectDocumentModel, Paragraph, Sentence
from sumy.nlp.stemmers import Stemmer
from sumy.summarizers.lex_rank import LexRankSummarizer
from sumy.summarizers.lsa import LsaSummarizer
from sumy.summarizers.text_rank import TextRankSummarizer
from sumy.utils import get_stop_words

from benchmarks.summaries.talks import Talk

Picker = Callable[[Talk, Sequence[str], int], list[int]]
SEEDS = range(20)
"""Random is the mean over these."""


class _Words:
    """Splits at what is neither letter nor digit; the library's own tokenizer would have to be downloaded."""

    def to_words(self, text: str) -> tuple[str, ...]:
        spaced = "".join(sign if sign.isalnum() or sign == "'" else " " for sign in text)
        return tuple(spaced.split())


def _library(method: type) -> Picker:
    def pick(_: Talk, texts: Sequence[str], most: int) -> list[int]:
        summarizer = method(Stemmer("english"))
        summarizer.stop_words = get_stop_words("english")
        sentences = [Sentence(text, _Words()) for text in texts]
        chosen = {id(one) for one in summarizer(ObjectDocumentModel([Paragraph(sentences)]), most)}
        return [at for at, sentence in enumerate(sentences) if id(sentence) in chosen]

    return pick


def _lead(_: Talk, texts: Sequence[str], most: int) -> list[int]:
    return list(range(min(most, len(texts))))


def _longest(_: Talk, texts: Sequence[str], most: int) -> list[int]:
    ranked = sorted(range(len(texts)), key=lambda at: -len(texts[at].split()))
    return sorted(ranked[:most])


def _oracle(talk: Talk, _: Sequence[str], most: int) -> list[int]:
    ranked = sorted(range(len(talk.turns)), key=lambda at: -talk.turns[at].evidence)
    return sorted(ranked[:most])


def drawn(seed: int) -> Picker:
    """Return a picker of random turns."""
    source = random.Random(seed)  # noqa: S311 - a lottery, no secret

    def pick(_: Talk, texts: Sequence[str], most: int) -> list[int]:
        return sorted(source.sample(range(len(texts)), min(most, len(texts))))

    return pick


CLASSICS: dict[str, Picker] = {
    "lead": _lead,
    "longest": _longest,
    "LexRank": _library(LexRankSummarizer),
    "TextRank": _library(TextRankSummarizer),
    "LSA": _library(LsaSummarizer),
}
ORACLE: Picker = _oracle
