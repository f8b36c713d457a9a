"""What must hold of a store after any crash."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from memtool.ledger.reading import look
from memtool.model.records import EventId
from memtool.query.verify import verify
from memtool.store import keys
from tests.crash.history import AFTER_ALL_US
from tests.memory import Memory

Rows = dict[str, dict[bytes, bytes]]


def problems(root: Path) -> list[object]:
    """Return what `verify` finds wrong."""
    with Memory(root).access.reading() as store:
        return list(verify(store, AFTER_ALL_US).problems)


def event_ids(root: Path) -> set[EventId]:
    """Return the ids of all events in the store; each is there once."""
    with Memory(root).access.reading() as store:
        found = [key[-16:].hex() for key, _ in store.engine.scan(keys.EVENTS)]
    assert len(found) == len(set(found))
    return {EventId(one) for one in found}


def assert_sound(root: Path, accepted: Iterable[EventId] = ()) -> None:
    """Check that nothing accepted is missing and nothing is half done."""
    assert event_ids(root) >= set(accepted)
    assert problems(root) == []


def closed_part(root: Path) -> Rows:
    """Return the closed part of the table of contents, byte for byte."""
    return Memory(root).closed_part(AFTER_ALL_US)


def everything(root: Path) -> Rows:
    """Return every key and value of the store."""
    return Memory(root).everything()


def results(root: Path, job: str) -> list[str | None]:
    """Return how each recorded run of the job ended."""
    return [run.result for run in look(root).runs if run.job == job]


def stale(root: Path) -> set[str]:
    """Return what is marked."""
    return {period.id for period in Memory(root).marks()}
