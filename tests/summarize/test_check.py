"""What a draft may not promise."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from memtool.model.summary import Citation, Draft, DraftBullet, Request
from memtool.summarize import SummaryFailed, check_draft
from tests.summarize.requests import period, segment

REQUEST = segment(("prompt", "Fix the parser"), ("answer", " \n "), ("answer", "x" * 900 + "  y"))
GOOD = Draft("Fix the parser", (DraftBullet("Fixed", (Citation(1, 0, 3),)),), ("parser",))


def cites(*citations: Citation) -> Draft:
    return replace(GOOD, bullets=(DraftBullet("Fixed", citations),))


def test_a_good_draft_is_returned() -> None:
    assert check_draft(REQUEST, GOOD) is GOOD


def test_a_message_without_words_can_be_cited() -> None:
    check_draft(REQUEST, cites(Citation(2)))


@pytest.mark.parametrize(
    ("draft", "reason"),
    [
        (replace(GOOD, title=" "), "the title is empty"),
        (replace(GOOD, title="a\nb"), "control character"),
        (replace(GOOD, title="a\x1b[0m"), "control character"),
        (replace(GOOD, title="x" * 121), "more than 120"),
        (replace(GOOD, bullets=()), "0 bullets"),
        (replace(GOOD, bullets=GOOD.bullets * 101), "101 bullets"),
        (
            replace(GOOD, bullets=(DraftBullet("", (Citation(1, 0, 3),)),)),
            "bullet 1: its text is empty",
        ),
        (cites(), "cites nothing"),
        (cites(Citation(9, 0, 1)), "item 9, which does not exist"),
        (cites(Citation(1, 0, 3), Citation(1, 0, 3)), "same words twice"),
        (cites(Citation(1)), "which has 14 characters"),
        (cites(Citation(1, 3, 15)), "which has 14 characters"),
        (cites(Citation(1, -1, 2)), "which has 14 characters"),
        (cites(Citation(2, 0, 1)), "has no span"),
        (cites(Citation(3, 0, 700)), "more than 600"),
        (cites(Citation(3, 900, 902)), "is blank"),
        (replace(GOOD, keywords=("a", "a")), "a keyword comes twice"),
        (replace(GOOD, keywords=("",)), "a keyword is empty"),
        (replace(GOOD, keywords=tuple(f"k{at}" for at in range(31))), "31 keywords"),
    ],
)
def test_a_bad_draft_fails_and_says_why(draft: Draft, reason: str) -> None:
    with pytest.raises(SummaryFailed, match=reason):
        check_draft(REQUEST, draft)


def test_a_childs_bullet_is_cited_as_a_whole() -> None:
    request: Request = period(("monday", "Parser", ("Fix the parser",)))
    check_draft(request, cites(Citation(1)))
    with pytest.raises(SummaryFailed, match="has no span"):
        check_draft(request, cites(Citation(1, 0, 3)))
