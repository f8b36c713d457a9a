"""Pieces of a text that can be said by themselves: sentences, items, rows; each with its span in the event's text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from memtool.model.words import content_words
from memtool.signals import cues

MOST_WORDS = 24
FEWEST_WORDS = 3
FEWEST_CONTENT = 2
FEWEST_OF_CLAUSE = 5
MOST_CODE = 0.33
_LONGEST_TEXT = 60_000
_WORD = re.compile(r"[^\W_]+")
_DANGLING = cues.words("dangling")
PieceKind = Literal["sentence", "item", "row", "heading", "quote", "code"]


class Piece(NamedTuple):
    """A part of a text: what it says without markup, and the characters that it was taken from."""

    text: str
    start: int
    end: int
    kind: PieceKind
    label: str = ""
    """Of an item: its number or letter."""
    paragraph: int = 0
    raw: str = ""


_FENCE = re.compile(r"^\s*(?:```|~~~)")
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s+")
_BOLD_HEADING = re.compile(r"^\s*\*\*([^*]+?)(?::\*\*|\*\*:?)\s*$")
_ITEM = re.compile(
    r"^\s*(?:[-*•·–]\s+(?:\[[ xX]\]\s+)?|(?P<label>\d{1,2}|[A-Za-z])[.)]\s+|\*\*(?P<bold>\d{1,2}|"
    r"[A-Z])[.)]\s+)"
)
_OPTION = re.compile(
    r"^\s*(?:#+\s*)?\**(?:Option|Approach)\s+(?P<label>\d{1,2}|[A-Z])\b\**\s*[:.)–—-]*\s*",
    re.IGNORECASE,
)
_QUOTE = re.compile(
    r"^\s*(?:>|\u276f|⏺|⎿|│|\+{1}\d|[+-]\s{2,}|\$ |\d{1,5}\s+[+-]\s|(?:fatal|error|warning|panic): )"
)
_ROW = re.compile(r"^\s*\|.*\|\s*$")
_RULE = re.compile(r"^\s*\|?[\s:|=-]+\|?\s*$")
_INDENTED = re.compile(r"^(?: {4,}|\t)")
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"')\]*_]*\s+(?=[\"'(\[*_`“]*[\w@/#])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|eg|ie|etc|vs|cf|approx|no|z\.B|d\.h|bzw)|^\d{1,2}|\b(?-i:[A-Z]))\.$",
    re.IGNORECASE,
)


def pieces_of(text: str) -> list[Piece]:
    """Return the pieces of a text in order."""
    return list(_pieces(text[:_LONGEST_TEXT]))


def _pieces(text: str) -> Iterator[Piece]:
    paragraph = 0
    is_code, after_blank, in_item = False, True, False
    for start, line in _unwrapped(text):
        if not line.strip():
            paragraph += not after_blank
            after_blank, in_item = True, False
            continue
        if _FENCE.match(line):
            is_code = not is_code
            continue
        if is_code or (_INDENTED.match(line) and after_blank and not _ITEM.match(line)):
            yield Piece(line.strip(), start, start + len(line), "code", paragraph=paragraph)
            continue
        yield from _line(line, start, paragraph, is_more=in_item and line[:1] == " ")
        in_item = bool(_ITEM.match(line)) or (in_item and line[:1] == " ")
        after_blank = False


def _unwrapped(text: str) -> Iterator[tuple[int, str]]:
    """Yield (start, line); a line that was broken at a width is joined with the next, a blank for each break."""
    waiting_start, waiting = 0, ""
    position, is_code = 0, False
    for line in text.splitlines(keepends=True):
        start, position = position, position + len(line)
        bare = line.rstrip("\r\n")
        is_code ^= bool(_FENCE.match(bare))
        is_other = bool(_ITEM.match(waiting)) and bare[:1].isupper()
        if waiting and not is_code and not is_other and _is_plain(bare):
            waiting = waiting.ljust(start - waiting_start) + bare
        else:
            if waiting:
                yield waiting_start, waiting
            waiting_start, waiting = start, bare
        if is_code or not _may_go_on(bare):
            yield waiting_start, waiting
            waiting = ""
    if waiting:
        yield waiting_start, waiting


_WIDTH = 60
_STARTS = re.compile(r"""\s*[\w"'`(<@/$*_~.]""")
"""How a line begins that goes on with the one before: not with a sign or a picture."""


