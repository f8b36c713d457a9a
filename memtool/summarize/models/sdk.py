"""What both SDKs are used with: what is missing before a call, a client that sends what we send and nothing more, and
what each failure means.

Text of a transcript goes to the configured address alone: no redirect is followed.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, TypeVar
from urllib.parse import urlsplit

from msgspec import Struct

from memtool.errors import ConfigError, MemtoolError, UnavailableError
from memtool.program import extra_hint
from memtool.summarize import Options, Reply
from memtool.summarize.check import SummaryFailed
from memtool.summarize.models.answer import tidy
from memtool.summarize.models.prompt import Prompt
from memtool.summarize.models.window import size_problem
from memtool.summarize.models.writer import Connect, Model, PromptTooLong
from memtool.summarize.text.plain import shorten

KEY_PLACES = (
    "put it in ~/.config/memtool/llm-key (0600), for a system-wide installation in "
    "/etc/credstore/memtool.llm-key (docs/summarizers.md)"
)
_RETRIES = 4
"""After the first try; the SDKs wait as Retry-After says, else 0.5 to 8 seconds, each time longer."""
_TRIES_IN_ALL = 4
"""A call with all its retries and waits may take this many time-outs: it ends even where an answer drips for ever."""
_CONNECT_S = 10
_NO_KEY = "none"
"""The SDKs want one; a client without a key sends none (see `_http_client`)."""

_OURS = frozenset(
    {
        "accept",
        "accept-encoding",
        "anthropic-version",
        "connection",
        "content-length",
        "content-type",
        "host",
        "transfer-encoding",
        "user-agent",
    }
)
_KEYS = ("authorization", "x-api-key")

_LONGEST_SAID = 200
_SHORTEST_KEY = 8
"""What is shorter is a placeholder such as "none", and may be part of a word."""

_TOO_LONG = re.compile(
    r"context.{0,12}(length|window|size|limit)|prompt is too long|input.{0,20}too long|too many (input )?tokens"
    r"|(exceed|larger than).{0,40}(context|n_ctx|max_model_len)|maximum.{0,20}input tokens",
    re.IGNORECASE,
)
_ANSWER_TOO_LONG = re.compile(r"max_(completion_)?tokens", re.IGNORECASE)
_NO_MODEL = re.compile(
    r"model_not_found|invalid model|not a valid model|no such model|unknown model"
    r"|\bmodel\b.{0,80}\b(not found|not exist|not supported|is invalid)",
    re.IGNORECASE,
)
_NO_CREDIT = re.compile(
    r"credit balance|insufficient[ _](credit|balance|funds)|payment required|billing", re.IGNORECASE
)
_FLAGGED = re.compile(r"moderation|flagged|content.{0,3}(policy|filter|management)", re.IGNORECASE)

_MULTIPLE_CHOICES, _BAD_REQUEST = 300, 400
_NOT_AUTHORISED = frozenset({401, 403})
_NOT_THERE = frozenset({404, 405, 410})
_TOO_LARGE = 413
_PAYMENT_REQUIRED = 402
_FOR_NOW = frozenset({408, 409, 421, 425, 429})
_SERVER_ERROR = 500


def openai_problem(options: Options) -> ConfigError | None:
    """Return what `openai` lacks; a custom endpoint may need no key."""
    return problem("openai", options)


def anthropic_problem(options: Options) -> ConfigError | None:
    """Return what `anthropic` lacks; a custom endpoint may need no key."""
    return problem("anthropic", options)


def _missing_sdk(name: str) -> ConfigError:
    text = f"the summarizer {name} needs the Python package {name}"
    return ConfigError(text, hint=extra_hint(name))


def problem(name: str, options: Options) -> ConfigError | None:
    """Return what is missing before a model can be asked: a name, a key, the SDK. Calls and imports nothing."""
    if not options.model:
        hint = f"memtool config set summarizer.model <a model that {name} knows>"
        return ConfigError("summarizer.model is not set", hint=hint)
    if not options.key and not options.endpoint:
        text = f"the summarizer {name} needs a key ({name.upper()}_API_KEY), and none was found"
        return ConfigError(text, hint=KEY_PLACES)
    if not options.key.isascii() or not options.key.isprintable() or " " in options.key:
        text = f"the key for {name} holds spaces or characters that no key has"
        return ConfigError(text, hint=KEY_PLACES)
    if options.endpoint and not _is_address(options.endpoint):
        hint = "it is the base URL of the model's server, such as http://localhost:11434/v1"
        return ConfigError(f"summarizer.endpoint is no address: {options.endpoint}", hint=hint)
    if find_spec(name) is None:
        return _missing_sdk(name)
    return size_problem(options)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


class Service(Struct, frozen=True):
    """Whom a summarizer asks, as its messages name it."""

    name: str
    url: str
    model: str
    key: str

    def words(self, said: str) -> str:
        """Return what the service said, on one short line, without the key."""
        if len(self.key) >= _SHORTEST_KEY:
            said = said.replace(self.key, "…")
        return shorten(tidy(said), _LONGEST_SAID)


class Refusal(Struct, frozen=True):
    """An answer that is an error: its status, its code where there is one, and its message."""

    status: int
    said: str
    code: str = ""


def refusal_of(status: int, body: object) -> Refusal:
    """Return the refusal in a body as any of the providers writes it."""
    inner = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(inner, dict):
        return Refusal(status, str(inner or ""))
    said = next((inner[key] for key in ("message", "detail", "error") if inner.get(key)), "")
    return Refusal(status, str(said), str(inner.get("code") or inner.get("type") or ""))


def failure(service: Service, refusal: Refusal) -> MemtoolError:
    """Return the error that a refusal is: SummaryFailed, UnavailableError or ConfigError."""
    status, told = refusal.status, f"{refusal.code} {refusal.said}"
    said = service.words(refusal.said)
    text = f"{service.name} at {service.url}: HTTP {status}" + (f", {said}" if said else "")
    if status in _FOR_NOW or status >= _SERVER_ERROR:
        return UnavailableError(text, hint="memtool tries again with the next run")
    if _MULTIPLE_CHOICES <= status < _BAD_REQUEST:
        return ConfigError(
            text, hint="it sends us elsewhere: put the right URL into summarizer.endpoint"
        )
    if status == _PAYMENT_REQUIRED or _NO_CREDIT.search(told):
        return ConfigError(text, hint="the account has no credit left for this model")
    if status in _NOT_AUTHORISED:
        return _not_authorised(service, told, text)
    if status in _NOT_THERE or _NO_MODEL.search(told):
        hint = f"look at summarizer.model ({service.model}) and summarizer.endpoint ({service.url})"
        return ConfigError(text, hint=hint)
    return _refused_prompt(status, told, text)


def _not_authorised(service: Service, told: str, text: str) -> MemtoolError:
    if _FLAGGED.search(told):
        return SummaryFailed(text)
    key = "the key is wrong or may not use this model" if service.key else "it wants a key"
    return ConfigError(text, hint=f"{key}: {KEY_PLACES}")


def _refused_prompt(status: int, told: str, text: str) -> MemtoolError:
    if status == _TOO_LARGE or _TOO_LONG.search(told):
        hint = "lower summarizer.window_tokens to what the model reads at once"
        return PromptTooLong(text, hint=hint)
    if _ANSWER_TOO_LONG.search(told):
        return ConfigError(text, hint="lower summarizer.answer_tokens to what the model can write")
    return SummaryFailed(text)


Answer = TypeVar("Answer")


class SdkEndpoint:
    """An open client of an SDK, for one node's calls. The SDKs check nothing of what a server sends."""

    def __init__(self, sdk: ModuleType, client: Any, service: Service, timeout_s: float) -> None:
        self.sdk = sdk
        self.client = client
        self.service = service
        self.timeout_s = timeout_s

    async def ask(self, prompt: Prompt) -> Reply:
        """Return the model's answer. Raise as Model says."""
        answer = await answered(self.sdk, self.service, self.timeout_s, lambda: self.create(prompt))
        return self.reply(answer, prompt)

    async def create(self, prompt: Prompt) -> Any:
        """Make the SDK's call."""
        raise NotImplementedError

    def reply(self, answer: Any, prompt: Prompt) -> Reply:
        """Return the reply that the SDK's answer holds; raise `nonsense` where it is none."""
        raise NotImplementedError


