"""Claude Code records as a person would write them down, and random ones that nobody would."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from hypothesis import strategies as st

from memtool.agents.outcomes import Counts, total
from memtool.agents.reading import Chunk, Limits, read_chunks
from memtool.model.records import Event, Record

SESSION = "11111111-1111-4111-8111-111111111111"
TIME = "2026-03-01T10:00:00.000Z"
TIME_US = 1_772_359_200_000_000


def record(kind: str, uuid: str = "u1", **fields: object) -> dict[str, object]:
    """Return a record of the conversation; None as a field's value leaves the field out."""
    common: dict[str, object] = {
        "type": kind,
        "uuid": uuid,
        "parentUuid": "u0",
        "sessionId": SESSION,
        "timestamp": TIME,
        "cwd": "/home/u/project",
        "version": "2.1.0",
        "isSidechain": False,
        "gitBranch": "main",
    }
    return {key: value for key, value in (common | fields).items() if value is not None}


def user(content: object, uuid: str = "u1", /, **fields: object) -> dict[str, object]:
    return record("user", uuid, message={"role": "user", "content": content}, **fields)


def assistant(*blocks: object, uuid: str = "a1", **fields: object) -> dict[str, object]:
    message = {"id": "msg_1", "role": "assistant", "model": "model-1", "content": list(blocks)}
    return record("assistant", uuid, message=message, **fields)


def queued(text: object, operation: str = "enqueue", time: str = TIME) -> dict[str, object]:
    fields = {"type": "queue-operation", "operation": operation, "timestamp": time}
    return {**fields, "sessionId": SESSION, **({} if text is None else {"content": text})}


def write(path: Path, *records: object, end: str = "\n") -> Path:
    """Write the records as lines; a string is a line as it stands."""
    lines = (line if isinstance(line, str) else json.dumps(line) for line in records)
    path.write_text("\n".join(lines) + end, encoding="utf-8")
    return path


def all_records(chunks: Iterable[Chunk]) -> list[Record]:
    return [record for chunk in chunks for record in chunk.records]


def events_of(path: Path) -> list[Event]:
    return [one for one in all_records(read_chunks(path)) if isinstance(one, Event)]


def said(path: Path) -> list[tuple[str, str]]:
    """Return kind and text of all events of the file."""
    return [(event.kind, event.text) for event in events_of(path)]


def counts_of(path: Path, limits: Limits | None = None) -> Counts:
    return total(chunk.counts for chunk in read_chunks(path, limits=limits or Limits()))


def is_accounted_for(counts: Counts) -> bool:
    silent = (counts.ignored, counts.metadata, counts.unknown)
    return counts.parts == counts.taken + counts.damaged + sum(sum(one.values()) for one in silent)


scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.sampled_from(["", "tool_use", "tool_result", "text", "Task", "<command-name>/x</command-name>", TIME])
)  # fmt: skip
json_values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "text",
                    "content",
                    "name",
                    "input",
                    "id",
                    "kind",
                    "prompt",
                    "file",
                    "message",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
_KEYS = (
    *("uuid", "parentUuid", "sessionId", "timestamp", "cwd", "isSidechain", "isMeta", "isCompactSummary"),
    *("message", "subtype", "content", "operation", "attachment", "toolUseResult", "compactMetadata"),
    *("error", "origin", "prUrl", "prNumber", "agent", "session", "time", "text", "id", "parent", "claims"),
    *("metadata", "revision", "digest", "redaction", "rewound", "reason"),
)  # fmt: skip
_TYPES = (
    *("user", "assistant", "system", "attachment", "progress", "queue-operation", "pr-link"),
    *("summary", "event", "tombstone", "rewind", "x"),
)
odd_objects = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(_TYPES) | json_values,
        "kind": st.sampled_from(["prompt", "answer"]) | json_values,
        **dict.fromkeys(_KEYS, json_values),
    },
) | st.dictionaries(st.text(max_size=5), json_values, max_size=3)
"""Objects with the right names and anything at all under them."""
