"""Reading work: threads in `show` and `toc`, one thread through its days, what is open, and periods that go on."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from memtool.cli.app import run as memtool
from memtool.model.actions import Item, Todo
from memtool.model.levels import Level
from memtool.rollup.plan import Choices
from memtool.summarize import Options, make
from tests.cli.golden import Golden
from tests.cli.history import at, call, seen
from tests.memory import Memory
from tests.signals.talk import Talk

Output = pytest.CaptureFixture[str]
NOW_US = at("2026-12-10T11:00:00")
SHOP, DOCS = "/home/mira/src/shop", "/home/mira/src/handbook"


def talks() -> list[Talk]:
    """Return three pieces of work in two projects, one of them over two days, and one of today."""
    pay = Talk("11111111-aaaa", "fix/double-pay", at("2026-12-07T08:00:00"), SHOP)
    pay.prompt("Fix the double payment when a customer clicks the pay button twice")
    pay.edit("pay.py").shell(
        "git commit -m 'Reject a second payment of one cart'", "[fix/double-pay 1c77b2c] Reject"
    )
    pay.answer("The checkout now rejects a second payment of the same cart.")
    again = Talk("22222222-aaaa", "fix/double-pay", at("2026-12-08T08:00:00"), SHOP)
    again.prompt("Write a test for the double payment of a cart with vouchers")
    again.edit("test_pay.py")
    again.shell(
        "gh pr create --title 'Reject double payments'", "https://github.com/mira/shop/pull/42"
    )
    again.answer("Opened the pull request with a test for carts with vouchers.")
    docs = Talk("33333333-aaaa", "docs/onboarding", at("2026-12-08T09:00:00"), DOCS)
    docs.prompt("Rewrite the onboarding chapter for new colleagues")
    docs.todo(
        Todo(
            (
                Item("Write the chapter about laptops", "started"),
                Item("List the accounts that everybody needs", "pending"),
            )
        )
    )
    docs.edit("onboarding.md").answer("Wrote the first half of the onboarding chapter.")
    today = Talk("44444444-aaaa", "feat/vouchers", at("2026-12-10T08:00:00"), SHOP)
    today.prompt("Add gift vouchers to the checkout of the shop")
    today.edit("vouchers.py").answer(
        "Added the model of a gift voucher; the checkout does not take it yet."
    )
    return [pay, again, docs, today]


@pytest.fixture
def work(tmp_path: Path) -> Memory:
    memory = Memory(tmp_path / "store")
    memory.take_in([event for talk in talks() for event in talk.events], now_us=NOW_US)
    memory.roll_up_all(NOW_US, summarizer=make("extractive", Options(max_bullets=5)))
    return memory


def read(memory: Memory, capsys: Output, *arguments: str) -> dict[str, Any]:
    assert call(memory.root, *arguments, "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


PAGES = {
    "work-day": ["show", "2026-12-08"],
    "work-week": ["show", "this-week"],
    "work-toc": ["toc", "2026-12"],
    "work-thread": ["show", "thread:fix/double-pay"],
    "work-open": ["open"],
}


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("name", PAGES)
def test_work_as_it_is_read(work: Memory, golden: Golden, name: str, columns: int) -> None:
    golden(
        f"{name}-{columns}", seen(work.root, *PAGES[name], columns=columns, summarizer="extractive")
    )


def test_an_open_period_is_joined_from_its_children_and_from_todays_events(
    work: Memory, capsys: Output
) -> None:
    for period in ("today", "this-week", "this-month", "this-year"):
        found = read(work, capsys, "show", period)
        assert found["recipe"] is None
        assert "Add gift vouchers" in json.dumps(found["threads"])
    assert {thread["branch"] for thread in found["threads"]} == {
        "fix/double-pay",
        "docs/onboarding",
        "feat/vouchers",
    }


def test_an_open_period_that_was_joined_is_what_its_node_will_be(
    work: Memory, capsys: Output
) -> None:
    joined = read(work, capsys, "show", "this-month")
    extractive = make("extractive", Options(max_bullets=5))
    for level in (Level.DAY, Level.WEEK, Level.MONTH):
        work.roll_up(level, NOW_US, summarizer=extractive, choices=Choices(include_open=True))
    written = read(work, capsys, "show", "this-month")
    assert written["recipe"] is not None
    assert written["threads"] == joined["threads"]
    assert written["title"] == joined["title"]


def test_a_node_of_an_open_period_that_has_gone_on_is_not_read(
    work: Memory, capsys: Output
) -> None:
    extractive = make("extractive", Options(max_bullets=5))
    work.roll_up(Level.DAY, NOW_US, summarizer=extractive, choices=Choices(include_open=True))
    later = Talk("55555555-aaaa", "fix/fonts", at("2026-12-10T09:00:00"), SHOP)
    later.prompt("Repair the fonts of the printed invoice").edit("fonts.py").answer(
        "Repaired the fonts."
    )
    work.take_in(later.events, now_us=NOW_US)
    found = read(work, capsys, "show", "today")
    assert (found["recipe"], found["state"]) == (None, ["open"])
    assert {thread["branch"] for thread in found["threads"]} == {"feat/vouchers", "fix/fonts"}


def test_a_thread_is_found_by_its_branch_or_the_beginning_of_its_id(
    work: Memory, capsys: Output
) -> None:
    found = read(work, capsys, "show", "thread:fix/double-pay")
    assert [day["id"] for day in found["days"]] == ["day:2026-12-07", "day:2026-12-08"]
    assert found["thread"]["state"] == "delivered"
    for digits in (4, 8, 32):
        assert read(work, capsys, "show", f"thread:{found['thread']['id'][:digits]}") == found


@pytest.mark.parametrize("text", ["thread:", "thread:none", "thread:ffffffff", "thread:ab"])
def test_a_thread_that_is_not_there_is_refused(work: Memory, capsys: Output, text: str) -> None:
    assert call(work.root, "show", text) == 2
    assert "a thread is named by its branch" in capsys.readouterr().err


def test_a_branch_of_two_projects_lists_both_threads(work: Memory, capsys: Output) -> None:
    other = Talk("66666666-aaaa", "fix/double-pay", at("2026-12-08T12:00:00"), DOCS)
    other.prompt("Describe the double payment in the handbook").edit("pay.md").answer("Described.")
    work.take_in(other.events, now_us=NOW_US)
    work.roll_up_all(NOW_US, summarizer=make("extractive", Options(max_bullets=5)))
    assert call(work.root, "show", "thread:fix/double-pay") == 2
    names = re.findall("thread:[0-9a-f]{32}", capsys.readouterr().err)
    assert len(names) == 2
    assert {read(work, capsys, "show", name)["thread"]["project"] for name in names} == {SHOP, DOCS}


def test_what_is_open_is_listed_by_project_and_quiet_after_two_weeks(
    work: Memory, capsys: Output
) -> None:
    (thread,) = [
        one for one in read(work, capsys, "open")["threads"] if one["branch"] == "docs/onboarding"
    ]
    assert (thread["project"], thread["state"], thread["quiet"]) == (DOCS, "open", False)
    assert [point["text"] for point in thread["points"]] == ["Write the chapter about laptops"]
    assert read(work, capsys, "open", "--project", "shop")["threads"] == []

    def later(*arguments: str) -> int:
        home = {"HOME": str(work.root.parent)}
        return memtool(["--store", str(work.root), *arguments], home, at("2026-12-23T11:00:00"))

    assert later("open") == 0
    said = capsys.readouterr().out
    assert "onboarding" not in said
    assert "memtool open --all" in said
    assert later("open", "--all") == 0
    assert "Quiet" in capsys.readouterr().out


def test_what_to_type_next_works(work: Memory, capsys: Output) -> None:
    hints: list[str] = []
    for page in PAGES.values():
        assert call(work.root, *page) == 0
        hints += re.findall(r": memtool (.+)$", capsys.readouterr().out, re.MULTILINE)
    for hint in set(hints):
        assert call(work.root, *hint.split()) == 0


def test_every_grip_that_is_shown_is_one_that_grip_takes(work: Memory, capsys: Output) -> None:
    for page in PAGES.values():
        assert call(work.root, *page) == 0
        for short in set(re.findall(r"\[([0-9a-f]{6,})\]", capsys.readouterr().out)):
            assert call(work.root, "grip", short) == 0
            capsys.readouterr()


@pytest.mark.parametrize("arguments", [["open"], ["show", "thread:main"]])
def test_without_a_store_it_says_how_to_begin(
    tmp_path: Path, capsys: Output, arguments: list[str]
) -> None:
    assert call(tmp_path / "none", *arguments) == 0
    assert "no memory yet" in capsys.readouterr().err
