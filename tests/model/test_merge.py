"""Merging is a join: any order, any batching, any repetition of the same records comes to the same state."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from memtool.model.merge import NOTHING, Identity, merged
from memtool.model.records import Claim, Event, EventId, Record, Rewind, Tombstone
from tests.strategies import histories

EVENT = Event(
    id=EventId("0" * 32),
    agent="test",
    claims=(Claim("beta", "/b"),),
    time_us=5,
    kind="prompt",
    role="user",
    text="fix it",
    digest="1" * 32,
)


def by_id(records: list[Record]) -> dict[EventId, list[Record]]:
    found: dict[EventId, list[Record]] = defaultdict(list)
    for record in records:
        found[record.id].append(record)
    return found


@given(histories(), st.data())
def test_order_batching_and_repetition_do_not_matter(
    history: list[Record], data: st.DataObject
) -> None:
    for records in by_id(history).values():
        whole = merged(NOTHING, records)
        shuffled = data.draw(st.permutations([*records, *records[:2]]))
        cut = data.draw(st.integers(0, len(shuffled)))
        assert merged(merged(NOTHING, shuffled[:cut]), shuffled[cut:]) == whole


def test_an_event_belongs_to_the_smallest_session_that_claims_it() -> None:
    copy = replace(EVENT, claims=(Claim("alpha", "/a"),))
    state = merged(NOTHING, [EVENT, copy])
    assert state.current is not None
    assert (state.current.session, state.current.project) == ("alpha", "/a")
    assert state.current.claims == (Claim("alpha", "/a"), Claim("beta", "/b"))
    assert len(state.revisions) == 1


def test_the_newer_redaction_of_the_same_record_counts_whenever_it_arrives() -> None:
    newer = replace(EVENT, text="[redacted]", redaction=2)
    for order in ([EVENT, newer], [newer, EVENT]):
        current = merged(NOTHING, order).current
        assert current is not None
        assert current.text == "[redacted]"


def test_revisions_are_ordered_by_the_source_not_by_arrival() -> None:
    later = replace(EVENT, text="done", digest="0" * 32, revision=9)
    for order in ([EVENT, later], [later, EVENT]):
        assert [event.text for event in merged(NOTHING, order).revisions] == ["done", "fix it"]


def test_a_rewind_takes_back_the_revisions_up_to_its_own() -> None:
    later = replace(EVENT, text="done", digest="0" * 32, revision=9)
    taken_back = merged(NOTHING, [Rewind(EVENT.id, 3), EVENT])
    assert taken_back.current is not None
    assert taken_back.current.rewound
    again = merged(taken_back, [later])
    assert again.current is not None
    assert not again.current.rewound


def test_a_tombstone_keeps_everything_out_for_good() -> None:
    stone = Tombstone(EVENT.id, "forgotten", 5)
    later = Tombstone(EVENT.id, "forgotten", 9)
    orders: list[list[Record]] = [[EVENT, stone], [stone, EVENT], [later, EVENT, stone]]
    for order in orders:
        assert merged(NOTHING, order) == Identity((), None, stone)
