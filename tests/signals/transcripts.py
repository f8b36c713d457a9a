"""Events with actions, made from transcripts of Claude Code, until its reader writes actions itself."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from memtool.agents.reading import read_stream
from memtool.model.actions import (
    METADATA_KEY,
    AnyAction,
    Asked,
    Edit,
    Issue,
    Item,
    Plan,
    Question,
    Read,
    Rejection,
    Search,
    State,
    Subagent,
    Todo,
    encode,
)
from memtool.model.records import Claim, Event, EventId
from memtool.signals.shell import actions_of

Json = dict[str, Any]
_SAID = "To tell you how to proceed, the user said:\n"
_CREATED = re.compile(r"Task #(\d+) created successfully: (.*)")
_STATES: dict[str, State] = {
    "pending": "pending",
    "in_progress": "started",
    "completed": "done",
    "deleted": "dropped",
}


def events_of(files: Iterable[Path]) -> list[Event]:
    """Return the current events of the transcripts, each once, those of a person outside prompts included."""
    found: dict[str, Event] = {}
    for path in files:
        found |= {event.id: event for event in _of_file(path)}
    return list(found.values())


def _of_file(path: Path) -> Iterator[Event]:
    data = path.read_bytes()
    raw = list(_records(data))
    calls = {
        str(block["id"]): _call(str(block["name"]), block["input"])
        for record in raw
        for block in _blocks(record)
        if block.get("type") == "tool_use"
    }
    results = {
        str(block.get("tool_use_id")): record
        for record in raw
        for block in _blocks(record)
        if block.get("type") == "tool_result"
    }
    branches = {
        _us(str(record["timestamp"])): str(record["gitBranch"])
        for record in raw
        if record.get("gitBranch") and record.get("timestamp")
    }
    branch = ""
    main: Event | None = None
    for event in _events(data, path.stem):
        branch = branches.get(event.time_us, branch)
        metadata = event.metadata | ({"branch": branch} if branch else {})
        call = metadata.get("tool_use_id", "")
        actions = _actions(event, calls.get(call, ()))
        if actions:
            metadata[METADATA_KEY] = encode(actions)
        if main is None and "sidechain" not in metadata:
            main = event
        yield _with(event, metadata=metadata, text=_text(event, actions))
        if event.kind == "tool_result" and call in results:
            yield from _said(event, metadata, results[call], calls.get(call, ()))
    if main is not None:
        for number, title in enumerate(_titles(raw)):
            given = {"given_by": "agent"}
            yield _with(
                main, number + 1, kind="title", role="assistant", text=title, metadata=given
            )


def _records(data: bytes) -> Iterator[Json]:
    for line in data.splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def _events(data: bytes, name: str) -> Iterator[Event]:
    for chunk in read_stream(io.BytesIO(data), name=name):
        yield from (record for record in chunk.records if isinstance(record, Event))


def _titles(raw: list[Json]) -> Iterator[str]:
    """Yield the titles of which the last record is in the same file."""
    leaves = {record.get("uuid") for record in raw}
    for record in raw:
        if record.get("type") == "summary" and record.get("leafUuid") in leaves:
            yield record["summary"]


def _actions(event: Event, call: tuple[AnyAction, ...]) -> tuple[AnyAction, ...]:
    if event.kind in {"tool_call", "subagent_start"}:
        return call
    if event.kind == "subagent_end":
        return (Subagent(stage="ended"),)
    if event.kind == "tool_result" and (made := _CREATED.match(event.text)):
        return (Todo(items=(Item(made[2].strip(), "pending", made[1]),), partial=True),)
    return ()


def _text(event: Event, actions: tuple[AnyAction, ...]) -> str:
    """Return an event's text; of a to-do list, all items as lines."""
    lists = [action for action in actions if isinstance(action, Todo) and not action.partial]
    if not lists:
        return event.text
    return "\n".join(["TodoWrite", *(f"{item.state}: {item.text}" for item in lists[0].items)])


def _with(event: Event, block: int = 0, **changes: Any) -> Event:
    if block:
        changes["id"] = EventId(f"{event.id[:28]}f{block:03x}")
    return replace(event, **changes)


