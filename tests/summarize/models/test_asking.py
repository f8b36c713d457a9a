"""What both SDKs raise at the end of their tries, and what they must not be given."""

from __future__ import annotations

import asyncio
from importlib import import_module
from types import ModuleType

import pytest

from memtool.errors import ConfigError, UnavailableError
from memtool.summarize.models.sdk import Service, answered
from memtool.summarize.models.writer import PromptTooLong
from tests import llm_server as server_
from tests.llm_server import LLMServer
from tests.summarize.models.wires import TWO, Wire
from tests.summarize.unmetered import remote, unmetered

SERVICE = Service("openai", "https://example.org/v1", "m", "sk-secret")


def unavailable(sdk: ModuleType, error: Exception) -> str:
    """Return the message of what becomes of an SDK's error."""

    async def call() -> None:
        raise error

    with pytest.raises(UnavailableError) as caught:
        asyncio.run(answered(sdk, SERVICE, 3, call))
    return caught.value.message


def test_a_connection_error_is_told_by_what_lies_beneath(wire: Wire) -> None:
    sdk = import_module(wire.name)
    error = sdk.APIConnectionError(request=None)
    error.__cause__ = ExceptionGroup("several", [OSError(111, "Connection refused"), ValueError()])
    assert unavailable(sdk, error).endswith("no connection, [Errno 111] Connection refused")
    assert unavailable(sdk, sdk.APIConnectionError(request=None)).endswith("Connection error.")


def test_time_outs_tell_how_long_they_were(wire: Wire) -> None:
    sdk = import_module(wire.name)
    assert unavailable(sdk, sdk.APITimeoutError(request=None)).endswith("no answer within 3 s")
    assert "12 s, all tries together" in unavailable(sdk, TimeoutError())


def test_being_stopped_is_not_a_failure(wire: Wire) -> None:
    async def stopped(server: LLMServer) -> None:
        summarizer = remote(wire.name, wire.options(server))
        task = asyncio.create_task(summarizer.summarize(TWO, unmetered))
        while not server.requests:  # noqa: ASYNC110 - the server is a thread
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with LLMServer(server_.slow(30)) as server:
        asyncio.run(stopped(server))


def test_a_proxy_that_is_none_is_a_setting(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "nonsense://proxy")
    monkeypatch.setenv("http_proxy", "nonsense://proxy")
    with LLMServer() as server, pytest.raises(ConfigError, match="nonsense"):
        wire.draft(server)


def test_a_full_window_is_a_prompt_that_is_too_long() -> None:
    pytest.importorskip("anthropic")
    full = server_.says('{"title', ended="model_context_window_exceeded")
    with LLMServer(full) as server, pytest.raises(PromptTooLong, match="window was full"):
        Wire("anthropic").draft(server)


def test_an_answer_that_was_cut_off_is_asked_for_again_and_told() -> None:
    for name, ended in (("openai", "length"), ("anthropic", "max_tokens")):
        pytest.importorskip(name)
        with LLMServer(server_.says('{"title": "Fix', ended=ended), server_.good) as server:
            assert Wire(name).draft(server).threads
        assert "no whole JSON object" in server.requests[1].turns[2]
