"""An endpoint in this process, for what needs no network: the same model as the server's, and what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from memtool.model.segmenting import tokens_of
from memtool.model.summary import Draft, Request
from memtool.summarize import Calls, Options, Reply
from memtool.summarize.models.prompt import Prompt
from memtool.summarize.models.writer import Model, PromptTooLong, Writer, writer
from tests.llm_server import answer_to
from tests.summarize.unmetered import unmetered

Answering = Callable[[Prompt], str]


def honest(prompt: Prompt) -> str:
    return answer_to(prompt.turns[0])


@dataclass(slots=True)
class InProcess:
    """Answers by a function of the prompt; refuses prompts of more than `window` tokens, where one is given."""

    model: Answering = honest
    window: int = 0
    prompts: list[Prompt] = field(default_factory=list)
    opened: int = 0

    async def ask(self, prompt: Prompt) -> Reply:
        if self.window and size(prompt) > self.window:
            raise PromptTooLong(f"more than {self.window} tokens")
        self.prompts.append(prompt)
        return Reply(self.model(prompt))

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Model]:
        self.opened += 1
        try:
            yield self.ask
        finally:
            self.opened -= 1

    def writer(self, options: Options | None = None) -> Writer:
        return writer("test", "m", options or Options(), self.connect)

    def draft(
        self, request: Request, options: Options | None = None, calls: Calls | None = None
    ) -> Draft:
        """Return what a summarizer makes that asks it."""
        return asyncio.run(self.writer(options).summarize(request, calls or unmetered))


def size(prompt: Prompt) -> int:
    """Return the tokens of a prompt, without its answer."""
    return tokens_of(prompt.system) + sum(map(tokens_of, prompt.turns))
