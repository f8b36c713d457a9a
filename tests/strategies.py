"""Random histories: events of several sessions over some days, with all that the merge has to join."""

from __future__ import annotations

from hypothesis import strategies as st
from msgspec.structs import replace

from memtool.model.calendar import Calendar
from memtool.model.records import (
    ROLES,
    Claim,
    Event,
    Record,
    Rewind,
    Tombstone,
    digest_of,
    event_id,
)

HOUR_US = 3600 * 1_000_000
DAY_US = 24 * HOUR_US

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # a shift of half an hour
    "Pacific/Apia",  # skipped 2011-12-30
    "Africa/Casablanca",  # four shifts a year, negative summer time
    "Asia/Kathmandu",
    "Asia/Beirut",  # midnight does not exist when summer time begins
    "America/St_Johns",
)

calendars = st.builds(
    Calendar,
    st.sampled_from(ZONES),
    st.sampled_from([0, 0, 0, 90, 150, 240, 23 * 60 + 59]),
    st.sampled_from([6, 0, 6, 3]),
)

# Around events that calendars stumble over: year ends, the skipped day, spring and autumn shifts.
starts_us = st.sampled_from(
    [
        1_325_116_800_000_000,  # 2011-12-29: Apia's skipped day, and a year's end
        1_711_756_800_000_000,  # 2024-03-30: spring in Europe
        1_730_419_200_000_000,  # 2024-11-01: autumn in America
        1_735_430_400_000_000,  # 2024-12-29: a week in two years
        1_772_150_400_000_000,  # 2026-02-27
    ]
)

words = st.sampled_from(
    [
        "fix",
        "login",
        "token",
        "refresh",
        "store",
        "format",
        "Prüfung",
        "テスト",
        "🙂",
        "index",
        "crash",
        "retry",
    ]
)
texts = st.lists(words, min_size=0, max_size=12).map(" ".join)
offsets_us = st.one_of(
    st.integers(0, 4 * DAY_US),
    st.integers(0, 40).map(lambda step: step * 20 * 60 * 1_000_000),  # many equal times, many gaps
)


@st.composite
def events(draw: st.DrawFn, start_us: int, number: int) -> Event:
    """Draw one event; `number` makes its id."""
    kind = draw(st.sampled_from(sorted(ROLES)))
    session = draw(st.sampled_from(["alpha", "beta", "gamma"]))
    identity = event_id(digest_of("test", number // 2), number % 2 + 1)
    text = draw(texts) * draw(st.sampled_from([1, 1, 1, 200]))
    parent = draw(st.sampled_from(["", digest_of("test", draw(st.integers(0, 20)))[:28]]))
    return Event(
        id=identity,
        agent="test",
        claims=(Claim(session, f"/home/u/{session}"),),
        time_us=start_us + draw(offsets_us),
        kind=kind,
        role=ROLES[kind],
        text=text,
        digest=digest_of(text, number),
        group=draw(st.sampled_from(["", "", f"{session}-group-{number // 3}"])),
        parent=parent,
        redaction=1,
    )


@st.composite
def histories(draw: st.DrawFn, *, max_size: int = 24) -> list[Record]:
    """Draw a set of records: events, copies under other sessions, revisions, rewinds and tombstones."""
    start_us = draw(starts_us)
    count = draw(st.integers(1, max_size))
    plain = [draw(events(start_us, number)) for number in range(count)]
    twists = st.sampled_from([_copy, _revision, _moved, _rewind, _tombstone])
    twisted = draw(st.lists(st.sampled_from(plain), max_size=6))
    return [*plain, *(draw(twists)(event) for event in twisted)]


def _copy(event: Event) -> Record:
    return replace(event, claims=(Claim("aardvark", "/home/u/fork"),))


def _revision(event: Event) -> Record:
    return replace(
        event, text=f"{event.text} again", digest=digest_of(event.digest, "again"), revision=1
    )


def _moved(event: Event) -> Record:
    later_us = event.time_us + 26 * HOUR_US
    return replace(event, time_us=later_us, digest=digest_of(event.digest, "moved"), revision=2)


def _rewind(event: Event) -> Record:
    return Rewind(event.id, 0)


def _tombstone(event: Event) -> Record:
    return Tombstone(event.id, "forgotten", event.time_us)
