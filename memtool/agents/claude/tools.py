"""Claude Code's tools: their calls and results as text, as actions, and what a person answered in a result."""

from __future__ import annotations

import re
from collections.abc import Callable

from memtool.agents.calls import (
    STATES,
    asked_in,
    content_text,
    encoded_actions,
    form,
    items_in,
    plan_of,
    shell,
    subagent,
)
from memtool.agents.drafts import Draft, filled
from memtool.agents.values import JsonObject, is_true, list_at, object_at, text_at
from memtool.model.actions import (
    METADATA_KEY,
    AnyAction,
    Asked,
    Edit,
    Item,
    Plan,
    Question,
    Read,
    Rejection,
    Search,
    Subagent,
    Todo,
    encode,
)

MAX_BLOCKS = 10_000


def blocks_of(content: object) -> list[tuple[int, JsonObject]]:
    """Return the numbered blocks of a message's content, from 1; a plain string is one block of text."""
    if isinstance(content, str):
        return [(1, {"type": "text", "text": content})]
    blocks = content if isinstance(content, list) else []
    numbered = enumerate(blocks[:MAX_BLOCKS], start=1)
    return [
        (number, {"type": "text", "text": block} if isinstance(block, str) else block)
        for number, block in numbered
        if isinstance(block, (dict, str))
    ]


# --- Text ---

SUBAGENT_TOOLS = frozenset({"Task", "Agent"})
_PATHS = ("file_path", "notebook_path", "path")
# The structured result of a subagent: Claude Code writes these beside the text.
_SUBAGENT_RESULT = frozenset({"totalToolUseCount", "agentId"})


def call_path(arguments: JsonObject) -> str:
    """Return the file or directory that the call is about, or ""."""
    return next((text_at(arguments, key) for key in _PATHS if text_at(arguments, key)), "")


def result_path(record: JsonObject) -> str:
    """Return the file that the structured result is about, or ""."""
    result = object_at(record, "toolUseResult")
    return text_at(result, "filePath") or text_at(object_at(result, "file"), "filePath")


def is_subagent_result(record: JsonObject) -> bool:
    """Return whether the structured result is that of a subagent."""
    result = object_at(record, "toolUseResult")
    return (
        bool(_SUBAGENT_RESULT & result.keys())
        and not is_launch(result)
        and bool(text_at(result, "prompt") or list_at(result, "content"))
    )


def is_launch(result: JsonObject) -> bool:
    """Return whether the structured result says only that a subagent runs in the background."""
    return is_true(result, "isAsync") or text_at(result, "status") == "async_launched"


# --- Actions ---


def call_actions(name: str, given: JsonObject) -> str:
    """Return what a call does as actions, encoded; "" where no action has a name for it."""
    return encoded_actions(name, given, _ACTIONS)


def result_actions(record: JsonObject, block: JsonObject) -> str:
    """Return what only the result of a call says, as actions, encoded."""
    result = object_at(record, "toolUseResult")
    text = content_text(block.get("content"))
    if created := _CREATED.match(text):
        return encode(
            [Todo(items=(Item(created[2].strip(), "pending", created[1]),), partial=True)]
        )
    agent = text_at(result, "agentId")
    if is_launch(result) or text.startswith("Async agent launched"):
        return encode([Subagent(stage="launched", id=agent, task=text_at(result, "description"))])
    if is_subagent_result(record):
        return encode([Subagent(stage="ended", id=agent)])
    return ""


_CREATED = re.compile(r"Task #(\d+) created successfully: (.*)")


def _path_or_url(given: JsonObject) -> tuple[str, ...]:
    place = call_path(given) or text_at(given, "url")
    return (place,) if place else ()


def _todos(given: JsonObject) -> list[AnyAction]:
    return [Todo(items=items_in(given, "todos", "content"))]


def _task(given: JsonObject) -> list[AnyAction]:
    state = STATES.get(text_at(given, "status"))
    if state is None:
        return []
    item = Item(text_at(given, "subject"), state, text_at(given, "taskId"))
    return [Todo(items=(item,), partial=True)]


def _plan(given: JsonObject) -> list[AnyAction]:
    heading, steps = plan_of(text_at(given, "plan"))
    return [Plan(heading=heading, steps=steps)]


def _read(given: JsonObject) -> list[AnyAction]:
    return [Read(paths=_path_or_url(given))]


def _edit(given: JsonObject) -> list[AnyAction]:
    return [Edit(paths=_path_or_url(given))]


def _search(given: JsonObject) -> list[AnyAction]:
    return [
        Search(
            query=text_at(given, "pattern") or text_at(given, "query"), paths=_path_or_url(given)
        )
    ]


_ACTIONS: dict[str, Callable[[JsonObject], list[AnyAction]]] = {
    **dict.fromkeys(("Read", "NotebookRead", "WebFetch", "LS"), _read),
    **dict.fromkeys(("Edit", "MultiEdit", "Write", "NotebookEdit"), _edit),
    **dict.fromkeys(("Grep", "Glob", "WebSearch"), _search),
    **dict.fromkeys(SUBAGENT_TOOLS, subagent),
    "Bash": shell,
    "TodoWrite": _todos,
    "TaskUpdate": _task,
    "ExitPlanMode": _plan,
    "AskUserQuestion": form,
}
"""The actions of each tool that has any."""
# --- What a person answered ---

