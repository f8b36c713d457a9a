"""Qwen Code: sessions with Claude Code's envelope (uuid, parentUuid, type) around messages in Gemini's form.

A branch of a session repeats the records with their ids under another session: they are one event with several claims.
A rewind is a record that follows an older one: all that followed that one before is taken back.
"""

from __future__ import annotations

from collections.abc import Callable

from memtool.agents.drafts import Draft, about_of, event_of, filled
from memtool.agents.gemini.parts import (
    call_draft,
    parts_of,
    prompt_draft,
    result_drafts,
    result_of,
    text_of,
    thought_of,
)
from memtool.agents.outcomes import Disposition, Outcome, without_time
from memtool.agents.projects import project_of
from memtool.agents.registry import File, Format, Parser
from memtool.agents.values import (
    JsonObject,
    count_text,
    instant_us,
    is_true,
    list_at,
    object_at,
    text_at,
)
from memtool.model.records import (
    LAST_INSTANT_US,
    RECORD_DIGITS,
    Claim,
    Record,
    Rewind,
    digest_of,
    event_id,
)

NAME = "qwen"
READER = 1
_TYPES = frozenset({"user", "assistant", "tool_result", "system"})
_INJECTED = frozenset({"system", "goal_control", "goal_runtime"})
_MOST_CALLS = 1000


class Qwen(Format):
    """`projects/<slug>/chats/<session>.jsonl`, one session a file."""

    place_key = "cwd"
    reader = READER

    def recognises(self, record: JsonObject) -> bool:
        """Return whether the record is of a session, and its message in Gemini's form."""
        if not text_at(record, "sessionId") or text_at(record, "type") not in _TYPES:
            return False
        return (
            "parts" in object_at(record, "message")
            or "systemPayload" in record
            or "provenance" in record
            or text_at(record, "type") == "tool_result"
        )

    def parser(self, file: File) -> Parser:
        """Return what reads one file."""
        return QwenParser(file)


FORMAT = Qwen()


class QwenParser(Parser):
    """Reads the records of one file in order."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._calls: dict[str, JsonObject] = {}
        self._project: str | None = None

    def parse(self, record: JsonObject) -> Outcome:
        """Return what one record says."""
        kind, subtype = text_at(record, "type"), text_at(record, "subtype")
        name = f"{kind}/{subtype}" if subtype else kind
        uuid = text_at(record, "uuid")
        if kind not in _TYPES or (kind == "system" and subtype not in _SYSTEM):
            return Outcome(Disposition.UNKNOWN, name or "(no type)")
        make = _SYSTEM[subtype] if kind == "system" else None
        if not uuid or (kind == "system" and make is None and subtype != "rewind"):
            return Outcome(Disposition.METADATA, name)
        time_us = instant_us(record.get("timestamp"))
        if time_us is None:
            return without_time(name)
        if subtype == "rewind":
            taken = self._rewound(record)
            return Outcome(Disposition.TAKEN if taken else Disposition.IGNORED, name, tuple(taken))
        self._note_calls(record)
        drafts = make(record) if make else self._drafts(record)
        session = text_at(record, "sessionId") or self._file.stem
        if not drafts:
            return Outcome(Disposition.IGNORED, name)
        records, masked = self._records(
            record, drafts, Claim(session, self._place(record)), time_us
        )
        return Outcome(Disposition.TAKEN, name, tuple(records), masked)

    def _records(
        self, record: JsonObject, drafts: list[Draft], claim: Claim, time_us: int
    ) -> tuple[list[Record], int]:
        directory = text_at(record, "cwd")
        about = about_of(
            text_at(record, "gitBranch"),
            directory if directory != claim.project else "",
            text_at(record, "agentId"),
            is_sidechain=is_true(record, "isSidechain"),
        )
        digest = digest_of("id", NAME, text_at(record, "uuid"))
        parent = text_at(record, "parentUuid")
        records: list[Record] = []
        redactions = 0
        for draft in drafts:
            if draft.kind == "title":  # written again and again, so that it is near the file's end
                digest = digest_of("title", NAME, claim.session, draft.text)
            event, masked = event_of(
                draft,
                digest,
                agent=NAME,
                reader=READER,
                claim=claim,
                time_us=time_us,
                revision=LAST_INSTANT_US - time_us,  # of copies the earliest counts
                digest=digest_of(draft.kind, draft.text),
                about=about,
                parent=digest_of("id", NAME, parent)[:RECORD_DIGITS] if parent else "",
            )
            redactions += masked
            records.append(event)
        return records, redactions

    def _place(self, record: JsonObject) -> str:
        """Return the session's project: that of the directory in which it began."""
        if self._project is None:
            places = (text_at(one, "cwd") for one in self._file.whole("cwd"))
            self._project = project_of(next(filter(None, places), text_at(record, "cwd")))
        return self._project

    # --- Messages ---

    def _drafts(self, record: JsonObject) -> list[Draft]:
        kind = text_at(record, "type")
        content = object_at(record, "message").get("parts")
        if kind == "tool_result":
            return self._results(record)
        if kind == "assistant":
            return _assistant_drafts(record, content)
        return _user_drafts(record, content)

    def _results(self, record: JsonObject) -> list[Draft]:
        status = text_at(object_at(record, "toolCallResult"), "status")
        found: list[Draft] = []
        for number, part in enumerate(parts_of(object_at(record, "message").get("parts")), start=1):
            response = object_at(part, "functionResponse")
            if not response:
                continue
            call_id = text_at(response, "id")
            name = text_at(response, "name")
            given = object_at(self._call(call_id), "args")
            drafts = result_drafts(name, given, call_id, result_of([part], status))
            found += [_at(draft, draft.block - 1 + number) for draft in drafts]
        return found

    def _note_calls(self, record: JsonObject) -> None:
        """Keep the calls: what a person answers in a result has its questions there."""
        if text_at(record, "type") == "assistant":
            if len(self._calls) > _MOST_CALLS:
                self._calls.clear()
            for part in parts_of(object_at(record, "message").get("parts")):
                call = object_at(part, "functionCall")
                if text_at(call, "id"):
                    self._calls[text_at(call, "id")] = call

    def _call(self, call_id: str) -> JsonObject:
        if call_id and call_id not in self._calls and call_id.isascii():
            for one in self._file.whole(call_id):
                self._note_calls(one)
        return self._calls.get(call_id, {})

    def _rewound(self, rewind: JsonObject) -> list[Rewind]:
        """Return the rewinds of all that followed the record which the rewind follows."""
        end, top = text_at(rewind, "uuid"), text_at(rewind, "parentUuid")
        gone = {top}
        found: list[Rewind] = []
        for record in self._file.whole("uuid"):
            uuid = text_at(record, "uuid")
            if uuid == end:
                break
            if not uuid or text_at(record, "parentUuid") not in gone or uuid in gone:
                continue
            gone.add(uuid)
            time_us = instant_us(record.get("timestamp"))
            kind, subtype = text_at(record, "type"), text_at(record, "subtype")
            make = _SYSTEM.get(subtype) if kind == "system" else self._drafts
            if time_us is not None and kind in _TYPES and make is not None:
                digest = digest_of("id", NAME, uuid)
                revision = LAST_INSTANT_US - time_us
                found += [Rewind(event_id(digest, one.block), revision) for one in make(record)]
        return found


