"""What an endpoint is to the rest: a prompt goes in, a reply comes out, and every failure has one of three names."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from memtool.summarize import Reply
from memtool.summarize.check import SummaryFailed


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked: our instructions, and the turns of the exchange: ours, then by turns its and ours."""

    system: str
    turns: tuple[str, ...]
    answer_tokens: int
    """How long the answer may be."""


class PromptTooLong(SummaryFailed):
    """The prompt is longer than the endpoint takes: in smaller parts it may go through."""


class Endpoint(Protocol):
    """A connection to a model, or a program that is one."""

    async def ask(self, prompt: Prompt) -> Reply:
        """Return the model's answer.

        Raise SummaryFailed where this prompt is refused (the next may not be; PromptTooLong where its length is the
        reason), UnavailableError where nothing can be had for now (no network, 429 to the end, 5xx, time-outs), and
        ConfigError where a key, model or setting must be mended first.
        """
        ...


Connect = Callable[[], AbstractAsyncContextManager[Endpoint]]
"""Opens an endpoint for one node's calls, and closes it after them. Raises ConfigError where a setting is missing."""
