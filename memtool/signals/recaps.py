"""The agent's own hand-overs: what a compaction summary or an away summary says of the work."""

from __future__ import annotations

import re
from collections.abc import Iterator

from memtool.model.threads import Kind
from memtool.model.words import content_words
from memtool.signals.answers import Said
from memtool.signals.text import Piece, capitalised, clause, is_whole, pieces_of, without_path

MOST_ITEMS = 8
FEWEST_WORDS = 3
FEWEST_AWAY = 2


_SECTION = re.compile(
    r"^\s*(?:#+\s*)?(?:\d{1,2}[.)]\s+)?\**(?P<name>[A-Z][A-Za-z ()/'-]{3,60}?)\**\s*:\**\s*$|"
    r"^\s*\d{1,2}\.\s+\**(?P<numbered>[A-Z][A-Za-z ()/'-]{3,60}?)\**\s*:\**(?:\s|$)"
)
_SUMMARY = re.compile(r"^\s*(?:#+\s*)?\**Summary\**:?\**\s*$", re.MULTILINE)
_ASKED = re.compile(
    r"^(?:(?:the )?user's (?:most recent |latest |last |final |first |initial )?(?:request|"
    r"message|question|goal)(?: asked)?(?: is| was)?(?: to| about)?:?\s+|(?:the )?user(?:'s)?(?: "
    r"also| then| explicitly| initially| wanted)*\s+(?:asked|wants?|wanted|requested|request|"
    r"chose|said|needs?|needed|requests?)(?: me)?(?: was)?(?: to| that| for)?:?\s+|"
    r"(?:primary|main|latest|initial|original|final|secondary|explicit|follow-?up|current|first|"
    r"second|third|additional|later|next|current)?\s*(?:user )?(?:request|goal|task|intent|"
    r"objective|issue|problem)s?(?: was)?(?: to)?\s*:\s+)",
    re.IGNORECASE,
)
_MARK = re.compile(r"^\((?:latest|current|new|initial|first|later|then)\)\s*", re.IGNORECASE)
_DECIDED = re.compile(
    r"^(?:the )?user (?:explicitly )?(?:clarified|decided|chose|confirmed|rejected|preferred|"
    r"prefers|agreed|insisted|corrected)(?: that| to)?:?\s+",
    re.IGNORECASE,
)
_NONE = re.compile(
    r"^(?:none|no (?:pending|explicit|remaining|outstanding)|all (?:tasks|requested|work))\b",
    re.IGNORECASE,
)
_TASK = re.compile(
    r"^(?:task\s+)?#?\d+[a-z]?\s*[:.)-]\s*|^task\s+#?\d+\s*[:.–—-]\s*", re.IGNORECASE
)
_STATUS = re.compile(
    r"\s*(?:[-–—:(]+\s*)(?:\*\*)?(?:in[ _]progress|pending|not started|todo|blocked)\b.*$",
    re.IGNORECASE,
)
_DONE = re.compile(r"[✅✓]|\b(?:completed|done)\)?\W*$|^\[x\]", re.IGNORECASE)
_AWAY = re.compile(
    r"\b(?P<label>Goal|Next|Open|Still open|Remaining|Decided)\s*:\s*(?P<text>.+?)(?=\s+(?:Goal|"
    r"Done|Next|Open|Still open|Remaining|Decided)\s*:|\s*\(disable recaps|\n|$)"
)
_PROCEDURE = re.compile(
    r"^(?:run|re-?run|commit|push|verify|check|review|lint|test|ensure all|make sure all|format|"
    r"wait|read|continue)\b[^.]{0,80}$",
    re.IGNORECASE,
)
_UNRESOLVED = re.compile(r"\boptions? #?[\dA-D]\b")
"""A choice whose options are not told."""
_USER_QUOTE = re.compile(r"^[\"“>]")


def said_in(text: str) -> Iterator[Said]:
    """Yield the statements of a hand-over, each with its characters."""
    summary = _SUMMARY.search(text)
    if summary is None:
        yield from _away(text)
        return
    intents = pending = 0
    section = ""
    for found in pieces_of(text[summary.end() :]):
        piece = _moved(found, summary.end())
        line = _line_at(text, piece)
        if match := _SECTION.match(line):
            section = (match["name"] or match["numbered"]).lower()
            if match["name"] or piece.text.endswith(":"):
                continue
        if section.startswith("primary request") and intents < MOST_ITEMS:
            for said in _intent(piece, intents):
                intents += 1
                yield said
        elif section.startswith("pending task") and pending < MOST_ITEMS:
            for said in _pending(piece, line):
                pending += 1
                yield said


def _intent(piece: Piece, rank: int) -> Iterator[Said]:
    if piece.kind not in {"sentence", "item"} or _USER_QUOTE.match(piece.text):
        return
    text = piece.text
    kind: Kind = "recap"
    if match := _DECIDED.match(text):
        kind, text = "decision", text[match.end() :]
    elif match := _ASKED.match(text):
        text = text[match.end() :]
    text = clause(without_path(_MARK.sub("", text).strip('"“” ')))
    if (
        text
        and is_whole(text)
        and not _PROCEDURE.match(text)
        and not _UNRESOLVED.search(text)
        and not _about_user(text)
        and len(content_words(text)) >= FEWEST_WORDS
    ):
        yield Said(capitalised(text), piece.start, piece.end, rank, kind=kind)


def _about_user(text: str) -> bool:
    return bool(
        re.match(
            r"(?:this (?:session|conversation|evolved|is)|the (?:user|session|conversation)|"
            r"continu\w+ from|user |if |whether |about )",
            text,
            re.IGNORECASE,
        )
    )


def _pending(piece: Piece, line: str) -> Iterator[Said]:
    if piece.kind not in {"sentence", "item"} or _NONE.match(piece.text) or _DONE.search(line):
        return
    text = _STATUS.sub("", _TASK.sub("", piece.text))
    text = clause(without_path(text))
    if text and is_whole(text) and not _PROCEDURE.match(text):
        yield Said(capitalised(text), piece.start, piece.end, kind="pending")


def _away(text: str) -> Iterator[Said]:
    for rank, match in enumerate(_AWAY.finditer(text[:4_000])):
        said = clause(match["text"].strip())
        if not said or len(content_words(said)) < FEWEST_AWAY:
            continue
        kind: Kind = {"goal": "recap", "decided": "decision"}.get(match["label"].lower(), "pending")  # type: ignore[assignment]
        yield Said(capitalised(said), *match.span("text"), rank, kind=kind)


def _moved(piece: Piece, by: int) -> Piece:
    return piece._replace(start=piece.start + by, end=piece.end + by)


def _line_at(text: str, piece: Piece) -> str:
    start = text.rfind("\n", 0, piece.start) + 1
    end = text.find("\n", piece.start)
    return text[start : len(text) if end < 0 else end]
