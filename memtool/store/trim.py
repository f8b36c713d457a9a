"""Sessions' rows that say no more than is left of the sessions: bounds, agents and projects of what is gone go too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from memtool.core.model import Event
from memtool.store import codec, families
from memtool.store.capture import widened
from memtool.store.codec import Session
from memtool.store.store import Store

_ALWAYS = 1 << 62


def loose_sessions(store: Store) -> list[str]:
    """Return the sessions whose rows say more than the events that are left."""
    left: dict[str, Session] = {}
    for event in store.events(0, _ALWAYS):
        for claim in event.claims:
            left[claim.session] = widened(left.get(claim.session), event, claim.project)
    return [name for name, row in store.sessions() if row != left.get(name)]


def trim_session(store: Store, name: str) -> None:
    """Write the session's row anew from what is left of it, or remove it. The caller holds the writer."""
    row = store.session(name)
    if row is None:
        return
    left: Session | None = None
    for event, project in _claimed(store.events(row.first_us, row.last_us + 1), name):
        left = widened(left, event, project)
    if left == row:
        return
    batch = store.engine.batch()
    if left is None:
        batch.delete(families.SESSIONS, name.encode())
    else:
        batch.put(families.SESSIONS, name.encode(), codec.SESSION.encode(left))
    store.engine.write(batch, sync=False)


def _claimed(events: Iterable[Event], session: str) -> Iterator[tuple[Event, str]]:
    for event in events:
        for claim in event.claims:
            if claim.session == session:
                yield event, claim.project
