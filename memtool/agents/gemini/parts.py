"""Content and calls in Gemini's form, which Qwen Code shares: parts as text, tools as actions, results."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import NamedTuple

from memtool.agents.calls import (
    Make,
    asked_in,
    call_text,
    edits,
    encoded_actions,
    form,
    items_in,
    reads,
    searches,
    shell,
)
from memtool.agents.drafts import Draft, filled
from memtool.agents.values import JsonObject, object_at, text_at
from memtool.model.actions import (
    METADATA_KEY,
    AnyAction,
    Asked,
    Plan,
    Question,
    Rejection,
    Subagent,
    Todo,
    encode,
)

# --- Content ---


def parts_of(content: object) -> list[JsonObject]:
    """Return the parts of a content, which may be one text or one part."""
    if isinstance(content, str):
        return [{"text": content}]
    parts = content if isinstance(content, list) else [content]
    return [
        {"text": part} if isinstance(part, str) else part
        for part in parts
        if isinstance(part, dict | str)
    ]


def text_of(content: object) -> str:
    """Return what a content says, without thoughts, calls and data."""
    return "\n".join(
        filter(
            None,
            (
                text_at(part, "text").strip()
                for part in parts_of(content)
                if not part.get("thought")
            ),
        )
    )


def thought_of(content: object) -> str:
    """Return what was thought."""
    return "\n".join(
        filter(
            None,
            (text_at(part, "text").strip() for part in parts_of(content) if part.get("thought")),
        )
    )


_FILES = re.compile(r"\n?--- Content from referenced files ---.*\Z", re.DOTALL)
_NOT_TYPED = re.compile(
    r"\s*<(?:session_context|hook_context|system-reminder)>|\s*This is the (?:Gemini CLI|Qwen Code)\. We are setting up"
)


def prompt_draft(content: object, shown: object = None) -> Draft | None:
    """Return what a person entered: a prompt, or a command of the program; a note where the program put it there."""
    parts = parts_of(shown or content)
    said = _FILES.sub("", text_of(parts)).strip()
    images = sum("inlineData" in part or "fileData" in part for part in parts)
    if _NOT_TYPED.match(said):
        return Draft(1, "note", said)
    if said.startswith(("/", "!")) and "\n" not in said:
        return Draft(1, "command", said, typed=said)
    text = f"{said}\n[image]".strip() if images else said
    if not text:
        return None
    return Draft(1, "prompt", text, {"images": str(images)} if images else {}, typed=said)


# --- Calls ---

_SUBAGENTS = frozenset(
    {
        "delegate_to_agent",
        "invoke_agent",
        "agent",
        "task",
        "codebase_investigator",
        "generalist",
        "generalist_agent",
    }
)


def _todo(given: JsonObject) -> list[AnyAction]:
    items = items_in(given, "todos", "description", "content")
    return [Todo(items=items)] if items else []


def _subagent(given: JsonObject) -> list[AnyAction]:
    name = text_at(given, "agent_name") or text_at(given, "subagent_type")
    task = next((line for line in task_of(given).splitlines() if line.strip()), "")
    return [
        Subagent(stage="started", task=text_at(given, "description") or task.strip(), agent=name)
    ]


def task_of(given: JsonObject) -> str:
    """Return what a subagent is told."""
    names = ("prompt", "objective", "query", "task", "request", "description")
    return next((text_at(given, name) for name in names if text_at(given, name)), "")


_MAKERS: Mapping[str, Make] = {
    **dict.fromkeys(("read_file", "read_many_files"), reads("file_path", "absolute_path", "path")),
    **dict.fromkeys(("list_directory", "ls"), reads("dir_path", "path")),
    "web_fetch": reads("url", "prompt"),
    **dict.fromkeys(
        ("write_file", "replace", "edit", "notebook_edit"),
        edits("file_path", "absolute_path", "path"),
    ),
    **dict.fromkeys(("grep_search", "search_file_content", "glob"), searches("pattern")),
    **dict.fromkeys(("google_web_search", "web_search"), searches("query")),
    "run_shell_command": shell,
    **dict.fromkeys(("write_todos", "todo_write"), _todo),
    **dict.fromkeys(("ask_user", "ask_user_question"), form),
    "exit_plan_mode": lambda given: [Plan(heading=plan_heading(given))],
    **dict.fromkeys(_SUBAGENTS, _subagent),
}
"""The actions of each tool that has any."""


def plan_heading(given: JsonObject) -> str:
    """Return the heading of a plan, or the name of its file."""
    text = text_at(given, "plan")
    heading = next((line.lstrip("# ") for line in text.splitlines() if line.startswith("#")), "")
    return heading or text_at(given, "plan_filename") or text_at(given, "plan_path")


def call_draft(name: str, given: JsonObject, call_id: str, *, is_subagent: bool = False) -> Draft:
    """Return a call of a tool."""
    shown = call_text(name or "tool", given)
    text, kind = shown.text, "tool_call"
    if is_subagent or name in _SUBAGENTS:
        kind, text = "subagent_start", task_of(given) or text
    paths = ("file_path", "absolute_path", "path", "dir_path")
    metadata = {
        "tool": name or "tool",
        "path": next((text_at(given, key) for key in paths if text_at(given, key)), ""),
        "tool_use_id": call_id,
        METADATA_KEY: encoded_actions(name, given, _MAKERS),
    }
    return Draft(1, kind, text, filled(metadata), redactions=shown.count)


# --- Results ---


class Result(NamedTuple):
    """What a tool gave, and whether the call failed."""

    text: str
    is_error: bool = False


_NEXT = r"(?=\n(?:Error|Stderr|Exit Code|Signal|Background PIDs|Process Group PGID): |\Z)"
_SHELL = re.compile(
    rf"(?:Command: .*?\n)?(?:Directory: [^\n]*\n)?(?:Output|Stdout): (.*?){_NEXT}", re.DOTALL
)
_CODE = re.compile(r"^Exit Code: (-?\d{1,9})", re.MULTILINE)
_STDERR = re.compile(rf"^(?:Error|Stderr): (.*?){_NEXT}", re.DOTALL | re.MULTILINE)
_UNTRUSTED = re.compile(r"<untrusted_context>\n(.*?)\n?</untrusted_context>\s*", re.DOTALL)
_NOTHING = frozenset({"(none)", "(empty)"})


def own_parts(result: object, call_id: str) -> list[JsonObject]:
    """Return the parts of a result that answer this call: of calls that were made together, each has them all."""
    parts = parts_of(result) if result else []
    own = [part for part in parts if text_at(object_at(part, "functionResponse"), "id") == call_id]
    return own or parts


def result_of(result: object, status: str) -> Result:
    """Return the text of a result's parts; of a shell's only what it printed, and its exit code if it is not 0."""
    texts: list[str] = []
    failed = status in ("error", "cancelled")
    for part in parts_of(result):
        response = object_at(object_at(part, "functionResponse"), "response")
        error = response.get("error")
        failed = failed or bool(error)
        given = [response.get("output"), error, response.get("content"), part.get("text")]
        texts += [
            one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)
            for one in given
            if one
        ]
    return _of_shell("\n".join(texts), failed)


def _of_shell(text: str, failed: bool) -> Result:
    wrapped = _UNTRUSTED.fullmatch(text)
    text = wrapped[1] if wrapped else text
    found = _SHELL.match(text)
    if found is None:
        return Result(text, failed)
    code, error = _CODE.search(text, found.end()), _STDERR.search(text, found.end())
    printed = [
        one.strip("\n")
        for one in (found[1], error[1] if error else "")
        if one.strip() not in _NOTHING
    ]
    said = "\n".join(filter(None, printed))
    if code is None or int(code[1]) == 0:
        return Result(said, failed)
    return Result(f"Exit code {code[1]}\n{said}", is_error=True)


_NOT_ALLOWED = re.compile(
    r"did not allow|User rejected|User denied|rejected by (?:the )?user", re.IGNORECASE
)
_PLAN = re.compile(r"Plan (approved|rejected)\.?(?: User feedback: (.*?))?(?:\n|\Z)", re.DOTALL)
PERSON_BLOCK = 0x8000
"""Added to the number of a result's block, for the event of the person in it."""


