"""What only servers do that are compatible with OpenAI's: settings they refuse, and errors in disguise."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from memtool.errors import ConfigError, UnavailableError
from memtool.model.summary import Draft
from tests import llm_server as server_
from tests.llm_server import LLMServer, fails, good
from tests.summarize.models.wires import TWO, Wire
from tests.summarize.requests import day, thread
from tests.summarize.unmetered import remote, unmetered

pytest.importorskip("openai")


def openai_draft(server: LLMServer, **changes: Any) -> Draft:
    return Wire("openai").draft(server, **changes)


@pytest.mark.parametrize("instead", ["max_completion_tokens", ""])
def test_max_tokens_is_left_where_it_is_refused(instead: str) -> None:
    with LLMServer(server_.refuses("max_tokens", instead)) as server:
        summarizer = remote("openai", Wire("openai").options(server))
        for _ in range(2):
            asyncio.run(summarizer.summarize(TWO, unmetered))
    limits = [{key for key in asked.body if "max" in key} for asked in server.requests]
    assert limits == [{"max_tokens"}, {"max_completion_tokens"}, {"max_completion_tokens"}]


def test_a_temperature_is_left_out_where_it_is_refused() -> None:
    with LLMServer(server_.refuses("temperature")) as server:
        openai_draft(server)
    assert [asked.body.get("temperature") for asked in server.requests] == [0, None]


def test_both_are_learnt_by_calls_side_by_side() -> None:
    def picky(exchange: server_.Exchange) -> None:
        wrong = next((n for n in ("max_tokens", "temperature") if n in exchange.asked.body), "")
        if wrong:
            exchange.fail(
                400, f"Unsupported parameter: '{wrong}'. Use max_completion_tokens instead."
            )
        else:
            good(exchange)

    async def all_at_once(server: LLMServer) -> list[Draft]:
        summarizer = remote("openai", Wire("openai").options(server))
        return await asyncio.gather(*(summarizer.summarize(TWO, unmetered) for _ in range(4)))

    with LLMServer(picky) as server:
        assert len(asyncio.run(all_at_once(server))) == 4
    assert len(server.requests) <= 4 * 3


def test_a_setting_that_is_refused_under_both_names_ends_it() -> None:
    refused = fails(400, "max_tokens and max_completion_tokens: unsupported")
    with LLMServer(refused) as server, pytest.raises(ConfigError, match="HTTP 400"):
        openai_draft(server)
    assert len(server.requests) == 2


def test_an_error_with_a_status_of_200_is_an_error() -> None:
    """OpenRouter answers so where the model behind it fails."""

    def behave(exchange: server_.Exchange) -> None:
        exchange.send(200, {"error": {"code": 429, "message": "try later"}, "choices": None})

    with LLMServer(behave) as server, pytest.raises(UnavailableError, match="HTTP 429, try later"):
        openai_draft(server)


def test_a_prompt_that_was_cut_in_silence_is_noticed() -> None:
    """Ollama reads the end of a prompt that is longer than its num_ctx, and says nothing."""

    def forgetful(exchange: server_.Exchange) -> None:
        message = {"role": "assistant", "content": server_.answer_to(exchange.asked.turns[0])}
        usage = {"prompt_tokens": 512, "completion_tokens": 90, "total_tokens": 602}
        exchange.send(200, {"choices": [{"index": 0, "message": message}], "usage": usage})

    request = day(
        *(
            thread(n, *(("ask", f"{n} {at} {'word ' * 40}".strip()) for at in range(9)))
            for n in (1, 2)
        )
    )
    with (
        LLMServer(forgetful) as server,
        pytest.raises(ConfigError, match="only 512 of about") as caught,
    ):
        Wire("openai").draft(server, request)
    assert "num_ctx" in caught.value.hint
