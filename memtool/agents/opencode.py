"""OpenCode and its forks: the SQLite database `opencode.db`, and the tree of JSON files that it was before.

Tables and parts: databases that OpenCode 1.18 wrote. The database is only read, a session at a time and in no
transaction, so that OpenCode never waits. A subagent is a session with a parent: what it says belongs to the root of
its sessions. A message that was taken back stays until the next prompt; then only the log of events names it.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from memtool.agents.calls import (
    Make,
    asked_in,
    call_text,
    edits,
    encoded_actions,
    form,
    reads,
    searches,
    shell,
    subagent,
    todos,
)
from memtool.agents.drafts import Draft, filled
from memtool.agents.events import Origin, Where, events_of, record_digest
from memtool.agents.outcomes import Disposition, Outcome
from memtool.agents.projects import project_of
from memtool.agents.registry import File, Format, Found, Parser, Row
from memtool.agents.values import (
    JsonObject,
    canonical,
    count_text,
    in_range,
    is_true,
    list_at,
    object_at,
    text_at,
)
from memtool.model.actions import (
    METADATA_KEY,
    AnyAction,
    Asked,
    Edit,
    Question,
    Rejection,
    Subagent,
    encode,
)
from memtool.model.records import EventId, Record, Rewind, event_id

NAME = "opencode"
READER = 1
_MAGIC = b"SQLite format 3\0"
_MOST_PARENTS = 50
"""A chain of sessions that is longer is a loop."""


class OpenCode(Format):
    """`opencode.db`, or `storage/session/<project>/<session>.json` with the session's messages beside it."""

    reader = READER

    def recognises(self, record: JsonObject) -> bool:  # noqa: ARG002 - it has no lines
        """Return False: no file of lines is OpenCode's."""
        return False

    def opens(self, path: Path, head: bytes) -> bool:
        """Return whether it is a database with its tables, or a session of the old tree."""
        if head.startswith(_MAGIC):
            return _has_tables(path)
        return path.suffix == ".json" and path.parent.parent == _tree(path) / "session"

    def look(self, path: Path) -> Found:
        """Return how the database and its log look, or the files of a session."""
        found = [path.stat()]
        if path.suffix == ".json":
            found += [one.stat() for one in _files_of(path)]
        else:
            with suppress(FileNotFoundError):
                found.append(path.with_name(f"{path.name}-wal").stat())
        return Found(
            found[0].st_ino,
            sum(one.st_size for one in found),
            max(one.st_mtime_ns for one in found),
        )

    def rows(self, path: Path, cursor: str) -> Iterator[Row]:
        """Yield the messages with their parts of the sessions that changed since."""
        if path.suffix == ".json":
            return _rows_of_tree(path)
        return _rows_of_database(path, cursor)

    def parser(self, file: File) -> Parser:  # noqa: ARG002
        """Return what reads the rows: each says all that there is to know."""
        return _Parser()


# --- The database -----------------------------------------------------------------------------


class _Cursor(NamedTuple):
    """The newest change that was seen, and how many messages were older: where a clock went back these differ."""

    since: int = 0
    older: int = 0


def _opened(path: Path) -> sqlite3.Connection:
    """Return the database, to read only. Where its log cannot be opened, and holds nothing, without the log."""
    name = path.absolute().as_uri()
    try:
        db = sqlite3.connect(f"{name}?mode=ro", uri=True, isolation_level=None)
        with suppress(sqlite3.DatabaseError):
            db.execute("PRAGMA query_only = ON")
        db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
    except sqlite3.OperationalError as error:
        log = path.with_name(f"{path.name}-wal")
        if log.exists() and log.stat().st_size:
            raise OSError(f"its log cannot be opened: {error}") from error
        db = sqlite3.connect(f"{name}?mode=ro&immutable=1", uri=True, isolation_level=None)
    db.text_factory = lambda data: data.decode(errors="replace")
    return db


def _has_tables(path: Path) -> bool:
    try:
        with closing(_opened(path)) as db:
            names = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    except (sqlite3.Error, OSError):
        return False
    return {"session", "message", "part"} <= names


