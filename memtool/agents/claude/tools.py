"""Claude Code's tool calls and results as text that a person can read."""

from __future__ import annotations

import json

from memtool.agents.values import JsonObject, list_at, object_at, text_at
from memtool.redact import Redacted, redact_field, shorten

SUBAGENT_TOOLS = frozenset({"Task", "Agent"})
_MAX_FIELD_CHARACTERS = 600
# What a call is about, the most telling first; the other fields follow by name.
_HEADLINES = (
    "command",
    "file_path",
    "notebook_path",
    "pattern",
    "query",
    "url",
    "skill",
    "subject",
    "description",
    "prompt",
)
_PATHS = ("file_path", "notebook_path", "path")
# The structured result of a subagent: Claude Code writes these beside the text.
_SUBAGENT_RESULT = frozenset({"totalToolUseCount", "agentId"})


def call_text(name: str, arguments: JsonObject) -> Redacted:
    """Return the tool's name with the most telling argument, then the other arguments a line each."""
    headline = next((key for key in _HEADLINES if text_at(arguments, key)), "")
    rest = [
        (key, _shown(key, value))
        for key, value in sorted(arguments.items())
        if key != headline and value not in (None, False, "", [], {})
    ]
    first = _shown(headline, arguments.get(headline, ""))
    lines = [f"{name}: {first.text}" if headline else name]
    lines += [f"{key}: {shorten(value.text, _MAX_FIELD_CHARACTERS)}" for key, value in rest]
    return Redacted("\n".join(lines), first.count + sum(value.count for _, value in rest))


def call_path(arguments: JsonObject) -> str:
    """Return the file or directory that the call is about, or ""."""
    return next((text_at(arguments, key) for key in _PATHS if text_at(arguments, key)), "")


def content_text(content: object) -> str:
    """Return the text of a block's content: a string, or a list of blocks of which some are no text."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else [content]
    return "\n".join(text for text in map(_block_text, blocks) if text)


def result_path(record: JsonObject) -> str:
    """Return the file that the structured result is about, or ""."""
    result = object_at(record, "toolUseResult")
    return text_at(result, "filePath") or text_at(object_at(result, "file"), "filePath")


def is_subagent_result(record: JsonObject) -> bool:
    """Return whether the structured result is that of a subagent."""
    result = object_at(record, "toolUseResult")
    return bool(_SUBAGENT_RESULT & result.keys()) and bool(
        text_at(result, "prompt") or list_at(result, "content")
    )


def _shown(key: str, value: object) -> Redacted:
    text = (
        value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    )
    return redact_field(key, text)  # before any cut: half a secret is one still


def _block_text(block: object) -> str:
    if isinstance(block, str):
        return block
    if not isinstance(block, dict):
        return ""
    return text_at(block, "text") or (
        f"[{text_at(block, 'type')}]" if text_at(block, "type") else ""
    )
