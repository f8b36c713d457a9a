"""What a reply chooses from the answer before it. Where that is not certain, nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence


from memtool.signals.text import Piece

_MOST_OPTIONS = 12
_TOKEN = r"(?:[1-9]|1[0-2]|[A-Da-d])"
_LIST = re.compile(
    rf"\s*(?P<labels>{_TOKEN}(?:\s*(?:,|&|\+|and|und)\s*{_TOKEN})+)\s*[.!]?\s*$", re.IGNORECASE
)
# A label alone, or before a comma or one of these words. "2. Strengthen …" is an item, "50 commits" a count.
_BARE = re.compile(
    rf"\s*(?P<label>{_TOKEN})\s*(?:$|[.!]\s*$|[,;]\s|[—–-]+\s|(?:and|but|please|is|sounds|looks|with|as|then|pls|und|aber|bitte)\b)",
    re.IGNORECASE,
)
_NAMED = re.compile(
    rf"\b(?:options?|approach|variant|alternative|choice)\s+#?(?P<label>{_TOKEN})\b(?!\.\d)",
    re.IGNORECASE,
)
_GO_WITH = re.compile(
    rf"^\s*(?:(?:ok(?:ay)?|yes|yeah|sure|cool|great)[,.!\s]+)*(?:let's|lets|let us|we|i'd|i would|i'll)?\s*"
    rf"(?:go(?: for| with)|do|take|pick|choose|use)\s+(?:number\s+|#)?(?P<label>{_TOKEN})(?=\s*(?:$|[.,;!]|(?:and|but|please|then|for)\b))",
    re.IGNORECASE,
)
_ORDINALS = ("first", "second", "third", "fourth", "fifth")
_ORDINAL = re.compile(
    r"^\s*(?:(?:ok(?:ay)?|yes|yeah|let's|lets|i|we|would|go|with|for|do|take|prefer|like|use|the)[,\s]+)*"
    r"(?P<ordinal>first|second|third|fourth|fifth|last)\s+(?:one|option)\b",
    re.IGNORECASE,
)
_ALL = re.compile(
    r"^\s*(?:(?:yes|yeah|ok(?:ay)?|let's do|do)[,\s]+)*(?P<word>both|all)(?: of (?:them|these|those))?(?: please)?\s*[.!]?\s*$",
    re.IGNORECASE,
)
_REPLIES = re.compile(r"^\s*(\d{1,2})[.)]\s+(\S.*)$")


def chosen(prompt: str, answer: Sequence[Piece]) -> list[Piece]:
    """Return the options of the answer that the prompt chooses, in order; none where it is not certain."""
    lists = lists_of(answer)
    if not lists:
        return []
    first = prompt.strip().split("\n", 1)[0]
    if match := _LIST.match(first):
        labels = [
            label.upper() for label in re.findall(_TOKEN, re.sub(r"and|und", " ", match["labels"]))
        ]
        return _only([_from_only_list(label, lists) for label in labels])
    if match := _BARE.match(first):
        return _only([_from_only_list(match["label"].upper(), lists)])
    is_question = first.rstrip().endswith("?")
    if (match := _GO_WITH.match(first)) and not is_question:
        return _only([_from_only_list(match["label"].upper(), lists)])
    if (match := _NAMED.search(_first_sentence(first))) and not _first_sentence(first).endswith(
        "?"
    ):
        if len(set(_NAMED.findall(first))) > 1:
            return []
        return _only([_from_last_list(match["label"].upper(), lists)])
    if (match := _ORDINAL.match(first)) and not is_question:
        word = match["ordinal"].lower()
        options = lists[-1] if len(lists) == 1 else []
        index = len(options) - 1 if word == "last" else _ORDINALS.index(word)
        return _only([options[index] if 0 <= index < len(options) else None])
    if match := _ALL.match(first):
        options = lists[0] if len(lists) == 1 else []
        if match["word"].lower() == "both" and len(options) != 2:
            return []
        return _only(list(options))
    return []


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
    if len(spans) < 2:
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


def _from_only_list(label: str, lists: Sequence[Sequence[Piece]]) -> Piece | None:
    found = [piece for options in lists for piece in options if piece.label.upper() == label]
    return found[0] if len(found) == 1 else None


def _from_last_list(label: str, lists: Sequence[Sequence[Piece]]) -> Piece | None:
    for options in reversed(lists):
        for piece in options:
            if piece.label.upper() == label:
                return piece
    return None


def _only(found: list[Piece | None]) -> list[Piece]:
    """Return the options if all were found and none of them is a question."""
    options = [piece for piece in found if piece is not None]
    if len(options) < len(found) or any(piece.text.endswith("?") for piece in options):
        return []
    return options


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.!?])\s", text.strip(), maxsplit=1)[0]
