"""What a store must hold after a command was killed, told from what it held before and from what it was offered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from memtool.ledger.reading import look
from memtool.model.calendar import Calendar
from memtool.model.levels import place_of
from memtool.model.records import EventId, NodeId, digest_of, event_id
from memtool.query.verify import verify
from memtool.store import keys
from memtool.store.store import Store, erasing
from tests.crash.history import AGENT
from tests.memory import UTC_CALENDAR, Memory

Line = Mapping[str, object]


class Fault(Exception):  # noqa: N818 - of the program under test
    """The store is not what it must be."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a reader finds."""

    events: frozenset[EventId] = frozenset()
    tombstones: frozenset[EventId] = frozenset()
    calendar: Calendar = UTC_CALENDAR
    is_half_built: bool = False
    is_erasing: bool = False
    stale: tuple[NodeId, ...] = ()


def facts(root: Path, now_us: int) -> Facts:
    """Read what is there. Raise Fault where `verify` finds anything, or where the ledger thinks that a job runs."""
    if not Memory(root).access.exists():
        return Facts()
    with Memory(root).access.reading() as store:
        found = verify(store, now_us)
        read = _read(store, found.stale)
    demand(found.problems, "verify is not healthy")
    running = [run.job for run in look(root).runs if run.result is None]
    demand(running, "the ledger shows a dead run as running")
    return read


def _read(store: Store, stale: list[NodeId]) -> Facts:
    ids = [EventId(key[-16:].hex()) for key, _ in store.engine.scan(keys.EVENTS)]
    index = [EventId(key.hex()) for key, _ in store.engine.scan(keys.IDS)]
    demand(sorted(ids) != sorted(set(index)), "an event is there twice, or not in the index")
    return Facts(
        frozenset(ids),
        frozenset(one.id for one in store.tombstones()),
        store.calendar,
        store.building() is not None,
        erasing(store) is not None,
        tuple(stale),
    )


def demand(wrong: object, what: str) -> None:
    """Raise Fault where something is wrong."""
    if wrong:
        shown = sorted(map(str, wrong)) if isinstance(wrong, set | frozenset) else wrong
        raise Fault(f"{what}: {str(shown)[:2000]}")


class Offered:
    """All lines that were ever written into transcripts, by the event that they speak of."""

    def __init__(self) -> None:
        self.lines: dict[EventId, list[Line]] = {}
        self.time_us: dict[EventId, int] = {}

    def add(self, lines: Iterable[Line]) -> None:
        for line in lines:
            known = self.lines.setdefault(id_of(line), [])
            if line not in known:
                known.append(line)
            if isinstance(time_us := line.get("time"), int):
                self.time_us[id_of(line)] = time_us

    def wanted(self, before: Facts) -> set[EventId]:
        """Return what an ingest that comes to its end takes in or has."""
        return self.time_us.keys() - before.tombstones

    def meant(self, selector: tuple[str, str], calendar: Calendar) -> set[EventId]:
        """Return the events that forgetting with this selector is about."""
        way, value = selector
        if way == "since":
            start_us, end_us = calendar.bounds_us(place_of(NodeId(f"day:{value}")).period)
            return {one for one, time_us in self.time_us.items() if start_us <= time_us < end_us}
        if way == "event":
            return {EventId(value)}
        name = "text" if way == "match" else "session"
        return {
            one
            for one, lines in self.lines.items()
            if any(value in str(line.get(name, "")) for line in lines)
        }


def id_of(line: Line) -> EventId:
    """Return the id that the store gives to a line, by docs/event-schema.md."""
    return event_id(digest_of("id", AGENT, str(line["id"])), 1)


def check_kept(before: Facts, after: Facts) -> None:
    """Check what no command but a restore may do: lose an event, or a tombstone."""
    demand(before.events - after.events - after.tombstones, "accepted events are lost")
    demand(after.events & after.tombstones, "events are back that were forgotten")
    demand(before.tombstones - after.tombstones, "tombstones are lost")


def check_unchanged(before: Facts, after: Facts) -> None:
    """Check a command that is not about events."""
    check_kept(before, after)
    demand(before.events ^ after.events, "events that this command has no business with")
    demand(before.tombstones ^ after.tombstones, "tombstones are not the same")


def check_ingest(
    before: Facts, after: Facts, offered: Offered, acknowledged: set[EventId], *, is_done: bool
) -> None:
    """Check that all that was acknowledged is there, and nothing that was not offered or was taken away."""
    check_kept(before, after)
    wanted = offered.wanted(before)
    demand(after.events - before.events - wanted, "events that nobody may take in")
    demand((acknowledged & wanted) - after.events, "acknowledged events are lost")
    demand(before.tombstones ^ after.tombstones, "tombstones are not the same")
    if is_done:
        demand(wanted - after.events, "offered events are missing after a whole ingest")


def check_forget(before: Facts, after: Facts, meant: set[EventId], *, is_done: bool) -> None:
    """Check that nothing but what is meant went, all of it if the command came to its end."""
    check_kept(before, after)
    demand(after.events - before.events, "new events by forgetting")
    demand((after.tombstones - before.tombstones) - meant, "other events are forgotten as well")
    if is_done:
        demand(after.events & meant, "what is to be forgotten is there")
        demand(after.is_erasing, "forgetting came to its end, its note did not")


def same_content(one: Facts, other: Facts) -> bool:
    """Return whether two stores hold the same events, tombstones and calendar."""
    return (one.events, one.tombstones, one.calendar) == (
        other.events,
        other.tombstones,
        other.calendar,
    )


def comparable(root: Path, now_us: int) -> dict[str, dict[bytes, bytes]]:
    """Return the closed part without its generation's number."""
    return {
        family: {key[4:]: value for key, value in rows.items()}
        for family, rows in Memory(root).closed_part(now_us).items()
    }
