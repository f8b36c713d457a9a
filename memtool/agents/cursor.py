"""Cursor: `projects/<slug>/agent-transcripts/<session>/<session>.jsonl`, the words alone: no ids, no times, no results.

Known from public descriptions; not tried on files that Cursor wrote. A message is known by its place in the file. Its
time is that of the file when it was first read with the message in it, so a session is as exact as ingest is frequent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from msgspec.structs import replace

from memtool.agents.calls import (
    Make,
    call_text,
    edits,
    encoded_actions,
    reads,
    searches,
    shell,
    subagent,
    todos,
)
from memtool.agents.drafts import Draft, filled
from memtool.agents.events import Origin, Where, events_of
from memtool.agents.outcomes import Disposition, Outcome
from memtool.agents.projects import project_of
from memtool.agents.registry import File, Format, Parser
from memtool.agents.values import JsonObject, canonical, in_range, list_at, object_at, text_at
from memtool.model.actions import METADATA_KEY
from memtool.model.records import LAST_INSTANT_US

NAME = "cursor"
READER = 1
_DIRECTORY = "agent-transcripts"
_ENDED = "turn_ended"


class Cursor(Format):
    """One session a file; those of subagents are in `subagents/` beside it."""

    reader = READER

    def recognises(self, record: JsonObject) -> bool:
        """Return whether the record is a message that says nothing but who said what."""
        if text_at(record, "type") == _ENDED:
            return "message" not in record and "timestamp" not in record
        is_bare = record.keys() <= {"role", "message"}
        content = object_at(record, "message").get("content")
        return is_bare and text_at(record, "role") in _ROLES and isinstance(content, (list, str))

    def ignores(self, path: Path) -> bool:
        """Return whether it is one of the files that a project has besides transcripts."""
        return _DIRECTORY not in path.parts

    def parser(self, file: File) -> Parser:
        """Return what reads one file."""
        return _Parser(file)


class _Parser(Parser):
    def __init__(self, file: File) -> None:
        self._ordinal = int(file.memory) if file.memory.isdecimal() else 0
        path = file.path
        self._time_us = in_range(path.stat().st_mtime_ns // 1000) if path is not None else None
        parent = path.parent.parent.name if path and path.parent.name == "subagents" else ""
        project = _project_of(path)
        self._where = Where(
            NAME,
            READER,
            parent or file.stem,
            project,
            project,
            subagent=file.stem if parent else "",
        )

    def memory(self) -> str:
        return str(self._ordinal)

    def parse(self, record: JsonObject) -> Outcome:
        self._ordinal += 1
        role = text_at(record, "role")
        if role not in _ROLES:
            is_known = text_at(record, "type") == _ENDED
            name = text_at(record, "type") or "(no role)"
            return Outcome(Disposition.METADATA if is_known else Disposition.UNKNOWN, name)
        if self._time_us is None:
            return Outcome(Disposition.DAMAGED, f"{role}: a stream has no time for its messages")
        drafts = _by_user(record) if role == "user" else _by_agent(record)
        if self._where.subagent and role == "user":
            drafts = [replace(one, kind="subagent_start", typed="") for one in drafts]
        if not drafts:
            return Outcome(Disposition.IGNORED, f"{role}/empty")
        where = self._where
        session = where.subagent or where.session
        content = canonical(record, frozenset())
        # Of equal messages the one that was read first has the best time.
        origin = Origin(
            f"{session} {self._ordinal}",
            content,
            self._time_us,
            revision=LAST_INSTANT_US - self._time_us,
        )
        events, redactions = events_of(drafts, where, origin)
        return Outcome(Disposition.TAKEN, role, events, redactions)


_ROLES = frozenset({"user", "assistant"})
_QUERY = re.compile(r"<user_query>\s*(.*?)\s*</user_query>", re.DOTALL)


def _blocks(record: JsonObject) -> list[JsonObject]:
    message = object_at(record, "message")
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [one for one in list_at(message, "content") if isinstance(one, dict)]


def _by_user(record: JsonObject) -> list[Draft]:
    """Return what was typed, which stands in an element; all around it is Cursor's."""
    text = "\n".join(filter(None, (text_at(one, "text").strip() for one in _blocks(record))))
    queries = _QUERY.findall(text)
    typed = "\n".join(queries) if queries else text
    around = _QUERY.sub("", text).strip() if queries else ""
    drafts = [Draft(1, "prompt", typed, typed=typed)] if typed else []
    return drafts + ([Draft(2, "note", around)] if around else [])


def _by_agent(record: JsonObject) -> list[Draft]:
    drafts: list[Draft] = []
    for number, block in enumerate(_blocks(record)[:_MOST_BLOCKS], start=1):
        if text_at(block, "type") == "tool_use":
            drafts.append(_call(number, block))
        elif text := text_at(block, "text").strip():
            drafts.append(Draft(number, "answer", text))
    return drafts


_MOST_BLOCKS = 10_000


def _call(number: int, block: JsonObject) -> Draft:
    name, given = text_at(block, "name") or "tool", object_at(block, "input")
    shown = call_text(name, given)
    metadata = {
        "tool": name,
        "path": text_at(given, "path") or text_at(given, "target_file"),
        METADATA_KEY: encoded_actions(name, given, _ACTIONS),
    }
    kind = "subagent_start" if name == _DELEGATES else "tool_call"
    return Draft(number, kind, shown.text, filled(metadata), redactions=shown.count)


_DELEGATES = "Task"
_FILES = ("path", "target_file", "file_path")
_ACTIONS: Mapping[str, Make] = {
    **dict.fromkeys(("Read", "LS", "read_file", "list_dir"), reads(*_FILES)),
    **dict.fromkeys(
        ("Write", "StrReplace", "Delete", "EditNotebook", "edit_file", "search_replace"),
        edits(*_FILES),
    ),
    **dict.fromkeys(
        ("Grep", "Glob", "SemanticSearch", "WebSearch", "grep", "codebase_search"),
        searches("pattern", "glob_pattern", "query", "search_term"),
    ),
    **dict.fromkeys(("Shell", "run_terminal_cmd"), shell),
    **dict.fromkeys(("TodoWrite", "todo_write"), todos),
    _DELEGATES: subagent,
}
"""The actions of each tool that has any."""


# --- The project ----------------------------------------------------------------------------------

_OTHER = re.compile(r"[^A-Za-z0-9]+")


def _project_of(path: Path | None) -> str:
    """Return the project that the slug above the transcript means; the slug where no directory has it."""
    parts = path.parts if path is not None else ()
    if _DIRECTORY not in parts:
        return ""
    return _directory_of(parts[parts.index(_DIRECTORY) - 1])


@lru_cache(maxsize=64)
def _directory_of(slug: str) -> str:
    """Return the project of the directory whose path, with a dash for all but letters and digits, is the slug."""
    waiting = [(Path("/"), slug)]
    while waiting:
        place, rest = waiting.pop()
        try:
            names = sorted(one.name for one in place.iterdir() if one.is_dir())
        except OSError:
            continue
        for name in names:
            dashed = _OTHER.sub("-", name).strip("-")
            if rest == dashed:
                return project_of(str(place / name))
            if dashed and rest.startswith(f"{dashed}-"):
                waiting.append((place / name, rest.removeprefix(f"{dashed}-")))
    return slug


FORMAT = Cursor()
