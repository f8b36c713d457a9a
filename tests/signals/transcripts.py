"""Events with actions, made from Claude Code's transcripts. Readers do not write actions yet; when they do, this goes."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

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
from memtool.model.records import Claim, Event
from memtool.signals.shell import actions_of

Json = dict[str, object]
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
    calls: dict[str, tuple[AnyAction, ...]] = {}
    asked: dict[str, Json] = {}
    branches: dict[str, str] = {}
    titles: list[str] = []
    leaves: set[str] = set()
    raw: list[Json] = []
    for line in data.splitlines():
        try:
            raw.append(json.loads(line))
        except ValueError:
            continue
    for record in raw:
        leaves.add(str(record.get("uuid", "")))
        for block in _blocks(record):
            if block.get("type") == "tool_use":
                calls[str(block["id"])] = _call(str(block["name"]), dict(block["input"]))  # type: ignore[call-overload]
            if block.get("type") == "tool_result":
                asked[str(block.get("tool_use_id"))] = record
    for record in raw:
        if record.get("type") == "summary" and record.get("leafUuid") in leaves:
            titles.append(str(record["summary"]))
        when = str(record.get("timestamp", ""))
        if record.get("gitBranch"):
            branches[when] = str(record["gitBranch"])
    records: list[Event] = [
        event
        for chunk in read_stream(io.BytesIO(data), name=path.stem)
        for event in chunk.records
        if isinstance(event, Event)
    ]
    branch_by_time = {_us(when): branch for when, branch in branches.items()}
    last_branch = ""
    for event in records:
        last_branch = branch_by_time.get(event.time_us, last_branch)
        metadata = dict(event.metadata)
        if last_branch:
            metadata["branch"] = last_branch
        call = metadata.get("tool_use_id", "")
        if event.kind in {"tool_call", "subagent_start"} and calls.get(call):
            metadata[METADATA_KEY] = encode(calls[call])
        if event.kind == "tool_result" and (made := _CREATED.match(event.text)):
            item = Item(made[2].strip(), "pending", made[1])
            metadata[METADATA_KEY] = encode([Todo(items=(item,), partial=True)])
        if event.kind == "subagent_end":
            metadata[METADATA_KEY] = encode([Subagent(stage="ended")])
        yield replace(event, metadata=metadata)
        if event.kind == "tool_result" and call in asked:
            yield from _said(event, metadata, asked[call], calls.get(call, ()))
    main = [event for event in records if "sidechain" not in event.metadata]
    if main:
        for number, title in enumerate(titles):
            yield replace(
                main[0],
                id=main[0].id[:24] + f"{number:08x}",
                kind="title",
                role="assistant",
                text=title,
                metadata={"given_by": "agent"},
            )


def _said(
    event: Event, metadata: dict[str, str], record: Json, call: tuple[AnyAction, ...]
) -> Iterator[Event]:
    result = record.get("toolUseResult")
    text, action = "", None
    plan = next((each for each in call if isinstance(each, Plan)), None)
    if isinstance(result, dict) and isinstance(result.get("answers"), dict) and result["answers"]:
        options = {q["question"]: q["options"] for q in result.get("questions", [])}
        pairs = tuple(
            Asked(question, tuple(o["label"] for o in options.get(question, ())), answer)
            for question, answer in result["answers"].items()
        )
        action = Question(asked=pairs)
        text = "\n".join(f"{pair.question} → {pair.answer}" for pair in pairs)
    elif _SAID in event.text and "The user wants to clarify these questions" not in event.text:
        text = event.text.partition(_SAID)[2].strip()
        action = Plan(heading=plan.heading, verdict="rejected") if plan else Rejection()
    elif plan and "User has approved your plan" in event.text:
        text = "Plan approved"
        action = Plan(heading=plan.heading, steps=plan.steps, verdict="approved")
    if action is not None and text:
        metadata = {**metadata, METADATA_KEY: encode([action])}
        metadata.pop("is_error", None)
        yield replace(
            event,
            id=event.id[:28] + "f001",
            kind="prompt",
            role="user",
            text=text,
            metadata=metadata,
        )


def _call(name: str, given: Json) -> tuple[AnyAction, ...]:
    path = str(given.get("file_path") or given.get("notebook_path") or given.get("path") or "")
    if name == "Bash":
        return actions_of(str(given.get("command", "")))
    if name in {"Read", "WebFetch"}:
        return (Read(paths=(path or str(given.get("url", "")),)),)
    if name in {"Edit", "Write", "MultiEdit", "NotebookEdit"}:
        return (Edit(paths=(path,)),)
    if name in {"Grep", "Glob", "WebSearch"}:
        return (Search(query=str(given.get("pattern") or given.get("query") or "")),)
    if name == "TodoWrite":
        todos = given.get("todos")
        items = [
            Item(str(t["content"]), _STATES[str(t["status"])])
            for t in (todos if isinstance(todos, list) else [])
        ]
        return (Todo(items=tuple(items)),)
    if name == "TaskUpdate" and given.get("status"):
        item = Item(
            str(given.get("subject", "")), _STATES[str(given["status"])], str(given["taskId"])
        )
        return (Todo(items=(item,), partial=True),)
    if name == "ExitPlanMode":
        return (plan_of(str(given.get("plan", ""))),)
    if name in {"Task", "Agent"}:
        task = str(given.get("description") or given.get("prompt"))
        return (Subagent(stage="started", task=task, agent=str(given.get("subagent_type", ""))),)
    if name.endswith("__create_issue"):
        return (Issue(verb="opened", title=str(given.get("title", ""))),)
    return ()


def plan_of(text: str) -> Plan:
    """Return a plan's heading and its numbered or third-level headings."""
    lines = [line.strip() for line in text.splitlines()]
    heading = next((line.lstrip("# ") for line in lines if line.startswith("#")), "")
    return Plan(
        heading=heading, steps=tuple(line.lstrip("# ") for line in lines if line.startswith("### "))
    )


def _blocks(record: Json) -> list[Json]:
    message = record.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    return (
        [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    )


def _us(when: str) -> int:
    from datetime import datetime

    return round(datetime.fromisoformat(when.replace("Z", "+00:00")).timestamp() * 1_000_000)


def person_events(person: Path) -> list[Event]:
    """Return all events of one person's transcripts of the test data."""
    events = events_of(sorted(person.glob("projects/*/*.jsonl")))
    return [replace(event, claims=(Claim(event.session, event.project),)) for event in events]
