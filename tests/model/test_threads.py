"""The joining of threads: a parent is a pure function of the set of its children."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from memtool.model.levels import Level
from memtool.model.records import EventId
from memtool.model.shown import WORDS, view_of
from memtool.model.threads import (
    LIMITS,
    QUESTION,
    Candidate,
    Item,
    Point,
    Proof,
    Reference,
    Thread,
    join,
    weight_of,
)

_WORDS = st.sampled_from(
    [
        "tax",
        "invoice",
        "rounding",
        "decimal",
        "queue",
        "retry",
        "order",
        "backfill",
        "shop",
        "table",
    ]
)
_TEXTS = st.lists(_WORDS, min_size=2, max_size=5).map(" ".join)
_TIMES = st.integers(0, 99)
_PROOF = (Proof(EventId("e" * 32), 0, 3, "tax"),)
_PROOFS = st.just(_PROOF)
_POINTS = st.builds(
    Point,
    st.sampled_from(["ask", "result", "decision", "open", "done"]),
    _TEXTS,
    _TIMES,
    st.sampled_from([0.3, 0.5, 0.7, 0.9]),
    _PROOFS,
)
_CANDIDATES = st.builds(
    Candidate, st.integers(0, 10), st.sampled_from([0.0, 0.5, 1.5]), _TIMES, _TEXTS, _PROOFS
)
_ITEMS = st.builds(Item, _WORDS, _TEXTS, _TIMES, _PROOFS, st.sampled_from([0, 0, 50]))
_REFERENCES = st.builds(
    Reference,
    st.sampled_from(["commit", "pull request"]),
    _WORDS,
    _TEXTS,
    _TIMES,
    st.sampled_from(["opened", "merged", "seen"]),
    here=st.booleans(),
    proofs=_PROOFS,
)


@st.composite
def _days(draw: st.DrawFn) -> list[tuple[Thread, ...]]:
    """Days that follow each other, with up to three threads each."""
    days = []
    for number in range(draw(st.integers(1, 6))):
        names = draw(st.sets(st.sampled_from(["a/x", "b/y", "c/z"]), min_size=1))
        start = number * 100
        days.append(tuple(_thread(draw, name, start) for name in sorted(names)))
    return days


def _thread(draw: st.DrawFn, branch: str, start: int) -> Thread:
    return Thread(
        project="/shop",
        branch=branch,
        session="",
        first_us=start + draw(st.integers(0, 10)),
        last_us=start + draw(st.integers(90, 99)),
        state=draw(st.sampled_from(["open", "delivered", "in work"])),
        headlines=tuple(
            replace(each, time_us=each.time_us + start)
            for each in draw(st.lists(_CANDIDATES, max_size=3))
        ),
        points=tuple(
            replace(each, time_us=each.time_us + start)
            for each in draw(st.lists(_POINTS, max_size=9))
        ),
        items=tuple(
            replace(each, time_us=each.time_us + start)
            for each in draw(st.lists(_ITEMS, max_size=3))
        ),
        references=tuple(
            replace(each, time_us=each.time_us + start)
            for each in draw(st.lists(_REFERENCES, max_size=3))
        ),
        files=tuple(draw(st.dictionaries(_WORDS, st.integers(1, 5), max_size=3)).items()),
        sessions=(f"s{start}",),
        edits=draw(st.integers(0, 9)),
        turns=draw(st.integers(1, 9)),
    )


@given(_days(), st.randoms())
def test_the_order_of_children_does_not_matter(
    days: list[tuple[Thread, ...]], chance: random.Random
) -> None:
    expected = join(days, Level.WEEK)
    chance.shuffle(days)
    assert join(days, Level.WEEK) == expected


@given(_days())
def test_weeks_and_loose_days_join_alike(days: list[tuple[Thread, ...]]) -> None:
    weeks = [join(days[:3], Level.WEEK), join(days[3:], Level.WEEK)]
    for one, other in zip(
        sorted(join(weeks, Level.MONTH), key=lambda thread: thread.id),
        sorted(join(days, Level.MONTH), key=lambda thread: thread.id),
        strict=True,
    ):
        assert one.points == other.points
        assert one.headlines == other.headlines
        assert {each.key for each in one.references} == {each.key for each in other.references}
        assert (one.state, one.edits, one.turns) == (other.state, other.edits, other.turns)
        assert (one.first_us, one.last_us, one.sessions) == (
            other.first_us,
            other.last_us,
            other.sessions,
        )


@given(_days())
def test_whatever_a_parent_says_is_in_a_child(days: list[tuple[Thread, ...]]) -> None:
    points = {point for day in days for thread in day for point in thread.points}
    headlines = {each for day in days for thread in day for each in thread.headlines}
    for thread in join(days, Level.MONTH):
        assert set(thread.points) <= points
        assert set(thread.headlines) <= headlines
        assert len(thread.points) <= LIMITS[Level.MONTH].points


@given(_days())
def test_the_state_of_a_month_is_that_of_its_last_day(days: list[tuple[Thread, ...]]) -> None:
    for thread in join(days, Level.MONTH):
        last = max((t for day in days for t in day if t.id == thread.id), key=lambda t: t.last_us)
        assert thread.state == last.state


def _day(number: int, **changes: object) -> Thread:
    base = Thread("/shop", "a/x", "", number * 100, number * 100 + 50, "in work")
    return replace(base, **changes)


def _point(text: str, time_us: int, weight: float = 0.5) -> Point:
    return Point("result", text, time_us, weight, (Proof(EventId("e" * 32), 0, 3, "tax"),))


def test_talk_on_a_later_day_does_not_change_the_state() -> None:
    days = [(_day(0, state="delivered"),), (_day(1, state="answered"),)]
    (thread,) = join(days, Level.WEEK)
    assert (thread.state, thread.last_us) == ("delivered", 150)


def test_a_closure_below_what_is_shown_still_settles_an_open_item() -> None:
    item = Item("k", "backfill orders of closed shops", 10, ())
    week = [(_day(0, items=(item,), state="open"),)]
    # The result that closes it is the lightest of more points than a week keeps.
    heavier = tuple(_point(f"other result q{chr(97 + n)}", 110 + n, 0.9) for n in range(19))
    closing = _point("the orders of closed shops have their backfill", 140, 0.1)
    days = [*week, (_day(1, points=(*heavier, closing)),)]
    # A day's own points are whole, so the week sees what the month does not.
    (in_week,) = join(days, Level.WEEK)
    assert all(point.text != closing.text for point in in_week.points)
    assert in_week.open_items == ()
    (in_month,) = join([(in_week,)], Level.MONTH)
    assert in_month.open_items == ()


def test_a_to_do_that_was_done_later_is_closed() -> None:
    open_item = Item("k", "backfill orders", 10, ())
    done = Item("k", "backfill orders", 110, (), 110)
    (thread,) = join([(_day(0, items=(open_item,)),), (_day(1, items=(done,)),)], Level.WEEK)
    assert thread.open_items == ()


def test_a_question_is_settled_where_the_thread_went_on() -> None:
    question = Item(QUESTION + "k", "asked: which registry?", 10, ())
    (thread,) = join([(_day(0, items=(question,)),)], Level.WEEK)
    assert thread.open_items == (question,)
    (thread,) = join([(_day(0, items=(question,)),), (_day(1),)], Level.WEEK)
    assert thread.open_items == ()


def test_a_pull_request_has_its_last_verb_and_its_title() -> None:
    opened = Reference("pull request", "#99", "Use Decimal", 10, "opened", here=True)
    merged = Reference("pull request", "#99", "", 110, "merged", here=True)
    seen = Reference("pull request", "#99", "", 210, "seen")
    days: Sequence[tuple[Thread, ...]] = [
        (_day(0, references=(opened,)),),
        (_day(1, references=(merged,)),),
        (_day(2, references=(seen,)),),
    ]
    (thread,) = join(days, Level.WEEK)
    (reference,) = thread.references
    assert (reference.text, reference.verb, reference.here) == ("Use Decimal", "merged", True)


def test_threads_beyond_the_limit_keep_their_facts_without_points() -> None:
    many = tuple(
        _day(0, branch=f"a/{n}", edits=n, points=(_point("tax of a shop", n),)) for n in range(130)
    )
    joined = join([many], Level.WEEK)
    assert len(joined) == 130
    assert [bool(thread.points) for thread in joined] == [True] * 60 + [False] * 70
    assert weight_of(joined[0]) >= weight_of(joined[-1])


def test_a_month_of_three_hundred_threads_is_small() -> None:
    text = (
        "Round the tax of every invoice half even, as finance wants it, also for negative amounts"
    )
    proofs = (Proof(EventId("e" * 32), 100, 220, text + " and so on"),)
    many = []
    for n in range(300):
        word = f"w{n:03}"
        points = tuple(Point("result", f"{text} {word}{k}", k, 0.5, proofs) for k in range(20))
        references = tuple(
            Reference("commit", f"{n}{k}", f"{text[:50]} {k}", k, "made", proofs=proofs)
            for k in range(8)
        )
        many.append(
            _day(
                0,
                branch=f"alice/some-branch-{word}",
                edits=n,
                points=points,
                references=references,
                headlines=(Candidate(4, 1.0, 1, text[:80], proofs),),
                files=tuple((f"src/module/file{k}.py", k) for k in range(12)),
                sessions=tuple(f"{k:036}" for k in range(5)),
            )
        )
    month = join([tuple(many)], Level.MONTH)
    assert len(msgspec.json.encode(month)) <= 150_000
    year = join(
        [tuple(replace(t, branch=f"{t.branch}{n}") for t in month) for n in range(12)], Level.YEAR
    )
    assert len(msgspec.json.encode(year)) <= 500_000


# --- what is shown


@given(_days(), st.sampled_from([Level.DAY, Level.WEEK, Level.MONTH, Level.YEAR]))
def test_what_is_shown_fits_and_is_stored(days: list[tuple[Thread, ...]], level: Level) -> None:
    threads = join(days, level)
    view = view_of(threads, level)
    words = 0
    for thread, points in view.threads:
        words += len(thread.headline.split()) + sum(len(point.text.split()) for point in points)
        assert set(points) <= set(thread.points)
        assert list(points) == sorted(points, key=lambda point: (point.time_us, point.text))
    assert words <= WORDS[level]
    assert len(view.title) <= 100
    assert len(view.threads) + sum(count for _, count in view.rest) == len(threads)


def test_likeness_is_used_once_when_showing() -> None:
    said = [
        _point("round the tax of invoices half even", 1, 0.9),
        _point("the tax of invoices rounds", 2),
    ]
    thread = _day(0, headlines=(Candidate(4, 1.0, 1, "Move orders", _PROOF),), points=tuple(said))
    (shown,) = view_of([thread], Level.DAY).threads
    assert shown.points == (said[0],)


def test_a_point_that_repeats_the_headline_is_not_shown() -> None:
    thread = _day(
        0,
        headlines=(Candidate(4, 1.0, 1, "Round the tax half even", _PROOF),),
        points=(_point("round the tax half even", 1),),
    )
    assert view_of([thread], Level.DAY).threads[0].points == ()
