"""What tool calls say of the work: commits, edited files, commands. Reads texts of any shape, trusts none."""

from __future__ import annotations

import re

from memtool.model.summary import Citation, DraftBullet, Item
from memtool.summarize.text.citing import first_words
from memtool.summarize.text.plain import plain, shorten
from memtool.summarize.text.sentences import clip

READ_CHARACTERS = 4_000
_TOOL = re.compile(r"\W*([A-Za-z][\w.-]*)")
_PATH = re.compile(
    r"(?:[\w.@~-]*/)+([\w@-][\w.@-]*\.[A-Za-z][A-Za-z0-9]{0,7})\b|\b([\w-]+\.(?:py|go|rs|ts|js|md|toml|json|yml|c|h|java|sh))\b"
)
_READS = re.compile(r"read|view|open|cat|notebook", re.IGNORECASE)
_EDITS = re.compile(r"edit|write|patch|replace|create|insert", re.IGNORECASE)
_COMMIT = re.compile(
    r"git commit\b[^\n]{0,80}?(?:-\w*m|--message)[ =]+"
    r"(?:\\?\"\$\(cat <<-?\s*\\?['\"]?\w+\\?['\"]?(?:\\n|\s)+|\\?[\"']|)(?P<subject>[^\n\"'\\]{4,120})"
)
_CONTENT = re.compile(r'"(?:old_string|new_string|content|new_source|prompt)"')
_COMMAND = re.compile(
    r"\W*(?:bash|shell|exec\w*|run\w*|terminal|local_shell_call)\b\W{1,4}(?:\"?(?:command|cmd)\"?\s*:\s*\"?)?"
    r"(?P<command>[^\n]{2,200})",
    re.IGNORECASE,
)


def tool_of(item: Item) -> str:
    """Return the name of the tool that was called, as far as the text says it."""
    match = _TOOL.match(item.text)
    return match[1] if match else "tool"


def files_of(item: Item) -> list[str]:
    """Return the names of the files that a call names, in order, each once."""
    head = _CONTENT.split(item.text[:READ_CHARACTERS].strip().partition("\n")[0], maxsplit=1)[0]
    return list(dict.fromkeys(match[1] or match[2] for match in _PATH.finditer(head)))


def is_edit(item: Item) -> bool:
    """Return whether the call changes a file."""
    return bool(_EDITS.search(tool_of(item)))


def commit_span(item: Item) -> tuple[int, int] | None:
    """Return where the subject of a commit stands in a call that makes one."""
    match = _COMMIT.search(item.text, 0, READ_CHARACTERS)
    return match.span("subject") if match else None


def work_bullet(calls: list[Item], limit: int) -> DraftBullet:
    """Return one bullet over calls: the files they changed, else what they read, else what they ran."""
    edited = edits_of(calls)
    read = [item for item in calls if _READS.match(tool_of(item)) and files_of(item)]
    cited = edited or read or calls
    if edited or read:
        files = dict.fromkeys(name for item in cited for name in files_of(item)[:1])
        text = f"{'Edited' if edited else 'Read'} {_listed(list(files), 4)}"
    else:
        text = f"Ran {_listed(list(dict.fromkeys(map(_command, calls))), 3)}"
    ends = dict.fromkeys((cited[0], cited[-1]))
    return DraftBullet(shorten(plain(text) or "Ran tools", limit), tuple(map(first_words, ends)))


def edits_of(calls: list[Item]) -> list[Item]:
    """Return the calls that change a file that they name."""
    return [item for item in calls if is_edit(item) and files_of(item)]


def _command(item: Item) -> str:
    """Return the command that a call runs, or the tool's name."""
    match = _COMMAND.match(item.text)
    return shorten(plain(match["command"]), _COMMAND_CHARACTERS) if match else tool_of(item)


_COMMAND_CHARACTERS = 45


def _listed(names: list[str], most: int) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def clipped(item: Item, start: int, end: int) -> Citation:
    """Return a citation of the span, cut to what an excerpt may hold."""
    return Citation(item.number, start, clip(item.text, start, end))
