"""What the tests of commands share: golden files and one remembered history."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from memtool.cli.app import run
from tests.cli.golden import Golden, compare, write
from tests.cli.history import remember
from tests.memory import Memory

NOW_US = 1_790_000_000_000_000  # 2026-09-21
_OUTPUTS = pytest.StashKey[dict[str, str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option. It is known where this directory is named: `pytest tests/cli --update-golden`."""
    parser.addoption(
        "--update-golden", action="store_true", default=False, help="write tests/golden again"
    )


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the golden files, now that no test runs: none may write outside its own directory."""
    for name, text in session.config.stash.get(_OUTPUTS, {}).items():
        write(name, text)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Return a function that compares what was printed with a golden file, or keeps it to be written."""
    if not request.config.getoption("--update-golden", default=False):
        return compare
    return request.config.stash.setdefault(_OUTPUTS, {}).__setitem__


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Memory:
    """Return the history of tests/cli/history.py; nobody writes to it."""
    return remember(tmp_path_factory.mktemp("memory") / "store")


@pytest.fixture
def call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Return what runs a command in this process, on a store of its own, and gives exit code, stdout and stderr."""
    environ = {
        "HOME": str(tmp_path / "home"),
        "MEMTOOL_STORE__PATH": str(tmp_path / "memory"),
        "MEMTOOL_CALENDAR__TIMEZONE": "UTC",
    }

    def calling(*arguments: str, **more: str) -> tuple[int, str, str]:
        code = run(list(arguments), {**environ, **more}, NOW_US)
        said = capsys.readouterr()
        return code, said.out, said.err

    return calling
