"""Claude Code's transcripts: `projects/<slug>/<session>.jsonl`, one record a line.

Everything in an event but its claims is a function of the raw record without session id, working directory and
version, so that the copies which resuming and forking make are one event with several claims.
"""

from __future__ import annotations

from collections.abc import Callable

from memtool.agents import Fate, File, Outcome
from memtool.agents.claude.assistant import assistant_drafts
from memtool.agents.claude.draft import Draft, blocks_of, filled
from memtool.agents.claude.ids import NAME, content_of, own_digest, parent_of, raw_digest, raw_key
from memtool.agents.claude.queue import QUEUE_TYPE, Queue, queue_drafts
from memtool.agents.claude.system import SUBTYPES, attachment_drafts, pr_link_drafts, system_drafts
from memtool.agents.claude.user import user_drafts
from memtool.agents.ordinals import Ordinals
from memtool.agents.sealing import seal
from memtool.agents.times import instant_us
from memtool.agents.values import JsonObject, is_true, object_at, text_at
from memtool.model.records import ROLES, Claim, Event, Record, digest_of, event_id


def _no_drafts(_record: JsonObject) -> list[Draft]:
    return []


_TYPES: dict[str, Callable[[JsonObject], list[Draft]]] = {
    "user": user_drafts,
    "assistant": assistant_drafts,
    "system": system_drafts,
    "attachment": attachment_drafts,
    "pr-link": pr_link_drafts,
    QUEUE_TYPE: queue_drafts,
    "progress": _no_drafts,  # noise; its agent_progress repeats whole messages of subagents
}
# State of the session, rewritten as it changes: no part of the conversation.
_METADATA_TYPES = frozenset(
    (
        "summary",
        "file-history-snapshot",
        "file-history-delta",
        "custom-title",
        "ai-title",
        "last-prompt",
        "mode",
        "permission-mode",
        "agent-name",
        "agent-color",
        "agent-setting",
        "tag",
        "worktree-state",
    )
)
_BLOCK_TYPES = frozenset(("text", "thinking", "redacted_thinking", "tool_result", "image"))


class ClaudeCode:
    """The format's row in the table."""

    name = NAME
    place_key = "cwd"

    def recognises(self, record: JsonObject) -> bool:
        """Return whether the record has a type and says which session, leaf or message it belongs to."""
        kind = text_at(record, "type")
        if kind == "summary":
            return "leafUuid" in record
        if kind == "file-history-snapshot":
            return "messageId" in record
        return bool(kind and text_at(record, "sessionId"))

    def parser(self, file: File) -> ClaudeParser:
        """Return what reads one file."""
        return ClaudeParser(file)


FORMAT = ClaudeCode()


class ClaudeParser:
    """Reads the records of one file in order."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._ordinals = Ordinals(file, raw_key)
        self._queue = Queue(file)
        self._session = ""

    def parse(self, record: JsonObject) -> Outcome:
        """Return what one record says."""
        self._session = self._session or text_at(record, "sessionId")
        kind = text_at(record, "type")
        if kind in _METADATA_TYPES:
            return Outcome(Fate.METADATA, kind)
        make = _TYPES.get(kind)
        if make is None:
            return Outcome(Fate.UNKNOWN, kind or "(no type)")
        if not text_at(record, "uuid") and "timestamp" not in record:
            return Outcome(Fate.METADATA, kind)
        time_us = instant_us(record.get("timestamp"))
        if time_us is None:
            return Outcome(Fate.DAMAGED, f"{kind}: timestamp is no instant from 1970 to 2200")
        drafts = _start(record) + make(record)
        return self._outcome(record, drafts, time_us) if drafts else _nothing(record, kind)

    def _outcome(self, record: JsonObject, drafts: list[Draft], time_us: int) -> Outcome:
        session = self._session_of(record)
        if not session:
            return Outcome(Fate.DAMAGED, "sessionId is missing")
        claim = Claim(session, text_at(record, "cwd"))
        digest = self._digest(record, time_us)
        records: list[Record] = []
        redactions = 0
        for draft in drafts:
            event, masked = _event(record, draft, digest, claim, time_us)
            records += [event, *self._queue.follow(draft, event)]
            redactions += masked
        return Outcome(Fate.TAKEN, text_at(record, "type"), tuple(records), redactions)

    def _session_of(self, record: JsonObject) -> str:
        """Return the record's session; else the first that the file names up to here, else the file's own name."""
        own = text_at(record, "sessionId")
        if own:
            return own
        earlier = (text_at(past, "sessionId") for past in self._file.earlier("sessionId"))
        return next(filter(None, earlier), self._session) or self._file.stem

    def _digest(self, record: JsonObject, time_us: int) -> str:
        uuid = text_at(record, "uuid")
        if uuid:
            return own_digest(uuid)
        ordinal = self._ordinals.next(record, text_at(record, "type"))
        return raw_digest(record, time_us, ordinal)


def _start(record: JsonObject) -> list[Draft]:
    """Return the start of a conversation, where the record is its first: nothing precedes it, not even compacted."""
    is_start = (
        "parentUuid" in record
        and record["parentUuid"] is None
        and text_at(record, "uuid")
        and not is_true(record, "isSidechain")
        and not is_true(record, "isCompactSummary")
        and "compact" not in text_at(record, "subtype")
        and not text_at(record, "logicalParentUuid")
    )
    metadata = filled({"branch": text_at(record, "gitBranch")})
    return [Draft(0, "session_start", "Session started", metadata)] if is_start else []


def _event(
    record: JsonObject, draft: Draft, digest: str, claim: Claim, time_us: int
) -> tuple[Event, int]:
    about = {
        "sidechain": "true" if is_true(record, "isSidechain") else "",
        "agent_id": text_at(record, "agentId"),
    }
    sealed = seal(draft.kind, draft.text, {**draft.metadata, **filled(about)})
    event = Event(
        id=event_id(digest, draft.block),
        agent=NAME,
        claims=(claim,),
        time_us=time_us,
        kind=draft.kind,
        role=ROLES[draft.kind],
        text=sealed.text,
        digest=digest_of(content_of(record)),
        group=draft.group,
        parent=parent_of(record),
        metadata=sealed.metadata,
        revision=time_us,
        redaction=sealed.redaction,
    )
    return event, draft.redactions + sealed.redactions


def _nothing(record: JsonObject, kind: str) -> Outcome:
    """Return how to count a record that says nothing: as known to be silent, or as unknown by its finer name."""
    finer = {
        "system": text_at(record, "subtype"),
        "attachment": text_at(object_at(record, "attachment"), "type"),
        QUEUE_TYPE: text_at(record, "operation"),
    }
    if kind in finer:
        is_known = kind != "system" or finer[kind] in SUBTYPES
        return Outcome(Fate.IGNORED if is_known else Fate.UNKNOWN, f"{kind}/{finer[kind]}")
    blocks = blocks_of(object_at(record, "message").get("content"))
    unknown = [text_at(block, "type") for _, block in blocks]
    unknown = [name for name in unknown if name not in _BLOCK_TYPES]
    if unknown:
        return Outcome(Fate.UNKNOWN, f"{kind}/{unknown[0]}")
    return Outcome(Fate.IGNORED, kind if kind == "progress" else f"{kind}/empty")