def _rows_of_database(path: Path, text: str) -> Iterator[Row]:
    try:
        with closing(_opened(path)) as db:
            yield from _changed(db, text)
    except sqlite3.Error as error:
        raise OSError(str(error)) from error


def _changed(db: sqlite3.Connection, text: str) -> Iterator[Row]:
    last = _cursor_of(text)
    columns = {name for _, name, *_ in db.execute("PRAGMA table_info(session)")}
    wanted = [name if name in columns else f"NULL AS {name}" for name in _SESSION]
    sessions = {
        row[0]: dict(zip(_SESSION, row, strict=True))
        for row in db.execute(f"SELECT {', '.join(wanted)} FROM session")  # noqa: S608 - our names
    }
    newest = {key: row["time_updated"] or 0 for key, row in sessions.items()}
    changes = db.execute("SELECT session_id, time_updated FROM message").fetchall()
    for session, changed in changes:
        newest[session] = max(newest.get(session, 0), changed)
    since = max(newest.values(), default=0)
    if sum(changed < last.since for _, changed in changes) != last.older:
        last = _Cursor()
    todo = [key for key, at in newest.items() if key in sessions and at >= last.since]
    ended = json.dumps([since, sum(changed < since for _, changed in changes)])
    for number, key in enumerate(todo, start=1):
        rows = list(_rows_of_session(db, _with_root(sessions, key)))
        for at, row in enumerate(rows, start=1):
            is_last = number == len(todo) and at == len(rows)
            yield Row(row, ended if is_last else text)


def _cursor_of(text: str) -> _Cursor:
    try:
        return _Cursor(*json.loads(text))
    except (ValueError, TypeError):
        return _Cursor()


_SESSION = ("id", "parent_id", "directory", "title", "revert", "time_created", "time_updated")


def _with_root(sessions: Mapping[str, JsonObject], key: str) -> JsonObject:
    """Return a session with the root of its sessions."""
    root = key
    for _ in range(_MOST_PARENTS):
        parent = text_at(sessions.get(root, {}), "parent_id")
        if not parent:
            break
        root = parent
    first = sessions.get(root, sessions[key])
    return {**sessions[key], "root": root, "root_directory": text_at(first, "directory")}


def _rows_of_session(db: sqlite3.Connection, session: JsonObject) -> Iterator[JsonObject]:
    key = session["id"]
    yield {"row": "session", "session": session}
    parts: dict[str, list[JsonObject]] = {}
    query = "SELECT id, message_id, time_created, time_updated, data FROM part WHERE session_id = ?"
    for part, message, created, updated, data in db.execute(f"{query} ORDER BY id", (key,)):
        entry = {"id": part, "created": created, "updated": updated, "data": _object(data)}
        parts.setdefault(message, []).append(entry)
    query = "SELECT id, time_created, time_updated, data FROM message WHERE session_id = ?"
    taken_back = text_at(_object(session.get("revert")), "messageID")
    for message, created, updated, data in db.execute(f"{query} ORDER BY time_created, id", (key,)):
        yield {
            "row": "message",
            "session": session,
            "id": message,
            "created": created,
            "updated": updated,
            "data": _object(data),
            "parts": parts.get(message, []),
            "undone": bool(taken_back) and message >= taken_back,
        }
    yield from _removed(db, session)


def _removed(db: sqlite3.Connection, session: JsonObject) -> Iterator[JsonObject]:
    """Yield the parts that are gone, as far as the log of events remembers them."""
    try:
        log = db.execute(
            "SELECT type, data FROM event WHERE aggregate_id = ? AND"
            " (type LIKE 'message.part.updated.%' OR type LIKE 'message%removed.%') ORDER BY seq",
            (session["id"],),
        ).fetchall()
    except sqlite3.OperationalError:  # an older version has no such table
        return
    parts: dict[str, dict[str, JsonObject]] = {}
    for kind, text in log:
        data = _object(text)
        message, part = text_at(data, "messageID"), object_at(data, "part")
        if part:
            known = parts.setdefault(text_at(part, "messageID"), {})
            known[text_at(part, "id")] = part
        elif kind.startswith("message.part.removed"):
            gone = parts.get(message, {}).pop(text_at(data, "partID"), None)
            if gone is not None:
                yield {"row": "removed", "session": session, "parts": [gone]}
        else:
            yield {
                "row": "removed",
                "session": session,
                "parts": list(parts.pop(message, {}).values()),
            }


