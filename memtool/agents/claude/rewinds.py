"""Which branch of a conversation a prompt leaves behind: `/rewind` writes no record of its own.

The next prompt just has an older parent. Two children of one parent also come from parallel results of tools, so only
a prompt rewinds, and only where its parent has a prompt below it that was answered; and then only that branch is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from memtool.agents.registry import File
from memtool.agents.values import JsonObject, is_true, text_at


class _Node(NamedTuple):
    """A record of the conversation."""

    parent: str
    is_prompt: bool
    is_answer: bool


class Rewinds:
    """The conversation of one file, as far as it is needed."""

    def __init__(self, file: File, is_prompt: Callable[[JsonObject], bool]) -> None:
        self._file = file
        self._is_prompt = is_prompt
        self._last = ""

    def pass_by(self, record: JsonObject) -> None:
        """Note a record that is not a prompt."""
        if not is_true(record, "isSidechain"):
            self._last = text_at(record, "uuid") or self._last

    def left_by(self, prompt: JsonObject) -> list[JsonObject]:
        """Return the records of the branches that the prompt leaves: none where it follows the record before it."""
        last, self._last = self._last, text_at(prompt, "uuid")
        parent = text_at(prompt, "parentUuid")
        is_plain = not parent or parent == last or is_true(prompt, "isSidechain")
        if is_plain or not self._has_children(parent, prompt):
            return []
        children: dict[str, list[str]] = {}
        nodes: dict[str, _Node] = {}
        for record in self._before(prompt, "parentUuid"):
            uuid = text_at(record, "uuid")
            if uuid and uuid not in nodes and not is_true(record, "isSidechain"):
                is_answer = text_at(record, "type") == "assistant"
                nodes[uuid] = _Node(
                    text_at(record, "parentUuid"), self._is_prompt(record), is_answer
                )
                children.setdefault(nodes[uuid].parent, []).append(uuid)
        left: set[str] = set()
        for child in children.get(parent, ()):
            branch = _below(child, children)
            if any(
                nodes[one].is_prompt and any(nodes[n].is_answer for n in _below(one, children))
                for one in branch
            ):
                left |= branch
        if not left:
            return []
        records = self._before(prompt, "parentUuid")
        return [record for record in records if text_at(record, "uuid") in left]

    def _has_children(self, parent: str, prompt: JsonObject) -> bool:
        if not parent.isascii():
            return False
        return any(
            text_at(record, "parentUuid") == parent for record in self._before(prompt, parent)
        )

    def _before(self, prompt: JsonObject, word: str) -> Iterator[JsonObject]:
        end = text_at(prompt, "uuid")
        for record in self._file.whole(word):
            if text_at(record, "uuid") == end:
                return
            yield record


def _below(top: str, children: dict[str, list[str]]) -> set[str]:
    """Return the record and all that descend from it."""
    found, waiting = {top}, [top]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in found:
                found.add(child)
                waiting.append(child)
    return found
