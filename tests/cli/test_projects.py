"""One rule for what belongs to a project, through every command; and forgetting one says what is left of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from memtool.ledger.file import run_of
from memtool.ledger.reading import record_end
from memtool.model.records import Claim
from memtool.rollup.plan import Choices
from tests.cli.conftest import NOW_US
from tests.forgetting import an_event, in_files, plain_files
from tests.memory import Memory
from tests.strategies import DAY_US, HOUR_US

Call = Callable[..., tuple[int, str, str]]
START_US = NOW_US - 30 * DAY_US
A, B, C = "/nowhere/a/shop", "/nowhere/b/shop", "/nowhere/c/tool"


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Memory:
    plain_files(monkeypatch)
    memory = Memory(tmp_path / "memory")
    rows = [
        ("needle-one of a", Claim("one", A)),
        ("needle-two in a subdirectory", Claim("two", f"{A}/api")),
        ("needle-three without a project", Claim("two", "")),
        ("needle-four in a worktree", Claim("four", f"{A}/.worktrees/x")),
        ("of b", Claim("five", B)),
        ("of c", Claim("six", C)),
        ("without any project", Claim("seven", "")),
        ("of a neighbour", Claim("eight", f"{A}-old")),
    ]
    memory.take_in(
        [an_event(n, START_US + n * HOUR_US, *row) for n, row in enumerate(rows)], now_us=NOW_US
    )
    memory.roll_up_all(NOW_US, choices=Choices(include_open=True))
    return memory


NEEDLES = [f"needle-{word}".encode() for word in ("one", "two", "three", "four")]


def listed(call: Call, *arguments: str) -> list[str]:
    code, out, err = call("events", "--json", *arguments)
    assert (code, err) == (0, "")
    return [event["text"] for event in json.loads(out)["events"]]


def test_all_commands_agree_on_what_belongs_to_a_project(memory: Memory, call: Call) -> None:
    of_a = listed(call, "--project", "a/shop")
    assert [text.partition(" ")[0].encode() for text in of_a] == NEEDLES
    assert listed(call, "--project", A) == of_a
    found = json.loads(call("forget", "--project", "a/shop", "--dry-run", "--json")[1])
    assert found["events"] == len(of_a)
    hits = json.loads(call("search", "needle", "--project", "a/shop", "--no-ingest", "--json")[1])
    assert len({hit["id"] for hit in hits["hits"] if not hit["level"]}) <= len(of_a)
    assert all("of b" not in hit["excerpt"] for hit in hits["hits"])
    export = memory.root.parent / "out.jsonl"
    assert call("export", "--project", "a/shop", "-o", str(export))[0] == 0
    assert len(export.read_text().splitlines()) == len(of_a)


def test_forgetting_a_project_takes_its_subdirectories_and_what_names_none(
    memory: Memory, call: Call
) -> None:
    assert set(in_files(memory.root, NEEDLES)) == set(NEEDLES)
    code, out, _ = call("forget", "--project", "a/shop", "--yes")
    assert code == 0
    assert "4 events forgotten" in out
    assert "Backups, exports and other machines keep what they have." in out
    assert in_files(memory.root, [*NEEDLES, f"{A}/api".encode()]) == {}
    assert listed(call) == ["of b", "of c", "without any project", "of a neighbour"]


def test_a_name_that_may_mean_two_projects_is_refused_and_says_how_to_tell_them_apart(
    memory: Memory, call: Call
) -> None:
    before = memory.everything()
    code, _, err = call("forget", "--project", "shop", "--yes")
    assert code == 2
    assert "shop may mean 2 projects" in err
    assert f"{A}, {B}" in err
    assert memory.everything() == before
    assert len(listed(call, "--project", "shop")) == 5, "reading takes both"


@pytest.mark.usefixtures("memory")
def test_projects_of_one_name_are_told_apart(call: Call) -> None:
    out = call("stats", "--by", "project")[1]
    assert "  a/shop\n" in out
    assert "  b/shop\n" in out
    assert "  tool\n" in out
    assert "a/shop · session one" in call("events")[1]
    day = call("toc", "2026-08")[1] + call("show", "day:2026-08-22")[1]
    assert "b/shop" in day


@pytest.mark.usefixtures("memory")
def test_a_directory_within_a_project_is_named_as_such(call: Call) -> None:
    code, _, err = call("forget", "--project", f"{C}/src/deep", "--yes")
    assert code == 2
    assert "is no project, but a directory in one" in err
    assert f"its project is {C}" in err


def test_a_repository_of_its_own_below_another_is_not_taken_along(
    tmp_path: Path, call: Call
) -> None:
    outer, inner = tmp_path / "outer", tmp_path / "outer/vendored"
    for place in (outer / ".git", inner / ".git", outer / "api"):
        place.mkdir(parents=True)
    memory = Memory(tmp_path / "memory")
    places = (str(outer), str(inner), str(outer / "api"), "/home/mira", "/home/mira/notes")
    memory.take_in(
        [
            an_event(n, START_US + n, f"in {place}", Claim(f"s{n}", place))
            for n, place in enumerate(places)
        ],
        now_us=NOW_US,
    )
    assert listed(call, "--project", str(outer)) == [f"in {outer}", f"in {outer / 'api'}"]
    assert listed(call, "--project", str(outer / "api/x")) == listed(call, "--project", str(outer))
    assert listed(call, "--project", "/home/mira") == ["in /home/mira"]


def test_what_still_names_a_forgotten_project_or_session_is_told(
    memory: Memory, call: Call
) -> None:
    memory.take_in(
        [an_event(50, START_US, f"Compare with {A}/README.md", Claim("six", C))], now_us=NOW_US
    )
    out = call("forget", "--project", A, "--dry-run")[1]
    assert "1 event of other sessions name it and stay" in out
    assert f"Compare with {A}/README.md" in out
    assert "eight" not in out, "a longer name is another one"
    found = json.loads(call("forget", "--project", A, "--yes", "--json")[1])
    assert [event["text"] for event in found["quoting"]] == [f"Compare with {A}/README.md"]


def test_a_pattern_is_also_looked_for_where_no_event_has_it(memory: Memory, call: Call) -> None:
    end = {
        "type": "end", "run": "0" * 12, "job": "ingest", "trigger": "manual", "started_us": NOW_US, "pid": 1,
        "version": "0", "ended_us": NOW_US, "result": "failed", "exit_code": 1, "error": "about Initech",
    }  # fmt: skip
    record_end(memory.root, run_of(end))
    rejected = memory.root / "rejected" / "1.json"
    rejected.parent.mkdir()
    rejected.write_text('{"prompt": "Initech again"}')
    out = call("forget", "--match", "Initech", "--dry-run")[1]
    assert "No event matches." in out
    assert "2 other texts" in out
    code, out, _ = call("forget", "--match", "Initech", "--yes")
    assert (code, "deleted" in out) == (0, True)
    assert in_files(memory.root, [b"Initech"]) == {}
    assert "2 other texts" not in call("forget", "--match", "Initech", "--dry-run")[1]


@pytest.mark.usefixtures("memory")
def test_names_that_match_a_pattern_are_told(call: Call) -> None:
    out = call("forget", "--match", "a/shop", "--dry-run")[1]
    assert "Matching names stay" in out
    assert A in out


def claude(home: Path, session: str, *prompts: str) -> Path:
    """Write a transcript of Claude Code, and the list of prompts beside it."""
    root = home / ".claude"
    file = root / "projects/-nowhere-a-shop" / f"{session}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as lines, (root / "history.jsonl").open("a") as listed_too:
        for number, prompt in enumerate(prompts):
            time = f"2026-08-2{number}T10:00:00.000Z"
            record = {
                "type": "user", "uuid": f"{session}-{number}", "parentUuid": None, "sessionId": session, "cwd": A,
                "timestamp": time, "message": {"role": "user", "content": prompt},
            }  # fmt: skip
            lines.write(json.dumps(record) + "\n")
            row = {
                "display": prompt, "timestamp": 1_787_220_000_123 + number, "project": A, "sessionId": session,
            }  # fmt: skip
            listed_too.write(json.dumps(row) + "\n")
    return file


def test_nothing_of_a_forgotten_session_comes_back_from_its_files(
    tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_files(monkeypatch)
    home = tmp_path / "home"
    gone = claude(home, "0aaa1111-2222", "needle-one please", "needle-two please")
    claude(home, "0bbb1111-2222", "Something else")
    assert call("ingest")[0] == 0
    out = call("forget", "--session", "0aaa", "--yes")[1]
    assert "2 files of the agents, which keep what they hold" in out
    assert str(gone) in out
    assert str(home / ".claude/history.jsonl") in out
    root = tmp_path / "memory"
    history = home / ".claude/history.jsonl"
    history.write_text(
        '{"display": "old", "timestamp": 1, "project": "/x"}\n' + history.read_text()
    )
    assert call("ingest")[0] == 0
    assert listed(call) == ["Session started", "Something else"]
    gone.unlink()
    history.write_text("{}\n" + history.read_text())
    assert call("ingest")[0] == 0
    assert listed(call) == ["Session started", "Something else"]
    assert in_files(root, NEEDLES[:2]) == {}


def test_stats_count_by_the_same_rule_before_and_after_a_rollup(memory: Memory, call: Call) -> None:
    expected = {A: 4, B: 1, C: 1, f"{A}-old": 1, "": 1}
    assert parts(call) == expected
    memory.take_in([an_event(70, START_US, "one more", Claim("two", f"{A}/api"))])
    assert parts(call) == expected | {A: 5}, "the day is marked: its events are counted"
    memory.roll_up_all(NOW_US)
    assert parts(call) == expected | {A: 5}
    assert json.loads(call("stats", "--json")[1])["projects"] == len(expected)


# --- Projects that moved


def parts(call: Call) -> dict[str, int]:
    found = json.loads(call("stats", "--by", "project", "--json")[1])["parts"]
    return {part["name"]: part["events"] for part in found if part["events"]}


def test_a_project_that_moved_keeps_its_past_and_what_is_read_later_joins_it(
    memory: Memory, call: Call
) -> None:
    new = "/elsewhere/store"
    before = parts(call)
    code, out, err = call("project", "rename", "a/shop", new)
    assert (code, err) == (0, "")
    assert f"of {A} belong to {new} now." in out
    renamed = {name.replace(A, new, 1) if name.startswith(f"{A}/") or name == A else name: count
               for name, count in before.items()}  # fmt: skip
    assert parts(call) == renamed
    assert listed(call, "--project", new) == listed(call, "--project", "store")
    assert len(listed(call, "--project", new)) == len(NEEDLES)
    memory.take_in([an_event(60, START_US, "from an old transcript", Claim("nine", A))])
    assert "from an old transcript" in listed(call, "--project", new)
    assert call("verify")[0] == 0
    memory.roll_up_all(NOW_US)
    assert call("verify")[0] == 0
    assert parts(call) == renamed | {new: renamed[new] + 1}
    hits = json.loads(call("search", "needle", "--project", new, "--no-ingest", "--json")[1])
    assert {hit["project"].partition("/api")[0] for hit in hits["hits"] if hit["project"]} <= {
        new,
        f"{new}/.worktrees/x",
        "",
    }


def test_a_rename_is_taken_back_by_the_opposite_one(memory: Memory, call: Call) -> None:
    before = parts(call)
    assert call("project", "rename", A, "/elsewhere/store")[0] == 0
    assert call("project", "rename", "/elsewhere/store", A)[0] == 0
    assert parts(call) == before
    memory.take_in([an_event(61, START_US, "at the old place", Claim("ten", A))])
    assert parts(call)[A] == before[A] + 1


def test_a_dry_run_of_a_rename_changes_nothing_and_names_what_is_there(
    memory: Memory, call: Call
) -> None:
    before = memory.everything()
    code, out, _ = call("project", "rename", A, B, "--dry-run")
    assert code == 0
    assert f"would belong to {B}." in out
    assert "It has 1 event already; they cannot be told apart afterwards." in out
    found = json.loads(call("project", "rename", A, B, "--dry-run", "--json")[1])
    assert (found["old"], found["new"], found["known"]) == (A, B, 1)
    assert memory.everything() == before


@pytest.mark.parametrize(
    ("old", "new"), [("shop", C), (A, f"{A}/sub"), (A, A), ("nothing-like-it", C)]
)
def test_what_cannot_be_renamed_is_refused(memory: Memory, call: Call, old: str, new: str) -> None:
    before = memory.everything()
    assert call("project", "rename", old, new)[0] == 2
    assert memory.everything() == before


def test_a_rename_that_was_killed_is_ended_by_the_same_command(
    memory: Memory, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memtool.jobs.rename.rename_sessions", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        call("project", "rename", A, C)
    monkeypatch.undo()
    assert call("project", "rename", A, C)[0] == 0
    assert A not in parts(call)
    with memory.access.reading() as store:
        assert all(A not in row.projects for _, row in store.sessions())


def test_forgetting_a_project_that_moved_leaves_neither_of_its_paths(
    memory: Memory, call: Call
) -> None:
    assert call("project", "rename", A, "/elsewhere/store")[0] == 0
    code, out, _ = call("forget", "--project", "/elsewhere/store", "--yes")
    assert code == 0
    assert "No file of the store holds anything that was forgotten." in out
    assert in_files(memory.root, [*NEEDLES, b"/elsewhere/store", f"{A}/api".encode()]) == {}
    assert "moved" not in {key.decode() for key in memory.everything()["meta"]} or (
        memory.everything()["meta"][b"moved"] == b"{}"
    )
