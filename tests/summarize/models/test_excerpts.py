"""The words that prove a claim: verbatim, of bounded length, and the best of the message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtool.model.records import EXCERPT_CHARACTERS, EventId
from memtool.model.summary import Citation, Draft, DraftBullet, Item, Request
from memtool.summarize.check import check_draft
from memtool.summarize.models.answer import proving_words
from tests.summarize.requests import requests, texts


def quoted(text: str, claim: str) -> str:
    citation = proving_words(Item(1, "answer", text, event=EventId("0" * 32)), claim)
    return text[citation.start : citation.end]


@given(request=requests, claim=texts)
def test_every_citation_passes_the_check(request: Request, claim: str) -> None:
    items = [item for section in request.sections for item in section.items]
    proof = tuple(proving_words(item, claim) for item in items)
    check_draft(request, Draft("A title", (DraftBullet("A bullet", proof),), ()))


@given(texts, st.data())
def test_a_claim_in_the_messages_own_words_is_found(text: str, data: st.DataObject) -> None:
    claim = data.draw(st.sampled_from(text.split() or [""]))
    assert len(quoted(text, claim)) <= EXCERPT_CHARACTERS


def test_the_sentence_that_shares_most_words_is_quoted() -> None:
    text = (
        "Let me look at the code first. It is long. The token was never refreshed in auth.py. "
        "I also saw a typo. Everything else is fine."
    )
    claim = "Login fails → token is refreshed in auth.py now"
    assert quoted(text, claim) == "The token was never refreshed in auth.py."


def test_neighbours_that_prove_more_are_quoted_too() -> None:
    text = "Sure. The parser lost the offset. The lexer counted bytes. Bye."
    claim = "parser lost offset since lexer counted bytes"
    assert quoted(text, claim) == "The parser lost the offset. The lexer counted bytes."


def test_without_a_shared_word_it_is_how_the_message_begins() -> None:
    assert quoted("  Erledigt. Alles gut.", "fix the login") == "Erledigt. Alles gut."


@pytest.mark.parametrize("text", ["", " \n", "\x00 \t"])
def test_a_blank_message_has_no_span(text: str) -> None:
    citation = proving_words(Item(3, "prompt", text), "anything")
    assert citation == Citation(3) or text[citation.start : citation.end].strip()


def test_a_childs_bullet_has_no_span() -> None:
    assert proving_words(Item(2, "bullet", "Fix the login → fixed"), "login fixed") == Citation(2)
