"""All that reaches the terminal passes here. Text from a store or a file is shown, never obeyed."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from posixpath import basename
from typing import TYPE_CHECKING, TextIO
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


_PIPED_WIDTH = 80
_TAB = 4

# What a terminal takes as one command (ECMA-48), in its 7-bit and 8-bit forms. A string without its end
# loses only its introducer, so that nothing after it is hidden.
_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # control sequences: colours, cursor, erasing
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]{0,4096}(?:\x07|\x1b\\|\x9c)"  # strings: titles, links
    r"|\x1b[ -/]+[0-~]"  # character sets
    r"|\x1b[0-~]"  # the rest of two characters, and introducers of strings that do not end
)
_LINE_ENDS = re.compile("\r\n|[\r\n\v\f\x85\u2028\u2029]")
_SPACES = re.compile(r"[ \t\n]+")
_BLANK = "\u00ad\u200b\u2060-\u2064\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
_INVISIBLE = re.compile(f"[{_BLANK}]")
_REORDERING = "\u202a-\u202e\u2066-\u2069"
_UNSAFE = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_REORDERING}\ud800-\udfff]")
_PICTURES = {
    **{
        chr(code): chr(0x2400 + code) for code in range(0x20)
    },  # Unicode's signs for control characters
    "\x7f": "\u2421",
    **{chr(code): f"<U+{code:04X}>" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))},
}
_UNSAFE_IN_JSON = re.compile(f"[\x7f-\x9f\u2028\u2029{_REORDERING}{_BLANK}\ud800-\udfff]")


def clean(text: str, *, lines: bool = False) -> str:
    """Return the text as it may be shown: on one line, or with its line breaks kept."""
    text = _LINE_ENDS.sub("\n", _SEQUENCES.sub("", text))
    text = _UNSAFE.sub(_picture, _INVISIBLE.sub("", text))
    return text.expandtabs(_TAB) if lines else _SPACES.sub(" ", text).strip()


def _picture(match: re.Match[str]) -> str:
    return _PICTURES.get(match[0], "\ufffd")


def console(environ: Mapping[str, str], stream: TextIO | None = None) -> Console:
    """Return a rich console on stdout or the stream: no markup, no guessing; plain and 80 columns wide when piped."""
    from rich.console import Console

    stream = stream or sys.stdout
    is_terminal = stream.isatty()
    is_plain = not is_terminal or "NO_COLOR" in environ or environ.get("TERM") == "dumb"
    return Console(
        file=stream,
        width=_width(environ, is_terminal=is_terminal),
        color_system=None if is_plain else "auto",
        no_color=is_plain,
        force_terminal=is_terminal,
        markup=False,
        highlight=False,
        emoji=False,
    )


def _width(environ: Mapping[str, str], *, is_terminal: bool) -> int | None:
    columns = environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and int(columns) > 0:
        return int(columns)
    return None if is_terminal else _PIPED_WIDTH


def print_line(text: str = "") -> None:
    """Print one line of data on stdout; the text is cleaned."""
    print(clean(text, lines=True))


def print_json(kind: str, version: int, payload: Mapping[str, object]) -> None:
    """Print one JSON object that begins with its kind and version. Its text is safe on a terminal, and lossless."""
    import json

    text = json.dumps({"kind": kind, "version": version, **payload}, ensure_ascii=False, indent=2)
    print(_UNSAFE_IN_JSON.sub(_escape, text) if _is_unicode(sys.stdout) else _ascii(text))


def json_line(text: str) -> str:
    """Return a line of JSON as it may be shown on a terminal: another spelling of the very same values."""
    return _UNSAFE_IN_JSON.sub(_escape, text)


def _is_unicode(stream: TextIO | None) -> bool:
    return stream is None or (stream.encoding or "").lower().startswith("utf")


def _ascii(text: str) -> str:
    return re.sub(r"[^\x00-\x7e]", _escape, text)


def _escape(match: re.Match[str]) -> str:
    """Return the character as JSON's \\u escapes, two of them beyond the basic plane."""
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def note(text: str) -> None:
    """Say something to the person on stderr: never data."""
    print(clean(text), file=sys.stderr)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NARROWEST, _WIDEST = 20, 120
"""Prose is not spread over more columns than one can read."""


