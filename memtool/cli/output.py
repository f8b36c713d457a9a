"""All output of the program. Control characters in text from a store or a file never reach the terminal."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO
from unicodedata import combining, east_asian_width

from memtool.model.clock import Clock

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_PIPED_WIDTH = 80
_MOST_ANSWERS = 3
_NARROWEST, _WIDEST = 20, 120
"""Prose is not spread over more columns than one can read."""
LEAST_TABLE = 60
"""On fewer columns a table is not readable."""
RIGHT_WIDTH = len("EVENTS")
_TAB = 4

_PLAIN_URL = re.compile(r"https://[A-Za-z0-9._/-]+")

Part = tuple[str, str]
"""A text and its style."""
Line = list[Part]
"""A paragraph whose text is clean. It may have line ends."""

_BLANK = "\u00ad\u200b\u2060-\u2064\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
_REORDERING = "\u202a-\u202e\u2066-\u2069"
_UNSAFE_IN_JSON = f"[\x7f-\x9f\u2028\u2029{_REORDERING}{_BLANK}\ud800-\udfff]"


class _Patterns(NamedTuple):
    """What clean() looks for. Compiling them takes milliseconds, and most texts need none."""

    sequences: re.Pattern[str]
    """What a terminal takes as one command (ECMA-48), in its 7-bit and 8-bit forms. A string without its end loses only
    its introducer, so that nothing after it is hidden.
    """
    line_ends: re.Pattern[str]
    spaces: re.Pattern[str]
    invisible: re.Pattern[str]
    unsafe: re.Pattern[str]
    pictures: Mapping[str, str]


@cache
def _patterns() -> _Patterns:
    return _Patterns(
        re.compile(
            r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # control sequences: colours, cursor, erasing
            r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]{0,4096}(?:\x07|\x1b\\|\x9c)"  # strings
            r"|\x1b[ -/]+[0-~]"  # character sets
            r"|\x1b[0-~]"  # the rest of two characters, and introducers of strings that do not end
        ),
        re.compile("\r\n|[\r\n\v\f\x85\u2028\u2029]"),
        re.compile(r"[ \t\n]+"),
        re.compile(f"[{_BLANK}]"),
        re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_REORDERING}\ud800-\udfff]"),
        {
            **{chr(code): chr(0x2400 + code) for code in range(0x20)},  # Unicode has signs for them
            "\x7f": "\u2421",
            **{
                chr(code): f"<U+{code:04X}>"
                for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
            },
        },
    )


def clean(text: str, *, lines: bool = False) -> str:
    """Return the text as it may be shown: on one line, or with its line breaks kept."""
    if text.isprintable():  # then nothing in it is a control, a format or a separator but the space
        return text if lines else " ".join(text.split())
    if lines and text.replace("\n", "").isprintable():
        return text
    find = _patterns()
    text = find.line_ends.sub("\n", find.sequences.sub("", text))
    text = find.unsafe.sub(_picture, find.invisible.sub("", text))
    return text.expandtabs(_TAB) if lines else find.spaces.sub(" ", text).strip()


def _picture(match: re.Match[str]) -> str:
    return _patterns().pictures.get(match[0], "\ufffd")


def console(environ: Mapping[str, str], stream: TextIO | None = None) -> Console:
    """Return a rich console on stdout or the stream, which is a terminal: no markup, no guessing."""
    from rich.console import Console

    is_plain = "NO_COLOR" in environ or environ.get("TERM") == "dumb"
    columns = environ.get("COLUMNS", "")
    has_width = columns.isascii() and columns.isdigit() and int(columns) > 0
    return Console(
        file=stream or sys.stdout,
        width=int(columns) if has_width else None,
        color_system=None if is_plain else "auto",
        no_color=is_plain,
        force_terminal=True,
        markup=False,
        highlight=False,
        emoji=False,
    )


def print_line(text: str = "") -> None:
    """Print one line of data on stdout; the text is cleaned."""
    print(clean(text, lines=True))


def print_json(kind: str, version: int, result: object) -> None:
    """Print a result as JSON, after its kind and version. Its text is safe on a terminal, and lossless."""
    import json

    payload = {"kind": kind, "version": version, **to_json(result)}
    text = json.dumps(payload, ensure_ascii=False, indent=2)
    print(re.sub(_UNSAFE_IN_JSON, _escape, text) if _is_unicode(sys.stdout) else _ascii(text))


def to_json(value: Any, zone: str = "") -> Any:
    """Return a value as JSON has it: a Struct as its fields, in order.

    A field whose JSON name begins with _ is for the text only. If the result has a zone, each field `<name>_us` is an
    instant, and is followed by `<name>`, the same in RFC 3339.
    """
    if isinstance(value, str | int | float | None):
        return value
    if isinstance(value, Mapping):
        return {str(key): to_json(found, zone) for key, found in value.items()}
    if not hasattr(value, "__struct_fields__"):
        return [to_json(found, zone) for found in value]
    zone = getattr(value, "zone", zone)
    row: dict[str, Any] = {}
    for name, key in zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True):
        if key[0] != "_":
            row[key] = found = to_json(getattr(value, name), zone)
            if zone and key.endswith("_us"):
                row[key[:-3]] = None if found is None else Clock(zone).iso(found)
    return row


def json_line(text: str) -> str:
    """Return a line of JSON as it may be shown on a terminal: another spelling of the very same values."""
    return re.sub(_UNSAFE_IN_JSON, _escape, text)


def _is_unicode(stream: TextIO | None) -> bool:
    return stream is None or (stream.encoding or "utf-8").lower().startswith("utf")


def _ascii(text: str) -> str:
    return re.sub(r"[^\x00-\x7e]", _escape, text)


def _escape(match: re.Match[str]) -> str:
    """Return the character as JSON's \\u escapes, two of them beyond the basic plane."""
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


