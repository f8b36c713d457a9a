"""Markdown that says what it is given: tables and code, with what would be markup in a sentence kept from being it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from textwrap import wrap

_CODE = re.compile(r"(`[^`]+`)")
_MARKUP = re.compile(r"([*<\[\]])")
_BAR = r"\|"
_WIDTH = 100
NOTICE = "<!-- Written by docs/generate from the code; edit that. -->"


def prose(text: str) -> str:
    """Return a sentence with nothing but its `code` as markup."""
    parts = _CODE.split(text)
    return "".join(
        part if index % 2 else _MARKUP.sub(r"\\\1", part) for index, part in enumerate(parts)
    )


def code(text: str) -> str:
    """Return a literal word or words."""
    return f"`{text}`"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table whose cells are Markdown already."""
    lines = [f"| {' | '.join(cell.replace('|', _BAR) for cell in row)} |" for row in (heads, *rows)]
    return [lines[0], "|" + "---|" * len(heads), *lines[1:]]


def synopsis(name: str, forms: Sequence[str]) -> list[str]:
    """Return a synopsis as an indented block, cut between its parts where it is too long for a line."""
    whole = [form.replace(" ", "\0") for form in forms]
    lines = wrap(
        " ".join([name.replace(" ", "\0"), *whole]),
        _WIDTH,
        initial_indent="    ",
        subsequent_indent=" " * (5 + len(name)),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace("\0", " ") for line in lines]
