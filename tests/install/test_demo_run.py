"""The demo, run as install.sh runs it: it goes through, and what it promises to show is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

NEW_MEMORY = ("A new memory was made in ", "To change that: memtool config set ")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Run the demo once with the memtool of this checkout, and return what it printed."""
    programs = tmp_path_factory.mktemp("programs")
    (programs / "python").symlink_to(sys.executable)
    (programs / "memtool").write_text(
        f'#!/bin/sh\nPYTHONPATH="{REPOSITORY}" exec "{sys.executable}" -m memtool "$@"\n',
        encoding="utf-8",
    )
    (programs / "memtool").chmod(0o755)
    done = subprocess.run(
        [str(REPOSITORY / "demo/run"), str(programs)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if not line.startswith(NEW_MEMORY)]
    assert (done.returncode, said) == (0, [])
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        "✔ Round VAT once per rate, half up",  # a headline in the tree
        "Resume: claude --resume ",
        "memtool show thread:ota",
        "also under April 2026",  # a week that straddles two months
        "day:2026-03-10, ",  # the part of a session after midnight
        "> │  ├─ Tue 14 Apr 2026",  # the late day in the tree
        "▶",  # the words that prove a bullet
        "DATABASE_PASSWORD=[redacted:",
        "Healthy: ",
        "month-rollup",  # in the table of jobs
        "all 118 old invoices have stored totals now",  # the answers, and their proofs
        "the only valid image",
        "the sale itself carries no VAT",
        "proof: demo/transcripts/projects/",
    ],
)
def test_the_demo_shows_what_it_promises(shown: str, words: str) -> None:
    assert words in shown


@pytest.mark.slow
def test_the_demo_shows_no_secret(shown: str) -> None:
    assert "hunter2" not in shown
    assert "Brandt" not in shown
