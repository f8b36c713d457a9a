"""Citations of items as a whole: their first sentence, or all of them as far as an excerpt goes. Pure."""

from __future__ import annotations

from memtool.model.summary import Citation, Item
from memtool.summarize.text.sentences import clip, first_sentence


def first_words(item: Item) -> Citation:
    """Return a citation of the first sentence of a message, or of how it begins where it has none."""
    found = first_sentence(item.text)
    return Citation(item.number, found.start, found.end) if found else beginning(item)


def beginning(item: Item) -> Citation:
    """Return a citation of how a message begins; of a child's bullet, or a blank message, without a span."""
    start = len(item.text) - len(item.text.lstrip())
    if item.kind == "bullet" or start == len(item.text):
        return Citation(item.number)
    return Citation(item.number, start, clip(item.text, start, len(item.text.rstrip())))
