"""The last step from a source's words to an event: redact, then shorten, then sign with the ruleset's version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from memtool.redact import Redacted, may_hold_secrets, redact, redact_field, shorten
from memtool.redact.rules import RULESET_VERSION

MAX_TEXT = 64_000
MAX_METADATA_TEXT = 4_000
LIMITS = {"tool_result": 4_000, "tool_call": 4_000}
"""Characters of text kept per kind; MAX_TEXT for all others."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """Text and metadata fit for the store, and how many secrets were masked."""

    text: str
    metadata: dict[str, str]
    redactions: int
    redaction: int = RULESET_VERSION


def seal(kind: str, text: str, metadata: Mapping[str, str]) -> Sealed:
    """Return text and metadata without secrets and within the limits; `size_bytes` tells the true size of cut text."""
    is_suspect = may_hold_secrets(text, metadata)  # one look at all of it: hardly any does
    clean = redact(text) if is_suspect else Redacted(text, 0)
    short = shorten(clean.text, LIMITS.get(kind, MAX_TEXT))
    kept = dict(metadata)
    if short != clean.text:
        kept.setdefault("size_bytes", str(len(text.encode())))
    fields = {
        name: redact_field(name, value) if is_suspect else Redacted(value, 0)
        for name, value in sorted(kept.items())
    }
    return Sealed(
        text=short,
        metadata={name: shorten(field.text, MAX_METADATA_TEXT) for name, field in fields.items()},
        redactions=clean.count + sum(field.count for field in fields.values()),
    )
