"""GitHub Copilot CLI: `session-state/<session>/events.jsonl`, one event a line, each with an id of its own.

Types and fields: the `session-events` schema of @github/copilot-sdk 1.0, and files that Copilot CLI 1.0 wrote. A rewind
takes events out of the file and leaves no record; older versions left `session.snapshot_rewind`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec.structs import replace

from memtool.agents.calls import (
    Make,
    call_text,
    edits,
    encoded_actions,
    plan_of,
    reads,
    searches,
    shell,
    subagent,
    todos,
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
from memtool.model.actions import (
    METADATA_KEY,
    AnyAction,
    Asked,
    Plan,
    Question,
    Rejection,
    Subagent,
    encode,
)
from memtool.model.records import Rewind, event_id
from memtool.text import first_line

NAME = "copilot"
READER = 1
_PREFIXES = ("session.", "user.", "assistant.", "tool.", "subagent.", "system.", "skill.")
_TYPES_WITHOUT_DOT = frozenset({"abort"})
_ASKS = "ask_user"
_PLANS = "exit_plan_mode"
_MOST_CALLS = 2_000


class Copilot(Format):
    """One session a directory; before 2026 `session-state/<session>.jsonl`."""

    reader = READER

    def recognises(self, record: JsonObject) -> bool:
        """Return whether the record is an event of a session: a type with its data, in a chain."""
        kind = text_at(record, "type")
        is_typed = kind.startswith(_PREFIXES) or kind in _TYPES_WITHOUT_DOT
        return is_typed and isinstance(record.get("data"), dict) and "parentId" in record

    def ignores(self, path: Path) -> bool:
        """Return whether it is one of the locks, copies and plans beside the events."""
        return path.suffix != ".jsonl"

    def parser(self, file: File) -> Parser:
        """Return what reads one file."""
        return _Parser(file)


class _State(msgspec.Struct):
    """What later events need of the earlier ones."""

    session: str = ""
    project: str = ""
    directory: str = ""
    branch: str = ""


class _Parser(Parser):
    def __init__(self, file: File) -> None:
        self._file = file
        self._state = remembered(file.memory, _State)
        self._calls: dict[str, JsonObject] = {}

    def memory(self) -> str:
        return msgspec.json.encode(self._state).decode()

    def parse(self, record: JsonObject) -> Outcome:
        kind = text_at(record, "type")
        data = object_at(record, "data")
        self._note(kind, data)
        if kind == "session.snapshot_rewind":
            rewinds = tuple(self._rewinds(record, text_at(data, "upToEventId")))
            return Outcome(Disposition.TAKEN if rewinds else Disposition.METADATA, kind, rewinds)
        make = _DRAFTS.get(kind)
        if make is None:
            is_known = kind.startswith(_PREFIXES) or kind in _TYPES_WITHOUT_DOT
            return Outcome(
                Disposition.METADATA if is_known else Disposition.UNKNOWN, kind or "(no type)"
            )
        time_us = instant_us(record.get("timestamp"))
        if time_us is None:
            return without_time(kind)
        drafts = make(record, self._call)
        key = text_at(record, "id")
        if not drafts or not key:
            return Outcome(Disposition.IGNORED, f"{kind}/empty")
        origin = Origin(key, canonical(record, frozenset()), time_us, text_at(record, "parentId"))
        events, redactions = events_of(drafts, self._where(record), origin)
        return Outcome(Disposition.TAKEN, kind, events, redactions)

    # --- What other events say ---

    def _note(self, kind: str, data: JsonObject) -> None:
        state = self._state
        context = data if kind == "session.context_changed" else object_at(data, "context")
        if kind in _PLACES and context:
            state.directory = text_at(context, "cwd") or state.directory
            state.branch = text_at(context, "branch")
            state.project = state.project or project_of(
                text_at(context, "gitRoot") or state.directory
            )
        if kind in {"session.start", "session.resume"}:
            state.session = state.session or text_at(data, "sessionId")
        if kind == "assistant.message":
            if len(self._calls) > _MOST_CALLS:
                self._calls.clear()
            for call in _requests(data):
                self._calls[text_at(call, "toolCallId")] = call

    def _where(self, record: JsonObject) -> Where:
        state = self._state
        session = state.session or _session_of(self._file)
        subagent = text_at(record, "agentId")
        return Where(NAME, READER, session, state.project, state.directory, state.branch, subagent)

    def _call(self, call_id: str) -> JsonObject:
        if call_id and call_id not in self._calls and call_id.isascii():
            for one in self._file.whole(call_id):
                if text_at(one, "type") == "assistant.message":
                    self._note("assistant.message", object_at(one, "data"))
        return self._calls.get(call_id, {})

    def _rewinds(self, rewinding: JsonObject, first: str) -> Iterator[Rewind]:
        """Yield what a rewind took back: the events from the one that it names up to the rewind itself."""
        is_taken = False
        for one in self._file.whole(""):
            key = text_at(one, "id")
            if key and key == text_at(rewinding, "id"):
                return
            is_taken = is_taken or bool(first and key == first)
            make = _DRAFTS.get(text_at(one, "type"))
            time_us = instant_us(one.get("timestamp"))
            if is_taken and make is not None and key and time_us is not None:
                digest = record_digest(NAME, key)
                for draft in make(one, self._call):
                    yield Rewind(event_id(digest, draft.block), time_us)


def _session_of(file: File) -> str:
    path = file.path
    return path.parent.name if path is not None and path.stem == "events" else file.stem


def _requests(data: JsonObject) -> list[JsonObject]:
    calls = list_at(data, "toolRequests")[:_MOST_CALLS]
    return [call for call in calls if isinstance(call, dict)]


# --- Events as drafts ---

_CallOf = Callable[[str], JsonObject]
_Make = Callable[[JsonObject, _CallOf], list[Draft]]


def _start(record: JsonObject, _: _CallOf) -> list[Draft]:
    return [] if text_at(record, "agentId") else [Draft(1, "session_start", "Session started")]


def _said_by_user(record: JsonObject, _: _CallOf) -> list[Draft]:
    data = object_at(record, "data")
    text = text_at(data, "content").strip()
    images = sum(
        isinstance(one, dict) and text_at(one, "type") in {"image", "blob"}
        for one in list_at(data, "attachments")
    )
    if images:
        text = f"{text}\n[image]".strip()
    if not text:
        return []
    if text_at(record, "agentId"):
        return [Draft(1, "subagent_start", text)]
    source = text_at(data, "source")
    if source not in {"", "user"} or is_true(data, "isAutopilotContinuation"):
        return [Draft(1, "note", text, filled({"origin": source}))]
    return [Draft(1, "prompt", text, filled({"images": str(images or "")}), typed=text)]


def _said_by_agent(record: JsonObject, _: _CallOf) -> list[Draft]:
    data = object_at(record, "data")
    group = text_at(data, "messageId")
    drafts: list[Draft] = []
    if thought := text_at(data, "reasoningText").strip():
        drafts.append(Draft(1, "thinking", thought, group=group))
    if text := text_at(data, "content").strip():
        drafts.append(Draft(2, "answer", text, filled({"model": text_at(data, "model")}), group))
    for number, call in enumerate(_requests(data), start=3):
        name = text_at(call, "name") or "tool"
        given = object_at(call, "arguments")
        shown = call_text(name, given)
        metadata = {
            "tool": name,
            "path": text_at(given, "path"),
            "tool_use_id": text_at(call, "toolCallId"),
            METADATA_KEY: encoded_actions(name, given, _ACTIONS),
        }
        kind = "subagent_start" if name == _DELEGATES else "tool_call"
        drafts.append(
            Draft(number, kind, shown.text, filled(metadata), group, redactions=shown.count)
        )
    return drafts


def _thought(record: JsonObject, _: _CallOf) -> list[Draft]:
    text = text_at(object_at(record, "data"), "content").strip()
    return [Draft(1, "thinking", text)] if text else []


def _result(record: JsonObject, call_of: _CallOf) -> list[Draft]:
    data = object_at(record, "data")
    call_id = text_at(data, "toolCallId")
    call = call_of(call_id)
    name = text_at(call, "name")
    result = object_at(data, "result")
    error = text_at(object_at(data, "error"), "message")
    text = text_at(result, "content") or error or text_at(result, "detailedContent")
    code = count_text(object_at(data, "shellExecution"), "exitCode")
    has_failed = data.get("success") is False or code not in {"", "0"}
    edited = [text_at(one, "path") for one in list_at(data, "fileEdits") if isinstance(one, dict)]
    metadata = {
        "tool_use_id": call_id,
        "is_error": "true" if has_failed else "",
        "path": next(filter(None, edited), ""),
    }
    kind = "tool_result"
    if name == _DELEGATES:
        kind = "subagent_end"
        metadata[METADATA_KEY] = encode([Subagent(stage="ended")])
    person = _person(name, object_at(call, "arguments"), text)
    return [
        Draft(1, kind, text, filled(metadata)),
        *([Draft(2, "prompt", *person, typed=person[0])] if person else []),
    ]


_RESPONDED = re.compile(r"User (?:responded|selected): *(.+)", re.DOTALL)
_REJECTED = re.compile(r"The user rejected this tool call\.?(?: User feedback: *(.+))?", re.DOTALL)
_PLAN = re.compile(
    r"(?:Plan|The plan was)? ?(not approved|approved)\b.*?(?:User feedback: *(.+))?$",
    re.DOTALL | re.IGNORECASE,
)


def _person(name: str, given: JsonObject, text: str) -> tuple[str, dict[str, str]] | None:
    """Return what a person answered, approved or rejected in the result of a call, and its action; else None."""
    action: AnyAction
    text = text.strip()
    if name == _ASKS and (answered := _RESPONDED.fullmatch(text)):
        question, answer = text_at(given, "question"), answered[1].strip()
        action = Question(asked=(Asked(question, _choices(given), answer),))
        return f"{question} \u2192 {answer}", {METADATA_KEY: encode([action])}
    if name == _PLANS and (plan := _PLAN.match(text)):
        (proposed,) = _proposed(given)
        assert isinstance(proposed, Plan)
        is_approved = plan[1].lower() == "approved"
        action = replace(proposed, verdict="approved" if is_approved else "rejected")
        words = f"Plan {action.verdict}: {action.heading}".removesuffix(": ")
        words = (plan[2] or "").strip() or words
        return words, {METADATA_KEY: encode([action])}
    if (rejected := _REJECTED.match(text)) and rejected[1]:
        subject = text_at(given, "path") or text_at(given, "command") or name
        return rejected[1].strip(), {METADATA_KEY: encode([Rejection(subject=subject)])}
    return None


def _proposed(given: JsonObject) -> list[AnyAction]:
    heading, steps = plan_of(text_at(given, "planContent") or text_at(given, "summary"))
    return [Plan(heading=heading or first_line(text_at(given, "summary")), steps=steps)]


def _choices(given: JsonObject) -> tuple[str, ...]:
    return tuple(one for one in list_at(given, "choices") if isinstance(one, str))


def _compacted(record: JsonObject, _: _CallOf) -> list[Draft]:
    data = object_at(record, "data")
    text = text_at(data, "summaryContent").strip()
    metadata = {"pre_tokens": count_text(data, "preCompactionTokens")}
    return [Draft(1, "compaction", text, filled(metadata))] if text else []


def _error(record: JsonObject, _: _CallOf) -> list[Draft]:
    data = object_at(record, "data")
    text = text_at(data, "message") or text_at(data, "error")
    return [Draft(1, "error", text, filled({"error": text_at(data, "errorType")}))] if text else []


def _title(record: JsonObject, _: _CallOf) -> list[Draft]:
    text = text_at(object_at(record, "data"), "title").strip()
    return (
        [Draft(1, "title", text, {"title": "session title", "given_by": "agent"})] if text else []
    )


def _done(record: JsonObject, _: _CallOf) -> list[Draft]:
    """Return what the agent said when a task was complete: in autopilot it is no message."""
    text = text_at(object_at(record, "data"), "summary").strip()
    return [Draft(1, "answer", text)] if text else []


_DRAFTS: dict[str, _Make] = {
    "session.start": _start,
    "user.message": _said_by_user,
    "assistant.message": _said_by_agent,
    "assistant.reasoning": _thought,
    "tool.execution_complete": _result,
    "session.compaction_complete": _compacted,
    "session.error": _error,
    "session.title_changed": _title,
    "session.task_complete": _done,
}
"""What is told of each type of event. All others are known to be silent, or unknown."""
FORMAT = Copilot()
_PLACES = frozenset({"session.start", "session.resume", "session.context_changed"})

_DELEGATES = "task"
_ACTIONS: Mapping[str, Make] = {
    **dict.fromkeys(("view", "show_file"), reads("path")),
    "web_fetch": reads("url"),
    **dict.fromkeys(("create", "edit", "str_replace_editor", "write"), edits("path")),
    **dict.fromkeys(("grep", "glob", "rg", "web_search"), searches("pattern", "query")),
    **dict.fromkeys(("bash", "powershell", "shell"), shell),
    **dict.fromkeys(("update_todo", "todo_write"), todos),
    _DELEGATES: subagent,
    _ASKS: lambda given: [Question(asked=(Asked(text_at(given, "question"), _choices(given)),))],
    _PLANS: _proposed,
}
"""The actions of each tool that has any."""
