"""What was taken back: branches of a conversation that a prompt leaves behind, and drafts in the queue.

`/rewind` writes no record of its own: the next prompt just has an older parent. Two children of one parent also come
from parallel results of tools, so only a prompt rewinds, and only where its parent has a prompt below it that was
answered; and then only that branch is left. A prompt without a parent goes back to the very beginning of its session.

What a person typed while Claude Code worked waits in a queue, and may or may not become a record of its own. It is an
event when it is queued, so that none is lost: some versions hand it to the model without any other trace. When a
record with the same words follows in the file, the queued event is taken back by a rewind. Every earlier one with
these words is, which needs no memory of what was taken back before. A draft that the person takes back (`popAll`,
`remove` with its words) is rewound too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from memtool.agents.calls import content_text
from memtool.agents.claude import raw_digest, raw_key
from memtool.agents.claude.typed import words_of
from memtool.agents.drafts import Draft
from memtool.agents.registry import File
from memtool.agents.values import JsonObject, instant_us, is_true, text_at
from memtool.model.records import Event, Rewind, event_id

QUEUE_TYPE = "queue-operation"


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
        is_first = prompt.get("parentUuid", "") is None
        is_next = parent == last if parent else not is_first
        if is_next or is_true(prompt, "isSidechain"):
            return []
        if not is_first and not self._has_children(parent, prompt):
            return []
        session = text_at(prompt, "sessionId")
        children: dict[str, list[str]] = {}
        nodes: dict[str, _Node] = {}
        for record in self._before(prompt, "parentUuid"):
            uuid = text_at(record, "uuid")
            is_other = is_first and text_at(record, "sessionId") != session
            if uuid and uuid not in nodes and not is_other and not is_true(record, "isSidechain"):
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


def queue_drafts(record: JsonObject) -> list[Draft]:
    """Return the prompt or command that was queued; what Claude Code queues for itself is left to its record."""
    if text_at(record, "operation") != "enqueue":
        return []
    typed = [words for words in words_of(content_text(record.get("content"))) if words.is_typed]
    if not typed:
        return []
    text = typed[0].text
    kind = "command" if text.startswith("/") else typed[0].kind
    return [Draft(1, kind, text, {"queued": "true"}, typed=text)]


class Queue:
    """The queued words of one file that a later record may take back, and those that still wait."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._is_loaded = False
        self._queued: list[tuple[str, Rewind]] = []
        self._waiting: list[tuple[str, Rewind]] = []

    def add(self, draft: Draft, event: Event) -> None:
        """Add what was queued."""
        self._load()
        self._add(draft.typed, Rewind(event.id, event.revision))

    def follow(self, typed: str) -> list[Rewind]:
        """Return the rewinds that an entered text brings: those of the queued events with the same words."""
        if not typed:
            return []
        self._load()
        found = [rewind for words, rewind in self._queued if words == typed]
        self._queued = [row for row in self._queued if row[0] != typed]
        self._waiting = [row for row in self._waiting if row[0] != typed]
        return found

    def change(self, record: JsonObject) -> list[Rewind]:
        """Return the rewinds that an operation brings which takes something out of the queue."""
        self._load()
        return self._change(record)

    def _add(self, typed: str, rewind: Rewind) -> None:
        self._queued.append((typed, rewind))
        self._waiting.append((typed, rewind))

    def _change(self, record: JsonObject) -> list[Rewind]:
        operation = text_at(record, "operation")
        content = content_text(record.get("content")).strip()
        if operation == "popAll" or (operation == "remove" and content):
            taken = [row for row in self._waiting if not content or row[0] in content]
            self._waiting = [
                row for row in self._waiting if operation == "remove" and row not in taken
            ]
            return [rewind for _, rewind in taken]
        if operation in {"dequeue", "remove"}:
            self._waiting = self._waiting[1:]  # it was handed to the model
        return []

    def _load(self) -> None:
        """Go through the part of the file before this reading, once."""
        if self._is_loaded:
            return
        self._is_loaded = True
        seen: Counter[str] = Counter()
        for record in self._file.earlier(QUEUE_TYPE):
            if text_at(record, "type") != QUEUE_TYPE or text_at(record, "uuid"):
                continue
            key = raw_key(record)
            seen[key] += 1
            time_us = instant_us(record.get("timestamp"))
            if time_us is None:
                continue
            digest = raw_digest(record, time_us, seen[key] - 1)
            for draft in queue_drafts(record):
                self._add(draft.typed, Rewind(event_id(digest, draft.block), time_us))
            self._change(record)
