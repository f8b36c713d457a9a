"""The sentences that carry a turn: what was asked, and what was concluded, each with its points. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from memtool.model.summary import Citation, Item
from memtool.summarize.extractive.phrases import ASKS, CONCLUSIONS, FILLERS, points, points_back
from memtool.summarize.extractive.segments.turns import WEAK_KEYS, Turn
from memtool.summarize.text.keywords import central
from memtool.summarize.text.plain import plain
from memtool.summarize.text.sentences import LONGEST_SPAN, Sentence, sentences
from memtool.summarize.text.words import keys

FORM_POINTS = {"prose": 0, "list": -1, "heading": -8, "table": -24, "code": -24}
MOST_SENTENCES = 400
"""Sentences of one turn's answers that are weighed; of more, the last ones."""
_MOST_SIGNS = 30
"""A line with more than this percentage of signs looks pasted from a log or a program."""


@dataclass(slots=True, eq=False)
class Passage:
    """A sentence of an item with what it says on one line, the keys of its words, and its points.

    `cue` is the part of the points that it has for being worded as a conclusion.
    """

    item: Item
    sentence: Sentence
    text: str
    keys: frozenset[str]
    score: int
    cue: int = 0

    @property
    def citation(self) -> Citation:
        """The exact words."""
        return Citation(self.item.number, self.sentence.start, self.sentence.end)


def _passage(item: Item, found: list[Sentence], at: int) -> Passage:
    """Return the sentence as a passage, with the points that any passage gets."""
    sentence = _with_announced(item.text, found, at)
    raw = item.text[sentence.start : sentence.end]
    text = plain(raw)
    said = frozenset(keys(text))
    score = FORM_POINTS[sentence.form] - 8 * (len(said) < WEAK_KEYS) - 12 * _is_noise(raw)
    return Passage(item, sentence, text, said, score)


def _with_announced(text: str, found: list[Sentence], at: int) -> Sentence:
    """Return the sentence, drawn out over the next one if it ends with a colon."""
    sentence = found[at]
    if at + 1 == len(found) or not _announces(text, sentence):
        return sentence
    if _is_listing(plain(text[sentence.start : sentence.end])):
        return sentence
    following = found[at + 1]
    fits = following.end - sentence.start <= LONGEST_SPAN
    if fits and FORM_POINTS[following.form] >= FORM_POINTS["heading"]:
        return Sentence(sentence.start, following.end, sentence.form)
    return sentence


_LISTING = re.compile(
    r"(?:\W*(?:all )?(?:done|ok(?:ay)?|summary)[.!:]+\W*)?(?:here|below|the following|summary|changes?|files?|what)\b",
    re.IGNORECASE,
)


def _is_listing(text: str) -> bool:
    """Return whether a line that ends with a colon names nothing itself: "Here's a summary of the changes:"."""
    return bool(_LISTING.match(text))


def _announces(text: str, sentence: Sentence) -> bool:
    return text[sentence.start : sentence.end].rstrip("*_ ").endswith((":", "："))  # noqa: RUF001


def _is_noise(raw: str) -> bool:
    signs = len(raw) - len(raw.translate(_SIGNS))
    return 100 * signs > _MOST_SIGNS * len(raw)


_SIGNS = {at: None for at in range(0x300) if not chr(at).isalpha() and not chr(at).isspace()}


def best_ask(item: Item, weights: dict[str, int], *, opens: bool) -> Passage | None:
    """Return the sentence of a prompt that asks, with what a lead-in announces, if any has words.

    A prompt that opens a segment says in its first sentence what all is about.
    """
    found = sentences(item.text)[:MOST_SENTENCES]
    passages = [_ask(item, found, at, weights) for at in range(len(found))]
    if passages and opens and len(passages[0].keys) > WEAK_KEYS:
        passages[0].score += _OPENING
    return max(
        (passage for passage in passages if passage.keys),
        key=lambda passage: passage.score,
        default=None,
    )


def _ask(item: Item, found: list[Sentence], at: int, weights: dict[str, int]) -> Passage:
    passage = _passage(item, found, at)
    score = points(passage.text, ASKS) + central(passage.keys, weights) + max(8 - 3 * at, -4)
    score -= _POINTS_BACK * points_back(passage.text, passage.keys)
    passage.score += score
    return passage


_OPENING, _POINTS_BACK = 6, 6
_LAST_WORD, _LATE = 9, (3, 2)
"""Points of what the agent said before it waited, and of the last things said of all."""


def outcomes(turn: Turn, asked: frozenset[str], weights: dict[str, int]) -> list[Passage]:
    """Return the sentences of a turn's answers with their points, best first."""
    found: list[Passage] = []
    for from_end, item in enumerate(reversed(turn.answers)):
        bonus = _LATE[from_end] if from_end < len(_LATE) else 0
        bonus = _LAST_WORD if item.number in turn.last_words else bonus
        found[:0] = _outcomes(item, asked, weights, bonus)
        if len(found) > MOST_SENTENCES:
            break
    return sorted(found[-MOST_SENTENCES:], key=lambda passage: -passage.score)


_SHORT, _LONG = 25, 220
_ANNOUNCED = 4


def _outcomes(
    item: Item, asked: frozenset[str], weights: dict[str, int], bonus: int
) -> list[Passage]:
    """Return an answer's sentences; "Done." hands its points on to the sentence after it."""
    found, passages, handed, announced = sentences(item.text), [], 0, 0
    for at, sentence in enumerate(found):
        passage = _passage(item, found, at)
        is_drawn_out = passage.sentence.end > sentence.end
        own = min(points(passage.text, CONCLUSIONS), 14)
        is_lead_in = _announces(item.text, sentence) and not is_drawn_out
        handed *= not is_lead_in
        score = own + handed + bonus + max(3 - at, 0) + (_ANNOUNCED if is_drawn_out else announced)
        score += central(passage.keys, weights) + min(2 * len(passage.keys & asked), 6)
        score -= 5 * (not _SHORT <= len(passage.text) <= _LONG)
        filler = points(passage.text, FILLERS)
        total = passage.score + score + filler
        passage.score = min(total, -1) if filler <= _IDLE else total
        passage.cue = own + handed
        passages.append(passage)
        handed = own if len(passage.text) < _SHORT else 0
        announced = _ANNOUNCED * is_lead_in
    return passages


_IDLE = -9
"""Sentences with as much filler as this never tell what came of a request."""
