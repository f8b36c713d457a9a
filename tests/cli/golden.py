"""Golden files: what a command prints, kept in tests/golden and reviewed as output. `--update-golden` rewrites them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
_RUN = re.compile(r"\brun(\s+)[0-9a-f]{12}")

Golden = Callable[[str, str], None]


def stable(text: str) -> str:
    """Return the output without what differs from run to run: the run that wrote a node."""
    return _RUN.sub(r"run\1............", text)


def compare(name: str, text: str) -> None:
    """Compare the output with its file."""
    path = GOLDEN / f"{name}.txt"
    assert path.exists(), f"{path} is missing: pytest tests/cli --update-golden writes it"
    assert stable(text) == path.read_text(encoding="utf-8"), f"it differs from {path}"


def write(name: str, text: str) -> None:
    """Write the file anew."""
    GOLDEN.mkdir(exist_ok=True)
    (GOLDEN / f"{name}.txt").write_text(stable(text), encoding="utf-8")
