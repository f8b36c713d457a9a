"""What an event id means after any records about it, in any order: a join that commutes and repeats harmlessly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import replace

from memtool.model.records import Claim, Event, Record, Rewind, Tombstone


class Identity(msgspec.Struct, frozen=True):
    """All that is known of one event id: revisions (newest first), the greatest rewind, a tombstone."""

    revisions: tuple[Event, ...] = ()
    rewind: int | None = None
    tombstone: Tombstone | None = None

    @property
    def current(self) -> Event | None:
        """The newest revision, rewound or not; None where nothing is known or the id was forgotten."""
        return self.revisions[0] if self.revisions else None


NOTHING = Identity()


def merged(known: Identity, records: Sequence[Record]) -> Identity:
    """Return what is known after these records of the same id."""
    if len(records) == 1 and (quick := _merged_event(known, records[0])) is not None:
        return quick
    events = list(known.revisions)
    rewind, tombstone = known.rewind, known.tombstone
    for record in records:
        if isinstance(record, Event):
            events.append(record)
        elif isinstance(record, Rewind):
            rewind = record.revision if rewind is None else max(rewind, record.revision)
        else:
            tombstone = min(tombstone or record, record, key=lambda stone: stone.time_us)
    if tombstone is not None:
        return Identity((), rewind, tombstone)
    return Identity(_revisions(events, rewind), rewind, None)


def _merged_event(known: Identity, event: Record) -> Identity | None:
    """Return what nearly every ingest comes to: an event that is all there is, or that is known as it is; else None."""
    if not isinstance(event, Event) or known.tombstone is not None:
        return None
    if known.revisions:
        return known if known.revisions[0] == event else None
    is_plain = known.rewind is None and len(event.claims) == 1 and not event.rewound
    return Identity((event,)) if is_plain else None


def _revisions(events: list[Event], rewind: int | None) -> tuple[Event, ...]:
    claims = _united(claim for event in events for claim in event.claims)
    by_digest: dict[str, Event] = {}
    for event in events:
        rival = by_digest.get(event.digest)
        if rival is None or _rank(event) > _rank(rival):
            by_digest[event.digest] = event
    newest_first = sorted(by_digest.values(), key=lambda e: (e.revision, e.digest), reverse=True)
    return tuple(_as_known(event, claims, rewind) for event in newest_first)


def _united(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """Return one claim a session: of several projects that were seen for it, the least that has a name."""
    projects: dict[str, str] = {}
    for claim in claims:
        seen = projects.get(claim.session, "")
        named = [project for project in (seen, claim.project) if project]
        projects[claim.session] = min(named, default="")
    return tuple(Claim(*row) for row in sorted(projects.items()))


def _as_known(event: Event, claims: tuple[Claim, ...], rewind: int | None) -> Event:
    is_rewound = rewind is not None and event.revision <= rewind
    if event.claims == claims and event.rewound == is_rewound:
        return event  # nearly always: a copy is not free
    return replace(event, claims=claims, rewound=is_rewound)


def _rank(event: Event) -> tuple[int, int, int, str]:
    """Among copies of one record the newer reader counts, then the newer redaction, then the greater revision.

    The rest only makes the choice the same in any order.
    """
    unclaimed = replace(event, claims=(Claim("", ""),))
    return event.reader, event.redaction, event.revision, unclaimed.body_digest()
