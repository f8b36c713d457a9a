"""Claude Code: which of its files are transcripts, how to recognise them, how long it keeps them.

`parser` reads a file, `messages` and `tools` turn its records into drafts, `typed` finds what a person typed, `undone`
what was taken back, and `retention` reads Claude Code's settings.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from memtool.agents.registry import File, Format, Parser, Retention
from memtool.agents.values import JsonObject, canonical, object_at, text_at
from memtool.model.records import RECORD_DIGITS, digest_of

NAME = "claude-code"
READER = 3
"""To be increased with what the parser gives: events that an older one gave are then replaced."""
_BESIDE = frozenset(("subagents", "tool-results", "memory", "todos"))
"""Directories beside transcripts."""
COMPACTION_COPY = "subagent that wrote a compaction: repeats the main session"
JOURNAL = "journal of a workflow: no conversation"


class ClaudeCode(Format):
    """`projects/<slug>/<session>.jsonl`, one session a file; `history.jsonl`, the prompts of all of them."""

    place_key = "cwd"
    reader = READER

    def recognises(self, record: JsonObject) -> bool:
        """Return whether the record has a type and says which session, leaf or message it belongs to."""
        kind = text_at(record, "type")
        if kind == "summary":
            return "leafUuid" in record
        if kind == "file-history-snapshot":
            return "messageId" in record
        if not kind and "display" in record:
            return "project" in record and "timestamp" in record
        is_qwen = "parts" in object_at(record, "message") or "systemPayload" in record
        return bool(kind and text_at(record, "sessionId")) and not is_qwen

    def parser(self, file: File) -> Parser:
        """Return what reads one file."""
        from memtool.agents.claude.parser import ClaudeParser

        return ClaudeParser(file)

    def ignores(self, path: Path) -> bool:
        """Return whether it is one of the files that a session has besides its transcripts."""
        is_beside = not _BESIDE.isdisjoint(path.parts[:-1]) and path.suffix != ".jsonl"
        return is_beside or path.name.endswith(".meta.json") or path.name == "custom-title.json"

    def skip_reason(self, path: Path) -> str:
        """Return why a transcript of this name and place is not read, or ""."""
        if path.name.startswith("agent-acompact-"):
            return COMPACTION_COPY
        if path.name == "journal.jsonl" and "subagents" in path.parts[:-1]:
            return JOURNAL
        return ""

    def retention(self, root: Path, machine: Path) -> Retention:
        """Return how long it keeps transcripts: `cleanupPeriodDays` of its settings."""
        from memtool.agents.claude.retention import retention_of

        return retention_of(root, machine)


FORMAT = ClaudeCode()


# --- What identifies a record: its own id, or where it has none, a hash of all it says ---

_NOT_IN_DIGEST = frozenset({"sessionId", "cwd", "version"})


def content_of(record: JsonObject) -> str:
    """Return the raw record, less what differs between copies of it under several sessions."""
    return canonical(record, _NOT_IN_DIGEST)


@lru_cache(maxsize=4096)
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
