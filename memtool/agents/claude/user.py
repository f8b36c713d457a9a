"""User records of Claude Code: what a person typed, what a tool answered, what Claude Code put there itself.

Nothing here may depend on the session, the working directory or the version: a copy of a record under another
session must give the same drafts.
"""

from __future__ import annotations

from memtool.agents.claude.draft import Draft, blocks_of, filled
from memtool.agents.claude.tools import content_text, is_subagent_result, result_path
from memtool.agents.claude.words import Words, words_of
from memtool.agents.values import JsonObject, is_true, object_at, text_at

_IMAGES = {"image", "document"}


def user_drafts(record: JsonObject) -> list[Draft]:
    """Return one prompt of all that was typed, then commands, notes and results of tools."""
    blocks = blocks_of(object_at(record, "message").get("content"))
    texts = [(n, text_at(block, "text")) for n, block in blocks if text_at(block, "type") == "text"]
    images = sum(text_at(block, "type") in _IMAGES for _, block in blocks)
    results = [
        _result(record, n, block) for n, block in blocks if text_at(block, "type") == "tool_result"
    ]
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
    metadata = {"branch": text_at(record, "gitBranch"), "images": str(images) if images else ""}
    if "planContent" in record:
        metadata["plan"] = "true"
    if is_true(record, "isSidechain"):
        return Draft(prompts[0][0], "subagent_start", text, filled(metadata))
    return Draft(prompts[0][0], "prompt", text, filled(metadata), typed=typed)


def _stretch(record: JsonObject, number: int, words: Words) -> Draft:
    metadata = {"output": "true"} if words.is_output else {}
    typed = words.text if words.is_typed and not is_true(record, "isSidechain") else ""
    return Draft(number, words.kind, words.text, metadata, typed=typed)


def _kind_of_all(record: JsonObject) -> str:
    """Return the kind of all text of a record of which it is said that nobody typed it, else ""."""
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
    return [Draft(texts[0][0], kind, said, filled({"origin": _origin(record)}))]


def _origin(record: JsonObject) -> str:
    return text_at(object_at(record, "origin"), "kind")


def _result(record: JsonObject, number: int, block: JsonObject) -> Draft:
    metadata = {
        "tool_use_id": text_at(block, "tool_use_id"),
        "is_error": "true" if is_true(block, "is_error") else "",
        "path": result_path(record),
    }
    kind = "subagent_end" if is_subagent_result(record) else "tool_result"
    return Draft(number, kind, content_text(block.get("content")), filled(metadata))
