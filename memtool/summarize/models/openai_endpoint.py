"""The endpoint that speaks OpenAI's chat completions, by the official SDK: OpenAI and all compatible ones."""

from __future__ import annotations

import re
from functools import partial
from types import ModuleType
from typing import Any

from msgspec import Struct

from memtool.errors import ConfigError
from memtool.model.segmenting import tokens_of
from memtool.summarize import Options, Reply
from memtool.summarize.models.prompt import Prompt
from memtool.summarize.models.sdk import (
    Refusal,
    SdkEndpoint,
    Service,
    connector,
    failure,
    messages,
    nonsense,
    refusal_of,
)
from memtool.summarize.models.writer import Writer, writer

NAME = "openai"
OWN_URL = "https://api.openai.com/v1"
_REFUSES = re.compile(
    r"support|unknown|unrecogni|unexpected|permitted|allowed|invalid|instead|extra"
)
_BAD_REQUESTS = frozenset({400, 422})
_ESTIMATE_IS_SURE = 1_500
_CUT_TO = 3


class Accepted(Struct):
    """Which of two names for the answer's limit an endpoint takes, and whether it takes a temperature: found out once.

    OpenAI's newer models refuse `max_tokens` and any temperature; most servers of others know `max_tokens` alone, and
    some pass over what they do not know, so that `max_completion_tokens` would leave an answer without a limit.
    """

    limit: str
    has_temperature: bool = True
    is_swapped: bool = False

    def settings(self, answer_tokens: int) -> dict[str, object]:
        """Return what is sent beside the messages."""
        temperature = {"temperature": 0} if self.has_temperature else {}
        return {self.limit: answer_tokens, **temperature}

    def learns(self, refusal: Refusal) -> bool:
        """Return whether the refusal names one of the settings, which is then not sent again."""
        said = refusal.said.lower()
        if refusal.status not in _BAD_REQUESTS or not _REFUSES.search(said):
            return False
        if self.has_temperature and "temperature" in said:
            self.has_temperature = False
            return True
        if not self.is_swapped and self.limit in said:
            self.limit, self.is_swapped = _OTHER[self.limit], True
            return True
        return False


_OTHER = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}


class ChatCompletions(SdkEndpoint):
    """An open client."""

    def __init__(
        self,
        sdk: ModuleType,
        client: Any,
        service: Service,
        timeout_s: float,
        *,
        accepted: Accepted,
    ) -> None:
        super().__init__(sdk, client, service, timeout_s)
        self.accepted = accepted

    async def create(self, prompt: Prompt) -> Any:
        """Return the SDK's completion; asked again, a few times at most, without a setting that is refused."""
        turns = [{"role": "system", "content": prompt.system}, *messages(prompt)]
        while True:
            settings = self.accepted.settings(prompt.answer_tokens)
            try:
                return await self.client.chat.completions.create(
                    model=self.service.model, messages=turns, extra_body=settings
                )
            except self.sdk.APIStatusError as error:
                # Another call may have found it out at the same time.
                is_known = settings != self.accepted.settings(prompt.answer_tokens)
                if not is_known and not self.accepted.learns(
                    refusal_of(error.status_code, error.body)
                ):
                    raise

    def reply(self, answer: Any, prompt: Prompt) -> Reply:
        """Return the reply. What is refused is returned as it was said: the check of answers will not take it."""
        if not isinstance(answer, self.sdk.types.chat.ChatCompletion):
            raise nonsense(self.service)
        said = getattr(answer, "error", None)  # OpenRouter sends some errors with a status of 200
        if isinstance(said, dict):
            code = said.get("code")
            raise failure(self.service, refusal_of(code if isinstance(code, int) else 502, said))
        choices = answer.choices
        first = choices[0] if isinstance(choices, list) and choices else None
        message = getattr(first, "message", None)
        if message is None:
            raise nonsense(self.service)
        usage = answer.usage
        read = (usage.prompt_tokens or 0) if usage else 0
        self._check_whole(prompt, read)
        text = message.content or message.refusal or ""
        return Reply(str(text), read, (usage.completion_tokens or 0) if usage else 0)

    def _check_whole(self, prompt: Prompt, read: int) -> None:
        """Raise ConfigError where the endpoint read far less than it was given (Ollama cuts in silence)."""
        sent = tokens_of(prompt.system) + sum(map(tokens_of, prompt.turns))
        if len(prompt.turns) > 1 or not 0 < read * _CUT_TO < sent or sent < _ESTIMATE_IS_SURE:
            return
        text = f"{NAME} at {self.service.url} read only {read} of about {sent} tokens of the prompt"
        raise ConfigError(
            text,
            hint="give the model a larger context there (Ollama: num_ctx), or lower summarizer.window_tokens",
        )


def make(options: Options) -> Writer:
    """Return the summarizer. Nothing is imported or opened yet; what one node's calls learn serves the next."""
    accepted = Accepted("max_tokens" if options.endpoint else "max_completion_tokens")
    service = Service(NAME, options.endpoint or OWN_URL, options.model, options.key)
    endpoint = partial(ChatCompletions, accepted=accepted)
    connect = connector(service, options, "AsyncOpenAI", endpoint)
    return writer(NAME, options.model, options, connect)
