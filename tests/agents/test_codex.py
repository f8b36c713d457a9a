"""Codex's rollouts: forks and rollbacks of any shape, and the forms in which its versions write one thing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtool.agents.codex.tools import command_line, result_of
from memtool.agents.reading import read_chunks
from memtool.model.actions import Question, Rejection, decode
from memtool.model.records import Event, Record
from tests.agents.contract import current, states_of
from tests.agents.records import all_records

Line = dict[str, object]


class Thread:
    """A rollout that is being written. `turn_ids`: as since 0.104; `items`: as since 0.151."""

    def __init__(self, name: str, *, turn_ids: bool, items: bool = False, minute: int = 0) -> None:
        self.name = name
        self.turn_ids = turn_ids
        self.items = items
        self.lines: list[Line] = []
        self.clock_s = minute * 60
        self.turns = 0
        self.add("session_meta", id=name, cwd="/home/ann/shop", cli_version="0.115.0")

    def add(self, kind: str, /, **payload: object) -> None:
        self.clock_s += 1
        minutes, seconds = divmod(self.clock_s, 60)
        time = f"2026-03-02T{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}.000Z"
        self.lines.append({"timestamp": time, "type": kind, "payload": payload})

    def prompt(self, text: str) -> None:
        self.turns += 1
        if self.turn_ids:
            self.add("event_msg", type="task_started", turn_id=f"{self.name}-{self.turns}")
        content = [{"type": "input_text", "text": text}]
        self.add("response_item", type="message", role="user", content=content)
        if self.items:
            item = {"type": "UserMessage", "content": [{"type": "text", "text": text}]}
            self.add("event_msg", type="item_completed", item=item)
        else:
            self.add("event_msg", type="user_message", message=text)

    def answer(self, text: str) -> None:
        content = [{"type": "output_text", "text": text}]
        if self.items:
            self.add("response_item", type="message", role="assistant", content=content)
            item = {"type": "AgentMessage", "content": [{"type": "Text", "text": text}]}
            self.add("event_msg", type="item_completed", item=item)
        else:
            self.add("event_msg", type="agent_message", message=text)
            self.add("response_item", type="message", role="assistant", content=content)

    def roll_back(self, turns: int) -> None:
        self.add("event_msg", type="thread_rolled_back", num_turns=turns)

    def forked(self, name: str, at: int) -> Thread:
        """Return a thread that begins with a copy of the first lines, with new times."""
        fork = Thread(name, turn_ids=self.turn_ids, items=self.items, minute=120)
        fork.lines[0]["payload"] = {
            "id": name,
            "cwd": "/home/ann/shop",
            "forked_from_id": self.name,
        }
        for line in self.lines[:at]:
            payload = line["payload"]
            assert isinstance(payload, dict)
            fork.add(str(line["type"]), **payload)
        return fork

    def write(self, directory: Path) -> Path:
        path = directory / f"rollout-2026-03-02T10-00-00-{self.name}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in self.lines))
        return path


def read(directory: Path, threads: Iterable[Thread]) -> list[Record]:
    return [one for thread in threads for one in all_records(read_chunks(thread.write(directory)))]


def said(records: Iterable[Record]) -> list[tuple[str, str]]:
    return [(one.kind, one.text) for one in current(records) if one.kind != "session_start"]


SAY = st.sampled_from(["yes", "no", "go on"])
STEPS = st.lists(
    st.tuples(st.just("prompt"), SAY)
    | st.tuples(st.just("answer"), SAY)
    | st.tuples(st.just("roll back"), st.integers(1, 3)),
    max_size=14,
)


def played(
    thread: Thread, steps: Iterable[tuple[str, object]]
) -> list[list[tuple[str, str, bool]]]:
    """Play the steps; return each turn's events with whether they were rolled back, those before the first apart."""
    turns: list[list[tuple[str, str, bool]]] = [[]]
    alive = [0]
    for what, how in steps:
        if what == "prompt":
            thread.prompt(str(how))
            alive.append(len(turns))
            turns.append([("prompt", str(how), False)])
        elif what == "answer":
            thread.answer(str(how))
            turns[alive[-1]].append(("answer", str(how), False))
        else:
            assert isinstance(how, int)
            thread.roll_back(how)
            for _ in range(min(how, len(alive) - 1)):
                undone = turns[alive.pop()]
                undone[:] = [(kind, text, True) for kind, text, _ in undone]
    return turns


