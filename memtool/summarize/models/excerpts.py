"""Which words of a cited message prove a claim: chosen here, by the characters, and never by a model. Pure."""

from __future__ import annotations

from memtool.model.records import EXCERPT_CHARACTERS
from memtool.model.summary import Citation, Item
from memtool.summarize.text.citing import beginning
from memtool.summarize.text.sentences import Sentence, sentences
from memtool.summarize.text.words import keys


def proving_words(item: Item, claim: str) -> Citation:
    """Return a citation of the sentences of a message that share most words with the claim, else of how it begins.

    A child's bullet, and a message without any visible character, are cited without a span.
    """
    wanted = frozenset(keys(claim))
    found = [] if item.kind == "bullet" else sentences(item.text)
    shared = [wanted & frozenset(keys(item.text[one.start : one.end])) for one in found]
    if not any(shared):
        return beginning(item)
    best = max(range(len(found)), key=lambda at: (len(shared[at]), -at))
    start, end = _grown(found, shared, best)
    return Citation(item.number, start, end)


def _grown(found: list[Sentence], shared: list[frozenset[str]], best: int) -> tuple[int, int]:
    """Return the span of the best sentence with those around it that prove more, as far as an excerpt goes."""
    first = last = best
    proved = shared[best]
    while True:
        around = [at for at in (last + 1, first - 1) if 0 <= at < len(found)]
        more = [
            at
            for at in around
            if shared[at] - proved and _span(found, min(first, at), max(last, at))
        ]
        if not more:
            return found[first].start, found[last].end
        at = max(more, key=lambda one: len(shared[one] - proved))
        first, last, proved = min(first, at), max(last, at), proved | shared[at]


def _span(found: list[Sentence], first: int, last: int) -> bool:
    return 0 < found[last].end - found[first].start <= EXCERPT_CHARACTERS