def _may_go_on(line: str) -> bool:
    """Return whether a line looks broken: long, without an end, and neither table, heading nor code."""
    bare = line.rstrip()
    return (
        len(bare) >= _WIDTH
        and not line.endswith("  ")
        and bare[-1] not in ".!?:;|"
        and not _HEADING.match(line)
        and not _ROW.match(line)
        and not _QUOTE.match(line)
    )


def _is_plain(line: str) -> bool:
    return bool(_STARTS.match(line)) and not any(
        pattern.match(line)
        for pattern in (_FENCE, _HEADING, _BOLD_HEADING, _ITEM, _OPTION, _QUOTE, _ROW, _RULE)
    )


def _line(line: str, start: int, paragraph: int, *, is_more: bool) -> Iterator[Piece]:
    def piece(kind: PieceKind, begin: int = 0, stop: int | None = None, label: str = "") -> Piece:
        raw = line[begin:stop]
        return Piece(
            clean(raw), start + begin, start + begin + len(raw), kind, label, paragraph, raw
        )

    if _RULE.match(line) and not _WORD.search(line):
        return
    if _QUOTE.match(line):
        yield piece("quote")
    elif match := _OPTION.match(line):
        yield piece("item", match.end(), label=match["label"])
    elif (match := _HEADING.match(line)) or _BOLD_HEADING.match(line):
        yield piece("heading", match.end() if match else 0)
    elif _ROW.match(line):
        cells = [clean(cell) for cell in line.strip().strip("|").split("|")]
        yield piece("row")._replace(text=" | ".join(cell for cell in cells if cell))
    elif match := _ITEM.match(line):
        yield piece("item", match.end(), label=match["label"] or match["bold"] or "")
    elif not is_more:
        yield from (piece("sentence", begin, stop) for begin, stop in _sentences(line))


def _sentences(line: str) -> Iterator[tuple[int, int]]:
    begin = len(line) - len(line.lstrip())
    for match in _SENTENCE_END.finditer(line):
        if _ABBREVIATION.search(line[begin : match.start()]):
            continue
        yield begin, match.start()
        begin = match.end()
    if line[begin:].strip():
        yield begin, len(line.rstrip())


_LINK = re.compile(r"!?\[([^\]]*)\]\(([^)\s]*)[^)]*\)")
_EMPHASIS = re.compile(r"(\*\*|__|(?<!\w)\*(?=\S)|(?<=\S)\*(?!\w))")
_SIGNS = re.compile(r"^[\s\W]*?(?=[\w\"'`(/@#$<\[{.~-])", re.UNICODE)
_EMOJI = re.compile("[\U0001f300-\U0001faff\u2600-\u27bf\ufe0f\u200d\u2b00-\u2bff]+ ?")


def clean(text: str) -> str:
    """Return one line without markup, emoji and marks at its start."""
    if "](" in text:
        text = _LINK.sub(r"\1", text)
    if "*" in text or "__" in text:
        text = "`".join(  # a star in code is no emphasis
            part if number % 2 else _EMPHASIS.sub("", part)
            for number, part in enumerate(text.split("`"))
        )
    if not text.isascii():
        text = _EMOJI.sub("", text)
    text = " ".join(text.split())
    if not text[:1].isalnum():
        text = _SIGNS.sub("", text, count=1)
    return text.strip(" -–—•·")


_CODE = re.compile(
    r"`[^`]*`|\b\w+(?:\.\w+)*\([^)]*\)|(?:\w+/)+[\w.]+|\b\w+\.\w{1,4}:\d+|[{}<>=;\\$]+|\b\w+_\w+\b"
)
_LEADING_PATH = re.compile(
    r"^(?:(?:in|at|from|file)\s+)?`?[~\w./@-]*(?:/[\w.@-]+|\.(?:go|py|js|ts|tsx|rs|md|json|ya?ml|"
    r"toml|sh|c|h|java|rb|txt))(?::[\d,\s-]+)?`?(?:\s*\([^)]{0,40}\))?\s*(?:[-–—:|]+|→)\s*(?=\S)",
    re.IGNORECASE,
)
_LEADING_REFERENCE = re.compile(
    r"^(?:task|step|phase|item)\s+#?\d+[a-z]?\s*[:.–—-]\s*|^\w+ on [\w./-]+:\d+\s*[—–-]+\s*|"
    r"^(?:@\S+\s+)+|^(?:lines?|line) \d+(?:-\d+)?\s*[:–—-]\s*",
    re.IGNORECASE,
)


