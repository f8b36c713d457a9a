"""Reads the records of one session of Gemini CLI: its head, its messages, and what changes them.

A message may come again with more in it, and a list of messages may replace all before it (`$set`). The position in the
file, then the length decide which of the versions is the last. What `$rewindTo` or such a list takes out is rewound.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from pathlib import Path

import msgspec

from memtool.agents.drafts import Draft, about_of, event_of, filled
from memtool.agents.gemini import COMMANDS, NAME, READER
from memtool.agents.gemini.parts import (
    call_draft,
    own_parts,
    prompt_draft,
    result_drafts,
    result_of,
    text_of,
    thought_of,
)
from memtool.agents.outcomes import Disposition, Outcome, without_time
from memtool.agents.projects import project_of
from memtool.agents.registry import File, Parser
from memtool.agents.values import (
    JsonObject,
    count_text,
    instant_us,
    list_at,
    object_at,
    remembered,
    text_at,
)
from memtool.model.records import (
    LAST_INSTANT_US,
    RECORD_DIGITS,
    Claim,
    Event,
    EventId,
    Record,
    Rewind,
    digest_of,
)

_POSITION_BITS = 32
_LONGEST = (1 << _POSITION_BITS) - 1
_SILENT = {"lastUpdated", "directories", "memoryScratchpad", "kind"}


class _State(msgspec.Struct):
    """What a later reading must know of the objects before it."""

    number: int = 0
    """How many objects were parsed."""
    session: str = ""
    thread: str = ""
    is_subagent: bool = False
    project: str = ""
    began: str = ""
    parent: str = ""
    message: str = ""
    """The last message, and what came before it: it may come again with more in it."""
    before: str = ""


Alive = dict[str, list[Rewind]]
"""The events of the messages that were not taken out, by message, in order."""


class GeminiParser(Parser):
    """Reads the records of one file in order."""

    def __init__(self, file: File, alive: Alive | None = None) -> None:
        self._file = file
        self._alive = alive
        """If asked for."""
        self._now = remembered(file.memory, _State)

    def memory(self) -> str:
        """Return the state as JSON."""
        return msgspec.json.encode(self._now).decode() if self._now.number else ""

    def parse(self, record: JsonObject) -> Outcome:
        """Return what one record says."""
        self._now.number += 1
        for name in COMMANDS:
            if name in record:
                return self._change(name, record[name])
        if "projectHash" in record:
            return self._head(record)
        if not text_at(record, "id"):
            return Outcome(Disposition.UNKNOWN, text_at(record, "type") or "(no type)")
        return self._message(record)

    # --- The session ---

    def _head(self, record: JsonObject) -> Outcome:
        now = self._now
        now.thread = text_at(record, "sessionId") or now.thread
        now.is_subagent = text_at(record, "kind") == "subagent"
        path = self._file.path
        is_nested = now.is_subagent and path is not None and path.parent.parent.name == "chats"
        now.session = path.parent.name if is_nested and path is not None else now.thread
        now.began = text_at(record, "startTime") or now.began
        now.project = now.project or self._project(text_at(record, "projectHash"))
        return self._titled("session", record)

    def _titled(self, name: str, record: JsonObject) -> Outcome:
        """Return the title that Gemini gives a session some time after it ended."""
        text = text_at(record, "summary").strip()
        time_us = instant_us(self._now.began)
        if not text or time_us is None or not self._now.session:
            return Outcome(Disposition.METADATA, name)
        digest = digest_of("title", NAME, self._now.session, text)
        event, masked = event_of(
            Draft(1, "title", text, {"given_by": "agent"}),
            digest,
            agent=NAME,
            reader=READER,
            claim=Claim(self._now.session, self._now.project),
            time_us=time_us,
            revision=LAST_INSTANT_US - time_us,
            digest=digest,
            about=self._about(),
        )
        return Outcome(Disposition.TAKEN, name, (event,), masked)

    def _project(self, project_hash: str) -> str:
        """Return the project's root: as Gemini noted it, else a path in the session that has this hash; else ""."""
        path = self._file.path
        for directory in path.parents[:4] if path is not None else ():
            root = _noted_root(directory)
            if root:
                return project_of(root)
            if directory.name == "tmp":
                break
        known = _listed_roots(path) if path is not None else []
        for place in itertools.chain(known, _places_in(self._file)):
            if hashlib.sha256(place.encode()).hexdigest() == project_hash:
                return project_of(place)
        return ""

    def _about(self) -> dict[str, str]:
        agent = self._now.thread if self._now.is_subagent else ""
        return about_of("", "", agent, is_sidechain=bool(agent))

    # --- Messages ---

    def _message(self, message: JsonObject) -> Outcome:
        kind = text_at(message, "type")
        made = self._drafts(message, kind)
        if made is None:
            return Outcome(Disposition.UNKNOWN, kind or "(no type)")
        time_us = instant_us(message.get("timestamp"))
        if time_us is None:
            return without_time(kind)
        records, masked = self._records(text_at(message, "id"), made, time_us)
        if not records:
            return Outcome(Disposition.IGNORED, f"{kind}/empty")
        return Outcome(Disposition.TAKEN, kind, tuple(records), masked)

    def _records(
        self, message: str, made: list[tuple[str, list[Draft]]], time_us: int
    ) -> tuple[list[Record], int]:
        now = self._now
        now.session = now.session or self._file.stem
        about, records, redactions = self._about(), [], 0
        if message != now.message:
            now.message, now.before = message, now.parent
        now.parent = now.before
        for what, drafts in made:
            digest = digest_of("id", NAME, message, what)
            for draft in drafts:
                length = len(draft.text) + sum(map(len, draft.metadata.values()))
                event, masked = event_of(
                    draft,
                    digest,
                    agent=NAME,
                    reader=READER,
                    claim=Claim(now.session, now.project),
                    time_us=time_us,
                    revision=(now.number << _POSITION_BITS) | min(length, _LONGEST),
                    digest=digest_of(
                        draft.kind, draft.text, json.dumps(draft.metadata, sort_keys=True)
                    ),
                    about=about,
                    parent=now.parent,
                )
                redactions += masked
                records.append(event)
            now.parent = digest[:RECORD_DIGITS]
        self._note(message, records)
        return list(records), redactions

    def _note(self, message: str, records: list[Event]) -> None:
        if self._alive is not None:
            latest: dict[EventId, Rewind] = {one.id: one for one in self._alive.get(message, ())}
            latest.update({one.id: Rewind(one.id, one.revision) for one in records})
            self._alive[message] = list(latest.values())

    def _drafts(self, message: JsonObject, kind: str) -> list[tuple[str, list[Draft]]] | None:
        """Return the message's records, each with what tells it from the message's others; None if unknown."""
        if kind == "user":
            entered = prompt_draft(message.get("content"), message.get("displayContent"))
            if entered is not None and self._now.is_subagent:
                entered = msgspec.structs.replace(entered, kind="subagent_start")
            return [("", [entered])] if entered else []
        if kind in ("info", "warning", "error"):
            text = text_of(message.get("content"))
            named = "error" if kind == "error" else "note"
            return [("", [Draft(1, named, text)])] if text else []
        if kind != "gemini":
            return None
        found = (
            [("thoughts", [Draft(1, "thinking", thought)])]
            if (thought := _thoughts(message))
            else []
        )
        if text := text_of(message.get("content")):
            tokens = object_at(message, "tokens")
            about = {
                "model": text_at(message, "model"),
                "input_tokens": count_text(tokens, "input"),
                "output_tokens": count_text(tokens, "output"),
            }
            found.append(("", [Draft(1, "answer", text, filled(about))]))
        for call in list_at(message, "toolCalls"):
            if isinstance(call, dict):
                found += _of_call(call)
        return found

    # --- What changes the messages before ---

    def _change(self, name: str, value: object) -> Outcome:
        if name == "$rewindTo":
            return self._rewind(value if isinstance(value, str) else "")
        change = value if isinstance(value, dict) else {}
        messages = change.get("messages")
        if isinstance(messages, list):
            return self._replace([one for one in messages if isinstance(one, dict)])
        if name == "$patch" and text_at(change, "id"):
            return self._message(self._patched(change))
        if "summary" in change:
            return self._titled(f"{name}/summary", change)
        known = change.keys() <= _SILENT | {"sessionId", "projectHash", "startTime"}
        field = next(iter(change), "")
        return Outcome(Disposition.METADATA if known else Disposition.UNKNOWN, f"{name}/{field}")

    def _patched(self, change: JsonObject) -> JsonObject:
        """Return a message with some fields replaced."""
        found: JsonObject = {}
        name = text_at(change, "id")
        for one in itertools.islice(self._file.whole(""), self._now.number - 1):
            if text_at(one, "id") == name:
                found = one
        return {**found, **change}

    def _before(self) -> Alive:
        """Return the messages that are alive before this record."""
        if self._alive is None:  # from now on they are kept
            self._alive = {}
            earlier = GeminiParser(self._file._replace(memory=""), self._alive)
            for record in itertools.islice(self._file.whole(""), self._now.number - 1):
                earlier.parse(record)
        return self._alive

    def _rewind(self, message: str) -> Outcome:
        """Take out the message and all after it; all there are where it is not known."""
        alive = self._before()
        names = list(alive)
        gone = names[names.index(message) :] if message in alive else names
        taken = [rewind for name in gone for rewind in alive.pop(name)]
        return Outcome(
            Disposition.TAKEN if taken else Disposition.IGNORED, "$rewindTo", tuple(taken)
        )

    def _replace(self, messages: list[JsonObject]) -> Outcome:
        """Take out all messages but these, which may have changed."""
        alive = self._before()
        kept = {text_at(one, "id") for one in messages}
        records: list[Record] = [
            rewind for name in list(alive) if name not in kept for rewind in alive.pop(name)
        ]
        for name in [text_at(one, "id") for one in messages]:
            if name in alive:
                alive[name] = alive.pop(name)  # in their order
        redactions = 0
        self._now.message = self._now.parent = ""
        for message in messages:
            outcome = self._message(message) if text_at(message, "id") else None
            if outcome is not None:
                records += outcome.records
                redactions += outcome.redactions
        return Outcome(Disposition.TAKEN, "$set/messages", tuple(records), redactions)


