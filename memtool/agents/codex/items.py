"""Records of Codex as drafts of events. Nothing here depends on the thread, the time or the version of a record.

Codex writes most things twice or three times: as an item of the conversation with the model (`response_item`), as an
event (`event_msg`), and since 0.151 as a completed item. Calls, results, answers and thoughts are taken from the first
form, prompts from the others: among the messages that the model gets as the user's are many that no person wrote.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from memtool.agents.calls import call_text, content_text, encoded_actions
from memtool.agents.codex.tools import (
    MAKERS,
    SPAWNS,
    Result,
    arguments_of,
    patched,
    plain,
    proposed,
    replied,
    result_of,
    said_in,
    task_of,
)
from memtool.agents.drafts import Draft, filled
from memtool.agents.values import JsonObject, count_text, list_at, object_at, text_at
from memtool.model.actions import METADATA_KEY, Edit, Rejection, Subagent, encode
from memtool.redact import redact_field

MODEL, EVENT, ITEM = "model", "event", "item"
"""Where a thing was written: for the model, as an event, or as a completed item."""


class Piece(NamedTuple):
    """A draft, and what tells it from all others of its turn: what it is, and its words or the id of its call.

    The same thing has the same `what` and `key` in each of its forms.
    """

    what: str
    key: str
    draft: Draft
    written: str = MODEL


CallOf = Callable[[str], JsonObject]
"""Returns the call with this id, or an empty object."""


# --- What the model gets and gives ---


def response_pieces(payload: JsonObject, call_of: CallOf) -> list[Piece] | None:
    """Return what an item of the conversation with the model says; None where its type is not known."""
    make = _RESPONSES.get(text_at(payload, "type") or ("message" if "role" in payload else ""))
    return None if make is None else make(payload, call_of)


def model_prompt(payload: JsonObject) -> list[Piece]:
    """Return a message that the model got as the user's, unless Codex wrote it: for files without events."""
    if text_at(payload, "role") != "user":
        return []
    blocks = [block for block in list_at(payload, "content") if isinstance(block, dict)]
    text = "\n".join(filter(None, (text_at(block, "text") for block in blocks)))
    images = sum("image" in text_at(block, "type") for block in blocks)
    return [] if _INJECTED.match(text) else prompt_pieces(text, images, MODEL)


_INJECTED = re.compile(r"\s*(?:<[a-z_]+>|# AGENTS\.md )")


def _message(payload: JsonObject, _call_of: CallOf) -> list[Piece]:
    text = content_text(payload.get("content")).strip()
    role = text_at(payload, "role")
    if role == "assistant" and text:
        return [Piece("answer", text, Draft(1, "answer", text))]
    shell = _USER_SHELL.search(text) if role == "user" else None
    if shell is None:
        return []
    output = _USER_OUTPUT.search(text)
    command = f"! {shell[1].strip()}"
    found = [Piece("command", command, Draft(1, "command", command))]
    if output and output[1].strip():
        shown = Draft(2, "command", output[1].strip(), {"output": "true"})
        found.append(Piece("command", command, shown))
    return found


_USER_SHELL = re.compile(r"^<user_shell_command>\s*<command>(.*?)</command>", re.DOTALL)
_USER_OUTPUT = re.compile(r"<result>(.*?)</result>", re.DOTALL)


def _reasoning(payload: JsonObject, _call_of: CallOf) -> list[Piece]:
    parts = [text_at(one, "text") for one in list_at(payload, "summary") if isinstance(one, dict)]
    text = "\n\n".join(part.strip() for part in parts if part.strip())
    text = text or content_text(payload.get("content") or "").strip()
    return [Piece("thinking", text, Draft(1, "thinking", text))] if text else []


def _call(payload: JsonObject, _call_of: CallOf) -> list[Piece]:
    kind = text_at(payload, "type")
    name = text_at(payload, "name") or kind.removesuffix("_call") or "tool"
    call_id = text_at(payload, "call_id") or text_at(payload, "id")
    given = plain(name, arguments_of(payload))
    return [called(name, given, call_id)]


