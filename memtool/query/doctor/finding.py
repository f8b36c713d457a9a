"""What a check of the doctor says: a verdict, what was found, and what to do. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

Verdict = Literal["ok", "warning", "problem", "skipped"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


@dataclass(frozen=True, slots=True)
class Advice:
    """The answer of one check; `todo` is a command where there is one, and empty where nothing has to be done."""

    verdict: Verdict
    found: str
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer with the name of its check."""

    name: str
    advice: Advice


class CannotCheckError(Exception):
    """There is nothing here that this check could look at; the text says why."""


def ok(found: str) -> Advice:
    """Return that all is well."""
    return Advice("ok", found)


def warning(found: str, todo: str) -> Advice:
    """Return what will do harm one day."""
    return Advice("warning", found, todo)


def problem(found: str, todo: str) -> Advice:
    """Return what does harm now."""
    return Advice("problem", found, todo)


def skipped(why: str, todo: str = "") -> Advice:
    """Return that there was nothing to look at."""
    return Advice("skipped", why, todo)


def is_healthy(findings: Iterable[Finding]) -> bool:
    """Return whether no check found a problem or a warning."""
    return all(finding.advice.verdict in ("ok", "skipped") for finding in findings)


def in_words(count: int, what: str) -> str:
    """Return such as `1 file` and `1,204 files`."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"))


def span(length_s: int) -> str:
    """Return a length of time in its largest whole unit."""
    for size_s, unit in _UNITS:
        if length_s >= size_s:
            return in_words(length_s // size_s, unit)
    return in_words(max(0, length_s), "second")