def messages(prompt: Prompt) -> list[dict[str, str]]:
    """Return the turns, ours and the model's, as both SDKs take them."""
    roles = ("user", "assistant")
    return [{"role": roles[at % 2], "content": turn} for at, turn in enumerate(prompt.turns)]


def connector(
    service: Service,
    options: Options,
    client: str,
    endpoint: Callable[[ModuleType, Any, Service, float], SdkEndpoint],
    settings: Callable[[ModuleType], Mapping[str, object]] = lambda _: {},
) -> Connect:
    """Return what opens an endpoint. The SDK, an extra and slow, is imported with the first call.

    `client` is the name of the SDK's client, which is made with our settings and these.
    """

    @asynccontextmanager
    async def connect() -> AsyncIterator[Model]:
        lacks = problem(service.name, options)
        if lacks is not None:
            raise lacks
        try:
            sdk = import_module(service.name)
        except ImportError as error:
            raise _missing_sdk(service.name) from error
        timeout_s = options.timeout_s
        try:
            opened = getattr(sdk, client)(
                api_key=service.key or _NO_KEY,
                base_url=service.url,
                timeout=sdk.Timeout(timeout_s, connect=min(_CONNECT_S, timeout_s)),
                max_retries=_RETRIES,
                http_client=_http_client(sdk, service),
                **settings(sdk),
            )
        except (ValueError, OSError) as error:
            raise ConfigError(f"{service.name} at {service.url}: {error}") from error
        async with opened:
            yield endpoint(sdk, opened, service, timeout_s).ask

    return connect


