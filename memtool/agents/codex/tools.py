"""Codex's tools: their calls as text and actions, what their results say, and what a person answered in one."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import NamedTuple

from memtool.agents.calls import (
    Make,
    asked_in,
    content_text,
    form,
    items_in,
    plan_of,
    reads,
    searches,
)
from memtool.agents.calls import shell as shell_actions
from memtool.agents.values import JsonObject, list_at, object_at, text_at
from memtool.model.actions import (
    AnyAction,
    Asked,
    Edit,
    Plan,
    Question,
    Read,
    Rejection,
    Search,
    Subagent,
    Todo,
)

# --- Calls ---

SPAWNS = frozenset({"spawn_agent", "send_input", "assign_task", "followup_task"})
"""The tools that give a subagent something to do."""
_PATCHED = re.compile(
    r"^\*\*\* (?:Add|Update|Delete) File: (.+)$|^\*\*\* Move to: (.+)$", re.MULTILINE
)
_SHELL = re.compile(
    r"(?:^|[/\\])(?:sh|bash|zsh|dash|powershell|pwsh|cmd)(?:\.exe)?$", re.IGNORECASE
)
_RUNS = re.compile(r"-\w*c|-command|/c", re.IGNORECASE)
_MOST_PATHS = 40


def arguments_of(payload: JsonObject) -> JsonObject:
    """Return the arguments of a call: Codex keeps them as JSON text, as bare text, or as an action."""
    action = object_at(payload, "action")
    if action:
        return action
    given = payload.get("arguments", payload.get("input"))
    if isinstance(given, dict):
        return given
    text = given if isinstance(given, str) else ""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {"input": text}


def plain(name: str, given: JsonObject) -> JsonObject:
    """Return the arguments with the command as one line under `command`, where it is one."""
    command = given.get("command", given.get("cmd"))
    if command is None and name == "exec":
        return given
    line = command_line(command)
    if not line:
        return given
    rest = {key: value for key, value in given.items() if key not in ("command", "cmd")}
    return {**rest, "command": line}


def command_line(command: object) -> str:
    """Return a command, which may be a list of words, as one line; of `bash -lc LINE` only the line."""
    if isinstance(command, str):
        return command
    words = [word for word in command if isinstance(word, str)] if isinstance(command, list) else []
    match words:
        case [program, flag, line] if _SHELL.search(program) and _RUNS.fullmatch(flag):
            return line
        case ["apply_patch", patch]:
            return f"apply_patch\n{patch}"
    return shlex.join(words)


def patched(text: str) -> tuple[str, ...]:
    """Return the files that a patch in Codex's form writes, changes, moves or deletes."""
    names = (found[1] or found[2] for found in _PATCHED.finditer(text))
    return tuple(dict.fromkeys(name.strip() for name in names))[:_MOST_PATHS]


def _patch(given: JsonObject) -> list[AnyAction]:
    return [Edit(paths=patched(text_at(given, "input") or text_at(given, "patch")))]


def _shell(given: JsonObject) -> list[AnyAction]:
    line = text_at(given, "command")
    if "apply_patch" in line and (paths := patched(line)):
        return [Edit(paths=paths)]
    return [*_looks(line), *shell_actions({"command": line})]


_READERS = frozenset({"cat", "sed", "nl", "head", "tail", "less", "bat"})
_SEARCHERS = frozenset({"rg", "grep", "fd", "ag"})


def _looks(line: str) -> list[AnyAction]:
    """Return what a command line reads and searches: Codex has hardly any other tools for that."""
    from memtool.signals.lexer import simple_commands

    found: list[AnyAction] = []
    for simple in simple_commands(line):
        words = [word for word in simple.words[1:] if not word.startswith("-")]
        name = simple.words[0] if simple.words else ""
        if name in _READERS and "-i" not in simple.words:
            paths = tuple(words[1:] if name == "sed" else words)
            found += [Read(paths=paths)] if paths else []
        elif name in _SEARCHERS and words:
            found.append(Search(query=words[0], paths=tuple(words[1:])))
    return found


def _todos(given: JsonObject) -> list[AnyAction]:
    return [Todo(items=items_in(given, "plan", "step"))]


def task_of(given: JsonObject) -> str:
    """Return what a subagent is told."""
    return text_at(given, "message") or content_text(given.get("items")) or text_at(given, "prompt")


def _subagent(given: JsonObject) -> list[AnyAction]:
    name = text_at(given, "task_name") or text_at(given, "agent_type")
    task = next((line for line in task_of(given).splitlines() if line.strip()), "")
    return [Subagent(stage="started", task=task.strip(), agent=name)]


def _web(given: JsonObject) -> list[AnyAction]:
    url = text_at(given, "url")
    query = text_at(given, "query") or text_at(given, "pattern")
    return [Read(paths=(url,))] if url and not query else [Search(query=query)]


