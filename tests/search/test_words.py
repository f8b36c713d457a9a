"""Text analysis: what is one term, in any script, and that queries and texts are read alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtool.search.words import spans, terms


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Running tests", {"run", "test"}),
        ("handleTurnEnd()", {"handleturnend", "turn", "end"}),
        ("HTTPServer2", {"httpserver2", "http", "server", "2"}),
        ("snake_case_name", {"snake_case_name", "snake", "name"}),
        (
            "cmd/entire/manual_commit.go:",
            {"manual_commit.go", "manual", "cmd/entire/manual_commit.go"},
        ),
        ("git commit --no-verify", {"git", "commit", "-no-verify"}),
        (".gitignore and #186, ENT-258.", {".gitignore", "#186", "ent-258"}),
        ("at a1b2c3d4e5f", {"a1b2c3d4e5f", "a1b2c3d"}),
        ("don't; Caroline's", {"dont", "carolin"}),
        ("Zürich STRASSE straße", {"zurich", "strass"}),
        ("私は学生です", {"学生", "私は"}),
        ("\uff26\uff55\uff4c\uff4c width", {"full", "width"}),
        ("привет, мир", {"привет", "мир"}),
        ("std::vector", {"std", "vector", "std::vector"}),
    ],
)
def test_what_a_text_is_found_by(text: str, wanted: set[str]) -> None:
    assert wanted <= set(terms(text))


def test_a_word_is_found_in_each_of_its_forms() -> None:
    assert (
        len({next(terms(word)) for word in ("Commit", "commits", "COMMITTED", "committing")}) == 1
    )


@given(st.text(max_size=400))
def test_any_text_gives_terms_without_blanks_and_the_same_ones_where_they_stand(text: str) -> None:
    found = list(terms(text))
    assert all(found)
    assert not any(" " in term or "\n" in term for term in found)
    assert all(0 <= start < end <= len(text) for start, end, _ in spans(text))


def test_a_word_of_any_length_is_bounded() -> None:
    assert all(len(term) <= 64 for term in terms("x" * 10_000 + " " + "ab_" * 5_000))
