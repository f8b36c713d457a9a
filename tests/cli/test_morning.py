"""The morning page, the stand-up and the timeline: what was done, where it was left, what is new."""

from __future__ import annotations

import json
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from memtool.cli.app import run as memtool
from memtool.model.actions import Item, Todo
from memtool.query.left_off import LeftOff, left_off
from memtool.summarize import Options, make
from tests.cli.golden import Golden
from tests.cli.history import at, call, seen
from tests.cli.test_threads import DOCS, NOW_US, SHOP, read, talks
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


def page(memory: Memory, columns: int = 80) -> str:
    return seen(memory.root, columns=columns, summarizer="extractive")


@pytest.mark.parametrize("columns", [40, 80])
def test_the_page_as_it_is_read(work: Memory, golden: Golden, columns: int) -> None:
    golden(f"morning-{columns}", page(work, columns))


@pytest.mark.parametrize("name", ["standup", "standup --days 7 --project shop", "timeline"])
def test_standup_and_timeline_as_they_are_read(work: Memory, golden: Golden, name: str) -> None:
    arguments = name.split()
    golden("-".join(arguments).replace("--", ""), seen(work.root, *arguments, columns=80))


def test_the_page_fits_a_screen_and_its_hints_work(work: Memory) -> None:
    text = page(work)
    lines = text.splitlines()
    assert len(lines) <= 20
    assert max(map(len, lines)) <= 80
    hints = re.findall(r"memtool ([a-z]+(?: [a-z]+:[\w-]+)?)", lines[-1])
    assert len(hints) == 3
    for hint in hints:
        assert call(work.root, *hint.split()) == 0


def test_only_what_is_new_since_the_last_look_is_told(work: Memory) -> None:
    assert "New since" not in page(work)
    assert "New since" not in page(work)
    later = Talk("88888888-aaaa", "fix/vat", at("2026-12-10T10:00:00"), SHOP)
    later.prompt("Fix the rounding of the VAT on the printed invoice")
    later.edit("vat.py").shell(
        "git commit -m 'Round the VAT once per invoice'", "[fix/vat 9c77b2c] Round"
    )
    later.answer("The VAT is now rounded once per invoice.")
    work.take_in(later.events, now_us=NOW_US)
    text = page(work)
    assert "1 delivered" in text
    assert "Round the VAT once per invoice" in text.partition("New since")[2]
    assert "New since" not in page(work)


def test_a_look_by_a_program_is_none_and_a_look_keeps_no_words(
    work: Memory, capsys: Output
) -> None:
    file = work.root.parent / ".local/state/memtool/looked.json"
    found = read(work, capsys)
    assert (found["day"], found["news"], found["open"]) == ("day:2026-12-08", None, 1)
    assert not file.exists()
    page(work)
    (look,) = json.loads(file.read_text()).values()
    assert look.keys() == {"time_us", "newest_us"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "{", '{"a": 1}', '{"a": {"time_us": "x"}}', "\udcff"])
def test_a_look_that_cannot_be_read_is_the_first(work: Memory, content: str) -> None:
    file = work.root.parent / ".local/state/memtool/looked.json"
    file.parent.mkdir(parents=True)
    file.write_text(content, errors="surrogateescape")
    assert "Where you left off" in page(work)


def test_a_look_that_cannot_be_kept_is_no_error(work: Memory) -> None:
    (work.root.parent / ".local").write_text("a file where a directory should be")
    for _ in range(2):
        assert "Where you left off" in page(work)


def test_json_stands_alone_or_after_a_command(work: Memory, capsys: Output) -> None:
    home = {"HOME": str(work.root.parent)}
    assert memtool(["--store", str(work.root), "--json", "toc"], home, NOW_US) == 2
    assert "after the command" in capsys.readouterr().err


def test_without_a_memory_it_is_the_help_and_json_is_empty(tmp_path: Path, capsys: Output) -> None:
    assert call(tmp_path / "none") == 2
    assert "Usage" in capsys.readouterr().err
    assert call(tmp_path / "none", "--json") == 0
    assert json.loads(capsys.readouterr().out)["exists"] is False


# Where it was left


