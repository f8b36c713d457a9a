"""memtool's own event lines (docs/event-schema.md): what any other agent can write, and what export writes."""

from __future__ import annotations

import json
import re
from typing import Annotated, TypeVar

import msgspec

from memtool.agents.drafts import Ordinals, sanitize
from memtool.agents.outcomes import EXPIRED, Disposition, Outcome
from memtool.agents.registry import File, Format, Parser
from memtool.agents.values import (
    JsonObject,
    canonical,
    in_range,
    instant_us,
    rfc3339,
    text_at,
)
from memtool.model.records import (
    RECORD_DIGITS,
    ROLES,
    Claim,
    Event,
    EventId,
    Record,
    Rewind,
    Tombstone,
    digest_of,
    event_id,
)

_KINDS = frozenset(ROLES)
_ROLES = frozenset(ROLES.values())
_REASONS = frozenset({"forgotten"})
_EXPIRED = "expired"
"""The reason of tombstones that an older memtool's retention left: they are counted and passed over."""
_NOT_IN_DIGEST = frozenset({"session", "project", "claims", "redaction", "rewound", "reader"})
_TELLING = frozenset({"agent", "session", "kind", "time"})
_HEX_32 = re.compile(r"[0-9a-f]{32}")
MAX_METADATA = 100
ADDED_NAME = "size_bytes"
"""The name that memtool itself adds where it shortens text: what it has exported it must take."""

# The lines as they must be; null counts as missing, and fields that are not here as content (`_NOT_IN_DIGEST`).
Name = Annotated[str, msgspec.Meta(min_length=1)]
Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None


class ClaimField(msgspec.Struct, frozen=True):
    """One of an event's `claims`."""

    session: Name
    project: str | None = None


class EventLine(msgspec.Struct, frozen=True):
    """The fields of an event."""

    agent: Name
    session: Name
    kind: str
    time: int | str
    id: str | None = None
    project: str | None = None
    claims: list[ClaimField] | None = None
    role: str | None = None
    text: str | None = None
    digest: str | None = None
    group: str | None = None
    parent: str | None = None
    metadata: dict[str, str | int | float | bool] | None = None
    revision: Number = None
    redaction: Number = None
    rewound: bool | None = None
    reader: Number = None


class TombstoneLine(msgspec.Struct, frozen=True):
    """The fields of a tombstone."""

    id: Name
    reason: str
    time: int | str
    agent: str | None = None


class RewindLine(msgspec.Struct, frozen=True):
    """The fields of a rewind."""

    id: Name
    agent: str | None = None
    revision: Number = None


_Line = TypeVar("_Line", EventLine, TombstoneLine, RewindLine)
_MISSING = re.compile(r"Object missing required field `(\w+)`$")
_EMPTY = ("got `null`", "of length >= 1")
_WRONG = re.compile(r"(.*) - at `\$\.(\w+)(.*)`$")


class FieldError(ValueError):
    """A field that is missing, or does not hold what it must."""


class Jsonl(Format):
    """Lines of the event schema, from any program."""

    def recognises(self, record: JsonObject) -> bool:
        """Return whether the object is a record of the schema, if perhaps not a valid one."""
        kind = record.get("type", "event")
        if kind == "event":
            return len(_TELLING & record.keys()) > 1
        return kind in ("tombstone", "rewind") and "id" in record

    def parser(self, file: File) -> JsonlParser:
        """Return what reads one file."""
        return JsonlParser(file)


FORMAT = Jsonl()


class JsonlParser(Parser):
    """Reads the lines of one file in order."""

    def __init__(self, file: File) -> None:
        self._ordinals = Ordinals(file, _raw_key)

    def parse(self, record: JsonObject) -> Outcome:
        """Return the event, tombstone or rewind that the line states."""
        kind = text_at(record, "type") if "type" in record else "event"
        try:
            if kind == "event":
                return self._event(record)
            if kind == "tombstone":
                if record.get("reason") == _EXPIRED:
                    return Outcome(Disposition.IGNORED, EXPIRED)
                return Outcome(Disposition.TAKEN, kind, (_tombstone(record),))
            if kind == "rewind":
                return Outcome(Disposition.TAKEN, kind, (_rewind(record),))
        except FieldError as error:
            return Outcome(Disposition.DAMAGED, str(error))
        return Outcome(Disposition.UNKNOWN, kind or "(no type)")

    def _event(self, record: JsonObject) -> Outcome:
        # An equal of a record without an id has none either, valid or not: each is counted.
        ordinal = 0 if record.get("id") else self._ordinals.next(record, "")
        line = _line(record, EventLine)
        kind = _choice("kind", line.kind, _KINDS)
        text, metadata = line.text or "", _metadata(line)
        clean = sanitize(kind, text, metadata)
        stated = line.redaction or 0
        # The version of the rules that shaped the text is the stated one, where today's find nothing more: then two
        # stores that exchange an event that was redacted long ago hold the very same one.
        is_as_stated = bool(stated) and (clean.text, clean.metadata) == (text, metadata)
        time_us = _time_us(line.time)
        own = Claim(line.session, line.project or "")
        event = Event(
            id=_id(line.id, line.agent) or _raw_id(record, time_us, ordinal),
            agent=line.agent,
            claims=tuple(
                sorted({own, *(Claim(c.session, c.project or "") for c in line.claims or ())})
            ),
            time_us=time_us,
            kind=kind,
            role=_choice("role", line.role or ROLES[kind], _ROLES),
            text=clean.text,
            digest=_digest(line) or digest_of(canonical(record, _NOT_IN_DIGEST)),
            group=line.group or "",
            parent=(_id(line.parent, line.agent) or "")[:RECORD_DIGITS],
            metadata=clean.metadata,
            revision=line.revision or 0,
            redaction=stated if is_as_stated else max(clean.redaction, stated),
            rewound=bool(line.rewound),
            reader=line.reader or 0,
        )
        return Outcome(Disposition.TAKEN, "event", _with_rewind(event), clean.redactions)


