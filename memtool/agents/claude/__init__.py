"""Claude Code: which of its files are transcripts, how to recognise them, how long it keeps them.

`parser` reads a file, `messages` turns its records into drafts, `typed` finds what a person typed, `retention` reads
Claude Code's settings.
"""

from __future__ import annotations

from pathlib import Path

from memtool.agents.registry import File, Format, Parser, Retention
from memtool.agents.values import JsonObject, text_at

READER = 2
"""To be increased with what the parser gives: events that an older one gave are then replaced."""
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
        return bool(kind and text_at(record, "sessionId"))

    def parser(self, file: File) -> Parser:
        """Return what reads one file."""
        from memtool.agents.claude.parser import ClaudeParser

        return ClaudeParser(file)

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
