"""Our own event lines: strict about what they hold, and the very same after export and import."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtool.agents.drafts import sanitize
from memtool.agents.jsonl import FORMAT, encode
from memtool.agents.outcomes import Disposition
from memtool.agents.reading import read_chunks
from memtool.agents.registry import File
from memtool.agents.values import JsonObject
from memtool.model.records import (
    LAST_INSTANT_US,
    ROLES,
    Claim,
    Event,
    EventId,
    Rewind,
    Tombstone,
    digest_of,
)
from memtool.redact.rules import RULESET_VERSION
from tests.agents.records import all_records, counts_of, events_of, odd_objects, write

REPOSITORY = Path(__file__).resolve().parents[2]
LINE: JsonObject = {
    "agent": "robo",
    "session": "s1",
    "project": "/p",
    "time": "2026-03-01T10:00:00Z",
    "kind": "prompt",
    "text": "hello",
}
SAMPLES = {
    "session": "s2",
    "project": "/q",
    "claims": [{"session": "a", "project": ""}],
    "redaction": 9,
    "rewound": True,
}


def parsed(record: JsonObject) -> object:
    outcome = FORMAT.parser(File("", lambda _: iter(()))).parse(record)
    return outcome.records[0] if outcome.disposition is Disposition.TAKEN else outcome.name


def event_from(**fields: object) -> Event:
    found = parsed({**LINE, **fields})
    assert isinstance(found, Event), found
    return found


hex_texts = st.integers(0, 2**128 - 1).map(lambda number: f"{number:032x}")
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
claims = st.builds(Claim, names, texts)


@st.composite
def valid_events(draw: st.DrawFn) -> Event:
    kind = draw(st.sampled_from(sorted(ROLES)))
    sealed = sanitize(kind, draw(texts), draw(st.dictionaries(names, texts, max_size=3)))
    return Event(
        id=EventId(draw(hex_texts)),
        agent=draw(names),
        claims=tuple(sorted(draw(st.sets(claims, min_size=1, max_size=3)))),
        time_us=draw(st.integers(0, LAST_INSTANT_US - 1)),
        kind=kind,
        role=draw(st.sampled_from(sorted(set(ROLES.values())))),
        text=sealed.text,
        digest=draw(hex_texts),
        group=draw(texts),
        parent=draw(st.just("") | hex_texts.map(lambda text: text[:28])),
        metadata=sealed.metadata,
        revision=draw(st.integers(0, 2**63 - 1)),
        redaction=draw(st.integers(RULESET_VERSION, RULESET_VERSION + 2)),
        rewound=draw(st.booleans()),
    )


@given(valid_events())
def test_an_event_written_and_read_is_the_same(event: Event) -> None:
    line = encode(event)
    assert "\n" not in line
    assert parsed(json.loads(line)) == event


@given(hex_texts, st.integers(0, 2**40))
def test_tombstones_and_rewinds_written_and_read_are_the_same(identity: str, number: int) -> None:
    for record in (
        Tombstone(EventId(identity), "forgotten", number),
        Rewind(EventId(identity), number),
    ):
        assert parsed(json.loads(encode(record))) == record


def test_tombstones_of_an_older_memtools_retention_are_passed_over_and_counted() -> None:
    line = {"type": "tombstone", "id": "a" * 32, "reason": "expired", "time": 7}
    outcome = FORMAT.parser(File("", lambda _: iter(()))).parse(line)
    assert (outcome.disposition, outcome.name, outcome.records) == (
        Disposition.IGNORED,
        "expired tombstone",
        (),
    )


def test_the_least_that_an_event_needs() -> None:
    event = event_from(project=None, text=None)
    assert (event.session, event.project, event.text, event.role) == ("s1", "", "", "user")
    assert event.id[28:] == "0001"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"agent": None}, "agent"),
        ({"agent": 5}, "agent"),
        ({"session": ""}, "session"),
        ({"project": 1}, "project"),
        ({"time": None}, "time"),
        ({"time": "2026-03-01T10:00:00"}, "time"),
        ({"time": "2026-13-01T10:00:00Z"}, "time"),
        ({"time": True}, "time"),
        ({"time": -1}, "time"),
        ({"time": 2**70}, "time"),
        ({"time": 1.5}, "time"),
        ({"kind": "shout"}, "kind"),
        ({"kind": None}, "kind"),
        ({"role": "king"}, "role"),
        ({"text": ["x"]}, "text"),
        ({"id": 7}, "id"),
        ({"group": {}}, "group"),
        ({"parent": 1}, "parent"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {"a": []}}, "metadata"),
        ({"claims": {}}, "claims"),
        ({"claims": [{"session": ""}]}, "claims"),
        ({"revision": -1}, "revision"),
        ({"revision": True}, "revision"),
        ({"digest": "xyz"}, "digest"),
        ({"redaction": "1"}, "redaction"),
        ({"rewound": 1}, "rewound"),
        ({"type": "tombstone", "id": "0" * 32, "reason": "why"}, "reason"),
        ({"type": "rewind"}, "id"),
        ({"type": "rewind", "id": "x", "agent": None}, "agent"),
    ],
)
def test_a_bad_field_is_damage_that_names_it(fields: JsonObject, reason: str) -> None:
    found = parsed({**LINE, **fields})
    assert isinstance(found, str)
    assert found.startswith(f"{reason}:")


def test_bad_lines_are_counted_and_the_good_ones_taken(tmp_path: Path) -> None:
    path = write(tmp_path / "e.jsonl", LINE, {**LINE, "kind": "x"}, {"type": "later", "id": "1"})
    [chunk] = read_chunks(path)
    assert len(chunk.records) == 1
    assert chunk.damage[0][1].startswith("kind:")
    assert chunk.counts.unknown == {"later": 1}


def test_ids_of_memtool_are_taken_as_they_are_and_others_hashed_with_the_agent() -> None:
    assert event_from(id="0af" + "1" * 29).id == "0af" + "1" * 29
    hashed = digest_of("id", "robo", "r-7")[:28]
    assert event_from(id="r-7").id == hashed + "0001"
    assert event_from(parent="r-7").parent == hashed
    assert event_from(parent="0af" + "1" * 29).parent == ("0af" + "1" * 29)[:28]
    assert event_from(id="r-7", agent="other").id != hashed + "0001"
    assert parsed({"type": "rewind", "id": "r-7", "agent": "robo"}) == Rewind(
        EventId(hashed + "0001"), 0
    )


def test_equal_lines_without_id_are_several_events_wherever_reading_resumed(tmp_path: Path) -> None:
    path = write(tmp_path / "e.jsonl", LINE, LINE)
    [chunk] = read_chunks(path)
    write(path, LINE, LINE, LINE, {**LINE, "kind": "bad"}, LINE)
    resumed = [one.id for one in all_records(read_chunks(path, chunk.source))]
    whole = [event.id for event in events_of(path)]
    assert len(set(whole)) == 4
    assert whole[2:] == resumed


def test_time_is_text_with_a_zone_or_microseconds() -> None:
    for time in ("2026-03-01T11:00:00+01:00", "2026-03-01t10:00:00.000000z", 1_772_359_200_000_000):
        assert event_from(time=time).time_us == 1_772_359_200_000_000
    assert event_from(time="2026-03-01T10:00:00.1234567Z").time_us % 1_000_000 == 123_456


def test_metadata_is_text_and_numbers_become_it() -> None:
    metadata = {"a": "x", "n": 5, "yes": True, "f": 1.5}
    assert event_from(metadata=metadata).metadata == {
        "a": "x",
        "n": "5",
        "yes": "true",
        "f": "1.5",
    }


def test_the_digest_is_of_the_record_without_who_claims_it() -> None:
    assert event_from().digest == event_from(**SAMPLES).digest
    assert event_from().digest != event_from(text="other").digest
    assert event_from().digest != event_from(remark="unknown keys count").digest


def test_secrets_are_masked_and_long_results_shortened() -> None:
    event = event_from(text="password=hunter2", metadata={"api_key": "abc", "n": "token: x"})
    assert "hunter2" not in event.text
    assert event.metadata["api_key"] == "[redacted:secret]"
    long = event_from(kind="tool_result", text="x" * 10_000)
    assert len(long.text) <= 4000
    assert long.metadata["size_bytes"] == "10000"


def test_claims_are_sorted_and_hold_the_session() -> None:
    event = event_from(claims=[{"session": "s0", "project": "/z"}, {"session": "s1"}])
    assert event.claims == (Claim("s0", "/z"), Claim("s1", ""), Claim("s1", "/p"))


@given(odd_objects)
def test_no_object_crashes_the_parser(record: JsonObject) -> None:
    record = json.loads(json.dumps(record))
    FORMAT.recognises(record)
    parsed(record)
    parsed({**LINE, **record})


def test_the_example_in_the_manual_is_valid(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs/event-schema.md").read_text(encoding="utf-8")
    example = page.split("```jsonl\n")[1].split("```")[0]
    path = tmp_path / "example.jsonl"
    path.write_text(example, encoding="utf-8")
    counts = counts_of(path)
    assert counts.damaged == 0
    assert counts.taken == counts.lines >= 4


def test_the_manual_lists_every_kind() -> None:
    page = (REPOSITORY / "docs/event-schema.md").read_text(encoding="utf-8")
    assert [kind for kind in ROLES if f"`{kind}`" not in page] == []
