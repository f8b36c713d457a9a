"""How much a model reads at once, and requests cut into parts that fit. Pure; no item may be dropped."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from memtool.errors import ConfigError
from memtool.model.segmenting import BYTES_PER_TOKEN, tokens_of
from memtool.model.summary import Item, Request, Section
from memtool.summarize import Options
from memtool.summarize.models.prompt import SYSTEM, heading, shown

_FRAME = tokens_of(SYSTEM) + 300
"""What a prompt holds beside the data and a bad answer: the rules, the frames of two turns."""
_KEPT_PART = 16
"""Of a bad answer a repair shows at most this part of the window."""


class Sizes(Struct, frozen=True):
    """What shapes an answer, and what bounds a prompt."""

    most: int
    """How many bullets an entry has at most."""
    window_tokens: int
    answer_tokens: int
    kept_tokens: int
    """How much of a bad answer is shown again, to be corrected."""
    room: int
    """How many tokens of data one prompt may hold."""

    @property
    def words(self) -> str:
        """The settings that shape the text, for the recipe."""
        return f"max_bullets={self.most} window={self.window_tokens} answer={self.answer_tokens}"


def sizes_of(options: Options) -> Sizes:
    """Return the sizes that follow from the settings; the room may be too small (`size_problem`).

    A quarter is left free: code and many scripts have more tokens than a quarter of their bytes.
    """
    kept = min(options.answer_tokens, options.window_tokens // _KEPT_PART)
    free = options.window_tokens - options.answer_tokens - kept
    return Sizes(
        most=options.max_bullets,
        window_tokens=options.window_tokens,
        answer_tokens=options.answer_tokens,
        kept_tokens=kept,
        room=free * 3 // 4 - _FRAME,
    )


def size_problem(options: Options) -> ConfigError | None:
    """Return what is wrong where the window does not hold an answer and enough to summarize beside it."""
    if sizes_of(options).room >= LEAST_TOKENS:
        return None
    free = -(-(LEAST_TOKENS + _FRAME) * 4 // 3)
    # The part of the window that a repair may take is added, rounded up.
    least = (free + options.answer_tokens) * _KEPT_PART // (_KEPT_PART - 1) + 1
    return ConfigError(
        f"summarizer.window_tokens is {options.window_tokens}: with answers of up to {options.answer_tokens} tokens "
        "too little is left for what is to be summarized",
        hint=f"set it to {least} or more, if the model has that much, or summarizer.answer_tokens to less",
    )


LEAST_TOKENS = 1_250
"""The smallest part: it holds two bullets of any script with the headings of their sections, so that merging ends."""


def size_of(request: Request) -> int:
    """Return the tokens of the request's data, as parts are measured."""
    return sum(
        _cost(heading(section, request.level)) + sum(_cost(shown(item)) for item in section.items)
        for section in request.sections
    )


def parts_of(request: Request, room: int) -> list[Request]:
    """Return the request in parts of at most `room` tokens, every item in one of them, in order.

    Of an item that is too long for one part every piece keeps its number. Sections without items are left out.
    """
    assert room >= LEAST_TOKENS, room
    parts: list[dict[int, list[Item]]] = []  # items by the number of their section
    left = 0
    for at, section in enumerate(request.sections):
        header = _cost(heading(section, request.level))
        for item in section.items:
            for piece in _pieces(item, room - header):
                cost = _cost(shown(piece))
                wanted = cost if parts and at in parts[-1] else cost + header
                if not parts or wanted > left:
                    parts.append({})
                    left, wanted = room, cost + header
                parts[-1].setdefault(at, []).append(piece)
                left -= wanted
    return [
        replace(
            request,
            sections=tuple(replace(request.sections[at], items=tuple(part[at])) for at in part),
        )
        for part in parts
    ]


def _pieces(item: Item, space: int) -> Iterator[Item]:
    """Yield the item, in pieces of at most `space` tokens where it is longer."""
    start = 0
    while start < len(item.text) or start == 0:
        end = _end(item, start, space)
        yield item if end - start == len(item.text) else replace(item, text=item.text[start:end])
        start = max(end, 1)


def _end(item: Item, start: int, space: int) -> int:
    """Return how far a piece reaches: to the end, or to a line's or word's where there is one."""
    end = min(len(item.text), start + space * BYTES_PER_TOKEN)
    while end - start > 1 and _cost(shown(replace(item, text=item.text[start:end]))) > space:
        end = start + (end - start) * 2 // 3
    if end == len(item.text):
        return end
    middle = start + (end - start) // 2
    for between in "\n ":
        cut = item.text.rfind(between, middle, end)
        if cut >= 0:
            return cut + 1
    return max(end, start + 1)


def _cost(line: str) -> int:
    return tokens_of(line) + 1


def merging_request(request: Request, parts: list[tuple[str, str, tuple[str, ...]]]) -> Request:
    """Return the request that merges parts, given as (label, title, bullets): the bullets numbered from 1."""
    sections: list[Section] = []
    number = 0
    for label, title, bullets in parts:
        items = tuple(Item(number + at, "bullet", text) for at, text in enumerate(bullets, 1))
        number += len(items)
        sections.append(Section(label, items, title))
    return replace(request, sections=tuple(sections))
