"""The pages that are generated, written or compared. Prints only how they differ, and how to mend that."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from difflib import unified_diff
from pathlib import Path

from docs.generating.cli_page import cli_page
from docs.generating.config_page import config_page
from docs.generating.man_page import man_page

ROOT = Path(__file__).resolve().parents[2]
PAGES: dict[str, Callable[[], str]] = {
    "docs/config.md": config_page,
    "docs/cli.md": cli_page,
    "man/memtool.1": man_page,
}
_USAGE = """\
Usage: docs/generate            write docs/config.md, docs/cli.md and man/memtool.1 from the code
       docs/generate --check    only compare; exits 1, with what differs, where one is out of date

Run it by a Python that has what memtool needs: .venv/bin/python docs/generate
"""
_MEND = "Out of date: docs/generate writes these files anew from the code.\n"


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or compare them. Return the exit code."""
    if arguments not in ([], ["--check"]):
        is_help = arguments in (["--help"], ["-h"])
        (sys.stdout if is_help else sys.stderr).write(_USAGE)
        return 0 if is_help else 2
    if not arguments:
        made = {name: page() for name, page in PAGES.items()}  # all of them, or none is written
        for name, text in made.items():
            (ROOT / name).write_text(text, encoding="utf-8")
        return 0
    found = list(differences())
    sys.stdout.writelines([*found, "\n", _MEND] if found else [])
    return 1 if found else 0


def differences() -> Iterator[str]:
    """Give the lines of a diff from the files to what they would be."""
    for name, page in PAGES.items():
        path = ROOT / name
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        yield from unified_diff(
            old.splitlines(keepends=True), page().splitlines(keepends=True), name, f"{name} (new)"
        )
