"""Assistant records of Claude Code: answers, thoughts, tool calls, and errors that stand in their place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from memtool.agents.claude.draft import Draft, blocks_of, filled
from memtool.agents.claude.tools import SUBAGENT_TOOLS, call_path, call_text, content_text
from memtool.agents.values import JsonObject, count_text, is_true, object_at, text_at

_SYNTHETIC = "<synthetic>"
_FILLER = {"No response requested.", "(no content)"}


def assistant_drafts(record: JsonObject) -> list[Draft]:
    """Return a draft a block that says something; records of one message share its id as their group."""
    message = object_at(record, "message")
    drafts: list[Draft] = []
    for number, block in blocks_of(message.get("content")):
        make = _BLOCKS.get(text_at(block, "type"))
        draft = make(record, number, block) if make else None
        if draft is not None:
            drafts.append(replace(draft, group=text_at(message, "id")))
    return drafts


def _text(record: JsonObject, number: int, block: JsonObject) -> Draft | None:
    text = text_at(block, "text").strip()
    message = object_at(record, "message")
    if not text or text in _FILLER:
        return None
    if is_true(record, "isApiErrorMessage"):
        return Draft(number, "error", text, filled({"error": text_at(record, "error")}))
    if text_at(message, "model") == _SYNTHETIC:
        return Draft(number, "note", text)
    # Every line of a message repeats its usage, but only the one that ends it has the true numbers.
    usage = object_at(message, "usage") if text_at(message, "stop_reason") else {}
    metadata = {
        "model": text_at(message, "model"),
        "input_tokens": count_text(usage, "input_tokens"),
        "output_tokens": count_text(usage, "output_tokens"),
    }
    return Draft(number, "answer", text, filled(metadata))


def _thinking(_record: JsonObject, number: int, block: JsonObject) -> Draft | None:
    text = text_at(block, "thinking").strip()
    return Draft(number, "thinking", text) if text else None


def _call(_record: JsonObject, number: int, block: JsonObject) -> Draft:
    name = text_at(block, "name") or "tool"
    arguments = object_at(block, "input")
    shown = call_text(name, arguments)
    kind = "subagent_start" if name in SUBAGENT_TOOLS else "tool_call"
    metadata = {
        "tool": name,
        "path": call_path(arguments),
        "tool_use_id": text_at(block, "id"),
    }
    return Draft(number, kind, shown.text, filled(metadata), redactions=shown.count)


def _server_result(_record: JsonObject, number: int, block: JsonObject) -> Draft:
    metadata = filled({"tool_use_id": text_at(block, "tool_use_id")})
    return Draft(number, "tool_result", content_text(block.get("content")), metadata)


_BLOCKS: dict[str, Callable[[JsonObject, int, JsonObject], Draft | None]] = {
    "text": _text,
    "thinking": _thinking,
    "tool_use": _call,
    "server_tool_use": _call,
    "mcp_tool_use": _call,
    "web_search_tool_result": _server_result,
    "web_fetch_tool_result": _server_result,
    "mcp_tool_result": _server_result,
}