def called(name: str, given: JsonObject, call_id: str, paths: tuple[str, ...] = ()) -> Piece:
    """Return a call of a tool."""
    patch = text_at(given, "input")
    if name == "apply_patch" and patch:
        shown, count = f"apply_patch: {redact_field('input', patch).text}", 0
        paths = patched(patch)
    elif name == "exec" and patch:
        shown, count = f"exec: {redact_field('input', patch).text}", 0
    else:
        clean = call_text(name, given)
        shown, count = clean.text, clean.count
    metadata = {
        "tool": name,
        "path": text_at(given, "path") or text_at(given, "file_path") or next(iter(paths), ""),
        "tool_use_id": call_id,
        METADATA_KEY: encoded_actions(name, given, MAKERS),
    }
    kind = "tool_call"
    if name in SPAWNS:
        kind, shown = "subagent_start", task_of(given) or shown
    return Piece(
        "call", call_id or shown, Draft(1, kind, shown, filled(metadata), redactions=count)
    )


PERSON_BLOCK = 0x8000
"""Added to the number of a result's block, for the event of the person in it."""


def _output(payload: JsonObject, call_of: CallOf) -> list[Piece]:
    call_id = text_at(payload, "call_id")
    return resulted(result_of(payload.get("output")), call_id, call_of)


def resulted(result: Result, call_id: str, call_of: CallOf) -> list[Piece]:
    """Return the result of a call, and what a person said in it."""
    said = None
    if _MAY_BE_SAID.search(result.text[:400]):
        call = call_of(call_id)
        said = said_in(result, call, plain(text_at(call, "name"), arguments_of(call)))
    is_error = result.is_error or (said is not None and isinstance(said[2], Rejection))
    metadata = filled({"tool_use_id": call_id, "is_error": "true" if is_error else ""})
    key = call_id or result.text
    found = [Piece("output", key, Draft(1, "tool_result", result.text, metadata))]
    if said is not None:
        kind, words, action = said
        about = filled({"tool_use_id": call_id, METADATA_KEY: encode([action])})
        found.append(Piece("output", key, Draft(PERSON_BLOCK + 1, kind, words, about)))
    return found


_MAY_BE_SAID = re.compile(r'rejected by user|"answers"')


def _between_agents(payload: JsonObject, _call_of: CallOf) -> list[Piece]:
    """Return what a subagent came back with, where it can be read."""
    text = content_text(payload.get("content")).strip()
    ended = _FINAL.match(text)
    if ended is None:
        return []
    author = text_at(payload, "author")
    about = {METADATA_KEY: encode([Subagent(stage="ended", id=author)])}
    words = text[ended.end() :].strip()
    return [Piece("ended", words, Draft(1, "subagent_end", words, about))] if words else []


_FINAL = re.compile(r"Message Type: FINAL_ANSWER\n(?:[A-Z][\w ]*: [^\n]*\n)*Payload:\n")


def _nothing(_payload: JsonObject, _call_of: CallOf) -> list[Piece]:
    return []


_RESPONSES: dict[str, Callable[[JsonObject, CallOf], list[Piece]]] = {
    "message": _message,
    "reasoning": _reasoning,
    "function_call": _call,
    "custom_tool_call": _call,
    "local_shell_call": _call,
    "web_search_call": _call,
    "tool_search_call": _nothing,
    "image_generation_call": _call,
    "function_call_output": _output,
    "custom_tool_call_output": _output,
    "tool_search_output": _nothing,
    "agent_message": _between_agents,
    "additional_tools": _nothing,
    "compaction": _nothing,
    "compaction_trigger": _nothing,
    "context_compaction": _nothing,
    "ghost_snapshot": _nothing,
    "other": _nothing,
}
"""Every type that is known; others are counted by name."""


# --- Events ---


def event_pieces(payload: JsonObject) -> list[Piece] | None:
    """Return what an event says; None where its type is not known."""
    kind = text_at(payload, "type")
    if kind == "item_completed":
        item = object_at(payload, "item")
        make = _ITEMS.get(text_at(item, "type"))
        return None if make is None else make(item)
    if kind in _SILENT:
        return []
    make = _EVENTS.get(kind)
    return None if make is None else make(payload)


