"""A start is cheap: what a command does not need is not imported. Modules are counted, since milliseconds flake."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import memtool
from memtool.model.levels import Level
from tests.jobs.test_rollup import NOVEMBER
from tests.memory import Memory
from tests.waiting import HUNG_S

SOURCE = Path(memtool.__file__).resolve().parents[1]
# pydantic: what typer 0.29 loads where it is installed, and why it is not used (see pyproject.toml).
COSTLY = {"rocksdict", "msgspec", "tzlocal", "tomli_w", "zoneinfo", "pydantic", "asyncio", "ssl"}
MAX_MODULES = 250

# What a command draws a table with is allowed to it, and to no other.
LIGHT = (
    (["--version"], set[str]()),
    (["--help"], set[str]()),
    (["config", "path"], set[str]()),
    (["scheduler", "status", "--json"], set[str]()),
    (["scheduler", "status"], {"rich"}),
)

# The modules that the interpreter itself (or a .pth file) brings are not counted.
PROGRAM = """
import sys
before = set(sys.modules)
from memtool.cli.app import main
sys.argv = ["memtool", *sys.argv[1:]]
try:
    main()
finally:
    sys.stderr.write("\\nMODULES " + " ".join(sorted(set(sys.modules) - before)))
"""


def modules_of(arguments: list[str]) -> set[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env={**environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        encoding="utf-8",
        timeout=HUNG_S,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return set(done.stderr.rpartition("MODULES ")[2].split())


@pytest.mark.parametrize(("arguments", "allowed"), LIGHT, ids=" ".join)
def test_a_light_command_imports_nothing_costly(arguments: list[str], allowed: set[str]) -> None:
    loaded = modules_of(arguments)
    packages = {name.partition(".")[0] for name in loaded}
    assert packages & (COSTLY | {"rich"}) - allowed == set()
    assert len(loaded) <= MAX_MODULES, sorted(loaded)


def test_help_lists_the_commands_without_importing_them() -> None:
    verbs = {name for name in modules_of(["--help"]) if name.startswith("memtool.cli.")}
    assert verbs == {f"memtool.cli.{name}" for name in ("app", "options", "output", "streams")}


@pytest.mark.parametrize(
    "arguments", [["toc"], ["show", "2026-11-02"], ["events", "--full"], ["stats"]], ids=" ".join
)
def test_what_is_piped_needs_no_rich(tmp_path: Path, arguments: list[str]) -> None:
    memory = Memory(tmp_path / "memory")
    memory.take_in(NOVEMBER)
    loaded = modules_of(["--store", str(memory.root), *arguments])
    assert "memtool.cli.reading" in loaded
    assert "rich" not in loaded


def test_a_rollup_that_asks_no_model_imports_nothing_to_wait_with(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "memory")
    memory.take_in(NOVEMBER)
    loaded = modules_of(["--store", str(memory.root), "rollup", "day"])
    assert {node.id for node in memory.nodes(Level.DAY)}
    assert "memtool.rollup.engine" in loaded
    assert "asyncio" not in loaded