_SHORTEST_LEFT = 8


def without_path(text: str) -> str:
    """Return the text without a path that it begins with."""
    left = _LEADING_REFERENCE.sub("", _LEADING_PATH.sub("", text, count=1), count=1)
    return left if len(left) > _SHORTEST_LEFT else text


def code_share(text: str) -> float:
    """Return which part of a text is code, paths and signs."""
    return sum(len(match[0]) for match in _CODE.finditer(text)) / max(1, len(text))


def prose(text: str) -> str:
    """Return a text without numbers and the identifiers of code."""
    return " ".join(_NAME.sub(" ", text).split())


_NAME = re.compile(r"\b\d+\b|\b\w+\([^)]*\)|\b\w*[a-z][A-Z]\w*|\b\w+_\w+\b(?!\.\w)")


def is_whole(text: str, most_code: float = MOST_CODE) -> bool:
    """Return whether a text can stand by itself: some words, not mostly code, no open end unless it has a full stop."""
    words = text.split()
    if len(words) < FEWEST_WORDS or len(content_words(text)) < FEWEST_CONTENT:
        return False
    last = words[-1].strip(".,;:!?\"'()[]`*").lower()
    return (
        (last not in _DANGLING or text.endswith((".", "!")))
        and _is_closed(text)
        and not text.endswith((":", ",", "(", "…"))
        and code_share(text) <= most_code
    )


_BREAK = re.compile(
    rf"[;:.](?=\s)|\s[–—-]{{1,2}}\s|\s[(\[](?=[^)\]]*[)\]](?:\W|$)(?!\s*\w))|,?\s(?=(?:{cues.anywhere('clause').pattern})\b)",
    re.IGNORECASE,
)


BRACKETED = re.compile(r"(?:^|\s+)\([^()]*\)(?!\w)")


def clause(text: str, most: int = MOST_WORDS) -> str:
    """Return the text; where it is longer than `most` words, without brackets or only whole clauses, else ""."""
    text = text.rstrip(" .;,")
    if text.endswith(":"):
        return ""
    if len(text.split()) <= most:
        return text
    bare = BRACKETED.sub("", text).strip()
    if len(bare.split()) <= most and is_whole(bare, 1.0):
        return bare
    best = ""
    for match in _BREAK.finditer(text):
        head = text[: match.start()].rstrip(" ,;:")
        count = len(head.split())
        if count > most:
            break
        if count >= FEWEST_OF_CLAUSE and _is_closed(head):
            best = head
    return best if best and is_whole(best) else ""


def _is_closed(text: str) -> bool:
    return (
        text.count("(") <= text.count(")")
        and text.count("[") <= text.count("]")
        and text.count("`") % 2 == 0
        and text.count('"') % 2 == 0
        and text.count("“") == text.count("”")
    )


def capitalised(text: str) -> str:
    """Return the text with a capital, unless it begins with an identifier."""
    first = text.partition(" ")[0]
    if not first.replace("'", "").isalpha() or not first.islower():
        return text
    return text[:1].upper() + text[1:]


_TOLD_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")


def is_made_of(text: str, words: frozenset[str]) -> bool:
    """Return whether a text has no other words than these, numbers and signs apart."""
    found = (match[0].lower().replace("\u2019", "'") for match in _TOLD_WORD.finditer(text))
    return all(word in words for word in found)


def without(start: re.Pattern[str], text: str) -> str:
    """Return the text without what fits the pattern at its start."""
    match = start.match(text)
    return text[match.end() :] if match else text


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def one_line(text: str) -> str:
    """Return a text as one visible line, without back-quotes."""
    return " ".join(_CONTROL.sub(" ", text.replace("`", "")).split())
