"""The summarizer that asks a model: splits what is too long, asks, checks, has one bad answer corrected, merges."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Literal

from msgspec import Struct

from memtool.model.records import Recipe
from memtool.model.segmenting import BYTES_PER_TOKEN, tokens_of
from memtool.model.summary import Draft, Request
from memtool.summarize import Calls, Options, Reply
from memtool.summarize.check import SummaryFailed, check_draft
from memtool.summarize.models.answer import Answer, BadAnswer, Claim, draft_of, read_answer, tidy
from memtool.summarize.models.prompt import (
    MERGING,
    PROMPT_VERSION,
    SYSTEM,
    Prompt,
    first_turn,
    repair_turn,
)
from memtool.summarize.models.window import (
    LEAST_TOKENS,
    Sizes,
    merging_request,
    parts_of,
    size_of,
    sizes_of,
)
from memtool.summarize.text.plain import shorten


class PromptTooLong(SummaryFailed):
    """The prompt is longer than the endpoint takes: in smaller parts it may go through."""


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
    """Writes drafts by asking an endpoint. Opened for one node at a time; keeps nothing between nodes."""

    recipe: Recipe
    sizes: Sizes
    connect: Connect
    waits: Literal[True] = True

    async def summarize(self, request: Request, calls: Calls) -> Draft:
        """Return the draft, as Summarizer says; a request without any item fails without a call."""
        if not any(section.items for section in request.sections):
            raise SummaryFailed(f"there is nothing to summarize in {request.scope}")
        async with self.connect() as model:
            answer = await _Node(model, calls, self.sizes, self.sizes.room).condense(request)
        return check_draft(request, draft_of(answer, request))


def writer(name: str, model: str, options: Options, connect: Connect) -> Writer:
    """Return the summarizer of that name, which asks what `connect` opens. Nothing is opened yet."""
    sizes = sizes_of(options)
    return Writer(Recipe(name, model, PROMPT_VERSION, sizes.words), sizes, connect)


class _Node(Struct):
    """The calls of one node. `room` shrinks where the endpoint turns out to take less than its settings say."""

    model: Model
    calls: Calls
    sizes: Sizes
    room: int

    async def condense(self, request: Request) -> Answer:
        """Return the answer to a request of any length: at once, or part by part and then merged."""
        parts = parts_of(request, self.room)
        if len(parts) > 1:
            return await self._merge(request, [await self.condense(part) for part in parts])
        try:
            return await self._ask(parts[0], self.sizes.most)
        except PromptTooLong as reason:
            self._shrink(parts[0], reason)
        return await self.condense(request)

    async def _merge(self, request: Request, answers: Sequence[Answer]) -> Answer:
        """Return one answer for the answers to successive parts, in as many rounds as their length takes."""
        while len(answers) > 1:
            merging, claims = _merging(request, answers)
            parts = parts_of(merging, self.room)
            if len(parts) == len(
                claims
            ):  # else every round leaves fewer claims: a part of k makes k // 2
                raise SummaryFailed(
                    f"the summaries of the parts of {request.scope} do not get shorter"
                )
            only = len(parts) == 1
            try:
                answers = [await self._ask_merge(part, claims, is_last=only) for part in parts]
            except PromptTooLong as reason:
                self._shrink(merging, reason)
        return answers[0]

    async def _ask_merge(self, part: Request, claims: Sequence[Claim], *, is_last: bool) -> Answer:
        """Return the answer with its numbers taken back to the items; of a part at most half as many bullets."""
        count = sum(len(section.items) for section in part.sections)
        if count == 1:
            section = part.sections[0]
            return Answer(section.title, (claims[section.items[0].number - 1],), ())
        most = self.sizes.most if is_last else min(self.sizes.most, count // 2)
        answer = await self._ask(part, most, MERGING)
        return Answer(
            answer.title, tuple(_traced(one, claims) for one in answer.claims), answer.keywords
        )

    def _shrink(self, request: Request, reason: PromptTooLong) -> None:
        """Halve the room, from what was too long. Raise the reason where a part is as small as it can be."""
        size = min(self.room, size_of(request))
        if size <= LEAST_TOKENS:
            raise reason
        self.room = max(size // 2, LEAST_TOKENS)

    async def _ask(self, request: Request, most: int, note: str = "") -> Answer:
        """Return the answer to one prompt. Raise SummaryFailed where neither it nor a second one can be used."""
        numbers = frozenset(item.number for section in request.sections for item in section.items)
        turns: tuple[str, ...] = (first_turn(request, most, note),)
        reply = await self._call(turns)
        try:
            return read_answer(reply.text, numbers, most)
        except BadAnswer as bad:
            turns = (*turns, self._kept(reply.text), repair_turn(self._problem(bad, reply)))
        reply = await self._call(turns)
        try:
            return read_answer(reply.text, numbers, most, is_last=True)
        except BadAnswer as bad:
            said = shorten(tidy(reply.text), _LONGEST_SAID)
            problem = self._problem(bad, reply) + (f" ({said})" if said else "")
            raise SummaryFailed(
                f"the model's answer on {request.scope} cannot be used, even when asked again: {problem}",
                hint="another model may do better; memtool tries this one again later",
            ) from bad

    async def _call(self, turns: tuple[str, ...]) -> Reply:
        prompt = Prompt(SYSTEM, turns, self.sizes.answer_tokens)
        estimate = tokens_of(SYSTEM) + sum(map(tokens_of, turns)) + prompt.answer_tokens
        return await self.calls(estimate, lambda: self.model(prompt))

    def _problem(self, bad: BadAnswer, reply: Reply) -> str:
        if reply.output_tokens < self.sizes.answer_tokens:
            return str(bad)
        return f"{bad}; it was cut off at summarizer.answer_tokens ({reply.output_tokens}), so write less"

    def _kept(self, text: str) -> str:
        """Return as much of a bad answer as a repair has room for."""
        kept = text.encode(errors="ignore")[: self.sizes.kept_tokens * BYTES_PER_TOKEN]
        return kept.decode(errors="ignore").strip() or _NO_ANSWER


def _merging(request: Request, answers: Sequence[Answer]) -> tuple[Request, list[Claim]]:
    """Return the request to merge the answers, and the claims that its numbers stand for, from 1."""
    labels = [f"part {at} of {len(answers)}" for at in range(1, len(answers) + 1)]
    parts = [
        (label, answer.title, tuple(claim.text for claim in answer.claims))
        for label, answer in zip(labels, answers, strict=True)
    ]
    return merging_request(request, parts), [claim for answer in answers for claim in answer.claims]


def _traced(claim: Claim, claims: Sequence[Claim]) -> Claim:
    """Return the claim with the numbers of the items that its bullets cite."""
    numbers = (number for cited in claim.numbers for number in claims[cited - 1].numbers)
    return Claim(claim.text, tuple(dict.fromkeys(numbers)))
