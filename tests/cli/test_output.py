"""Stored text is shown, never obeyed: no escape, control or reordering character reaches the terminal."""

from __future__ import annotations

import io
import json
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from memtool.cli.output import Page, clean, console, note, print_json, print_line

ESC, BEL, ST, CSI, OSC = "\x1b", "\x07", "\x1b\\", "\x9b", "\x9d"

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
PERSIAN = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"

CASES = {
    "colour": (f"{ESC}[1;31mred{ESC}[0m", "red"),
    "colour, 8-bit": (f"{CSI}31mred{CSI}0m", "red"),
    "cursor up and erase": (f"safe{ESC}[2K{ESC}[1Aevil", "safeevil"),
    "private mode": (f"{ESC}[?1049hx", "x"),
    "title": (f"{ESC}]0;pwned{BEL}x", "x"),
    "title, 8-bit": (f"{OSC}0;pwned\x9cx", "x"),
    "link": (f"{ESC}]8;;https://evil.example{ST}click{ESC}]8;;{ST}", "click"),
    "clipboard": (f"{ESC}]52;c;cm0gLXJm{BEL}x", "x"),
    "device control": (f'{ESC}P$q"p{ST}x', "x"),
    "unended title hides nothing": (f"{ESC}]0;all of this", "0;all of this"),
    "unended control sequence": (f"a{ESC}[12", "a12"),
    "unended 8-bit": (f"a{CSI}", "a\ufffd"),
    "character set": (f"{ESC}(0lqk", "lqk"),
    "reset": (f"{ESC}cx", "x"),
    "lone escape": (f"a{ESC}", "a\u241b"),
    "escape before a letter beyond ASCII": (f"{ESC}é", "\u241bé"),
    "nested": (f"{ESC}{ESC}[31m[31mx", "\u241b[31mx"),
    "carriage return": ("safe command\rrm -rf /", "safe command rm -rf /"),
    "Windows lines": ("a\r\nb", "a b"),
    "backspace": ("abc\b\b\bxyz", "abc\u2408\u2408\u2408xyz"),
    "bell and null": ("a\x07b\x00", "a\u2407b\u2400"),
    "delete": ("a\x7f", "a\u2421"),
    "next line, line and paragraph separators": ("a\x85b\u2028c\u2029d", "a b c d"),
    "other C1": ("a\x8db\x84", "a\ufffdb\ufffd"),
    "bidi override": ("user\u202etxt.exe", "user<U+202E>txt.exe"),
    "bidi isolate": ("\u2066x\u2069", "<U+2066>x<U+2069>"),
    "zero width": ("pass\u200bword\ufeff", "password"),
    "tags": ("hi\U000e0041\U000e0042", "hi"),
    "lone surrogate": ("a\udc80b", "a\ufffdb"),
    "spaces": ("  a \t\n b  ", "a b"),
    "markup is text": ("[red]x[/red] :smile:", "[red]x[/red] :smile:"),
    "emoji family keeps its joiners": (FAMILY, FAMILY),
    "Persian keeps its non-joiner": (PERSIAN, PERSIAN),
}


@pytest.mark.parametrize(("raw", "shown"), CASES.values(), ids=CASES)
def test_text_is_shown_and_not_obeyed(raw: str, shown: str) -> None:
    assert clean(raw) == shown


def test_lines_are_kept_where_wanted() -> None:
    assert clean("a\r\nb\rc\td\n", lines=True) == "a\nb\nc   d\n"
    assert clean("  indented\n\n  more", lines=True) == "  indented\n\n  more"


NASTY = st.text(
    st.sampled_from("\x1b[]P\\;0m8\x07\x9b\x9d\x9c\x90\r\n\t\x85\u2028\u202e\u2066\u200b ab\ud800")
    | st.characters()
)


def is_harmless(text: str, *, allowed: str) -> bool:
    return all(
        one in allowed
        or (
            (one.isprintable() or one > "\x9f")
            and not "\u202a" <= one <= "\u202e"
            and not "\u2066" <= one <= "\u2069"
            and one not in "\u2028\u2029"
            and not "\ud800" <= one <= "\udfff"
        )
        for one in text
    )


