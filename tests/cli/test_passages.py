"""Passages: text is shortened between words where one is near, and the cited words are never shortened."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memtool.cli.output import Line, Page, cited_passage, clean, head_end, plain_passage, tail_start

texts = st.text("ab \n漢\x1b[31m", max_size=300)


def plain(line: Line) -> str:
    return "".join(text for text, _ in line)


PAGE = Page({"COLUMNS": "80"})


@given(texts, st.integers(1, 5), st.integers(50, 120))
def test_a_head_has_at_most_so_many_lines_and_characters(
    text: str, lines: int, characters: int
) -> None:
    end = head_end(text, lines, characters)
    assert 0 <= end <= len(text)
    assert len(text[:end].rstrip()) <= characters
    assert text[:end].rstrip().count("\n") < lines


@given(texts, st.integers(1, 5), st.integers(50, 120))
def test_a_tail_is_the_mirror_of_a_head(text: str, lines: int, characters: int) -> None:
    start = tail_start(text, lines, characters)
    assert len(text) - start == head_end(text[::-1], lines, characters)


@given(texts, st.data())
def test_the_cited_words_are_shown_whole_and_marked(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    shown = plain(cited_passage(PAGE, text * 3, (start, end)))
    if text[start:end].strip():
        assert f"▶{clean(text[start:end], lines=True)}◀" in shown


@given(texts)
def test_all_of_a_text_is_shown_where_all_is_wanted(text: str) -> None:
    shown = plain(plain_passage(text * 10, is_full=True))
    assert shown in (clean(text * 10, lines=True).rstrip(), "(no text)")


def test_what_is_left_out_is_counted() -> None:
    assert plain(plain_passage("word " * 1000)).endswith(" [… 4,401 more characters]")
    assert plain(plain_passage("line\n" * 1000)).endswith("line\n[… 4,961 more characters]")