def _object(text: object) -> JsonObject:
    try:
        value = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


# --- The tree of files, before 1.2 --------------------------------------------------------------


def _tree(path: Path) -> Path:
    """Return the directory `storage` that a session's file is in."""
    return path.parent.parent.parent


def _files_of(path: Path) -> Iterator[Path]:
    """Yield the files of a session's messages and parts."""
    for message in sorted((_tree(path) / "message" / path.stem).glob("*.json")):
        yield message
        yield from sorted((_tree(path) / "part" / message.stem).glob("*.json"))


def _read(path: Path) -> JsonObject:
    with suppress(FileNotFoundError):
        return _object(path.read_text(encoding="utf-8", errors="replace"))
    return {}


def _rows_of_tree(path: Path) -> Iterator[Row]:
    session = _session_in(path)
    root = session
    for _ in range(_MOST_PARENTS):
        parent = text_at(root, "parent_id")
        above = (
            next(path.parent.glob(f"{parent}.json"), None)
            if parent.isalnum() or "_" in parent
            else None
        )
        if above is None or "/" in parent:
            break
        root = _session_in(above)
    session |= {"root": root["id"], "root_directory": text_at(root, "directory")}
    yield Row({"row": "session", "session": session}, "")
    taken_back = text_at(object_at(session, "revert"), "messageID")
    for file in sorted((_tree(path) / "message" / path.stem).glob("*.json")):
        data = _read(file)
        times = object_at(data, "time")
        parts = [
            {"id": one.stem, "data": _read(one)}
            for one in sorted((_tree(path) / "part" / file.stem).glob("*.json"))
        ]
        row: JsonObject = {
            "row": "message",
            "session": session,
            "id": file.stem,
            "created": times.get("created"),
            "updated": times.get("completed"),
            "data": data,
            "parts": parts,
            "undone": bool(taken_back) and file.stem >= taken_back,
        }
        yield Row(row, "")


def _session_in(path: Path) -> JsonObject:
    data = _read(path)
    times = object_at(data, "time")
    return {
        "id": path.stem,
        "parent_id": text_at(data, "parentID"),
        "directory": text_at(data, "directory"),
        "title": text_at(data, "title"),
        "revert": object_at(data, "revert"),
        "time_created": times.get("created"),
        "time_updated": times.get("updated"),
    }


# --- Rows as events -----------------------------------------------------------------------------


class _Parser(Parser):
    def parse(self, record: JsonObject) -> Outcome:
        kind, session = text_at(record, "row"), object_at(record, "session")
        where = _where(session)
        if kind == "session":
            records: Iterable[tuple[tuple[Record, ...], int]] = _begun(session, where)
        elif kind == "removed":
            at_us = _time_us(session.get("time_updated")) or 0
            parts = [one for one in list_at(record, "parts") if isinstance(one, dict)]
            gone = [Rewind(event, at_us) for one in parts for event in _ids(one)]
            records = [(tuple(gone), 0)]
        else:
            records = list(_of_message(record, session, where))
        found = list(records)
        everything = tuple(one for some, _ in found for one in some)
        count = sum(number for _, number in found)
        if not everything:
            return Outcome(Disposition.METADATA if kind else Disposition.UNKNOWN, kind or "(none)")
        return Outcome(Disposition.TAKEN, kind, everything, count)


def _where(session: JsonObject) -> Where:
    key, root = text_at(session, "id"), text_at(session, "root")
    directory = text_at(session, "directory")
    project = project_of(text_at(session, "root_directory") or directory)
    return Where(
        NAME, READER, root or key, project, directory, subagent=key if root and root != key else ""
    )


_NO_TITLE = re.compile(r"(?:New|Child) session - .*|")


def _begun(session: JsonObject, where: Where) -> Iterator[tuple[tuple[Record, ...], int]]:
    time_us = _time_us(session.get("time_created"))
    key, title = text_at(session, "id"), text_at(session, "title").strip()
    if time_us is None or where.subagent:
        return
    begun = Draft(1, "session_start", "Session started")
    yield events_of((begun,), where, Origin(f"session {key}", key, time_us))
    if not _NO_TITLE.fullmatch(title):
        metadata = {"title": "session title", "given_by": "agent"}
        origin = Origin(f"title {key} {title}", title, time_us)
        yield events_of((Draft(1, "title", title, metadata),), where, origin)


