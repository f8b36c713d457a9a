"""What a person typed while Claude Code worked: it waits in a queue, and may or may not become a record of its own.

It is an event when it is queued, so that none is lost: some versions hand it to the model without any other
trace. When a record with the same words follows in the file, the queued event is taken back by a rewind. Every
earlier one with these words is, which needs no memory of what was taken back before.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from memtool.agents import File
from memtool.agents.claude.draft import Draft
from memtool.agents.claude.ids import raw_digest, raw_key
from memtool.agents.claude.tools import content_text
from memtool.agents.claude.words import words_of
from memtool.agents.times import instant_us
from memtool.agents.values import JsonObject, text_at
from memtool.model.records import Event, Rewind, event_id

QUEUE_TYPE = "queue-operation"


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
    """The queued words of one file that a later record may take back."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._waiting: dict[str, list[Rewind]] | None = None

    def follow(self, draft: Draft, event: Event) -> list[Rewind]:
        """Return the rewinds that this event brings: those of the queued events with the same words."""
        if not draft.typed:
            return []
        waiting = self._known()
        if "queued" in draft.metadata:
            waiting[draft.typed].append(Rewind(event.id, event.revision))
            return []
        return waiting.pop(draft.typed, [])

    def _known(self) -> dict[str, list[Rewind]]:
        if self._waiting is None:
            self._waiting = self._queued_earlier()
        return self._waiting

    def _queued_earlier(self) -> dict[str, list[Rewind]]:
        waiting: dict[str, list[Rewind]] = defaultdict(list)
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
                waiting[draft.typed].append(Rewind(event_id(digest, draft.block), time_us))
        return waiting
