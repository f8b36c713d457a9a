"""What providers say when they refuse, and what it means; the messages are as documented or seen by users."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from memtool.errors import ConfigError, MemtoolError, UnavailableError
from memtool.summarize import SummaryFailed
from memtool.summarize.models.sdk import Service, failure, refusal_of
from memtool.summarize.models.writer import PromptTooLong
from tests.waiting import HUNG_S

SERVICE = Service("openai", "https://example.org/v1", "m1", "sk-secret")
REPOSITORY = Path(__file__).resolve().parents[3]

CASES: tuple[tuple[int, object, type[MemtoolError]], ...] = (
    (
        401,
        {"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}},
        ConfigError,
    ),
    (403, {"message": "Country not supported"}, ConfigError),
    (403, {"error": {"message": "Your input was flagged by moderation"}}, SummaryFailed),
    (402, {"error": {"message": "Insufficient credits"}}, ConfigError),
    (400, {"error": {"message": "Your credit balance is too low to access the API"}}, ConfigError),
    (404, {"error": 'model "m1" not found, try pulling it first'}, ConfigError),
    (404, "404 page not found", ConfigError),
    (405, {"detail": "Method Not Allowed"}, ConfigError),
    (400, {"error": {"message": "m1 is not a valid model ID"}}, ConfigError),
    (400, {"error": {"message": "The model `m1` does not exist"}}, ConfigError),
    (301, "", ConfigError),
    (408, "", UnavailableError),
    (409, "", UnavailableError),
    (
        429,
        {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}},
        UnavailableError,
    ),
    (500, None, UnavailableError),
    (503, {"error": {"message": "Loading model", "type": "unavailable_error"}}, UnavailableError),
    (
        529,
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        UnavailableError,
    ),
    (400, {"error": {"message": "too long", "code": "context_length_exceeded"}}, PromptTooLong),
    (
        400,
        {"error": {"message": "This model's maximum context length is 8192 tokens."}},
        PromptTooLong,
    ),
    (
        400,
        {"error": {"message": "prompt is too long: 205000 tokens > 200000 maximum"}},
        PromptTooLong,
    ),
    (400, {"error": {"message": "the request exceeds the available context size"}}, PromptTooLong),
    (
        400,
        {
            "message": "'max_tokens' is too large: 2000. This model's maximum context length is 4096 tokens"
        },
        PromptTooLong,
    ),
    (413, {"error": {"type": "request_too_large", "message": "Request too large"}}, PromptTooLong),
    (
        400,
        {"error": {"message": "max_tokens: 64000 > 8192, which is the maximum allowed number"}},
        ConfigError,
    ),
    (
        400,
        {"error": {"message": "max_tokens is too large: this model supports 16384"}},
        ConfigError,
    ),
    (400, {"error": {"message": "Invalid prompt: flagged"}}, SummaryFailed),
    (422, [{"msg": "no"}], SummaryFailed),
)


@pytest.mark.parametrize(("status", "body", "kind"), CASES)
def test_a_refusal_is_one_of_four(status: int, body: object, kind: type[MemtoolError]) -> None:
    error = failure(SERVICE, refusal_of(status, body))
    assert type(error) is kind
    assert error.message.startswith(f"openai at https://example.org/v1: HTTP {status}")
    assert len(error.message.splitlines()) == 1


def test_a_message_holds_no_key_no_escape_and_no_page() -> None:
    said = "wrong key sk-secret\n\x1b[31m<html>" + "x" * 5_000
    message = failure(SERVICE, refusal_of(401, {"error": {"message": said}})).message
    assert "sk-secret" not in message
    assert "\x1b" not in message
    assert len(message) < 300


def test_making_a_summarizer_imports_no_sdk() -> None:
    program = (
        "import sys; from memtool.summarize import Options, make, problem\n"
        "base = {'asyncio', 'ssl', 'openai', 'anthropic'} & set(sys.modules)\n"
        "problem('openai', Options()); problem('anthropic', Options())\n"
        "asked = {'asyncio', 'ssl', 'openai', 'anthropic'} & set(sys.modules)\n"
        "make('openai', Options()); make('anthropic', Options())\n"
        "print(base, asked, {'openai', 'anthropic'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        check=True,
        cwd=REPOSITORY,
        timeout=HUNG_S,
    )
    assert done.stdout.decode().split() == ["set()"] * 3