MAKERS: Mapping[str, Make] = {
    **dict.fromkeys(
        ("shell", "container.exec", "local_shell", "shell_command", "exec_command"), _shell
    ),
    "apply_patch": _patch,
    "update_plan": _todos,
    **dict.fromkeys(
        ("view_image", "read_file", "list_dir"), reads("path", "file_path", "dir_path")
    ),
    "grep_files": searches("pattern"),
    "web_search": _web,
    "request_user_input": form,
    **dict.fromkeys(SPAWNS, _subagent),
}
"""The actions of each tool that has any."""


# --- Results ---


class Result(NamedTuple):
    """What a tool gave, without what Codex writes around it."""

    text: str
    is_error: bool = False


_HEADER = re.compile(
    r"(?:(?:Chunk ID|Exit code|Wall time|Process exited with code|Process running with session ID"
    r"|Original token count|Total output lines|Script \w+|\s)[^\n]*\n)*Output:\n"
)
_FAILED = re.compile(
    r"unsupported (?:custom tool )?call: |apply_patch verification failed"
    r"|failed to parse function arguments|aborted by user"
)
_CODE = re.compile(r"^(?:Exit code: |Process exited with code )(-?\d{1,9})", re.MULTILINE)


def result_of(output: object) -> Result:
    """Return the text of a result, and whether it says that the call failed."""
    if isinstance(output, dict):
        content = output.get("content", output.get("output", output.get("body")))
        return _with_code(content_text(content), 1 if output.get("success") is False else None)
    text = content_text(output) if output is not None else ""
    if text.startswith('{"output":'):  # as 0.40 wrote it
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = {}
        if isinstance(found, dict) and isinstance(found.get("output"), str):
            return _with_code(found["output"], object_at(found, "metadata").get("exit_code"))
    header = _HEADER.match(text)
    if header is None:
        return Result(text, is_error=_FAILED.match(text) is not None)
    code = _CODE.search(header[0])
    return _with_code(text[header.end() :], int(code[1]) if code else None)


def _with_code(text: str, code: object) -> Result:
    if not isinstance(code, int) or isinstance(code, bool) or code == 0:
        return Result(text)
    return Result(f"Exit code {code}\n{text}", is_error=True)


# --- What a person answered ---

_REJECTED = re.compile(r"(?:(?:exec command|patch) )?rejected by user\b")
Said = tuple[str, str, AnyAction]
"""The kind of the person's event, the words, and what they mean."""


def said_in(result: Result, call: JsonObject, given: JsonObject) -> Said | None:
    """Return what the person said in the result of a call: an answer, or that it may not be made."""
    text = result.text.removeprefix("Exit code 1\n").strip()
    if _REJECTED.match(text):
        name = text_at(call, "name")
        paths = patched(text_at(given, "input"))
        subject = text_at(given, "command") or ", ".join(paths) or name
        return "command", "Rejected", Rejection(subject=subject)
    if text_at(call, "name") == "request_user_input":
        return _answered(text, given)
    return None


def _answered(text: str, given: JsonObject) -> Said | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    answers = object_at(found, "answers") if isinstance(found, dict) else {}
    asked: list[Asked] = []
    for one in list_at(given, "questions"):
        if not isinstance(one, dict):
            continue
        answer = answers.get(text_at(one, "id"))
        chosen = answer.get("answers") if isinstance(answer, dict) else answer
        words = (
            [word for word in chosen if isinstance(word, str)] if isinstance(chosen, list) else []
        )
        if words:
            question = asked_in({"questions": [one]})
            name = question[0].question if question else text_at(one, "header")
            options = question[0].options if question else ()
            asked.append(Asked(name, options, ", ".join(words)))
    return _as_prompt(asked)


def _as_prompt(asked: list[Asked]) -> Said | None:
    if not asked:
        return None
    words = "\n".join(f"{one.question} \u2192 {one.answer}" for one in asked)
    return "prompt", words, Question(asked=tuple(asked))


_REPLY = re.compile(
    r"\s*<send_user_message_question_reply>(.*)</send_user_message_question_reply>\s*", re.DOTALL
)


def replied(text: str) -> Said | None:
    """Return the answers to questions that the agent asked in a message, where the prompt is nothing else."""
    found = _REPLY.fullmatch(text)
    if found is None:
        return None
    try:
        rows = json.loads(found[1])
    except (ValueError, RecursionError):
        return None
    pairs = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return _as_prompt(
        [Asked(text_at(row, "question"), (), text_at(row, "answer")) for row in pairs]
    )


def proposed(text: str) -> list[AnyAction]:
    """Return a plan that the agent proposed."""
    heading, steps = plan_of(text)
    return [Plan(heading=heading, steps=steps)]
