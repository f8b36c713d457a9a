"""`memtool summarizers`: what can write, what has written, what is outdated and spent; a trial that stores nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from memtool.base.lock import TREE, WRITER, Holder, lock_path, try_lock
from memtool.core.levels import Level
from memtool.core.model import NodeId
from memtool.jobs.rollup.order import Choices
from memtool.scheduler.calls import CallRecord, read_calls, record_call
from memtool.store import codec, families, keys
from memtool.summarize import SUMMARIZERS, Options, make
from tests.cli.golden import Golden
from tests.cli.history import NOW_US, at, call, remember
from tests.conftest import SOURCE
from tests.memory import Memory
from tests.waiting import HUNG_S, wait_until

Output = pytest.CaptureFixture[str]
DAY = "2026-11-29"
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
    """Return what is printed, wrapped lines joined."""
    assert call(memory.root, "summarizers", *arguments, columns=80, **environ) == 0
    out = capsys.readouterr().out
    assert [
        line for line in out.splitlines() if len(line) > 80 and "/pytest-of-" not in line
    ] == []  # a path cannot be wrapped
    return " ".join(out.split())


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
    assert found["recipes"] == [{**found["recipe"], "current": True, "nodes": counts, "frozen": 0}]
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
        "memtool rollup all --outdated writes them anew, newest first: about 14 calls, free" in said
    )


def test_of_a_model_the_price_is_in_tokens_too(
    memory: Memory, capsys: Output, tmp_path: Path
) -> None:
    settings = program(tmp_path)
    spend = listed(memory, capsys, **settings)["outdated"]["spend"]
    assert f"about 14 calls, {spend:,} tokens" in words(memory, capsys, **settings)


def test_what_counts_as_outdated_is_what_show_says_and_what_a_rollup_does(
    own: Memory, capsys: Output
) -> None:
    segments = [node.id for node in own.nodes(Level.SEGMENT) if ":2025-12-31:" in node.id]
    freeze(own, "day:2025-12-31", *segments)
    since = own.calendar.parse("2026-12", NOW_US)
    newer = make("mock", Options(max_bullets=9))
    own.roll_up_all(NOW_US, summarizer=newer, choices=Choices(outdated=True, since=since))
    told = listed(own, capsys, **MORE_BULLETS)
    assert told["recipes"][1]["frozen"] == 2
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


def freeze(memory: Memory, *node_ids: str) -> None:
    """Mark the nodes as retention would, behind the store's back."""
    store = memory.access.open_for_writing(None)
    batch = store.engine.batch()
    for node_id in node_ids:
        node = store.node(NodeId(node_id))
        assert node is not None
        frozen = codec.NODE.encode(replace(node, frozen=True))
        batch.put(families.NODES, keys.node(store.generation, node.id), frozen)
    store.engine.write(batch, sync=True)
    store.close()


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
    failed = replace(CALL, time_us=began_us, output_tokens=0, input_tokens=0, result="429")
    for one in (CALL, failed, replace(CALL, time_us=began_us - 1)):
        record_call(own.root, one, ME)
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
    said = words(nowhere, capsys)
    assert "extractive" in said
    assert "memtool ingest takes in" in said
    assert not nowhere.root.exists()


def test_it_writes_nothing_and_waits_for_nobody(own: Memory, capsys: Output) -> None:
    before = own.everything()
    with held(own, TREE), held(own, WRITER):
        listed(own, capsys)
        words(own, capsys, "try", DAY)
    assert own.everything() == before


def held(memory: Memory, name: str) -> Any:
    lock = try_lock(lock_path(memory.root, name), Holder(os.getpid(), "another", 0, name))
    assert lock is not None
    return lock


def test_the_list_may_be_named_and_json_goes_behind_the_subcommand(
    memory: Memory, capsys: Output
) -> None:
    assert words(memory, capsys, "list") == words(memory, capsys)
    assert call(memory.root, "summarizers", "--json", "try", DAY) == 2
    assert "memtool summarizers try … --json" in capsys.readouterr().err


# A trial


@pytest.mark.parametrize("columns", [80, 110])
def test_a_trial_as_it_is_read(
    memory: Memory, capsys: Output, golden: Golden, columns: int
) -> None:
    assert call(memory.root, "summarizers", "try", DAY, columns=columns) == 0
    out = capsys.readouterr().out
    golden(f"summarizers-try-{columns}", re.sub(r"\d\.\d s", "0.0 s", out))


def trial(memory: Memory, capsys: Output, *arguments: str, **environ: str) -> dict[str, Any]:
    assert call(memory.root, "summarizers", "try", *arguments, "--json", columns=80, **environ) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize("text", [DAY, "week:2026-11-29", "2025-12", "last-year"])
def test_the_draft_is_what_a_rollup_then_writes(own: Memory, capsys: Output, text: str) -> None:
    period = own.calendar.parse(text, NOW_US)
    assert period is not None
    own.roll_up(period.level, NOW_US, choices=Choices(force=period))
    tried = trial(own, capsys, text)
    assert tried["same_inputs"]
    same = ("title", "bullets", "keywords", "grips", "recipe")
    assert [tried["draft"][name] for name in same] == [tried["stored"][name] for name in same]


def test_a_segment_may_be_named_by_its_beginning(own: Memory, capsys: Output) -> None:
    segment = own.nodes(Level.SEGMENT)[-1].id
    tried = trial(own, capsys, segment[:-8])
    assert (tried["id"], tried["same_inputs"]) == (segment, True)


