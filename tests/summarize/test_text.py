"""The small parts: sentences by their characters, plain text, words and titles."""

from __future__ import annotations

import pytest
from hypothesis import given

from memtool.summarize.text.plain import plain, shorten
from memtool.summarize.text.sentences import LONGEST_SPAN, sentences
from memtool.summarize.text.words import key, words
from tests.summarize.requests import texts


@given(texts)
def test_sentences_are_visible_trimmed_ordered_and_short(text: str) -> None:
    end = 0
    for sentence in sentences(text):
        said = text[sentence.start : sentence.end]
        assert said == said.strip()
        assert said
        assert len(said) <= LONGEST_SPAN
        assert sentence.start >= end
        end = sentence.start


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("See e.g. the docs. Then v1.2.3 works.", ["See e.g. the docs.", "Then v1.2.3 works."]),
        ("A wrapped\nline ends. Next", ["A wrapped\nline ends.", "Next"]),
        ("- one\n- two\n  more", ["one", "two\n  more"]),
        ("1. **a** - b", ["**a** - b"]),
        ("最初。次！", ["最初。", "次！"]),  # noqa: RUF001
        ("```\ncode. here\n```\nafter", ["code. here", "after"]),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, expected: list[str]) -> None:
    assert [text[s.start : s.end] for s in sentences(text)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**bold** and `code` and [a link](http://x.org/a_(b))", "bold and code and a link"),
        ("## Title\n- item", "Title item"),
        ("\x1b[1;31mred\x1b[0m\x07 text", "red text"),
        ("snake_case and __init__ stay", "snake_case and init stay"),
        ("a * b * c", "a * b * c"),
        ("key [redacted:token] used", "key … used"),
        ("\u202eabc\u202c", "abc"),
    ],
)
def test_plain_text_has_no_markup(text: str, expected: str) -> None:
    assert plain(text) == expected


@given(texts)
def test_plain_text_is_one_line_without_control_characters(text: str) -> None:
    assert "\n" not in plain(text)
    assert all(character.isprintable() or character > "\x9f" for character in plain(text))


@given(texts)
def test_shortened_text_keeps_the_limit(text: str) -> None:
    assert len(shorten(plain(text), 40)) <= 40


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see src/app/auth.py:12 now", ["see", "auth.py", "now"]),
        ("the user's tokens", ["the", "user", "tokens"]),
        ("認証トークンの更新", ["認証", "トークン", "更新"]),
        ("登录页面刷新令牌", ["登录", "录页", "页面", "面刷", "刷新", "新令", "令牌"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("[redacted:aws-key] x1", ["x1"]),
    ],
)
def test_words_of_any_script(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_forms_of_a_word_are_one_key_and_noise_is_none() -> None:
    assert key("retries") == key("Retry")
    assert key("logging") == key("logged") == key("logs")
    assert [key(word) for word in ("the", "Und", "4be11d0", "2026-01-02", "x" * 50)] == [""] * 5
