"""Summarizers: the one Protocol, the one table of them. Knows no store, no jobs and no terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Protocol, cast

from memtool.base.errors import ConfigError
from memtool.core.model import Recipe
from memtool.core.summary import Draft, Request
from memtool.summarize.check import SummaryFailed, check_draft

__all__ = ["SUMMARIZERS", "Row", "Summarizer", "SummaryFailed", "check_draft", "make", "row"]


class Summarizer(Protocol):
    """Writes a draft from a request; the same recipe and request should give the same draft."""

    @property
    def recipe(self) -> Recipe:
        """Who signs its nodes."""
        ...

    @property
    def waits(self) -> bool:
        """Whether it calls a network or a program: then no lock may be held meanwhile."""
        ...

    def summarize(self, request: Request) -> Draft:
        """Return a draft that `check_draft` accepts.

        Raise SummaryFailed when this request cannot be summarised (the next one may), UnavailableError
        when none can be for now, and ConfigError when a key, model or setting must be mended first.
        """
        ...


Factory = Callable[..., Summarizer]


@dataclass(frozen=True, slots=True)
class Row:
    """One summarizer: its factory as "module:object", imported only when it is used."""

    name: str
    factory: str
    waits: bool
    needs_network: bool
    about: str


SUMMARIZERS = (
    Row(
        "extractive",
        "memtool.summarize.extractive:make",
        waits=False,
        needs_network=False,
        about="picks what was asked and concluded; offline, free, deterministic",
    ),
    Row(
        "mock",
        "memtool.summarize.mock:make",
        waits=False,
        needs_network=False,
        about="counts and quotes; for tests",
    ),
)


def row(name: str) -> Row:
    """Return the summarizer's row. Raise ConfigError, naming the nearest, when there is none."""
    for candidate in SUMMARIZERS:
        if candidate.name == name:
            return candidate
    names = [candidate.name for candidate in SUMMARIZERS]
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(names)}"
    raise ConfigError(f"there is no summarizer {name!r}", hint=hint)


def make(name: str, *, max_bullets: int) -> Summarizer:
    """Return the summarizer of that name, ready to use. Raise ConfigError when there is none."""
    if max_bullets < 1:
        raise ConfigError(f"max_bullets is {max_bullets}", hint="set it to 1 or more")
    module, _, attribute = row(name).factory.partition(":")
    factory = cast("Factory", getattr(import_module(module), attribute))
    return factory(max_bullets=max_bullets)
