"""Summarizers: what they are, what they are given, and the table of them. Knows no store, no jobs and no terminal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Literal, Protocol, cast

from msgspec import Struct

from memtool.errors import ConfigError
from memtool.model.records import Recipe
from memtool.model.summary import Draft, Request
from memtool.summarize.check import SummaryFailed, check_draft

__all__ = [
    "SUMMARIZERS",
    "Ask",
    "CallRefused",
    "Calls",
    "Local",
    "Options",
    "Remote",
    "Reply",
    "Row",
    "Summarizer",
    "SummaryFailed",
    "check_draft",
    "make",
    "problem",
    "row",
]


class Reply(Struct, frozen=True):
    """What an endpoint answered, and the tokens that it counted (0 where it counts none)."""

    text: str
    input_tokens: int = 0
    output_tokens: int = 0


class CallRefused(Exception):  # noqa: N818 - not an error: the rest waits for the next run
    """A budget does not hold the next call; the message says which. No summarizer may catch it."""


Ask = Callable[[], Awaitable[Reply]]
Calls = Callable[[int, Ask], Awaitable[Reply]]
"""Makes and records one call, and returns its reply. The one way to make a call that costs something.

The number is the tokens that it may take, input and answer together. Raises CallRefused where the budget does not hold
them, before anything is asked; else what `Ask` raises.
"""


class Local(Protocol):
    """A summarizer that calls nothing outside. The same recipe and request give the same draft."""

    @property
    def recipe(self) -> Recipe:
        """What signs its nodes."""
        ...

    @property
    def waits(self) -> Literal[False]: ...

    def summarize(self, request: Request) -> Draft:
        """Return a draft that `check_draft` accepts. Raise SummaryFailed where this request cannot be summarized."""
        ...


class Remote(Protocol):
    """A summarizer that calls a network or a program: no lock may be held meanwhile."""

    @property
    def recipe(self) -> Recipe:
        """What signs its nodes."""
        ...

    @property
    def waits(self) -> Literal[True]: ...

    async def summarize(self, request: Request, calls: Calls) -> Draft:
        """Return a draft that `check_draft` accepts. It makes one call at a time, each through `calls`.

        Raise SummaryFailed when this request cannot be summarized (the next one may), UnavailableError
        when none can be for now, and ConfigError when a key, model or setting must be corrected first.
        """
        ...


Summarizer = Local | Remote


class Options(Struct, frozen=True):
    """What a summarizer is made with: the `[summarizer]` settings, the key, and where programs run."""

    max_bullets: int = 5
    model: str = ""
    endpoint: str = ""
    """The base URL; empty: the provider's own."""
    command: str = ""
    """The program of `command` and its arguments, in the shell's quoting; no shell runs it."""
    window_tokens: int = 32_000
    """How much the model reads at once, prompt and answer together."""
    answer_tokens: int = 2_000
    timeout_s: float = 120
    """How long one try of a call may take."""
    key: str = ""
    """The key for the endpoint; empty where none was found."""
    directory: Path | None = None
    """A directory of memtool's own in which `command` runs."""
    environ: Mapping[str, str] = {}
    """What `command` gets as its environment."""


Factory = Callable[[Options], Summarizer]
Needs = Callable[[Options], ConfigError | None]


class Row(Struct, frozen=True):
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
        "memtool.summarize.extractive:make",
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
        needs="memtool.summarize.models.sdk:openai_problem",
    ),
    Row(
        "anthropic",
        "memtool.summarize.models.anthropic_endpoint:make",
        waits=True,
        needs_network=True,
        about="asks Anthropic",
        key_variable="ANTHROPIC_API_KEY",
        needs="memtool.summarize.models.sdk:anthropic_problem",
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
