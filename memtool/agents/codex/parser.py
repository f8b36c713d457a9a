"""Reads the records of one rollout, or of one of Codex's lists.

A fork, and often a subagent, begins with a copy of the lines of its parent, with new times, and with the parent's first
line after its own. So an event's id comes from what is copied: the id of the turn, what the thing is, its words or the
id of its call, and its number among equals. Where a record has no turn id, as before 0.104, the thread that the lines
were first written in and the number of the prompt stand for it. Of copies, the earliest counts.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from memtool.agents.codex import NAME, READER
from memtool.agents.codex.items import (
    MODEL,
    Piece,
    event_pieces,
    model_prompt,
    response_pieces,
    usage_of,
)
from memtool.agents.drafts import Draft, about_of, event_of, filled
from memtool.agents.outcomes import Disposition, Outcome, without_time
from memtool.agents.projects import project_of
from memtool.agents.registry import File, Parser
from memtool.agents.values import (
    JsonObject,
    in_range,
    instant_us,
    object_at,
    remembered,
    text_at,
)
from memtool.model.records import (
    LAST_INSTANT_US,
    RECORD_DIGITS,
    Claim,
    Event,
    Record,
    Rewind,
    digest_of,
)

_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$")
_MOST_CALLS = 200
_MOST_EQUALS = 5000
_HASH_DIGITS = 16
_STATE = {"turn_context", "world_state", "inter_agent_communication_metadata"} | {
    "security_risk_score",
    "token_usage_record",
}


class _State(msgspec.Struct):
    """What a later reading must know of the lines before it."""

    number: int = 0
    """How many objects were parsed."""
    session: str = ""
    thread: str = ""
    is_subagent: bool = False
    project: str = ""
    directory: str = ""
    branch: str = ""
    model: str = ""
    origin: str = ""
    """The thread in which the lines were first written."""
    turn: str = ""
    prompts: int = 0
    seen: dict[str, dict[str, int]] = {}
    """How often each thing was seen in this turn, by where it was written."""
    prompt: str = ""
    """The last prompt, and where it was written, until it was seen elsewhere."""
    written: str = ""
    has_events: bool = False
    """Whether there are events: they tell all prompts."""
    has_items: bool = False
    """Whether there are items of the conversation with the model: they tell all answers, with their tokens."""
    parent: str = ""
    usage: tuple[str, str] = ("", "")


class CodexParser(Parser):
    """Reads the records of one file in order."""

    def __init__(self, file: File, turns: list[list[Rewind]] | None = None) -> None:
        self._file = file
        self._turns = turns
        """If asked for: the events of each turn that was not rolled back, after those before the first prompt."""
        self._calls: dict[str, JsonObject] = {}
        self._threads: dict[str, str] | None = None
        self._now = remembered(file.memory, _State)

    def memory(self) -> str:
        """Return the state as JSON."""
        return msgspec.json.encode(self._now).decode() if self._now.number else ""

    def parse(self, record: JsonObject) -> Outcome:
        """Return what one record says."""
        self._now.number += 1
        kind = text_at(record, "type")
        if not kind and "thread_name" in record:
            return self._title(text_at(record, "id"), record, instant_us(record.get("updated_at")))
        if not kind and "ts" in record:
            return self._listed_prompt(record)
        payload = object_at(record, "payload")
        if kind == "turn_context":
            self._take_context(payload)
        if kind in _STATE:
            return Outcome(Disposition.METADATA, kind)
        make = {
            "session_meta": self._meta,
            "response_item": self._response,
            "event_msg": self._event,
            "compacted": self._compacted,
            "inter_agent_communication": self._between,
        }.get(kind)
        if make is None:
            return Outcome(Disposition.UNKNOWN, kind or "(no type)")
        time_us = instant_us(record.get("timestamp"))
        if time_us is None:
            return without_time(kind)
        return make(payload, time_us)

    # --- The thread and its turns ---

    def _meta(self, payload: JsonObject, time_us: int) -> Outcome:
        thread = text_at(payload, "id") or text_at(payload, "session_id")
        now = self._now
        if not now.session:
            now.thread = thread or self._own_name()
            now.origin = now.thread
            source = object_at(payload, "source")
            parent = _parent_of(payload)
            now.is_subagent = bool(
                "subagent" in source or parent or text_at(payload, "thread_source") == "subagent"
            )
            root = text_at(payload, "session_id")
            now.session = (root or parent or now.thread) if now.is_subagent else now.thread
            now.directory = text_at(payload, "cwd")
            now.project = project_of(now.directory)
            now.branch = text_at(object_at(payload, "git"), "branch")
            if not now.is_subagent:
                start = Piece("start", now.thread, Draft(1, "session_start", "Session started"))
                return self._taken("session_meta", [(start, 0)], time_us)
        elif thread and thread not in (now.thread, now.origin):
            now.origin, now.turn, now.prompts, now.seen = thread, "", 0, {}
        return Outcome(Disposition.METADATA, "session_meta")

    def _own_name(self) -> str:
        found = _UUID.search(self._file.stem)
        return found[0] if found else self._file.stem

    def _take_context(self, payload: JsonObject) -> None:
        self._begin_turn(text_at(payload, "turn_id"))
        self._now.directory = text_at(payload, "cwd") or self._now.directory
        self._now.model = text_at(payload, "model") or self._now.model

    def _begin_turn(self, turn: str) -> None:
        if turn and turn != self._now.turn:
            self._now.turn, self._now.seen = turn, {}

    # --- Lines ---

    def _response(self, payload: JsonObject, time_us: int) -> Outcome:
        name = f"response_item/{text_at(payload, 'type')}"
        self._now.has_items = True
        if text_at(payload, "name") and (call_id := text_at(payload, "call_id")):
            if len(self._calls) >= _MOST_CALLS:
                self._calls.clear()
            self._calls[call_id] = payload
        pieces = response_pieces(payload, self._call)
        if pieces == [] and not self._now.has_events:
            pieces = model_prompt(payload)
        return self._outcome(name, pieces, time_us)

    def _event(self, payload: JsonObject, time_us: int) -> Outcome:
        kind = text_at(payload, "type")
        name = f"event_msg/{kind}"
        self._now.has_events = True
        if kind == "item_completed":
            name = f"item/{text_at(object_at(payload, 'item'), 'type')}"
        if kind in ("task_started", "turn_started"):
            self._begin_turn(text_at(payload, "turn_id"))
            return Outcome(Disposition.METADATA, name)
        if kind == "token_count":
            self._now.usage = usage_of(payload)
            return Outcome(Disposition.METADATA, name)
        if kind == "thread_rolled_back":
            return self._rolled_back(payload)
        if kind == "thread_name_updated":
            return self._title(self._now.session, payload, time_us)
        return self._outcome(name, event_pieces(payload), time_us)

    def _compacted(self, payload: JsonObject, time_us: int) -> Outcome:
        text = text_at(payload, "message").strip() or "Conversation compacted"
        piece = Piece("compaction", text, Draft(1, "compaction", text))
        return self._outcome("compacted", [piece], time_us)

    def _between(self, payload: JsonObject, time_us: int) -> Outcome:
        pieces = response_pieces({**payload, "type": "agent_message"}, self._call)
        return self._outcome("inter_agent_communication", pieces, time_us)

    def _outcome(self, name: str, pieces: list[Piece] | None, time_us: int) -> Outcome:
        if pieces is None:
            return Outcome(Disposition.UNKNOWN, name)
        fresh = [(piece, number) for piece in pieces if (number := self._number(piece)) is not None]
        if not fresh:  # nearly always because it is told elsewhere, too
            return Outcome(Disposition.METADATA, name)
        return self._taken(name, fresh, time_us)

    def _number(self, piece: Piece) -> int | None:
        """Return the piece's number among equals of its turn; None where it was seen already, written elsewhere."""
        now = self._now
        mark = digest_of(piece.what, piece.key)[:_HASH_DIGITS]
        if piece.what == "prompt":
            if mark == now.prompt and piece.written != now.written:
                now.prompt = ""
                return None
            now.prompt, now.written = mark, piece.written
            if not now.turn:
                now.prompts += 1
                now.seen = {}
        if piece.what == "answer" and piece.written != MODEL and now.has_items:
            return None
        if piece.draft.block != 1 or len(now.seen) > _MOST_EQUALS:
            return 0
        counts = now.seen.setdefault(mark, {})
        number = counts.get(piece.written, 0)
        is_known = number < max(counts.values(), default=0)
        counts[piece.written] = number + 1
        return None if is_known else number

    def _taken(self, name: str, pieces: list[tuple[Piece, int]], time_us: int) -> Outcome:
        now = self._now
        if not now.session:  # the first line is missing
            now.session = now.thread = now.origin = self._own_name()
        about = about_of(
            now.branch,
            now.directory if now.directory != now.project else "",
            now.thread if now.is_subagent else "",
            is_sidechain=now.is_subagent and bool(now.thread),
        )
        records: list[Record] = []
        redactions = 0
        for piece, number in pieces:
            if piece.what == "prompt" and self._turns is not None:
                self._turns.append([])
            event, masked = self._made(piece, number, time_us, about)
            redactions += masked
            records.append(event)
            if self._turns is not None:
                self._turns[-1].append(Rewind(event.id, event.revision))
        return Outcome(Disposition.TAKEN, name, tuple(records), redactions)

    def _made(
        self, piece: Piece, number: int, time_us: int, about: dict[str, str]
    ) -> tuple[Event, int]:
        now = self._now
        draft = piece.draft
        if draft.kind == "prompt" and now.is_subagent:
            draft = msgspec.structs.replace(draft, kind="subagent_start")
        if draft.kind == "answer":
            tokens = dict(zip(("input_tokens", "output_tokens"), now.usage, strict=True))
            draft = msgspec.structs.replace(
                draft, metadata=filled({**draft.metadata, "model": now.model, **tokens})
            )
            now.usage = ("", "")
        scope = now.turn or f"{now.origin}/{now.prompts}"
        digest = digest_of("codex", scope, piece.what, piece.key, number)
        made = event_of(
            draft,
            digest,
            agent=NAME,
            reader=READER,
            claim=Claim(now.session, now.project),
            time_us=time_us,
            revision=LAST_INSTANT_US - time_us,  # of copies the earliest counts
            digest=digest_of(draft.kind, draft.text),
            about=about,
            parent=now.parent,
        )
        now.parent = digest[:RECORD_DIGITS]
        return made

    # --- What other records say ---

    def _call(self, call_id: str) -> JsonObject:
        if call_id not in self._calls and call_id.isascii() and call_id:
            for one in self._file.whole(call_id):
                payload = object_at(one, "payload")
                if text_at(payload, "call_id") == call_id and "name" in payload:
                    self._calls[call_id] = payload
                    break
        return self._calls.get(call_id, {})

    def _rolled_back(self, payload: JsonObject) -> Outcome:
        """Return the rewinds of the events since the last prompts, as many as were rolled back."""
        name, count = "event_msg/thread_rolled_back", payload.get("num_turns")
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            return Outcome(Disposition.IGNORED, name)
        if self._turns is None:  # from now on they are kept
            self._turns = [[]]
            earlier = CodexParser(self._file._replace(memory=""), self._turns)
            for record in itertools.islice(self._file.whole(""), self._now.number - 1):
                earlier.parse(record)
        turns = self._turns
        first = max(1, len(turns) - count)
        taken = [rewind for turn in turns[first:] for rewind in turn]
        del turns[first:]
        return Outcome(Disposition.TAKEN if taken else Disposition.IGNORED, name, tuple(taken))

    # --- Lists ---

    def _title(self, session: str, record: JsonObject, time_us: int | None) -> Outcome:
        text = text_at(record, "thread_name").strip()
        if time_us is None:
            return Outcome(Disposition.DAMAGED, "title: no instant from 1970 to 2200")
        if not text or not session:
            return Outcome(Disposition.IGNORED, "title/empty")
        digest = digest_of("title", NAME, session, text)
        event, masked = event_of(
            Draft(1, "title", text, {"given_by": "agent"}),
            digest,
            agent=NAME,
            reader=READER,
            claim=Claim(session, self._now.project or self._project_of_thread(session)),
            time_us=time_us,
            revision=LAST_INSTANT_US - time_us,
            digest=digest,
            about={},
        )
        return Outcome(Disposition.TAKEN, "title", (event,), masked)

    def _listed_prompt(self, record: JsonObject) -> Outcome:
        """Return a prompt of history.jsonl, which remembers those of threads whose rollouts are gone."""
        seconds, session = record.get("ts"), text_at(record, "session_id")
        time_us = in_range(seconds * 1_000_000) if type(seconds) is int else None
        text = text_at(record, "text").strip()
        if time_us is None:
            return Outcome(Disposition.DAMAGED, "history: ts is no instant from 1970 to 2200")
        if not session or not text:
            return Outcome(Disposition.IGNORED, "history/empty")
        if self._file.is_covered(session, time_us):
            return Outcome(Disposition.IGNORED, "history/in a transcript")
        event, masked = event_of(
            Draft(1, "prompt", text, {"source": "history"}),
            digest_of("history", NAME, session, text, time_us),
            agent=NAME,
            reader=READER,
            claim=Claim(session, self._project_of_thread(session)),
            time_us=time_us,
            revision=time_us,
            digest=digest_of(session, text, time_us),
            about={},
        )
        return Outcome(Disposition.TAKEN, "history", (event,), masked)

    def _project_of_thread(self, thread: str) -> str:
        """Return the project of a thread by its rollout, which is elsewhere; "" where there is none."""
        if self._threads is None:
            self._threads = dict(_rollouts(self._file.path)) if self._file.path else {}
        path = self._threads.get(thread, "")
        return _project_in(path) if path else ""


def _parent_of(payload: JsonObject) -> str:
    """Return the thread that started a subagent, or ""."""
    spawn = object_at(object_at(object_at(payload, "source"), "subagent"), "thread_spawn")
    return text_at(payload, "parent_thread_id") or text_at(spawn, "parent_thread_id")


def _rollouts(listing: Path) -> Iterator[tuple[str, str]]:
    """Yield the threads that have a rollout beside the list, and its path."""
    for name in ("archived_sessions", "sessions"):
        for directory, _, files in os.walk(listing.parent / name):
            for file in files:
                found = _UUID.search(file.partition(".jsonl")[0])
                if found and file.endswith(".jsonl"):
                    yield found[0], f"{directory}/{file}"


_FIRST_BYTES = 1 << 20


def _project_in(path: str) -> str:
    """Return the project that the first line of a rollout names."""
    try:
        with open(path, "rb") as opened:  # noqa: PTH123
            line = msgspec.json.decode(opened.readline(_FIRST_BYTES))
    except (OSError, ValueError, RecursionError):
        return ""
    payload = object_at(line, "payload") if isinstance(line, dict) else {}
    return project_of(text_at(payload, "cwd"))