def _of_message(
    row: JsonObject, session: JsonObject, where: Where
) -> Iterator[tuple[tuple[Record, ...], int]]:
    data = object_at(row, "data")
    began_us = _time_us(object_at(data, "time").get("created")) or _time_us(row.get("created"))
    if began_us is None:
        return
    undone_us = _time_us(session.get("time_updated")) if is_true(row, "undone") else None
    parts = [one for one in list_at(row, "parts") if isinstance(one, dict)]
    for part in parts:
        content = object_at(part, "data")
        make = _PARTS.get(text_at(content, "type"))
        drafts = make(data, content) if make else []
        if where.subagent and text_at(data, "role") == "user":
            drafts = [replace(one, kind="subagent_start", typed="") for one in drafts]
        time_us = _began(content) or began_us
        # A part changes while its tool runs: the last change is what it says.
        revision = _ended(content) or _time_us(part.get("updated")) or time_us
        origin = Origin(text_at(part, "id"), canonical(content, frozenset()), time_us, "", revision)
        events, count = events_of(drafts, where, origin)
        yield events, count
        if undone_us is not None:
            yield tuple(Rewind(one.id, max(undone_us, one.revision)) for one in events), 0
    error = object_at(data, "error")
    text = text_at(object_at(error, "data"), "message")
    if text and text_at(error, "name") != "MessageAbortedError":
        draft = Draft(1, "error", text, filled({"error": text_at(error, "name")}))
        yield events_of((draft,), where, Origin(text_at(row, "id"), text, began_us))


def _ids(part: JsonObject) -> list[EventId]:
    make = _PARTS.get(text_at(part, "type"))
    digest = record_digest(NAME, text_at(part, "id"))
    return [
        event_id(digest, draft.block) for draft in (make({"role": "user"}, part) if make else [])
    ]


def _time_us(value: object) -> int | None:
    """Return the instant of a number of milliseconds."""
    return in_range(int(value * 1000)) if type(value) in (int, float) else None  # type: ignore[operator]


def _began(content: JsonObject) -> int | None:
    times = object_at(content, "time") or object_at(object_at(content, "state"), "time")
    return _time_us(times.get("start"))


def _ended(content: JsonObject) -> int | None:
    times = object_at(content, "time") or object_at(object_at(content, "state"), "time")
    return _time_us(times.get("end"))


# --- Parts as drafts ----------------------------------------------------------------------------

_Drafts = Callable[[JsonObject, JsonObject], list[Draft]]
_REJECTED = re.compile(
    r"The user rejected permission to use this specific tool call"
    r"(?: with the following feedback: (.+)|\.)",
    re.DOTALL,
)
_PATCHED = re.compile(r"^\*\*\* (?:Add|Update|Delete) File: (.+)$", re.MULTILINE)


def _text(message: JsonObject, part: JsonObject) -> list[Draft]:
    text = text_at(part, "text").strip()
    if not text or is_true(part, "ignored"):
        return []
    if is_true(part, "synthetic"):
        return [Draft(1, "note", text)]
    if text_at(message, "role") == "user":
        return [Draft(1, "prompt", text, typed=text)]
    if is_true(message, "summary"):
        return [Draft(1, "compaction", text)]
    tokens = object_at(message, "tokens")
    metadata = {
        "model": text_at(message, "modelID"),
        "input_tokens": count_text(tokens, "input"),
        "output_tokens": count_text(tokens, "output"),
    }
    return [Draft(1, "answer", text, filled(metadata), text_at(message, "parentID"))]


def _thought(_: JsonObject, part: JsonObject) -> list[Draft]:
    text = text_at(part, "text").strip()
    return [Draft(1, "thinking", text)] if text else []


def _file(message: JsonObject, part: JsonObject) -> list[Draft]:
    is_image = text_at(part, "mime").startswith("image/")
    if text_at(message, "role") != "user" or not is_image:
        return []
    return [Draft(1, "prompt", "[image]", {"images": "1"})]


