"""Rollups by a model, as a person or a timer runs them: whole processes against a real server on loopback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from memtool.model.levels import Level
from memtool.query.verify import verify
from memtool.store.access import Access
from tests.cli.history import ALL, CALENDAR, NOW_US
from tests.conftest import SOURCE
from tests.jobs.test_rollup import said
from tests.llm_server import Behaviour, LLMServer, fails, good, limited, says, slow, wrong_cites
from tests.memory import Memory
from tests.scheduler.ledgers import calls as read_calls
from tests.waiting import HUNG_S, wait_until

pytest.importorskip("openai")
pytest.importorskip("anthropic")
KEY = "the-very-secret-key"
WORK = [
    said(f"Fix the offsets of the parser in version {n}", f"2026-11-{n:02}T12:00", f"s{n}")
    for n in range(3, 13)
]


@dataclass
class Person:
    """Someone at a shell, with a memory that has nothing rolled up yet."""

    home: Path

    @property
    def root(self) -> Path:
        return self.home / "store"

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        variables = {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(SOURCE),
            "MEMTOOL_STORE__PATH": str(self.root),
            "MEMTOOL_CALENDAR__TIMEZONE": CALENDAR.zone,
            "MEMTOOL_SUMMARIZER__MODEL": "a-model",
            **environ,
        }
        return subprocess.Popen(
            [sys.executable, "-m", "memtool", *arguments],
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def runs(self, *arguments: str, **environ: str) -> tuple[int, str, str]:
        child = self.start(*arguments, **environ)
        out, err = child.communicate(timeout=HUNG_S)
        assert "Traceback" not in err, err
        assert KEY not in out + err
        return child.returncode, out, err

    def has_no_failure(self) -> bool:
        with Access(self.root).reading() as store:
            return store.failures() == {}


@pytest.fixture
def person(tmp_path: Path) -> Person:
    memory = Memory(tmp_path / "store", CALENDAR)
    memory.take_in(ALL, now_us=NOW_US)
    return Person(tmp_path)


def openai(server: LLMServer) -> dict[str, str]:
    return {
        "MEMTOOL_SUMMARIZER__NAME": "openai",
        "MEMTOOL_SUMMARIZER__ENDPOINT": server.openai_url,
    }


def with_key(person: Person) -> None:
    file = person.home / ".config/memtool/llm-key"
    file.parent.mkdir(parents=True)
    file.write_text(KEY + "\n")


@pytest.mark.parametrize("name", ["openai", "anthropic"])
def test_a_model_writes_every_level_and_every_call_is_on_record(person: Person, name: str) -> None:
    with_key(person)
    with LLMServer(good) as server:
        url = server.openai_url if name == "openai" else server.url
        environ = {"MEMTOOL_SUMMARIZER__NAME": name, "MEMTOOL_SUMMARIZER__ENDPOINT": url}
        code, out, err = person.runs("rollup", "all", "--json", **environ)
        assert (code, err) == (0, "")
        runs: list[dict[str, Any]] = json.loads(out)["runs"]
        calls = sum(run["calls"] for run in runs)
        assert calls == len(server.requests) == len(read_calls(person.root))
        assert sum(run["tokens"] for run in runs) == sum(
            call.input_tokens + call.output_tokens for call in read_calls(person.root)
        )
        again = person.runs("rollup", "all", **environ)
        assert again[0] == 0
        assert len(server.requests) == calls
    with Access(person.root).reading() as store:
        assert verify(store, NOW_US).healthy
        nodes = [node for level in Level for node in store.nodes(level)]
    assert {node.recipe.summarizer for node in nodes} == {name}
    assert {node.recipe.model for node in nodes} == {"a-model"}


@pytest.mark.parametrize(
    ("environ", "behaviour", "code", "words"),
    [
        ({"MEMTOOL_SUMMARIZER__MODEL": ""}, good, 78, "summarizer.model"),
        ({"MEMTOOL_SUMMARIZER__ENDPOINT": "", "OPENAI_API_KEY": ""}, good, 78, "OPENAI_API_KEY"),
        ({}, fails(401, "no such key", code="invalid_api_key"), 78, "key"),
        ({}, fails(404, "no such model", code="model_not_found"), 78, "a-model"),
        ({}, limited(), 69, "429"),
        ({}, fails(503, "overloaded"), 69, "503"),
    ],
    ids=["no model", "no key", "wrong key", "unknown model", "429 to the end", "503"],
)
def test_what_concerns_all_nodes_is_one_clear_line_and_counts_against_none(
    person: Person, environ: dict[str, str], behaviour: Behaviour, code: int, words: str
) -> None:
    with LLMServer(behaviour) as server:
        ended, _, err = person.runs("rollup", "day", **{**openai(server), **environ})
    assert ended == code
    assert words in err
    assert len(err.strip().splitlines()) <= 2, err
    assert person.has_no_failure()


def test_no_network_is_69_and_the_next_run_finishes(person: Person) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"  # bound, but nobody listens
        environ = {"MEMTOOL_SUMMARIZER__NAME": "openai", "MEMTOOL_SUMMARIZER__ENDPOINT": url}
        ended, _, err = person.runs("rollup", "day", **environ)
    assert ended == 69
    assert url.removesuffix("/v1") in err
    assert person.has_no_failure()
    with LLMServer(good) as server:
        assert person.runs("rollup", "all", **openai(server))[0] == 0


@pytest.mark.parametrize(
    "behaviour", [says("I would rather not."), wrong_cites], ids=["chat", "wrong cites"]
)
def test_answers_that_prove_nothing_fail_their_node_and_are_never_stored(
    person: Person, behaviour: Behaviour
) -> None:
    with LLMServer(behaviour) as server:
        ended, _, err = person.runs("rollup", "day", **openai(server))
        assert ended == 1
        assert "day:" in err
        assert not person.has_no_failure()
        asked = len(server.requests)
        assert person.runs("rollup", "day", **openai(server))[0] == 0  # too early for another try
        assert len(server.requests) == asked
    with Access(person.root).reading() as store:
        assert list(store.nodes(Level.DAY)) == []


def test_a_budget_ends_the_run_well_and_says_what_waits(person: Person) -> None:
    Memory(person.root, CALENDAR).take_in(WORK)
    with LLMServer(good) as server:
        ended, out, err = person.runs("rollup", "day", "--max-calls", "3", **openai(server))
        assert ended == 0
        assert "partial" in out
        assert "budget of 3 calls" in err
        assert len(server.requests) == 3
        per_day = {**openai(server), "MEMTOOL_BUDGET__CALLS_PER_DAY": "5"}
        assert person.runs("rollup", "day", **per_day)[0] == 0
        assert len(server.requests) == 5
        assert person.runs("rollup", "all", **openai(server))[0] == 0


def test_a_dry_run_says_what_it_would_cost_and_asks_nobody(person: Person) -> None:
    with LLMServer(good) as server:
        _, out, _ = person.runs("rollup", "all", "--dry-run", "--json", **openai(server))
        assert server.requests == []
        foreseen = json.loads(out)
        person.runs("rollup", "all", **openai(server))
        made = len(server.requests)
    spent = sum(call.input_tokens + call.output_tokens for call in read_calls(person.root))
    assert made <= foreseen["calls"] <= made + 2
    assert spent / 3 < foreseen["spend"] < spent * 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda one: str(one.name))
@pytest.mark.parametrize("at_once", [1, 3])
def test_a_signal_breaks_off_the_calls_and_keeps_what_was_done(
    person: Person, number: signal.Signals, at_once: int
) -> None:
    Memory(person.root, CALENDAR).take_in(WORK)
    with LLMServer(good, good, slow(3600)) as server:
        environ = {**openai(server), "MEMTOOL_SUMMARIZER__CONCURRENCY": str(at_once)}
        child = person.start("rollup", "day", **environ)
        wait_until(lambda: len(read_calls(person.root)) == 2)
        wait_until(lambda: len(server.requests) == 2 + at_once)
        child.send_signal(number)
        _, err = child.communicate(timeout=HUNG_S)
        assert child.returncode == 128 + number, err
        assert "Traceback" not in err
    calls = read_calls(person.root)
    results = [call.result for call in calls]
    assert results[:2] == ["ok", "ok"]
    assert ["cut off" in result for result in results[2:]] == [True] * at_once
    with Access(person.root).reading() as store:
        days = {node.id for node in store.nodes(Level.DAY)}
    assert [call.node in days for call in calls] == [call.result == "ok" for call in calls]


def test_the_sdks_are_imported_by_nobody_who_does_not_call(person: Person) -> None:
    program = (
        "import sys; from memtool.cli.app import main\n"
        "try: main()\n"
        "finally: print(sorted({'openai', 'anthropic', 'pydantic', 'httpx'} & sys.modules.keys()))"
    )
    environ = {"MEMTOOL_SUMMARIZER__NAME": "openai", "HOME": str(person.home)}
    done = subprocess.run(
        [sys.executable, "-c", program, "--store", str(person.root), "toc"],
        env={**os.environ, **environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        encoding="utf-8",
        timeout=HUNG_S,
        check=False,
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_with_says_what_a_model_would_write_and_writes_nothing(person: Person) -> None:
    with_key(person)
    memory = Memory(person.root, CALENDAR)
    with LLMServer(good) as server:
        environ = {"MEMTOOL_SUMMARIZER__ENDPOINT": server.openai_url}
        before = memory.everything()
        code, out, err = person.runs("show", "2025-12-31", "--with", "openai", "--json", **environ)
        assert (code, err) == (0, "")
        assert memory.everything() == before
        found = json.loads(out)
        assert found["calls"] == len(server.requests) == len(read_calls(person.root)) == 1
        assert found["tokens"] > 0
        assert found["node"]["recipe"]["summarizer"] == "openai"
        assert found["node"]["state"] == ["preview"]
        code, out, err = person.runs("show", "2025-12-31", "--with", "openai", **environ)
        assert code == 0
        assert "preview: what openai would say; nothing was written" in out
        assert "1 call" in err
        assert person.runs("rollup", "day", **openai(server))[0] == 0
        code, out, err = person.runs("show", "2025-12-31", "--json", **openai(server))
        written = json.loads(out)
        for name in ("title", "threads"):
            assert written[name] == found["node"][name]


def test_a_longer_period_is_asked_for_day_by_day_within_the_budget(person: Person) -> None:
    with_key(person)
    with LLMServer(good) as server:
        environ = {"MEMTOOL_SUMMARIZER__ENDPOINT": server.openai_url}
        code, out, _ = person.runs("show", "2026-12", "--with", "openai", "--json", **environ)
        whole = json.loads(out)
        assert (code, whole["calls"]) == (0, len(server.requests))
        assert whole["calls"] > 1
        environ["MEMTOOL_BUDGET__CALLS_PER_RUN"] = "1"
        code, out, _ = person.runs("show", "2026-12", "--with", "openai", "--json", **environ)
        part = json.loads(out)
        assert (code, part["calls"], part["result"]) == (0, 1, "partial")
        assert "budget" in part["reason"]
        assert len(part["node"]["threads"]) < len(whole["node"]["threads"])


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["2026-12-01", "--with", "openia"], 78, "did you mean 'openai'"),
        (["2019-12-01", "--with", "extractive"], 2, "nothing was recorded"),
        (["soon", "--with", "extractive"], 2, "unknown period"),
        (["thread:main", "--with", "extractive"], 2, "takes a period"),
        (["2026-12-01", "--with", "openai"], 78, "key"),
    ],
)
def test_with_what_cannot_be_asked_it_says_why(
    person: Person, arguments: list[str], code: int, words: str
) -> None:
    found, _, err = person.runs("show", *arguments)
    assert found == code, err
    assert words in err
    assert "hint:" in err


@pytest.mark.parametrize("period", ["2026-12-01", "last-year", "2026"])
def test_the_rules_alone_need_no_call(person: Person, period: str) -> None:
    before = Memory(person.root, CALENDAR).everything()
    code, out, err = person.runs("show", period, "--with", "extractive", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert (found["calls"], bool(found["node"]["threads"])) == (0, True)
    assert Memory(person.root, CALENDAR).everything() == before
