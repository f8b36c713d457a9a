"""Reads the records of one file of Claude Code: `projects/<slug>/<session>.jsonl`, one record a line.

Everything in an event but its claims is a function of the raw record without session id, working directory and
version, so that the copies which resuming and forking make are one event with several claims.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable

from memtool.agents.claude.messages import (
    SUBTYPES,
    assistant_drafts,
    attachment_drafts,
    blocks_of,
    content_text,
    pr_link_drafts,
    system_drafts,
    user_drafts,
)
from memtool.agents.claude.typed import words_of
from memtool.agents.drafts import Draft, Ordinals, filled, sanitize
from memtool.agents.outcomes import Disposition, Outcome
from memtool.agents.registry import File
from memtool.agents.values import JsonObject, canonical, instant_us, is_true, object_at, text_at
from memtool.model.records import (
    RECORD_DIGITS,
    ROLES,
    Claim,
    Event,
    Record,
    Rewind,
    digest_of,
    event_id,
)

NAME = "claude-code"
_NOT_IN_DIGEST = frozenset({"sessionId", "cwd", "version"})


def content_of(record: JsonObject) -> str:
    """Return the raw record, less what differs between copies of it under several sessions."""
    return canonical(record, _NOT_IN_DIGEST)


def own_digest(uuid: str) -> str:
    """Return the digest that the id of a record with an id of its own is cut from."""
    return digest_of("id", NAME, uuid)


def raw_digest(record: JsonObject, time_us: int, ordinal: int) -> str:
    """Return the digest that the id of a record without an id is cut from."""
    session = text_at(record, "sessionId")
    return digest_of("raw", session, content_of(record), time_us, ordinal)


def raw_key(record: JsonObject) -> str:
    """Return what is the same for records that only their ordinal tells apart."""
    return digest_of(text_at(record, "sessionId"), content_of(record))


def parent_of(record: JsonObject) -> str:
    """Return the record that this one follows, or ""."""
    parent = text_at(record, "parentUuid")
    return own_digest(parent)[:RECORD_DIGITS] if parent else ""


# --- The queue: what a person typed while Claude Code worked ---
#
# It waits there, and may or may not become a record of its own. It is an event when it is queued, so that none is
# lost: some versions hand it to the model without any other trace. When a record with the same words follows in the
# file, the queued event is taken back by a rewind. Every earlier one with these words is, which needs no memory of
# what was taken back before.

QUEUE_TYPE = "queue-operation"


def queue_drafts(record: JsonObject) -> list[Draft]:
    """Return the prompt or command that was queued; what Claude Code queues for itself is left to its record."""
    if text_at(record, "operation") != "enqueue":
        return []
    typed = [words for words in words_of(content_text(record.get("content"))) if words.is_typed]
    if not typed:
        return []
    text = typed[0].text
    kind = "command" if text.startswith("/") else typed[0].kind
    return [Draft(1, kind, text, {"queued": "true"}, typed=text)]


class Queue:
    """The queued words of one file that a later record may take back."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._waiting: dict[str, list[Rewind]] | None = None

    def follow(self, draft: Draft, event: Event) -> list[Rewind]:
        """Return the rewinds that this event brings: those of the queued events with the same words."""
        if not draft.typed:
            return []
        waiting = self._known()
        if "queued" in draft.metadata:
            waiting[draft.typed].append(Rewind(event.id, event.revision))
            return []
        return waiting.pop(draft.typed, [])

    def _known(self) -> dict[str, list[Rewind]]:
        if self._waiting is None:
            self._waiting = self._queued_earlier()
        return self._waiting

    def _queued_earlier(self) -> dict[str, list[Rewind]]:
        waiting: dict[str, list[Rewind]] = defaultdict(list)
        seen: Counter[str] = Counter()
        for record in self._file.earlier(QUEUE_TYPE):
            if text_at(record, "type") != QUEUE_TYPE or text_at(record, "uuid"):
                continue
            key = raw_key(record)
            seen[key] += 1
            time_us = instant_us(record.get("timestamp"))
            if time_us is None:
                continue
            digest = raw_digest(record, time_us, seen[key] - 1)
            for draft in queue_drafts(record):
                waiting[draft.typed].append(Rewind(event_id(digest, draft.block), time_us))
        return waiting


# --- Records ---


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
            return Outcome(Disposition.METADATA, kind)
        make = _TYPES.get(kind)
        if make is None:
            return Outcome(Disposition.UNKNOWN, kind or "(no type)")
        if not text_at(record, "uuid") and "timestamp" not in record:
            return Outcome(Disposition.METADATA, kind)
        time_us = instant_us(record.get("timestamp"))
        if time_us is None:
            return Outcome(
                Disposition.DAMAGED, f"{kind}: timestamp is no instant from 1970 to 2200"
            )
        drafts = _start(record) + make(record)
        return self._outcome(record, drafts, time_us) if drafts else _nothing(record, kind)

    def _outcome(self, record: JsonObject, drafts: list[Draft], time_us: int) -> Outcome:
        session = self._session_of(record)
        if not session:
            return Outcome(Disposition.DAMAGED, "sessionId is missing")
        claim = Claim(session, text_at(record, "cwd"))
        digest = self._digest(record, time_us)
        records: list[Record] = []
        redactions = 0
        for draft in drafts:
            event, masked = _event(record, draft, digest, claim, time_us)
            records += [event, *self._queue.follow(draft, event)]
            redactions += masked
        return Outcome(Disposition.TAKEN, text_at(record, "type"), tuple(records), redactions)

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
    clean = sanitize(draft.kind, draft.text, {**draft.metadata, **filled(about)})
    event = Event(
        id=event_id(digest, draft.block),
        agent=NAME,
        claims=(claim,),
        time_us=time_us,
        kind=draft.kind,
        role=ROLES[draft.kind],
        text=clean.text,
        digest=digest_of(content_of(record)),
        group=draft.group,
        parent=parent_of(record),
        metadata=clean.metadata,
        revision=time_us,
        redaction=clean.redaction,
    )
    return event, draft.redactions + clean.redactions


def _nothing(record: JsonObject, kind: str) -> Outcome:
    """Return how to count a record that says nothing: as known to be silent, or as unknown by its finer name."""
    finer = {
        "system": text_at(record, "subtype"),
        "attachment": text_at(object_at(record, "attachment"), "type"),
        QUEUE_TYPE: text_at(record, "operation"),
    }
    if kind in finer:
        is_known = kind != "system" or finer[kind] in SUBTYPES
        return Outcome(
            Disposition.IGNORED if is_known else Disposition.UNKNOWN, f"{kind}/{finer[kind]}"
        )
    blocks = blocks_of(object_at(record, "message").get("content"))
    unknown = [text_at(block, "type") for _, block in blocks]
    unknown = [name for name in unknown if name not in _BLOCK_TYPES]
    if unknown:
        return Outcome(Disposition.UNKNOWN, f"{kind}/{unknown[0]}")
    return Outcome(Disposition.IGNORED, kind if kind == "progress" else f"{kind}/empty")
