"""Reads the records of one file of Claude Code: `projects/<slug>/<session>.jsonl`, one record a line.

Everything in an event but its claims is a function of the raw record without session id, working directory and
version, so that the copies which resuming and forking make are one event with several claims. Three things come from
other records of the file: the call that a person answers, and the branch and the project of a record that names none.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator

from memtool.agents.claude import (
    NAME,
    READER,
    content_of,
    own_digest,
    parent_of,
    raw_digest,
    raw_key,
)
from memtool.agents.claude.messages import (
    SUBTYPES,
    assistant_drafts,
    attachment_drafts,
    pr_link_drafts,
    system_drafts,
    user_drafts,
)
from memtool.agents.claude.tools import blocks_of
from memtool.agents.claude.undone import QUEUE_TYPE, Queue, Rewinds, queue_drafts
from memtool.agents.drafts import Draft, Ordinals, about_of, event_of, filled, sanitize
from memtool.agents.outcomes import Disposition, Outcome, without_time
from memtool.agents.projects import project_of
from memtool.agents.registry import File, Parser
from memtool.agents.values import (
    JsonObject,
    in_range,
    instant_us,
    is_true,
    object_at,
    text_at,
)
from memtool.model.records import (
    LAST_INSTANT_US,
    ROLES,
    Claim,
    Event,
    Record,
    Rewind,
    digest_of,
    event_id,
)


def _no_drafts(_record: JsonObject) -> list[Draft]:
    return []


_TYPES: dict[str, Callable[[JsonObject], list[Draft]]] = {
    "assistant": assistant_drafts,
    "system": system_drafts,
    "attachment": attachment_drafts,
    "pr-link": pr_link_drafts,
    QUEUE_TYPE: queue_drafts,
    "progress": _no_drafts,  # noise; its agent_progress repeats whole messages of subagents
}
_TITLES = {
    "custom-title": ("customTitle", "person"),
    "agent-name": ("agentName", "person"),
    "ai-title": ("aiTitle", "agent"),
    "summary": ("summary", "agent"),
}
"""Records that name the session: the field, and who gave the name."""
# State of the session, rewritten as it changes: no part of the conversation.
_METADATA_TYPES = frozenset(
    [
        "agent-color",
        "agent-setting",
        "artifact-autoreact-ledger",
        "artifact-comment-monitor",
        "atis-latch",
        "attribution-snapshot",
        "bridge-session",
        "content-replacement",
        "continued-in",
        "cost-state",
        "ended-by-model",
        "file-history-delta",
        "file-history-snapshot",
        "fork-context-ref",
        "frame-link",
        "history-suppression",
        "last-prompt",
        "mode",
        "permission-mode",
        "relocated",
        "session_context",
        "session-context",
        "speculation-accept",
        "tag",
        "worktree-state",
    ]
)
_MOST_CALLS = 1000
_MOST_BEFORE_WORKTREE = 50
"""How many records are looked at for the one that says where a worktree comes from."""
_METADATA_PREFIX = "marble-origami-"
_BLOCK_TYPES = frozenset(("text", "thinking", "redacted_thinking", "tool_result", "image"))


class ClaudeParser(Parser):
    """Reads the records of one file in order."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._ordinals = Ordinals(file, raw_key)
        self._queue = Queue(file)
        self._rewinds = Rewinds(file, self._is_prompt_record)
        self._is_subagent = file.stem.startswith("agent-")
        self._session = ""
        self._projects: dict[str, str] = {}
        self._branches: dict[str, str] = {}
        self._calls: dict[str, JsonObject] = {}
        self._time_us: int | None = None
        self._untimed: list[JsonObject] = []
        """Titles before the first record with a time."""

    def parse(self, record: JsonObject) -> Outcome:
        """Return what one record says."""
        if self._is_subagent and not is_true(record, "isSidechain"):
            record = {**record, "isSidechain": True}
        self._session = self._session or text_at(record, "sessionId")
        kind = text_at(record, "type")
        if not kind and "display" in record:
            return _listed_prompt(record, self._file)
        if kind in _TITLES:
            return self._title(record)
        if kind in _METADATA_TYPES or kind.startswith(_METADATA_PREFIX):
            return Outcome(Disposition.METADATA, kind)
        if kind != "user" and kind not in _TYPES:
            return Outcome(Disposition.UNKNOWN, kind or "(no type)")
        if not text_at(record, "uuid") and "timestamp" not in record:
            return Outcome(Disposition.METADATA, kind)
        return self._of_conversation(record, kind)

    def _of_conversation(self, record: JsonObject, kind: str) -> Outcome:
        time_us = instant_us(record.get("timestamp"))
        if time_us is None:
            return without_time(kind)
        if kind == "assistant":
            self._note_calls(record)
        drafts = _start(record) + self._drafts(record)
        session = self._session_of(record)
        others: list[Record] = [*self._first_time(time_us)] if self._time_us is None else []
        self._time_us = time_us
        if kind == QUEUE_TYPE and not drafts:
            others += self._queue.change(record)
        others += self._rewound(record, drafts)
        if not drafts and not others:
            return _nothing(record, kind)
        if not session:
            return Outcome(Disposition.DAMAGED, "sessionId is missing")
        records, redactions = self._records(record, drafts, session, time_us)
        return Outcome(Disposition.TAKEN, kind, (*others, *records), redactions)

    def _is_prompt_record(self, record: JsonObject) -> bool:
        return text_at(record, "type") == "user" and _is_prompt(record, self._drafts(record))

    def _rewound(self, record: JsonObject, drafts: list[Draft]) -> list[Rewind]:
        """Return the rewinds of the events in the branch that a prompt leaves."""
        if not _is_prompt(record, drafts):
            self._rewinds.pass_by(record)
            return []
        found: list[Rewind] = []
        for left in self._rewinds.left_by(record):
            time_us = instant_us(left.get("timestamp"))
            if time_us is not None and text_at(left, "type") in {"user", *_TYPES}:
                digest = own_digest(text_at(left, "uuid"))
                blocks = [draft.block for draft in _start(left) + self._drafts(left)]
                found += [Rewind(event_id(digest, block), time_us) for block in blocks]
        return found

    def _drafts(self, record: JsonObject) -> list[Draft]:
        kind = text_at(record, "type")
        return user_drafts(record, self._call) if kind == "user" else _TYPES[kind](record)

    def _records(
        self, record: JsonObject, drafts: list[Draft], session: str, time_us: int
    ) -> tuple[list[Record], int]:
        claim = Claim(session, self._project(record, session))
        directory = text_at(record, "cwd")
        about = about_of(
            self._branch(record, session),
            directory if directory != claim.project else "",
            text_at(record, "agentId"),
            is_sidechain=is_true(record, "isSidechain"),
        )
        digest, content = self._digest(record, time_us), digest_of(content_of(record))
        records: list[Record] = []
        redactions = 0
        for draft in drafts:
            event, masked = event_of(
                draft,
                digest,
                agent=NAME,
                reader=READER,
                claim=claim,
                time_us=time_us,
                revision=time_us,
                digest=content,
                about=about,
                parent=parent_of(record),
            )
            redactions += masked
            records.append(event)
            if "queued" in draft.metadata:
                self._queue.add(draft, event)
            else:
                records += self._queue.follow(draft.typed)
        return records, redactions

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

    # --- What other records of the file say ---

    def _project(self, record: JsonObject, session: str) -> str:
        """Return the session's project: that of the directory in which it began, or where its worktree comes from."""
        if session not in self._projects:
            self._projects[session] = self._project_at_start(session)
        if not self._projects[session]:
            self._projects[session] = project_of(text_at(record, "cwd"))
        return self._projects[session]

    def _project_at_start(self, session: str) -> str:
        records = (one for one in self._file.whole("cwd") if text_at(one, "sessionId") == session)
        place = next(filter(None, (text_at(one, "cwd") for one in records)), "")
        project = project_of(place)
        if project != place:
            return project
        for one in itertools.islice(self._file.whole("sessionId"), _MOST_BEFORE_WORKTREE):
            if text_at(one, "type") == "worktree-state" and text_at(one, "sessionId") == session:
                began = text_at(object_at(one, "worktreeSession"), "originalCwd")
                return project_of(began) if began else project
        return project

    def _branch(self, record: JsonObject, session: str) -> str:
        """Return the record's branch, else the last before it in its session, else the first after it."""
        branch = text_at(record, "gitBranch")
        if branch or session not in self._branches:
            self._branches[session] = branch or self._branch_elsewhere(session)
        return self._branches[session]

    def _branch_elsewhere(self, session: str) -> str:
        def branches(objects: Iterator[JsonObject]) -> Iterator[str]:
            of_session = (one for one in objects if text_at(one, "sessionId") == session)
            return filter(None, (text_at(one, "gitBranch") for one in of_session))

        earlier = list(branches(self._file.earlier("gitBranch")))
        return earlier[-1] if earlier else next(branches(self._file.whole("gitBranch")), "")

    def _note_calls(self, record: JsonObject) -> None:
        """Keep the calls that a person answers."""
        if len(self._calls) > _MOST_CALLS:
            self._calls.clear()
        for _, block in blocks_of(object_at(record, "message").get("content")):
            if text_at(block, "type") == "tool_use":
                self._calls[text_at(block, "id")] = block

    def _call(self, call_id: str) -> JsonObject:
        if call_id not in self._calls and call_id.isascii():
            for one in self._file.whole(call_id):
                self._note_calls(one)
        return self._calls.get(call_id, {})

    # --- Titles ---

    def _title(self, record: JsonObject) -> Outcome:
        """Return the title as an event. Without a time it gets the least of all times seen for it."""
        kind = text_at(record, "type")
        if kind == "summary" and not self._is_of_this_file(text_at(record, "leafUuid")):
            return Outcome(Disposition.METADATA, kind)
        time_us = instant_us(record.get("timestamp")) or self._time_us or self._earlier_time()
        if time_us is None:
            self._untimed.append(record)
            return Outcome(Disposition.METADATA, kind)
        found = self._title_event(record, time_us)
        return Outcome(Disposition.TAKEN if found else Disposition.METADATA, kind, tuple(found))

    def _title_event(self, record: JsonObject, time_us: int) -> list[Event]:
        kind = text_at(record, "type")
        field, giver = _TITLES[kind]
        text = text_at(record, field).strip()
        session = self._session_of(record)
        if not text or not session:
            return []
        branch = self._branch(record, session)
        metadata = {"title": kind, "given_by": giver, "branch": branch}
        clean = sanitize("title", text, filled(metadata))
        digest = digest_of("title", NAME, session, kind, text)
        return [
            Event(
                id=event_id(digest, 1),
                agent=NAME,
                claims=(Claim(session, self._project(record, session)),),
                time_us=time_us,
                kind="title",
                role="user" if giver == "person" else ROLES["title"],
                text=clean.text,
                digest=digest,
                metadata=clean.metadata,
                revision=LAST_INSTANT_US - time_us,  # of equal titles the earliest counts
                reader=READER,
                redaction=clean.redaction,
            )
        ]

    def _is_of_this_file(self, leaf: str) -> bool:
        is_there = leaf.isascii() and leaf
        return bool(is_there) and any(
            text_at(one, "uuid") == leaf for one in self._file.whole(leaf)
        )

    def _earlier_time(self) -> int | None:
        """Return the time of the last record with one before this reading."""
        times = (instant_us(one.get("timestamp")) for one in self._file.earlier("timestamp"))
        for self._time_us in filter(None, times):
            pass
        return self._time_us

    def _first_time(self, time_us: int) -> list[Event]:
        """Return the titles that had to wait for a record with a time: this one, if it is the file's first."""
        waiting, self._untimed = self._untimed, []
        if any("timestamp" in one for one in self._file.earlier("timestamp")):
            return []
        waiting = [
            one
            for kind in _TITLES
            for one in self._file.earlier(kind)
            if text_at(one, "type") == kind
            and (kind != "summary" or self._is_of_this_file(text_at(one, "leafUuid")))
        ] + waiting
        return [event for one in waiting for event in self._title_event(one, time_us)]


