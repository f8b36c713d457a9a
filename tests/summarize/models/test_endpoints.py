"""Both official SDKs against a real server that behaves as providers do, and as none should."""

from __future__ import annotations

import asyncio
import sys
import time

import pytest

from memtool.errors import ConfigError, UnavailableError
from memtool.program import extra_hint
from memtool.summarize import Ask, Options, Reply, SummaryFailed, check_draft, make, problem
from memtool.summarize.models.writer import PromptTooLong
from tests import llm_server as server_
from tests.llm_server import Behaviour, LLMServer, fails, good, limited, says
from tests.summarize.models.wires import KEY, TWO, Wire
from tests.summarize.requests import day, thread
from tests.summarize.unmetered import remote, unmetered
from tests.waiting import HUNG_S


def test_an_honest_model_makes_a_draft_with_verbatim_proof(wire: Wire, server: LLMServer) -> None:
    draft = check_draft(TWO, wire.draft(server))
    assert [[grip.excerpt for grip in bullet.grips] for bullet in draft.bullets] == [
        ["Fix the login bug in auth.py"],
        ["The token was never refreshed. I changed auth.py; all tests pass."],
    ]
    (asked,) = server.requests
    assert asked.wire == wire.name
    assert asked.body["model"] == "m1"
    assert asked.body["max_tokens"] == 2_000


def test_tokens_are_counted(wire: Wire, server: LLMServer) -> None:
    replies: list[Reply] = []

    async def call(estimate: int, ask: Ask) -> Reply:
        replies.append(await ask())
        assert estimate > replies[-1].input_tokens
        return replies[-1]

    asyncio.run(remote(wire.name, wire.options(server)).summarize(TWO, call))
    assert replies[0].input_tokens > 500
    assert replies[0].output_tokens > 10


