"""What README and docs/summaries.md show of the sample is what memtool prints of it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "docs/summaries.md")
SAMPLE = re.compile(r"\$ memtool (show|grip|toc) ")
SETTINGS = {"CALENDAR__TIMEZONE": "Europe/Berlin", "CALENDAR__WEEK_STARTS_ON": "sunday"}


def examples() -> Iterator[tuple[str, str, str]]:
    """Yield (page, command, what it shows) of the pages' examples that are of the sample."""
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for block in re.findall(r"(?:^(?: {4}.*)?\n)+", text, re.MULTILINE):
            for example in re.split(r"^ {4}(?=\$ )", block, flags=re.MULTILINE):
                command, _, output = example.partition("\n")
                if SAMPLE.match(command):
                    yield page, command.removeprefix("$ "), output


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sample")
    run(root, "ingest", str(ROOT / "demo/transcripts"))
    run(root, "rollup", "all")
    return root


def run(root: Path, *arguments: str) -> str:
    settings = {f"MEMTOOL_{name}": value for name, value in SETTINGS.items()}
    environ = {"PATH": os.environ["PATH"], "HOME": str(root), "LANG": "C.UTF-8", **settings}
    command = [sys.executable, "-m", "memtool", "--store", str(root / "store"), *arguments]
    done = subprocess.run(
        command, check=True, capture_output=True, encoding="utf-8", cwd=ROOT, env=environ
    )
    return done.stdout


def flat(text: str) -> str:
    """Return a text on one line, without what only lays it out."""
    return " ".join(re.sub(r"^[\s▌│├└─]+", "", line).strip() for line in text.splitlines()).strip()


@pytest.mark.parametrize(("page", "command", "output"), list(examples()))
def test_an_example_is_what_memtool_prints(
    memory: Path, page: str, command: str, output: str
) -> None:
    printed = " ".join(flat(run(memory, *shlex.split(command)[1:])).split())
    position = 0
    for part in re.split(r"^\s*…\s*$", output, flags=re.MULTILINE):
        wanted = " ".join(flat(part).split())
        position = printed.find(wanted, position)
        assert position >= 0, f"{page} shows what {command} does not print: {wanted}"
        position += len(wanted)


def test_both_pages_have_examples() -> None:
    assert {page for page, _, _ in examples()} == set(PAGES)
