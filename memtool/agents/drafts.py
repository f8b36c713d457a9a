"""From the words of a source to an event: redact, then shorten, then record the version of the rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import lru_cache

import msgspec
from msgspec.structs import replace

from memtool.agents.registry import File
from memtool.agents.values import JsonObject
from memtool.model.actions import METADATA_KEY, with_texts
from memtool.model.records import ROLES, Claim, Event, event_id
from memtool.redact import may_hold_secrets, redact, redact_account, redact_field, shorten
from memtool.redact.rules import RULESET_VERSION

MAX_TEXT = 64_000
MAX_METADATA_TEXT = 4_000
LIMITS = {"tool_result": 4_000, "tool_call": 4_000}
"""Characters of text kept per kind; MAX_TEXT for all others."""


class Draft(msgspec.Struct, frozen=True):
    """What one block of a record says. `typed` is what a person entered; `redactions` were made on the way."""

    block: int
    kind: str
    text: str
    metadata: dict[str, str] = {}
    group: str = ""
    typed: str = ""
    redactions: int = 0


class Sanitized(msgspec.Struct, frozen=True):
    """Text and metadata fit for the store, and how many secrets were masked."""

    text: str
    metadata: dict[str, str]
    redactions: int
    redaction: int = RULESET_VERSION


def sanitize(kind: str, text: str, metadata: Mapping[str, str]) -> Sanitized:
    """Return text and metadata without secrets and within the limits; `size_bytes` is the true size of cut text."""
    clean = redact(text)
    short = shorten(clean.text, LIMITS.get(kind, MAX_TEXT))
    fields = dict(metadata)
    redactions = clean.count
    for name, value in metadata.items():
        account = redact_account(name, value)
        if account.count:
            fields[name] = account.text
            redactions += account.count
    if short != clean.text:
        fields.setdefault("size_bytes", str(len(text.encode())))
    if may_hold_secrets("", fields):  # one look at all of them
        for name, value in fields.items():
            field = redact_field(name, value)
            fields[name] = field.text
            redactions += field.count
    return Sanitized(
        text=short,
        metadata={name: shorten(fields[name], MAX_METADATA_TEXT) for name in sorted(fields)},
        redactions=redactions,
    )


def sanitized_again(event: Event) -> Event:
    """Return a stored event as today's rules of redaction leave it."""
    metadata = dict(event.metadata)
    line = metadata.get(METADATA_KEY, "")
    if may_hold_secrets(
        line, {}
    ):  # masked within its texts: a mask across a bracket would leave no JSON
        metadata[METADATA_KEY] = with_texts(line, lambda text: redact(text).text)
    clean = sanitize(event.kind, event.text, metadata)
    return replace(
        event,
        text=clean.text,
        metadata=clean.metadata,
        redaction=max(event.redaction, clean.redaction),
    )


@lru_cache(maxsize=256)
def about_of(branch: str, directory: str, agent_id: str, *, is_sidechain: bool) -> dict[str, str]:
    """Return the metadata that nearly all records of a session share. `directory`: if it is not the project."""
    sidechain = "true" if is_sidechain else ""
    names = ("branch", "directory", "sidechain", "agent_id")
    shared = dict(zip(names, (branch, directory, sidechain, agent_id), strict=True))
    return sanitize("note", "", filled(shared)).metadata


def filled(metadata: dict[str, str]) -> dict[str, str]:
    """Return the metadata without what is empty."""
    return {name: value for name, value in metadata.items() if value}


def event_of(
    draft: Draft,
    record: str,
    *,
    agent: str,
    reader: int,
    claim: Claim,
    time_us: int,
    revision: int,
    digest: str,
    about: Mapping[str, str],
    parent: str = "",
) -> tuple[Event, int]:
    """Return the draft as an event of the record with this digest, and how many secrets were masked.

    `about` is metadata that is clean already, `parent` the record before it.
    """
    clean = sanitize(draft.kind, draft.text, draft.metadata)
    event = Event(
        id=event_id(record, draft.block),
        agent=agent,
        claims=(claim,),
        time_us=time_us,
        kind=draft.kind,
        role=ROLES[draft.kind],
        text=clean.text,
        digest=digest,
        group=draft.group,
        parent=parent,
        metadata=dict(sorted({**about, **clean.metadata}.items())),
        revision=revision,
        redaction=clean.redaction,
        reader=reader,
    )
    return event, draft.redactions + clean.redactions


class Ordinals:
    """Counts equal records within a file: this tells those apart that have no id.

    Where reading resumed in the middle, the part before is gone through once for each scope: a word that all equals
    share in their lines ("" for none), so that most lines need no parsing.
    """

    def __init__(self, file: File, key_of: Callable[[JsonObject], str]) -> None:
        self._file = file
        self._key_of = key_of
        self._seen: dict[str, Counter[str]] = {}

    def next(self, record: JsonObject, scope: str) -> int:
        """Return how many equals of the record came before it; from now on it is one of them."""
        if scope not in self._seen:
            self._seen[scope] = Counter(map(self._key_of, self._file.earlier(scope)))
        key = self._key_of(record)
        self._seen[scope][key] += 1
        return self._seen[scope][key] - 1