def left(tmp_path: Path, *others: Talk) -> LeftOff:
    memory = Memory(tmp_path / "store")
    memory.take_in([event for talk in others for event in talk.events], now_us=NOW_US)
    with memory.access.reading() as store:
        found = left_off(store, NOW_US)
    assert found is not None
    return found


def talk() -> Talk:
    made = Talk("99999999-aaaa", "fix/vat", at("2026-12-09T08:00:00"), SHOP)
    made.prompt("Fix the rounding of the VAT on the printed invoice").edit("vat.py")
    return made.answer("The VAT is now rounded once per invoice.")


def test_it_tells_the_ask_the_end_the_files_and_how_to_resume(tmp_path: Path) -> None:
    found = left(tmp_path, *talks(), talk(), talks()[3])
    assert (found.project, found.branch) == (SHOP, "feat/vouchers")
    found = left(tmp_path / "other", *talks()[:3], talk())
    assert found.asked == "Fix the rounding of the VAT on the printed invoice"
    assert found.ended == "The VAT is now rounded once per invoice"
    assert found.files == ("vat.py",)
    assert found.resume == "claude --resume 99999999-aaaa"
    assert found.branch == "fix/vat"


@pytest.mark.parametrize("reply", ["yes", "go on", "ok", "continue", "commit this"])
def test_a_routine_reply_is_not_what_was_asked(tmp_path: Path, reply: str) -> None:
    said = talk()
    said.prompt(reply).answer("Nothing more was left to do here.")
    assert left(tmp_path, said).asked == "Fix the rounding of the VAT on the printed invoice"


def test_what_was_committed_is_not_uncommitted(tmp_path: Path) -> None:
    said = talk()
    said.prompt("Commit it and then write the test")
    said.shell("git commit -m 'Round the VAT once'", "[fix/vat 9c77b2c] Round")
    said.edit("test_vat.py").edit("/home/mira/.claude/plans/vat.md").answer("Wrote the test.")
    assert left(tmp_path, said).files == ("test_vat.py",)


@pytest.mark.parametrize(
    ("answer", "step"),
    [
        ("Rounded it.\n\nNext step: round the discount as well.", "round the discount as well."),
        (
            "Rounded it.\n\n## Next steps\n\n1. Round the discount\n2. Tell Ada",
            "Round the discount",
        ),
        ("Rounded it.\n\n**Next steps:**\n- Round the discount", "Round the discount"),
        ("Rounded it.\n\nNächste Schritte:\n\n- Den Rabatt runden", "Den Rabatt runden"),
        (
            "Rounded it.\n\nWant me to round the discount as well?",
            "Want me to round the discount as well?",
        ),
        ("Rounded the VAT of each invoice once.", ""),
    ],
)
def test_the_next_step_is_the_one_that_the_agent_named(
    tmp_path: Path, answer: str, step: str
) -> None:
    said = Talk("99999999-aaaa", "fix/vat", at("2026-12-09T08:00:00"), SHOP)
    said.prompt("Fix the rounding of the VAT on the invoice").edit("vat.py").answer(answer)
    assert left(tmp_path, said).next == step


def test_a_todo_that_waits_is_the_next_step(tmp_path: Path) -> None:
    said = talk()
    said.prompt("Go through the invoices")
    said.todo(Todo((Item("Round the totals", "done"), Item("Round the discounts", "pending"))))
    said.answer("Rounded the totals of all invoices.")
    assert left(tmp_path, said).next == "Round the discounts"


def test_without_an_answer_it_says_so(tmp_path: Path) -> None:
    said = talk()
    said.prompt("Now do the same for the discounts of each invoice").edit("discount.py")
    found = left(tmp_path, said)
    assert not found.is_answered
    assert found.asked == "Now do the same for the discounts of each invoice"


