"""Calls of tools, of any agent: their text, and what is the same in how they become actions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from memtool.agents.values import JsonObject, text_at
from memtool.model.actions import AnyAction, Edit, Issue, PullRequest, Read, Search, Verb, encode
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
_PATHS = ("file_path", "notebook_path", "absolute_path", "path", "dir_path")


def call_text(name: str, arguments: JsonObject) -> Redacted:
    """Return the tool's name with the most telling argument, then the other arguments a line each."""
    headline = next((key for key in _HEADLINES if text_at(arguments, key)), "")
    rest = [
        (key, _shown(key, value))
        for key, value in sorted(arguments.items())
        if key != headline and value not in (None, False, "", [], {})
    ]
    first = _shown(headline, arguments.get(headline, ""))
    lines = [f"{name}: {first.text}" if headline else name]
    lines += [f"{key}: {shorten(value.text, _MAX_FIELD_CHARACTERS)}" for key, value in rest]
    return Redacted("\n".join(lines), first.count + sum(value.count for _, value in rest))


def call_path(arguments: JsonObject) -> str:
    """Return the file or directory that the call is about, or ""."""
    return next((text_at(arguments, key) for key in _PATHS if text_at(arguments, key)), "")


def content_text(content: object) -> str:
    """Return the text of a block's content: a string, or a list of blocks of which some are no text."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else [content]
    return "\n".join(text for text in map(_block_text, blocks) if text)


def _shown(key: str, value: object) -> Redacted:
    text = (
        value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    )
    return redact_field(key, text)  # before any cut: half a secret is one still


def _block_text(block: object) -> str:
    if isinstance(block, str):
        return block
    if not isinstance(block, dict):
        return ""
    return text_at(block, "text") or (
        f"[{text_at(block, 'type')}]" if text_at(block, "type") else ""
    )


# --- Actions ---

Makers = Mapping[str, Callable[[JsonObject], list[AnyAction]]]
"""What each tool does that does anything, from its arguments."""


def actions_by(makers: Makers, name: str, given: JsonObject) -> str:
    """Return what a call does as actions, encoded; "" where no action has a name for it."""
    make = makers.get(name)
    if make is None and not name.startswith("mcp__"):
        return ""
    # Masked before it is encoded: a mask across a bracket would leave no JSON.
    texts = {key: value for key, value in given.items() if isinstance(value, str)}
    if may_hold_secrets("", texts):
        given = {**given, **{key: redact_field(key, text).text for key, text in texts.items()}}
    return encoded(make(given) if make else _of_other_tool(name, given))


def encoded(actions: list[AnyAction]) -> str:
    """Return the actions as text, "" for none."""
    return encode(actions) if actions else ""


def _path_or_url(given: JsonObject) -> tuple[str, ...]:
    place = call_path(given) or text_at(given, "url")
    return (place,) if place else ()


def read(given: JsonObject) -> list[AnyAction]:
    """Return that a file or page is read."""
    return [Read(paths=_path_or_url(given))]


def edit(given: JsonObject) -> list[AnyAction]:
    """Return that a file is written."""
    return [Edit(paths=_path_or_url(given))]


def search(given: JsonObject) -> list[AnyAction]:
    """Return that files or the web are searched."""
    return [
        Search(
            query=text_at(given, "pattern") or text_at(given, "query"), paths=_path_or_url(given)
        )
    ]


def shell(given: JsonObject) -> list[AnyAction]:
    """Return what the shell command in `command` does."""
    from memtool.signals.shell import actions_of

    return list(actions_of(text_at(given, "command")))


_NUMBERED_STEP = re.compile(r"(?:\d{1,2}[.)]|###)\s+(.+)")
_MOST_STEPS = 40


def plan_of(text: str) -> tuple[str, tuple[str, ...]]:
    """Return a plan's heading and steps: its numbered lines or third-level headings."""
    lines = [line.strip() for line in text.splitlines()]
    heading = next((line.lstrip("# ") for line in lines if line.startswith("#")), "")
    steps = [found[1] for line in lines if (found := _NUMBERED_STEP.match(line))]
    return heading, tuple(steps[:_MOST_STEPS])


_FORGE = re.compile(r"mcp__.*__(create|merge)_(pull_request|issue)")


def _of_other_tool(name: str, given: JsonObject) -> list[AnyAction]:
    """Return what a tool of an MCP server does, where its name says it."""
    found = _FORGE.fullmatch(name)
    if found is None:
        return []
    verb: Verb = "merged" if found[1] == "merge" else "opened"
    title = text_at(given, "title")
    return [
        PullRequest(verb=verb, title=title)
        if found[2] == "pull_request"
        else Issue(verb=verb, title=title)
    ]
