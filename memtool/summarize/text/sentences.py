"""Sentences of a message by their exact characters, so that a citation can quote them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST_SPAN = 300
HEAD_CHARACTERS = 12_000
TAIL_CHARACTERS = 4_000
"""Of a longer message only its head and its tail are read: what is asked stands first, what is concluded last."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A span of a message's text and the kind of line it stands in: prose, list, heading, code or table."""

    start: int
    end: int
    form: str


@dataclass(slots=True)
class _Block:
    start: int
    end: int
    form: str


_FENCE = re.compile(r"[ \t>]*(```|~~~)")
_FORMS = (
    ("heading", re.compile(r"[ \t]{0,3}(?:#{1,6}[ \t]+|(?=\*\*[^*\n]+\*\*:?[ \t]*$))")),
    ("table", re.compile(r"[ \t]*(?:\|.*|[-=_*|+: \t]{3,}$)")),
    ("list", re.compile(r"[ \t>]*(?:[-*+•][ \t]+(?:\[[ xX]\][ \t]+)?|\d{1,3}[.)][ \t]+)")),
    ("code", re.compile(r"(?:\t| {4,})(?=\S)")),
    ("prose", re.compile(r"[ \t>]*")),
)
_STOP = re.compile(
    r"(?=[.!?…。！？])(?:(?:(?<!\be\.g)(?<!\bi\.e)(?<!\bvs)(?<!\betc)(?<!\bcf)(?<!\s\w)(?<!^\w)[.!?…]+|[!?…]+)[\"')\]”’*_]*(?=\s)"  # noqa: RUF001
    r"|[。！？]+[」』）]*)"  # noqa: RUF001
)
"""Looks for the sign first: looking behind at every character of a text is what made this slow."""


def sentences(text: str) -> list[Sentence]:
    """Return the sentences in order; spans are trimmed, visible and at most LONGEST_SPAN characters long."""
    return list(_sentences(text))


def first_sentence(text: str) -> Sentence | None:
    """Return the first one, if any, without looking for the others."""
    return next(_sentences(text), None)


def _sentences(text: str) -> Iterator[Sentence]:
    for start, end in _windows(text):
        for block in _blocks(text, start, end):
            yield from _split(text, block)


def _windows(text: str) -> tuple[tuple[int, int], ...]:
    if len(text) <= HEAD_CHARACTERS + TAIL_CHARACTERS:
        return ((0, len(text)),)
    return ((0, HEAD_CHARACTERS), (len(text) - TAIL_CHARACTERS, len(text)))


def _blocks(text: str, start: int, end: int) -> Iterator[_Block]:
    """Yield paragraphs, list entries, headings and code lines; wrapped lines belong together."""
    fenced, open_block = False, None
    while start < end:
        stop = text.find("\n", start, end) + 1 or end
        line = _line(text, start, stop, fenced=fenced)
        fenced ^= line is None
        if open_block and line and _continues(open_block, line):
            open_block.end = line.end
        else:
            if open_block:
                yield open_block
            open_block = line if line and line.start < line.end else None
        start = stop
    if open_block:
        yield open_block


def _line(text: str, start: int, stop: int, *, fenced: bool) -> _Block | None:
    """Return the line without its marker, or None for a line that opens or closes a fence."""
    if text[start].isalpha():  # no marker begins with a letter, and most lines do
        return _trimmed(text, start, stop, "code" if fenced else "prose")
    if _FENCE.match(text, start, stop):
        return None
    if fenced:
        return _trimmed(text, start, stop, "code")
    for form, marker in _FORMS:
        match = marker.match(text, start, stop - 1 if text[stop - 1] == "\n" else stop)
        if match:
            kept = start if form in {"table", "code"} else match.end()
            return _trimmed(text, kept, stop, form)
    raise AssertionError("prose matches every line")


def _trimmed(text: str, start: int, end: int, form: str) -> _Block:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return _Block(start, end, form)


def _continues(block: _Block, line: _Block) -> bool:
    """Return whether the line goes on with the paragraph or list entry above it."""
    wraps = line.form == "prose" and block.form in {"prose", "list"}
    return line.start < line.end and (wraps or (line.form == "code" and block.form == "list"))


def _split(text: str, block: _Block) -> Iterator[Sentence]:
    start = block.start
    if block.form in {"prose", "list"}:
        for stop in _STOP.finditer(text, block.start, block.end):
            yield from _span(text, start, stop.end(), block.form)
            start = stop.end()
    yield from _span(text, start, block.end, block.form)


def _span(text: str, start: int, end: int, form: str) -> Iterator[Sentence]:
    trimmed = _trimmed(text, start, end, form)
    if trimmed.start < trimmed.end:
        yield Sentence(trimmed.start, clip(text, trimmed.start, trimmed.end), form)


def clip(text: str, start: int, end: int) -> int:
    """Return an end that leaves at most LONGEST_SPAN characters, at a word boundary where there is one."""
    if end - start <= LONGEST_SPAN:
        return end
    cut = text.rfind(" ", start + LONGEST_SPAN // 2, start + LONGEST_SPAN)
    return _trimmed(text, start, cut if cut > 0 else start + LONGEST_SPAN, "").end
