"""Codex: which of its files are transcripts, and how to recognise them.

`parser` reads a file, `items` turns its records into drafts, and `tools` the calls of its tools into actions.
"""

from __future__ import annotations

from memtool.agents.registry import File, Format, Parser
from memtool.agents.values import JsonObject, object_at, text_at

NAME = "codex"
READER = 1
"""To be increased with what the parser gives: events that an older one gave are then replaced."""
LINES = frozenset(
    [
        "session_meta",
        "response_item",
        "event_msg",
        "turn_context",
        "compacted",
        "world_state",
        "inter_agent_communication",
        "inter_agent_communication_metadata",
        "security_risk_score",
        "token_usage_record",
    ]
)
"""The types of lines in a rollout."""
TITLE = frozenset({"id", "thread_name"})
LISTED_PROMPT = frozenset({"session_id", "ts", "text"})


class Codex(Format):
    """`sessions/YYYY/MM/DD/rollout-<time>-<thread>.jsonl`, one thread a file; prompts and titles of all in lists."""

    reader = READER

    def recognises(self, record: JsonObject) -> bool:
        """Return whether the record is a line of a rollout, or of one of the lists."""
        if text_at(record, "type") in LINES:
            return bool(object_at(record, "payload"))
        return "type" not in record and (record.keys() >= TITLE or record.keys() >= LISTED_PROMPT)

    def parser(self, file: File) -> Parser:
        """Return what reads one file."""
        from memtool.agents.codex.parser import CodexParser

        return CodexParser(file)


FORMAT = Codex()
