"""Adds a table to TOML and removes it, as text, so that every other byte stays as it was. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from memtool.agents.hooks.jsonc import BrokenError

_HEADER = re.compile(r"^[ \t]*\[+[ \t]*(?P<name>[^\]]*?)[ \t]*\]+[ \t]*(?:#.*)?\r?$", re.MULTILINE)
_ABOVE_NEXT = re.compile(r"(?:^[ \t]*(?:#[^\n]*)?\r?\n)*\Z", re.MULTILINE)
_LINE = re.compile(r"line (\d+)")


def parse(text: str) -> dict[str, object]:
    """Return the document. Raise BrokenError."""
    import tomllib

    try:
        return tomllib.loads(text.replace("\r\n", "\n"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found = _LINE.search(str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        raise BrokenError(line, _LINE.sub("this line", str(error))) from None


def with_table(text: str, path: Sequence[str], data: Mapping[str, object]) -> str:
    """Return the text with a table at its end. Raise BrokenError if it cannot stand there."""
    newline = "\r\n" if "\r\n" in text else "\n"
    # A string, and a list of them, is written in TOML as in JSON.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in data.items()]
    rows = f"[{'.'.join(path)}]\n{''.join(lines)}"
    gap = "" if not text else newline if text.endswith("\n") else newline * 2
    made = text + gap + rows.replace("\n", newline)
    parse(made)
    return made


def without_table(text: str, path: Sequence[str]) -> str:
    """Return the text without the table, its subtables, and an empty line before each."""
    dotted = ".".join(path)
    while True:
        headers = [(found.start(), _plain(found["name"])) for found in _HEADER.finditer(text)]
        ours = [at for at, (_, name) in enumerate(headers) if f"{name}.".startswith(f"{dotted}.")]
        if not ours:
            return text
        start = headers[ours[-1]][0]
        end = headers[ours[-1] + 1][0] if ours[-1] + 1 < len(headers) else len(text)
        # What stands right above the next header belongs to that.
        end = start + len(_ABOVE_NEXT.sub("", text[start:end]))
        before, after = text[:start], text[end:]
        if not after.strip() or re.match(r"[ \t]*\r?\n", after):
            before = re.sub(r"(?:(?<=\n)|\A)\r?\n\Z", "", before)
        text = before + after


def _plain(name: str) -> str:
    """Return a header's name without blanks and quotes around its parts."""
    return ".".join(part.strip().strip("\"'") for part in name.split("."))