def _line(record: JsonObject, kind: type[_Line]) -> _Line:
    """Return the record's fields. Raise FieldError naming the one that is missing or wrong."""
    try:
        return msgspec.convert(record, kind)
    except msgspec.ValidationError as error:
        raise FieldError(_in_words(str(error))) from error


def _in_words(error: str) -> str:
    """Return msgspec's message with the name of the field first."""
    if missing := _MISSING.match(error):
        return f"{missing[1]}: missing"
    if wrong := _WRONG.match(error):
        what, name, below = wrong.groups()
        if what.endswith(_EMPTY):
            return f"{name}: missing{below}"
        return f"{name}: {what[0].lower()}{what[1:]}" + (f" at {below}" if below else "")
    return error


def _choice(name: str, value: str, choices: frozenset[str]) -> str:
    if value not in choices:
        raise FieldError(f"{name}: {value[:40]!r} is none of {', '.join(sorted(choices))}")
    return value


def _digest(line: EventLine) -> str | None:
    if line.digest and not _HEX_32.fullmatch(line.digest):
        raise FieldError("digest: not 32 lower-case hex digits")
    return line.digest


def _metadata(line: EventLine) -> dict[str, str]:
    """Return names and texts; numbers and truth values are taken as their JSON text."""
    metadata = line.metadata or {}
    if len(metadata.keys() - {ADDED_NAME}) > MAX_METADATA:
        raise FieldError(f"metadata: more than {MAX_METADATA} names")
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in metadata.items()
    }


def _time_us(value: int | str) -> int:
    """Return the field `time`: RFC 3339 with a zone, or whole microseconds since 1970."""
    time_us = in_range(value) if isinstance(value, int) else instant_us(value)
    if time_us is None:
        raise FieldError("time: no instant from 1970 to 2200")
    return time_us


def _id(value: str | None, agent: str | None) -> EventId | None:
    """Return the event that a field such as `id` names, or None where it is missing."""
    if not value:
        return None
    if _HEX_32.fullmatch(value):
        return EventId(value)
    if not agent:
        raise FieldError("agent: missing, and the id is not 32 lower-case hex digits")
    return event_id(digest_of("id", agent, value), 1)


def _with_rewind(event: Event) -> tuple[Record, ...]:
    """Return the event, and where its source took it back what says so: a flag alone is lost when records join."""
    return (event, Rewind(event.id, event.revision)) if event.rewound else (event,)


def encode(record: Record) -> str:
    """Return the record as one line of the schema, without its newline."""
    if isinstance(record, Tombstone):
        fields: dict[str, object] = {
            "type": "tombstone",
            "id": record.id,
            "reason": record.reason,
            "time": rfc3339(record.time_us),
        }
    elif isinstance(record, Rewind):
        fields = {"type": "rewind", "id": record.id, "revision": record.revision}
    else:
        fields = _event_fields(record)
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def _event_fields(event: Event) -> dict[str, object]:
    optional: dict[str, object] = {
        "project": event.project,
        "role": "" if event.role == ROLES[event.kind] else event.role,
        "group": event.group,
        "parent": f"{event.parent}0000" if event.parent else "",
        "metadata": dict(sorted(event.metadata.items())),
        "claims": [
            {"session": claim.session, "project": claim.project} for claim in event.claims[1:]
        ],
        "revision": event.revision,
        "redaction": event.redaction,
        "rewound": event.rewound,
        "reader": event.reader,
    }
    return {
        "type": "event",
        "id": event.id,
        "agent": event.agent,
        "session": event.session,
        "time": rfc3339(event.time_us),
        "kind": event.kind,
        "text": event.text,
        "digest": event.digest,
        **{name: value for name, value in optional.items() if value},
    }


def _raw_key(record: JsonObject) -> str:
    return digest_of(text_at(record, "session"), canonical(record, _NOT_IN_DIGEST))


def _raw_id(record: JsonObject, time_us: int, ordinal: int) -> EventId:
    content = canonical(record, _NOT_IN_DIGEST)
    return event_id(digest_of("raw", text_at(record, "session"), content, time_us, ordinal), 1)


def _tombstone(record: JsonObject) -> Tombstone:
    line = _line(record, TombstoneLine)
    reason = _choice("reason", line.reason, _REASONS)
    return Tombstone(_named(line), reason, _time_us(line.time))


def _rewind(record: JsonObject) -> Rewind:
    line = _line(record, RewindLine)
    return Rewind(_named(line), line.revision or 0)


def _named(line: TombstoneLine | RewindLine) -> EventId:
    named = _id(line.id, line.agent)
    assert named is not None, line
    return named
