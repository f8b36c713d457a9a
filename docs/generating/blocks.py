"""Writes the generated blocks of the pages, or compares them.

A block stands between `docs/generate: NAME` and `docs/generate: end`; all else is written by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from difflib import unified_diff
from pathlib import Path

from docs.generating import man, markdown

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "docs/cli.md",
    "docs/config.md",
    "docs/agents.md",
    "docs/hooks.md",
    "docs/scheduling.md",
    "man/memtool.1",
)
BLOCKS: dict[str, Callable[[], Iterable[str]]] = {
    "commands": markdown.commands,
    "agents": markdown.agents,
    "hooks": markdown.hooks,
    "settings": markdown.settings,
    "jobs": markdown.jobs,
    "job-settings": markdown.job_settings,
    "man-title": man.title,
    "man-options": man.options,
    "man-commands": man.commands,
    "man-exit-status": man.exit_status,
}
_BLOCK = re.compile(r"(docs/generate: ([a-z-]+)\b.*\n)[^\0]*?(.*docs/generate: end)")
_USAGE = """\
Usage: .venv/bin/python docs/generate            write the blocks in docs/ and man/
       .venv/bin/python docs/generate --check    show what would change; exit 1 if anything would
"""


def main(arguments: Sequence[str]) -> int:
    """Write the blocks, or compare them. Return the exit code."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write(_USAGE)
        return 2
    old = {name: (ROOT / name).read_text(encoding="utf-8") for name in PAGES}
    new = {name: renewed(text) for name, text in old.items()}  # if one fails, none is written
    for name, text in new.items():
        if not arguments:
            (ROOT / name).write_text(text, encoding="utf-8")
        else:
            lines = (old[name].splitlines(keepends=True), text.splitlines(keepends=True))
            sys.stdout.writelines(unified_diff(*lines, name, f"{name} (new)"))
    return 1 if arguments and new != old else 0


def renewed(page: str) -> str:
    """Return a page with its blocks as the code has them."""
    return _BLOCK.sub(lambda found: "\n".join([found[1], *BLOCKS[found[2]](), found[3]]), page)
