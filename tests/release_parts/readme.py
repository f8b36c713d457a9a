"""The commands of the README's section on installing, as somebody pastes them."""

from __future__ import annotations

from tests.checkout import REPOSITORY

SECTION = "## Install"


def blocks() -> list[list[str]]:
    """Return the blocks of commands in the section: to install, to read, to remove; a command a line."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    section = text[text.index(f"\n{SECTION}\n") + 1 :].partition("\n## ")[0]
    found: list[list[str]] = [[]]
    for line in section.splitlines():
        if line.startswith("    "):
            found[-1].append(line.strip())
        elif found[-1]:
            found.append([])
    return [block for block in found if block]


def command(block: int, word: str) -> str:
    """Return the only command of a block that has this word in it."""
    (line,) = (line for line in blocks()[block] if word in line)
    return line