def test_git_says_what_is_committed_where_the_repository_is_here(tmp_path: Path) -> None:
    repository = tmp_path / "shop"

    def git(*arguments: str) -> None:
        who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
        subprocess.run(["git", "-C", repository, *who, *arguments], check=True, capture_output=True)

    repository.mkdir()
    git("init", "-q")
    said = Talk("99999999-aaaa", "fix/vat", at("2026-12-09T08:00:00"), str(repository))
    said.prompt("Fix the rounding of the VAT on the printed invoice")
    said.edit("vat.py").edit("src/a b.py").edit("gone.py").answer("The VAT is now rounded once.")
    memory = Memory(tmp_path / "store")
    memory.take_in(said.events, now_us=NOW_US)
    (repository / "src").mkdir()
    (repository / "src/a b.py").write_text("1")
    (repository / "vat.py").write_text("1")
    assert "edited   a b.py and vat.py, not committed" in page(memory)
    git("add", "vat.py")
    git("commit", "-qm", "Round")
    assert "edited   a b.py, not committed" in page(memory)
    git("add", "-A")
    git("commit", "-qm", "Round all")
    assert "edited" not in page(memory)
    (repository / ".git/HEAD").unlink()  # git refuses: the session decides
    assert "no commit since" in page(memory)


# Stand-up and timeline


def test_the_standup_is_plain_text(work: Memory, capsys: Output) -> None:
    text = seen(work.root, "standup", "--days", "7")
    assert "\x1b" not in text
    assert not {"✔", "○", "◐"} & set(text)
    found = read(work, capsys, "standup", "--days", "7")
    assert found["days"] == ["day:2026-12-07", "day:2026-12-08", "day:2026-12-10"]
    assert {thread["project"] for thread in found["work"]["threads"]} == {SHOP, DOCS}
    found = read(work, capsys, "standup", "--project", "shop", "--days", "7")
    assert {thread["project"] for thread in found["work"]["threads"]} == {SHOP}
    found = read(work, capsys, "standup", "--project", "handbook")
    assert found["days"] == ["day:2026-12-08"]


def test_a_day_without_work_is_not_the_last_day_worked(work: Memory, capsys: Output) -> None:
    assert call(work.root, "note", "-p", "shop", "Nothing today", "--at", "2026-12-09") == 0
    capsys.readouterr()
    assert read(work, capsys)["day"] == "day:2026-12-08"
    assert read(work, capsys, "standup")["days"] == ["day:2026-12-08"]


def test_the_timeline_says_on_which_days_a_thread_was_worked_on(
    work: Memory, capsys: Output
) -> None:
    def days(*arguments: str) -> dict[str, list[str]]:
        rows = read(work, capsys, "timeline", *arguments)["rows"]
        return {row["branch"]: row["days"] for row in rows}

    every = days()
    assert every == {
        "docs/onboarding": ["day:2026-12-08"],
        "fix/double-pay": ["day:2026-12-07", "day:2026-12-08"],
        "feat/vouchers": ["day:2026-12-10"],
    }
    assert days("shop").keys() == {"fix/double-pay", "feat/vouchers"}
    assert days("--until", "2026-12-07") == {"fix/double-pay": ["day:2026-12-07"]}
    assert days("--since", "2026-12-09") == {"feat/vouchers": ["day:2026-12-10"]}
    assert days("--since", "2026-11", "--until", "2026-12") == every
    assert days("--since", "2026-01", "--until", "2026-02") == {}


@pytest.mark.parametrize("since", ["2026-12-01", "2026-06", "2024"])
@pytest.mark.parametrize("columns", [60, 80])
def test_a_timeline_of_any_span_fits(work: Memory, since: str, columns: int) -> None:
    lines = seen(work.root, "timeline", "--since", since, columns=columns).splitlines()
    assert max(map(len, lines)) <= columns
    assert sum("■" in line for line in lines) == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ["--since", "2026-12", "--until", "2026-11"],
        ["--since", "1999"],
        ["--since", "soon"],
        ["nowhere"],
    ],
)
def test_a_timeline_that_makes_no_sense_is_refused(
    work: Memory, capsys: Output, arguments: list[str]
) -> None:
    assert call(work.root, "timeline", *arguments) == 2
    assert "hint:" in capsys.readouterr().err


def test_an_empty_memory_has_neither(tmp_path: Path, capsys: Output) -> None:
    for name in ("standup", "timeline", "note"):
        found: dict[str, Any] = read(Memory(tmp_path / "none"), capsys, name)
        assert found["exists"] is False
