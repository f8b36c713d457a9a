"""What an agent did or a person answered, as structured fields. An event carries its actions in its metadata."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec

METADATA_KEY = "actions"
MOST_BYTES = 3_800
"""A bit less than what metadata keeps per name: a list that was cut would be no JSON."""
_LONGEST_TEXT = 400
_MOST_ITEMS = 40

State = Literal["pending", "started", "done", "dropped"]
Verb = Literal["opened", "merged", "closed", "reopened", "commented", "reviewed", "edited", "seen"]


class Action(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="do", kw_only=True):
    """`text` of an event holds the words; an action says what they mean."""


class Read(Action, frozen=True, tag="read"):
    """Files or pages were read."""

    paths: tuple[str, ...] = ()


class Edit(Action, frozen=True, tag="edit"):
    """Files were written, changed or deleted."""

    paths: tuple[str, ...] = ()


class Search(Action, frozen=True, tag="search"):
    """Files or the web were searched."""

    query: str = ""
    paths: tuple[str, ...] = ()


class Run(Action, frozen=True, tag="run"):
    """One simple command of a shell line, without here-documents."""

    command: str = ""
    purpose: Literal["", "test", "lint", "build", "undo"] = ""
    hidden: bool = False
    """The exit code of the line is not, or not only, that of this command: it is in a pipe, or others follow."""


class Commit(Action, frozen=True, tag="commit"):
    """`git commit`. `hash` and `branch` where the source itself says them; else they are in the result's text."""

    subject: str = ""
    body: str = ""
    amend: bool = False
    hash: str = ""
    branch: str = ""
    directory: str = ""
    scratch: bool = False
    """Made in a repository that the same command line created (`git init` in a temporary folder)."""


class PullRequest(Action, frozen=True, tag="pull request"):
    """A pull or merge request. `seen` means only looked at: somebody else's, or an earlier one."""

    verb: Verb = "seen"
    number: int = 0
    title: str = ""
    url: str = ""
    repository: str = ""


class Issue(Action, frozen=True, tag="issue"):
    """An issue of a tracker."""

    verb: Verb = "seen"
    number: int = 0
    title: str = ""
    url: str = ""
    repository: str = ""


class Item(msgspec.Struct, frozen=True, omit_defaults=True, array_like=True):
    """One item of a to-do list or step of a plan."""

    text: str
    state: State = "pending"
    id: str = ""


class Todo(Action, frozen=True, tag="todo"):
    """The whole list as it now stands, or, where `partial`, the items that were added or changed."""

    items: tuple[Item, ...] = ()
    partial: bool = False


class Plan(Action, frozen=True, tag="plan"):
    """A plan that the agent proposed (on its call), or what the person made of it (on the person's event)."""

    heading: str = ""
    steps: tuple[str, ...] = ()
    verdict: Literal["proposed", "approved", "changed", "rejected"] = "proposed"


class Asked(msgspec.Struct, frozen=True, omit_defaults=True):
    """One question of a form, its options' labels, and the person's answer."""

    question: str
    options: tuple[str, ...] = ()
    answer: str = ""


class Question(Action, frozen=True, tag="question"):
    """A form: on the agent's call without answers, on the person's event with them."""

    asked: tuple[Asked, ...] = ()


class Rejection(Action, frozen=True, tag="rejection"):
    """On the person's event: a call was not allowed. `tool_use_id` of the event's metadata names the call."""

    subject: str = ""


class Subagent(Action, frozen=True, tag="subagent"):
    """A subagent was given a task (`started`), sent to the background (`launched`), or came back (`ended`)."""

    stage: Literal["started", "launched", "ended"] = "started"
    task: str = ""
    agent: str = ""
    id: str = ""


AnyAction = (
    Read
    | Edit
    | Search
    | Run
    | Commit
    | PullRequest
    | Issue
    | Todo
    | Plan
    | Question
    | Rejection
    | Subagent
)

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(tuple[AnyAction, ...])


def encode(actions: Sequence[AnyAction]) -> str:
    """Return the actions as one line of JSON of at most MOST_BYTES: long texts are shortened, late actions dropped."""
    line = _ENCODER.encode(actions)
    if len(line) <= _LONGEST_TEXT and line.count(b'"') <= _MOST_ITEMS:
        return line.decode()  # too short for anything to be bounded
    kept = [_bounded(action) for action in actions[:_MOST_ITEMS]]
    line = _ENCODER.encode(kept)
    while len(line) > MOST_BYTES and len(kept) > 1:
        kept.pop()
        line = _ENCODER.encode(kept)
    if len(line) > MOST_BYTES:
        line = _ENCODER.encode([_bounded(kept[0], _LONGEST_TEXT // 8)])
    return line.decode() if len(line) <= MOST_BYTES else "[]"


def decode(metadata: Mapping[str, str]) -> tuple[AnyAction, ...]:
    """Return the actions of an event's metadata; what is not valid is no action."""
    line = metadata.get(METADATA_KEY)
    if not line:
        return ()
    try:
        return _DECODER.decode(line)
    except msgspec.DecodeError:
        return ()


def with_texts(line: str, change: Callable[[str], str]) -> str:
    """Return encoded actions with each text changed; what is not valid is returned as it is."""
    found = decode({METADATA_KEY: line})
    if not found:
        return line
    return encode(
        msgspec.convert(_changed(msgspec.to_builtins(found), change), tuple[AnyAction, ...])
    )


def _changed(value: object, change: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, (list, tuple)):
        return [_changed(each, change) for each in value]
    if isinstance(value, dict):
        return {key: each if key == "do" else _changed(each, change) for key, each in value.items()}
    return value


def _bounded(action: AnyAction, longest: int = _LONGEST_TEXT) -> AnyAction:
    plain = msgspec.to_builtins(action)
    short = {key: _short(value, longest) for key, value in plain.items()}
    bounded: AnyAction = msgspec.convert(short, AnyAction)
    return bounded


def _short(value: object, longest: int) -> object:
    if isinstance(value, str):
        return value if len(value) <= longest else value[: longest - 1] + "…"
    if isinstance(value, (list, tuple)):
        return [_short(each, longest) for each in value[:_MOST_ITEMS]]
    if isinstance(value, dict):
        return {key: _short(each, longest) for key, each in value.items()}
    return value
