"""Text analysis: the one function that the index, queries, the tail scan and excerpts share. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache, lru_cache

VERSION = 1
"""Of the analysis: an index that was made with another one is rebuilt."""

_LONGEST = 64
_LONGEST_CHUNK = 400
_CHUNK = re.compile(r"[\w'\u2019][\w'\u2019./\\:@+-]*|--?[A-Za-z][\w-]*|\.[A-Za-z]\w+|#\d+")
"""What may be one word: an identifier, a path, a flag, a dotted file name, a ticket."""
_EDGE = ".:/\\@+-'\u2019"
_PART = re.compile(r"[^\W\d_]+|\d+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_PIECE = re.compile(r"[/\\:@]+")
_ACCENT = re.compile("[\u0300-\u036f]")
"""Not those of Japanese, which tell other sounds."""
_POSSESSIVE = re.compile(r"['\u2019]s$")
_HASH = re.compile(r"(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}")
HASH_PREFIX = 7
_SHORTEST_STEM = 3

STOP_WORDS = frozenset(
    """
    a about after all also am an and any are aren as at be because been before being between both but by can cannot
    could couldn did didn do does doesn doing don done during each either ever every few for from further get gets
    getting give gives go goes going got had has hasn have haven having he her here hers herself him himself his how
    however i if in instead into is isn it its itself just know let like ll made make makes many may me might mine more
    most much must my myself no nor not now of off on once one only or other our ours out over own please re s said
    same say says shall she should shouldn so some still such t take than that the their theirs them themselves then
    there these they thing things this those through to too under until up us use ve very was wasn we were weren what
    when where whether which while who whom whose why will with won would wouldn yes yet you your yours yourself
    """.split()  # noqa: SIM905
)
"""Left out of queries, unless nothing else is left."""


def terms(text: str) -> Iterator[str]:
    """Yield the terms of a text in order: each word's stem, and an identifier both whole and in parts."""
    for chunk in _CHUNK.findall(_normal(text)):
        yield from expanded(chunk)


def joined_terms(text: str) -> str:
    """Return the terms of a text in order, with a space between two."""
    return " ".join(filter(None, map(_joined, _CHUNK.findall(_normal(text)))))


@lru_cache(maxsize=200_000)
def _joined(chunk: str) -> str:
    return " ".join(expanded(chunk))


def spans(text: str) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Yield where each word of a text begins and ends, and its terms."""
    for match in _CHUNK.finditer(text):
        yield match.start(), match.end(), expanded(_normal(match.group()))


def _normal(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


@lru_cache(maxsize=200_000)
def expanded(chunk: str) -> tuple[str, ...]:
    """Return the terms of one word as the text has it."""
    if chunk.isascii() and chunk.isalpha() and (chunk.islower() or chunk[1:].islower()):
        return (_stem(chunk.lower()),) if len(chunk) <= _LONGEST else ()
    if len(chunk) > _LONGEST_CHUNK:
        return ()
    found: dict[str, None] = {}
    lead = chunk[0] if chunk[0] in ".#-" else ""
    body = _POSSESSIVE.sub("", chunk.strip(_EDGE + "#")).replace("'", "").replace("\u2019", "")
    for piece in _PIECE.split(body):
        found.update(dict.fromkeys(_of_piece(piece.strip(_EDGE))))
    whole = folded(body)
    if _PIECE.search(body) and len(whole) <= _LONGEST:
        found[whole] = None
    if lead and whole:
        found[f"{lead}{whole}"] = None
    return tuple(found)


def _of_piece(piece: str) -> Iterator[str]:
    """Yield the terms of what stands between slashes: itself and its parts."""
    whole = folded(piece)
    if not whole:
        return
    if _HASH.fullmatch(whole):
        yield whole
        yield whole[:HASH_PREFIX]
        return
    parts = [part for run in _PART.findall(piece) for part in _CAMEL.split(run)]
    if len(parts) == 1 and len(folded(parts[0])) == len(whole):
        yield from _of_word(whole)
        return
    if len(whole) <= _LONGEST:
        yield whole
    for part in parts:
        yield from _of_word(folded(part))


@cache
def _bigram() -> re.Pattern[str]:
    """Return what finds scripts that write no spaces (Chinese, Japanese, Thai, Lao, Burmese, Khmer), and Korean.

    To compile it takes 2 ms. These are indexed as pairs of characters.
    """
    return re.compile(
        "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]+"
    )


def _of_word(word: str) -> Iterator[str]:
    if word.isascii():
        if len(word) <= _LONGEST:
            yield _stem(word) if word.isalpha() else word
        return
    end = 0
    for match in _bigram().finditer(word):
        if match.start() > end:
            yield word[end : match.start()]
        run, end = match.group(), match.end()
        yield from (run[index : index + 2] for index in range(max(1, len(run) - 1)))
    if end < len(word):
        yield word[end:][:_LONGEST]


def folded(word: str) -> str:
    """Return the word without case and accents."""
    if word.isascii():
        return word.lower()
    return unicodedata.normalize(
        "NFC", _ACCENT.sub("", unicodedata.normalize("NFD", word.casefold()))
    )


@cache
def _stemming() -> Callable[[str], str]:
    from Stemmer import Stemmer  # type: ignore[import-not-found]

    stem: Callable[[str], str] = Stemmer("english", 0).stemWord  # what `expanded` keeps is enough
    return stem


def _stem(word: str) -> str:
    return word if len(word) < _SHORTEST_STEM else _stemming()(word)
