"""The remaining records of Claude Code: system records by subtype, pull requests, what was typed while it worked."""

from __future__ import annotations

from collections.abc import Callable

from memtool.agents.claude.draft import Draft, blocks_of, filled
from memtool.agents.claude.tools import content_text
from memtool.agents.claude.user import entered_drafts
from memtool.agents.claude.words import words_of
from memtool.agents.values import JsonObject, count_text, is_true, object_at, text_at


def system_drafts(record: JsonObject) -> list[Draft]:
    """Return what a system record says; those that are bookkeeping say nothing."""
    make = SUBTYPES.get(text_at(record, "subtype"))
    return make(record) if make else []


def _boundary(record: JsonObject) -> list[Draft]:
    about = object_at(record, "compactMetadata")
    metadata = {"trigger": text_at(about, "trigger"), "pre_tokens": count_text(about, "preTokens")}
    text = text_at(record, "content") or "Conversation compacted"
    return [Draft(1, "compaction", text, filled(metadata))]


def _api_error(record: JsonObject) -> list[Draft]:
    error = object_at(record, "error")
    cause = object_at(record, "cause")
    inner = object_at(object_at(error, "error"), "error")
    texts = (
        text_at(record, "content"),
        text_at(inner, "message"),
        text_at(error, "message"),
        text_at(cause, "message"),
        text_at(cause, "code"),
    )
    text = next((text for text in texts if text), "API error")
    return [Draft(1, "error", text, filled({"status": count_text(error, "status")}))]


def _local_command(record: JsonObject) -> list[Draft]:
    return [
        Draft(number, words.kind, words.text, {"output": "true"} if words.is_output else {})
        for number, words in enumerate(words_of(text_at(record, "content")), start=1)
    ]


def _note(record: JsonObject) -> list[Draft]:
    text = content_text(record.get("content")).strip()
    return [Draft(1, "note", text)] if text else []


def _nothing(_record: JsonObject) -> list[Draft]:
    return []


SUBTYPES: dict[str, Callable[[JsonObject], list[Draft]]] = {
    "compact_boundary": _boundary,
    "microcompact_boundary": _nothing,
    "api_error": _api_error,
    "local_command": _local_command,
    "away_summary": _note,
    "informational": _note,
    "stop_hook_summary": _nothing,
    "turn_duration": _nothing,
}
"""Every subtype that is known; others are counted by name."""


def pr_link_drafts(record: JsonObject) -> list[Draft]:
    """Return the note that a pull request was opened."""
    url, number = text_at(record, "prUrl"), count_text(record, "prNumber")
    text = f"Pull request {number}: {url}" if number else f"Pull request: {url}"
    repository = filled({"repository": text_at(record, "prRepository"), "url": url})
    return [Draft(1, "note", text, repository)] if url else []


def attachment_drafts(record: JsonObject) -> list[Draft]:
    """Return what was typed while Claude Code worked: it reaches the conversation as an attachment, if at all."""
    attachment = object_at(record, "attachment")
    if text_at(attachment, "type") != "queued_command":
        return []
    blocks = blocks_of(attachment.get("prompt"))
    texts = [(number, text_at(block, "text")) for number, block in blocks]
    texts = [(number, text) for number, text in texts if text.strip()]
    is_typed = (
        text_at(attachment, "commandMode") in {"", "prompt"}
        and text_at(object_at(attachment, "origin"), "kind") in {"", "human"}
        and not is_true(attachment, "isMeta")
        and not is_true(record, "isMeta")
    )
    if is_typed:
        return entered_drafts(record, texts, images=len(blocks) - len(texts))
    said = "\n".join(text.strip() for _, text in texts)
    return [Draft(1, "note", said)] if said else []
