"""Texts as a person reads them on one line: no markup, no escapes, cut at a word. Pure."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import NamedTuple

ELLIPSIS = "…"
_Markup = tuple[tuple[str, ...], re.Pattern[str], str]


class _Patterns(NamedTuple):
    """What plain() looks for. Compiling them takes milliseconds, and a reader needs none."""

    escapes: re.Pattern[str]
    unseen: re.Pattern[str]
    redacted: re.Pattern[str]
    link: re.Pattern[str]
    fence: re.Pattern[str]
    marker: re.Pattern[str]
    rule: re.Pattern[str]
    markup: tuple[_Markup, ...]
    """What is in the text wherever the pattern can match, the pattern, and what is put there.

    Most sentences have no markup at all: to look for a sign first makes `plain` three times as fast.
    """


@cache
def _patterns() -> _Patterns:
    return _Patterns(
        escapes=re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])"),
        unseen=re.compile(
            "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
        ),
        redacted=re.compile(
            r"[\[<(«‹*]{0,3}(?:REDACTED|redacted)(?:[:=_-][\w:.=-]*)?[\]>)»›*]{0,3}"  # noqa: RUF001
        ),
        link=re.compile(r"!?\[([^\]\n]*)\]\((?:[^()\s]|\([^()\s]*\))*(?: \"[^\"]*\")?\)"),
        fence=re.compile(r"^\s*(?:```|~~~)[^\n]*$", re.MULTILINE),
        marker=re.compile(
            r"^\s{0,8}(?:#{1,6}\s+|>\s?|[-*+•]\s+(?:\[[ xX]\]\s+)?|\d{1,3}[.)]\s+)+", re.MULTILINE
        ),
        rule=re.compile(r"^\s*[|+:\-=_*\s]{3,}\s*$", re.MULTILINE),
        markup=(
            (("**", "~~", "__"), re.compile(r"\*\*\*?|~~|(?<!\w)__(?=\S)|(?<=\S)__(?!\w)"), ""),
            (("*",), re.compile(r"(?<![\w*/])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*/])"), r"\1"),
            (("_",), re.compile(r"(?<!\w)_(?=[^\W_])([^_\n]+?)_(?!\w)"), r"\1"),
            (("`",), re.compile(r"`+"), ""),
            (
                ("<",),
                re.compile(r"</?(?:br|p|b|i|em|strong|details|summary|code|pre|sub|sup)\s*/?>"),
                " ",
            ),
            (("|",), re.compile(r"\s*\|\s*"), " "),
        ),
    )


def plain(text: str) -> str:
    """Return the text on one line, without markdown, terminal escapes, redaction marks and control characters."""
    find = _patterns()
    if not text.isprintable():
        text = find.unseen.sub("", find.escapes.sub("", text))
    if "REDACTED" in text or "redacted" in text:
        text = find.redacted.sub(ELLIPSIS, text)
    is_one_bare_line = text[:1].isalpha() and "\n" not in text
    if not is_one_bare_line:
        text = find.fence.sub(" ", text)
    if "](" in text:
        text = find.link.sub(r"\1", text)
    if not is_one_bare_line:
        text = find.rule.sub(" ", find.marker.sub("", text))
    for signs, pattern, put in find.markup:
        if any(map(text.__contains__, signs)):
            text = pattern.sub(put, text)
    return " ".join(text.split()).strip(" \t—–")


def shorten(text: str, limit: int) -> str:
    """Return the text cut at a word boundary, with an ellipsis where something is missing."""
    if len(text) <= limit:
        return text
    cut = text.rfind(" ", limit // 2, limit)
    if cut < 0:
        cut = _whole_characters(text, limit - 1)
    return text[:cut].rstrip(" ,;:.-–—…(→") + ELLIPSIS


def _whole_characters(text: str, cut: int) -> int:
    """Return the nearest place at or before `cut` where no mark or joined emoji is torn off its base."""
    for at in range(cut, max(cut - 16, 1), -1):
        if (
            unicodedata.category(text[at]) not in {"Mn", "Mc", "Me"}
            and "\u200d" not in text[at - 1 : at + 1]
        ):
            return at
    return cut
