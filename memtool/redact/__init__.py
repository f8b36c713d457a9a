"""Secrets that must not be remembered, replaced by `[redacted:<name>]`. Pure, idempotent, and linear in the text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from memtool.redact.rules import BLOCKS, RULES, SECRET_NAME, Block, Rule

_MAX_PASSES = 8  # a mask can complete another secret's shape; two passes do in practice

_ROOTS = ("key", "token", "secret", "credential", "pass", "pwd")
"""What many words share: a text without it holds none of them."""


def _by_root() -> dict[str, tuple[str, ...]]:
    words = {word for rule in RULES for word in rule.words} | {block.word for block in BLOCKS}
    found: dict[str, tuple[str, ...]] = {}
    for word in sorted(words):
        root = next((root for root in _ROOTS if root in word), word)
        found[root] = (*found.get(root, ()), word)
    return found


_WORDS_BY_ROOT = _by_root()
_ASCII_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


class Redacted(msgspec.Struct, frozen=True):
    """Text without secrets, and how many were masked."""

    text: str
    count: int


def may_hold_secrets(text: str, fields: Mapping[str, str]) -> bool:
    """Return False where neither text nor named values need a closer look: then redacting them changes nothing."""
    if any(map(_is_secret_name, fields)):
        return True
    lowered = _lowered("\n".join((text, *fields.values())))
    return any(root in lowered for root in _WORDS_BY_ROOT)


@lru_cache(maxsize=1024)
def _is_secret_name(name: str) -> bool:
    return SECRET_NAME.fullmatch(name) is not None


def redact(text: str) -> Redacted:
    total = 0
    for _ in range(_MAX_PASSES):
        text, count = _one_pass(text)
        total += count
        if not count:
            break
    return Redacted(text, total)


def redact_field(name: str, value: str) -> Redacted:
    """Return a named value without secrets: where the name says that it is one, all of it is masked."""
    if value and not value.startswith("[redacted:") and _is_secret_name(name):
        return Redacted("[redacted:secret]", 1)
    return redact(value)


def _one_pass(text: str) -> tuple[str, int]:
    lowered = _lowered(text)
    present = _words_in(lowered)
    if not present:
        return text, 0
    total = 0
    for block in BLOCKS:
        if block.word in present:
            text, count = _mask_blocks(block, text)
            total += count
    if total:
        lowered = _lowered(text)
    for rule in RULES:
        if not present.isdisjoint(rule.words):
            text, count = _mask_matches(rule, text, lowered)
            lowered = _lowered(text) if count else lowered
            total += count
    return text, total


def _lowered(text: str) -> str:
    """Return the text in lower case, each character where it was: a few become two in lower case."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else text.translate(_ASCII_LOWER)


def _words_in(lowered: str) -> set[str]:
    found = (words for root, words in _WORDS_BY_ROOT.items() if root in lowered)
    return {word for words in found for word in words if len(words) == 1 or word in lowered}


def _mask_matches(rule: Rule, text: str, lowered: str) -> tuple[str, int]:
    """Return the text with the rule's matches masked, from left to right, and their number."""
    kept: list[str] = []
    position, count = 0, 0
    for place in _places(rule.words, lowered):
        match = rule.pattern.match(text, place) if place >= position else None
        if match is not None:
            kept += [text[position:place], _mask(rule.name, match)]
            position, count = match.end(), count + 1
    return "".join([*kept, text[position:]]) if count else text, count


def _places(words: tuple[str, ...], lowered: str) -> list[int]:
    places: list[int] = []
    for word in words:
        at = lowered.find(word)
        while at >= 0:
            places.append(at)
            at = lowered.find(word, at + 1)
    return sorted(places)


def _mask(name: str, match: re.Match[str]) -> str:
    whole = match[0]
    if "secret" not in match.re.groupindex:
        return f"[redacted:{name}]"
    start, end = (position - match.start() for position in match.span("secret"))
    return f"{whole[:start]}[redacted:{name}]{whole[end:]}"


def _mask_blocks(block: Block, text: str) -> tuple[str, int]:
    """Return the text with the blocks masked, and their number; each end is searched for once."""
    kept: list[str] = []
    position, count = 0, 0
    for begin in block.begin.finditer(text):
        if begin.start() < position:
            continue
        end = block.end.search(text, begin.end())
        if end is None:
            break
        kept += [text[position : begin.start()], f"[redacted:{block.name}]"]
        position, count = end.end(), count + 1
    return "".join([*kept, text[position:]]), count


_MARK_CHARACTERS = 60


def shorten(text: str, limit: int) -> str:
    """Return at most `limit` characters (at least 100): two thirds from the head, the rest from the tail."""
    if len(text) <= limit:
        return text
    kept = max(limit, 100) - _MARK_CHARACTERS
    tail = kept // 3
    left_out = len(text) - kept
    return f"{text[: kept - tail]}\n[… {left_out} characters left out …]\n{text[-tail:]}"
