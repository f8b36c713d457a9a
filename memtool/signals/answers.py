"""What the last answer of a turn says: results, what is open, and whether it ends in a question."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from memtool.model.threads import Kind
from memtool.model.words import content_words
from memtool.signals import cues
from memtool.signals.text import (
    FEWEST_WORDS,
    MOST_WORDS,
    Piece,
    capitalised,
    clause,
    is_made_of,
    is_whole,
    without,
    without_path,
)

MOST_FURTHER = 3
MOST_CODE_OF_DEED = 0.7
MOST_CODE_TOLD = 0.5
FEWEST_OF_ITEM = 4
MOST_CELLS = 3
"""Of a wider table it is not known which cell says what was done."""
_FEWER_WORDS = (12, 8)
"""Of a statement that ends in a list of names, what stands before it."""
_GREETING = cues.start("greeting")
_REPORT = cues.start("report")
_EMPTY = cues.words("empty")
_ANNOUNCEMENT = cues.start("announcement")
_OFFER = cues.anywhere("offer")
_BACKGROUND = cues.start("background")
_MISSING = cues.anywhere("missing")
_CROSSED = re.compile(r"^\W*[\u274c\u2717\u2718\u2610\u26a0]")
"""Crosses, empty boxes and warnings turn the words after them round."""
_QUOTED = re.compile(r"“[^”]*”|\"[^\"]*\"|`[^`]*`")
_ANNOUNCES = re.compile(
    r"\b(?:following|these|below|see|get|like|changes|summary|things|places|ways|files|"
    r"shows?|reads?|runs?|returns?|covers?|includes?|contains?|supports?|has|have|is|are|will|to|folgende)\W*:$"
)
_BRACKETS = re.compile(
    r"\([^)]*\)|\b[0-9a-f]{7,40}\b|#\d+|\b(?:on|to|in) `?[\w.]+(?:[-/][\w.]+)+`?(?=$|[.,;])"
)
_LIST_VERB = re.compile(r",?\s+(?:that|which)\s+\w+s\Z")
"""What announced the list that followed: "a section that explains: …"."""
_LINES = re.compile(
    r"\s*\((?:[\w./-]+:)?(?:lines? )?\d+(?:\s*[-–,]\s*\d+)*\)|(?<=\w)(\.\w{1,4}):\d+(?:-\d+)?\b"
)
"""The numbers of lines that a statement is about."""
_LABEL = re.compile(r"^\s*(?:[-*•]\s+)?\*\*(?P<label>[A-Z][\w /-]{2,24}):?\*\*:?\s+")
_TELLING_LABELS = re.compile(
    r"root cause|cause|problem|bug|fix|fixed|solution|result|change|issue|finding|conclusion",
    re.IGNORECASE,
)
_OPEN_HEADING = cues.start("open_heading")
_OPEN_LABEL = cues.start("open_label")


class Said(NamedTuple):
    """A statement of an answer or a hand-over, and the characters that say it; rank 0 is the lead."""

    text: str
    start: int
    end: int
    rank: int = 0
    kind: Kind = "result"


def results_of(pieces: Sequence[Piece]) -> Iterator[Said]:
    """Yield the lead of an answer, and up to three further items."""
    candidates = [said for piece in _reported(pieces) for said in _statement(piece)]
    if not candidates:
        return
    lead = next((each for each in candidates if each[1].kind in {"sentence", "heading"}), None)
    first = lead if lead is not None and candidates.index(lead) <= MOST_FURTHER else candidates[0]
    yield first[0]
    taken = [content_words(first[0].text)]
    rest = sorted(
        (each for each in candidates if each is not first),
        key=lambda each: (-_merit(each[1], each[0]), each[0].start),
    )
    further = []
    for said, _ in rest:
        words = content_words(said.text)
        if all(len(words & other) < 0.6 * min(len(words), len(other)) for other in taken):
            further.append(said)
            taken.append(words)
        if len(further) == MOST_FURTHER:
            break
    for rank, said in enumerate(sorted(further, key=lambda each: each.start), start=1):
        yield said._replace(rank=rank)


def _reported(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Yield the pieces that report, not those that say how it was before."""
    is_background = False
    for piece in pieces:
        label = _LABEL.match(piece.raw)
        if piece.kind in {"heading", "sentence"} or piece.label:
            is_lead = piece.kind == "heading" or piece.text.endswith(":") or label is not None
            is_background = is_lead and bool(_BACKGROUND.match(piece.text))
        elif piece.kind == "item" and is_background:
            continue
        if label is not None or not _BACKGROUND.match(piece.text):
            yield piece


def _merit(piece: Piece, said: Said) -> float:
    """Order the further items: labelled causes, then items that report a deed, then sentences."""
    if _is_telling(piece):
        return 3.0
    deed = bool(_DEED.match(said.text))
    return {"item": 1.5, "row": 1.0, "sentence": 0.8}.get(piece.kind, 0.0) + deed


_VERBS = cues.words("verbs")
_TO_THE_READER = frozenset({"go", "run", "try", "please", "you", "your", "then", "and", "or"})
_FRAGMENT = re.compile(
    r"(?:for|in|on|at|by|with|if|when|from|as|to|like|e\.g|such|see|via|per|based on|need to|next)\b",
    re.IGNORECASE,
)
_DEED = re.compile(
    r"(?:\w+ed|built|made|wrote|rewrote|cut|set|split|put|brought|found|kept|left|lost|now|new|"
    r"no longer)\b",
    re.IGNORECASE,
)
_CHANGE = re.compile(
    r"\A(?:(?! [–—-] ).)*?\b(?:now|no longer|has been|have been)\b| [–—-] (?:now|no longer)\b",
    re.IGNORECASE,
)
"""What is so now; not what a thing after a dash verifies or does now."""
_STATE_DEED = re.compile(r"(?:now|new|no longer)\b", re.IGNORECASE)