FORMS = pytest.mark.parametrize(
    ("turn_ids", "items"), [(False, False), (True, False), (True, True)]
)


@FORMS
@given(steps=STEPS)
def test_what_is_rolled_back_is_kept_and_flagged(
    steps: list[tuple[str, object]], turn_ids: bool, items: bool
) -> None:
    thread = Thread("t", turn_ids=turn_ids, items=items)
    expected = Counter(one for turn in played(thread, steps) for one in turn)
    with TemporaryDirectory() as place:
        found = current(read(Path(place), [thread]))
    assert (
        Counter((e.kind, e.text, e.rewound) for e in found if e.kind != "session_start") == expected
    )


@FORMS
@given(steps=STEPS, data=st.data())
def test_a_fork_tells_nothing_twice(
    steps: list[tuple[str, object]], data: st.DataObject, turn_ids: bool, items: bool
) -> None:
    parent = Thread("a", turn_ids=turn_ids, items=items)
    played(parent, steps)
    fork = parent.forked("b", data.draw(st.integers(1, len(parent.lines))))
    second = fork.forked("c", data.draw(st.integers(1, len(fork.lines))))
    for thread in (fork, second):
        thread.prompt(f"only in {thread.name}")
        thread.answer(f"said in {thread.name}")
    threads = [parent, fork, second]
    with TemporaryDirectory() as place:
        alone = Counter(said(read(Path(place), [parent])))
        records = read(Path(place), data.draw(st.permutations(threads)))
    added = Counter(
        {(k, f"{w} in {n}"): 1 for n in "bc" for k, w in (("prompt", "only"), ("answer", "said"))}
    )
    assert Counter(said(records)) == alone + added
    for event in current(records):
        of_parent = event.text in ("yes", "no", "go on")
        assert (
            event.session == ("a" if of_parent else event.text[-1]) or event.kind == "session_start"
        )
        assert event.claims[0].project == "/home/ann/shop"


@given(steps=STEPS, data=st.data())
def test_a_rollback_in_a_fork_leaves_the_parent_alone(
    steps: list[tuple[str, object]], data: st.DataObject
) -> None:
    parent = Thread("a", turn_ids=True)
    talk = [step for step in steps if step[0] != "roll back"]
    played(parent, talk)
    fork = parent.forked("b", len(parent.lines))
    fork.roll_back(data.draw(st.integers(1, 3)))
    with TemporaryDirectory() as place:
        records = read(Path(place), data.draw(st.permutations([parent, fork])))
    assert not [event for event in current(records) if event.rewound]


@given(steps=STEPS, cut=st.integers(0, 10_000))
def test_a_rollback_is_found_wherever_the_reading_resumed(
    steps: list[tuple[str, object]], cut: int
) -> None:
    thread = Thread("t", turn_ids=False)
    played(thread, steps)
    with TemporaryDirectory() as place:
        path = thread.write(Path(place))
        data = path.read_bytes()
        whole = states_of(all_records(read_chunks(path)))
        path.write_bytes(data[: cut % (len(data) + 1)])
        first = list(read_chunks(path))
        with path.open("r+b") as stream:
            stream.write(data)
        rest = list(read_chunks(path, first[-1].source))
    assert states_of(all_records([*first, *rest])) == whole