def _listed_prompt(record: JsonObject, file: File) -> Outcome:
    """Return a prompt of history.jsonl, which remembers those of sessions whose transcripts are gone."""
    milliseconds, session = record.get("timestamp"), text_at(record, "sessionId")
    time_us = in_range(milliseconds * 1000) if type(milliseconds) is int else None
    text = _PASTED.sub(lambda found: _pasted(record, found), text_at(record, "display")).strip()
    if time_us is None:
        return without_time("history")
    if not session or not text:  # older versions did not say which session
        return Outcome(Disposition.IGNORED, "history/no session" if text else "history/empty")
    if file.is_covered(session, time_us):
        return Outcome(Disposition.IGNORED, "history/in a transcript")
    kind = "command" if text.startswith("/") else "prompt"
    clean = sanitize(kind, text, {"source": "history"})
    event = Event(
        id=event_id(digest_of("history", NAME, session, text_at(record, "display"), time_us), 1),
        agent=NAME,
        claims=(Claim(session, project_of(text_at(record, "project"))),),
        time_us=time_us,
        kind=kind,
        role=ROLES[kind],
        text=clean.text,
        digest=digest_of(content_of(record)),
        metadata=clean.metadata,
        revision=time_us,
        reader=READER,
        redaction=clean.redaction,
    )
    return Outcome(Disposition.TAKEN, "history", (event,), clean.redactions)


_PASTED = re.compile(r"\[Pasted text #(\d+)[^\]]*\]")


def _pasted(record: JsonObject, found: re.Match[str]) -> str:
    content = object_at(object_at(record, "pastedContents"), found[1])
    return text_at(content, "content") or found[0]


def _is_prompt(record: JsonObject, drafts: list[Draft]) -> bool:
    """Return whether a person typed the record as a prompt of its own."""
    is_user = text_at(record, "type") == "user"
    return is_user and any(draft.kind == "prompt" and draft.typed for draft in drafts)


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
    return [Draft(0, "session_start", "Session started")] if is_start else []


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
