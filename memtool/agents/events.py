"""From the drafts of a record to its events, for agents whose records name themselves and stand in one session."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from memtool.agents.drafts import Draft, about_of, event_of
from memtool.model.records import RECORD_DIGITS, Claim, Event, digest_of


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
    about = about_of(
        where.branch,
        where.directory if where.directory != where.project else "",
        where.subagent,
        is_sidechain=bool(where.subagent),
    )
    record = record_digest(where.agent, origin.key)
    content = digest_of(origin.content)
    parent = record_digest(where.agent, origin.parent)[:RECORD_DIGITS] if origin.parent else ""
    made = [
        event_of(
            draft,
            record,
            agent=where.agent,
            reader=where.reader,
            claim=Claim(where.session, where.project),
            time_us=origin.time_us,
            revision=origin.revision or origin.time_us,
            digest=content,
            about=about,
            parent=parent,
        )
        for draft in drafts
    ]
    return tuple(event for event, _ in made), sum(masked for _, masked in made)


def record_digest(agent: str, key: str) -> str:
    """Return the digest that the ids of a record's events are cut from."""
    return digest_of("id", agent, key)
