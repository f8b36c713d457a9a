"""docs/store-format.md names the fields of each value, in their order: the bytes on disk depend on it."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from memtool.model.records import (
    Bullet,
    Child,
    Cut,
    Event,
    Failure,
    Grip,
    Node,
    Recipe,
    Session,
    Source,
    Tombstone,
    Write,
)
from memtool.store import codec
from tests.crash.events import an_event

PAGE = (Path(__file__).resolve().parents[2] / "docs/store-format.md").read_text(encoding="utf-8")
KINDS = (Bullet, Child, Cut, Failure, Grip, Recipe, Session, Source, Tombstone, Write)


def flat(text: str) -> str:
    """Return the text without what is nested in its lists of fields."""
    return re.sub(r": \[\w[\w ]*\]", "", " ".join(text.split()))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_page_has_the_fields_of_each_value(kind: type[msgspec.Struct]) -> None:
    assert "{" + ", ".join(kind.__struct_fields__) + "}" in flat(PAGE)


def test_the_page_has_the_fields_of_events() -> None:
    section = PAGE.partition("## Events")[2].partition("**IDs.**")[0]
    fields = re.findall(r"^    (\w+) ", section, flags=re.MULTILINE)
    assert set(fields) == set(Event.__struct_fields__)


def test_the_page_has_the_fields_of_nodes() -> None:
    node = Node("day:2026-11-22", "t", (), (), (), (), (), "i", Recipe("r"))  # type: ignore[arg-type]
    row = flat(PAGE.partition("## Nodes")[2].partition("- **inputs**")[0])
    while (shorter := re.sub(r": (?:\[\{[^{}\[\]]*\}\]|\{[^{}\[\]]*\}|false)", "", row)) != row:
        row = shorter
    assert ", ".join(msgspec.msgpack.decode(codec.NODE.encode(node))) in row


def test_values_are_maps_in_the_order_of_the_fields() -> None:
    event = an_event(1)
    found = msgspec.msgpack.decode(codec.EVENT.encode(event))
    assert tuple(found) == Event.__struct_fields__
    assert codec.EVENT.decode(codec.EVENT.encode(event), b"") == event
