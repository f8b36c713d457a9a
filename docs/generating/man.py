"""The blocks of man/memtool.1, in the man(7) macros that both groff and mandoc know."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from textwrap import wrap

from docs.generating.commands import Command, entries, program, sections, usage
from memtool import __version__
from memtool.errors import EXIT_CODES

_ESCAPES = {"\\": "rs", "'": "aq", '"': "dq", "`": "ga", "^": "ha", "~": "ti"}


def title() -> list[str]:
    """Return the title line, without a date: that of the build would differ each time."""
    return [f'.TH MEMTOOL 1 "" "memtool {__version__}" "User Commands"']


def options() -> Iterator[str]:
    """Yield the options of the program."""
    return _takes(program())


def commands() -> Iterator[str]:
    """Yield a subsection for each command."""
    for name, help_text, command in sections():
        yield f".SS {escape(name)}"
        yield from (".HP", *_wrapped(" ".join([_bold(name), *map(_styled, usage(command))])))
        for paragraph in help_text.split("\n\n"):
            yield from (".PP", *text(" ".join(paragraph.split())))
        yield from _takes(command)


def exit_status() -> Iterator[str]:
    """Yield the exit codes."""
    for row in EXIT_CODES:
        yield from (".TP", _bold(str(row.code)), *text(f"{row.meaning} ({row.name})"))


def escape(words: str) -> str:
    """Return words that roff prints as they are, anywhere in a line."""
    signs = {sign: rf"\({name}" for sign, name in _ESCAPES.items()} | {"-": r"\-"}
    return "".join(
        signs.get(one, one if one.isascii() else rf"\[u{ord(one):04X}]") for one in words
    )


def text(sentence: str) -> list[str]:
    """Return the lines of a paragraph, with its `code` in bold."""
    parts = enumerate(re.split(r"`([^`]+)`", sentence))
    return _wrapped("".join(_bold(part) if at % 2 else escape(part) for at, part in parts))


def _takes(command: Command) -> Iterator[str]:
    for names, remarks in entries(command):
        yield from (".TP", ", ".join(map(_styled, names)), *text(remarks))


def _styled(form: str) -> str:
    """Return `--since PERIOD` with what is typed in bold, and what stands for a value in italics."""
    return re.sub(r"--?[a-z-]+|[A-Z]+|[a-z|]+", lambda found: _bold_or_italic(found[0]), form)


def _bold_or_italic(word: str) -> str:
    return rf"\fI{word}\fR" if word.isupper() else _bold(word)


def _bold(words: str) -> str:
    return rf"\fB{escape(words)}\fR"


def _wrapped(marked: str) -> list[str]:
    """Return the lines of roff; none begins with a control character."""
    lines: Sequence[str] = wrap(marked, 76, break_long_words=False, break_on_hyphens=False)
    return [rf"\&{line}" if line[0] in ".'" else line for line in lines]