@dataclass(frozen=True)  # without slots: what is computed on first use is kept
class Clock:
    """Instants as the store's own clock shows them."""

    zone: str

    def date(self, instant_us: int) -> str:
        """Return such as `2026-11-22`."""
        return f"{self._local(instant_us):%Y-%m-%d}"

    def minute(self, instant_us: int) -> str:
        """Return such as `14:30`."""
        return f"{self._local(instant_us):%H:%M}"

    def second(self, instant_us: int) -> str:
        """Return such as `14:30:05`."""
        return f"{self._local(instant_us):%H:%M:%S}"

    def day(self, instant_us: int) -> str:
        """Return such as `Sun 22 Nov 2026`."""
        local = self._local(instant_us)
        return f"{local:%a} {local.day} {local:%b %Y}"

    def moment(self, instant_us: int) -> str:
        """Return such as `Sun 22 Nov 2026 14:30`."""
        return f"{self.day(instant_us)} {self.minute(instant_us)}"

    def span(self, start_us: int, end_us: int) -> str:
        """Return the minutes of start and end, with the date of the end where it is another day's."""
        start, end = self.minute(start_us), self.minute(end_us)
        if self.date(start_us) != self.date(end_us):
            return f"{start} to {self.moment(end_us)}"
        return start if start == end else f"{start}–{end}"

    def iso(self, instant_us: int) -> str:
        """Return RFC 3339 with the offset of the zone, for JSON."""
        return self._local(instant_us).isoformat(timespec="microseconds")

    def both(self, name: str, instant_us: int) -> dict[str, object]:
        """Return the instant as JSON has it: `<name>_us` and, for people, `<name>`."""
        return {f"{name}_us": instant_us, name: self.iso(instant_us)}

    def _local(self, instant_us: int) -> datetime:
        return (_EPOCH + timedelta(microseconds=instant_us)).astimezone(self._zone)

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)


class Page:
    """Lines for the terminal. Text from the store is cleaned here, wrapped by cells, and never read as markup."""

    def __init__(self, environ: Mapping[str, str], stream: TextIO | None = None) -> None:
        self._console: Console = console(environ, stream)
        self.width = self._console.width
        self.has_colour = self._console.color_system is not None
        self.is_ascii = self._console.options.ascii_only

    def line(
        self,
        *parts: str | tuple[str, str],
        first: str = "",
        rest: str | None = None,
        lead: str = "dim",
    ) -> None:
        """Print one paragraph of (text, style) parts, wrapped.

        `first` and `rest` (spaces, if not given) stand at the left of its lines, in the style `lead`.
        """
        self.text(assembled(*parts), first=first, rest=rest, lead=lead)

    def text(
        self, text: Text, *, first: str = "", rest: str | None = None, lead: str = "dim"
    ) -> None:
        """Print one paragraph of text that is styled already."""
        rest = " " * len(first) if rest is None else rest
        for index, row in enumerate(self.wrapped(text, self.prose_width - len(first))):
            self.row(row, rest if index else first, lead)

    def row(self, row: Text, lead: str = "", style: str = "dim") -> None:
        """Print one line, as wide as it is."""
        from rich.text import Text

        shown = Text().append(lead, style).append_text(row)
        shown.rstrip()
        self._console.print(shown, soft_wrap=True)

    def wrapped(self, text: Text, width: int) -> list[Text]:
        """Return the lines that a text takes at this width, measured in cells."""
        return list(text.wrap(self._console, max(_NARROWEST, width))) or [text]

    @property
    def prose_width(self) -> int:
        """How wide running text may be."""
        return min(self.width, _WIDEST)

    def blank(self) -> None:
        """Print an empty line."""
        self._console.print()


def assembled(*parts: str | tuple[str, str] | Text) -> Text:
    """Return the parts as one text; plain strings are cleaned, styled text was already."""
    from rich.text import Text

    text = Text()
    for part in parts:
        if isinstance(part, Text):
            text.append_text(part)
        elif isinstance(part, str):
            text.append(_kept(part))
        else:
            text.append(_kept(part[0]), part[1])
    return text


def _kept(text: str) -> str:
    """Return the text cleaned, with the spaces around it, which clean() takes for noise."""
    inner = clean(text)
    if not inner:
        return " " * len(text) if text.strip(" ") == "" else ""
    before, after = len(text) - len(text.lstrip(" ")), len(text) - len(text.rstrip(" "))
    return " " * before + inner + " " * after


def number(count: int, what: str, several: str = "") -> str:
    """Return such as `1 event` and `1,204 events`."""
    return f"{count:,} {what if count == 1 else several or f'{what}s'}"


def last_part(project: str) -> str:
    """Return how a project is called among people: the last part of its path."""
    return basename(project.rstrip("/")) or project or "(no project)"


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
