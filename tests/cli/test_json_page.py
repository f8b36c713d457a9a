"""docs/json.md names every field that the reading commands print, under the heading of its kind."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from memtool.model.records import ROLES
from tests.cli.history import call, grips_of
from tests.memory import Memory

PAGE = (Path(__file__).resolve().parents[2] / "docs/json.md").read_text(encoding="utf-8")
COMMANDS = {
    "toc": ["toc"],
    "node": ["show", "2026-12-03"],
    "thread": ["show", "thread:079b39b3"],
    "morning": [],
    "timeline": ["timeline", "--until", "2026-12"],
    "open": ["open"],
    "grip": ["grip", ""],
    "events": ["events"],
    "search": ["search", "why do customers pay twice", "--explain"],
    "verify": ["verify"],
    "summarizers": ["summarizers"],
}
ELSEWHERE = {"kind", "version", *ROLES}
# What a part of one object has in common with another is described there.
REFERS_TO = {
    "node": "toc",
    "thread": "node",
    "morning": "node",
    "grip": "events",
    "search": "events",
}
OPEN_MAPS = {"metadata", "counts", "parts"}


def section(kind: str) -> str:
    parts = re.split(r"^## (\w+)$", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[kind]


def fields(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from fields(item)
    elif isinstance(value, dict):
        for name, below in value.items():
            yield name
            if name not in OPEN_MAPS:
                yield from fields(below)


@pytest.mark.parametrize("kind", COMMANDS)
def test_every_field_is_described(
    memory: Memory, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    words = [word or grips_of(memory, "Why do")[0] for word in COMMANDS[kind]]
    assert call(memory.root, *words, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["kind"] == kind
    described = set(re.findall(r"`([\w ]+)`", section(kind) + section(REFERS_TO.get(kind, kind))))
    assert set(fields(found)) - described - ELSEWHERE == set()
