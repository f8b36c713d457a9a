"""Segments: every event once, in order, cut at gaps and token limits, never inside a message."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from memtool.model.records import Claim, Event, digest_of, event_id
from memtool.model.segmenting import (
    GAP_US,
    MAX_TOKENS,
    MAX_UNPROMPTED_TOKENS,
    by_session,
    cuts_of,
    in_order,
    tokens_of,
)
from tests.strategies import events, starts_us

MINUTE_US = 60_000_000


def said(number: int, minute: float, text: str = "words", **more: str) -> Event:
    return Event(
        id=event_id(digest_of("said", number), 1),
        agent="test",
        claims=(Claim("s", "/p"),),
        time_us=int(minute * MINUTE_US),
        kind="prompt",
        role="user",
        text=text,
        digest=digest_of(number),
        group=more.get("group", ""),
        parent=more.get("parent", ""),
    )


@st.composite
def one_session(draw: st.DrawFn) -> list[Event]:
    start_us = draw(starts_us)
    drawn = [draw(events(start_us, number)) for number in range(draw(st.integers(1, 30)))]
    return [replace(event, claims=(Claim("s", "/p"),)) for event in drawn]


@given(one_session(), st.data())
def test_cuts_hold_every_event_once_and_do_not_depend_on_arrival(
    session: list[Event], data: st.DataObject
) -> None:
    cuts = cuts_of(session, 700_000)
    shuffled = data.draw(st.permutations(session))
    assert cuts_of(shuffled, 700_000) == cuts
    held = [event for cut in cuts for event in cut.events]
    assert held == [event.id for event in in_order(session)]
    assert len({cut.id for cut in cuts}) == len(cuts)


@given(one_session())
def test_a_message_is_never_split(session: list[Event]) -> None:
    cut_of = {event: cut.id for cut in cuts_of(session, 1) for event in cut.events}
    for group in {event.group for event in session if event.group}:
        assert len({cut_of[event.id] for event in session if event.group == group}) == 1


@given(one_session())
def test_a_gap_before_a_prompt_ends_a_segment_unless_a_message_spans_it(
    session: list[Event],
) -> None:
    times = {event.id: event for event in session}
    for cut in cuts_of(session, 1):
        ordered = [times[event] for event in cut.events]
        for index, (left, right) in enumerate(pairwise(ordered)):
            asked = any(mark in event.text for event in ordered for mark in "?.)")
            if right.kind == "prompt" and right.time_us - left.time_us > GAP_US and not asked:
                before = {event.group for event in ordered[: index + 1]} - {""}
                after = {event.group for event in ordered[index + 1 :]} - {""}
                assert before & after


def test_work_is_not_cut_from_its_prompt() -> None:
    work = [replace(said(n, n * 40, "x" * 40_000), kind="tool_result") for n in range(2, 5)]
    assert len(cuts_of([said(1, 0), *work], 1)) == 1


def test_a_reply_stays_with_the_question_before_it() -> None:
    def talk(answer: str) -> list[Event]:
        return [said(1, 0), replace(said(2, 1, answer), kind="answer"), said(3, 600, "2")]

    assert len(cuts_of(talk("Which one do you want?"), 1)) == 1
    assert len(cuts_of(talk("Three ways:\n1. a table\n2. a file"), 1)) == 1
    assert len(cuts_of(talk("Done."), 1)) == 2


def test_without_prompts_a_cut_is_made_at_gaps_and_before_answers() -> None:
    long = replace(said(1, 0, "x" * 4 * MAX_UNPROMPTED_TOKENS), kind="answer")
    more = [replace(said(2, 1), kind="tool_result"), replace(said(3, 2), kind="answer")]
    assert [len(cut.events) for cut in cuts_of([long, *more], 1)] == [2, 1]
    assert len(cuts_of([more[0], replace(more[1], time_us=90 * MINUTE_US)], 1)) == 2


def test_half_an_hour_is_no_gap_but_a_moment_more_is() -> None:
    assert len(cuts_of([said(1, 0), said(2, 30)], 1)) == 1
    assert len(cuts_of([said(1, 0), said(2, 30.001)], 1)) == 2


def test_the_token_limit_cuts_before_the_event_that_would_exceed_it() -> None:
    half = "x" * (MAX_TOKENS * 2)
    cuts = cuts_of([said(1, 0, half), said(2, 1, half), said(3, 2, "more")], 1)
    assert [len(cut.events) for cut in cuts] == [2, 1]
    assert cuts[0].tokens == MAX_TOKENS


def test_a_late_event_moves_cuts_only_within_its_own_run() -> None:
    long = "x" * (MAX_TOKENS * 3)
    morning = [said(1, 0, long), said(2, 10, long)]
    noon = [said(3, 100, long), said(4, 110, long)]
    before = cuts_of(morning + noon, 1)
    after = cuts_of([*morning, said(9, 5, long), *noon], 1)
    assert [cut for cut in after if cut.start_us >= noon[0].time_us] == before[2:]


def test_equal_times_follow_the_parent_link_then_the_id() -> None:
    first, second, third = said(1, 0), said(2, 0), said(3, 0)
    chain = [
        replace(first, parent=third.record),
        replace(third, parent=second.record),
        second,
    ]
    assert [event.id for event in in_order(chain)] == [second.id, third.id, first.id]


def test_records_that_name_each_other_as_parent_still_have_an_order() -> None:
    left, right = said(1, 0), said(2, 0)
    ring = [replace(left, parent=right.record), replace(right, parent=left.record)]
    assert [event.id for event in in_order(ring)] == sorted(event.id for event in ring)


def test_rewound_events_are_in_no_segment() -> None:
    sessions = by_session([said(1, 0), replace(said(2, 1), rewound=True)])
    assert [event.id for event in sessions["s"]] == [said(1, 0).id]


def test_tokens_are_a_quarter_of_the_bytes_and_at_least_one() -> None:
    assert (tokens_of(""), tokens_of("abcd"), tokens_of("abcde"), tokens_of("テスト")) == (
        1,
        1,
        2,
        3,
    )


def test_a_segment_is_of_one_project() -> None:
    """One session id may come from two directories."""
    both = [replace(said(n, n), claims=(Claim("s", f"/p{n % 2}"),)) for n in range(4)]
    cuts = cuts_of(both, 1)
    assert [(cut.project, len(cut.events)) for cut in cuts] == [("/p0", 2), ("/p1", 2)]
