"""All that reaches the terminal passes here. Text from a store or a file is shown, never obeyed."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

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
