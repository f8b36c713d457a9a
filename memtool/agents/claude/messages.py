"""Records of Claude Code as drafts of events: messages of the user and the assistant, tools, system records.

Nothing here may depend on the session, the working directory or the version: a copy of a record under another
session must give the same drafts.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from memtool.agents.calls import call_text, content_text
from memtool.agents.claude.tools import (
    SUBAGENT_TOOLS,
    blocks_of,
    call_actions,
    call_path,
    is_subagent_result,
    person_draft,
    result_actions,
    result_path,
)
from memtool.agents.claude.typed import Words, words_of
from memtool.agents.drafts import Draft, filled
from memtool.agents.values import JsonObject, count_text, is_true, object_at, text_at
from memtool.model.actions import METADATA_KEY, PullRequest, Subagent, encode

CallOf = Callable[[str], JsonObject]
"""Returns the block of the call with this id, or an empty one."""

# --- Messages of the assistant ---

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
    if drafts and text_at(message, "model") != _SYNTHETIC:
        told = {**drafts[-1].metadata, **_usage(message)}
        drafts[-1] = replace(drafts[-1], metadata=filled(told))
    return drafts


def _usage(message: JsonObject) -> dict[str, str]:
    """Return the model and the tokens of a message: each of its records says them, and the last one is right."""
    usage = object_at(message, "usage")
    counts = {
        "input_tokens": count_text(usage, "input_tokens"),
        "output_tokens": count_text(usage, "output_tokens"),
        "cache_read_tokens": count_text(usage, "cache_read_input_tokens"),
        "cache_write_tokens": count_text(usage, "cache_creation_input_tokens"),
    }
    told = {name: count for name, count in counts.items() if count not in ("", "0")}
    return {"model": text_at(message, "model"), **told} if told else {}


def _text(record: JsonObject, number: int, block: JsonObject) -> Draft | None:
    text = text_at(block, "text").strip()
    message = object_at(record, "message")
    if not text or text in _FILLER:
        return None
    if is_true(record, "isApiErrorMessage"):
        return Draft(number, "error", text, filled({"error": text_at(record, "error")}))
    if text_at(message, "model") == _SYNTHETIC:
        return Draft(number, "note", text)
    return Draft(number, "answer", text, filled({"model": text_at(message, "model")}))


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
        METADATA_KEY: call_actions(name, arguments),
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


_IMAGES = {"image", "document"}


def user_drafts(record: JsonObject, call_of: CallOf) -> list[Draft]:
    """Return one prompt of all that was typed, then commands, notes, results of tools, and what a person answered."""
    blocks = blocks_of(object_at(record, "message").get("content"))
    texts = [(n, text_at(block, "text")) for n, block in blocks if text_at(block, "type") == "text"]
    images = sum(text_at(block, "type") in _IMAGES for _, block in blocks)
    results: list[Draft] = []
    for number, block in blocks:
        if text_at(block, "type") == "tool_result":
            results.append(_result(record, number, block))
            answered = person_draft(record, number, block, call_of)
            results += [answered] if answered else []
    kind = _kind_of_all(record)
    if kind:
        return _whole(record, kind, texts) + results
    return entered_drafts(record, texts, images) + results


def entered_drafts(record: JsonObject, texts: list[tuple[int, str]], images: int) -> list[Draft]:
    """Return the prompt under its first block's number, and every other stretch under a number of its own."""
    found = [(number, words) for number, text in texts for words in words_of(text)]
    prompts = [(number, words.text) for number, words in found if words.kind == "prompt"]
    if images and not found:
        prompts = [(1, "")]
    drafts = [_prompt(record, prompts, images)] if prompts else []
    taken = {draft.block for draft in drafts}
    following = max((number for number, _ in texts), default=1)
    for number, words in found:
        if words.kind != "prompt":
            following += number in taken
            block = following if number in taken else number
            taken.add(block)
            drafts.append(_stretch(record, block, words))
    return drafts


def _prompt(record: JsonObject, prompts: list[tuple[int, str]], images: int) -> Draft:
    typed = "\n".join(text for _, text in prompts)
    text = f"{typed}\n[image]".strip() if images else typed
    metadata = {"images": str(images) if images else ""}
    if "planContent" in record:
        metadata["plan"] = "true"
    if is_true(record, "isSidechain"):
        return Draft(prompts[0][0], "subagent_start", text, filled(metadata))
    return Draft(prompts[0][0], "prompt", text, filled(metadata), typed=typed)


def _stretch(record: JsonObject, number: int, words: Words) -> Draft:
    metadata = {"output": "true"} if words.is_output else dict(words.about)
    if words.kind == "subagent_end":
        metadata[METADATA_KEY] = encode([Subagent(stage="ended", id=metadata.get("agent_id", ""))])
    typed = words.text if words.is_typed and not is_true(record, "isSidechain") else ""
    return Draft(number, words.kind, words.text, metadata, typed=typed)


def _kind_of_all(record: JsonObject) -> str:
    """Return the kind of all text of a record that is marked as not typed by a person, else ""."""
    if is_true(record, "isCompactSummary"):
        return "compaction"
    is_injected = (
        is_true(record, "isMeta")
        or is_true(record, "isVisibleInTranscriptOnly")
        or _origin(record) not in {"", "human"}
        or text_at(record, "promptSource") == "system"
    )
    return "note" if is_injected else ""


def _whole(record: JsonObject, kind: str, texts: list[tuple[int, str]]) -> list[Draft]:
    said = "\n".join(text.strip() for _, text in texts if text.strip())
    if not said:
        return []
    ended = [words for _, text in texts for words in words_of(text) if words.kind == "subagent_end"]
    if ended:
        return [_stretch(record, texts[0][0] + at, words) for at, words in enumerate(ended)]
    return [Draft(texts[0][0], kind, said, filled({"origin": _origin(record)}))]


def _origin(record: JsonObject) -> str:
    return text_at(object_at(record, "origin"), "kind")


def _result(record: JsonObject, number: int, block: JsonObject) -> Draft:
    metadata = {
        "tool_use_id": text_at(block, "tool_use_id"),
        "is_error": "true" if is_true(block, "is_error") else "",
        "path": result_path(record),
        METADATA_KEY: result_actions(record, block),
    }
    kind = "subagent_end" if is_subagent_result(record) else "tool_result"
    return Draft(number, kind, content_text(block.get("content")), filled(metadata))


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


def _recap(record: JsonObject) -> list[Draft]:
    """Return what Claude Code wrote for a person who was away."""
    return [replace(draft, kind="recap") for draft in _note(record)]


def _nothing(_record: JsonObject) -> list[Draft]:
    return []


SUBTYPES: dict[str, Callable[[JsonObject], list[Draft]]] = {
    "compact_boundary": _boundary,
    "microcompact_boundary": _nothing,
    "api_error": _api_error,
    "local_command": _local_command,
    "away_summary": _recap,
    "informational": _note,
    "stop_hook_summary": _nothing,
    "turn_duration": _nothing,
}
"""Every subtype that is known; others are counted by name."""


def pr_link_drafts(record: JsonObject) -> list[Draft]:
    """Return the note that a pull request was opened."""
    url, number = text_at(record, "prUrl"), count_text(record, "prNumber")
    text = f"Pull request {number}: {url}" if number else f"Pull request: {url}"
    repository = text_at(record, "prRepository")
    seen = PullRequest(number=int(number or 0), url=url, repository=repository)
    metadata = {"repository": repository, "url": url, METADATA_KEY: encode([seen])}
    return [Draft(1, "note", text, filled(metadata))] if url else []


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
