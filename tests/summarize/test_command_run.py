"""A whole rollup by a program, as real processes: its nodes are written, and whoever stops it leaves no one behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from memtool.process import SUMMARIZER_DIRECTORY
from tests.base.test_family import FAMILY, all_dead, pids
from tests.waiting import HUNG_S, wait_until

SOURCE = Path(__file__).resolve().parents[2]
EVENTS = "".join(
    json.dumps(
        {
            "agent": "pi",
            "session": f"s{at}",
            "id": f"e{at}",
            "time": f"2026-03-0{at}T10:00:00Z",
            "kind": "prompt",
            "text": f"Fix the offsets of the parser in version {at}",
        }
    )
    + "\n"
    for at in (1, 2, 3)
)
ANSWER = """
import sys
sys.path.insert(0, %r)
from tests.llm_server import answer_to
print(answer_to(sys.stdin.read()))
"""


class Memory:
    """A store, and memtool as a person runs it, with a program as its summarizer."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.store = directory, directory / "store"

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "memtool", "--store", str(self.store), *arguments]

    def environ(self, program: str) -> dict[str, str]:
        path = self.directory / "program.py"
        path.write_text(program)
        return {
            **os.environ,
            "PYTHONPATH": str(SOURCE),
            "MEMTOOL_CALENDAR__TIMEZONE": "UTC",
            "MEMTOOL_SUMMARIZER__NAME": "command",
            "MEMTOOL_SUMMARIZER__COMMAND": f"'{sys.executable}' '{path}'",
        }

    def run(
        self, *arguments: str, program: str = "", stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(*arguments),
            env=self.environ(program),
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=HUNG_S,
            check=False,
        )


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    """Return a store with three days of events."""
    made = Memory(tmp_path)
    done = made.run("ingest", "-", stdin=EVENTS)
    assert done.returncode == 0, done.stderr
    return made


def test_a_program_writes_all_the_nodes(memory: Memory) -> None:
    done = memory.run("rollup", "all", program=ANSWER % str(SOURCE))
    assert done.returncode == 0, done.stderr
    shown = memory.run("show", "day:2026-03-02", "--json").stdout
    assert json.loads(shown)["recipe"]["summarizer"] == "command"
    assert "parser in version 2" in shown
    assert (memory.store / SUMMARIZER_DIRECTORY).stat().st_mode & 0o777 == 0o700


def test_one_that_never_works_ends_the_run_after_three_tries(memory: Memory) -> None:
    done = memory.run("rollup", "all", program="raise SystemExit('please log in')")
    assert done.returncode == 69
    assert "times in a row" in done.stderr
    assert "please log in" in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_stopped_ends_the_program_and_its_children(
    memory: Memory, number: int, code: int
) -> None:
    with subprocess.Popen(
        memory.argv("rollup", "all"), env=memory.environ(FAMILY), stderr=subprocess.PIPE
    ) as run:
        there = memory.store / SUMMARIZER_DIRECTORY
        wait_until(lambda: len(pids(there)) >= 3)
        run.send_signal(number)
        run.communicate(timeout=HUNG_S)
    assert run.returncode == code
    wait_until(lambda: all_dead(there, len(pids(there))))
    after = memory.run("rollup", "all", program=ANSWER % str(SOURCE))
    assert after.returncode == 0, after.stderr