def _user_message(payload: JsonObject) -> list[Piece]:
    images = len(list_at(payload, "images")) + len(list_at(payload, "local_images"))
    return prompt_pieces(text_at(payload, "message"), images, EVENT)


def _user_item(item: JsonObject) -> list[Piece]:
    blocks = [block for block in list_at(item, "content") if isinstance(block, dict)]
    texts = [text_at(block, "text") for block in blocks]
    images = sum("image" in text_at(block, "type") for block in blocks)
    return prompt_pieces("\n".join(filter(None, texts)), images, ITEM)


_FROM_EDITOR = re.compile(
    r"# Context from my IDE setup:.*?^## My request for Codex:\n", re.DOTALL | re.MULTILINE
)


def prompt_pieces(text: str, images: int, written: str) -> list[Piece]:
    """Return what a person typed, without what an editor put before it."""
    reply = replied(text)
    if reply is not None:
        kind, words, action = reply
        return [
            Piece("prompt", words, Draft(1, kind, words, {METADATA_KEY: encode([action])}), written)
        ]
    opening = _FROM_EDITOR.match(text)
    typed = text[opening.end() :].strip() if opening else text.strip()
    shown = f"{typed}\n[image]".strip() if images else typed
    if not shown:
        return []
    metadata = {"images": str(images)} if images else {}
    return [Piece("prompt", shown, Draft(1, "prompt", shown, metadata, typed=typed), written)]


def _agent_message(payload: JsonObject) -> list[Piece]:
    text = text_at(payload, "message").strip()
    return [Piece("answer", text, Draft(1, "answer", text), EVENT)] if text else []


def _agent_item(item: JsonObject) -> list[Piece]:
    text = content_text(item.get("content") or "").strip()
    return [Piece("answer", text, Draft(1, "answer", text), ITEM)] if text else []


def _aborted(payload: JsonObject) -> list[Piece]:
    reason = text_at(payload, "reason") or "interrupted"
    if reason == "replaced":  # a new prompt came while the agent worked
        return []
    text = "[Request interrupted by user]" if reason == "interrupted" else f"Turn ended: {reason}"
    return [Piece("aborted", reason, Draft(1, "note", text))]


def _review(payload: JsonObject) -> list[Piece]:
    hint = text_at(payload, "user_facing_hint")
    text = f"/review {hint}".strip()
    return [Piece("command", text, Draft(1, "command", text), EVENT)]


def _error(payload: JsonObject) -> list[Piece]:
    text = text_at(payload, "message").strip()
    return [Piece("error", text, Draft(1, "error", text), EVENT)] if text else []


def _plan(item: JsonObject) -> list[Piece]:
    text = text_at(item, "text").strip()
    about = {"tool": "plan", METADATA_KEY: encode(proposed(text))}
    return [Piece("plan", text, Draft(1, "tool_call", text, about), ITEM)] if text else []


# Since tools can be called from a script of the model's (`exec`), what the script did is told by items of their own.
_OF_SCRIPT = "exec-"


def _command_item(item: JsonObject) -> list[Piece]:
    call_id = text_at(item, "id")
    if not call_id.startswith(_OF_SCRIPT):
        return []
    given = plain("exec_command", {"command": item.get("command")})
    output = text_at(item, "aggregated_output") or "\n".join(
        filter(None, (text_at(item, "stdout").strip(), text_at(item, "stderr").strip()))
    )
    code = item.get("exit_code")
    is_error = text_at(item, "status") in ("failed", "declined")
    text = f"Exit code {code}\n{output}" if is_error and isinstance(code, int) else output
    result = resulted(Result(text, is_error), call_id, lambda _: {})
    return [called("exec_command", given, call_id), *result]