def test_words_that_are_written_as_event_and_as_item_are_one_prompt(tmp_path: Path) -> None:
    thread = Thread("t", turn_ids=True, items=True)
    for _ in range(2):
        thread.prompt("go on")
        thread.add("event_msg", type="user_message", message="go on")
    assert said(read(tmp_path, [thread])) == [("prompt", "go on")] * 2


def test_a_file_that_has_only_events_tells_the_answers(tmp_path: Path) -> None:
    thread = Thread("t", turn_ids=False)
    thread.add("event_msg", type="user_message", message="Why?")
    thread.add("event_msg", type="agent_message", message="Because.")
    assert said(read(tmp_path, [thread])) == [("prompt", "Why?"), ("answer", "Because.")]


def test_a_file_without_events_tells_the_prompts(tmp_path: Path) -> None:
    thread = Thread("t", turn_ids=False)
    for text in ("# AGENTS.md instructions for /w", "<environment_context>x", "Why?", "And how?"):
        content = [{"type": "input_text", "text": text}]
        thread.add("response_item", role="user", content=content)
    assert said(read(tmp_path, [thread])) == [("prompt", "Why?"), ("prompt", "And how?")]


@pytest.mark.parametrize(
    ("output", "text", "is_error"),
    [
        ("plain", "plain", False),
        ("unsupported custom tool call: apply_patch", "unsupported custom tool call: apply_patch", True),
        ('{"output":"no such file\\n","metadata":{"exit_code":1}}', "Exit code 1\nno such file\n", True),
        ("Exit code: 0\nWall time: 1 seconds\nOutput:\nok", "ok", False),
        ("Exit code: 2\nWall time: 1 seconds\nTotal output lines: 9\nOutput:\nbad", "Exit code 2\nbad", True),
        ("Chunk ID: a\nWall time: 1.0 seconds\nProcess exited with code 3\nOutput:\nx", "Exit code 3\nx", True),
        ("Wall time: 1.0 seconds\nProcess running with session ID 7\nOutput:\nx", "x", False),
        ([{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}], "a\nb", False),
        ({"content": "no", "success": False}, "Exit code 1\nno", True),
        (None, "", False),
    ],
)  # fmt: skip
def test_results_are_told_without_what_codex_writes_around_them(
    output: object, text: str, is_error: bool
) -> None:
    assert result_of(output) == (text, is_error)


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (["bash", "-lc", "pytest -q"], "pytest -q"),
        (["/bin/zsh", "-c", "ls | wc"], "ls | wc"),
        (["powershell.exe", "-Command", "dir"], "dir"),
        (["git", "commit", "-m", "a b"], "git commit -m 'a b'"),
        ("ls -l", "ls -l"),
        ([1, None], ""),
        (None, ""),
    ],
)
def test_a_command_is_told_as_one_line(command: object, line: str) -> None:
    assert command_line(command) == line


def test_what_a_person_rejected_and_answered_is_theirs(tmp_path: Path) -> None:
    thread = Thread("t", turn_ids=True)
    patch = "*** Begin Patch\n*** Delete File: a.py\n*** End Patch"
    thread.add(
        "response_item", type="custom_tool_call", name="apply_patch", input=patch, call_id="c1"
    )
    thread.add(
        "response_item",
        type="custom_tool_call_output",
        call_id="c1",
        output="patch rejected by user",
    )
    tag = "send_user_message_question_reply"
    reply = f'<{tag}>\n[{{"question": "Which?", "answer": "Both"}}]\n</{tag}>'
    thread.prompt(reply)
    events = [one for one in current(read(tmp_path, [thread])) if one.role == "user"]
    assert [one.text for one in events] == ["Rejected", "Which? \u2192 Both"]
    [rejection], [question] = (decode(event.metadata) for event in events)
    assert rejection == Rejection(subject="a.py")
    assert isinstance(question, Question)
    failed = [
        one
        for one in read(tmp_path, [thread])
        if isinstance(one, Event) and one.kind == "tool_result"
    ]
    assert failed[0].metadata["is_error"] == "true"
