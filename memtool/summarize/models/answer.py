"""From a model's text to an answer whose numbers can be trusted, or to what is wrong with it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice

from msgspec import Struct

from memtool.model.records import EXCERPT_CHARACTERS
from memtool.model.summary import Citation, Draft, DraftBullet, Item, Request
from memtool.summarize.check import BULLET_LIMIT, KEYWORD_LIMIT, MOST_KEYWORDS, TITLE_LIMIT
from memtool.summarize.text.citing import beginning
from memtool.summarize.text.plain import shorten
from memtool.summarize.text.sentences import Sentence, sentences
from memtool.summarize.text.words import keys

_MOST_CHARACTERS = 400_000
_MOST_TRIES = 400
"""How many opening braces are tried as the beginning of the object: what stands before it is chatter or thinking."""

_THINKING = re.compile(r"<(think|thinking|thought|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_OPENING = re.compile(r'\{\s*"')
_NUMBER = re.compile(r"\[?#?\s*(\d{1,9})\s*\]?")
_UNSEEN = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


class BadAnswer(Exception):  # noqa: N818 - the model is asked to correct it
    """The answer cannot be used; the message says why, for the model as for a person."""


class Claim(Struct, frozen=True):
    """A bullet, and the numbers of the items that prove it."""

    text: str
    numbers: tuple[int, ...]


class Answer(Struct, frozen=True):
    """What a model wrote, checked against the numbers that it was given."""

    title: str
    claims: tuple[Claim, ...]
    keywords: tuple[str, ...]


def read_answer(text: str, numbers: frozenset[int], most: int, *, is_last: bool = False) -> Answer:
    """Return the answer. Raise BadAnswer, saying why, where it is not what was asked for.

    Spaces, control characters, repeats and lengths are corrected, unknown keys are ignored, and
    of too many bullets the last try keeps the first.
    """
    found = _object(text)
    claims = _claims(found.get("bullets"), numbers)
    if len(claims) > most and not is_last:
        raise BadAnswer(f"it has {len(claims)} bullets, and at most {most} are asked for")
    title = _line(found.get("title"), "title", TITLE_LIMIT)
    return Answer(title, claims[:most], _keywords(found.get("keywords")))


def _object(text: str) -> dict[str, object]:
    """Return the one object of the text; where a model drafts and then answers, its last."""
    if not text.strip():
        raise BadAnswer("it is empty")
    found = list(_objects(_THINKING.sub(" ", text[-_MOST_CHARACTERS:])))
    if not found:
        raise BadAnswer("it holds no whole JSON object with a title, bullets and keywords")
    return found[-1]


def _objects(text: str) -> Iterator[dict[str, object]]:
    decoder = json.JSONDecoder(strict=False)
    end = 0
    for opening in islice(_OPENING.finditer(text), _MOST_TRIES):
        if opening.start() < end:
            continue  # it lies within the object before
        try:
            value, end = decoder.raw_decode(text, opening.start())
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and "bullets" in value:
            yield value


def _claims(value: object, numbers: frozenset[int]) -> tuple[Claim, ...]:
    if not isinstance(value, list) or not value:
        raise BadAnswer('"bullets" is no list with at least one bullet')
    return tuple(_claim(bullet, f"bullet {at}", numbers) for at, bullet in enumerate(value, 1))


def _claim(value: object, name: str, numbers: frozenset[int]) -> Claim:
    if not isinstance(value, dict):
        raise BadAnswer(f'{name} is no object with "text" and "cites"')
    text = _line(value.get("text"), f"text of {name}", BULLET_LIMIT)
    cites = value.get("cites")
    if not isinstance(cites, list) or not cites:
        raise BadAnswer(f"{name} cites nothing, and every bullet cites the items that prove it")
    cited = tuple(dict.fromkeys(_number(cite, name) for cite in cites))
    missing = [number for number in cited if number not in numbers]
    if missing:
        span = f"the items are {min(numbers)} to {max(numbers)}"
        raise BadAnswer(f"{name} cites {_named(missing)}, which does not exist here: {span}")
    return Claim(text, cited)


def _number(value: object, name: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _NUMBER.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise BadAnswer(f"{name} cites something that is no whole number")
    return int(match[1])


def _line(value: object, name: str, limit: int) -> str:
    text = tidy(value) if isinstance(value, str) else ""
    if not text:
        raise BadAnswer(f"the {name} is missing or empty")
    return shorten(text, limit)


def _keywords(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise BadAnswer('"keywords" is no list of words')
    kept: dict[str, str] = {}
    for word in filter(None, map(tidy, value)):
        kept.setdefault(word.casefold(), shorten(word, KEYWORD_LIMIT))
    return tuple(dict.fromkeys(kept.values()))[:MOST_KEYWORDS]


def tidy(text: str) -> str:
    """Return the text on one line, without control characters."""
    return " ".join(_UNSEEN.sub("", " ".join(text.split())).split())


def _named(numbers: list[int]) -> str:
    """Return the first few of them; they are a model's, so they are cut short."""
    return ", ".join(str(number)[:12] for number in numbers[:5]) + (", …" if numbers[5:] else "")


def draft_of(answer: Answer, request: Request) -> Draft:
    """Return the draft that an answer makes: each number becomes the words that prove the claim best."""
    items = {item.number: item for section in request.sections for item in section.items}
    bullets = (
        DraftBullet(claim.text, tuple(proving_words(items[n], claim.text) for n in claim.numbers))
        for claim in answer.claims
    )
    return Draft(answer.title, tuple(bullets), answer.keywords)


def proving_words(item: Item, claim: str) -> Citation:
    """Return a citation of the sentences of a message that share most words with the claim, else of how it begins.

    A child's bullet, and a message without any visible character, are cited without a span.
    """
    wanted = frozenset(keys(claim))
    found = [] if item.kind == "bullet" else sentences(item.text)
    shared = [wanted & frozenset(keys(item.text[one.start : one.end])) for one in found]
    if not any(shared):
        return beginning(item)
    best = max(range(len(found)), key=lambda at: (len(shared[at]), -at))
    start, end = _grown(found, shared, best)
    return Citation(item.number, start, end)


def _grown(found: list[Sentence], shared: list[frozenset[str]], best: int) -> tuple[int, int]:
    """Return the span of the best sentence with those around it that prove more, as far as an excerpt goes."""
    first = last = best
    proved = shared[best]
    while True:
        around = [at for at in (last + 1, first - 1) if 0 <= at < len(found)]
        more = [
            at
            for at in around
            if shared[at] - proved and _span(found, min(first, at), max(last, at))
        ]
        if not more:
            return found[first].start, found[last].end
        at = max(more, key=lambda one: len(shared[one] - proved))
        first, last, proved = min(first, at), max(last, at), proved | shared[at]


def _span(found: list[Sentence], first: int, last: int) -> bool:
    return 0 < found[last].end - found[first].start <= EXCERPT_CHARACTERS