def result_drafts(
    name: str, given: JsonObject, call_id: str, result: Result, *, is_subagent: bool = False
) -> list[Draft]:
    """Return the result of a call, and what a person said in it: an answer, a verdict, or that it may not be made."""
    metadata = filled({"tool_use_id": call_id, "is_error": "true" if result.is_error else ""})
    kind = "tool_result"
    if is_subagent or name in _SUBAGENTS:
        kind = "subagent_end"
        metadata[METADATA_KEY] = encode([Subagent(stage="ended", id=text_at(given, "agent_name"))])
    drafts = [Draft(1, kind, result.text, metadata)]
    said = _said(name, given, result)
    if said is not None:
        who, words, action = said
        about = filled({"tool_use_id": call_id, METADATA_KEY: encode([action])})
        drafts.append(Draft(PERSON_BLOCK + 1, who, words, about))
    return drafts


def _said(name: str, given: JsonObject, result: Result) -> tuple[str, str, AnyAction] | None:
    if name in ("ask_user", "ask_user_question"):
        return _answered(given, result.text)
    verdict = _PLAN.match(result.text) if name == "exit_plan_mode" else None
    if verdict is not None:
        plan = Plan(
            heading=plan_heading(given),
            verdict="approved" if verdict[1] == "approved" else "rejected",
        )
        words = (verdict[2] or "").strip() or f"Plan {plan.verdict}: {plan.heading}".removesuffix(
            ": "
        )
        return "prompt", words, plan
    if result.is_error and _NOT_ALLOWED.search(result.text[:400]):
        subject = text_at(given, "command") or text_at(given, "file_path") or name
        return "command", "Rejected", Rejection(subject=subject)
    return None


def _answered(given: JsonObject, text: str) -> tuple[str, str, AnyAction] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    answers = object_at(found, "answers") if isinstance(found, dict) else {}
    asked = [
        Asked(
            one.question,
            one.options,
            text_at(answers, str(number)) or text_at(answers, one.question),
        )
        for number, one in enumerate(asked_in(given))
    ]
    asked = [one for one in asked if one.answer]
    if not asked:
        return None
    words = "\n".join(f"{one.question} \u2192 {one.answer}" for one in asked)
    return "prompt", words, Question(asked=tuple(asked))
