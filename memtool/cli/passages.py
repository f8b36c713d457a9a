"""Text of events for the terminal: cleaned, shortened where nobody asked for all of it, the cited words marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memtool.cli.output import clean
from memtool.cli.render import Page

if TYPE_CHECKING:
    from rich.text import Text

CITED_STYLE = "black on yellow"
_MARKS = ("▶", "◀")
_MARKS_ASCII = (">>", "<<")
_LINES, _CHARACTERS = 8, 600
_LINES_BESIDE, _CHARACTERS_BESIDE = 4, 300
_WORD = 40
"""How far a cut may move to fall between words."""


def plain_passage(text: str, *, is_full: bool = False) -> Text:
    """Return the text of an event, its beginning only unless all is wanted."""
    from rich.text import Text

    end = len(text) if is_full else head_end(text, _LINES, _CHARACTERS)
    shown = Text(clean(text[:end], lines=True).rstrip())
    shown.append_text(_left_out(len(text) - end, before="\n" if "\n" in text[:end] else " "))
    return shown if shown.plain.strip() else Text("(no text)", "dim italic")


def cited_passage(page: Page, text: str, span: tuple[int, int], *, is_full: bool = False) -> Text:
    """Return the text of an event with the words in the span marked, and so much around them."""
    start, end = span
    if not text[start:end].strip():
        return plain_passage(text, is_full=is_full)
    low = 0 if is_full else tail_start(text[:start], _LINES_BESIDE, _CHARACTERS_BESIDE)
    high = len(text) if is_full else end + head_end(text[end:], _LINES_BESIDE, _CHARACTERS_BESIDE)
    opening, closing = _marks(page)
    gap = "\n" if "\n" in text[low:high] else " "
    shown = _left_out(low, after=gap)
    shown.append(clean(text[low:start], lines=True).lstrip("\n"))
    shown.append(f"{opening}{clean(text[start:end], lines=True)}{closing}", CITED_STYLE)
    shown.append(clean(text[end:high], lines=True).rstrip())
    return shown.append_text(_left_out(len(text) - high, before=gap))


def _marks(page: Page) -> tuple[str, str]:
    """Return what stands around cited words: nothing where colour marks them."""
    if page.has_colour:
        return "", ""
    return _MARKS_ASCII if page.is_ascii else _MARKS


def _left_out(count: int, *, before: str = "", after: str = "") -> Text:
    from rich.text import Text

    return Text(f"{before}[… {count:,} more characters]{after}" if count else "", "dim")


def head_end(text: str, lines: int, characters: int) -> int:
    """Return where the first so many lines and characters end, between words where one is near."""
    end = -1
    for _ in range(lines):
        end = text.find("\n", end + 1)
        if end < 0:
            end = len(text)
            break
    if end <= characters:
        return end if text[end:].strip() else len(text)
    space = text.rfind(" ", characters - _WORD, characters)
    return space if space > 0 else characters


def tail_start(text: str, lines: int, characters: int) -> int:
    """Return where the last so many lines and characters begin."""
    return len(text) - head_end(text[::-1], lines, characters)