def _delegated(_: JsonObject, part: JsonObject) -> list[Draft]:
    """Return a command of the person's that a subagent carries out."""
    command = text_at(part, "command")
    typed = f"/{command}" if command else text_at(part, "prompt")
    return [Draft(1, "command" if command else "prompt", typed, typed=typed)] if typed else []


def _tool(_: JsonObject, part: JsonObject) -> list[Draft]:
    state = object_at(part, "state")
    name, given, call = (
        text_at(part, "tool") or "tool",
        object_at(state, "input"),
        text_at(part, "callID"),
    )
    shown = call_text(name, given)
    is_subagent = name == _DELEGATES
    metadata = {
        "tool": name,
        "path": text_at(given, "filePath") or text_at(given, "path"),
        "tool_use_id": call,
        METADATA_KEY: encoded_actions(name, given, _ACTIONS),
    }
    kind = "subagent_start" if is_subagent else "tool_call"
    drafts = [Draft(1, kind, shown.text, filled(metadata), redactions=shown.count)]
    status = text_at(state, "status")
    if status not in {"completed", "error"}:
        return drafts
    about = object_at(state, "metadata")
    output = text_at(state, "output") or text_at(state, "error")
    code = count_text(about, "exit")
    is_error = status == "error" or code not in {"", "0"}
    found = {"tool_use_id": call, "is_error": "true" if is_error else ""}
    if is_subagent:
        found[METADATA_KEY] = encode([Subagent(stage="ended", id=text_at(about, "sessionId"))])
        output = _RESULT.sub(r"\1", output.strip())
    drafts.append(Draft(2, "subagent_end" if is_subagent else "tool_result", output, filled(found)))
    said = _person(name, given, about, text_at(state, "error"))
    if said is not None:
        kind, words, action = said
        typed = words if kind == "prompt" else ""
        answer = {"tool_use_id": call, METADATA_KEY: encode([action])}
        drafts.append(Draft(3, kind, words, filled(answer), typed=typed))
    return drafts


_RESULT = re.compile(r"<task [^>]*>\s*<task_result>\n?(.*?)\n?</task_result>\s*</task>", re.DOTALL)


def _person(
    name: str, given: JsonObject, about: JsonObject, error: str
) -> tuple[str, str, AnyAction] | None:
    """Return what a person answered or rejected: kind, words and action."""
    if rejected := _REJECTED.match(error):
        subject = text_at(given, "filePath") or text_at(given, "command") or name
        words = (rejected[1] or "").strip()
        return "prompt" if words else "command", words or "Rejected", Rejection(subject=subject)
    answers = list_at(about, "answers")
    if name != "question" or not answers:
        return None
    asked = []
    for question, answer in zip(asked_in(given), answers, strict=False):
        labels = [one for one in answer if isinstance(one, str)] if isinstance(answer, list) else []
        asked.append(Asked(question.question, question.options, ", ".join(labels)))
    asked = [one for one in asked if one.answer]
    words = "\n".join(f"{one.question} \u2192 {one.answer}" for one in asked)
    return ("prompt", words, Question(asked=tuple(asked))) if asked else None


def _patch(given: JsonObject) -> list[AnyAction]:
    return [Edit(paths=tuple(_PATCHED.findall(text_at(given, "patchText"))))]


_DELEGATES = "task"
_ACTIONS: Mapping[str, Make] = {
    "read": reads("filePath"),
    "list": reads("path"),
    "webfetch": reads("url"),
    **dict.fromkeys(("edit", "write", "multiedit"), edits("filePath")),
    **dict.fromkeys(("patch", "apply_patch"), _patch),
    **dict.fromkeys(("grep", "glob", "websearch", "codesearch"), searches("pattern", "query")),
    "bash": shell,
    "todowrite": todos,
    "question": form,
    _DELEGATES: subagent,
}
"""The actions of each tool that has any."""
_PARTS: Mapping[str, _Drafts] = {
    "text": _text,
    "reasoning": _thought,
    "tool": _tool,
    "file": _file,
    "subtask": _delegated,
}
"""What is told of each type of part; the others are bookkeeping."""
FORMAT = OpenCode()