@given(NASTY)
@example(f"{ESC}{ESC}]{ESC}[{ESC}")
def test_nothing_that_a_terminal_acts_on_is_left(text: str) -> None:
    assert is_harmless(clean(text), allowed="")
    assert is_harmless(clean(text, lines=True), allowed="\n")


@given(NASTY)
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@given(st.text(st.characters(categories=["L", "N"])))
def test_letters_and_digits_are_never_lost(text: str) -> None:
    assert clean(text) == text


def test_a_long_hostile_text_is_cleaned_quickly() -> None:
    """Each unended string looks at a bounded piece only."""
    assert len(clean(f"{ESC}]" * 50_000)) <= 100_000


class Stream(io.StringIO):
    """A stream that says whether it is a terminal, and what it is encoded in."""

    def __init__(self, *, is_terminal: bool = False, encoding: str = "utf-8") -> None:
        super().__init__()
        self.is_terminal, self.name_of_encoding = is_terminal, encoding

    def isatty(self) -> bool:
        return self.is_terminal

    @property
    def encoding(self) -> str:  # type: ignore[override] # io.StringIO has none
        return self.name_of_encoding


@pytest.mark.parametrize(
    ("is_terminal", "environ", "has_colour"),
    [
        (True, {"TERM": "xterm"}, True),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool, environ: dict[str, str], has_colour: bool
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    stream = Stream(is_terminal=is_terminal)
    console(environ, stream).print("x", style="red")
    assert ("\x1b[" in stream.getvalue()) is has_colour


@pytest.mark.parametrize(("columns", "width"), [("120", 120), ("0", 33), ("wide", 33), ("", 33)])
def test_a_terminal_is_as_wide_as_it_is_unless_told(
    monkeypatch: pytest.MonkeyPatch, columns: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", "33")  # where rich looks
    assert console({"COLUMNS": columns}, Stream(is_terminal=True)).width == width


def test_what_is_piped_is_not_wrapped_and_has_no_colours() -> None:
    stream = Stream()
    page = Page({"COLUMNS": "40", "TERM": "xterm", "FORCE_COLOR": "1"}, stream)
    page.line(("word " * 40 + "[red]:smile:", "bold"), first="* ")
    page.text([("one\ntwo", "")], first="> ", rest=". ")
    page.text([("title", "")], right="1,204")
    page.text([("漢字", "")], right="7")
    assert stream.getvalue().splitlines() == [
        "* " + "word " * 40 + "[red]:smile:",
        "> one",
        ". two",
        "title" + "1,204".rjust(75),
        "漢字" + "7".rjust(76),
    ]


def test_the_console_takes_nothing_for_markup() -> None:
    stream = Stream()
    console({}, stream).print("[bold]x[/bold] :smile: 12")
    assert stream.getvalue() == "[bold]x[/bold] :smile: 12\n"


def test_a_line_and_a_note_are_cleaned(capsys: pytest.CaptureFixture[str]) -> None:
    print_line("a\x1b[31m\nb\x07")
    note("a\nb\x1b]0;x\x07")
    assert capsys.readouterr() == ("a\nb\u2407\n", "a b\n")


def test_json_begins_with_its_kind_and_version_and_keeps_the_order(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_json("thing", 1, {"z": "é", "a": [1, None]})
    written = capsys.readouterr().out
    assert list(json.loads(written)) == ["kind", "version", "z", "a"]
    assert "é" in written


@given(st.text() | NASTY)
def test_json_is_lossless_and_safe_on_a_terminal(text: str) -> None:
    for encoding in ("utf-8", "iso-8859-1"):
        stream = Stream(encoding=encoding)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "stdout", stream)
            print_json("thing", 1, {"text": text})
        written = stream.getvalue()
        assert is_harmless(written, allowed="\n")
        assert json.loads(written)["text"].encode("utf-16", "surrogatepass") == text.encode(
            "utf-16", "surrogatepass"
        )
        assert encoding == "utf-8" or written.isascii()
