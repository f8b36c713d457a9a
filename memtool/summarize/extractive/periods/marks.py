"""How a period's bullet is built and read again one level up: "project: request (on 3 days) → result · …". Pure.

Only period nodes use these signs. `unmarked` takes them out of what people and agents wrote, so that
one level up every sign is ours, and what it says is true.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass

from memtool.summarize.extractive.phrases import ARROW, SEPARATOR
from memtool.summarize.text.plain import plain, shorten

_NAME_LIMIT = 24
_MOST_PARTS = 12
_DIGITS = 5
_TWICE = 2
_PREFIX = re.compile(rf"(?P<name>[^\W_][\w.+@-]{{0,{_NAME_LIMIT - 1}}}…?): (?=\S)")
_LEAD_INS = """
added answer bug chore committed decided decision docs done edited error feat feature fix fixed http https left merged
note notes open question ran read refactor result summary test todo update warning
"""
_NO_NAMES = frozenset(_LEAD_INS.split())
"""What stands before a colon and is no project."""
_RECURS = re.compile(rf" ?\((?:on (?P<days>\d{{1,{_DIGITS}}}) days|\d{{1,{_DIGITS}}} times)\)$")
_MORE = re.compile(rf" ?\(and (?P<more>\d{{1,{_DIGITS}}}) more\)$")
_BRACKETED = re.compile(r"\((on \d+ days|\d+ times|and \d+ more)\)")


@dataclass(frozen=True, slots=True)
class Part:
    """One claim of a bullet: its project, its words without signs, how often it came, what it leaves unnamed."""

    project: str
    text: str
    times: int = 1
    unnamed: int = 0


def unmarked(text: str) -> str:
    """Return what a segment says on one line, without anything that could pass for a sign of a period's bullet."""
    return _BRACKETED.sub(r"\1", plain(text)).replace(SEPARATOR, ", ")


def named_in(text: str) -> str:
    """Return the project that a period's bullet begins with, or ""."""
    return _split_name(text)[0]


def parts_of_bullet(text: str, projects: Container[str], *, of: str) -> list[Part]:
    """Return the claims of a period's bullet in plain text, at least one. Within it only the given projects are names.

    `of` is the project of those claims that name none.
    """
    unnamed = 0
    if more := _MORE.search(text):
        text, unnamed = text[: more.start()], int(more["more"])
    project, text = _split_name(text)
    project = project or of
    found: list[Part] = []
    for each in text.split(SEPARATOR, _MOST_PARTS - 1):
        own, rest = _split_name(each) if found else ("", each)
        own, rest = (own, rest) if own in projects else ("", each)
        words, days = _split_days(rest)
        if words:
            found.append(Part(own or project, words, days))
    if not found:
        return [Part(project, text.strip() or "…", unnamed=unnamed)]
    first = found[0]
    return [Part(first.project, first.text, first.times, unnamed), *found[1:]]


def _split_name(text: str) -> tuple[str, str]:
    match = _PREFIX.match(text)
    if match is None or match["name"].lower() in _NO_NAMES:
        return "", text
    return match["name"], text[match.end() :]


def _split_days(text: str) -> tuple[str, int]:
    """Return the claim without the sign that it came back, and on how many days it did."""
    asked, arrow, result = text.strip().partition(ARROW)
    match = _RECURS.search(asked)
    if match is None:
        return text.strip(), 1
    asked = asked[: match.start()]
    return f"{asked}{arrow}{result}".strip(), int(match["days"] or 1)


def recurrence(times: int, *, of_a_day: bool) -> str:
    """Return the sign that a claim came back, or ""."""
    if times < _TWICE:
        return ""
    return f" ({times} times)" if of_a_day else f" (on {times} days)"


def unnamed_sign(number: int) -> str:
    """Return the sign that more is cited than is named."""
    return f" (and {number} more)" if number else ""


def project_name(path: str) -> str:
    """Return the last part of a project's path that a person named, or ""."""
    parts = [plain(part) for part in path.replace("\\", "/").split("/")]
    named = [part for part in parts if any(map(str.isalpha, part)) and not part.startswith(".")]
    name = "-".join(named[-1].split()) if named else ""
    name = shorten(name, _NAME_LIMIT)
    return name if _PREFIX.match(f"{name}: x") else ""
