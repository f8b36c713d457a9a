"""Reads what a person told memtool itself: the notes that stand, and what was settled. Loads nothing that writes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from memtool.errors import UsageError
from memtool.model.records import BY_HAND, Event, is_by_hand
from memtool.query.names import MIN_DIGITS, ambiguous
from memtool.store.store import Store

_ID = re.compile(r"[0-9a-f]+")


def noted(store: Store) -> Iterator[Event]:
    """Yield the notes by hand that stand, the newest first. Only the days that have any are read."""
    sessions = [row for _, row in store.sessions(BY_HAND)]
    for row in sorted(sessions, key=lambda each: each.last_us, reverse=True):
        for event in store.events_back(row.first_us, row.last_us + 1):
            if is_note(event):
                yield event


def is_note(event: Event) -> bool:
    """Return whether an event is a note by hand, or of an agent, that was not taken back."""
    return event.kind == "note" and is_by_hand(event.session) and not event.rewound


def note_named(store: Store, text: str) -> Event:
    """Return the note whose ID begins so. Raise UsageError if there is none, or several."""
    digits = text.strip("[] ").lower()
    is_id = len(digits) >= MIN_DIGITS and _ID.fullmatch(digits) is not None
    every = (store.event(one) for one in sorted(store.ids_from(digits))) if is_id else ()
    found = [event for event in every if event is not None and is_note(event)]
    if not found:
        raise UsageError(f"there is no note {text}", hint="memtool note lists the notes")
    if len(found) > 1:
        raise ambiguous(digits, "notes", [event.id for event in found])
    return found[0]


def settlements(store: Store) -> list[Event]:
    """Return the events that settle items, without those that were taken back."""
    return [
        event
        for _, row in store.sessions(BY_HAND)
        for event in store.events(row.first_us, row.last_us + 1)
        if event.kind == "settled" and not event.rewound
    ]