ERROR, WARNING, NOTICE = 3, 4, 5
"""Priorities of syslog(3)."""


def note(text: str, priority: int | None = None) -> None:
    """Say something to the person on stderr: never data. The journal is told its priority (sd-daemon(3))."""
    is_marked = priority is not None and getattr(sys.stderr, "is_journal", False)
    print(f"<{priority}>{clean(text)}" if is_marked else clean(text), file=sys.stderr)


class Page:
    """Prints paragraphs: wrapped and coloured on a terminal, else one line each, straight to the stream.

    What is piped is not wrapped, so that a search finds its phrases, and rich is not loaded for it.
    """

    def __init__(self, environ: Mapping[str, str], stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._console = console(environ, stream) if self._stream.isatty() else None
        self.has_colour = self._console is not None and self._console.color_system is not None
        self.is_ascii = not _is_unicode(self._stream)

    @property
    def prose_width(self) -> int:
        """How wide running text may be."""
        return _PIPED_WIDTH if self._console is None else min(self._console.width, _WIDEST)

    def line(
        self,
        *parts: str | Part,
        first: str = "",
        rest: str | None = None,
        lead: str = "dim",
    ) -> None:
        """Print one paragraph of parts, which are cleaned.

        `first` and `rest` (spaces, if not given) stand at the left of its lines, in the style `lead`.
        """
        self.text(cleaned(*parts), first=first, rest=rest, lead=lead)

    def text(
        self,
        line: Line,
        *,
        first: str = "",
        rest: str | None = None,
        lead: str = "dim",
        right: str | None = None,
        url: str = "",
        end: str = "\n",
    ) -> None:
        """Print one paragraph that is clean already. `right`, if given, has a column of its own at the right edge.

        In a terminal with colours, it is a link to the `url`, if that is a plain one.
        """
        rest = " " * len(first) if rest is None else rest
        if self._console is None:
            self._write(line, first, rest, right, end)
            return
        from rich.text import Text

        beside = 0 if right is None else max(RIGHT_WIDTH, len(right)) + 1
        text = Text.assemble(*line)
        rows = self._folded(text, len(first) + beside)
        if len(rows) > 1 and len(rest) > len(first) + beside:
            told = len(rows[0].plain)
            after = text[told + len(text.plain[told:]) - len(text.plain[told:].lstrip()) :]
            rows[1:] = self._folded(after, len(rest))
        for index, row in enumerate(rows):
            shown = Text.assemble((rest if index else first, lead), row)
            shown.rstrip()
            if right and index == 0:
                shown.append(" " * (self.prose_width - shown.cell_len - len(right)))
                shown.append(right, f"dim link {url}" if _PLAIN_URL.fullmatch(url) else "dim")
            self._console.print(shown, soft_wrap=True, end=end if row is rows[-1] else "\n")

    def _folded(self, text: Text, beside: int) -> list[Text]:
        assert self._console is not None
        room = max(_NARROWEST, self.prose_width - beside)
        return list(text.wrap(self._console, room)) or [text]

    def _write(self, line: Line, first: str, rest: str, right: str | None, end: str) -> None:
        rows = "".join(text for text, _ in line).split("\n")
        if right:
            gap = self.prose_width - len(first) - _cells(rows[0]) - len(right)
            rows[0] += " " * max(2, gap) + right
        shown = [(rest if index else first) + row for index, row in enumerate(rows)]
        self._stream.write("\n".join(row.rstrip() for row in shown) + end)

    def row(self, line: Line, lead: str = "", *, cut: bool = False) -> None:
        """Print one line that is clean already, as wide as it is; with `cut`, not wider than the terminal."""
        if self._console is None:
            self._write(line, lead, "", None, "\n")
            return
        from rich.text import Text

        shown = Text.assemble((lead, "dim"), *line)
        shown.rstrip()
        if cut:
            shown.truncate(self._console.width, overflow="ellipsis")
        self._console.print(shown, soft_wrap=True)

    def blank(self) -> None:
        """Print an empty line."""
        self._stream.write("\n")

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print rows of cells; on a terminal all but the first column are folded to its width.

        On a narrow one each row is a paragraph.
        """
        rows = [[clean(cell) for cell in row] for row in rows]
        if self._console is None:
            widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
            for row in (heads, *rows):
                cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
                self._stream.write("  ".join(cells).rstrip() + "\n")
            return
        if self._console.width < LEAST_TABLE:
            for name, *others in rows:
                self.line((name, "bold"), rest=" " * 2)
                told = zip(heads[1:], others, strict=True)
                self.line(", ".join(f"{head} {cell}" for head, cell in told), first=" " * 2)
            return
        from rich.table import Table

        table = Table(*heads, box=None, pad_edge=False, header_style="bold")
        table.columns[0].no_wrap = True
        for column in table.columns[1:]:
            column.overflow = "fold"
        for row in rows:
            table.add_row(*row)
        self._console.print(table)


def _cells(text: str) -> int:
    """Return how many columns a text takes."""
    odd = [one for one in text if one >= "\u0300"]  # what is before takes one column each
    wide = sum(east_asian_width(one) in "WF" for one in odd)
    return len(text) + wide - sum(combining(one) > 0 for one in odd)


@contextmanager
def progress(environ: Mapping[str, str], words: str) -> Iterator[Callable[[str], None]]:
    """Show on stderr, if it is a terminal, that something goes on; what is yielded shows how far it is."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with console(environ, sys.stderr).status(f"{words} …") as status:
        yield lambda done: status.update(f"{words} … {done}")


def cleaned(*parts: str | Part) -> Line:
    """Return the parts as a line, with the spaces around each, which clean() removes."""
    return [
        (_kept(part), "") if isinstance(part, str) else (_kept(part[0]), part[1]) for part in parts
    ]


def _kept(text: str) -> str:
    inner = clean(text)
    if not inner:
        return " " * len(text) if text.strip(" ") == "" else ""
    before, after = len(text) - len(text.lstrip(" ")), len(text) - len(text.rstrip(" "))
    return " " * before + inner + " " * after


def number(count: int, what: str, several: str = "") -> str:
    """Return such as `1 event` and `1,204 events`."""
    return f"{count:,} {what if count == 1 else several or f'{what}s'}"


CITED_STYLE = "black on yellow"
_MARKS = ("▶", "◀")
_MARKS_ASCII = (">>", "<<")
_LINES, _CHARACTERS = 8, 600
_LINES_BESIDE, _CHARACTERS_BESIDE = 4, 300
_WORD = 40
"""How far a cut may move to fall between words."""


def plain_passage(text: str, *, is_full: bool = False) -> Line:
    """Return the text of an event, or its beginning unless `is_full`."""
    end = len(text) if is_full else head_end(text, _LINES, _CHARACTERS)
    shown = clean(text[:end], lines=True).rstrip()
    if not shown.strip():
        return [("(no text)", "dim italic")]
    left_out = _left_out(len(text) - end)
    return [(shown, ""), (("\n" if "\n" in text[:end] else " ") * bool(left_out) + left_out, "dim")]


def cited_passage(page: Page, text: str, span: tuple[int, int], *, is_full: bool = False) -> Line:
    """Return the text of an event with the words in the span marked, and some lines around them."""
    start, end = span
    if not text[start:end].strip():
        return plain_passage(text, is_full=is_full)
    low = 0 if is_full else tail_start(text[:start], _LINES_BESIDE, _CHARACTERS_BESIDE)
    high = len(text) if is_full else end + head_end(text[end:], _LINES_BESIDE, _CHARACTERS_BESIDE)
    opening, closing = ("", "") if page.has_colour else _MARKS_ASCII if page.is_ascii else _MARKS
    gap = "\n" if "\n" in text[low:high] else " "
    before, after = _left_out(low), _left_out(len(text) - high)
    return [
        (before + gap * bool(before), "dim"),
        (clean(text[low:start], lines=True).lstrip("\n"), ""),
        (f"{opening}{clean(text[start:end], lines=True)}{closing}", CITED_STYLE),
        (clean(text[end:high], lines=True).rstrip(), ""),
        (gap * bool(after) + after, "dim"),
    ]


def _left_out(count: int) -> str:
    return f"[… {count:,} more characters]" if count else ""


def head_end(text: str, lines: int, characters: int) -> int:
    """Return the end of the first lines and characters, between words if possible."""
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
    """Return the start of the last lines and characters."""
    return len(text) - head_end(text[::-1], lines, characters)


def ask(environ: Mapping[str, str], question: str, *, default: bool) -> bool:
    """Return the person's answer to a yes/no question on stderr; no at the end of the input."""
    choice = "[Y/n]" if default else "[y/N]"
    words, page = f"{question} {choice}", Page(environ, sys.stderr)
    for _ in range(_MOST_ANSWERS):
        line = ""
        try:
            page.text(cleaned(words), end=" ")
            sys.stderr.flush()
            line = sys.stdin.readline()
        finally:
            if not line:  # so that what comes next begins on a line of its own
                print(file=sys.stderr)
        answer = line.strip().lower()
        if answer in ("", "y", "yes", "n", "no"):
            return answer.startswith("y") or (default and line != "" and not answer)
        words = f"Please answer y or n. {choice}"
    return False
