"""The endpoint that speaks Anthropic's messages, by the official SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from inspect import signature
from types import ModuleType
from typing import TYPE_CHECKING

from memtool.summarize import Options, Reply
from memtool.summarize.models.asking import answered, client_of, nonsense, sdk_named
from memtool.summarize.models.endpoint import Endpoint, Prompt, PromptTooLong
from memtool.summarize.models.failures import Service
from memtool.summarize.models.readiness import anthropic_problem
from memtool.summarize.models.writer import Writer, writer

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from anthropic.types import Message, MessageParam, Usage

NAME = "anthropic"
OWN_URL = "https://api.anthropic.com"


@dataclass(frozen=True, slots=True)
class Messages:
    """An open client."""

    sdk: ModuleType
    client: AsyncAnthropic
    service: Service
    timeout_s: float

    async def ask(self, prompt: Prompt) -> Reply:
        """Return the model's answer. Raise as Endpoint says."""
        answer = await answered(
            self.sdk, self.service, self.timeout_s, lambda: self._create(prompt)
        )
        # The SDK does not check the shape of what a server sends.
        blocks: object = getattr(answer, "content", None)
        is_answer = isinstance(answer, self.sdk.types.Message) and isinstance(blocks, list)
        if not is_answer or not all(hasattr(block, "type") for block in answer.content):
            raise nonsense(self.service)
        return self._reply(answer)

    async def _create(self, prompt: Prompt) -> Message:
        return await self.client.messages.create(
            model=self.service.model,
            max_tokens=prompt.answer_tokens,
            system=prompt.system,
            messages=_messages(prompt),
        )

    def _reply(self, answer: Message) -> Reply:
        """Return the reply. An answer that was refused has no text: the check of answers will not take it."""
        if answer.stop_reason == "model_context_window_exceeded":
            text = (
                f"{NAME} at {self.service.url}: the model's window was full before the answer ended"
            )
            raise PromptTooLong(text, hint="lower summarizer.window_tokens")
        text = "".join(block.text for block in answer.content if block.type == "text")
        usage: Usage | None = answer.usage  # what a compatible server leaves out is None
        if usage is None:
            return Reply(text)
        cached = (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)
        return Reply(text, (usage.input_tokens or 0) + cached, usage.output_tokens or 0)


def _messages(prompt: Prompt) -> list[MessageParam]:
    messages: list[MessageParam] = []
    for at, turn in enumerate(prompt.turns):
        if at % 2:
            messages.append({"role": "assistant", "content": turn})
        else:
            messages.append({"role": "user", "content": turn})
    return messages


def make(options: Options) -> Writer:
    """Return the summarizer. Nothing is imported or opened yet."""
    return writer(NAME, options.model, options, connector(options))


def connector(options: Options) -> Callable[[], AbstractAsyncContextManager[Endpoint]]:
    """Return what opens the endpoint."""
    url = (options.endpoint or OWN_URL).rstrip("/").removesuffix("/v1")  # the SDK adds it
    service = Service(NAME, url, options.model, options.key)

    @asynccontextmanager
    async def connect() -> AsyncIterator[Endpoint]:
        problem = anthropic_problem(options)
        if problem is not None:
            raise problem
        sdk = sdk_named(NAME)
        silent = _silent(sdk)
        client: AsyncAnthropic = client_of(
            sdk.AsyncAnthropic, sdk, service, options.timeout_s, **silent
        )
        async with client:
            yield Messages(sdk, client, service, options.timeout_s)

    return connect


def _silent(sdk: ModuleType) -> dict[str, bool]:
    """Return what keeps the SDK from telling of our calls elsewhere; older releases do not know it."""
    has_telemetry = "open_telemetry" in signature(sdk.AsyncAnthropic).parameters
    return {"open_telemetry": False} if has_telemetry else {}