def _thoughts(message: JsonObject) -> str:
    said = [
        f"**{text_at(one, 'subject')}**\n{text_at(one, 'description')}".strip()
        for one in list_at(message, "thoughts")
        if isinstance(one, dict)
    ]
    return "\n\n".join(said) or thought_of(message.get("content"))


def _of_call(call: JsonObject) -> list[tuple[str, list[Draft]]]:
    name, call_id, given = text_at(call, "name"), text_at(call, "id"), object_at(call, "args")
    is_subagent = bool(text_at(call, "agentId"))
    status = text_at(call, "status")
    found = [(f"call {call_id}", [call_draft(name, given, call_id, is_subagent=is_subagent)])]
    if call.get("result") or status in ("success", "error", "cancelled"):
        result = result_of(
            own_parts(call.get("result"), call_id) or call.get("resultDisplay") or "", status
        )
        drafts = result_drafts(name, given, call_id, result, is_subagent=is_subagent)
        found.append((f"result {call_id}", drafts))
    return found


# --- Where a project is ---

_LONGEST_ROOT_BYTES = 4096
_PLACE = re.compile(r"(?:[A-Za-z]:)?(?:[/\\][\w.@+ -]+)+")
_MOST_PLACES = 20_000


def _noted_root(directory: Path) -> str:
    """Return the root that Gemini noted beside the chats."""
    try:
        with (directory / ".project_root").open("rb") as opened:
            return opened.read(_LONGEST_ROOT_BYTES).decode(errors="replace").strip()
    except OSError:
        return ""


def _listed_roots(path: Path) -> list[str]:
    """Return the projects that Gemini lists, and the folders that it trusts."""
    found: list[str] = []
    root = next((one.parent for one in path.parents if one.name == "tmp"), None)
    for name in ("projects.json", "trustedFolders.json") if root is not None else ():
        try:
            listed = json.loads((root / name).read_text(encoding="utf-8", errors="replace"))  # type: ignore[operator]
        except (OSError, ValueError, RecursionError):
            continue
        rows = listed.get("projects", listed) if isinstance(listed, dict) else {}
        found += [one for one in rows if isinstance(one, str)] if isinstance(rows, dict) else []
    return found


def _places_in(file: File) -> set[str]:
    """Return the paths that the session speaks of, and all directories above them."""
    found: set[str] = set()
    for record in file.whole(""):
        for place in _PLACE.findall(json.dumps(record, ensure_ascii=False)):
            path = place.rstrip(" .")
            while path and path not in found and len(found) < _MOST_PLACES:
                found.add(path)
                path = path[: max(path.rfind("/"), path.rfind("\\"))] if len(path) > 1 else ""
    return found
