"""What is written twice stays the same: exit codes, settings, commands, words."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from memtool.cli.app import COMMANDS, Row, load
from memtool.errors import EXIT_CODES, MemtoolError
from memtool.model import levels
from memtool.settings import WEEKDAYS
from memtool.systemd.jobs import SETTINGS

REPOSITORY = Path(__file__).resolve().parents[1]
HELP_WIDTH = 65  # 80 columns less the names of the commands


def test_the_page_of_exit_codes_is_the_table_of_the_code() -> None:
    page = (REPOSITORY / "docs/exit-codes.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| ([\w-]+) \| (.+) \|$", page, re.MULTILINE)
    assert rows == [(str(row.code), row.name, row.meaning) for row in EXIT_CODES]


def test_exit_codes_are_told_apart() -> None:
    assert len({row.code for row in EXIT_CODES}) == len(EXIT_CODES)
    assert len({row.name for row in EXIT_CODES}) == len(EXIT_CODES)


def test_every_error_has_a_code_of_the_table() -> None:
    assert {kind.exit_code for kind in MemtoolError.__subclasses__()} <= set(EXIT_CODES)


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=lambda setting: str(setting.key))
def test_every_setting_says_what_it_is_for_and_what_it_may_be(setting: object) -> None:
    row = next(one for one in SETTINGS.values() if one is setting)
    assert row.doc.endswith(".")
    assert row.kind.expected
    assert row.kind.accepts(row.default)


def test_weekdays_are_the_same_words_in_every_layer() -> None:
    assert WEEKDAYS == levels.WEEKDAYS


def test_commands_are_told_apart_and_their_help_fits_a_line() -> None:
    assert len({row.name for row in COMMANDS}) == len(COMMANDS)
    assert [row.name for row in COMMANDS if not 0 < len(row.help) <= HELP_WIDTH] == []


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: str(row.name))
def test_every_command_is_there_and_has_help(row: Row) -> None:
    if row.target and find_spec(row.target.partition(":")[0]) is None:
        pytest.skip(f"{row.target} is not there yet")
    command = load(row)
    assert command.help
    for name, child in getattr(command, "commands", {}).items():
        assert child.help, f"{row.name} {name} has no help"
