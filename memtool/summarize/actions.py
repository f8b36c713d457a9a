"""What tool calls say of the work: commits, edited files, commands. Reads texts of any shape, trusts none."""

from __future__ import annotations

import re

from memtool.core.summary import Citation, DraftBullet, Item
from memtool.summarize.plain import plain, shorten
from memtool.summarize.sentences import clip, sentences

READ_CHARACTERS = 4_000
_TOOL = re.compile(r"\W*([A-Za-z][\w.-]*)")
_PATH = re.compile(
    r"(?:[\w.@~-]*/)+([\w@-][\w.@-]*\.[A-Za-z][A-Za-z0-9]{0,7})\b|\b([\w-]+\.(?:py|go|rs|ts|js|md|toml|json|yml|c|h|java|sh))\b"
)
_EDITS = re.compile(r"edit|write|patch|replace|create|insert", re.IGNORECASE)
_COMMIT = re.compile(
    r"git commit\b[^\n]{0,80}?(?:-\w*m|--message)[ =]+"
    r"(?:\\?\"\$\(cat <<-?\s*\\?['\"]?\w+\\?['\"]?(?:\\n|\s)+|\\?[\"']|)(?P<subject>[^\n\"'\\]{4,120})"
)
_COMMAND = re.compile(r"\"(?:command|cmd)\"\s*:\s*\"((?:[^\"\\]|\\.){1,200})")


def tool_of(item: Item) -> str:
    """Return the name of the tool that was called, as far as the text says it."""
    match = _TOOL.match(item.text)
    return match[1] if match else "tool"


def files_of(item: Item) -> list[str]:
    """Return the names of the files that a call names, in order, each once."""
    head = item.text[:READ_CHARACTERS].partition("old_string")[0].partition('"content"')[0]
    return list(dict.fromkeys(match[1] or match[2] for match in _PATH.finditer(head)))


def is_edit(item: Item) -> bool:
    """Return whether the call changes a file."""
    return bool(_EDITS.search(tool_of(item)))


def commit_span(item: Item) -> tuple[int, int] | None:
    """Return where the subject of a commit stands in a call that makes one."""
    match = _COMMIT.search(item.text, 0, READ_CHARACTERS)
    return match.span("subject") if match else None


def first_words(item: Item) -> Citation:
    """Return a citation of how the item begins: its first sentence, or nothing where it has no text."""
    found = sentences(item.text)
    return Citation(item.number, found[0].start, found[0].end) if found else Citation(item.number)


def work_bullet(calls: list[Item], limit: int) -> DraftBullet:
    """Return one bullet over calls: the files they changed, else what they read, else the tools."""
    edited = [item for item in calls if is_edit(item) and files_of(item)]
    named = edited or [item for item in calls if files_of(item)]
    files = list(dict.fromkeys(name for item in named for name in files_of(item)[:1]))
    if files:
        verb = "Edited" if edited else "Read"
        cited, text = named, f"{verb} {_listed(files, 4)}"
    else:
        cited, text = calls, f"Ran {_listed(list(dict.fromkeys(map(_command, calls))), 3)}"
    ends = dict.fromkeys((cited[0], cited[-1]))
    return DraftBullet(shorten(plain(text) or "Ran tools", limit), tuple(map(first_words, ends)))


def _command(item: Item) -> str:
    """Return the command that a call runs, or the tool's name."""
    match = _COMMAND.search(item.text, 0, READ_CHARACTERS)
    return (
        shorten(plain(match[1].replace("\\n", " ").replace('\\"', '"')), 50)
        if match
        else tool_of(item)
    )


def _listed(names: list[str], most: int) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def clipped(item: Item, start: int, end: int) -> Citation:
    """Return a citation of the span, cut to what an excerpt may hold."""
    return Citation(item.number, start, clip(item.text, start, end))
