"""Citations of items by how they begin. Pure."""

from __future__ import annotations

from memtool.model.summary import Citation, Item

LONGEST_SPAN = 300


def beginning(item: Item) -> Citation:
    """Return a citation of how a message begins; of a child's bullet, or a blank message, without a span."""
    text = item.text
    start = len(text) - len(text.lstrip())
    if item.kind == "bullet" or start == len(text):
        return Citation(item.number)
    end = len(text.rstrip())
    if end - start > LONGEST_SPAN:
        cut = text.rfind(" ", start + LONGEST_SPAN // 2, start + LONGEST_SPAN)
        end = start + len(text[start : cut if cut > 0 else start + LONGEST_SPAN].rstrip())
    return Citation(item.number, start, end)
