"""How much a message of a talk tells: a few counts, weighed.

The counts are those of the literature on extraction (content words, new words, names, quotes, dates, position, the
pair of question and answer) and of plain sense: who tells of himself tells more than who praises the other. The
points are coefficients of a logistic model of "some question is answered by this message", rounded; `python -m
benchmarks.summaries.fit` computes them and prints how well they do on conversations that they were not fitted to.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from memtool.summarize.extractive.segments.speakers import Message
from memtool.summarize.text.stopwords import FIRST_PERSON, SECOND_PERSON, TIMES
from memtool.summarize.text.words import key, words


@dataclass(frozen=True, slots=True)
class Feature:
    """One count: it is worth `points` each, up to `most` of them."""

    name: str
    most: int
    points: int


FEATURES = (
    Feature("answers", 1, 115),
    Feature("content", 12, 7),
    Feature("new", 6, 21),
    Feature("times", 2, 77),
    Feature("first_person", 3, 15),
    Feature("names", 3, 46),
    Feature("quotes", 1, 113),
    Feature("asks_last", 1, -47),
    Feature("statements", 4, -19),
    Feature("applauded", 1, 46),
    Feature("second_person", 3, -20),
    Feature("leaves", 1, -91),
)
_QUOTE = re.compile(r"[\"“„«»][^\"“”„«»\n]{2,80}[\"”“«»]")
_QUESTION = re.compile(r"[?？]\W*$")  # noqa: RUF001
_LEAVING = 3
"""So many messages at the end take leave."""
_APPLAUSE = 40
"""Characters of the next message in which an exclamation mark is a reaction to this one."""


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence of a message: where it stands, its words, and the keys of those that say something."""

    start: int
    end: int
    count: int
    keys: tuple[str, ...]
    asks: bool


@dataclass(frozen=True, slots=True)
class Told:
    """A message with its sentences and its counts, in the order of FEATURES."""

    message: Message
    lines: tuple[Line, ...]
    counts: tuple[int, ...]

    @property
    def score(self) -> int:
        """How much it tells."""
        return sum(
            feature.points * count for feature, count in zip(FEATURES, self.counts, strict=True)
        )


def told_by(messages: Sequence[Message]) -> list[Told]:
    """Return the messages in order, with what they tell."""
    heard: set[str] = set()
    found: list[Told] = []
    asked = False
    for at, message in enumerate(messages):
        lines, counts = _counted(message, heard)
        following = messages[at + 1].text[:_APPLAUSE] if at + 1 < len(messages) else ""
        counts |= {
            "answers": int(asked),
            "applauded": int("!" in following or "！" in following),  # noqa: RUF001
            "leaves": int(at >= len(messages) - _LEAVING),
        }
        limited = tuple(min(counts[feature.name], feature.most) for feature in FEATURES)
        found.append(Told(message, tuple(lines), limited))
        heard.update(name for line in lines for name in line.keys)
        asked = any(line.asks for line in lines)
    return found


def _counted(message: Message, heard: set[str]) -> tuple[list[Line], dict[str, int]]:
    """Return a message's sentences, and what can be counted in it alone."""
    counts = dict.fromkeys((feature.name for feature in FEATURES), 0)
    lines, said = [], set[str]()
    text = message.item.text
    for sentence in message.sentences():
        raw = text[sentence.start : sentence.end]
        found = words(raw)
        keys = tuple(name for name in map(key, found) if name)
        asks = bool(_QUESTION.search(raw))
        lines.append(Line(sentence.start, sentence.end, len(raw.split()), keys, asks))
        _count_words(found, counts)
        if not asks:
            said.update(keys)
            counts["statements"] += 1
    counts["content"] = len(said)
    counts["new"] = len(said - heard)
    counts["quotes"] = int(bool(_QUOTE.search(message.text)))
    counts["asks_last"] = int(bool(lines) and lines[-1].asks)
    return lines, counts


def _count_words(found: list[str], counts: dict[str, int]) -> None:
    for at, word in enumerate(found):
        low = word.lower()
        if low in FIRST_PERSON:
            counts["first_person"] += 1
        elif low in SECOND_PERSON:
            counts["second_person"] += 1
        else:
            counts["times"] += low in TIMES or low.isdigit()
            counts["names"] += at > 0 and word[0].isupper()
