"""What a provider's refusal means: whether it is this prompt, the time, or a setting. Pure; words are matched last."""

from __future__ import annotations

import re
from dataclasses import dataclass

from memtool.errors import ConfigError, MemtoolError, UnavailableError
from memtool.summarize.check import SummaryFailed
from memtool.summarize.models.answer import tidy
from memtool.summarize.models.endpoint import PromptTooLong
from memtool.summarize.models.readiness import KEY_PLACES
from memtool.summarize.text.plain import shorten

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


@dataclass(frozen=True, slots=True)
class Service:
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


@dataclass(frozen=True, slots=True)
class Refusal:
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
    text = f"{service.name} at {service.url}: {_said(service, refusal)}"
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


def _said(service: Service, refusal: Refusal) -> str:
    said = service.words(refusal.said)
    return f"HTTP {refusal.status}" + (f", {said}" if said else "")
