"""`memtool summarizers`: what can write, what has written, what is outdated and spent."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from memtool.ledger.file import CallRecord
from memtool.ledger.reading import record_call
from memtool.locks import TREE, WRITER, Holder, lock_path, try_lock
from memtool.model.levels import Level
from memtool.rollup.plan import Choices
from memtool.summarize import SUMMARIZERS, Options, make
from tests.cli.history import NOW_US, at, call, remember
from tests.memory import Memory

Output = pytest.CaptureFixture[str]
MORE_BULLETS = {"MEMTOOL_SUMMARIZER__MAX_BULLETS": "9"}
ANSWER = (
    '{"title": "What a model says", "bullets": [{"text": "It was \\u001b[31mpaid twice", '
    '"cites": [1, 2]}], "keywords": ["checkout"]}'
)
ME = Holder(os.getpid(), "test", 0, "me")
CALL = CallRecord(NOW_US, "r", "day:2026-12-01", "openai", "m", 1200, 3000, 500, "ok")


@pytest.fixture
def own(tmp_path: Path) -> Memory:
    """Return a history that a test may change."""
    return remember(tmp_path / "own", is_poisoned=False)


def listed(memory: Memory, capsys: Output, **environ: str) -> dict[str, Any]:
    assert call(memory.root, "summarizers", "--json", columns=80, **environ) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def words(memory: Memory, capsys: Output, *arguments: str, **environ: str) -> str:
    """Return what is printed, on one line."""
    assert call(memory.root, "summarizers", *arguments, columns=80, **environ) == 0
    return " ".join(capsys.readouterr().out.split())


def program(directory: Path, script: str = f"cat >/dev/null; echo '{ANSWER}'") -> dict[str, str]:
    """Return the settings of a summarizer that is a shell script."""
    file = directory / "a-model"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o700)
    # By its name alone, since a long path would be shown, and wrapped.
    settings = {"NAME": "command", "COMMAND": file.name, "TIMEOUT_S": "600"}
    path = {"PATH": f"{directory}:{os.environ['PATH']}"}
    return {f"MEMTOOL_SUMMARIZER__{name}": value for name, value in settings.items()} | path


# The list


def test_every_summarizer_is_listed_with_what_it_lacks(memory: Memory, capsys: Output) -> None:
    rows = {row["name"]: row for row in listed(memory, capsys)["summarizers"]}
    assert list(rows) == [row.name for row in SUMMARIZERS]
    assert [name for name, row in rows.items() if row["configured"]] == ["mock"]
    assert (rows["mock"]["ready"], rows["mock"]["problem"]) == (True, "")
    assert not rows["openai"]["ready"]
    assert "model" in rows["openai"]["problem"]
    said = words(memory, capsys)
    assert "* mock" in said
    assert "not ready: summarizer.model is not set; memtool config set" in said


def test_a_key_file_that_cannot_be_read_is_named_and_ends_nothing(
    memory: Memory, capsys: Output, tmp_path: Path
) -> None:
    (tmp_path / "config/memtool/llm-key").mkdir(parents=True)
    settings = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "MEMTOOL_SUMMARIZER__MODEL": "m"}
    rows = {row["name"]: row for row in listed(memory, capsys, **settings)["summarizers"]}
    assert "llm-key" in rows["openai"]["problem"]
    assert rows["mock"]["ready"]


def test_recipes_are_counted_by_level_and_the_one_in_force_is_marked(
    memory: Memory, capsys: Output
) -> None:
    found = listed(memory, capsys)
    counts = {level.word: len(memory.nodes(level)) for level in Level}
    assert found["recipes"] == [{**found["recipe"], "current": True, "nodes": counts}]
    assert found["recipe"]["summarizer"] == "mock"
    assert sum(found["outdated"]["nodes"].values()) == 0
    assert "Outdated" not in words(memory, capsys)


def test_another_recipe_makes_all_outdated_and_the_upgrade_is_named_with_its_price(
    memory: Memory, capsys: Output
) -> None:
    found = listed(memory, capsys, **MORE_BULLETS)
    nodes = found["recipes"][1]["nodes"]
    assert [row["current"] for row in found["recipes"]] == [True, False]
    assert found["outdated"]["nodes"] == nodes
    said = words(memory, capsys, **MORE_BULLETS)
    assert "* mock (mock-1, max_bullets=9) no node yet" in said
    assert f"Outdated: {nodes['segment']} segments, " in said
    assert (
        "memtool rollup all --outdated writes them again, newest first: about 14 calls, free"
        in said
    )


def test_of_a_model_the_price_is_in_tokens_too(
    memory: Memory, capsys: Output, tmp_path: Path
) -> None:
    settings = program(tmp_path)
    spend = listed(memory, capsys, **settings)["outdated"]["spend"]
    assert f"about 4 calls, {spend:,} tokens" in words(memory, capsys, **settings)


def test_what_counts_as_outdated_is_what_show_says_and_what_a_rollup_does(
    own: Memory, capsys: Output
) -> None:
    since = own.calendar.parse("2026-12", NOW_US)
    newer = make("mock", Options(max_bullets=9))
    own.roll_up_all(NOW_US, summarizer=newer, choices=Choices(outdated=True, since=since))
    told = listed(own, capsys, **MORE_BULLETS)
    for level in Level:
        states = [shown_state(own, capsys, node.id) for node in own.nodes(level)]
        assert told["outdated"]["nodes"][level.word] == sum("outdated" in one for one in states)
    assert told["outdated"]["nodes"]["day"] > 0
    own.roll_up_all(NOW_US, summarizer=newer, choices=Choices(outdated=True))
    assert sum(listed(own, capsys, **MORE_BULLETS)["outdated"]["nodes"].values()) == 0


def shown_state(memory: Memory, capsys: Output, node_id: str) -> list[str]:
    assert call(memory.root, "show", node_id, "--json", columns=80, **MORE_BULLETS) == 0
    state: list[str] = json.loads(capsys.readouterr().out)["state"]
    return state


def test_nodes_of_open_periods_wait_for_their_end(own: Memory, capsys: Output) -> None:
    own.roll_up_all(NOW_US, choices=Choices(include_open=True))
    found = listed(own, capsys, **MORE_BULLETS)["outdated"]
    assert found["open"] == 5  # today's one segment, the day, week, month and year
    assert found["calls"] == sum(found["nodes"].values()) - 5
    said = words(own, capsys, **MORE_BULLETS)
    assert "5 nodes of periods that have not ended: --include-open" in said


def test_what_today_has_spent_is_told_with_its_budget(own: Memory, capsys: Output) -> None:
    """The day is the store's: it began at 23:00 UTC of the day before."""
    began_us = at("2026-12-09T23:00:00")
    failed = CALL._replace(time_us=began_us, output_tokens=0, input_tokens=0, result="429")
    for one in (CALL, failed, CALL._replace(time_us=began_us - 1)):
        record_call(own.root, one)
    found = listed(own, capsys)
    spent = {"day": "day:2026-12-10", "calls": 2, "tokens": 3500, "failed": 1}
    assert found["today"] == spent
    assert found["budget"]["calls_per_day"] == 500
    assert (
        "Today (day:2026-12-10): 2 of 500 calls to models (1 failed), 3,500 of 2,000,000 tokens"
        in words(own, capsys)
    )
    unbounded = {"MEMTOOL_BUDGET__CALLS_PER_DAY": "0", "MEMTOOL_BUDGET__TOKENS_PER_DAY": "0"}
    assert "2 calls to models (1 failed), 3,500 tokens" in words(own, capsys, **unbounded)
    assert listed(own, capsys, **unbounded)["budget"]["calls_per_day"] is None


def test_it_works_without_a_store_and_makes_none(tmp_path: Path, capsys: Output) -> None:
    nowhere = Memory(tmp_path / "nowhere")
    assert listed(nowhere, capsys)["exists"] is False
    assert call(nowhere.root, "summarizers") == 0
    said = capsys.readouterr()
    assert "extractive" in said.out
    assert "no memory yet" in said.err
    assert not nowhere.root.exists()


def test_it_writes_nothing_and_waits_for_nobody(own: Memory, capsys: Output) -> None:
    before = own.everything()
    with held(own, TREE), held(own, WRITER):
        listed(own, capsys)
        words(own, capsys)
    assert own.everything() == before


def held(memory: Memory, name: str) -> Any:
    lock = try_lock(lock_path(memory.root, name), Holder(os.getpid(), "another", 0, name))
    assert lock is not None
    return lock


def test_the_list_may_be_named_and_json_goes_behind_the_subcommand(
    memory: Memory, capsys: Output
) -> None:
    assert words(memory, capsys, "list") == words(memory, capsys)
    assert call(memory.root, "summarizers", "--json", "list") == 2
    assert "memtool summarizers list … --json" in capsys.readouterr().err
