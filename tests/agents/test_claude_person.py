"""What a person says to Claude Code outside prompts, what only looks typed, and what was taken back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from memtool.agents.reading import Limits, read_chunks
from memtool.agents.values import JsonObject
from memtool.model.actions import (
    AnyAction,
    Asked,
    Commit,
    Edit,
    Item,
    Plan,
    Question,
    Rejection,
    Subagent,
    Todo,
    decode,
)
from memtool.model.merge import NOTHING, Identity, merged
from memtool.model.records import Event, Record, Rewind
from tests.agents.records import (
    SESSION,
    all_records,
    assistant,
    counts_of,
    events_of,
    queued,
    said,
    user,
    write,
)

REJECTED = (
    "The user doesn't want to proceed with this tool use. The tool use was rejected (eg. if it was a file "
    "edit, the new_string was NOT written to the file). "
)


def call(name: str, uuid: str = "c1", /, **given: object) -> dict[str, object]:
    block = {"type": "tool_use", "id": "toolu_1", "name": name, "input": given}
    return assistant(block, uuid=uuid)


def result(content: object, uuid: str = "r1", **fields: object) -> dict[str, object]:
    block = {"type": "tool_result", "tool_use_id": "toolu_1", "content": content}
    return user([block], uuid, **fields)


def of_person(path: Path) -> list[tuple[str, str, tuple[AnyAction, ...]]]:
    """Return kind, text and actions of the events of a person."""
    found = [event for event in events_of(path) if event.role == "user"]
    return [(event.kind, event.text, decode(event.metadata)) for event in found]


# --- Outside prompts


def test_a_rejection_with_a_reason_is_a_prompt_of_the_person(tmp_path: Path) -> None:
    text = REJECTED + "To tell you how to proceed, the user said:\nKeep both names\nfor a release"
    path = write(tmp_path / "t.jsonl", call("Edit", file_path="/p/a.py"), result(text))
    action = Rejection(subject="/p/a.py")
    assert of_person(path) == [("prompt", "Keep both names\nfor a release", (action,))]
    assert ("tool_result", text) in said(path)


@pytest.mark.parametrize(
    "text",
    [
        REJECTED + "STOP what you are doing and wait for the user to tell you how to proceed.",
        "The user doesn't want to take this action right now. STOP what you are doing.",
    ],
)
def test_a_rejection_without_words_is_no_prompt(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "t.jsonl", call("Bash", command="rm -r x"), result(text))
    assert of_person(path) == [("command", "Rejected", (Rejection(subject="rm -r x"),))]


STRUCTURED = {
    "questions": [{"question": "Which one?", "options": [{"label": "red"}, {"label": "blue"}]}],
    "answers": {"Which one?": 'blue, as in "sky"'},
}


@pytest.mark.parametrize("structured", [STRUCTURED, None])
def test_an_answer_comes_with_its_question(
    tmp_path: Path, structured: dict[str, object] | None
) -> None:
    text = (
        'User has answered your questions: "Which one?"="blue, as in "sky"". '
        "You can now continue with the user's answers in mind."
    )
    asked = call("AskUserQuestion", questions=STRUCTURED["questions"])
    path = write(tmp_path / "t.jsonl", asked, result(text, toolUseResult=structured or text))
    answered = Asked("Which one?", ("red", "blue"), 'blue, as in "sky"')
    words = 'Which one? → blue, as in "sky"'
    assert of_person(path) == [("prompt", words, (Question(asked=(answered,)),))]


def test_several_answers_are_told_apart(tmp_path: Path) -> None:
    text = 'User has answered your questions: "A?"="1, 2", "B?"="no". You can now continue.'
    path = write(tmp_path / "t.jsonl", result(text))
    assert of_person(path)[0][1] == "A? → 1, 2\nB? → no"


PLAN = "# Move the orders\n\n1. Copy\n2. Switch"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("User has approved your plan. You can now start coding.", "approved"),
        (f"User has approved your plan. Go.\n\n## Approved Plan:\n{PLAN}", "approved"),
        (
            f"User has approved your plan. Go.\n\n## Approved Plan (edited by user):\n{PLAN}",
            "changed",
        ),
        (f"User has approved your plan. Go.\n\n## Approved Plan:\n{PLAN}\n3. Rest", "changed"),
    ],
)
def test_an_approved_or_changed_plan_is_an_event_of_the_person(
    tmp_path: Path, text: str, verdict: str
) -> None:
    path = write(tmp_path / "t.jsonl", call("ExitPlanMode", plan=PLAN), result(text))
    [(kind, words, (action,))] = of_person(path)
    assert (kind, words) == ("prompt", f"Plan {verdict}: Move the orders")
    assert isinstance(action, Plan)
    assert (action.verdict, action.heading, action.steps[:2]) == (
        verdict,
        "Move the orders",
        ("Copy", "Switch"),
    )


def test_a_rejected_plan_holds_the_persons_words(tmp_path: Path) -> None:
    text = REJECTED + "To tell you how to proceed, the user said:\nNo downtime"
    path = write(tmp_path / "t.jsonl", call("ExitPlanMode", plan=PLAN), result(text))
    [(_, words, (action,))] = of_person(path)
    assert words == "No downtime"
    assert isinstance(action, Plan)
    assert action.verdict == "rejected"


def test_an_answer_is_the_same_in_pieces_and_in_a_copy(tmp_path: Path) -> None:
    lines = (
        call("ExitPlanMode", plan=PLAN),
        result("User has approved your plan. You can now start coding."),
    )
    path = write(tmp_path / "t.jsonl", *lines)
    whole = events_of(path)
    first = list(read_chunks(write(tmp_path / "p.jsonl", lines[0])))
    write(tmp_path / "p.jsonl", *lines)
    rest = list(read_chunks(tmp_path / "p.jsonl", first[-1].source))
    assert all_records([*first, *rest]) == whole
    copied = events_of(write(tmp_path / "c.jsonl", *({**one, "sessionId": "s2"} for one in lines)))
    assert [(e.id, e.digest, e.text) for e in copied] == [(e.id, e.digest, e.text) for e in whole]


# --- What only looks typed


NOTIFICATION = (
    "<task-notification>\n<task-id>a1</task-id>\n<tool-use-id>toolu_9</tool-use-id>\n"
    '<status>completed</status>\n<summary>Agent "x" completed</summary>\n'
    "<result>The lock is taken twice.</result>\n</task-notification>"
)


@pytest.mark.parametrize(
    "after",
    [
        "",
        "\nFull transcript available at: /tmp/a1.output",
        "\nRead the output file to retrieve the result: /tmp/a1.output",
        "\nSomething that a later version adds",
    ],
)
@pytest.mark.parametrize("fields", [{}, {"origin": {"kind": "task-notification"}}])
def test_a_notification_is_the_subagents_result(
    tmp_path: Path, after: str, fields: dict[str, object]
) -> None:
    path = write(tmp_path / "t.jsonl", user(NOTIFICATION + after, **fields))
    [event] = events_of(path)
    assert (event.kind, event.role, event.text) == (
        "subagent_end",
        "tool",
        "The lock is taken twice.",
    )
    assert event.metadata["tool_use_id"] == "toolu_9"
    assert decode(event.metadata) == (Subagent(stage="ended", id="a1"),)


def test_what_a_person_typed_before_a_notification_stays_typed(tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", user(f"and now the tests\n{NOTIFICATION}"))
    assert [(kind, text) for kind, text in said(path)] == [
        ("prompt", "and now the tests"),
        ("subagent_end", "The lock is taken twice."),
    ]


def test_several_notifications_are_several_results(tmp_path: Path) -> None:
    second = NOTIFICATION.replace("The lock", "The key")
    path = write(tmp_path / "t.jsonl", user(f"{NOTIFICATION}\nRead it\n{second}\nRead it"))
    texts = ["The lock is taken twice.", "The key is taken twice."]
    assert said(path) == [("subagent_end", text) for text in texts]


def test_a_notification_without_a_result_is_a_note(tmp_path: Path) -> None:
    text = "<task-notification>\n<task-id>b1</task-id>\n<summary>Command done</summary>\n</task-notification>\nRead it"
    assert [kind for kind, _ in said(write(tmp_path / "t.jsonl", user(text)))] == ["note"]


@pytest.mark.parametrize(
    "text",
    ["Operation stopped by hook: Another session", "UserPromptSubmit operation blocked by hook: x"],
)
def test_what_a_hook_says_is_a_note(tmp_path: Path, text: str) -> None:
    assert said(write(tmp_path / "t.jsonl", user(text))) == [("note", text)]


def test_a_subagent_that_is_sent_off_has_not_ended(tmp_path: Path) -> None:
    launched = {"isAsync": True, "status": "async_launched", "agentId": "a1", "prompt": "look"}
    path = write(tmp_path / "t.jsonl", result("Async agent launched", toolUseResult=launched))
    [event] = events_of(path)
    assert event.kind == "tool_result"
    assert decode(event.metadata) == (Subagent(stage="launched", id="a1"),)


# --- What was taken back


def states(path: Path) -> list[tuple[str, str]]:
    """Return the texts of prompts and answers, and whether they were taken back."""
    return states_of(all_records(read_chunks(path)))


def states_of(records: list[Record]) -> list[tuple[str, str]]:
    back = {one.id for one in records if isinstance(one, Rewind)}
    return [
        ("back" if one.id in back else "", one.text)
        for one in records
        if isinstance(one, Event) and one.kind in {"prompt", "answer", "tool_result"}
    ]


def answer(text: str, uuid: str, parent: str) -> dict[str, object]:
    return assistant({"type": "text", "text": text}, uuid=uuid, parentUuid=parent)


def first(text: str, uuid: str, /, **fields: object) -> dict[str, object]:
    """Return a prompt that nothing precedes."""
    return user(text, uuid, **fields) | {"parentUuid": None}


TALK = (
    first("Start", "u1"),
    answer("Ready", "a1", "u1"),
    user("Use threads", "u2", parentUuid="a1"),
    answer("Threads it is", "a2", "u2"),
    user("And tests", "u3", parentUuid="a2"),
    answer("Tested", "a3", "u3"),
)


def test_a_prompt_with_an_older_parent_takes_the_branch_back(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.jsonl",
        *TALK,
        user("Use tasks", "u4", parentUuid="a1"),
        answer("Tasks it is", "a4", "u4"),
    )
    assert states(path) == [
        ("", "Start"),
        ("", "Ready"),
        ("back", "Use threads"),
        ("back", "Threads it is"),
        ("back", "And tests"),
        ("back", "Tested"),
        ("", "Use tasks"),
        ("", "Tasks it is"),
    ]


def test_a_rewind_to_the_very_first_prompt_takes_all_of_the_session_back(tmp_path: Path) -> None:
    other = [
        first("Elsewhere", "x1", sessionId="other"),
        answer("Yes", "x2", "x1") | {"sessionId": "other"},
    ]
    again = [first("Use tasks", "u4"), answer("Tasks it is", "a4", "u4")]
    records = all_records(read_chunks(write(tmp_path / "t.jsonl", *other, *TALK, *again)))
    assert states_of(records) == [
        ("", "Elsewhere"),
        ("", "Yes"),
        *(("back", text) for text in ("Start", "Ready", "Use threads", "Threads it is")),
        *(("back", text) for text in ("And tests", "Tested")),
        ("", "Use tasks"),
        ("", "Tasks it is"),
    ]
    back = {one.id for one in records if isinstance(one, Rewind)}
    starts = [one for one in records if isinstance(one, Event) and one.kind == "session_start"]
    assert [one.id in back for one in starts] == [False, True, False]


def test_a_rewind_past_a_compaction_takes_both_sides_of_it_back(tmp_path: Path) -> None:
    boundary = {
        **first("", "b1", logicalParentUuid="a3"),
        "type": "system", "subtype": "compact_boundary", "content": "Conversation compacted",
    }  # fmt: skip
    after = [
        user("This is what was said.", "s1", parentUuid="b1", isCompactSummary=True),
        user("Now the docs", "u5", parentUuid="s1"),
        answer("Docs it is", "a5", "u5"),
    ]
    path = write(tmp_path / "t.jsonl", *TALK, boundary, *after)
    assert {state for state, _ in states(path)} == {""}, "a compaction takes nothing back"
    path = write(tmp_path / "t.jsonl", *TALK, boundary, *after, first("Use tasks", "u9"))
    assert {text: state for state, text in states(path)} == {
        **dict.fromkeys(("Start", "Ready", "Use threads", "Threads it is"), "back"),
        **dict.fromkeys(("And tests", "Tested", "Now the docs", "Docs it is"), "back"),
        "Use tasks": "",
    }


@pytest.mark.parametrize("parent", ["a1", None])
def test_a_rewind_is_the_same_however_the_file_is_read(tmp_path: Path, parent: str | None) -> None:
    lines = (*TALK, user("Use tasks", "u4") | {"parentUuid": parent})
    path = write(tmp_path / "t.jsonl", *lines)
    whole = states(path)
    for number in range(1, len(lines)):
        piece = write(tmp_path / f"{number}.jsonl", *lines[:number])
        first = list(read_chunks(piece, limits=Limits(chunk_records=1)))
        write(piece, *lines)
        rest = list(read_chunks(piece, first[-1].source))
        assert states_of(all_records([*first, *rest])) == whole


def test_siblings_that_are_no_prompts_take_nothing_back(tmp_path: Path) -> None:
    """Parallel results of tools are children of one parent."""
    calls = [{"type": "tool_use", "id": f"t{n}", "name": "Read", "input": {}} for n in (1, 2)]
    results = [
        user(
            [{"type": "tool_result", "tool_use_id": f"t{n}", "content": f"r{n}"}],
            f"r{n}",
            parentUuid="a1",
        )
        for n in (1, 2)
    ]
    path = write(
        tmp_path / "t.jsonl",
        user("Look", "u1", parentUuid=None),
        assistant(*calls, uuid="a1", parentUuid="u1"),
        *results,
        answer("Seen", "a2", "r1"),
        user("Go on", "u2", parentUuid="a2"),
    )
    assert {state for state, _ in states(path)} == {""}


def test_a_prompt_that_was_never_answered_is_not_taken_back(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.jsonl",
        *TALK[:2],
        user("First window", "u2", parentUuid="a1"),
        user("Second window", "u3", parentUuid="a1"),
    )
    assert {state for state, _ in states(path)} == {""}


@pytest.mark.parametrize("content", ["the draft", None])
def test_a_queued_draft_that_was_popped_is_taken_back(tmp_path: Path, content: str | None) -> None:
    path = write(
        tmp_path / "t.jsonl",
        user("Start", "u1", parentUuid=None),
        queued("the draft"),
        queued(content, "popAll"),
        queued("the text", time="2026-03-01T10:00:01.000Z"),
        queued(None, "remove"),
        answer("Done", "a1", "u1"),
    )
    assert states(path) == [("", "Start"), ("back", "the draft"), ("", "the text"), ("", "Done")]


def test_what_was_handed_over_before_is_not_popped(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.jsonl",
        user("Start", "u1", parentUuid=None),
        queued("first"),
        queued(None, "dequeue"),
        queued("second", time="2026-03-01T10:00:01.000Z"),
        queued(None, "popAll"),
    )
    assert states(path) == [("", "Start"), ("", "first"), ("back", "second")]


# --- Branch, project, titles


def test_records_without_branch_and_directory_have_those_of_their_session(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.jsonl",
        queued("before all"),
        user("Start", "u1", parentUuid=None, cwd="/nowhere/shop", gitBranch="tax"),
        user("There", "u2", parentUuid="u1", cwd="/nowhere/shop/api", gitBranch="tax-2"),
        queued("waits"),
    )
    found = [e for e in events_of(path) if e.kind == "prompt"]
    assert {event.project for event in found} == {"/nowhere/shop"}
    assert [event.metadata["branch"] for event in found] == ["tax", "tax", "tax-2", "tax-2"]
    assert [event.metadata.get("directory") for event in found] == [
        None,
        None,
        "/nowhere/shop/api",
        None,
    ]


def title(kind: str, field: str, text: str, **fields: object) -> dict[str, object]:
    return {"type": kind, field: text, "sessionId": SESSION, **fields}


def titles_of(path: Path) -> Iterator[tuple[str, str, int]]:
    for event in events_of(path):
        if event.kind == "title":
            yield event.text, event.metadata["given_by"], event.time_us


def test_titles_are_events_with_the_time_of_the_record_before_them(tmp_path: Path) -> None:
    start = user("Start", "u1", parentUuid=None)
    [begin] = {event.time_us for event in events_of(write(tmp_path / "s.jsonl", start))}
    path = write(
        tmp_path / "t.jsonl",
        title("ai-title", "aiTitle", "Early"),
        start,
        user("More", "u2", timestamp="2026-03-01T11:00:00.000Z"),
        title("ai-title", "aiTitle", "Later"),
        title("custom-title", "customTitle", "Mine"),
    )
    later = begin + 3_600_000_000
    assert list(titles_of(path)) == [
        ("Early", "agent", begin),
        ("Later", "agent", later),
        ("Mine", "person", later),
    ]


def test_a_summary_counts_only_beside_its_leaf(tmp_path: Path) -> None:
    def summary(text: str, leaf: str) -> JsonObject:
        return {"type": "summary", "summary": text, "leafUuid": leaf}

    path = write(
        tmp_path / "t.jsonl", summary("Ours", "u1"), summary("Others", "x"), user("Start", "u1")
    )
    assert [text for text, _, _ in titles_of(path)] == ["Ours"]


def test_a_title_that_is_written_again_stays_one_event(tmp_path: Path) -> None:
    named = title("ai-title", "aiTitle", "Same")
    path = write(
        tmp_path / "t.jsonl",
        user("Start", "u1"),
        named,
        user("More", "u2", timestamp="2026-03-01T11:00:00.000Z"),
        named,
    )
    first, second = (event for event in events_of(path) if event.kind == "title")
    assert (first.id, first.digest) == (second.id, second.digest)
    assert first.revision > second.revision  # the earliest counts


@pytest.mark.parametrize(
    "kind",
    ["atis-latch", "bridge-session", "cost-state", "continued-in", "marble-origami-x", "relocated"],
)
def test_records_without_conversation_are_known_by_name(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "t.jsonl", user("x"), {"type": kind, "sessionId": SESSION})
    counts = counts_of(path)
    assert (counts.unknown, counts.metadata) == ({}, {kind: 1})


# --- Actions


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("Edit", {"file_path": "/p/a.py", "old_string": "a"}, Edit(paths=("/p/a.py",))),
        (
            "Bash",
            {"command": "git commit -m 'Add a lock' -m 'It was taken twice.'"},
            Commit(subject="Add a lock", body="It was taken twice."),
        ),
        (
            "TodoWrite",
            {
                "todos": [
                    {"content": "Write", "status": "completed"},
                    {"content": "Test", "status": "in_progress"},
                ]
            },
            Todo(items=(Item("Write", "done"), Item("Test", "started"))),
        ),
        (
            "TaskUpdate",
            {"taskId": "3", "status": "completed"},
            Todo(items=(Item("", "done", "3"),), partial=True),
        ),
        (
            "Agent",
            {"description": "Look", "prompt": "Look well", "subagent_type": "x"},
            Subagent(task="Look", agent="x"),
        ),
    ],
)
def test_calls_are_actions(
    tmp_path: Path, name: str, given: dict[str, object], expected: AnyAction
) -> None:
    [event] = events_of(write(tmp_path / "t.jsonl", call(name, **given)))
    assert decode(event.metadata) == (expected,)


def test_actions_hold_no_secret_and_stay_readable(tmp_path: Path) -> None:
    secret = "ghp_" + "a1B2" * 9
    path = write(tmp_path / "t.jsonl", call("WebFetch", url=f"https://x.y/?token={secret}"))
    [event] = events_of(path)
    assert secret not in json.dumps(event.metadata)
    assert decode(event.metadata)


@pytest.mark.parametrize("fields", [{"isSidechain": True, "agentId": "a1"}, {"isSidechain": None}])
def test_a_subagents_file_is_a_sidechain_of_its_session(
    tmp_path: Path, fields: dict[str, object]
) -> None:
    lines = (
        user("Look at the locks", "u1", parentUuid=None, **fields),
        assistant({"type": "text", "text": "They are fine"}, uuid="a1", parentUuid="u1", **fields),
    )
    events = events_of(write(tmp_path / "agent-a1.jsonl", *lines))
    assert [(event.kind, event.session) for event in events] == [
        ("subagent_start", SESSION),
        ("answer", SESSION),
    ]
    assert {event.metadata["sidechain"] for event in events} == {"true"}


def merged_of(records: list[Record]) -> dict[str, Identity]:
    found: dict[str, Identity] = {}
    for one in records:
        found[one.id] = merged(found.get(one.id, NOTHING), [one])
    return found


STORY = (
    title("ai-title", "aiTitle", "Before all"),
    queued("first of all"),
    *TALK,
    queued("a draft", time="2026-03-01T10:00:01.000Z"),
    title("ai-title", "aiTitle", "Before all"),
    queued(None, "popAll"),
    call("ExitPlanMode", "p1", plan=PLAN),
    result("User has approved your plan. Go.", "p2"),
    user("Use tasks", "u4", parentUuid="a1", timestamp="2026-03-01T11:00:00.000Z"),
    answer("Tasks it is", "a4", "u4"),
    title("custom-title", "customTitle", "Mine"),
)


@pytest.mark.parametrize("number", range(1, len(STORY)))
def test_a_story_is_the_same_in_two_pieces(tmp_path: Path, number: int) -> None:
    whole = merged_of(all_records(read_chunks(write(tmp_path / "t.jsonl", *STORY))))
    path = write(tmp_path / "p.jsonl", *STORY[:number])
    first = list(read_chunks(path))
    write(path, *STORY)
    pieces = merged_of(all_records([*first, *read_chunks(path, first[-1].source)]))
    again = merged_of([*all_records([*first, *read_chunks(path, first[-1].source)])[::-1]])
    assert again == pieces
    assert placed(pieces) == placed(whole)
    if number != 2:  # the branch of what was read before any record told it is not known
        assert pieces == whole


def placed(identities: dict[str, Identity]) -> dict[str, tuple[str, str, bool]]:
    current = {key: one.current for key, one in identities.items()}
    return {key: (e.text, e.project, e.rewound) for key, e in current.items() if e is not None}
