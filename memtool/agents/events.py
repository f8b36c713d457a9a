"""From the drafts of a record to its events, for agents whose records name themselves and stand in one session."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from memtool.agents.drafts import Draft, filled, sanitize
from memtool.model.records import RECORD_DIGITS, ROLES, Claim, Event, digest_of, event_id


class Where(msgspec.Struct, frozen=True):
    """Where a record was made. `project` is the session's; `directory` and `branch` are those of the moment."""

    agent: str
    reader: int
    session: str
    project: str
    directory: str = ""
    branch: str = ""
    subagent: str = ""
    """The id of the subagent that speaks, if one does."""


class Origin(msgspec.Struct, frozen=True):
    """Which record it is: `key` is the agent's own id of it, or what stands for one; `content` all that it says."""

    key: str
    content: str
    time_us: int
    parent: str = ""
    """The key of the record before it."""
    revision: int = 0
    """Its latest change, where it has one later than its time."""


def events_of(
    drafts: Iterable[Draft], where: Where, origin: Origin
) -> tuple[tuple[Event, ...], int]:
    """Return an event a draft, and how many secrets were masked."""
    about = filled(
        {
            "branch": where.branch,
            "directory": where.directory if where.directory != where.project else "",
            "sidechain": "true" if where.subagent else "",
            "agent_id": where.subagent,
        }
    )
    digest = record_digest(where.agent, origin.key)
    events: list[Event] = []
    redactions = 0
    for draft in drafts:
        clean = sanitize(draft.kind, draft.text, {**about, **draft.metadata})
        redactions += draft.redactions + clean.redactions
        events.append(
            Event(
                id=event_id(digest, draft.block),
                agent=where.agent,
                claims=(Claim(where.session, where.project),),
                time_us=origin.time_us,
                kind=draft.kind,
                role=ROLES[draft.kind],
                text=clean.text,
                digest=digest_of(origin.content),
                group=draft.group,
                parent=record_digest(where.agent, origin.parent)[:RECORD_DIGITS]
                if origin.parent
                else "",
                metadata=clean.metadata,
                revision=origin.revision or origin.time_us,
                reader=where.reader,
                redaction=clean.redaction,
            )
        )
    return tuple(events), redactions


def record_digest(agent: str, key: str) -> str:
    """Return the digest that the ids of a record's events are cut from."""
    return digest_of("id", agent, key)
