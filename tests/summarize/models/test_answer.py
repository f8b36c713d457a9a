"""What is believed of a model's text: one object of the right shape, citing numbers that exist."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtool.summarize.check import BULLET_LIMIT, KEYWORD_LIMIT, MOST_KEYWORDS, TITLE_LIMIT
from memtool.summarize.models.answer import Answer, BadAnswer, Claim, read_answer

NUMBERS = frozenset({1, 2, 3, 7})
GOOD: dict[str, object] = {
    "title": "Fix the login",
    "bullets": [{"text": "Fix it → fixed", "cites": [1, 7]}],
    "keywords": ["auth.py", "login"],
}
ANSWER = Answer("Fix the login", (Claim("Fix it → fixed", (1, 7)),), ("auth.py", "login"))
TEXT = json.dumps(GOOD)


def read(text: str, most: int = 5, *, is_last: bool = False) -> Answer:
    return read_answer(text, NUMBERS, most, is_last=is_last)


def with_(**changes: object) -> str:
    return json.dumps(GOOD | changes)


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f"```json\n{TEXT}\n```",
        f"Sure! Here is the entry:\n{TEXT}\nLet me know {{if}} you want more.",
        f"<think>maybe {with_(title='A draft')}? no</think>\n{TEXT}",
        f"{with_(title='A draft')}\nOn second thought:\n{TEXT}",
        f'if (x) {{ return; }} {{"a": [1, }} {TEXT}',
        with_(reasoning="because", confidence=0.9),
        with_(bullets=[{"text": "Fix it\n → fixed ", "cites": ["1", "[7]", 1], "why": "x"}]),
        with_(
            title=" Fix \t the\nlogin\u2028", keywords=["auth.py", " login", "Login", "", "\x00"]
        ),
        TEXT.replace("Fix it → fixed", "Fix it\n→\tfixed\x07"),
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
        ('{"title": "x"}', "no whole JSON object"),
        (with_(bullets=[]), "no list with at least one bullet"),
        (with_(bullets="Fix it"), "no list with at least one bullet"),
        (with_(bullets=["Fix it"]), 'bullet 1 is no object with "text" and "cites"'),
        (with_(bullets=[{"text": "a"}]), "bullet 1 cites nothing"),
        (with_(bullets=[{"text": "a", "cites": []}]), "bullet 1 cites nothing"),
        (with_(bullets=[{"text": "a", "cites": 1}]), "bullet 1 cites nothing"),
        (with_(bullets=[{"text": "a", "cites": [True]}]), "no whole number"),
        (with_(bullets=[{"text": "a", "cites": [1.5]}]), "no whole number"),
        (with_(bullets=[{"text": "a", "cites": ["1-3"]}]), "no whole number"),
        (with_(bullets=[{"text": "a", "cites": [1, 4, -1]}]), "cites 4, -1, which does not exist"),
        (with_(bullets=[{"text": " \x07", "cites": [1]}]), "the text of bullet 1 is missing"),
        (with_(title=""), "the title is missing"),
        (with_(title=5), "the title is missing"),
        (with_(keywords="login"), "no list of words"),
        (with_(keywords=[1]), "no list of words"),
        (json.dumps({key: GOOD[key] for key in ("title", "bullets")}), "no list of words"),
    ],
)
def test_anything_else_is_said_in_words(text: str, why: str) -> None:
    with pytest.raises(BadAnswer, match=why):
        read(text)


def test_too_many_bullets_are_asked_for_again_and_then_cut() -> None:
    many = with_(bullets=[{"text": f"bullet {at}", "cites": [1]} for at in range(6)])
    with pytest.raises(BadAnswer, match="6 bullets, and at most 5"):
        read(many)
    assert [claim.text for claim in read(many, is_last=True).claims] == [
        f"bullet {at}" for at in range(5)
    ]


def test_what_is_too_long_is_shortened_to_what_a_draft_may_hold() -> None:
    long = "word " * 400
    answer = read(
        with_(
            title=long,
            bullets=[{"text": long, "cites": [1]}],
            keywords=[long, *(f"k{at}" for at in range(90))],
        )
    )
    assert len(answer.title) <= TITLE_LIMIT
    assert len(answer.claims[0].text) <= BULLET_LIMIT
    assert max(map(len, answer.keywords)) <= KEYWORD_LIMIT
    assert len(answer.keywords) == MOST_KEYWORDS


@given(st.text(max_size=300))
def test_no_text_is_more_than_a_bad_answer(text: str) -> None:
    with pytest.raises(BadAnswer):
        read(text)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["title", "bullets", "keywords", "text", "cites", "x"]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@given(
    st.fixed_dictionaries(
        {
            "title": st.one_of(st.just("A title"), json_values),
            "bullets": st.lists(
                st.fixed_dictionaries(
                    {
                        "text": st.one_of(st.text(), json_values),
                        "cites": st.lists(st.integers(0, 8)),
                    }
                )
            ),
            "keywords": st.one_of(st.lists(st.text()), json_values),
        }
    )
)
def test_what_is_accepted_cites_only_what_exists(value: object) -> None:
    try:
        answer = read(json.dumps(value))
    except BadAnswer:
        return
    assert answer.claims
    for claim in answer.claims:
        assert claim.numbers
        assert set(claim.numbers) <= NUMBERS
        assert len(set(claim.numbers)) == len(claim.numbers)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":' * 50_000,
        "{" * 300_000,
        "[" * 300_000 + '{"bullets":' * 1000,
        '{"bullets": [' * 20_000,
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
