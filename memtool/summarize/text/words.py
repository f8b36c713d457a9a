"""Words of any script, as they are compared and counted. Pure text; must never depend on hash order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from memtool.summarize.text.stopwords import GENERIC_WORDS, STOP_WORDS

_MARKS = (
    "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u0dff\u0e31-\u0e4e\u0eb1-\u0ebc"
)
_WORD = re.compile(rf"\w[\w{_MARKS}]*(?:[.\-/'’:]+\w[\w{_MARKS}]*)*")  # noqa: RUF001 - both apostrophes
_PLACEHOLDER = re.compile(r"\[redacted[^\]\n]{0,60}\]|\[… \d+ characters left out …\]")
_RUNS = re.compile(
    "[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+"  # Han
    "|[\u30a0-\u30ff]+"  # Katakana
    "|[\u0e00-\u0e7f]+"  # Thai
)
_UNSPACED = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_LINE_NUMBER = re.compile(r"(?<=\w)(?::\d+(?:-\d+)?)+$")
_HASHLIKE = re.compile(r"(?=.*\d)[0-9a-f]{7,}(?:-[0-9a-f]+)*|[\d.:\-/,]+|\d+\w?")
_FILE = re.compile(r"[\w\-.]*[A-Za-z_][\w\-]*\.[A-Za-z][A-Za-z0-9]{0,7}")
_IDENTIFIER = re.compile(
    r".*(?:[a-z0-9][A-Z]|[A-Za-z0-9]_[A-Za-z0-9]|[A-Z]{2}|[A-Za-z]\d|\w\.[A-Za-z])"
)
LONGEST_WORD = 40
_SHORT_WORD = 4


def words(text: str) -> list[str]:
    """Return the words in order, as written: names of files without their folders, no stop words left out."""
    found: list[str] = []
    for token in _WORD.findall(_PLACEHOLDER.sub(" ", text) if "[" in text else text):
        if token.isascii():
            found += _parts(token)
        elif _UNSPACED.search(token):
            found += _unspaced(token)
        else:
            found.append(token)
    return found


@lru_cache(maxsize=1 << 15)
def _parts(token: str) -> tuple[str, ...]:
    """Return what a person would search for of a token that may be a path, a call or a possessive."""
    token = _LINE_NUMBER.sub("", token.partition("'")[0])
    if "/" not in token and ":" not in token:
        return (token,)
    pieces = [piece for piece in re.split(r"[/:]+", token) if piece]
    if len(pieces) > 1 and "/" in token and _FILE.fullmatch(pieces[-1]):
        return (pieces[-1],)
    return tuple(pieces)


def _unspaced(token: str) -> Iterator[str]:
    """Yield runs of one script; a long run of Han has no word bounds, so it gives its pairs."""
    runs = _RUNS.findall(token)
    rest = _UNSPACED.sub(" ", token).split()
    for run in runs or ([] if rest else [token[:LONGEST_WORD]]):
        if len(run) <= _SHORT_WORD or not "\u3400" <= run[0] <= "\ufaff":
            yield run[:LONGEST_WORD]
        else:
            yield from (run[at : at + 2] for at in range(len(run) - 1))
    yield from rest


@lru_cache(maxsize=1 << 16)
def key(word: str) -> str:
    """Return what makes two words the same, or "" for a word that says nothing."""
    low = word.lower().replace("’", "'").partition("'")[0].strip("_-")  # noqa: RUF001
    if low in STOP_WORDS or len(low) > LONGEST_WORD or not low:
        return ""
    if low.isascii():
        return "" if len(low) < 2 or _HASHLIKE.fullmatch(low) else _stem(low)  # noqa: PLR2004
    return "" if len(low) < 2 and not _UNSPACED.match(low) else low  # noqa: PLR2004


_ENDINGS = (("ies", "y", 5), ("sses", "ss", 5), ("ing", "", 7), ("ed", "", 6), ("s", "", 4))


def _stem(low: str) -> str:
    """Return the word without its commonest English endings; enough to tell that two words are one."""
    if not low.isalpha() or low.endswith(("ss", "us", "is")):
        return low
    for ending, put, shortest in _ENDINGS:
        if low.endswith(ending) and len(low) >= shortest:
            return _undouble(low[: -len(ending)] + put)
    return low.removesuffix("e") if len(low) > _SHORT_WORD else low


def _undouble(stem: str) -> str:
    if len(stem) >= _SHORT_WORD and stem[-1] == stem[-2] and stem[-1] not in "sl":
        return stem[:-1]
    return stem.removesuffix("e") if len(stem) > _SHORT_WORD else stem


_DOMAINS = (".com", ".org", ".net", ".io", ".dev", ".ai")


def is_file(word: str) -> bool:
    """Return whether it looks like the name of a file."""
    return _FILE.fullmatch(word) is not None and not word.endswith(_DOMAINS)


@lru_cache(maxsize=1 << 15)
def specificity(word: str) -> int:
    """Return how much a word narrows a search, in tenths of a plain word."""
    if key(word) in GENERIC_KEYS:
        return 3
    if word.endswith(_DOMAINS):
        return 3
    return 16 if _IDENTIFIER.match(word) else PLAIN


PLAIN = 10


GENERIC_KEYS = frozenset(key(word) for word in GENERIC_WORDS)


def parts_of(word: str) -> list[str]:
    """Return the keys of the words that an identifier or a file's name is made of: `agentName` holds agent."""
    pieces = _PIECE.findall(word) if _IDENTIFIER.match(word) else []
    return [found for found in map(key, pieces) if found and len(pieces) > 1]


_PIECE = re.compile(r"[A-Z]?[a-z]{3,}|[A-Z]{3,}(?![a-z])")
