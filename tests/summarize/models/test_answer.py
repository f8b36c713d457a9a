"""What is believed of a model's text: one object of the right shape, citing numbers of the right thread."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtool.summarize.models.answer import (
    HEADLINE_LIMIT,
    POINT_LIMIT,
    BadAnswer,
    Claim,
    Text,
    read_answer,
)

COUNTS = (3, 2)
FIRST: dict[str, object] = {
    "thread": 1,
    "headline": "Fix the login",
    "cites": [1],
    "points": [{"text": "The token was stale", "cites": [2, 3]}],
}
SECOND: dict[str, object] = {"thread": 2, "headline": "Use Decimal", "cites": [4, 5], "points": []}
ANSWER = (
    Text("Fix the login", (1,), (Claim("The token was stale", (2, 3)),)),
    Text("Use Decimal", (1, 2), ()),
)


def both(first: object = FIRST, second: object = SECOND) -> str:
    return json.dumps({"threads": [first, second]})


TEXT = both()


def read(text: str, most: int = 5, *, is_last: bool = False) -> tuple[Text, ...]:
    return read_answer(text, COUNTS, most, is_last=is_last)


def with_(**changes: object) -> str:
    return both(FIRST | changes)


def point(**changes: object) -> str:
    return with_(points=[{"text": "a", "cites": [2]} | changes])


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        both(SECOND, FIRST),
        f"```json\n{TEXT}\n```",
        f"Sure! Here it is:\n{TEXT}\nLet me know {{if}} you want more.",
        f"<think>maybe {with_(headline='A draft')}? no</think>\n{TEXT}",
        f"{with_(headline='A draft')}\nOn second thought:\n{TEXT}",
        f'if (x) {{ return; }} {{"a": [1, }} {TEXT}',
        with_(reasoning="because", confidence=0.9),
        with_(thread="1", cites=["[1]", 1]),
        with_(points=[{"text": "The token\n was  stale ", "cites": ["2", "#3", 2], "why": "x"}]),
        with_(headline=" Fix \t the\nlogin\u2028\x07"),
        TEXT.replace("token was", "token\n\twas\x07"),
    ],
)
def test_the_object_is_found_and_tidied(text: str) -> None:
    assert read(text) == ANSWER


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("I am sorry, I cannot do that.", "no whole JSON object"),
        (TEXT[:-20], "no whole JSON object"),
        ("[1, 2]", "no whole JSON object"),
        ('{"headline": "x"}', "no whole JSON object"),
        (json.dumps({"threads": "x"}), "no list of objects"),
        (json.dumps({"threads": ["x"]}), "no list of objects"),
        (json.dumps({"threads": []}), "thread 1 is missing"),
        (json.dumps({"threads": [FIRST]}), "thread 2 is missing"),
        (both(FIRST, FIRST), "thread 1 comes twice"),
        (with_(thread=3), "no thread 3: they are 1 to 2"),
        (with_(thread=None), "no whole number"),
        (with_(headline=""), "the headline of thread 1 is missing"),
        (with_(headline=5), "the headline of thread 1 is missing"),
        (with_(cites=[]), "the headline of thread 1 cites nothing"),
        (with_(cites=1), "the headline of thread 1 cites nothing"),
        (with_(cites=[4]), "cites 4, which is not of its thread: its signals are 1 to 3"),
        (with_(points="a"), '"points" of thread 1 is no list'),
        (with_(points=["a"]), 'point 1 of thread 1 is no object with "text" and "cites"'),
        (point(cites=[]), "point 1 of thread 1 cites nothing"),
        (point(cites=1), "point 1 of thread 1 cites nothing"),
        (point(cites=[True]), "no whole number"),
        (point(cites=[1.5]), "no whole number"),
        (point(cites=["1-3"]), "no whole number"),
        (point(cites=[1, 4, -1]), "cites 4, -1, which is not of its thread"),
        (point(text=" \x07"), "the text of point 1 of thread 1 is missing"),
    ],
)
def test_anything_else_is_said_in_words(text: str, why: str) -> None:
    with pytest.raises(BadAnswer, match=why):
        read(text)


def test_the_last_try_loses_points_without_proof_and_those_too_many() -> None:
    points: list[dict[str, object]] = [{"text": "unproven", "cites": []}]
    points += [{"text": f"point {at}", "cites": [1]} for at in range(6)]
    many = with_(points=points)
    with pytest.raises(BadAnswer, match="cites nothing"):
        read(many)
    assert [claim.text for claim in read(many, is_last=True)[0].points] == [
        f"point {at}" for at in range(5)
    ]
    with pytest.raises(BadAnswer, match="7 points, and at most 5"):
        read(with_(points=[{"text": f"point {at}", "cites": [1]} for at in range(7)]))


@pytest.mark.parametrize("changes", [{"cites": []}, {"cites": [9]}, {"points": None}])
def test_the_last_try_forgives_no_more(changes: dict[str, object]) -> None:
    with pytest.raises(BadAnswer):
        read(with_(**changes), is_last=True)


def test_what_is_too_long_is_shortened() -> None:
    long = "word " * 400
    text, _ = read(with_(headline=long, points=[{"text": long, "cites": [1]}]))
    assert len(text.headline) <= HEADLINE_LIMIT
    assert len(text.points[0].text) <= POINT_LIMIT


@given(st.text(max_size=300))
def test_no_text_is_more_than_a_bad_answer(text: str) -> None:
    with pytest.raises(BadAnswer):
        read(text)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["thread", "headline", "points", "text", "cites", "x"]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)
numbers = st.lists(st.integers(0, 6), max_size=3)
points = st.fixed_dictionaries({"text": st.one_of(st.text(), json_values), "cites": numbers})
entries = st.fixed_dictionaries(
    {
        "thread": st.integers(1, 2),
        "headline": st.one_of(st.just("A headline"), json_values),
        "cites": numbers,
        "points": st.one_of(st.lists(points, max_size=3), json_values),
    }
)


@given(entries=st.lists(st.one_of(entries, st.just(SECOND)), max_size=3), is_last=st.booleans())
def test_what_is_accepted_cites_only_what_exists(entries: object, *, is_last: bool) -> None:
    try:
        texts = read(json.dumps({"threads": entries}), is_last=is_last)
    except BadAnswer:
        return
    assert len(texts) == len(COUNTS)
    for text, count in zip(texts, COUNTS, strict=True):
        for cites in (text.cites, *(claim.cites for claim in text.points)):
            assert cites
            assert set(cites) <= set(range(1, count + 1))
            assert len(set(cites)) == len(cites)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":' * 50_000,
        "{" * 300_000,
        "[" * 300_000 + '{"threads":' * 1000,
        '{"threads": [' * 20_000,
        '{"' * 100_000,
        '{"n": ' + "9" * 50_000 + "}",
    ],
)
def test_a_text_made_to_be_slow_is_read_in_bounded_time(text: str) -> None:
    """It takes some milliseconds of this process; what is not linear would take hours."""
    began_s = time.process_time()
    with pytest.raises(BadAnswer):
        read(text)
    assert time.process_time() - began_s < 60
