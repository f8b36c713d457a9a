"""From a model's text to an answer whose numbers can be trusted, or to what is wrong with it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import islice

from msgspec import Struct

from memtool.summarize.text.plain import shorten

HEADLINE_LIMIT = 100
POINT_LIMIT = 280
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
    """A point, and the numbers of the signals that prove it, from 1 in its thread."""

    text: str
    cites: tuple[int, ...]


class Text(Struct, frozen=True):
    """What a model wrote of one thread, checked against the numbers of its signals."""

    headline: str
    cites: tuple[int, ...]
    points: tuple[Claim, ...]


def read_answer(
    text: str, signals: Sequence[int], most: int, *, is_last: bool = False
) -> tuple[Text, ...]:
    """Return what was written of each thread; `signals` says how many each has.

    Raise BadAnswer, saying why, where it is not what was asked for. Spaces, control characters, repeats and
    lengths are corrected, unknown keys are ignored. The last try loses the points that cite nothing, and those
    that are too many.
    """
    value = _object(text)["threads"]
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise BadAnswer('"threads" is no list of objects')
    entries: dict[int, dict[str, object]] = {}
    for entry in value:
        place = _number(entry.get("thread"), 'a "thread"')
        if not 1 <= place <= len(signals):
            raise BadAnswer(f"there is no thread {_named([place])}: they are 1 to {len(signals)}")
        if place in entries:
            raise BadAnswer(f"thread {place} comes twice")
        entries[place] = entry
    texts: list[Text] = []
    before = 0
    for place, count in enumerate(signals, 1):
        if place not in entries:
            raise BadAnswer(f"thread {place} is missing")
        numbers = range(before + 1, before + count + 1)
        texts.append(_text(entries[place], f"thread {place}", numbers, most, is_last=is_last))
        before += count
    return tuple(texts)


def _text(entry: dict[str, object], name: str, numbers: range, most: int, *, is_last: bool) -> Text:
    headline = _line(entry.get("headline"), f"headline of {name}", HEADLINE_LIMIT)
    cites = _cites(entry.get("cites"), f"the headline of {name}", numbers)
    if not cites:
        raise BadAnswer(f"the headline of {name} cites nothing")
    points = entry.get("points")
    if not isinstance(points, list):
        raise BadAnswer(f'"points" of {name} is no list')
    claims: list[Claim] = []
    for place, point in enumerate(points, 1):
        what = f"point {place} of {name}"
        if not isinstance(point, dict):
            raise BadAnswer(f'{what} is no object with "text" and "cites"')
        text = _line(point.get("text"), f"text of {what}", POINT_LIMIT)
        cited = _cites(point.get("cites"), what, numbers)
        if cited:
            claims.append(Claim(text, cited))
        elif not is_last:
            raise BadAnswer(f"{what} cites nothing, and every point cites what proves it")
    if len(claims) > most and not is_last:
        raise BadAnswer(f"{name} has {len(claims)} points, and at most {most} are asked for")
    return Text(headline, cites, tuple(claims[:most]))


def _cites(value: object, name: str, numbers: range) -> tuple[int, ...]:
    """Return the numbers from 1 in the thread."""
    if not isinstance(value, list):
        return ()
    cited = tuple(dict.fromkeys(_number(cite, name) for cite in value))
    missing = [number for number in cited if number not in numbers]
    if missing:
        span = f"its signals are {numbers.start} to {numbers.stop - 1}"
        raise BadAnswer(f"{name} cites {_named(missing)}, which is not of its thread: {span}")
    return tuple(number - numbers.start + 1 for number in cited)


def _object(text: str) -> dict[str, object]:
    """Return the one object of the text; where a model drafts and then answers, its last."""
    if not text.strip():
        raise BadAnswer("it is empty")
    found = list(_objects(_THINKING.sub(" ", text[-_MOST_CHARACTERS:])))
    if not found:
        raise BadAnswer('it holds no whole JSON object with "threads"')
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
        if isinstance(value, dict) and "threads" in value:
            yield value


def _number(value: object, name: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _NUMBER.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise BadAnswer(f"{name} holds something that is no whole number")
    return int(match[1])


def _line(value: object, name: str, limit: int) -> str:
    text = tidy(value) if isinstance(value, str) else ""
    if not text:
        raise BadAnswer(f"the {name} is missing or empty")
    return shorten(text, limit)


def tidy(text: str) -> str:
    """Return the text on one line, without control characters."""
    return " ".join(_UNSEEN.sub("", " ".join(text.split())).split())


def _named(numbers: list[int]) -> str:
    """Return the first few of them; they are a model's, so they are cut short."""
    return ", ".join(str(number)[:12] for number in numbers[:5]) + (", …" if numbers[5:] else "")
