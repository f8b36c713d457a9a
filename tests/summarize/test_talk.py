"""What the extractive summarizer makes of talk between people: who told what, each bullet from one message."""

from __future__ import annotations

import pytest

from memtool.model.summary import Draft, Item
from memtool.summarize.check import check_draft
from memtool.summarize.extractive.segments.draft import summarize_segment
from memtool.summarize.extractive.segments.salience import FEATURES, told_by
from memtool.summarize.extractive.segments.speakers import talk_of
from tests.summarize.requests import cited_words, segment

SAID = (
    ("Ruth", "Hi Omar! How was your summer?"),
    ("Omar", "Hey Ruth! Great, thanks. I walked the Camino in July, 780 km from Saint-Jean. My knees hated it!"),
    ("Ruth", "Wow, impressive! Did you go alone?"),
    ("Omar", "My sister Leila joined me in León. She has just finished law school."),
    ("Ruth", "Lovely! Give her my best."),
    ("Omar", "Will do. And you?"),
    ("Ruth", 'We moved to Ghent two weeks ago. I am reading "The Dispossessed" between the boxes.'),
    ("Omar", "Ghent is so pretty! Enjoy it."),
    ("Ruth", "Thanks, Omar! Talk soon."),
    ("Omar", "Bye!"),
)  # fmt: skip
SIDES = ({"Ruth": "prompt", "Omar": "answer"}, {"Ruth": "answer", "Omar": "prompt"})
BOTH_PROMPT = {"Ruth": "prompt", "Omar": "prompt"}


def told(sides: dict[str, str], *, named: bool) -> tuple[tuple[str, str], ...]:
    return tuple((sides[who], f"{who}: {text}" if named else text) for who, text in SAID)


def draft_of(*said: tuple[str, str], most: int = 3) -> Draft:
    request = segment(*said)
    return check_draft(request, summarize_segment(request, most))


@pytest.mark.parametrize("sides", [*SIDES, BOTH_PROMPT])
@pytest.mark.parametrize("named", [True, False])
def test_a_bullet_is_what_one_message_says(sides: dict[str, str], *, named: bool) -> None:
    said = told(sides, named=named)
    draft = draft_of(*said)
    assert [len(bullet.citations) for bullet in draft.bullets] == [1, 1, 1]
    assert [bullet.citations[0].number for bullet in draft.bullets] == [2, 4, 7]
    cited = cited_words(segment(*said), draft)
    for bullet, words in zip(draft.bullets, cited, strict=True):
        assert bullet.text.removeprefix("Ruth: ").removeprefix("Omar: ") in words[0]


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("named", [True, False])
def test_a_bullet_says_who_says_it(sides: dict[str, str], *, named: bool) -> None:
    """Also where only the other side's greetings and thanks tell the name."""
    draft = draft_of(*told(sides, named=named))
    speakers = [bullet.text.partition(":")[0] for bullet in draft.bullets]
    assert speakers == ["Omar", "Omar", "Ruth"]


def test_nobody_is_named_by_guessing() -> None:
    said = tuple((kind, text.replace("Ruth", "Omar")) for kind, text in told(SIDES[0], named=False))
    assert {message.speaker for message in talk_of(_items(said))} == {""}


def test_greetings_and_questions_are_not_told() -> None:
    draft = draft_of(*told(SIDES[0], named=True), most=5)
    text = " ".join(bullet.text for bullet in draft.bullets)
    assert "?" not in text
    assert "Bye" not in text
    assert "?" not in draft.title


def test_the_words_are_bounded_however_long_the_sentences_are() -> None:
    long = "I " + ", then ".join(f"visited town{at} and castle{at}" for at in range(20))
    said = [(kind, f"{long} number{at}.") for at, kind in enumerate(("prompt", "answer") * 5)]
    bullets = draft_of(*said, most=5).bullets
    assert sum(len(bullet.text.split()) for bullet in bullets) <= 160


def test_the_keywords_are_no_speakers_and_no_small_talk() -> None:
    keywords = {word.lower() for word in draft_of(*told(SIDES[0], named=False)).keywords}
    assert "ghent" in keywords
    assert not {"ruth", "omar", "wow", "thanks", "lovely"} & keywords


@pytest.mark.parametrize(
    "work",
    [
        [("tool_call", "Bash: make")],
        [("answer", "Try this:\n```\nmake\n```")],
        [("answer", "I looked at all of it. " * 120)],
    ],
)
def test_work_is_no_talk(work: list[tuple[str, str]]) -> None:
    assert talk_of(_items(told(SIDES[0], named=False)))
    assert talk_of(_items((*told(SIDES[0], named=False), *work))) == []


def test_orders_make_it_work() -> None:
    said = [("prompt", "Rewrite the lexer without recursion"), ("answer", "I've rewritten it.")] * 4
    assert talk_of(_items(said)) == []


def test_talk_in_another_language_is_told() -> None:
    said = (
        ("prompt", "Hallo Jana! Wie war dein Urlaub?"),
        (
            "answer",
            "Danke, Emil! Wir waren im August zwei Wochen auf Rügen und haben segeln gelernt.",
        ),
        ("prompt", "Toll! Mit wem denn?"),
        ("answer", "Mit meiner Schwester Paula, die seit Mai in Kiel Meeresbiologie studiert."),
        ("prompt", "Schön! Ich habe gestern bei der Feuerwehr in Jena angefangen."),
        ("answer", "Glückwunsch! Bis bald."),
    )
    texts = [bullet.text for bullet in draft_of(*said).bullets]
    assert texts[0].startswith("Jana: Wir waren im August")
    assert texts[1].startswith("Jana: ")
    assert "Feuerwehr" in texts[2]


def test_counts_stay_within_their_limits() -> None:
    found = told_by(talk_of(_items(told(SIDES[0], named=True))))
    for one in found:
        assert all(0 <= count <= f.most for f, count in zip(FEATURES, one.counts, strict=True))


def _items(said: tuple[tuple[str, str], ...] | list[tuple[str, str]]) -> tuple[Item, ...]:
    return segment(*said).sections[0].items