def test_nothing_is_sent_but_what_we_send(
    wire: Wire, server: LLMServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDKs would add what the environment says, other keys too, and what they tell of the machine."""
    for name in ("OPENAI", "ANTHROPIC"):
        monkeypatch.setenv(f"{name}_API_KEY", "another-key")
        monkeypatch.setenv(f"{name}_AUTH_TOKEN", "another-key")
        monkeypatch.setenv(f"{name}_ADMIN_KEY", "another-key")
        monkeypatch.setenv(f"{name}_ORG_ID", "my-organisation")
        monkeypatch.setenv(f"{name}_PROJECT_ID", "my-project")
        monkeypatch.setenv(f"{name}_BASE_URL", "http://127.0.0.1:9/")
        monkeypatch.setenv(
            f"{name}_CUSTOM_HEADERS",
            "X-Mine: secret\nAuthorization: Bearer other\nX-Api-Key: other",
        )
    wire.draft(server)
    headers = server.requests[0].headers
    allowed = {"host", "accept", "accept-encoding", "connection", "user-agent", "content-type"}
    allowed |= {"content-length", "authorization", "x-api-key", "anthropic-version"}
    assert headers.keys() <= allowed
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers.get("x-api-key", KEY) == KEY
    assert "Python" in headers["user-agent"]


def test_an_endpoint_without_a_key_gets_none(wire: Wire) -> None:
    with LLMServer() as server:
        wire.draft(server, key="")
    assert "authorization" not in server.requests[0].headers
    assert "x-api-key" not in server.requests[0].headers


@pytest.mark.parametrize(
    ("status", "after_s"), [(429, 0.01), (500, 0.01), (503, None), (529, 0.01), (408, 0.01)]
)
def test_what_passes_is_tried_again(wire: Wire, status: int, after_s: float | None) -> None:
    with LLMServer(fails(status, after_s=after_s), good) as server:
        assert wire.draft(server).threads
    assert len(server.requests) == 2


def test_retry_after_is_heeded(wire: Wire) -> None:
    with LLMServer(limited(after_s=0.6), good) as server:
        began_s = time.monotonic()
        wire.draft(server)
        assert time.monotonic() - began_s >= 0.6


def test_429_to_the_end_is_unavailable_after_five_tries(wire: Wire) -> None:
    with (
        LLMServer(limited()) as server,
        pytest.raises(UnavailableError, match="HTTP 429, Rate limit"),
    ):
        wire.draft(server)
    assert len(server.requests) == 5


@pytest.mark.parametrize("status", [500, 502, 529])
def test_5xx_to_the_end_is_unavailable(wire: Wire, status: int) -> None:
    error = wire.fault(UnavailableError, fails(status, "overloaded"))
    assert f"HTTP {status}, overloaded" in error.message


def test_a_retry_after_of_hours_does_not_hold_a_run(wire: Wire) -> None:
    """It would hang for two hours."""
    wire.fault(UnavailableError, limited(after_s=7_200), timeout_s=0.2)


@pytest.mark.parametrize("behaviour", [server_.slow(3600), server_.drip], ids=["slow", "drip"])
def test_an_answer_that_does_not_end_is_unavailable(wire: Wire, behaviour: Behaviour) -> None:
    error = wire.fault(UnavailableError, behaviour, timeout_s=0.3)
    assert "no answer within" in error.message


def test_a_slow_answer_within_the_time_out_is_an_answer(wire: Wire) -> None:
    with LLMServer(server_.slow(0.3)) as server:
        assert wire.draft(server, timeout_s=HUNG_S).threads


def test_a_connection_that_is_cut_is_tried_again(wire: Wire) -> None:
    with LLMServer(server_.cut, good) as server:
        assert wire.draft(server).threads
    assert len(server.requests) == 2


def test_a_server_that_is_not_there_is_unavailable(wire: Wire) -> None:
    with LLMServer() as server:
        options = wire.options(server, timeout_s=1)
    with pytest.raises(UnavailableError, match=r"no connection|no answer within"):
        asyncio.run(remote(wire.name, options).summarize(TWO, unmetered))


def sends(body: object) -> Behaviour:
    return lambda exchange: exchange.send(200, body)


OTHER_BODIES = {
    "page": server_.page,
    "broken": server_.broken_json,
    "empty": sends({}),
    "list": sends([]),
    "text": sends("hello"),
    "null": sends(None),
    "nothing": sends({"choices": [], "content": None}),
    "bare": sends({"choices": [{}], "content": 5}),
    "number": sends({"choices": 5, "content": "x"}),
    "words": sends({"choices": ["x"], "content": ["x"]}),
}


@pytest.mark.parametrize("behaviour", OTHER_BODIES.values(), ids=OTHER_BODIES)
def test_a_body_of_another_kind_is_unavailable(wire: Wire, behaviour: Behaviour) -> None:
    assert "not one of such an endpoint" in wire.fault(UnavailableError, behaviour).message


def test_an_answer_without_counts_is_an_answer(wire: Wire) -> None:
    def bare(exchange: server_.Exchange) -> None:
        text = server_.answer_to(exchange.asked.turns[0])
        message = {"role": "assistant", "content": text}
        exchange.send(
            200,
            {
                "type": "message",
                "content": [{"type": "text", "text": text}],
                "choices": [{"message": message}],
            },
        )

    with LLMServer(bare) as server:
        assert wire.draft(server).threads


def test_a_wrong_key_is_a_setting(wire: Wire, server: LLMServer) -> None:
    with pytest.raises(ConfigError, match="HTTP 401, Incorrect API key") as caught:
        wire.draft(server, key="sk-wrong")
    assert "llm-key" in caught.value.hint
    assert len(server.requests) == 1


def test_an_unknown_model_is_a_setting(wire: Wire, server: LLMServer) -> None:
    with pytest.raises(ConfigError, match=r"m7.*does not exist") as caught:
        wire.draft(server, model="m7")
    assert "summarizer.model (m7)" in caught.value.hint
    assert len(server.requests) == 1


def test_a_wrong_address_is_a_setting(wire: Wire, server: LLMServer) -> None:
    with pytest.raises(ConfigError, match="HTTP 404") as caught:
        wire.draft(server, endpoint=f"{server.url}/nowhere")
    assert "summarizer.endpoint" in caught.value.hint


def test_no_transcript_follows_a_redirect(wire: Wire, server: LLMServer) -> None:
    path = "/v1/chat/completions" if wire.name == "openai" else "/v1/messages"
    error = wire.fault(ConfigError, server_.elsewhere(server.url + path))
    assert "summarizer.endpoint" in error.hint
    assert server.requests == []


def test_an_address_that_is_none_is_a_setting(wire: Wire, server: LLMServer) -> None:
    for endpoint in ("http://127.0.0.1:99999999/v1", "http://[::bad/v1"):
        with pytest.raises(ConfigError):
            wire.draft(server, endpoint=endpoint)


def test_a_prompt_that_is_refused_fails_its_node_alone(wire: Wire) -> None:
    assert "HTTP 422" in wire.fault(SummaryFailed, fails(422, "I do not like it")).message


def test_a_prompt_that_is_too_long_is_asked_in_halves(wire: Wire) -> None:
    word = "a step of the work "
    request = day(
        *(thread(n, *(("result", f"{word * 9}{n} {at}") for at in range(12))) for n in (1, 2))
    )
    with LLMServer(server_.reads_at_most(6_500)) as server:
        draft = check_draft(request, wire.draft(server, request))
    assert len(server.requests) == 3
    assert all(each.written for each in draft.threads)


def test_a_window_too_small_for_any_part_says_so(wire: Wire) -> None:
    error = wire.fault(PromptTooLong, server_.reads_at_most(10))
    assert "window_tokens" in error.hint


def test_wrong_numbers_are_mended_once(wire: Wire) -> None:
    with LLMServer(server_.wrong_cites, good) as server:
        check_draft(TWO, wire.draft(server))
    first, second = server.requests
    assert second.turns[0] == first.turns[0]
    assert "which is not of its thread: its signals are 1 to 2" in second.turns[2]


def test_wrong_numbers_twice_fail_the_node(wire: Wire) -> None:
    error = wire.fault(SummaryFailed, server_.wrong_cites)
    assert "cites 1000001, which is not of its thread" in error.message


@pytest.mark.parametrize("text", ["The weather is nice today.", "", '{"threads": ['])
def test_nonsense_twice_fails_the_node(wire: Wire, text: str) -> None:
    again = "even when asked again"
    with LLMServer(says(text)) as server, pytest.raises(SummaryFailed, match=again):
        wire.draft(server)
    assert len(server.requests) == 2


def test_a_refusal_fails_the_node_in_its_own_words(wire: Wire) -> None:
    def refusal(exchange: server_.Exchange) -> None:
        message = {"role": "assistant", "content": None, "refusal": "I cannot help with that."}
        ended = {"index": 0, "message": message, "finish_reason": "stop"}
        text = {"type": "text", "text": "I cannot help with that."}
        exchange.send(
            200,
            {"choices": [ended], "type": "message", "content": [text], "stop_reason": "refusal"},
        )

    assert "I cannot help with that." in wire.fault(SummaryFailed, refusal).message


def test_what_is_missing_is_one_clear_line(wire: Wire) -> None:
    ready = Options(model="m", key="k")
    assert problem(wire.name, ready) is None
    for options, said in (
        (Options(key="k"), "summarizer.model is not set"),
        (Options(model="m"), f"{wire.name.upper()}_API_KEY"),
        (Options(model="m", key="two words"), "spaces"),
        (Options(model="m", key="clé"), "characters that no key has"),
        (Options(model="m", key="k", window_tokens=4_000), "summarizer.window_tokens is 4000"),
    ):
        found = problem(wire.name, options)
        assert isinstance(found, ConfigError)
        assert said in found.message
        assert found.hint
        with pytest.raises(ConfigError, match=said):
            asyncio.run(remote(wire.name, options).summarize(TWO, unmetered))


def test_a_missing_package_is_named(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, wire.name, None)  # as if it were not installed
    found = problem(wire.name, Options(model="m", key="k"))
    assert found is not None
    assert found.hint == extra_hint(wire.name)
    assert f"'{wire.name}>=" in found.hint


def test_a_custom_endpoint_needs_no_key(wire: Wire) -> None:
    assert problem(wire.name, Options(model="m", endpoint="http://localhost:11434/v1")) is None


def test_the_recipe_names_summarizer_and_model(wire: Wire) -> None:
    recipe = make(wire.name, Options(model="m1")).recipe
    assert (recipe.summarizer, recipe.model) == (wire.name, "m1")
    assert make(wire.name, Options()).waits
