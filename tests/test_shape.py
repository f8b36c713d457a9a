"""The shape of the code: what fits a screen, and which layer may import which."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import HUNG_S

REPOSITORY = Path(__file__).resolve().parents[1]
MODULES = sorted((REPOSITORY / "memtool").rglob("*.py"))
MAX_FUNCTION_LINES = 60


def functions(module: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield f"{module.name}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


def test_no_function_is_longer_than_a_screen() -> None:
    lengths = [one for module in MODULES for one in functions(module)]
    assert lengths
    assert [one for one in lengths if one[1] > MAX_FUNCTION_LINES] == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        path
        for path in MODULES
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []


def test_only_the_store_sees_rows() -> None:
    """import-linter keeps its modules closed; this, what an open store holds."""
    seeing = [
        f"{module}:{node.lineno}"
        for module in MODULES
        if module.parent.name != "store"
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("engine", "meta", "batch")
    ]
    assert seeing == []


def test_imports_go_down_only() -> None:
    """The contracts in pyproject.toml, by import-linter."""
    pytest.importorskip("importlinter")
    program = "from importlinter.cli import lint_imports_command as run; run(['--no-cache'])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        capture_output=True,
        encoding="utf-8",
        timeout=HUNG_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
