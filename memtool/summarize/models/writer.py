"""The summarizer that asks a model: batches of threads, an answer that is checked, and one repair."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from memtool.model.levels import Level
from memtool.model.records import Recipe
from memtool.model.segmenting import BYTES_PER_TOKEN, tokens_of
from memtool.model.summary import Draft, Request
from memtool.model.threads import Thread
from memtool.summarize import Calls, Options, Price, Reply
from memtool.summarize.check import SummaryFailed, check_draft
from memtool.summarize.extractive import Extractive
from memtool.summarize.models.answer import BadAnswer, Text, read_answer, tidy
from memtool.summarize.models.prompt import (
    PROMPT_VERSION,
    SYSTEM,
    Prompt,
    first_turn,
    repair_turn,
)
from memtool.summarize.models.threads import Unwritten, unwritten, written
from memtool.summarize.models.window import Sizes, answer_estimate, batches, sizes_of
from memtool.summarize.text.plain import shorten


class PromptTooLong(SummaryFailed):
    """The prompt is longer than the endpoint takes: with fewer threads it may go through."""


Model = Callable[[Prompt], Awaitable[Reply]]
"""Returns a model's answer.

Raises SummaryFailed where this prompt is refused (the next may not be; PromptTooLong where its length is the reason),
UnavailableError where there is no answer for now (no network, 429 to the end, 5xx, time-outs), and ConfigError when a
key, model or setting must be corrected first.
"""

Connect = Callable[[], AbstractAsyncContextManager[Model]]
"""Opens a connection for one node's calls, and closes it after them. Raises ConfigError where a setting is missing."""

_LONGEST_SAID = 80
_NO_ANSWER = "(no answer)"
"""Stands for an empty answer in a repair: providers refuse empty turns."""


class Writer(Struct, frozen=True):
    """Writes the threads of days by asking an endpoint; all else is made of threads by the rules, without a call.

    Opened for one node at a time; keeps nothing between nodes.
    """

    recipe: Recipe
    sizes: Sizes
    connect: Connect
    waits: Literal[True] = True

    def without_call(self, request: Request) -> Draft | None:
        """Return the draft of a request that has no thread to write."""
        threads, wanted = unwritten(request, self.recipe)
        return None if wanted else self._draft(request, threads)

    def price(self, request: Request) -> Price:
        """Return the calls for what is to be written, and their tokens."""
        _, wanted = unwritten(request, self.recipe)
        found = batches(wanted, self.sizes)
        asked = [tokens_of(SYSTEM) + tokens_of(self._turn(request, batch)) for batch in found]
        answers = [answer_estimate(batch, self.sizes) for batch in found]
        return Price(len(found), sum(asked) + sum(answers))

    async def summarize(self, request: Request, calls: Calls) -> Draft:
        """Return the draft, as Summarizer says."""
        threads, wanted = unwritten(request, self.recipe)
        texts: dict[str, Thread] = {}
        if wanted:
            async with self.connect() as model:
                for batch in batches(wanted, self.sizes):
                    found = await self._texts(request, batch, model, calls)
                    for read, text in zip(batch, found, strict=True):
                        texts[read.thread.id] = written(read, text)
        return self._draft(request, tuple(texts.get(thread.id, thread) for thread in threads))

    def _draft(self, request: Request, threads: tuple[Thread, ...]) -> Draft:
        """Return what the rules make of the threads."""
        draft = Extractive(self.sizes.most).summarize(replace(request, threads=threads))
        if request.level is Level.DAY:
            draft = replace(draft, threads=threads)
        return check_draft(request, draft)

    def _turn(self, request: Request, batch: Sequence[Unwritten]) -> str:
        threads = [(read.heading, read.signals) for read in batch]
        return first_turn(request.scope, threads, self.sizes.most)

    async def _texts(
        self, request: Request, batch: Sequence[Unwritten], model: Model, calls: Calls
    ) -> tuple[Text, ...]:
        """Return what the model writes of each thread; a prompt that is too long is asked in halves."""
        try:
            return await self._ask(request, batch, model, calls)
        except PromptTooLong:
            if len(batch) == 1:
                raise
        middle = len(batch) // 2
        return (
            *await self._texts(request, batch[:middle], model, calls),
            *await self._texts(request, batch[middle:], model, calls),
        )

    async def _ask(
        self, request: Request, batch: Sequence[Unwritten], model: Model, calls: Calls
    ) -> tuple[Text, ...]:
        """Return the answer to one prompt. Raise SummaryFailed where neither it nor a second one can be used."""
        counts = [len(read.signals) for read in batch]
        turns: tuple[str, ...] = (self._turn(request, batch),)
        reply = await self._call(turns, model, calls)
        try:
            return read_answer(reply.text, counts, self.sizes.most)
        except BadAnswer as bad:
            turns = (*turns, self._kept(reply.text), repair_turn(self._problem(bad, reply)))
        reply = await self._call(turns, model, calls)
        try:
            return read_answer(reply.text, counts, self.sizes.most, is_last=True)
        except BadAnswer as bad:
            said = shorten(tidy(reply.text), _LONGEST_SAID)
            problem = self._problem(bad, reply) + (f" ({said})" if said else "")
            raise SummaryFailed(
                f"the model's answer on {request.scope} cannot be used, even when asked again: {problem}",
                hint="another model may do better; memtool tries this one again later",
            ) from bad

    async def _call(self, turns: tuple[str, ...], model: Model, calls: Calls) -> Reply:
        prompt = Prompt(SYSTEM, turns, self.sizes.answer_tokens)
        estimate = tokens_of(SYSTEM) + sum(map(tokens_of, turns)) + prompt.answer_tokens
        return await calls(estimate, lambda: model(prompt))

    def _problem(self, bad: BadAnswer, reply: Reply) -> str:
        if reply.output_tokens < self.sizes.answer_tokens:
            return str(bad)
        return f"{bad}; it was cut off at summarizer.answer_tokens ({reply.output_tokens}), so write less"

    def _kept(self, text: str) -> str:
        """Return as much of a bad answer as a repair has room for."""
        kept = text.encode(errors="ignore")[: self.sizes.kept_tokens * BYTES_PER_TOKEN]
        return kept.decode(errors="ignore").strip() or _NO_ANSWER


def writer(name: str, model: str, options: Options, connect: Connect) -> Writer:
    """Return the summarizer of that name, which asks what `connect` opens. Nothing is opened yet."""
    sizes = sizes_of(options)
    return Writer(Recipe(name, model, PROMPT_VERSION, sizes.words), sizes, connect)
