"""Turns of a conversation: a request and what followed until the next one, and the sentences that carry both."""

from __future__ import annotations

from dataclasses import dataclass, field

from memtool.core.summary import Citation, Item
from memtool.summarize.keywords import central
from memtool.summarize.phrases import ASKS, CONCLUSIONS, FILLERS, points
from memtool.summarize.plain import plain
from memtool.summarize.sentences import LONGEST_SPAN, Sentence, sentences
from memtool.summarize.words import keys

FORM_POINTS = {"prose": 0, "list": -1, "heading": -6, "table": -24, "code": -24}
MOST_SENTENCES = 400
"""Sentences of one turn's answers that are weighed; of more, the last ones."""
_WEAK_PROMPT_KEYS = 2


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence of an item with what it says on one line, the keys of its words, and its points."""

    item: Item
    sentence: Sentence
    text: str
    keys: frozenset[str]
    score: int

    @property
    def citation(self) -> Citation:
        """The exact words."""
        return Citation(self.item.number, self.sentence.start, self.sentence.end)


@dataclass(slots=True)
class Turn:
    """Requests that belong together and the items that followed them."""

    asks: list[Item] = field(default_factory=list)
    answers: list[Item] = field(default_factory=list)
    calls: list[Item] = field(default_factory=list)
    others: list[Item] = field(default_factory=list)


_PLACES = {"prompt": "asks", "answer": "answers", "tool_call": "calls"}


def turns_of(items: tuple[Item, ...]) -> list[Turn]:
    """Return the turns in order. A prompt that says nothing by itself ("go on") goes on with the turn before."""
    turns: list[Turn] = []
    for item in items:
        if not item.text.strip():
            continue
        opens = item.kind == "prompt" and not (turns and turns[-1].answers and is_weak(item))
        if opens or not turns:
            turns.append(Turn())
        place = (
            "others" if item.kind == "prompt" and not opens else _PLACES.get(item.kind, "others")
        )
        getattr(turns[-1], place).append(item)
    return turns


def is_weak(item: Item) -> bool:
    """Return whether a prompt says too little to be a request of its own."""
    return (
        len(set(keys(item.text[:LONGEST_SPAN]))) < _WEAK_PROMPT_KEYS
        and len(item.text) < LONGEST_SPAN
    )


def best_ask(item: Item, weights: dict[str, int]) -> Passage | None:
    """Return the sentence of a prompt that asks, with the heading that a lead-in announces."""
    found = sentences(item.text)[:MOST_SENTENCES]
    passages = [_ask(item, found, at, weights) for at in range(len(found))]
    return max(passages, key=lambda passage: passage.score, default=None)


def _ask(item: Item, found: list[Sentence], at: int, weights: dict[str, int]) -> Passage:
    sentence = _with_announced(item.text, found, at)
    raw = item.text[sentence.start : sentence.end]
    text = plain(raw)
    said = frozenset(keys(text))
    score = points(text, ASKS) + FORM_POINTS[sentence.form] + central(said, weights)
    score += max(8 - 3 * at, -4) - 6 * (len(said) < _WEAK_PROMPT_KEYS) - 15 * _is_noise(raw)
    return Passage(item, sentence, text, said, score)


def _with_announced(text: str, found: list[Sentence], at: int) -> Sentence:
    """Return the sentence, drawn out over the next one if it ends with a colon."""
    sentence = found[at]
    if at + 1 < len(found) and text[sentence.start : sentence.end].rstrip("*_ ").endswith(":"):
        end = found[at + 1].end
        if end - sentence.start <= LONGEST_SPAN and found[at + 1].form in {
            "prose",
            "list",
            "heading",
        }:
            return Sentence(sentence.start, end, sentence.form)
    return sentence


_MOST_SIGNS = 30


def _is_noise(raw: str) -> bool:
    """Return whether a line looks pasted from a log or a program: too few letters."""
    letters = sum(character.isalpha() or character.isspace() for character in raw)
    return 100 * (len(raw) - letters) > _MOST_SIGNS * len(raw)


def outcomes(turn: Turn, asked: frozenset[str], weights: dict[str, int]) -> list[Passage]:
    """Return the sentences of a turn's answers with their points, in order."""
    found: list[Passage] = []
    for from_end, item in enumerate(reversed(turn.answers)):
        spans = sentences(item.text)
        here = [_outcome(item, spans, at, asked, weights) for at in range(len(spans))]
        bonus = (9, 4, 2)[from_end] if from_end < 3 else 0  # noqa: PLR2004
        found[:0] = [_plus(passage, bonus) for passage in here]
        if len(found) > MOST_SENTENCES:
            break
    return found[-MOST_SENTENCES:]


def _plus(passage: Passage, bonus: int) -> Passage:
    return Passage(
        passage.item, passage.sentence, passage.text, passage.keys, passage.score + bonus
    )


_SHORT, _LONG = 25, 220


def _outcome(
    item: Item, spans: list[Sentence], at: int, asked: frozenset[str], weights: dict[str, int]
) -> Passage:
    sentence = spans[at]
    raw = item.text[sentence.start : sentence.end]
    text = plain(raw)
    said = frozenset(keys(text))
    score = min(points(text, CONCLUSIONS), 14) + points(text, FILLERS) + FORM_POINTS[sentence.form]
    score += central(said, weights) + min(2 * len(said & asked), 6) + max(3 - at, 0)
    score -= (
        8 * (len(said) < _WEAK_PROMPT_KEYS)
        + 5 * (not _SHORT <= len(text) <= _LONG)
        + 6 * _is_noise(raw)
    )
    return Passage(item, sentence, text, said, score)
