"""What both SDKs are used with: a client that sends what we send and nothing more, and one name for each failure.

Text of a transcript goes to the configured address alone: no redirect is followed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from importlib import import_module
from types import ModuleType
from typing import Any, Protocol, TypeVar

from memtool.errors import ConfigError, MemtoolError, UnavailableError
from memtool.summarize.models.failures import Service, failure, refusal_of
from memtool.summarize.models.readiness import missing_sdk

_RETRIES = 4
"""After the first try; the SDKs wait as Retry-After says, else 0.5 to 8 seconds, each time longer."""
_TRIES_IN_ALL = 4
"""A call with all its retries and waits may take this many time-outs: it ends even where an answer drips for ever."""
_CONNECT_S = 10
_NO_KEY = "none"
"""The SDKs want one; a client without a key sends none (see `http_client`)."""

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

Answer = TypeVar("Answer")


class _Outgoing(Protocol):
    @property
    def headers(self) -> MutableMapping[str, str]: ...


def http_client(sdk: ModuleType, service: Service) -> Any:
    """Return the SDK's own HTTP client (with the environment's proxies), bare of all headers that are not ours.

    The SDKs add what the environment says (organisation, custom headers, another key) and what they tell of the
    machine; a hook takes it off again.
    """

    async def strip(request: _Outgoing) -> None:
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


def sdk_named(name: str) -> ModuleType:
    """Return the SDK, imported with the first call: it is an extra, and slow. Raise ConfigError where it is missing."""
    try:
        return import_module(name)
    except ImportError as error:
        raise missing_sdk(name) from error


def client_of(
    kind: Callable[..., Any], sdk: ModuleType, service: Service, timeout_s: float, **more: object
) -> Any:
    """Return a client of that kind for the service. Raise ConfigError where it cannot be made of these settings."""
    try:
        return kind(
            api_key=service.key or _NO_KEY,
            base_url=service.url,
            timeout=sdk.Timeout(timeout_s, connect=min(_CONNECT_S, timeout_s)),
            max_retries=_RETRIES,
            http_client=http_client(sdk, service),
            **more,
        )
    except (ValueError, OSError) as error:
        raise ConfigError(f"{service.name} at {service.url}: {error}") from error


async def answered(
    sdk: ModuleType, service: Service, timeout_s: float, call: Callable[[], Awaitable[Answer]]
) -> Answer:
    """Return what the call returns. Raise what its failure is, by the names that Endpoint knows."""
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
