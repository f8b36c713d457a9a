"""Short events, one a second, each a session of its own."""

from __future__ import annotations

from memtool.model.records import Claim, Event, digest_of, event_id
from tests.crash.history import AFTER_ALL_US
from tests.strategies import DAY_US

START_US = AFTER_ALL_US - 400 * DAY_US


def an_event(number: int) -> Event:
    """Return a short prompt."""
    text = f"Why {number}?"
    return Event(
        id=event_id(digest_of("test", number), 1),
        agent="test",
        claims=(Claim(f"s{number}", "/p"),),
        time_us=START_US + number * 1_000_000,
        kind="prompt",
        role="user",
        text=text,
        digest=digest_of(text),
        redaction=1,
    )
