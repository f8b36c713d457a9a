"""Claude Code: whose words are whose, ids that hold across copies, and nothing counted twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given

from memtool.agents.claude import FORMAT
from memtool.agents.outcomes import Disposition
from memtool.agents.reading import read_chunks
from memtool.agents.registry import File
from memtool.agents.values import JsonObject
from memtool.model.records import ROLES, Event, Rewind, digest_of
from memtool.redact.rules import RULESET_VERSION
from tests.agents.records import (
    SESSION,
    TIME,
    TIME_US,
    all_records,
    assistant,
    counts_of,
    events_of,
    odd_objects,
    queued,
    record,
    said,
    user,
    write,
)

CAVEAT = "<local-command-caveat>Caveat: ignore these.</local-command-caveat>"
CONTINUED = "This session is being continued from a previous conversation that ran out of context."


def one(path: Path, given_record: object) -> tuple[str, str]:
    [found] = said(write(path / "s.jsonl", given_record))
    return found


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("fix the login", ("prompt", "fix the login")),
        ([{"type": "text", "text": "fix it"}], ("prompt", "fix it")),
        (CAVEAT, ("note", "Caveat: ignore these.")),
        ("<system-reminder>be brief</system-reminder>", ("note", "be brief")),
        ("<task-notification><status>done</status></task-notification>", None),
        ("[Request interrupted by user for tool use]", None),
        (CONTINUED, ("note", CONTINUED)),
        ("<bash-input>ls -l</bash-input>", ("command", "! ls -l")),
        ("<bash-stdout>a.txt</bash-stdout><bash-stderr></bash-stderr>", ("command", "a.txt")),
        ("<local-command-stdout>Set model</local-command-stdout>", ("command", "Set model")),
        (
            "<command-name>/model</command-name>\n<command-args>opus</command-args>",
            ("command", "/model opus"),
        ),
        (
            "<command-message>review</command-message>\n<command-name>/review</command-name>",
            ("command", "/review"),
        ),
        (
            "<command-name>/exit</command-name><command-args></command-args>",
            ("session_end", "/exit"),
        ),
    ],
)
def test_words_of_a_person_are_told_from_those_of_the_program(
    tmp_path: Path, content: object, expected: tuple[str, str] | None
) -> None:
    kind, text = one(tmp_path, user(content))
    if expected is None:
        assert kind == "note"
    else:
        assert (kind, text) == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"isMeta": True},
        {"isVisibleInTranscriptOnly": True},
        {"origin": {"kind": "task-notification"}},
        {"promptSource": "system"},
    ],
)
def test_text_that_the_record_calls_injected_is_a_note(
    tmp_path: Path, fields: dict[str, object]
) -> None:
    assert one(tmp_path, user("looks typed") | fields) == ("note", "looks typed")


def test_what_was_typed_between_injected_parts_is_the_prompt(tmp_path: Path) -> None:
    content = [
        {"type": "text", "text": "<ide_opened_file>a.py</ide_opened_file>"},
        {"type": "text", "text": "why does it fail?<system-reminder>be brief</system-reminder>"},
        {"type": "image", "source": {}},
        {"type": "text", "text": "and here?"},
    ]
    [prompt, *notes] = events_of(write(tmp_path / "s.jsonl", user(content)))
    assert (prompt.kind, prompt.text) == ("prompt", "why does it fail?\nand here?\n[image]")
    assert prompt.metadata["images"] == "1"
    assert [(note.kind, note.text) for note in notes] == [("note", "a.py"), ("note", "be brief")]
    assert len({event.id for event in (prompt, *notes)}) == 3


def test_tags_inside_a_persons_words_stay_theirs(tmp_path: Path) -> None:
    text = "why does <command-name>x</command-name> show up, and <system-reminder> too?"
    assert one(tmp_path, user(text)) == ("prompt", text)


def test_an_image_alone_is_a_prompt(tmp_path: Path) -> None:
    assert one(tmp_path, user([{"type": "image", "source": {}}])) == ("prompt", "[image]")


def test_compaction_is_its_boundary_and_its_summary(tmp_path: Path) -> None:
    boundary = record(
        "system",
        "b1",
        subtype="compact_boundary",
        content="Conversation compacted",
        parentUuid=None,
        compactMetadata={"trigger": "auto", "preTokens": 155461},
    )
    boundary["parentUuid"] = None
    summary = user(CONTINUED, isCompactSummary=True, isVisibleInTranscriptOnly=True)
    first, second = events_of(write(tmp_path / "s.jsonl", boundary, summary))
    assert (first.kind, first.metadata) == (
        "compaction",
        {"branch": "main", "trigger": "auto", "pre_tokens": "155461"},
    )
    assert (second.kind, second.text) == ("compaction", CONTINUED)


def test_a_session_starts_where_nothing_precedes(tmp_path: Path) -> None:
    start = {**user("hello"), "parentUuid": None}
    [began, prompt] = events_of(write(tmp_path / "s.jsonl", start))
    assert (began.kind, began.id[28:], prompt.id[28:]) == ("session_start", "0000", "0001")
    assert began.record == prompt.record
    sidechain = {**user("go", isSidechain=True), "parentUuid": None}
    assert [kind for kind, _ in said(write(tmp_path / "t.jsonl", sidechain))] == ["subagent_start"]


def test_answers_thoughts_and_calls_carry_their_messages_group(tmp_path: Path) -> None:
    blocks = (
        {"type": "thinking", "thinking": "hm", "signature": "x"},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "thinking", "thinking": "", "signature": "x"},
        {"type": "text", "text": "done"},
        {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}},
    )
    events = events_of(write(tmp_path / "s.jsonl", assistant(*blocks)))
    assert [(event.kind, event.text) for event in events] == [
        ("thinking", "hm"),
        ("answer", "done"),
        ("tool_call", "Bash: ls"),
    ]
    assert {event.group for event in events} == {"msg_1"}
    assert [event.id[28:] for event in events] == ["0001", "0004", "0005"]
    assert events[1].metadata["model"] == "model-1"
    assert events[2].metadata == {"branch": "main", "tool": "Bash", "tool_use_id": "t1"}


def test_each_record_of_a_message_has_its_tokens_on_its_last_event(tmp_path: Path) -> None:
    text: dict[str, object] = {"type": "text", "text": "x"}
    call: dict[str, object] = {
        "type": "tool_use",
        "id": "t1",
        "name": "Bash",
        "input": {"command": "ls"},
    }
    first, last = assistant(text), assistant(text, call, uuid="a2")
    grown = {"cache_read_input_tokens": 9_000, "cache_creation_input_tokens": 0, "output_tokens": 7}
    for one_record, more in ((first, {"output_tokens": 1}), (last, grown)):
        message = one_record["message"]
        assert isinstance(message, dict)
        message |= {"usage": {"input_tokens": 3, "service_tier": "standard", **more}}
    events = events_of(write(tmp_path / "s.jsonl", first, last))
    names = ("model", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
    assert [[event.metadata.get(name) for name in names] for event in events] == [
        ["model-1", "3", "1", None, None],
        ["model-1", None, None, None, None],
        ["model-1", "3", "7", "9000", None],
    ]


def test_a_tool_call_reads_well(tmp_path: Path) -> None:
    arguments = {
        "file_path": "/a/b.py",
        "old_string": "x = 1",
        "new_string": "x = 2",
        "replace_all": False,
        "more": {"b": 1, "a": [1]},
    }
    call = {"type": "tool_use", "id": "t1", "name": "Edit", "input": arguments}
    [event] = events_of(write(tmp_path / "s.jsonl", assistant(call)))
    assert event.text.splitlines() == [
        "Edit: /a/b.py",
        'more: {"a": [1], "b": 1}',
        "new_string: x = 2",
        "old_string: x = 1",
    ]
    assert event.metadata["path"] == "/a/b.py"


def test_results_keep_head_and_tail_and_their_true_size(tmp_path: Path) -> None:
    text = "first" + "é" * 50_000 + "last"
    block = {"type": "tool_result", "tool_use_id": "t1", "content": text, "is_error": True}
    [event] = events_of(write(tmp_path / "s.jsonl", user([block])))
    assert event.kind == "tool_result"
    assert event.text.startswith("first")
    assert event.text.endswith("last")
    assert len(event.text) <= 4000
    assert event.metadata == {
        "branch": "main",
        "is_error": "true",
        "size_bytes": str(len(text.encode())),
        "tool_use_id": "t1",
    }


def test_a_secret_across_the_cut_does_not_survive(tmp_path: Path) -> None:
    secret = "ghp_" + "a1B2" * 9
    for before in range(2560, 2680, 7):
        text = "x " * (before // 2) + secret + " y" * 5000
        block = {"type": "tool_result", "tool_use_id": "t1", "content": text}
        [event] = events_of(write(tmp_path / "s.jsonl", user([block])))
        assert "a1B2" not in event.text
        assert event.redaction == RULESET_VERSION
    arguments = {"file_path": "/a", "content": "x" * 590 + " " + secret, "password": "k" * 900}
    call = {"type": "tool_use", "id": "t1", "name": "Write", "input": arguments}
    path = write(tmp_path / "s.jsonl", assistant(call))
    [event] = events_of(path)
    assert "a1B2" not in event.text
    assert "kkk" not in event.text
    assert counts_of(path).redactions == 2


def test_subagents_begin_and_end(tmp_path: Path) -> None:
    call = {
        "type": "tool_use",
        "id": "t1",
        "name": "Task",
        "input": {"description": "look", "prompt": "find it"},
    }
    result = user(
        [{"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "ok"}]}],
        toolUseResult={"agentId": "x", "prompt": "find it", "totalToolUseCount": 1},
    )
    path = write(
        tmp_path / "s.jsonl",
        assistant(call),
        result,
        user("find it", "u2", isSidechain=True, agentId="x"),
        assistant({"type": "text", "text": "found"}, uuid="a2", isSidechain=True),
    )
    assert said(path) == [
        ("subagent_start", "Task: look\nprompt: find it"),
        ("subagent_end", "ok"),
        ("subagent_start", "find it"),
        ("answer", "found"),
    ]
    assert [event.metadata.get("sidechain") for event in events_of(path)][2:] == ["true", "true"]


def test_errors_of_the_service_are_errors(tmp_path: Path) -> None:
    failed = assistant({"type": "text", "text": "API Error: 500"}, isApiErrorMessage=True)
    retried = record("system", "e1", subtype="api_error", error={"status": 529, "message": "busy"})
    path = write(tmp_path / "s.jsonl", failed, retried)
    assert said(path) == [("error", "API Error: 500"), ("error", "busy")]


@pytest.mark.parametrize(
    ("given_record", "expected"),
    [
        (
            record("system", "l1", subtype="local_command", content="<bash-input>ls</bash-input>"),
            ("command", "! ls"),
        ),
        (
            record("system", "w1", subtype="away_summary", content="Fixed the login."),
            ("recap", "Fixed the login."),
        ),
        (
            assistant({"type": "server_tool_use", "name": "web_search", "input": {"query": "q"}}),
            ("tool_call", "web_search: q"),
        ),
        (
            assistant({"type": "web_search_tool_result", "content": [{"type": "x"}, "y", 5]}),
            ("tool_result", "[x]\ny"),
        ),
        (user(CONTINUED, isSidechain=True), ("note", CONTINUED)),
    ],
)
def test_rarer_records_say_what_they_hold(
    tmp_path: Path, given_record: JsonObject, expected: tuple[str, str]
) -> None:
    assert one(tmp_path, given_record) == expected


def test_filler_of_the_program_is_no_answer(tmp_path: Path) -> None:
    path = write(
        tmp_path / "s.jsonl", assistant({"type": "text", "text": "No response requested."})
    )
    assert events_of(path) == []
    assert counts_of(path).ignored == {"assistant/empty": 1}


def test_noise_is_ignored_and_what_is_new_is_counted_by_name(tmp_path: Path) -> None:
    embedded = {"type": "agent_progress", "message": user("inner", "u7")}
    path = write(
        tmp_path / "s.jsonl",
        record("progress", "p1", data=embedded),
        record("system", "s1", subtype="turn_duration"),
        record("system", "s2", subtype="brand_new"),
        record("brand-new", "n1"),
        {"type": "summary", "summary": "t", "leafUuid": "x"},
        {"type": "queue-operation", "operation": "enqueue", "content": "no time"},
        record("attachment", "h1", attachment={"type": "hook_success"}),
        assistant({"type": "new_block"}),
    )
    counts = counts_of(path)
    assert events_of(path) == []
    assert counts.ignored == {
        "progress": 1,
        "system/turn_duration": 1,
        "attachment/hook_success": 1,
    }
    assert counts.unknown == {"system/brand_new": 1, "brand-new": 1, "assistant/new_block": 1}
    assert counts.metadata == {"summary": 1, "queue-operation": 1}


@pytest.mark.parametrize("time", ["yesterday", "2026-03-01T10:00:00", 5, "1969-12-31T23:59:59Z"])
def test_a_time_that_is_none_is_damage(tmp_path: Path, time: object) -> None:
    path = write(tmp_path / "s.jsonl", user("x", timestamp=time))
    assert counts_of(path).damaged == 1


def test_time_parent_and_claim_come_from_the_record(tmp_path: Path) -> None:
    [event] = events_of(write(tmp_path / "s.jsonl", user("x", timestamp=TIME)))
    assert (event.time_us, event.revision) == (TIME_US, TIME_US)
    assert event.parent == digest_of("id", "claude-code", "u0")[:28]
    assert event.record == digest_of("id", "claude-code", "u1")[:28]
    assert (event.session, event.project) == (SESSION, "/home/u/project")


def test_a_copy_under_another_session_differs_in_its_claim_alone(tmp_path: Path) -> None:
    first = user("hello")
    copy = dict(reversed({**first, "sessionId": "2", "cwd": "/b", "version": "9"}.items()))
    [a, b] = events_of(write(tmp_path / "s.jsonl", first, copy))
    assert (a.id, a.digest, a.text, a.metadata) == (b.id, b.digest, b.text, b.metadata)
    assert a.claims != b.claims


def test_a_record_without_session_belongs_to_that_of_its_file(tmp_path: Path) -> None:
    first = user("first", "u0", sessionId=None)
    path = write(tmp_path / "stem.jsonl", user("x", "u1"), user("y", "u2", sessionId=None))
    assert [event.session for event in events_of(path)] == [SESSION, SESSION]
    path = write(tmp_path / "stem.jsonl", user("b", cwd="/"), user("x", "u3"), first)
    assert events_of(path)[2].session == SESSION
    alone = [{"type": "summary", "leafUuid": "x"}, first]
    assert events_of(write(tmp_path / "stem.jsonl", *alone))[0].session == "stem"


def test_equal_records_without_id_are_told_apart_by_their_ordinal(tmp_path: Path) -> None:
    link = {
        "type": "pr-link",
        "sessionId": SESSION,
        "timestamp": TIME,
        "prUrl": "https://h/1",
        "prNumber": 1,
    }
    path = write(tmp_path / "s.jsonl", link, link)
    [a, b] = events_of(path)
    assert a.id != b.id
    assert (a.kind, a.text) == ("note", "Pull request 1: https://h/1")


def rewinds(path: Path) -> list[Rewind]:
    return [one for one in all_records(read_chunks(path)) if isinstance(one, Rewind)]


def test_a_queued_prompt_that_never_became_a_record_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", queued("merge it"), queued(None, "remove"))
    [event] = events_of(path)
    assert (event.kind, event.text, event.metadata) == ("prompt", "merge it", {"queued": "true"})
    assert rewinds(path) == []


@pytest.mark.parametrize(
    "later",
    [
        user("merge it"),
        user([{"type": "text", "text": " merge it\n"}]),
        record("attachment", "h1", attachment={"type": "queued_command", "prompt": "merge it"}),
    ],
)
def test_a_queued_prompt_that_became_a_record_counts_once(
    tmp_path: Path, later: JsonObject
) -> None:
    path = write(tmp_path / "s.jsonl", queued("merge it"), queued(None, "dequeue"), later)
    waiting, became = events_of(path)
    assert (became.kind, became.text) == ("prompt", "merge it")
    assert rewinds(path) == [Rewind(waiting.id, waiting.revision)]


def test_a_queued_command_counts_once_too(tmp_path: Path) -> None:
    content = "<command-name>/review</command-name><command-args>all</command-args>"
    path = write(tmp_path / "s.jsonl", queued("/review all"), user(content))
    assert said(path) == [("command", "/review all"), ("command", "/review all")]
    assert len(rewinds(path)) == 1


def test_what_the_program_queued_for_itself_is_left_to_its_record(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", queued("<task-notification>done</task-notification>"))
    assert events_of(path) == []
    assert counts_of(path).ignored == {"queue-operation/enqueue": 1}


def test_a_queued_message_of_another_agent_is_a_note(tmp_path: Path) -> None:
    attachment = {"type": "queued_command", "prompt": "do it", "origin": {"kind": "peer"}}
    assert one(tmp_path, record("attachment", "h1", attachment=attachment)) == ("note", "do it")


@given(odd_objects)
def test_no_object_crashes_the_parser(given_record: JsonObject) -> None:
    parser = FORMAT.parser(File("stem", lambda _: iter(())))
    given_record = json.loads(json.dumps(given_record))
    FORMAT.recognises(given_record)
    for candidate in (given_record, {**user("x"), **given_record}, {**assistant(), **given_record}):
        outcome = parser.parse(candidate)
        assert isinstance(outcome.disposition, Disposition)
        for event in outcome.records:
            assert isinstance(event, Event | Rewind)
            assert not isinstance(event, Event) or event.role == ROLES[event.kind]
        ids = [event.id for event in outcome.records if isinstance(event, Event)]
        assert len(set(ids)) == len(ids)
