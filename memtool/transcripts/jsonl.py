"""memtool's own event lines (docs/event-schema.md): what any other agent can write, and what export writes."""

from __future__ import annotations

import json

from memtool.core.digest import digest_of
from memtool.core.model import ROLES, Claim, Event, EventId, Record, Rewind, Tombstone, event_id
from memtool.transcripts import Fate, File, Outcome
from memtool.transcripts.fields import (
    FieldError,
    bool_of,
    choice_of,
    claims_of,
    digest_field,
    id_of,
    integer_of,
    metadata_of,
    parent_of,
    required_text,
    text_of,
    time_of,
)
from memtool.transcripts.ordinals import Ordinals
from memtool.transcripts.sealing import Sealed, seal
from memtool.transcripts.times import rfc3339
from memtool.transcripts.values import JsonObject, canonical, text_at

NAME = "jsonl"
_KINDS = frozenset(ROLES)
_ROLES = frozenset(ROLES.values())
_REASONS = frozenset({"forgotten"})
_EXPIRED = "expired"
"""The reason of tombstones that an older memtool's retention left: they are counted and passed over."""
_NOT_IN_DIGEST = frozenset({"session", "project", "claims", "redaction", "rewound"})
_TELLING = frozenset({"agent", "session", "kind", "time"})


class Jsonl:
    """The format's row in the table."""

    name = NAME
    place_key = ""

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


class JsonlParser:
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
                    return Outcome(Fate.IGNORED, "expired tombstone")
                return Outcome(Fate.TAKEN, kind, (_tombstone(record),))
            if kind == "rewind":
                return Outcome(Fate.TAKEN, kind, (_rewind(record),))
        except FieldError as error:
            return Outcome(Fate.DAMAGED, str(error))
        return Outcome(Fate.UNKNOWN, kind or "(no type)")

    def _event(self, record: JsonObject) -> Outcome:
        # An equal of a record without an id has none either, valid or not: each is counted.
        ordinal = 0 if record.get("id") else self._ordinals.next(record, "")
        agent = required_text(record, "agent")
        own = Claim(required_text(record, "session"), text_of(record, "project"))
        kind = choice_of(record, "kind", _KINDS)
        sealed = seal(kind, text_of(record, "text"), metadata_of(record))
        time_us = time_of(record)
        event = Event(
            id=id_of(record, agent) or _raw_id(record, time_us, ordinal),
            agent=agent,
            claims=claims_of(record, own),
            time_us=time_us,
            kind=kind,
            role=choice_of(record, "role", _ROLES, ROLES[kind]),
            text=sealed.text,
            digest=digest_field(record) or digest_of(canonical(record, _NOT_IN_DIGEST)),
            group=text_of(record, "group"),
            parent=parent_of(record, agent),
            metadata=sealed.metadata,
            revision=integer_of(record, "revision"),
            redaction=_redaction(record, sealed),
            rewound=bool_of(record, "rewound"),
        )
        return Outcome(Fate.TAKEN, "event", _with_rewind(event), sealed.redactions)


def _redaction(record: JsonObject, sealed: Sealed) -> int:
    """Return the version of the rules that shaped the text: the stated one, where today's find nothing more.

    Then two stores that exchange an event that was redacted long ago hold the very same one.
    """
    stated = integer_of(record, "redaction")
    is_as_stated = (sealed.text, sealed.metadata) == (text_of(record, "text"), metadata_of(record))
    return stated if stated and is_as_stated else max(sealed.redaction, stated)


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
    reason = choice_of(record, "reason", _REASONS)
    return Tombstone(_required_id(record), reason, time_of(record))


def _rewind(record: JsonObject) -> Rewind:
    return Rewind(_required_id(record), integer_of(record, "revision"))


def _required_id(record: JsonObject) -> EventId:
    named = id_of(record, text_of(record, "agent"))
    if named is None:
        raise FieldError("id: missing")
    return named