PERSON_BLOCK = 0x8000
"""Added to the number of a result's block, for the event of the person in it."""
_REJECTED = re.compile(
    r"(?:Error: )?The user doesn't want to (?:proceed with this tool use|take this action right now)\b"
)
_SAID = "the user said:\n"
_CLARIFY = "The user wants to clarify these questions"
_CLARIFIED = re.compile(r'^- "(.+?)"\n +Answer: (.+)$', re.MULTILINE)
_ANSWERED = re.compile(r"(?:User has|The user has|Your questions have been) answered[^:]*:\s*")
_PAIR = re.compile(
    r'"(?P<question>.+?)"="(?P<answer>.*?)"(?=, "|\. You can now|\.?\s*$| user notes:| selected preview:)',
    re.DOTALL,
)
_APPROVED = re.compile(r"User has approved your plan")
_EDITED = re.compile(r"## Approved Plan \(edited")


def person_draft(
    record: JsonObject, number: int, block: JsonObject, call_of: Callable[[str], JsonObject]
) -> Draft | None:
    """Return what a person answered, approved or rejected in the result of a call, or None."""
    text = content_text(block.get("content"))
    found = _rejection(text) or _answers(record, block, text, call_of) or _approval(record, text)
    if found is None:
        return None
    kind, words, action = found
    call = text_at(block, "tool_use_id")
    if isinstance(action, (Plan, Rejection)):
        asked = call_of(call)
        is_plan = text_at(asked, "name") == "ExitPlanMode"
        if is_plan or isinstance(action, Plan):
            proposed = text_at(object_at(asked, "input"), "plan")
            final = text_at(object_at(record, "toolUseResult"), "plan") or _after_heading(text)
            heading, steps = plan_of(final or proposed)
            verdict = action.verdict if isinstance(action, Plan) else "rejected"
            if verdict == "approved" and proposed and final and final.strip() != proposed.strip():
                verdict = "changed"
            action = Plan(heading=heading, steps=steps, verdict=verdict)
        else:
            given = object_at(asked, "input")
            subject = call_path(given) or text_at(given, "command") or text_at(asked, "name")
            action = Rejection(subject=subject)
    if isinstance(action, Plan) and kind == "prompt" and not words:
        words = f"Plan {action.verdict}: {action.heading}".removesuffix(": ")
    metadata = filled({"tool_use_id": call, METADATA_KEY: encode([action])})
    return Draft(PERSON_BLOCK + number, kind, words, metadata)


_Found = tuple[str, str, AnyAction]
_WORDLESS: _Found = ("command", "Rejected", Rejection())


def _rejection(text: str) -> _Found | None:
    if not _REJECTED.match(text):
        return None
    said = text.partition(_SAID)[2].strip()
    if said.startswith(_CLARIFY):  # a form that was not sent, perhaps with some answers in it
        asked = [Asked(found[1], (), found[2]) for found in _CLARIFIED.finditer(said)]
        words = "\n".join(f"{one.question} \u2192 {one.answer}" for one in asked)
        return ("prompt", words, Question(asked=tuple(asked))) if asked else _WORDLESS
    return ("prompt", said, Rejection()) if said else _WORDLESS


def _answers(
    record: JsonObject, block: JsonObject, text: str, call_of: Callable[[str], JsonObject]
) -> _Found | None:
    opening = _ANSWERED.match(text)
    if opening is None or is_true(block, "is_error"):
        return None
    result = object_at(record, "toolUseResult")
    asked = asked_in(result, object_at(result, "answers"))
    if not any(one.answer for one in asked):
        known = {one.question: one.options for one in asked_in(_input(block, call_of))}
        asked = [
            Asked(found["question"], known.get(found["question"], ()), found["answer"])
            for found in _PAIR.finditer(text, opening.end())
        ]
    asked = [one for one in asked if one.answer]
    if not asked:
        return "prompt", text[opening.end() :].strip(), Question()
    words = "\n".join(f"{one.question} \u2192 {one.answer}" for one in asked)
    return "prompt", words, Question(asked=tuple(asked))


def _input(block: JsonObject, call_of: Callable[[str], JsonObject]) -> JsonObject:
    return object_at(call_of(text_at(block, "tool_use_id")), "input")


def _approval(record: JsonObject, text: str) -> _Found | None:
    if not _APPROVED.match(text):
        return None
    is_edited = bool(_EDITED.search(text)) or is_true(
        object_at(record, "toolUseResult"), "planWasEdited"
    )
    return "prompt", "", Plan(verdict="changed" if is_edited else "approved")


def _after_heading(text: str) -> str:
    found = re.search(r"^## Approved Plan[^\n]*\n", text, re.MULTILINE)
    return text[found.end() :].strip() if found else ""
