"""What a person tells memtool: notes, and that something open is settled. At once, after a rollup, and undone."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from memtool.cli.app import run as memtool
from memtool.jobs.forget import Selector
from memtool.model.actions import Item, Todo
from memtool.model.threads import thread_id
from memtool.query.verify import verify
from memtool.rollup.plan import Choices
from memtool.summarize import Options, make
from tests.cli.history import at, call
from tests.cli.test_threads import DOCS, NOW_US, SHOP, read, talks
from tests.forgetting import forgotten
from tests.memory import Memory
from tests.signals.talk import Talk

Output = pytest.CaptureFixture[str]
EXTRACTIVE = make("extractive", Options(max_bullets=5))


@pytest.fixture
def work(tmp_path: Path) -> Memory:
    memory = Memory(tmp_path / "store")
    memory.take_in([event for talk in talks() for event in talk.events], now_us=NOW_US)
    memory.roll_up_all(NOW_US, summarizer=EXTRACTIVE)
    return memory


def said(memory: Memory, capsys: Output, *arguments: str) -> str:
    assert call(memory.root, *arguments) == 0
    return capsys.readouterr().out


def points(memory: Memory, capsys: Output, period: str) -> list[tuple[str, str]]:
    """Return the kind and text of every point of a period that is shown."""
    found = read(memory, capsys, "show", period)
    return [
        (point["kind"], point["text"])
        for thread in found["threads"]
        for point in thread["points"]
        if point["shown"]
    ]


def open_texts(memory: Memory, capsys: Output) -> dict[str, str]:
    """Return the IDs of what is open, by its text."""
    threads = read(memory, capsys, "open")["threads"]
    return {point["text"]: point["id"] for thread in threads for point in thread["points"]}


# Notes


def test_a_note_is_told_by_its_day_at_once_and_after_a_rollup(work: Memory, capsys: Output) -> None:
    texts = ["Ask Ada about the invoice font before Friday", "Freeze the shop until Monday"]
    for text in texts:
        said(work, capsys, "note", text, "--project", "shop", "--at", "2026-12-08T15:00")
    at_once = points(work, capsys, "2026-12-08")
    headlines = [one["headline"] for one in read(work, capsys, "show", "2026-12-08")["threads"]]
    work.roll_up_all(NOW_US, summarizer=EXTRACTIVE)
    assert points(work, capsys, "2026-12-08") == at_once
    assert {*headlines, *(text for kind, text in at_once if kind == "note")} >= set(texts)
    page = said(work, capsys, "show", "2026-12-08")
    assert "noted by hand" in page


@pytest.mark.parametrize(
    "text", ["kurz", "请给艾达打电话", "- [ ] call Ada", "why? because!", "x" * 3000]
)
def test_any_note_is_shown_found_and_listed(work: Memory, capsys: Output, text: str) -> None:
    said(work, capsys, "note", "--project", "handbook", "--", text)
    assert text in [event["text"] for event in read(work, capsys, "note")["notes"]]
    (thread,) = [
        one for one in read(work, capsys, "show", "today")["threads"] if one["project"] == DOCS
    ]
    assert thread["shown"]
    work.roll_up_all(NOW_US, summarizer=EXTRACTIVE, choices=Choices(include_open=True))
    with work.access.reading() as store:
        assert verify(store, NOW_US).problems == []
    told = thread["points"][0]["text"]
    assert told.removesuffix(" …") in text
    if len(text) < 1000:
        hits = read(work, capsys, "search", f"? {text}", "--kind", "note")["hits"]
        assert text in [hit["excerpt"] for hit in hits]


def test_a_note_belongs_to_the_project_and_the_branch_here(
    tmp_path: Path, work: Memory, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "cellar"
    run = ("git", "-c", "init.defaultBranch=main", "-C")
    subprocess.run(["git", "-c", "init.defaultBranch=main", "init", "-q", repository], check=True)
    subprocess.run([*run, repository, "checkout", "-q", "-b", "feat/wine"], check=True)
    below = repository / "shelves" / "deep"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert "cellar (feat/wine)" in said(work, capsys, "note", "The Riesling is too warm")
    (event,) = read(work, capsys, "note", "--project", ".")["notes"]
    assert (event["project"], event["metadata"]["branch"]) == (str(repository), "feat/wine")
    assert read(work, capsys, "show", "thread:feat/wine")["thread"]["project"] == str(repository)


def test_a_note_on_a_branch_is_a_point_of_its_thread(work: Memory, capsys: Output) -> None:
    line = {
        "agent": "memtool",
        "session": "by-hand-2026-12-08",
        "project": DOCS,
        "time": "2026-12-08T10:00:00Z",
        "kind": "note",
        "role": "user",
        "text": "The old chapter is printed, do not touch it",
        "metadata": {"branch": "docs/onboarding"},
    }
    before = read(work, capsys, "show", "thread:docs/onboarding")
    path = work.root.parent / "notes.jsonl"
    path.write_text(json.dumps(line) + "\n")
    said(work, capsys, "ingest", str(path))
    after = read(work, capsys, "show", "thread:docs/onboarding")
    assert ("note", line["text"]) in {(p["kind"], p["text"]) for p in after["thread"]["points"]}
    for name in ("headline", "state", "sessions"):
        assert after["thread"][name] == before["thread"][name]
    assert after["resume"] == before["resume"]


def test_secrets_are_masked_in_a_note(work: Memory, capsys: Output) -> None:
    secret = "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345"
    assert call(work.root, "note", "-p", "shop", f"the token {secret} is old") == 0
    assert "1 secret masked" in capsys.readouterr().err
    assert secret not in json.dumps(read(work, capsys, "note"))


def test_a_note_can_be_taken_back_and_is_kept(work: Memory, capsys: Output) -> None:
    hint = said(work, capsys, "note", "-p", "shop", "Buy more fonts for the printer").splitlines()[
        -1
    ]
    said(work, capsys, *hint.partition("memtool ")[2].split())
    assert read(work, capsys, "note")["notes"] == []
    assert "Buy more fonts" not in json.dumps(points(work, capsys, "today"))
    (event,) = [one for one in read(work, capsys, "events")["events"] if one["kind"] == "note"]
    assert event["rewound"]


def test_a_note_that_was_forgotten_is_gone(work: Memory, capsys: Output) -> None:
    said(work, capsys, "note", "-p", "shop", "The vault opens with 4711")
    (event,) = read(work, capsys, "note")["notes"]
    assert forgotten(work, NOW_US, Selector(events=(event["id"],))).forgotten == 1
    held = b"".join(path.read_bytes() for path in work.root.rglob("*") if path.is_file())
    assert b"The vault opens" not in held


def test_notes_and_settlements_survive_export_and_ingest(
    work: Memory, tmp_path: Path, capsys: Output
) -> None:
    said(work, capsys, "note", "-p", "shop", "Freeze the shop until Monday")
    said(work, capsys, "open", "--done", next(iter(open_texts(work, capsys).values())))
    lines = said(work, capsys, "export")
    (tmp_path / "lines.jsonl").write_text(lines)
    other = Memory(tmp_path / "other")
    path = str(tmp_path / "lines.jsonl")
    assert call(other.root, "ingest", path, MEMTOOL_CALENDAR__TIMEZONE="UTC") == 0
    capsys.readouterr()
    other.roll_up_all(NOW_US, summarizer=EXTRACTIVE)
    work.roll_up_all(NOW_US, summarizer=EXTRACTIVE)
    assert open_texts(other, capsys) == open_texts(work, capsys)
    assert read(other, capsys, "note") == read(work, capsys, "note")
    assert other.closed_part(NOW_US) == work.closed_part(NOW_US)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["note", ""], "a note needs words"),
        (["note", "  \n "], "a note needs words"),
        (["note", "x", "--at", "2027-01-01"], "in the future"),
        (["note", "x", "--at", "soon"], "unknown time"),
        (["note", "x", "--project", "nowhere"], "unknown project"),
        (["note", "--at", "today"], "needs the text"),
        (["note", "--remove", "ffffffff"], "no note"),
        (["note", "--remove", ""], "no note"),
        (["note", "x", "--remove", "ffffffff"], "takes no text"),
        (["open", "--done", "ffffffff"], "nothing open"),
        (["open", "--done", ""], "nothing open"),
        (["open", "--done", "thread:"], "nothing open"),
        (["open", "--undo", "ffffffff"], "nothing that was settled"),
        (["open", "--done", "ffff", "--undo", "ffff"], "exclude each other"),
    ],
)
def test_what_makes_no_sense_is_refused(
    work: Memory, capsys: Output, arguments: list[str], words: str
) -> None:
    before = work.everything()
    assert call(work.root, *arguments) == 2
    assert words in capsys.readouterr().err
    assert work.everything() == before


def test_a_note_may_come_from_a_pipe(
    work: Memory, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("two\nlines\n"))
    said(work, capsys, "note", "-p", "shop", "-")
    assert [one["text"] for one in read(work, capsys, "note")["notes"]] == ["two\nlines"]


def test_the_first_note_makes_a_memory_and_says_so(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(tmp_path / "new", "note", "Begin here") == 0
    assert "Its time zone is" in capsys.readouterr().err
    assert call(tmp_path / "new", "note") == 0
    assert "Begin here" in capsys.readouterr().out


def test_what_is_by_hand_is_no_session(work: Memory, capsys: Output) -> None:
    before = {
        name: read(work, capsys, *name.split())["sessions"] for name in ("stats", "show today")
    }
    said(work, capsys, "note", "-p", "shop", "Freeze the shop until Monday")
    for name, sessions in before.items():
        assert read(work, capsys, *name.split())["sessions"] == sessions
    for project in ("shop", SHOP):
        lines = said(work, capsys, "context", "--project", project)
        assert "by-hand" not in lines.partition("Last session")[2].partition("\n")[0]


# Settling


def test_what_is_settled_is_open_nowhere_at_once_and_after_a_rollup_and_a_rebuild(
    work: Memory, capsys: Output
) -> None:
    before = open_texts(work, capsys)
    laptops = before.pop("Write the chapter about laptops")
    assert "Settled: Write the chapter" in said(work, capsys, "open", "--done", laptops[:4])

    def is_settled() -> None:
        assert open_texts(work, capsys) == before
        for period in ("2026-12-08", "week:2026-12-06", "2026-12", "2026"):
            found = read(work, capsys, "show", period)
            (thread,) = [one for one in found["threads"] if one["project"] == DOCS]
            assert (thread["state"], thread["open"]) == ("in work", [])
        history = read(work, capsys, "show", "thread:docs/onboarding")
        assert {history["thread"]["state"], history["days"][0]["thread"]["state"]} == {"in work"}

    is_settled()
    work.roll_up_all(NOW_US, summarizer=EXTRACTIVE)
    assert (
        work.marks().keys() & {day for day in work.marks() if day.id == "day:2026-12-08"} == set()
    )
    is_settled()
    fresh = Memory(work.root.parent / "fresh")
    with work.access.reading() as store:
        fresh.take_in(list(store.events(0, NOW_US * 2)), now_us=NOW_US)
    fresh.roll_up_all(NOW_US, summarizer=EXTRACTIVE)
    assert fresh.closed_part(NOW_US) == work.closed_part(NOW_US)


@pytest.mark.parametrize("is_rolled_up", [False, True])
def test_settling_is_undone(work: Memory, capsys: Output, *, is_rolled_up: bool) -> None:
    before = open_texts(work, capsys)
    day = read(work, capsys, "show", "2026-12-08")["threads"]
    hint = said(
        work, capsys, "open", "--done", before["Write the chapter about laptops"]
    ).splitlines()[-1]
    if is_rolled_up:
        work.roll_up_all(NOW_US, summarizer=EXTRACTIVE)
    said(work, capsys, *hint.partition("memtool ")[2].split())
    assert open_texts(work, capsys) == before
    assert read(work, capsys, "show", "2026-12-08")["threads"] == day
    work.roll_up_all(NOW_US, summarizer=EXTRACTIVE)
    assert open_texts(work, capsys) == before
    assert read(work, capsys, "show", "2026-12-08")["threads"] == day


def test_an_item_is_named_by_its_grip_or_with_its_whole_thread(
    work: Memory, capsys: Output
) -> None:
    page = said(work, capsys, "show", "2026-12-08")
    (grip,) = re.findall(r"open: Write the chapter about laptops  \[(\w+)\]", page)
    said(work, capsys, "open", "--done", f"[{grip}]")
    assert "Write the chapter about laptops" not in open_texts(work, capsys)
    said(work, capsys, "open", "--undo", "thread:" + _thread(work, capsys)["id"][:8])
    for name in ("docs/onboarding", _thread(work, capsys)["id"][:6]):
        said(work, capsys, "open", "--done", f"thread:{name}")
        assert "Write the chapter about laptops" not in open_texts(work, capsys)
        assert memtool_later(work, "open", "--undo", "thread:" + _thread(work, capsys)["id"]) == 0


def memtool_later(work: Memory, *arguments: str) -> int:
    home = {"HOME": str(work.root.parent), "MEMTOOL_SUMMARIZER__NAME": "extractive"}
    return memtool(["--store", str(work.root), *arguments], home, NOW_US + 1)


def _thread(work: Memory, capsys: Output) -> dict[str, Any]:
    found: dict[str, Any] = read(work, capsys, "show", "thread:docs/onboarding")["thread"]
    return found


def test_an_item_that_is_said_again_later_is_open_again(work: Memory, capsys: Output) -> None:
    home = {"HOME": str(work.root.parent), "MEMTOOL_SUMMARIZER__NAME": "extractive"}
    done = ["--store", str(work.root), "open", "--done", "thread:docs/onboarding"]
    assert memtool(done, home, at("2026-12-08T20:00:00")) == 0
    capsys.readouterr()
    later = Talk("77777777-aaaa", "docs/onboarding", at("2026-12-09T08:00:00"), DOCS)
    later.prompt("Go on with the onboarding chapter for new colleagues").edit("onboarding.md")
    later.todo(Todo((Item("Write the chapter about laptops", "started"),)))
    later.answer("Rewrote the second half of the onboarding chapter.")
    work.take_in(later.events, now_us=NOW_US)
    work.roll_up_all(NOW_US, summarizer=EXTRACTIVE)
    assert "Write the chapter about laptops" in open_texts(work, capsys)


def _late() -> Talk:
    late = Talk("88888888-aaaa", "docs/onboarding", at("2026-12-08T12:00:00"), DOCS)
    late.prompt("List the accounts that new colleagues need").edit("accounts.md")
    late.todo(Todo((Item("Write the chapter about laptops", "pending"), Item("x y z", "started"))))
    return late.answer("Listed the accounts of the shop and of the bank.")


STEPS = ("note", "settle", "undo", "late", "roll up")


@pytest.mark.parametrize("order", list(permutations(STEPS))[::17])
def test_in_any_order_the_nodes_are_those_of_a_rebuild(
    work: Memory, capsys: Output, order: tuple[str, ...]
) -> None:
    """Whatever was said by hand, and whenever a rollup ran in between."""
    for step in order:
        if step == "note":
            arguments = ["note", "-p", "handbook", "The printer is broken", "--at", "2026-12-08"]
            assert call(work.root, *arguments) == 0
        elif step == "settle":
            assert call(work.root, "open", "--done", "thread:docs/onboarding") == 0
        elif step == "undo":
            memtool_later(work, "open", "--undo", "thread:" + _thread_id())
        elif step == "late":
            work.take_in(_late().events, now_us=NOW_US)
        else:
            work.roll_up_all(NOW_US, summarizer=EXTRACTIVE)
        capsys.readouterr()
    at_once = open_texts(work, capsys)
    work.roll_up_all(NOW_US, summarizer=EXTRACTIVE)
    assert open_texts(work, capsys) == at_once
    fresh = Memory(work.root.parent / "fresh")
    lines = said(work, capsys, "export")
    (work.root.parent / "lines.jsonl").write_text(lines)
    path = str(work.root.parent / "lines.jsonl")
    assert call(fresh.root, "ingest", path, MEMTOOL_CALENDAR__TIMEZONE="UTC") == 0
    capsys.readouterr()
    fresh.roll_up_all(NOW_US, summarizer=EXTRACTIVE)
    assert fresh.closed_part(NOW_US) == work.closed_part(NOW_US)
    with work.access.reading() as store:
        assert verify(store, NOW_US).problems == []


def _thread_id() -> str:
    return thread_id(DOCS, "docs/onboarding", "")
