"""The endpoint that speaks Anthropic's messages, by the official SDK."""

from __future__ import annotations

from inspect import signature
from types import ModuleType
from typing import Any

from memtool.summarize import Options, Reply
from memtool.summarize.models.prompt import Prompt
from memtool.summarize.models.sdk import SdkEndpoint, Service, connector, messages, nonsense
from memtool.summarize.models.writer import PromptTooLong, Writer, writer

NAME = "anthropic"
OWN_URL = "https://api.anthropic.com"


class Messages(SdkEndpoint):
    """An open client."""

    async def create(self, prompt: Prompt) -> Any:
        """Return the SDK's message."""
        return await self.client.messages.create(
            model=self.service.model,
            max_tokens=prompt.answer_tokens,
            system=prompt.system,
            messages=messages(prompt),
        )

    def reply(self, answer: Any, prompt: Prompt) -> Reply:  # noqa: ARG002
        """Return the reply. An answer that was refused has no text: the check of answers will not take it."""
        blocks = getattr(answer, "content", None)
        is_answer = isinstance(answer, self.sdk.types.Message) and isinstance(blocks, list)
        if not is_answer or not all(hasattr(block, "type") for block in answer.content):
            raise nonsense(self.service)
        if answer.stop_reason == "model_context_window_exceeded":
            text = (
                f"{NAME} at {self.service.url}: the model's window was full before the answer ended"
            )
            raise PromptTooLong(text, hint="lower summarizer.window_tokens")
        text = "".join(block.text for block in answer.content if block.type == "text")
        usage = answer.usage
        if usage is None:  # what a compatible server leaves out is None
            return Reply(text)
        cached = (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)
        return Reply(text, (usage.input_tokens or 0) + cached, usage.output_tokens or 0)


def make(options: Options) -> Writer:
    """Return the summarizer. Nothing is imported or opened yet."""
    url = (options.endpoint or OWN_URL).rstrip("/").removesuffix("/v1")  # the SDK adds it
    service = Service(NAME, url, options.model, options.key)
    connect = connector(service, options, "AsyncAnthropic", Messages, _silent)
    return writer(NAME, options.model, options, connect)


def _silent(sdk: ModuleType) -> dict[str, object]:
    """Return what keeps the SDK from telling of our calls elsewhere; older releases do not know it."""
    has_telemetry = "open_telemetry" in signature(sdk.AsyncAnthropic).parameters
    return {"open_telemetry": False} if has_telemetry else {}