def _statement(piece: Piece) -> Iterator[tuple[Said, Piece]]:
    is_told = piece.kind not in {"code", "quote"} and not _OPEN_LABEL.match(piece.text)
    if not is_told or _CROSSED.match(piece.raw):
        return
    text = piece.text
    if piece.kind == "row":
        cells = text.split(" | ")
        text = cells[-1] if len(cells) <= MOST_CELLS else ""
    text = lead_of(text)
    if not text or _is_missing(piece) or _FRAGMENT.match(text):
        return
    first = text.split(" ", 1)[0].lower()
    is_deed = bool(_DEED.match(text))
    is_verb = is_deed and not _STATE_DEED.match(text)
    if piece.kind != "sentence" and len(content_words(text)) < FEWEST_OF_ITEM - is_verb:
        return  # a label
    if "?" in text:
        return
    if piece.kind != "sentence" and not (is_deed or _CHANGE.search(text) or _is_telling(piece)):
        return  # a part of an explanation, what a thing does, a heading
    if (first in _VERBS or first in _TO_THE_READER) and not is_deed:
        return  # what the reader should do, or a step
    yield Said(text, piece.start, piece.end), piece


def _is_telling(piece: Piece) -> bool:
    label = _LABEL.match(piece.raw)
    return label is not None and bool(_TELLING_LABELS.search(label["label"]))


def is_deed(text: str) -> bool:
    """Return whether a statement reports something that was done."""
    return bool(_DEED.match(text))


def lead_of(text: str) -> str:
    """Return a statement without greeting and first person, in whole clauses; "" where it says nothing."""
    bare = without(_REPORT, without(_GREETING, text)).strip()
    bare = without_path(without(_GREETING, bare)).strip("` ")
    if (
        not bare
        or bare.endswith("?")
        or bare[0] in "\"“'("
        or is_made_of(_BRACKETS.sub("", bare), _EMPTY)
    ):
        return ""
    if _ANNOUNCEMENT.match(bare) or _OFFER.match(bare):
        return ""
    bare = _LINES.sub(r"\1", bare).strip()
    is_deed = bool(_DEED.match(bare))
    if is_deed and not _ANNOUNCES.search(bare) and not bare.rstrip(": ").endswith("ing"):
        bare = _LIST_VERB.sub("", bare.rstrip(": ")) if bare.endswith(":") else bare
    elif _CHANGE.search(bare) and not _ANNOUNCES.search(bare):
        bare = bare.rstrip(": ")
    is_deed |= bool(_CHANGE.search(bare))
    most_code = MOST_CODE_OF_DEED if is_deed else MOST_CODE_TOLD
    clauses = (clause(bare, most) for most in (MOST_WORDS, *_FEWER_WORDS))
    short = next((text for text in clauses if is_whole(text, most_code)), "")
    words = _BRACKETS.sub("", short).strip()
    if len(words.split()) < FEWEST_WORDS:
        return ""
    if is_made_of(words, _EMPTY):
        return ""
    return capitalised(short)


def closing_question(pieces: Sequence[Piece]) -> Piece | None:
    """Return the question that an answer ends in, if it does; offers too."""
    for piece in reversed(pieces):
        if piece.kind in {"code", "quote"}:
            continue
        if piece.kind == "item":
            # Options after a question belong to it: "Which one? 1. … 2. …"
            if piece.label:
                continue
            return piece if piece.text.endswith("?") else None
        return piece if piece.text.rstrip("*_) ").endswith(("?", "?:")) else None
    return None


def announces(pieces: Sequence[Piece]) -> bool:
    """Return whether an answer ends with what the agent does next: the turn was cut off there."""
    said = [piece for piece in pieces if piece.kind in {"sentence", "item"}]
    return bool(said and _NEXT.match(said[-1].text))


_NEXT = cues.start("next")


def is_offer(question: str) -> bool:
    """Return whether a closing question offers to do more, and so is not a question that must be answered."""
    return bool(_OFFER.search(question)) or len(content_words(question)) < FEWEST_WORDS


def open_of(pieces: Sequence[Piece]) -> Iterator[Said]:
    """Yield what an answer says is missing, untested, failing or deferred."""
    is_open = False
    for piece in pieces:
        if piece.kind == "heading":
            is_open = bool(_OPEN_HEADING.match(piece.text))
            continue
        if piece.kind in {"code", "quote", "row"}:
            continue
        if (
            piece.kind == "sentence"
            and _OPEN_HEADING.match(piece.text)
            and piece.text.endswith(":")
        ):
            is_open = True
            continue
        text = piece.text
        label = _OPEN_LABEL.match(text)
        if label:
            text = text[label.end() :]
        elif not (is_open and piece.kind == "item") and not _is_missing(piece):
            is_open = is_open and piece.kind == "item"
            continue
        short = clause(without_path(text))
        if short and not short.endswith("?") and is_whole(short) and not _OFFER.search(short):
            yield Said(capitalised(short), piece.start, piece.end)


def _is_missing(piece: Piece) -> bool:
    match = _MISSING.search(_QUOTED.sub("", piece.text))
    return match is not None and not _PAST.search(piece.text) and not piece.text.endswith("?")


# "was missing", "if the file is missing", "no longer failing": how it was, not how it is.
_PAST = re.compile(
    r"\b(?:was|were|had|no longer|(?:is|are) now (?:in|part|done|fixed|handled|covered)|"
    r"previously|before|if|when|whether|unless|would|could be|may|"
    r"might|fixed|pre-?existing|unrelated|handles?|returns?)\b",
    re.IGNORECASE,
)
