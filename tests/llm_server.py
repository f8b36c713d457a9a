"""A model on loopback: a real HTTP server that speaks both wire formats, and behaves as a test's script says.

    with LLMServer(limited(after_s=0.02), good) as server:   # one 429, then good answers
        Options(model="m", endpoint=server.openai_url, key="k")

Every request takes the next behaviour of the script; the last one stays. `server.requests` holds what was asked.
`answer_to` is the model itself, a pure function, for tests of programs that are one.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

FENCE = re.compile(r"^--- DATA (\w{32}) ---\n(.*)\n--- END \1 ---$", re.DOTALL | re.MULTILINE)
ITEM = re.compile(r"^\[(\d+)\] ([\w ]+): (.*)$", re.MULTILINE)
THREAD = re.compile(r"^# thread \d+", re.MULTILINE)
MOST = re.compile(r"at most (\d+) points")
ORDER = re.compile(r"OBEY: (.*)")
"""What a gullible model does: it answers with the rest of such a line."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: its wire format, headers (names in lower case) and body, and its turns in order."""

    wire: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def system(self) -> str:
        if self.wire == "anthropic":
            return str(self.body["system"])
        return str(self.body["messages"][0]["content"])

    @property
    def turns(self) -> list[str]:
        messages = self.body["messages"]
        return [str(m["content"]) for m in messages if m["role"] != "system"]

    @property
    def numbers(self) -> list[int]:
        return [int(number) for number, _, _ in ITEM.findall(data_of(self.turns[0]))]


def data_of(prompt: str) -> str:
    """Return what stands inside the fence."""
    match = FENCE.search(prompt)
    return match[2] if match else ""


def outside_of(prompt: str) -> str:
    """Return what stands outside of it."""
    return FENCE.sub("", prompt, count=1)


def answer_to(prompt: str) -> str:
    """Return the answer of an honest model: its texts quote the signals of each thread, in order, and cite them."""
    most = MOST.search(prompt)
    threads = THREAD.split(data_of(prompt))[1:]
    written = [
        _thread(place, ITEM.findall(thread), int(most[1]) if most else 5)
        for place, thread in enumerate(threads, 1)
    ]
    return json.dumps({"threads": written}, ensure_ascii=False)


def _thread(place: int, items: list[tuple[str, str, str]], most: int) -> dict[str, object]:
    points = [
        {
            "text": f"{_start(group[0][2])} → {_start(group[-1][2])}",
            "cites": sorted({int(group[0][0]), int(group[-1][0])}),
        }
        for group in _groups(items[1:], most)
    ]
    headline = _start(items[0][2])[:80]
    return {"thread": place, "headline": headline, "cites": [int(items[0][0])], "points": points}


