"""What a reply chooses from the answer before it. Where that is not certain, nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from memtool.signals.text import Piece

_MOST_OPTIONS = 12
_MARK = r"(?:[1-9]|1[0-2]|[A-Da-d])"
_LIST = re.compile(
    rf"\s*(?P<labels>{_MARK}(?:\s*(?:,|&|\+|and|und)\s*{_MARK})+)\s*[.!]?\s*$", re.IGNORECASE
)
# A label alone, or before a comma or one of these words. "2. Strengthen …" is an item, "50 commits" a count.
_BARE = re.compile(
    rf"\s*(?P<labels>{_MARK})\s*(?:$|[.!]\s*$|[,;]\s|[—–-]+\s|(?:and|but|please|is|sounds|looks|"
    rf"with|as|then|pls|und|aber|bitte)\b)",
    re.IGNORECASE,
)
_NAMED_LABEL = re.compile(
    rf"\b(?:options?|approach|variant|alternative|choice)\s+#?({_MARK})\b(?!\.\d)", re.IGNORECASE
)
# The first sentence; how it ends says whether it asks.
_NAMED = re.compile(
    rf"(?=[^.!?]{{0,200}}?{_NAMED_LABEL.pattern.replace('(' + _MARK + ')', '(?P<label>' + _MARK + ')')})"
    r"[^.!?]*(?P<end>[.!?]?)",
    re.IGNORECASE,
)
_GO_WITH = re.compile(
    rf"^\s*(?:(?:ok(?:ay)?|yes|yeah|sure|cool|great)[,.!\s]+)*(?:let's|lets|let us|we|i'd|i "
    rf"would|i'll)?\s*"
    rf"(?:go(?: for| with)|do|take|pick|choose|use)\s+(?:number\s+|"
    rf"#)?(?P<labels>{_MARK})(?=\s*(?:$|[.,;!]|(?:and|but|please|then|for)\b))",
    re.IGNORECASE,
)
_ORDINALS = ("first", "second", "third", "fourth", "fifth")
_ORDINAL = re.compile(
    r"^\s*(?:(?:ok(?:ay)?|yes|yeah|let's|lets|i|we|would|go|with|for|do|take|prefer|like|use|"
    r"the)[,\s]+)*"
    r"(?P<ordinal>first|second|third|fourth|fifth|last)\s+(?:one|option)\b",
    re.IGNORECASE,
)
_ALL = re.compile(
    r"^\s*(?:(?:yes|yeah|ok(?:ay)?|let's do|do)[,\s]+)*(?P<word>both|all)(?: of (?:them|these|"
    r"those))?(?: please)?\s*[.!]?\s*$",
    re.IGNORECASE,
)
_REPLIES = re.compile(r"^\s*(\d{1,2})[.)]\s+(\S.*)$")


def chosen(prompt: str, answer: Sequence[Piece]) -> list[Piece]:
    """Return the options of the answer that the prompt chooses, in order; none where it is not certain."""
    lists = lists_of(answer)
    first = prompt.strip().split("\n", 1)[0]
    if not lists or not first:
        return []
    for pattern, options in _RULES:
        if match := pattern.match(first):
            found = options(match, lists)
            is_certain = found and None not in found
            chosen_ones = [piece for piece in found if piece is not None]
            is_statement = not any(piece.text.endswith("?") for piece in chosen_ones)
            return chosen_ones if is_certain and is_statement else []
    return []


def is_reply(text: str) -> bool:
    """Return whether a text begins with a label: without its options it says nothing."""
    return bool(_BARE.match(text) or _LIST.match(text))


Lists = Sequence[Sequence[Piece]]


def _by_only_list(match: re.Match[str], lists: Lists) -> list[Piece | None]:
    """The labels, each of which exactly one list must have."""
    labels = re.findall(_MARK, re.sub(r"and|und", " ", match["labels"]))
    return [_labelled(label.upper(), lists) for label in labels]


def _labelled(label: str, lists: Lists) -> Piece | None:
    found = [piece for options in lists for piece in options if piece.label.upper() == label]
    return found[0] if len(found) == 1 else None


def _by_last_list(match: re.Match[str], lists: Lists) -> list[Piece | None]:
    """ "Option N": of the last list that has it; not where the sentence names two, or asks."""
    if match["end"] == "?" or len(set(_NAMED_LABEL.findall(match[0]))) > 1:
        return []
    label = match["label"].upper()
    found = [piece for options in lists for piece in options if piece.label.upper() == label]
    return [found[-1]] if found else []


def _by_ordinal(match: re.Match[str], lists: Lists) -> list[Piece | None]:
    word = match["ordinal"].lower()
    options = lists[0] if len(lists) == 1 else []
    index = len(options) - 1 if word == "last" else _ORDINALS.index(word)
    return [options[index]] if 0 <= index < len(options) else []


def _by_all(match: re.Match[str], lists: Lists) -> list[Piece | None]:
    options = lists[0] if len(lists) == 1 else []
    return [] if match["word"].lower() == "both" and len(options) != _BOTH else list(options)


_BOTH = 2
_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], Lists], list[Piece | None]]], ...] = (
    (_LIST, _by_only_list),
    (_BARE, _by_only_list),
    (_GO_WITH, _by_only_list),
    (_NAMED, _by_last_list),
    (_ORDINAL, _by_ordinal),
    (_ALL, _by_all),
)


def replies(prompt: str, answer: Sequence[Piece]) -> list[tuple[Piece, int, int]]:
    """Return (question, start, end of the reply) for numbered replies to as many numbered questions."""
    spans: list[tuple[int, int]] = []
    position = 0
    for line in prompt.splitlines(keepends=True):
        match = _REPLIES.match(line.rstrip())
        if match and int(match[1]) == len(spans) + 1:
            spans.append((position + match.start(2), position + match.end(2)))
        elif match:
            return []
        position += len(line)
    if len(spans) < _BOTH:
        return []
    for options in reversed(lists_of(answer)):
        if len(options) == len(spans) and all(option.text.endswith("?") for option in options):
            return [(option, *span) for option, span in zip(options, spans, strict=True)]
    return []


def lists_of(answer: Sequence[Piece]) -> list[list[Piece]]:
    """Return the labelled lists of an answer: labels in order from 1 or A."""
    lists: list[list[Piece]] = []
    expected = ""
    for piece in answer:
        label = piece.label.upper()
        if not label:
            continue
        if label in {"1", "A"}:
            lists.append([piece])
        elif label == expected and lists and len(lists[-1]) < _MOST_OPTIONS:
            lists[-1].append(piece)
        else:
            expected = ""
            continue
        expected = str(int(label) + 1) if label.isdecimal() else chr(ord(label) + 1)
    return [options for options in lists if len(options) > 1]
