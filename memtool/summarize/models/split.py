"""Requests that are longer than a model reads at once, cut into parts at items. Pure; no item may be dropped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec.structs import replace

from memtool.model.segmenting import BYTES_PER_TOKEN, tokens_of
from memtool.model.summary import Item, Request, Section
from memtool.summarize.models.prompt import heading, shown

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
    packer = _Packer(request, room)
    for at, section in enumerate(request.sections):
        space = room - _cost(heading(section, request.level))
        for item in section.items:
            for piece in _pieces(item, space):
                packer.add(at, piece)
    return packer.requests()


@dataclass(slots=True)
class _Packer:
    request: Request
    room: int
    parts: list[dict[int, list[Item]]] = field(default_factory=list)
    left: int = 0

    def add(self, at: int, item: Item) -> None:
        header = _cost(heading(self.request.sections[at], self.request.level))
        cost = _cost(shown(item))
        wanted = cost if self.parts and at in self.parts[-1] else cost + header
        if not self.parts or wanted > self.left:
            self.parts.append({})
            self.left, wanted = self.room, cost + header
        self.parts[-1].setdefault(at, []).append(item)
        self.left -= wanted

    def requests(self) -> list[Request]:
        sections = self.request.sections
        return [
            replace(
                self.request,
                sections=tuple(replace(sections[at], items=tuple(part[at])) for at in part),
            )
            for part in self.parts
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