def _said(
    event: Event, metadata: dict[str, str], record: Json, call: tuple[AnyAction, ...]
) -> Iterator[Event]:
    """Yield what a person answered, rejected or approved, as an event of the person."""
    result = record.get("toolUseResult")
    plan = next((each for each in call if isinstance(each, Plan)), None)
    text = ""
    action: AnyAction = Rejection()
    if not isinstance(result, dict) and event.text.startswith("User has answered your questions: "):
        result = {"answers": dict(re.findall(r'"([^"]+)"="([^"]+)"', event.text))}
    if isinstance(result, dict) and result.get("answers"):
        options = {each["question"]: each["options"] for each in result.get("questions", [])}
        pairs = tuple(
            Asked(question, tuple(each["label"] for each in options.get(question, ())), answer)
            for question, answer in result["answers"].items()
        )
        action = Question(asked=pairs)
        text = "\n".join(f"{pair.question} → {pair.answer}" for pair in pairs)
    elif _SAID in event.text and "The user wants to clarify these questions" not in event.text:
        text = event.text.partition(_SAID)[2].strip()
        action = Plan(heading=plan.heading, verdict="rejected") if plan else action
    elif plan and "User has approved your plan" in event.text:
        text = "Plan approved"
        action = Plan(heading=plan.heading, steps=plan.steps, verdict="approved")
    if text:
        metadata = {**metadata, METADATA_KEY: encode([action])}
        metadata.pop("is_error", None)
        yield _with(event, 1, kind="prompt", role="user", text=text, metadata=metadata)


def _call(name: str, given: Json) -> tuple[AnyAction, ...]:
    """Return the actions of a call of a tool."""
    if name in {"Task", "Agent"}:
        task = str(given.get("description") or given.get("prompt"))
        return (Subagent(stage="started", task=task, agent=str(given.get("subagent_type", ""))),)
    if name.endswith("__create_issue"):
        return (Issue(verb="opened", title=str(given.get("title", ""))),)
    make = _TOOLS.get(name)
    return make(given) if make else ()


def _path(given: Json) -> str:
    return str(given.get("file_path") or given.get("notebook_path") or given.get("url") or "")


def _edit(given: Json) -> tuple[AnyAction, ...]:
    return (Edit(paths=(_path(given),)),)


def _todos(given: Json) -> tuple[AnyAction, ...]:
    items = [Item(each["content"], _STATES[each["status"]]) for each in given.get("todos", [])]
    return (Todo(items=tuple(items)),)


def _task(given: Json) -> tuple[AnyAction, ...]:
    if not given.get("status"):
        return ()
    item = Item(str(given.get("subject", "")), _STATES[given["status"]], str(given["taskId"]))
    return (Todo(items=(item,), partial=True),)


_TOOLS: dict[str, Callable[[Json], tuple[AnyAction, ...]]] = {
    "Bash": lambda given: actions_of(str(given.get("command", ""))),
    "Read": lambda given: (Read(paths=(_path(given),)),),
    "WebFetch": lambda given: (Read(paths=(_path(given),)),),
    "Edit": _edit,
    "Write": _edit,
    "MultiEdit": _edit,
    "Grep": lambda given: (Search(query=str(given.get("pattern", ""))),),
    "TodoWrite": _todos,
    "TaskUpdate": _task,
    "ExitPlanMode": lambda given: (plan_of(str(given.get("plan", ""))),),
}


def plan_of(text: str) -> Plan:
    """Return a plan's heading and its numbered or third-level headings."""
    lines = [line.strip() for line in text.splitlines()]
    heading = next((line.lstrip("# ") for line in lines if line.startswith("#")), "")
    return Plan(
        heading=heading,
        steps=tuple(
            line.lstrip("#0123456789. ") for line in lines if re.match(r"### |\d+\. ", line)
        ),
    )


def _blocks(record: Json) -> list[Json]:
    message = record.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    return [each for each in content if isinstance(each, dict)] if isinstance(content, list) else []


def _us(when: str) -> int:
    return round(datetime.fromisoformat(when).timestamp() * 1_000_000)


def person_events(person: Path) -> list[Event]:
    """Return all events of one person's transcripts of the test data."""
    events = events_of(sorted(person.glob("projects/*/*.jsonl")))
    return [replace(event, claims=(Claim(event.session, event.project),)) for event in events]