def _at(draft: Draft, block: int) -> Draft:
    return Draft(
        block, draft.kind, draft.text, draft.metadata, draft.group, draft.typed, draft.redactions
    )


def _user_drafts(record: JsonObject, content: object) -> list[Draft]:
    subtype = text_at(record, "subtype")
    is_injected = text_at(record, "provenance") in _INJECTED or subtype in (
        "notification",
        "cron",
        "goal_runtime",
    )
    if is_injected:
        text = text_of(content)
        return [Draft(1, "note", text)] if text else []
    shown = text_at(object_at(record, "systemPayload"), "displayText")
    entered = prompt_draft(content, shown)
    if entered is None:
        return []
    if is_true(record, "isSidechain"):
        return [Draft(1, "subagent_start", entered.text, entered.metadata)]
    return [entered]


def _assistant_drafts(record: JsonObject, content: object) -> list[Draft]:
    found: list[Draft] = []
    group = text_at(record, "uuid")
    if thought := thought_of(content):
        found.append(Draft(1, "thinking", thought, group=group))
    if text := text_of(content):
        usage = object_at(record, "usageMetadata")
        about = {
            "model": text_at(record, "model"),
            "input_tokens": count_text(usage, "promptTokenCount"),
            "output_tokens": count_text(usage, "candidatesTokenCount"),
        }
        found.append(Draft(2, "answer", text, filled(about), group))
    for number, part in enumerate(parts_of(content), start=3):
        call = object_at(part, "functionCall")
        if call:
            made = call_draft(text_at(call, "name"), object_at(call, "args"), text_at(call, "id"))
            found.append(_at(made, number))
    return found


def _payload_draft(kind: str, field: str) -> Callable[[JsonObject], list[Draft]]:
    def made(record: JsonObject) -> list[Draft]:
        text = text_at(object_at(record, "systemPayload"), field).strip()
        return [Draft(1, kind, text)] if text else []

    return made


def _title(record: JsonObject) -> list[Draft]:
    payload = object_at(record, "systemPayload")
    text = text_at(payload, "customTitle").strip()
    giver = "agent" if text_at(payload, "titleSource") == "auto" else "person"
    return [Draft(1, "title", text, {"given_by": giver})] if text else []


def _command(record: JsonObject) -> list[Draft]:
    payload = object_at(record, "systemPayload")
    text = text_at(payload, "rawCommand").strip()
    if text_at(payload, "phase") == "invocation":
        return [Draft(1, "command", text, typed=text)] if text else []
    shown = [
        text_at(one, "text")
        for one in list_at(payload, "outputHistoryItems")
        if isinstance(one, dict)
    ]
    output = "\n".join(filter(None, shown))
    return [Draft(1, "command", output, {"output": "true"})] if output else []


def _compacted(_record: JsonObject) -> list[Draft]:
    return [Draft(1, "compaction", "Conversation compacted")]


_SYSTEM: dict[str, Callable[[JsonObject], list[Draft]] | None] = {
    "chat_compression": _compacted,
    "slash_command": _command,
    "custom_title": _title,
    "notification": _payload_draft("note", "displayText"),
    **dict.fromkeys(
        (
            *("rewind", "ui_telemetry", "at_command", "attribution_snapshot", "session_notes"),
            *("background_task_completed", "cron", "parent_session", "session_source"),
            *("session_execution_engine", "omni_recall", "session_model", "session_approval_mode"),
            *("agent_bootstrap", "agent_launch_prompt", "agent_retry", "agent_session_ready"),
            *("file_history_snapshot", "user_text_elements", "session_artifact_event"),
            *("session_artifact_snapshot", "session_sources_snapshot", "branch_checkpoint"),
            *("goal_state", "goal_runtime", "goal_turn_end", "realtime_message", "turn_result"),
        )
    ),
}
"""Every subtype of system records that is known, and what it says; None says nothing that is not said elsewhere."""
