"""Turns of a conversation: a request and what followed until the next one. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from memtool.model.summary import Item
from memtool.summarize.text.sentences import LONGEST_SPAN
from memtool.summarize.text.words import keys

WEAK_KEYS = 2
"""Fewer different words than this say nothing by themselves."""


@dataclass(slots=True)
class Turn:
    """Requests that belong together and the items that followed them, by what they are good for.

    `last_words` are the numbers of the answers after which the agent waited for the person.
    """

    asks: list[Item] = field(default_factory=list)
    answers: list[Item] = field(default_factory=list)
    calls: list[Item] = field(default_factory=list)
    others: list[Item] = field(default_factory=list)
    last_words: set[int] = field(default_factory=set)

    @property
    def concluded(self) -> bool:
        """Whether the agent ever had the last word, and was not on its way to the next tool."""
        return bool(self.last_words)

    def close(self) -> None:
        """Note that a prompt, or nothing, follows."""
        if self.answers and not (self.calls and self.calls[-1].number > self.answers[-1].number):
            self.last_words.add(self.answers[-1].number)


_PLACES = {"prompt": "asks", "answer": "answers", "tool_call": "calls"}


def turns_of(items: tuple[Item, ...]) -> list[Turn]:
    """Return the turns in order. A prompt that says nothing by itself ("go on") goes on with the turn before."""
    turns = [Turn()]
    for item in items:
        if not item.text.strip():
            continue
        place = _PLACES.get(item.kind, "others")
        if item.kind == "prompt":
            turns[-1].close()
            if turns[-1].answers and is_weak(item):
                place = "others"
            else:
                turns.append(Turn())
        getattr(turns[-1], place).append(item)
    turns[-1].close()
    return [turn for turn in turns if turn.asks or turn.answers or turn.calls or turn.others]


def is_weak(item: Item) -> bool:
    """Return whether a prompt says too little to be a request of its own."""
    return len(item.text) < LONGEST_SPAN and len(set(keys(item.text))) < WEAK_KEYS
