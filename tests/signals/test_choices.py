"""What is a choice, and what is none: forms of real replies, with other subjects."""

from __future__ import annotations

import pytest

from memtool.signals.choices import chosen, replies
from memtool.signals.text import pieces_of

ANSWER = """Three ways to keep the queue:

1. A table in the database
2. A file per job
3. Streams of the broker

Which one do you want?"""
TWO_LISTS = """## Storage

1. A table
2. A file

## Naming

1. By number
2. By day
"""
SECTIONS = """### Option 1: Ask at install (noisy)

- Pro: explicit

### Option 2: Tell, do not ask

- Pro: quiet
"""
LETTERS = "a) Keep both names\nb) Drop the old one\n"


def _chosen(prompt: str, answer: str = ANSWER) -> list[str]:
    return [piece.text for piece in chosen(prompt, pieces_of(answer))]


@pytest.mark.parametrize(
    ("prompt", "options"),
    [
        ("2", ["A file per job"]),
        ("2.", ["A file per job"]),
        (
            "3 and I would even keep them for a year, or did we drop that?",
            ["Streams of the broker"],
        ),
        ("2, but I'm assuming that we compress them", ["A file per job"]),
        ("1 and 3", ["A table in the database", "Streams of the broker"]),
        ("1, 2", ["A table in the database", "A file per job"]),
        ("let's go with 2", ["A file per job"]),
        ("ok, go with 3 please", ["Streams of the broker"]),
        ("option 2", ["A file per job"]),
        ("I like Option 1, it is simple", ["A table in the database"]),
        ("let's implement options 3", ["Streams of the broker"]),
        ("the second one", ["A file per job"]),
        ("let's do the last option", ["Streams of the broker"]),
        ("all", ["A table in the database", "A file per job", "Streams of the broker"]),
    ],
)
def test_a_choice_is_the_option_of_the_answer_before(prompt: str, options: list[str]) -> None:
    assert _chosen(prompt) == options


@pytest.mark.parametrize(
    "prompt",
    [
        "50 commits is too many",
        "let's first fix the test",
        "explain the second option?",
        "explain option 2?",
        "1. just make sure to keep the logs",
        "2. Strengthen the retry\n3. Then measure",
        "2) Strengthen the retry",
        "4",
        "option 7",
        "both",
        "should we take option 1 or option 2?",
        "option 1 or option 2, you decide",
        "yes",
        "2 of the tests fail",
        "3 days is too long",
        "a test fails",
        "the first test fails",
        "",
    ],
)
def test_what_is_no_choice(prompt: str) -> None:
    assert _chosen(prompt) == []


def test_a_bare_label_that_two_lists_have_is_no_choice() -> None:
    assert _chosen("2", TWO_LISTS) == []


def test_an_option_by_name_is_of_the_last_list_that_has_it() -> None:
    assert _chosen("option 2", TWO_LISTS) == ["By day"]


def test_sections_are_options() -> None:
    assert _chosen("let's implement options 2", SECTIONS) == ["Tell, do not ask"]


def test_letters_are_labels() -> None:
    assert _chosen("b", LETTERS) == ["Drop the old one"]
    assert _chosen("both", LETTERS) == ["Keep both names", "Drop the old one"]


def test_an_option_that_asks_is_not_stated() -> None:
    assert _chosen("1", "1. Should it be a table?\n2. Or a file?") == []


def test_numbered_replies_belong_to_as_many_questions() -> None:
    answer = "1. Which port does it use?\n2. Who may read it?"
    prompt = "1. 8080 as before\n2. only admins"
    found = replies(prompt, pieces_of(answer))
    assert [(question.text, prompt[start:end]) for question, start, end in found] == [
        ("Which port does it use?", "8080 as before"),
        ("Who may read it?", "only admins"),
    ]
    assert replies("1. 8080 as before", pieces_of(answer)) == []
    assert replies(prompt + "\n3. and more", pieces_of(answer)) == []
