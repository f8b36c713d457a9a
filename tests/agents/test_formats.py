"""One contract for every row of the table of formats."""

from __future__ import annotations

import pytest

from memtool.agents import FORMATS, Fate, File, Format, format_named, formats
from memtool.agents.values import JsonObject

SAMPLES: dict[str, JsonObject] = {
    "claude-code": {"type": "x", "sessionId": "s"},
    "jsonl": {"agent": "a", "session": "s", "time": 1, "kind": "note"},
}


@pytest.mark.parametrize("known", formats(), ids=lambda one: str(one.name))
def test_a_format_knows_its_own_and_leaves_the_others(known: Format) -> None:
    assert format_named(known.name) is known
    assert [name for name, sample in SAMPLES.items() if known.recognises(sample)] == [known.name]
    outcome = known.parser(File("", lambda _: iter(()))).parse({})
    assert outcome.fate in (Fate.UNKNOWN, Fate.DAMAGED)


def test_names_are_told_apart_and_each_has_a_sample() -> None:
    assert [name for name, _ in FORMATS] == [known.name for known in formats()]
    assert set(SAMPLES) == {name for name, _ in FORMATS}
    assert format_named("nothing") is None