def test_a_stale_node_is_tried_on_what_is_stored_and_that_is_said(
    memory: Memory, capsys: Output
) -> None:
    """The late event of 1 December is in no segment yet, so the day's inputs are the old ones."""
    assert trial(memory, capsys, "2026-12-01")["state"] == ["stale"]
    assert "[stale]" in words(memory, capsys, "try", "2026-12-01")


def test_inputs_that_have_changed_since_are_told(own: Memory, capsys: Output) -> None:
    week = "week:2026-11-29"
    assert "What it is made from has changed" not in words(own, capsys, "try", week)
    own.roll_up(
        Level.DAY, at("2026-12-04T12:00:00")
    )  # takes in the late event, before the week's end
    assert not trial(own, capsys, week)["same_inputs"]
    assert "What it is made from has changed since it was written." in words(
        own, capsys, "try", week
    )


def test_an_open_period_without_a_node_is_tried_on_what_is_below_it(
    memory: Memory, capsys: Output
) -> None:
    tried = trial(memory, capsys, "2026-12")
    assert (tried["stored"], tried["state"], tried["same_inputs"]) == (None, ["open"], False)
    assert tried["draft"]["bullets"]
    assert "not summarised yet" in words(memory, capsys, "try", "2026-12")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("today", "hint: memtool rollup day --include-open"),
        ("2026-12-09", "memtool toc"),
        ("soon", "a node is one of"),
        ("segment:2026-11-29:ffff", "memtool toc day:2026-11-29"),
    ],
)
def test_what_cannot_be_tried_is_refused_with_a_hint(
    memory: Memory, capsys: Output, text: str, hint: str
) -> None:
    assert call(memory.root, "summarizers", "try", text) == 2
    assert hint.replace("day:", "") in capsys.readouterr().err.replace("day:", "")


def test_an_unknown_summarizer_is_refused(memory: Memory, capsys: Output) -> None:
    assert call(memory.root, "summarizers", "try", DAY, "--with", "mok") == 78
    assert "did you mean 'mock'?" in capsys.readouterr().err


# A trial that costs something


def test_a_model_is_asked_its_calls_are_recorded_and_nothing_is_stored(
    own: Memory, capsys: Output, tmp_path: Path
) -> None:
    before = own.everything()
    tried = trial(own, capsys, DAY, "--with", "command", **program(tmp_path))
    assert tried["draft"]["title"] == "What a model says"
    (made,) = read_calls(own.root)
    assert (made.node, made.summarizer, made.result) == (f"day:{DAY}", "command", "ok")
    assert tried["draft"]["cost"] == {
        "calls": 1,
        "input_tokens": made.input_tokens,
        "output_tokens": made.output_tokens,
        "duration_ms": made.duration_ms,
    }
    assert own.everything() == before


def test_what_it_cost_is_shown_for_both_and_a_models_text_is_cleaned(
    own: Memory, capsys: Output, tmp_path: Path
) -> None:
    settings = program(tmp_path)
    assert call(own.root, "rollup", "day", "--force", DAY, columns=80, **settings) == 0
    capsys.readouterr()
    assert call(own.root, "summarizers", "try", DAY, columns=120, **settings) == 0
    out = capsys.readouterr().out
    assert out.count("1 call, ") == 2
    assert "no call" not in out
    assert "\x1b" not in out
    assert "paid twice" in out


def test_a_trial_counts_in_the_days_budget(own: Memory, capsys: Output, tmp_path: Path) -> None:
    settings = program(tmp_path) | {"MEMTOOL_BUDGET__CALLS_PER_DAY": "2"}
    record_call(own.root, CALL, ME)
    trial(own, capsys, DAY, **settings)
    assert call(own.root, "summarizers", "try", DAY, columns=80, **settings) == 1
    err = capsys.readouterr().err
    assert "the budget of 2 calls for this day does not hold the next call" in err
    assert "memtool config set budget" in err
    assert len(read_calls(own.root)) == 2


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 78", 78), ("exit 69", 69), ("echo I would rather not", 1)],
)
def test_every_failure_has_its_exit_code_and_its_reason(
    memory: Memory, capsys: Output, tmp_path: Path, script: str, code: int
) -> None:
    settings = program(tmp_path, f"cat >/dev/null; {script}")
    assert call(memory.root, "summarizers", "try", DAY, columns=80, **settings) == code
    said = capsys.readouterr()
    assert re.search(f"ended with {code}|JSON", said.err), said.err
    assert said.out == ""


def test_a_missing_setting_is_named(memory: Memory, capsys: Output) -> None:
    assert call(memory.root, "summarizers", "try", DAY, "--with", "openai") == 78
    assert "summarizer.model" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_breaks_it_off_and_the_call_is_on_record(
    own: Memory, tmp_path: Path, number: int, code: int
) -> None:
    settings = program(tmp_path, f"cat >/dev/null; : >{tmp_path}/asked; exec sleep 3600")
    environ = {**os.environ, **settings, "PYTHONPATH": str(SOURCE)}
    argv = [sys.executable, "-m", "memtool", "--store", str(own.root), "summarizers", "try", DAY]
    with subprocess.Popen(argv, env=environ, stderr=subprocess.PIPE) as process:
        try:
            wait_until((tmp_path / "asked").exists)
            process.send_signal(number)
            assert process.wait(timeout=HUNG_S) == code
        finally:
            process.kill()
    (made,) = read_calls(own.root)
    assert made.result.startswith("cut off")
    assert made.input_tokens == 0
