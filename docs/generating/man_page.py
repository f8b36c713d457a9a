"""man/memtool.1: the whole program on one page, in the plain man(7) macros that groff and mandoc both know."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from textwrap import wrap

from docs.generating.tree import Argument, Command, Option, program
from docs.generating.words import TAGLINE, config_places, key_place, remarks, store_place, variables
from memtool import __version__
from memtool.errors import EXIT_CODES
from memtool.model.levels import PERIOD_FORMS

EXAMPLES = (
    (
        "Take in what Claude Code has kept, summarise it, and look:",
        ("memtool ingest", "memtool rollup all", "memtool toc"),
    ),
    (
        "What was done last month, then on one day, then the words that prove a claim:",
        ("memtool toc last-month", "memtool show day:2026-11-22", "memtool grip 1f0c2a77"),
    ),
    (
        "How the jobs went; keep them from running for two days; run one now:",
        (
            "memtool scheduler status",
            'memtool scheduler pause --all --for 2d --reason "on battery"',
            "memtool scheduler run day-rollup",
        ),
    ),
)
_DESCRIPTION = f"""\
memtool keeps what was said between you and your coding agents, and rolls it up into a table of contents: session
segments, days, weeks, months, years. Every line of a summary leads to the very words that prove it.

It is a set of short commands, each of which does one job and ends. There is no daemon: the timers of systemd(1),
cron(8), or you run them. Everything stays in one directory that only you can read.

Where a command takes a period, that is one of: {PERIOD_FORMS}.
"""
_SEE_ALSO = ("systemctl(1)", "journalctl(1)", "systemd.timer(5)", "systemd.time(7)", "crontab(5)")
_SPECIAL = {
    "\\": r"\(rs",
    "-": r"\-",
    "'": r"\(aq",
    '"': r"\(dq",
    "`": r"\(ga",
    "^": r"\(ha",
    "~": r"\(ti",
}
_CODE = re.compile(r"`([^`]+)`")
_WIDTH = 76


def man_page() -> str:
    """Return the whole page."""
    whole = program()
    # No date: that of the build would differ from run to run, and one typed here would soon be wrong.
    lines = [r".\" Written by docs/generate from the code; edit that."]
    lines += [f'.TH MEMTOOL 1 "" "memtool {__version__}" "User Commands"', ".nh", ".SH NAME"]
    lines += [rf"memtool \- {escaped(TAGLINE)}", ".SH SYNOPSIS"]
    lines += [*_form("memtool", [*whole.forms, "COMMAND", "..."]), ".SH DESCRIPTION"]
    for index, part in enumerate(_DESCRIPTION.split("\n\n")):
        lines += [*([".PP"] if index else []), *text(part)]
    lines += [".SH OPTIONS", *_takes(whole)]
    lines += [*_item(bold("-h") + ", " + bold("--help"), "Show the help, of any command.")]
    lines += [".SH COMMANDS"]
    for command in whole.children:
        lines += _command(command)
    lines += [".SH FILES", *_pairs(_files()), ".SH ENVIRONMENT", *_pairs(variables())]
    exits = ((str(row.code), f"{row.meaning} (`{row.name}`)") for row in EXIT_CODES)
    lines += [".SH EXIT STATUS", *_pairs(exits), ".SH EXAMPLES", *_examples()]
    lines += [".SH SEE ALSO", *_references()]
    return "\n".join(lines) + "\n"


def escaped(words: str) -> str:
    """Return text that roff prints as it is, wherever in a line it stands."""
    plain = "".join(_SPECIAL.get(character, character) for character in words)
    return "".join(one if one.isascii() else rf"\[u{ord(one):04X}]" for one in plain)


def bold(words: str) -> str:
    """Return words to be typed as they are."""
    return rf"\fB{escaped(words)}\fR"


def italic(words: str) -> str:
    """Return words that stand for others."""
    return rf"\fI{escaped(words)}\fR"


def text(sentence: str) -> list[str]:
    """Return a paragraph's lines, with its `code` in bold."""
    parts = _CODE.split(sentence)
    marked = "".join(bold(part) if index % 2 else escaped(part) for index, part in enumerate(parts))
    return _lines(marked)


def _lines(marked: str) -> list[str]:
    """Return the lines of what is escaped already; none begins with a control character."""
    cut = wrap(marked, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return [rf"\&{line}" if line[0] in ".'" else line for line in cut]


def _form(name: str, forms: Iterable[str]) -> list[str]:
    """Return a synopsis: what is typed in bold, what stands for something in italics."""
    words = [re.sub(r"--?[a-z-]+|[A-Z]{1,}|[a-z|]+", _styled, form) for form in forms]
    return [".HP", *_lines(" ".join([bold(name), *words]))]


def _styled(match: re.Match[str]) -> str:
    word = match[0]
    return italic(word) if word.isupper() else bold(word)


def _item(head: str, sentence: str) -> list[str]:
    return [".TP", head, *text(sentence)]


def _pairs(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, words in pairs:
        yield from _item(bold(name), words)


def _takes(command: Command) -> Iterator[str]:
    for one in command.parameters:
        yield from _item(_head(one), remarks(one))


def _head(one: Argument | Option) -> str:
    if isinstance(one, Argument):
        return italic(one.value)
    value = f" {italic(one.value)}" if one.value else ""
    return ", ".join(bold(name) + value for name in (*one.names, *one.opposites))


def _command(command: Command) -> Iterator[str]:
    if command.children and not command.is_uniform:
        if command.is_run:
            yield from _one(command, command.name, command.forms)
        for child in command.children:
            yield from _command(child)
    elif command.is_uniform:
        words = "|".join(child.path[-1] for child in command.children)
        first = command.children[0]
        yield from _one(command, f"{command.name} {words}", first.forms)
        yield from _takes(first)
    else:
        yield from _one(command, command.name, command.forms)


def _one(command: Command, name: str, forms: Iterable[str]) -> Iterator[str]:
    yield f".SS {escaped(name)}"
    yield from _form(name, forms)
    for part in command.help:
        yield from (".PP", *text(part))
    yield from _takes(command)


def _files() -> Iterator[tuple[str, str]]:
    for path, words in config_places():
        yield path, f"Settings: {words}."
    yield key_place(), "The key of a model, to be read by you alone."
    yield store_place(), "The memory of one person; a service's is in `$STATE_DIRECTORY`."
    yield "/var/lib/memtool", "The memory that the system's timers keep."


def _examples() -> Iterator[str]:
    for index, (words, lines) in enumerate(EXAMPLES):
        yield from ([".PP"] if index else [])
        yield from (*text(words), ".PP", ".RS 4", ".EX", *map(escaped, lines), ".EE", ".RE")


def _references() -> Iterator[str]:
    for index, name in enumerate(_SEE_ALSO, start=1):
        page, _, section = name.rstrip(")").partition("(")
        comma = " ," if index < len(_SEE_ALSO) else ""
        yield f".BR {escaped(page)} ({section}){comma.replace(' ', '')}"