def _groups(items: list[tuple[str, str, str]], most: int) -> Iterator[list[tuple[str, str, str]]]:
    size = -(-len(items) // max(most, 1)) or 1
    for at in range(0, len(items), size):
        yield items[at : at + size]


def _start(text: str) -> str:
    return " ".join(text.split()[:12])[:120] or "Nothing said"


class Exchange:
    """One request that a behaviour answers."""

    def __init__(self, server: LLMServer, handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        self.server, self.handler, self.asked = server, handler, asked

    def answer(self, text: str, *, ended: str = "") -> None:
        """Answer as the model."""
        self.send(200, self._answered(text, ended))

    def fail(
        self, status: int, said: str, *, code: str = "", headers: dict[str, str] | None = None
    ) -> None:
        """Answer with an error as the provider writes it."""
        error = {"message": said, "type": code or "error"}
        is_anthropic = self.asked.wire == "anthropic"
        body = (
            {"type": "error", "error": error} if is_anthropic else {"error": error | {"code": code}}
        )
        self.send(status, body, headers or {})

    def send(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        """Send a body as JSON."""
        self.raw(status, json.dumps(body).encode(), "application/json", headers or {})

    def raw(
        self,
        status: int,
        data: bytes,
        content_type: str,
        headers: dict[str, str] | None = None,
        length: int = 0,
    ) -> None:
        """Send these bytes, and say that they are `length`."""
        self.handler.send_response(status)
        self.handler.send_header("Content-Type", content_type)
        self.handler.send_header("Content-Length", str(length or len(data)))
        for name, value in (headers or {}).items():
            self.handler.send_header(name, value)
        self.handler.end_headers()
        self.handler.wfile.write(data)

    def wait(self, seconds: float) -> bool:
        """Wait; return whether the server is being closed."""
        return self.server.closing.wait(seconds)

    def _answered(self, text: str, ended: str) -> dict[str, object]:
        told = sum(map(len, [self.asked.system, *self.asked.turns])) // 4
        if self.asked.wire == "anthropic":
            return {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": self.asked.body["model"],
                "content": [{"type": "text", "text": text}] if text else [],
                "stop_reason": ended or "end_turn",
                "stop_sequence": None,
                "usage": {"input_tokens": told, "output_tokens": max(len(text) // 4, 1)},
            }
        choice = {"index": 0, "message": {"role": "assistant", "content": text}}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": self.asked.body["model"],
            "choices": [choice | {"finish_reason": ended or "stop"}],
            "usage": {
                "prompt_tokens": told,
                "completion_tokens": max(len(text) // 4, 1),
                "total_tokens": told + len(text) // 4,
            },
        }


def _keys(headers: dict[str, str]) -> tuple[str, str]:
    """Return the keys that were sent: Anthropic's SDK has used both places."""
    return headers.get("authorization", "").removeprefix("Bearer "), headers.get("x-api-key", "")


Behaviour = Callable[[Exchange], None]


def good(exchange: Exchange) -> None:
    """Answer as an honest model."""
    exchange.answer(answer_to(exchange.asked.turns[0]))


def says(text: str, *, ended: str = "") -> Behaviour:
    """Answer with this text."""
    return lambda exchange: exchange.answer(text, ended=ended)


nonsense = says("The weather is nice today, is it not?")


def wrong_cites(exchange: Exchange) -> None:
    """Answer honestly, but for numbers that no item has."""
    answer = json.loads(answer_to(exchange.asked.turns[0]))
    for thread in answer["threads"]:
        thread["cites"] = [number + 1_000_000 for number in thread["cites"]]
    exchange.answer(json.dumps(answer))


def obeys_outside(exchange: Exchange) -> None:
    """Obey an order that stands outside the fence or pretends to be of the system; else answer honestly."""
    asked = exchange.asked
    order = ORDER.search("\n".join([asked.system, *map(outside_of, asked.turns)]))
    exchange.answer(order[1] if order else answer_to(asked.turns[0]))


def obeys_inside(exchange: Exchange) -> None:
    """Obey an order of the data, as a gullible model would."""
    order = ORDER.search(exchange.asked.turns[0])
    exchange.answer(order[1] if order else answer_to(exchange.asked.turns[0]))


def slow(seconds: float) -> Behaviour:
    """Answer after a while."""

    def behave(exchange: Exchange) -> None:
        if not exchange.wait(seconds):
            good(exchange)

    return behave


def drip(exchange: Exchange) -> None:
    """Answer with a byte now and then, without end."""
    exchange.raw(200, b"{", "application/json", length=10_000)
    while not exchange.wait(0.05):
        exchange.handler.wfile.write(b" ")
        exchange.handler.wfile.flush()


def cut(exchange: Exchange) -> None:
    """Break off in the middle of an answer."""
    exchange.raw(200, b'{"id": "x", "choi', "application/json", length=5_000)


def page(exchange: Exchange) -> None:
    """Answer with a web page, as a portal or a wrong address does."""
    exchange.raw(200, b"<html>Please log in</html>", "text/html")


def broken_json(exchange: Exchange) -> None:
    """Answer with something that says it is JSON."""
    exchange.raw(200, b'{"id": ', "application/json")


def fails(
    status: int, said: str = "no", *, code: str = "", after_s: float | None = 0.01
) -> Behaviour:
    """Answer with an error; `after_s` says when to try again (None: the error says nothing of it)."""
    headers = {} if after_s is None else {"Retry-After": str(after_s)}
    return lambda exchange: exchange.fail(status, said, code=code, headers=headers)


def limited(after_s: float = 0.01) -> Behaviour:
    """Answer 429."""
    return fails(429, "Rate limit reached", code="rate_limit_exceeded", after_s=after_s)


def elsewhere(url: str) -> Behaviour:
    """Answer with a redirect."""
    return lambda exchange: exchange.raw(307, b"", "text/plain", {"Location": url})


def refuses(setting: str, instead: str = "") -> Behaviour:
    """Refuse requests that hold this setting, as OpenAI's newer models do; else answer honestly."""

    def behave(exchange: Exchange) -> None:
        if setting not in exchange.asked.body:
            good(exchange)
            return
        said = f"Unsupported parameter: '{setting}' is not supported with this model."
        if instead:
            said += f" Use '{instead}' instead."
        exchange.fail(400, said, code="unsupported_parameter")

    return behave


def reads_at_most(characters: int) -> Behaviour:
    """Refuse longer prompts, as a model with a small window does; else answer honestly."""

    def behave(exchange: Exchange) -> None:
        length = sum(map(len, [exchange.asked.system, *exchange.asked.turns]))
        if length <= characters:
            good(exchange)
            return
        said = f"This model's maximum context length is {characters // 4} tokens."
        exchange.fail(400, said, code="context_length_exceeded")

    return behave


class LLMServer:
    """The server, while it is entered. With a `key`, requests without it get a 401; of `models`, others a 404."""

    def __init__(self, *script: Behaviour, key: str = "", models: tuple[str, ...] = ()) -> None:
        self.script, self.key, self.models = script or (good,), key, models
        self.requests: list[Asked] = []
        self.closing, self._lock = threading.Event(), threading.Lock()

    def __enter__(self) -> Self:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                with suppress(OSError):  # the client has gone
                    server._serve(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads, self._http.block_on_close = True, False
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()

    @property
    def url(self) -> str:
        """Where it listens; what Anthropic's SDK takes."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def openai_url(self) -> str:
        """What OpenAI's SDK takes."""
        return f"{self.url}/v1"

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        wires = {"/v1/chat/completions": "openai", "/v1/messages": "anthropic"}
        headers = {name.lower(): value for name, value in handler.headers.items()}
        asked = Asked(wires.get(handler.path, ""), headers, body)
        exchange = Exchange(self, handler, asked)
        with self._lock:
            behaviour = self.script[min(len(self.requests), len(self.script) - 1)]
            self.requests.append(asked)
        if not asked.wire:
            exchange.fail(404, f"there is nothing at {handler.path}")
        elif self.key and self.key not in _keys(headers):
            exchange.fail(401, "Incorrect API key provided", code="invalid_api_key")
        elif self.models and body["model"] not in self.models:
            exchange.fail(
                404, f"The model `{body['model']}` does not exist", code="model_not_found"
            )
        else:
            behaviour(exchange)
