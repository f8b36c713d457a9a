"""Pi: `sessions/<directory>/<time>_<session>.jsonl`, a tree of entries: only what leads to the last one is the talk.

Format: docs/session-format.md of @mariozechner/pi-coding-agent 0.73, and files that it wrote. Ids of entries are short,
and version 1 has none, so an entry is known by its time and words; a fork copies both.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping

import msgspec
from msgspec.structs import replace

from memtool.agents.calls import (
    Make,
    call_text,
    content_text,
    edits,
    encoded_actions,
    reads,
    searches,
    shell,
    subagent,
)
from memtool.agents.drafts import Draft, filled
from memtool.agents.events import Origin, Where, events_of, record_digest
from memtool.agents.outcomes import Disposition, Outcome, without_time
from memtool.agents.projects import project_of
from memtool.agents.registry import File, Format, Parser
from memtool.agents.values import (
    JsonObject,
    canonical,
    count_text,
    instant_us,
    is_true,
    list_at,
    object_at,
    remembered,
    text_at,
)
from memtool.model.actions import METADATA_KEY
from memtool.model.records import Record, Rewind, event_id

NAME = "pi"
READER = 1


class Pi(Format):
    """One session a file; a fork is a file of its own that begins with copies."""

    place_key = "cwd"
    reader = READER

    def recognises(self, record: JsonObject) -> bool:
        """Return whether the record is the header of a session, or an entry of its tree."""
        kind = text_at(record, "type")
        if kind == "session":
            return bool(text_at(record, "id") and text_at(record, "cwd"))
        is_entry = "parentId" in record and "timestamp" in record and "sessionId" not in record
        return is_entry and (
            kind in _SILENT or (kind == "message" and isinstance(record.get("message"), dict))
        )

    def parser(self, file: File) -> Parser:
        """Return what reads one file."""
        return _Parser(file)


class _State(msgspec.Struct):
    """What later entries need of the earlier ones. `last` is the id of the entry before."""

    session: str = ""
    directory: str = ""
    last: str = ""


class _Parser(Parser):
    def __init__(self, file: File) -> None:
        self._file = file
        self._state = remembered(file.memory, _State)

    def memory(self) -> str:
        return msgspec.json.encode(self._state).decode()

    def parse(self, record: JsonObject) -> Outcome:
        kind = text_at(record, "type")
        if kind == "session":
            return self._begin(record)
        others = self._turn_back(record)
        self._state.last = text_at(record, "id") or self._state.last
        if kind not in _DRAFTS and not others:
            is_known = kind in _SILENT
            return Outcome(
                Disposition.METADATA if is_known else Disposition.UNKNOWN, kind or "(no type)"
            )
        time_us = instant_us(record.get("timestamp"))
        if time_us is None:
            return without_time(kind)
        events, redactions = self._events(record, time_us)
        if not events and not others:
            return Outcome(Disposition.IGNORED, f"{kind}/empty")
        return Outcome(Disposition.TAKEN, kind, (*others, *events), redactions)

    def _begin(self, record: JsonObject) -> Outcome:
        state = self._state
        state.session, state.directory = text_at(record, "id"), text_at(record, "cwd")
        time_us = instant_us(record.get("timestamp"))
        if time_us is None or text_at(record, "parentSession"):
            return Outcome(Disposition.METADATA, "session")
        origin = Origin(f"session {state.session}", state.session, time_us)
        started = Draft(1, "session_start", "Session started")
        events, _ = events_of((started,), self._where(), origin)
        return Outcome(Disposition.TAKEN, "session", events)

    def _where(self) -> Where:
        state = self._state
        session = state.session or self._file.stem.rpartition("_")[2]
        return Where(NAME, READER, session, project_of(state.directory), state.directory)

    def _events(self, record: JsonObject, time_us: int) -> tuple[tuple[Record, ...], int]:
        content = _content_of(record)
        return events_of(_drafts(record), self._where(), Origin(content, content, time_us))

    def _turn_back(self, record: JsonObject) -> list[Record]:
        """Return what an entry that does not follow the one before it takes back, and what it brings back."""
        parent, last = text_at(record, "parentId"), self._state.last
        if "parentId" not in record or not last or parent == last:
            return []
        time_us = instant_us(record.get("timestamp"))
        entries = {
            text_at(one, "id"): one
            for one in itertools.takewhile(lambda one: one != record, self._file.whole(""))
        }
        if time_us is None or last not in entries:
            return []
        left, kept = _ancestry(last, entries), _ancestry(parent, entries)
        found: list[Record] = []
        for key in (key for key in left if key not in kept):
            digest = record_digest(NAME, _content_of(entries[key]))
            drafts = _drafts(entries[key])
            found += [Rewind(event_id(digest, draft.block), time_us) for draft in drafts]
        for key in (key for key in kept if key not in left):
            began_us = instant_us(entries[key].get("timestamp"))
            if began_us is not None:
                events, _ = self._events(entries[key], began_us)
                found += [
                    # Later than the rewind that took it back.
                    msgspec.structs.replace(event, revision=time_us + 1)
                    for event in events
                ]
        return found


def _ancestry(key: str, entries: Mapping[str, JsonObject]) -> dict[str, None]:
    """Return the ids from an entry up to the root of its tree."""
    path: dict[str, None] = {}
    while key in entries and key not in path:
        path[key] = None
        key = text_at(entries[key], "parentId")
    return path


_NOT_IN_CONTENT = frozenset({"id", "parentId"})


def _content_of(record: JsonObject) -> str:
    return canonical(record, _NOT_IN_CONTENT)


# --- Entries as drafts ---

_Make = Callable[[JsonObject], list[Draft]]
_SKILL = re.compile(r'<skill name="([^"]*)"[^>]*>.*?</skill>\s*', re.DOTALL)


def _drafts(record: JsonObject) -> list[Draft]:
    make = _DRAFTS.get(text_at(record, "type"))
    return make(record) if make else []


def _message(record: JsonObject) -> list[Draft]:
    message = object_at(record, "message")
    make = _ROLES.get(text_at(message, "role"))
    return make(message) if make else []


def _said_by_user(message: JsonObject) -> list[Draft]:
    content = message.get("content")
    blocks = [one for one in list_at(message, "content") if isinstance(one, dict)]
    images = sum(text_at(one, "type") == "image" for one in blocks)
    text = content if isinstance(content, str) else "\n".join(_texts(blocks, "text"))
    drafts: list[Draft] = []
    if skill := _SKILL.match(text):
        drafts.append(Draft(2, "command", f"/skill:{skill[1]}", typed=f"/skill:{skill[1]}"))
        text = text[skill.end() :]
    text = text.strip()
    shown = f"{text}\n[image]".strip() if images else text
    if shown:
        metadata = filled({"images": str(images or "")})
        drafts.insert(0, Draft(1, "prompt", shown, metadata, typed=text))
    return drafts


def _said_by_agent(message: JsonObject) -> list[Draft]:
    drafts: list[Draft] = []
    group = text_at(message, "responseId")
    for number, block in enumerate(list_at(message, "content")[:_MOST_BLOCKS], start=1):
        if isinstance(block, dict):
            make = _BLOCKS.get(text_at(block, "type"))
            drafts += (
                [replace(draft, group=group) for draft in make(message, number, block)]
                if make
                else []
            )
    if problem := text_at(message, "errorMessage"):
        drafts.append(Draft(_MOST_BLOCKS + 1, "error", problem))
    return drafts


_MOST_BLOCKS = 10_000


def _answer(message: JsonObject, number: int, block: JsonObject) -> list[Draft]:
    usage = object_at(message, "usage")
    metadata = {
        "model": text_at(message, "model"),
        "input_tokens": count_text(usage, "input"),
        "output_tokens": count_text(usage, "output"),
    }
    text = text_at(block, "text").strip()
    return [Draft(number, "answer", text, filled(metadata))] if text else []


def _thought(_: JsonObject, number: int, block: JsonObject) -> list[Draft]:
    text = text_at(block, "thinking").strip()
    return [Draft(number, "thinking", text)] if text else []


def _call(_: JsonObject, number: int, block: JsonObject) -> list[Draft]:
    name, given = text_at(block, "name") or "tool", object_at(block, "arguments")
    shown = call_text(name, given)
    metadata = {
        "tool": name,
        "path": text_at(given, "path"),
        "tool_use_id": text_at(block, "id"),
        METADATA_KEY: encoded_actions(name, given, _ACTIONS),
    }
    kind = "subagent_start" if name == _DELEGATES else "tool_call"
    return [Draft(number, kind, shown.text, filled(metadata), redactions=shown.count)]


def _result(message: JsonObject) -> list[Draft]:
    metadata = {
        "tool_use_id": text_at(message, "toolCallId"),
        "is_error": "true" if is_true(message, "isError") else "",
    }
    kind = "subagent_end" if text_at(message, "toolName") == _DELEGATES else "tool_result"
    return [Draft(1, kind, content_text(message.get("content")), filled(metadata))]


def _shell(message: JsonObject) -> list[Draft]:
    """Return a command that the person ran, and what it printed."""
    typed = f"! {text_at(message, 'command')}"
    drafts = [Draft(1, "command", typed, typed=typed)]
    if output := text_at(message, "output").strip():
        drafts.append(Draft(2, "command", output, {"output": "true"}))
    return drafts


def _injected(message: JsonObject) -> list[Draft]:
    text = content_text(message.get("content")).strip() or text_at(message, "summary").strip()
    return [Draft(1, "note", text)] if text else []


def _compacted(record: JsonObject) -> list[Draft]:
    text = text_at(record, "summary").strip()
    metadata = filled({"pre_tokens": count_text(record, "tokensBefore")})
    return [Draft(1, "compaction", text, metadata)] if text else []


def _named(record: JsonObject) -> list[Draft]:
    text = text_at(record, "name").strip()
    return (
        [Draft(1, "title", text, {"title": "session_info", "given_by": "person"})] if text else []
    )


def _texts(blocks: list[JsonObject], key: str) -> Iterator[str]:
    return filter(None, (text_at(block, key).strip() for block in blocks))


_DELEGATES = "subagent"
_ACTIONS: Mapping[str, Make] = {
    "read": reads("path", "file_path"),
    "ls": reads("path"),
    **dict.fromkeys(("edit", "write"), edits("path", "file_path")),
    **dict.fromkeys(("grep", "find"), searches("pattern")),
    "bash": shell,
    _DELEGATES: subagent,
}
"""The actions of each tool that has any."""
_BLOCKS: Mapping[str, Callable[[JsonObject, int, JsonObject], list[Draft]]] = {
    "text": _answer,
    "thinking": _thought,
    "toolCall": _call,
}
_ROLES: Mapping[str, _Make] = {
    "user": _said_by_user,
    "assistant": _said_by_agent,
    "toolResult": _result,
    "bashExecution": _shell,
    "custom": _injected,
    "hookMessage": _injected,
    "branchSummary": _injected,
    "compactionSummary": _compacted,
}
_DRAFTS: Mapping[str, _Make] = {
    "message": _message,
    "compaction": _compacted,
    "branch_summary": _injected,
    "custom_message": _injected,
    "session_info": _named,
}
_SILENT = frozenset({*_DRAFTS, "model_change", "thinking_level_change", "custom", "label"})
FORMAT = Pi()
