"""Summarizers: the one Protocol, the one table of them. Knows no store, no jobs and no terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Protocol, cast

from memtool.errors import ConfigError
from memtool.model.records import Recipe
from memtool.model.summary import Draft, Request
from memtool.summarize.calls import Ask, CallRefused, Calls, Reply
from memtool.summarize.check import SummaryFailed, check_draft
from memtool.summarize.options import Options

__all__ = [
    "SUMMARIZERS",
    "Ask",
    "CallRefused",
    "Calls",
    "Options",
    "Reply",
    "Row",
    "Summarizer",
    "SummaryFailed",
    "check_draft",
    "make",
    "problem",
    "row",
]


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

    async def summarize(self, request: Request, calls: Calls) -> Draft:
        """Return a draft that `check_draft` accepts. All that costs something is done through `calls`.

        Raise SummaryFailed when this request cannot be summarised (the next one may), UnavailableError
        when none can be for now, and ConfigError when a key, model or setting must be mended first.
        """
        ...


Factory = Callable[[Options], Summarizer]
Needs = Callable[[Options], ConfigError | None]


@dataclass(frozen=True, slots=True)
class Row:
    """One summarizer: its factory as "module:object", imported only when it is used."""

    name: str
    factory: str
    waits: bool
    needs_network: bool
    about: str
    key_variable: str = ""
    """The environment variable in which the provider's own tools look for the key; empty: it needs none."""
    needs: str = ""
    """What says which setting, key or package is missing, as "module:function" of the options; empty: none ever is."""


SUMMARIZERS = (
    Row(
        "extractive",
        "memtool.summarize.extractive.summarizer:make",
        waits=False,
        needs_network=False,
        about="picks what was asked and concluded; offline, free, deterministic",
    ),
    Row(
        "command",
        "memtool.summarize.models.command:make",
        waits=True,
        needs_network=True,
        about="any program that reads a prompt and prints its answer, such as claude -p",
    ),
    Row(
        "openai",
        "memtool.summarize.models.openai_endpoint:make",
        waits=True,
        needs_network=True,
        about="asks OpenAI, or any compatible endpoint: Ollama, vLLM, llama.cpp, OpenRouter",
        key_variable="OPENAI_API_KEY",
        needs="memtool.summarize.models.readiness:openai_problem",
    ),
    Row(
        "anthropic",
        "memtool.summarize.models.anthropic_endpoint:make",
        waits=True,
        needs_network=True,
        about="asks Anthropic",
        key_variable="ANTHROPIC_API_KEY",
        needs="memtool.summarize.models.readiness:anthropic_problem",
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


def make(name: str, options: Options) -> Summarizer:
    """Return the summarizer of that name. Raise ConfigError when there is none.

    Nothing is opened or imported for its calls yet: that, and a missing key, shows at the first one.
    """
    if options.max_bullets < 1:
        raise ConfigError(f"max_bullets is {options.max_bullets}", hint="set it to 1 or more")
    factory = cast("Factory", _loaded(row(name).factory))
    return factory(options)


def problem(name: str, options: Options) -> ConfigError | None:
    """Return what is missing before that summarizer can be used; calls nothing. Raise ConfigError for no such name."""
    needs = row(name).needs
    return cast("Needs", _loaded(needs))(options) if needs else None


def _loaded(place: str) -> object:
    module, _, attribute = place.partition(":")
    loaded: object = getattr(import_module(module), attribute)
    return loaded
