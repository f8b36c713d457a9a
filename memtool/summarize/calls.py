"""Calls that cost something: what a summarizer asks leave for, and what it tells of them. The jobs keep the account."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Reply:
    """What an endpoint answered, and the tokens that it counted (0 where it counts none)."""

    text: str
    input_tokens: int = 0
    output_tokens: int = 0


class CallRefused(Exception):  # noqa: N818 - no error: the rest waits for the next run
    """A budget does not hold the next call; the message says which. No summarizer may catch it."""


Ask = Callable[[], Awaitable[Reply]]


class Calls(Protocol):
    """The one way to make a call that costs something: bounded, within the budget, and recorded."""

    async def make(self, estimate: int, ask: Ask) -> Reply:
        """Wait for a free place, make the call, record it with its tokens, and return the reply.

        `estimate` is the tokens that it may take, of input and answer together. Raise CallRefused where the budget
        does not hold them, before anything is asked; else what `ask` raises, after recording that.
        """
        ...


@dataclass(frozen=True, slots=True)
class Budget:
    """None is no bound. Free calls (of a summarizer that asks nobody) count against `calls_per_run` alone."""

    calls_per_run: int | None = None
    tokens_per_run: int | None = None
    calls_per_day: int | None = None
    tokens_per_day: int | None = None
