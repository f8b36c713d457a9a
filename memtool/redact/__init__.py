"""Secrets that must not be remembered, replaced by `[redacted:<name>]`. Pure, idempotent, and linear in the text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cache, lru_cache
from math import log2

import msgspec
from ahocorasick_rs import AhoCorasick, Implementation

from memtool.redact.rules import ACCOUNT_NAME, BLOCKS, EMAIL, RULES, SECRET_NAME, Block
from memtool.text import lowered

_MAX_PASSES = 8  # a mask can complete another secret's shape; two passes do in practice
_HINTED = tuple(order for order, rule in enumerate(RULES) if rule.hint)


@cache
def _words() -> tuple[AhoCorasick, tuple[tuple[int, ...], ...], tuple[str, ...]]:
    """Return what finds all words in one look, the places of each word's rules in the table, and the words."""
    rules: dict[str, list[int]] = {block.word: [] for block in BLOCKS}
    for order, rule in enumerate(RULES):
        for word in () if rule.hint else rule.words:
            rules.setdefault(word, []).append(order)
    finder = AhoCorasick(list(rules), implementation=Implementation.DFA)
    return finder, tuple(map(tuple, rules.values())), tuple(rules)


class Redacted(msgspec.Struct, frozen=True):
    """Text without secrets, and how many were masked."""

    text: str
    count: int


def may_hold_secrets(text: str, fields: Mapping[str, str]) -> bool:
    """Return False where neither text nor named values need a closer look: then redacting them changes nothing."""
    if any(map(_is_secret_name, fields)):
        return True
    joined = "\n".join((text, *fields.values()))
    return any(RULES[order].place.search(joined) for order in _HINTED) or bool(
        _words()[0].find_matches_as_indexes(lowered(joined))
    )


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


def redact_account(name: str, value: str) -> Redacted:
    """Return a value of an event's metadata, masked where all of it is an account's id or an e-mail address."""
    is_account = _is_account_name(name) or ("@" in value and EMAIL.fullmatch(value) is not None)
    if is_account and value and not value.startswith("[redacted:"):
        return Redacted("[redacted:account]", 1)
    return Redacted(value, 0)


@lru_cache(maxsize=1024)
def _is_account_name(name: str) -> bool:
    return ACCOUNT_NAME.fullmatch(name) is not None


def _one_pass(text: str) -> tuple[str, int]:
    finder, rules, words = _words()
    hits = finder.find_matches_as_indexes(lowered(text), overlapping=True)
    hinted = _hinted(text)
    if not hits and not hinted:
        return text, 0
    present = {words[word] for word, _, _ in hits}
    total = 0
    for block in BLOCKS:
        if block.word in present:
            text, count = _mask_blocks(block, text)
            total += count
    if total:
        hits = finder.find_matches_as_indexes(lowered(text), overlapping=True)
        hinted = _hinted(text)
    # At one place a rule that stands earlier in the table goes first.
    tries = sorted(
        hinted
        + [
            (start - RULES[order].before, order)
            for word, start, _ in hits
            for order in rules[word]
            if start >= RULES[order].before
        ]
    )
    kept: list[str] = []
    position = 0
    for place, order in tries:
        rule = RULES[order]
        match = rule.pattern.match(text, place) if place >= position else None
        if match is None:
            continue
        start, end = match.span("secret" if "secret" in match.re.groupindex else 0)
        if rule.min_entropy and _entropy(text[start:end]) < rule.min_entropy:
            continue
        kept += [text[position:start], f"[redacted:{rule.name}]"]
        position, total = end, total + 1
    return "".join([*kept, text[position:]]), total


def _hinted(text: str) -> list[tuple[int, int]]:
    """Return where to try the rules that have no words: places, and the rules' places in the table."""
    return [
        (found.start(), order) for order in _HINTED for found in RULES[order].place.finditer(text)
    ]


def _entropy(text: str) -> float:
    """Return bits per character."""
    return -sum(n / len(text) * log2(n / len(text)) for n in Counter(text).values())


def _mask_blocks(block: Block, text: str) -> tuple[str, int]:
    """Return the text with the blocks masked, and their number; each end is searched for once."""
    kept: list[str] = []
    position, count = 0, 0
    for begin in block.begin.finditer(text):
        if begin.start() < position:
            continue
        end = block.end.search(text, begin.end())
        if end is None and not block.is_open_masked:
            break
        kept += [text[position : begin.start()], f"[redacted:{block.name}]"]
        position, count = end.end() if end else len(text), count + 1
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
