"""Whether a segment is talk between people rather than an agent's work, and who says what in it. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from memtool.model.summary import Item
from memtool.summarize.extractive.phrases import is_order
from memtool.summarize.text.sentences import Sentence, sentences
from memtool.summarize.text.words import key

SPOKEN = frozenset({"prompt", "answer"})
SILENT = frozenset({"session_start", "session_end", "note"})
"""Kinds that talk may hold; any other kind is an agent at work."""
FEWEST_MESSAGES = 6
_LONGEST_MEAN = 500
"""Characters of a message on average: people answer one another in a few sentences, agents report."""
_MOST_UNEVEN = 4
"""Times as much as the other side says; to an agent, short requests are answered at length."""
_ORDERS_PERCENT = 34

_NAMED = re.compile(r"([^\W\d_][\w.'’-]*(?: [^\W\d_][\w.'’-]*){0,2}):\s+(?=\S)")  # noqa: RUF001
_NAMED_PERCENT = 80
_GREETED = re.compile(
    r"\b(?:hi|hey|hello|thanks|thank you|bye|goodbye|congrats|congratulations|dear|hallo|danke|tschüss|lieber?|"
    r"bonjour|salut|merci|hola|gracias|adiós)[, ]+((?-i:[A-Z])\w+)(?=\s?[!,.?])",
    re.IGNORECASE,
)
_NOBODY = frozenset({"guys", "folks", "team", "world", "friend", "friends", "buddy", "claude"})


@dataclass(frozen=True, slots=True)
class Message:
    """What one person says at a time; `speaker` is "" where nothing tells a name. `start` is after the name."""

    item: Item
    speaker: str
    start: int

    @property
    def text(self) -> str:
        """What is said, without the speaker's name."""
        return self.item.text[self.start :]

    def sentences(self) -> list[Sentence]:
        """Return the sentences by their characters in the item's text."""
        if not self.start:
            return sentences(self.item.text)
        return [
            Sentence(one.start + self.start, one.end + self.start, one.form)
            for one in sentences(self.text)
        ]


def talk_of(items: Iterable[Item]) -> list[Message]:
    """Return the messages of a talk between people, or nothing if the segment is anything else."""
    said = [item for item in items if item.kind not in SILENT and item.text.strip()]
    if len(said) < FEWEST_MESSAGES or any(item.kind not in SPOKEN for item in said):
        return []
    return _messages(said) if _is_balanced(said) and not _is_ordered(said) else []


def _is_balanced(said: list[Item]) -> bool:
    sides = Counter[str]()
    for item in said:
        sides[item.kind] += len(item.text)
    short = sides.total() <= _LONGEST_MEAN * len(said)
    uneven = max(sides.values()) > _MOST_UNEVEN * min(sides.values())
    return short and not uneven and not any("```" in item.text for item in said)


def _is_ordered(said: list[Item]) -> bool:
    """Return whether what is typed are mostly orders, as to an agent."""
    prompts = [item.text for item in said if item.kind == "prompt"]
    return 100 * sum(map(is_order, prompts)) > _ORDERS_PERCENT * len(prompts)


def _messages(said: list[Item]) -> list[Message]:
    found = [_NAMED.match(item.text) for item in said]
    names = {match[1] for match in found if match}
    if 100 * sum(map(bool, found)) >= _NAMED_PERCENT * len(said) and len(names) <= len(said) // 2:
        return [
            Message(item, match[1] if match else "", match.end() if match else 0)
            for item, match in zip(said, found, strict=True)
        ]
    sides = _greeted(said)
    return [Message(item, sides.get(item.kind, ""), 0) for item in said]


def _greeted(said: list[Item]) -> dict[str, str]:
    """Return the names of the two sides, as far as the other side greets or thanks them by name."""
    called: dict[str, Counter[str]] = {kind: Counter() for kind in sorted(SPOKEN)}
    for item in said:
        called[item.kind].update(
            name
            for name in _GREETED.findall(item.text)
            if key(name) and name.lower() not in _NOBODY
        )
    answer, prompt = (_only(called[one], called[two]) for one, two in _OTHER_SIDES)
    return {"answer": answer, "prompt": prompt}


_OTHER_SIDES = (("prompt", "answer"), ("answer", "prompt"))


def _only(here: Counter[str], there: Counter[str]) -> str:
    """Return the name that one side calls most and the other never, if there is just one such name."""
    names = [name for name in here if name not in there]
    best = max(names, key=lambda name: here[name], default="")
    return best if sum(here[name] == here[best] for name in names) == 1 else ""
