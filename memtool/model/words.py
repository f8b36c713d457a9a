"""The content words of a text: what makes two texts alike, for all callers."""

from __future__ import annotations

import re
from functools import lru_cache

# By language. A word of one language that has content in another is left out.
STOP_WORDS = {
    "en": (
        "a an and are as at be been being but by can could did do does doing done for from had "
        "has have having he her "
        "here him his how i if in into is it its itself just let lets may me might more most "
        "much must my no nor not now "
        "of off on once only or other our out over own per please same she should so some such "
        "than that the their them "
        "then there these they this those through to too under until up us very was we were what "
        "when where which while "
        "who whom why will with within would yes you your also all any both each few make made "
        "get got use used using "
        "need needs want like okay ok well really actually still already instead "
        "don doesn didn isn aren wasn weren won wouldn shouldn couldn hasn haven ll ve re"
    ),
    "de": (
        "aber als am auch auf aus bei bin bis bitte da das dass dem den der des die dir du ein "
        "eine einem einen "
        "einer er es für hat haben ich ihr im ist ja kann kein mich mit nach nicht noch nun nur "
        "oder schon sein sich sie "
        "sind um und uns vom von vor wenn wer wie wir wird zu zum zur"
    ),
    "fr": (
        "au aux avec ce ces dans de des du elle en est et il je la le les mais ne nous ou par pas "
        "pour que qui sa se son sur un une vous"
    ),
    "es": "con de del el ella en es la las lo los mas para pero por que se si su un una y",
}
_STOP = frozenset(word for line in STOP_WORDS.values() for word in line.split())
_STEM = 6
_SHORT = 3
_VOWEL = re.compile("[aeiouy]")
_CAMEL = re.compile(r"([a-z0-9])([A-Z])")
_WORD = re.compile(r"[^\W_]+")


@lru_cache(maxsize=16_384)
def content_words(text: str) -> frozenset[str]:
    """Return the content words of a text, cut to a stem; identifiers fall into their parts.

    The keys of open items are made of them: another stem opens again what was settled by hand.
    """
    found = set()
    for word in _WORD.findall(_CAMEL.sub(r"\1 \2", text)):
        low = word.lower()
        if low in _STOP or (len(low) == 1 and low.isascii()):
            continue
        found.add(_stem(low) if len(low) > _SHORT and low.isascii() else low)
    return frozenset(found)


def _stem(word: str) -> str:
    """Return the beginning of a word, without the endings of verbs and plurals: "create" and "creating" are one."""
    for ending in ("ing", "ed"):
        bare = word.removesuffix(ending)
        if bare != word and len(bare) >= _SHORT and _VOWEL.search(bare) and bare[-1] != "e":
            is_doubled = len(bare) > _SHORT and bare[-1] == bare[-2] and bare[-1] not in "lsz"
            word = bare[:-1] if is_doubled else bare
            break
    else:
        word = word[:-1] if word.endswith("s") and not word.endswith("ss") else word
    stem = word[:_STEM]
    return stem.removesuffix("e") if len(stem) > _SHORT else stem


def share(part: frozenset[str], whole: frozenset[str]) -> float:
    """Return which share of the words of `part` occurs in `whole`; 0 where there are none."""
    return len(part & whole) / len(part) if part else 0.0
