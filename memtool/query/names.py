"""IDs as people type and read them: unique prefixes, and the shortest of them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct, field

from memtool.errors import UsageError
from memtool.model.levels import Segment, parse_segment
from memtool.model.records import Cut, GripId, is_by_hand
from memtool.store.store import Store

MIN_DIGITS = 4
SHOWN_DIGITS = 6
"""Digits of a grip that are shown at least, so that it stays unique while the store grows."""
SHOWN_SESSION = 8
THREAD_DIGITS = 8
GRIP_DIGITS = 32
_MOST_CANDIDATES = 10
_GRIP = re.compile(r"[0-9a-f]+")
GRIP_FORM = f"a grip is {MIN_DIGITS} to {GRIP_DIGITS} hex digits, as memtool show prints them"
SEGMENT_FORM = "segment:2026-11-22:4ac3"


class ShortNames(Struct, frozen=True):
    """Short forms of IDs that are unique in the store as it is now. Each is looked up once."""

    store: Store
    _known: dict[str, str] = field(default_factory=dict)

    def grip(self, grip_id: GripId) -> str:
        """Return the first digits of a grip."""
        if grip_id not in self._known:
            rivals = {rival for rival, _ in self.store.citations(grip_id[:SHOWN_DIGITS])}
            self._known[grip_id] = shortest(grip_id, rivals, at_least=SHOWN_DIGITS)
        return self._known[grip_id]

    def session(self, session: str) -> str:
        """Return the beginning of a session's id; all of it where it is no conversation."""
        if is_by_hand(session):
            return session
        if session not in self._known:
            rivals = self.store.sessions_beside(session)
            self._known[session] = shortest(session, rivals, at_least=SHOWN_SESSION)
        return self._known[session]


def shortest(name: str, rivals: Iterable[str], *, at_least: int) -> str:
    """Return the shortest prefix of a name that is a prefix of no rival; the whole name if a rival begins with it."""
    needed = at_least
    for rival in rivals:
        if rival != name:
            needed = max(needed, _common(name, rival) + 1)
    return name[:needed]


def _common(one: str, other: str) -> int:
    pairs = zip(one, other, strict=False)
    return next((index for index, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def grip_digits(text: str) -> str:
    """Return the digits in the name of a grip. Raise UsageError if there are none."""
    digits = text.strip().lower().removeprefix("grip:")
    if not _GRIP.fullmatch(digits) or not MIN_DIGITS <= len(digits) <= GRIP_DIGITS:
        raise UsageError(f"not a grip: {text}", hint=GRIP_FORM)
    return digits


def grip_named(store: Store, text: str) -> GripId:
    """Return the grip with this prefix. Raise UsageError if there is none, or several."""
    digits = grip_digits(text)
    found = sorted({grip_id for grip_id, _ in store.citations(digits)})
    if not found:
        raise UsageError(
            f"no node cites a grip that begins with {digits}",
            hint=f"{GRIP_FORM}; a node that is written again may cite others",
        )
    if len(found) > 1:
        raise ambiguous(digits, "grips", [GripId(one) for one in found])
    return found[0]


def is_segment(text: str) -> bool:
    """Return whether the text is of the form that names a segment."""
    return _segment(text) is not None


def _segment(text: str) -> Segment | None:
    return parse_segment(text) or parse_segment(f"segment:{text}")


def segment_named(store: Store, text: str) -> Cut | None:
    """Return the segment with this prefix, None if the text is not of that form. Raise UsageError as for grips."""
    place = _segment(text)
    if place is None:
        return None
    found = [cut for cut in store.cuts(place.day) if cut.id.startswith(place.id)]
    if not found:
        raise UsageError(
            f"there is no {place.id}",
            hint=f"memtool toc {place.period.date_text} lists those of the day",
        )
    if len(found) > 1:
        raise ambiguous(place.id, "segments", [cut.id for cut in found])
    return found[0]


def session_named(store: Store, text: str) -> str:
    """Return the session with this ID or prefix. Raise UsageError as for grips."""
    if store.session(text) is not None:
        return text
    found = [session for session, _ in store.sessions(text)]
    if not found:
        raise UsageError(
            f"no session begins with {text!r}",
            hint="memtool events shows the sessions of what it lists",
        )
    if len(found) > 1:
        raise ambiguous(text, "sessions", found)
    return found[0]


def ambiguous(text: str, what: str, candidates: list[str]) -> UsageError:
    """Return the error that names the candidates."""
    listed = ", ".join(candidates[:_MOST_CANDIDATES])
    more = len(candidates) - _MOST_CANDIDATES
    return UsageError(
        f"{text} is ambiguous: {len(candidates)} {what} begin with it",
        hint=f"type more of it: {listed}" + (f" and {more} more" if more > 0 else ""),
    )
