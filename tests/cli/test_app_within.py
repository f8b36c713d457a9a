"""A memtool that memtool has started, by way of a summarizer: it says so and does nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from memtool.cli.app import COMMANDS
from memtool.process import WITHIN

Call = Callable[..., tuple[int, str, str]]
COMMAND_LINES = [
    (),
    *[(row.name,) for row in COMMANDS],
    ("scheduler", "status"),
    ("config", "show"),
    ("--store", "/nowhere", "toc"),
]


@pytest.mark.parametrize("arguments", COMMAND_LINES, ids=" ".join)
def test_no_command_does_anything(call: Call, arguments: tuple[str, ...]) -> None:
    code, out, err = call(*arguments, **{WITHIN: "summarizer"})
    assert (code, out) == (75, "")
    assert err.splitlines()[0].startswith("memtool: this runs within a summarizer")


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("ingest", "--help")])
def test_what_only_shows_words_works(call: Call, arguments: tuple[str, ...]) -> None:
    code, out, _ = call(*arguments, **{WITHIN: "summarizer"})
    assert code == 0
    assert out


def test_empty_is_as_good_as_not_set(call: Call) -> None:
    assert call("config", "path", **{WITHIN: ""})[0] == 0