def _http_client(sdk: ModuleType, service: Service) -> Any:
    """Return the SDK's own HTTP client (with the environment's proxies), bare of all headers that are not ours.

    The SDKs add what the environment says (organisation, custom headers, another key) and what they tell of the
    machine; a hook takes it off again.
    """

    async def strip(request: Any) -> None:
        for name in list(request.headers):
            if name.lower() not in _OURS and name.lower() not in _KEYS:
                del request.headers[name]
        for name in _KEYS:
            if name not in request.headers:
                continue
            if service.key:
                request.headers[name] = f"Bearer {service.key}" if name == _KEYS[0] else service.key
            else:
                del request.headers[name]

    return sdk.DefaultAsyncHttpxClient(follow_redirects=False, event_hooks={"request": [strip]})


async def answered(
    sdk: ModuleType, service: Service, timeout_s: float, call: Callable[[], Awaitable[Answer]]
) -> Answer:
    """Return what the call returns. Raise what its failure is, as the errors that Model raises."""
    import asyncio

    try:
        async with asyncio.timeout(_TRIES_IN_ALL * timeout_s):
            return await call()
    except sdk.APITimeoutError as error:
        raise _unavailable(service, f"no answer within {timeout_s} s") from error
    except TimeoutError as error:
        taken = f"{_TRIES_IN_ALL * timeout_s} s"
        raise _unavailable(service, f"no answer within {taken}, all tries together") from error
    except sdk.APIConnectionError as error:
        raise _unavailable(service, f"no connection, {service.words(_root(error))}") from error
    except sdk.APIStatusError as error:
        raise failure(service, refusal_of(error.status_code, error.body)) from error
    except (
        sdk.APIError,
        ValueError,
    ) as error:  # ValueError: a body that says it is JSON and is not
        raise nonsense(service) from error


def nonsense(service: Service) -> MemtoolError:
    """Return the error for an answer that is not what such an endpoint sends."""
    return _unavailable(service, "the answer is not one of such an endpoint")


def _root(error: BaseException) -> str:
    """Return the words of the error beneath: the SDKs wrap what their HTTP client wraps."""
    while True:
        below = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__
        if below is None:
            return str(error) or type(error).__name__
        error = below


def _unavailable(service: Service, what: str) -> UnavailableError:
    hint = "memtool tries again with the next run; if it stays so, look at summarizer.endpoint"
    return UnavailableError(f"{service.name} at {service.url}: {what}", hint=hint)
