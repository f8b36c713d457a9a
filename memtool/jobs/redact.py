"""Applies today's rules of redaction to what older ones let through. IDs stay; what quotes a secret goes.

May be killed anywhere: an event that is done carries the version of the rules, and what was replaced is noted until no
file holds it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import msgspec
from msgspec.structs import replace

from memtool.agents.drafts import sanitized_again
from memtool.context import RunContext
from memtool.jobs.compact import Report as Compaction
from memtool.jobs.compact import compact_store
from memtool.jobs.forget import remove_leftovers, slices
from memtool.ledger.reading import blank
from memtool.model.merge import Identity
from memtool.model.records import FIRST_INSTANT_US, LAST_INSTANT_US, Event, EventId
from memtool.query.reader import Reader
from memtool.redact import may_hold_secrets, redact
from memtool.redact.rules import RULESET_VERSION
from memtool.store import erase
from memtool.store.access import Access, Lease
from memtool.store.erase import Masked, periods_over
from memtool.store.store import Erasing, Store, erasing
from memtool.store.toc import drop_half_built

SAMPLES = 5
_AROUND = 40
"""Characters of a sample on each side of its first new mask."""
_MASK = re.compile(r"\[redacted:([a-z0-9-]+)\]")


class Sample(msgspec.Struct, frozen=True):
    """An event in which something is masked, and its words around the first new mask."""

    id: EventId
    time_us: int
    kind: str
    excerpt: str


class Found(msgspec.Struct):
    """What today's rules find. `older`: events that only older rules have looked at; `masks`: new ones, by kind."""

    exists: bool = True
    zone: str = "UTC"
    rules: int = RULESET_VERSION
    older: int = 0
    events: int = 0
    masks: Counter[str] = msgspec.field(default_factory=Counter)
    days: set[int] = set()
    nodes: int = 0
    samples: list[Sample] = []
    erasing: Erasing | None = None

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do, in the store or in its files."""
        return not self.older and self.erasing is None


class Report(msgspec.Struct):
    """The result, right however the run ends: `looked_at` events, `masked` ones of them."""

    looked_at: int = 0
    masked: int = 0
    masks: Counter[str] = msgspec.field(default_factory=Counter)
    compaction: Compaction = msgspec.field(default_factory=Compaction)


def look(reader: Reader, on_progress: Callable[[int], None]) -> Found:
    """Return what would be masked now."""
    with reader.store() as store:
        if store is None:
            return Found(exists=False)
        found = Found(zone=store.calendar.zone, erasing=erasing(store))
        for number, event_id in enumerate(_older(store)):
            on_progress(number)
            _note(found, store, _masked(store.identity(event_id)))
        periods = periods_over(found.days, store.calendar.week_start)
        found.nodes = sum(store.has_node(period.id) for period in periods)
        return found


def _older(store: Store) -> Iterator[EventId]:
    """Yield the events of which some revision was masked by older rules, in order of time."""
    superseded = {one.id for one in store.revisions() if one.redaction < RULESET_VERSION}
    for event in store.events(FIRST_INSTANT_US, LAST_INSTANT_US):
        if event.redaction < RULESET_VERSION or event.id in superseded:
            yield event.id


def _masked(before: Identity) -> Masked:
    after = (
        one if one.redaction >= RULESET_VERSION else sanitized_again(one)
        for one in before.revisions
    )
    return Masked(before, replace(before, revisions=tuple(after)))


def _note(found: Found, store: Store, one: Masked) -> None:
    found.older += 1
    if not one.quoted:
        return
    found.events += 1
    found.masks.update(_new_masks(one))
    found.days |= {store.calendar.day_of(event.time_us) for event in one.quoted}
    if len(found.samples) < SAMPLES:
        found.samples.append(_sample(one))


def _new_masks(one: Masked) -> Counter[str]:
    return _masks(one.after.revisions) - _masks(one.before.revisions)


def _masks(events: Sequence[Event]) -> Counter[str]:
    texts = (text for event in events for text in (event.text, *event.metadata.values()))
    return Counter(name for text in texts for name in _MASK.findall(text))


def _sample(one: Masked) -> Sample:
    """Return the event's words around a mask, never what is masked."""
    pairs = zip(one.before.revisions, one.after.revisions, strict=True)
    old, new = next(pair for pair in pairs if pair[0] in one.quoted)
    names = ("", *new.metadata)
    texts = [(old.text, new.text), *((old.metadata.get(k, ""), new.metadata[k]) for k in names[1:])]
    was, now = next(((a, b) for a, b in texts if a != b), ("", new.text))
    first = next((at for at, (a, b) in enumerate(zip(was, now, strict=False)) if a != b), 0)
    mask = _MASK.search(now, max(0, first - _AROUND)) or _MASK.search(now)
    start, end = mask.span() if mask else (0, 0)
    low, high = max(0, start - _AROUND), min(len(now), end + _AROUND)
    excerpt = " ".join(now[low:high].split())
    return Sample(
        new.id, new.time_us, new.kind, f"{'…' * (low > 0)}{excerpt}{'…' * (high < len(now))}"
    )


def redact_again(context: RunContext, report: Report) -> None:
    """Mask what today's rules find in all that is stored, then rewrite the files, if anything was replaced."""
    access = Access(context.root)
    if not access.exists():
        return
    with context.tree():  # a rollup could write again what it has read before
        with access.reading() as store:
            ids = list(_older(store))
            is_begun = erasing(store) is not None
        with access.lease(context.writer) as lease:
            if is_begun:  # what an ingest has replaced since, or a killed run
                _drop_copies(context, lease)
            for part in slices(context, ids, "events"):
                changes = [_masked(lease.store().identity(event_id)) for event_id in part]
                changes = [one for one in changes if one.before.revisions]  # else forgotten since
                if not is_begun and any(one.quoted for one in changes):
                    is_begun = True
                    _drop_copies(context, lease)
                erase.mask_events(lease.store(), changes, context.now_us)
                _count(context, report, changes)
            erase.put_rules_applied(lease.store(), RULESET_VERSION)
    if is_begun:
        compact_store(context, access, report.compaction)


def _drop_copies(context: RunContext, lease: Lease) -> None:
    """Drop what may hold a secret beside the events: stale nodes, a half-built rebuild, texts of the ledger."""
    blank(context.root, lambda text: may_hold_secrets(text, {}) and redact(text).count > 0)
    remove_leftovers(context.root)
    drop_half_built(lease.store())
    for nodes in slices(context, erase.suspect_nodes(lease.store()), "stale nodes"):
        erase.drop_nodes(lease.store(), nodes, context.now_us)


def _count(context: RunContext, report: Report, changes: Sequence[Masked]) -> None:
    masked = [one for one in changes if one.quoted]
    report.looked_at += len(changes)
    report.masked += len(masked)
    for one in masked:
        report.masks.update(_new_masks(one))
    context.tally.events = report.masked
    context.tally.details |= {
        "events_looked_at": report.looked_at,
        "redactions": report.masks.total(),
    }
