"""Long requests in parts: nothing is lost, nothing is too long, and always cut at the same places."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from memtool.model.segmenting import tokens_of
from memtool.model.summary import Item, Request
from memtool.summarize.models.prompt import first_turn
from memtool.summarize.models.window import LEAST_TOKENS, merging_request, parts_of, size_of
from tests.llm_server import data_of
from tests.summarize.requests import ODD_TEXTS, period, requests, segment

rooms = st.sampled_from([LEAST_TOKENS, LEAST_TOKENS + 1, 2_000, 5_000, 50_000])


def items_of(request: Request) -> list[Item]:
    return [item for section in request.sections for item in section.items]


@given(request=requests, room=rooms)
def test_every_item_is_in_one_part_or_in_pieces_in_order(request: Request, room: int) -> None:
    parts = parts_of(request, room)
    pieces = [item for part in parts for item in items_of(part)]
    joined: list[Item] = []
    for piece in pieces:
        if joined and joined[-1].number == piece.number:
            joined[-1] = replace(joined[-1], text=joined[-1].text + piece.text)
        else:
            joined.append(piece)
    assert joined == items_of(request)


@given(request=requests, room=rooms)
def test_every_part_is_within_the_room(request: Request, room: int) -> None:
    for part in parts_of(request, room):
        assert size_of(part) <= room
        assert tokens_of(data_of(first_turn(part, 5))) <= room
        assert items_of(part)


@given(request=requests, room=rooms)
def test_a_part_is_not_split_again(request: Request, room: int) -> None:
    parts = parts_of(request, room)
    assert parts == parts_of(request, room)
    for part in parts:
        assert parts_of(part, room) == [part]


def test_what_fits_is_one_part() -> None:
    request = segment(*[("prompt", text) for text in ODD_TEXTS[:8]])
    assert parts_of(request, 10_000) == [request]


def test_a_section_that_goes_on_in_the_next_part_keeps_its_heading() -> None:
    request = period(("app s1", "Fix the login", tuple(f"{at} " * 90 for at in range(60))))
    parts = parts_of(request, LEAST_TOKENS)
    assert len(parts) > 2
    assert all(part.sections[0].title == "Fix the login" for part in parts)


def test_a_long_item_is_cut_at_lines_or_words() -> None:
    text = "\n".join(f"line {at} of the log" for at in range(3_000))
    parts = parts_of(segment(("tool_result", text)), LEAST_TOKENS)
    assert all(item.text.endswith("\n") for part in parts[:-1] for item in items_of(part))


@pytest.mark.parametrize("text", ["x", "\n", "a\n", "\U0001f600", "<|", "語", " "])
def test_a_text_that_grows_when_it_is_shown_is_cut_all_the_same(text: str) -> None:
    request = segment(("tool_result", text * 30_000), ("answer", "ok"))
    parts = parts_of(request, LEAST_TOKENS)
    assert max(map(size_of, parts)) <= LEAST_TOKENS
    assert "".join(i.text for p in parts for i in items_of(p)) == text * 30_000 + "ok"


def test_the_smallest_part_holds_two_bullets_of_any_script() -> None:
    """So every round of merging leaves fewer bullets."""
    wide = "\U0001f600" * 400
    request = segment(("prompt", "x"))
    merging = merging_request(request, [(f"part {n} of 99", wide[:120], (wide,)) for n in (98, 99)])
    assert len(parts_of(merging, LEAST_TOKENS)) == 1
