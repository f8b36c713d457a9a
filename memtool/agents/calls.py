"""Calls of tools as text and as actions: what most agents' tools have in common."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from memtool.agents.values import JsonObject, list_at, text_at
from memtool.model.actions import (
    AnyAction,
    Asked,
    Edit,
    Issue,
    Item,
    PullRequest,
    Question,
    Read,
    Search,
    State,
    Subagent,
    Todo,
    Verb,
    encode,
)
from memtool.redact import Redacted, may_hold_secrets, redact_field, shorten

# --- Text ---

_MAX_FIELD_CHARACTERS = 600
# What a call is about, the most telling first; the other fields follow by name.
_HEADLINES = (
    "command",
    "file_path",
    "notebook_path",
    "pattern",
    "query",
    "url",
    "skill",
    "subject",
    "description",
    "prompt",
)


def call_text(name: str, arguments: JsonObject) -> Redacted:
    """Return the tool's name with the most telling argument, then the other arguments a line each.

    Secrets are masked before any cut: half a secret is one still.
    """
    headline = next((key for key in _HEADLINES if text_at(arguments, key)), "")
    texts = {key: _text_of(value) for key, value in arguments.items()}
    is_suspect = may_hold_secrets("", texts)  # one look at all of it
    rest = [
        (key, redact_field(key, texts[key]) if is_suspect else Redacted(texts[key], 0))
        for key, value in sorted(arguments.items())
        if key != headline and value not in (None, False, "", [], {})
    ]
    said = texts.get(headline, "")
    first = redact_field(headline, said) if is_suspect else Redacted(said, 0)
    lines = [f"{name}: {first.text}" if headline else name]
    lines += [f"{key}: {shorten(value.text, _MAX_FIELD_CHARACTERS)}" for key, value in rest]
    return Redacted("\n".join(lines), first.count + sum(value.count for _, value in rest))


def content_text(content: object) -> str:
    """Return the text of a block's content: a string, or a list of blocks of which some are no text."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else [content]
    return "\n".join(text for text in map(_block_text, blocks) if text)


def _text_of(value: object) -> str:
    return (
        value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    )


def _block_text(block: object) -> str:
    if isinstance(block, str):
        return block
    if not isinstance(block, dict):
        return ""
    return text_at(block, "text") or (
        f"[{text_at(block, 'type')}]" if text_at(block, "type") else ""
    )


# --- Actions ---

Make = Callable[[JsonObject], list[AnyAction]]
"""Returns the actions of a call's arguments."""
_FORGE = re.compile(r".*(?:^|[-_.])(create|merge)_(pull_request|issue)")
_CHECKBOX = re.compile(r"^\s*[-*]\s+\[([ xX~/-])\]\s+(.+)$", re.MULTILINE)
STATES: Mapping[str, State] = {
    "pending": "pending",
    "in_progress": "started",
    "completed": "done",
    "done": "done",
    "cancelled": "dropped",
    "deleted": "dropped",
}


def encoded_actions(name: str, given: JsonObject, table: Mapping[str, Make]) -> str:
    """Return what a call does as actions, encoded; "" where no action has a name for it."""
    make = table.get(name)
    forge = _FORGE.fullmatch(name) if make is None else None
    if make is None and forge is None:
        return ""
    # Masked before it is encoded: a mask across a bracket would leave no JSON.
    texts = {key: value for key, value in given.items() if isinstance(value, str)}
    if may_hold_secrets("", texts):
        given = {**given, **{key: redact_field(key, text).text for key, text in texts.items()}}
    actions = make(given) if make else _forged(forge, given) if forge else []
    return encode(actions) if actions else ""


def reads(*names: str) -> Make:
    """Return what reads the file or page in the first of these arguments that there is."""
    return lambda given: [Read(paths=_first(given, names))]


def edits(*names: str) -> Make:
    """Return what changes that file."""
    return lambda given: [Edit(paths=_first(given, names))]


def searches(*names: str) -> Make:
    """Return what searches for the words in the first of these arguments."""
    return lambda given: [
        Search(query="".join(_first(given, names)), paths=_first(given, ("path", "dir_path")))
    ]


def shell(given: JsonObject) -> list[AnyAction]:
    """Return what a shell does with the argument `command`."""
    from memtool.signals.shell import actions_of

    return list(actions_of(text_at(given, "command")))


def subagent(given: JsonObject) -> list[AnyAction]:
    """Return the start of a subagent."""
    kind = text_at(given, "agent_type") or text_at(given, "subagent_type")
    task = text_at(given, "description") or text_at(given, "prompt")
    return [Subagent(stage="started", task=task, agent=kind)]


def items_in(given: JsonObject, key: str, *names: str) -> tuple[Item, ...]:
    """Return the items of a list: each is an object with a status, and its text under the first of these names."""
    objects = (one for one in list_at(given, key) if isinstance(one, dict))
    rows = (("".join(_first(one, names)), text_at(one, "status")) for one in objects)
    return tuple(Item(text, STATES.get(status, "pending")) for text, status in rows if text)


def todos(given: JsonObject) -> list[AnyAction]:
    """Return the to-do list: objects with a text and a status, or Markdown with boxes."""
    boxes = _CHECKBOX.findall(text_at(given, "todos"))
    items = [Item(text.strip(), _state_of_box(box)) for box, text in boxes]
    items += items_in(given, "todos", "content", "text")
    return [Todo(items=tuple(items))] if items else []


def asked_in(given: JsonObject, answers: JsonObject = {}) -> list[Asked]:  # noqa: B006 - read only
    """Return the questions of a form, with the labels of their options, and the answers by question."""
    return [
        Asked(text_at(one, "question"), _labels(one), text_at(answers, text_at(one, "question")))
        for one in list_at(given, "questions")
        if isinstance(one, dict) and text_at(one, "question")
    ]


def form(given: JsonObject) -> list[AnyAction]:
    """Return the form that a call shows."""
    return [Question(asked=tuple(asked_in(given)))]


def _labels(question: JsonObject) -> tuple[str, ...]:
    options = list_at(question, "options")
    return tuple(text_at(one, "label") for one in options if isinstance(one, dict))


def _state_of_box(box: str) -> State:
    return "pending" if box == " " else "done" if box in "xX" else "started"


def _first(given: JsonObject, names: tuple[str, ...]) -> tuple[str, ...]:
    found = next((text_at(given, name) for name in names if text_at(given, name)), "")
    return (found,) if found else ()


def _forged(found: re.Match[str], given: JsonObject) -> list[AnyAction]:
    verb: Verb = "merged" if found[1] == "merge" else "opened"
    title = text_at(given, "title")
    make = PullRequest if found[2] == "pull_request" else Issue
    return [make(verb=verb, title=title)]


_NUMBERED_STEP = re.compile(r"(?:\d{1,2}[.)]|###)\s+(.+)")
_MOST_STEPS = 40


def plan_of(text: str) -> tuple[str, tuple[str, ...]]:
    """Return a plan's heading and steps: its numbered lines or third-level headings."""
    lines = [line.strip() for line in text.splitlines()]
    heading = next((line.lstrip("# ") for line in lines if line.startswith("#")), "")
    steps = [found[1] for line in lines if (found := _NUMBERED_STEP.match(line))]
    return heading, tuple(steps[:_MOST_STEPS])