def _change_item(item: JsonObject) -> list[Piece]:
    call_id = text_at(item, "id")
    if not call_id.startswith(_OF_SCRIPT):
        return []
    changes = object_at(item, "changes")
    paths = tuple(changes)
    shown = redact_field("input", "\n".join(_shown_change(path, changes[path]) for path in paths))
    metadata = {
        "tool": "apply_patch",
        "path": next(iter(paths), ""),
        "tool_use_id": call_id,
        METADATA_KEY: encode([Edit(paths=paths)]),
    }
    draft = Draft(
        1, "tool_call", f"apply_patch: {shown.text}", filled(metadata), redactions=shown.count
    )
    said = text_at(item, "stdout") or text_at(item, "stderr")
    is_error = text_at(item, "status") in ("failed", "declined")
    return [
        Piece("call", call_id, draft),
        *resulted(Result(said.strip(), is_error), call_id, lambda _: {}),
    ]


def _shown_change(path: str, change: object) -> str:
    about = change if isinstance(change, dict) else {}
    return f"{path}\n{text_at(about, 'unified_diff') or text_at(about, 'content')}"


def _mcp_item(item: JsonObject) -> list[Piece]:
    call_id = text_at(item, "id")
    if not call_id.startswith(_OF_SCRIPT):
        return []
    name = f"mcp__{text_at(item, 'server')}__{text_at(item, 'tool')}"
    result = object_at(item, "result")
    text = content_text(result.get("content") or text_at(item, "error"))
    is_error = text_at(item, "status") == "failed" or result.get("isError") is True
    return [
        called(name, object_at(item, "arguments"), call_id),
        *resulted(Result(text, is_error), call_id, lambda _: {}),
    ]


def _extension_item(item: JsonObject) -> list[Piece]:
    call_id = text_at(item, "id")
    if text_at(item, "kind") != "web.search" or not call_id.startswith(_OF_SCRIPT):
        return []
    given = {"query": text_at(item, "query"), "url": text_at(object_at(item, "action"), "url")}
    return [called("web_search", dict(filled(given)), call_id)]


def _silent_item(_item: JsonObject) -> list[Piece]:
    return []


_EVENTS: dict[str, Callable[[JsonObject], list[Piece]]] = {
    "user_message": _user_message,
    "agent_message": _agent_message,
    "turn_aborted": _aborted,
    "entered_review_mode": _review,
    "error": _error,
}
_ITEMS: dict[str, Callable[[JsonObject], list[Piece]]] = {
    "UserMessage": _user_item,
    "AgentMessage": _agent_item,
    "Plan": _plan,
    "CommandExecution": _command_item,
    "FileChange": _change_item,
    "McpToolCall": _mcp_item,
    "Extension": _extension_item,
    **dict.fromkeys(
        (
            *(
                "Reasoning",
                "WebSearch",
                "ImageView",
                "ImageGeneration",
                "ContextCompaction",
                "Sleep",
            ),
            *("SubAgentActivity", "CollabAgentToolCall", "DynamicToolCall", "HookPrompt"),
            *("EnteredReviewMode", "ExitedReviewMode"),
        ),
        _silent_item,
    ),
}
_SILENT = frozenset(
    [
        *("agent_reasoning", "agent_reasoning_raw_content", "agent_reasoning_section_break"),
        *("context_compacted", "exec_command_begin", "exec_command_end", "exited_review_mode"),
        *("image_generation_end", "item_started", "mcp_tool_call_begin", "mcp_tool_call_end"),
        *("patch_apply_begin", "patch_apply_end", "plan_update", "sub_agent_activity"),
        *("task_complete", "turn_complete", "thread_goal_updated", "thread_settings_applied"),
        *("turn_diff", "undo_completed", "view_image_tool_call", "warning", "web_search_end"),
        *("collab_agent_spawn_end", "collab_agent_interaction_end", "collab_waiting_end"),
        *("collab_close_end", "collab_resume_end", "dynamic_tool_call_response", "stream_error"),
        *("guardian_assessment", "deprecation_notice", "background_event", "shutdown_complete"),
    ]
)
"""Events that say nothing which is not said elsewhere."""


def usage_of(payload: JsonObject) -> tuple[str, str]:
    """Return the tokens that the last answer took in and gave out."""
    usage = object_at(object_at(payload, "info"), "last_token_usage")
    return count_text(usage, "input_tokens"), count_text(usage, "output_tokens")
