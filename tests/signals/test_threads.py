"""Threads of a day: what belongs together, what names it, how it stands, what is told of it."""

from __future__ import annotations

import random

import pytest

from memtool.model.actions import Issue, Item, Plan, Todo
from memtool.model.levels import Level
from memtool.model.shown import view_of
from memtool.model.threads import join
from memtool.signals.threads import threads_of
from tests.signals.talk import MINUTE_US, Talk, points

FIX = "Replaced floats with Decimal in the tax module."

DAY_US = 86_400_000_000


def _fix(branch: str = "", session: str = "s1", start_us: int = 0) -> Talk:
    talk = Talk(session, branch, start_us)
    return talk.prompt("Fix the rounding of the tax").edit("tax.py").answer(FIX)


# --- which turns belong together


def test_sessions_on_one_branch_are_one_thread() -> None:
    turns = _fix("alice/fix-tax").turns + _fix("alice/fix-tax", "s2", 9 * MINUTE_US).turns
    (thread,) = threads_of(turns)
    assert (thread.branch, thread.sessions) == ("alice/fix-tax", ("s1", "s2"))


@pytest.mark.parametrize("branch", ["", "main", "master", "develop", "trunk", "HEAD"])
def test_on_a_trunk_each_session_is_a_thread(branch: str) -> None:
    turns = _fix(branch).turns + _fix(branch, "s2", 9 * MINUTE_US).turns
    assert sorted(thread.session for thread in threads_of(turns)) == ["s1", "s2"]


def test_a_run_on_the_trunk_belongs_to_the_sessions_next_branch() -> None:
    talk = _fix("main")
    talk.branch = "alice/fix-tax"
    talk.prompt("Add tests for negative tax").edit("test_tax.py")
    assert talk.thread().branch == "alice/fix-tax"


def test_talk_on_the_trunk_after_a_branch_belongs_to_it_but_not_edits() -> None:
    talk = _fix("alice/fix-tax")
    talk.branch = "main"
    talk.prompt("When will finance see the fix?").answer(
        "Finance sees it after the next deployment."
    )
    assert talk.thread().branch == "alice/fix-tax"
    talk.prompt("Raise the version in the changelog").edit("CHANGELOG")
    assert {thread.branch for thread in threads_of(talk.turns)} == {"alice/fix-tax", ""}


def test_a_look_at_another_branch_does_not_move_the_turn() -> None:
    talk = Talk(branch="alice/fix-tax").prompt("Fix the rounding of the tax").edit("tax.py")
    talk.branch = "bob/other"
    talk.answer(FIX)
    assert talk.thread().branch == "alice/fix-tax"


def test_the_order_of_turns_does_not_matter() -> None:
    turns = list(
        _fix("alice/fix-tax").turns + _fix("main", "s2", 1).turns + _fix("b/c", "s3").turns
    )
    expected = threads_of(turns)
    random.Random(1).shuffle(turns)
    assert threads_of(turns) == expected


# --- headlines


def test_the_best_headline_that_exists_names_the_thread() -> None:
    talk = Talk(branch="alice/invoice-tax-shop-12")
    talk.prompt("The tax of every invoice is wrong").edit("tax.py").answer(FIX)
    assert talk.thread().headline == "The tax of every invoice is wrong"
    talk.prompt("Change amounts to half-even rounding").edit("tax.py")
    assert talk.thread().headline == "The tax of every invoice is wrong"
    talk.shell("git commit -m 'tax: Round half even'", "[x 1a2b3c4] tax: Round half even")
    assert talk.thread().headline == "tax: Round half even"
    talk.add("title", "Wrong tax on invoices", given_by="agent")
    assert talk.thread().headline == "Wrong tax on invoices"
    talk.prompt("Plan approved", Plan(heading="Round the tax as finance does", verdict="approved"))
    assert talk.thread().headline == "Round the tax as finance does"
    talk.shell("gh pr create -t 'Round the tax half even'", "https://github.com/me/shop/pull/99")
    assert talk.thread().headline == "Round the tax half even"
    talk.add("title", "Tax", given_by="person")
    assert talk.thread().headline == "Tax"


def test_work_is_named_by_what_its_session_was_begun_for() -> None:
    talk = Talk().prompt("Three customers were charged twice since the weekend")
    talk.edit("pay.py").prompt("Write the failing test of the double charge first")
    talk.todo(_todos("done", "done")).answer(FIX)
    assert talk.thread().headline == "Three customers were charged twice since the weekend"


def test_a_branch_that_is_a_phrase_names_its_work() -> None:
    talk = Talk(branch="alice/reject-second-payment-of-a-cart")
    talk.prompt("Look at PaymentForm.submit_once() and rename it").edit("pay.py").answer(FIX)
    assert talk.thread().headline == "Reject second payment of a cart"


def test_a_label_of_a_plan_gives_way_to_a_commit() -> None:
    talk = Talk(branch="alice/x").prompt("Plan approved", Plan(heading="Cart", verdict="approved"))
    talk.shell("git commit -m 'Empty the cart after payment'", "[x 1a2b3c4] Empty the cart")
    assert talk.thread().headline == "Empty the cart after payment"


def test_each_thread_has_a_headline() -> None:
    talk = Talk(branch="temp").edit("a.py")
    talk.shell("pytest", "1 passed")
    assert talk.thread().headline == "Temp"


def test_a_headline_that_is_too_long_gives_way_to_one_that_is_whole() -> None:
    talk = _fix("alice/fix-tax")
    subject = "tax: Round " + "and round again " * 6
    talk.shell(f"git commit -m '{subject}'", f"[x 1a2b3c4] {subject}")
    assert len(talk.thread().headline) <= 90
    assert not talk.thread().headline.endswith("…")


# --- state


def test_states() -> None:
    assert _fix().thread().state == "in work"
    talk = Talk().prompt("Why is the tax wrong on invoices?")
    assert (
        talk.answer("The tax is rounded twice by the invoice module.").thread().state == "answered"
    )
    talk = _fix().shell("git commit -m 'tax: Use Decimal'", "[x 1a2b3c4] tax: Use Decimal")
    assert talk.thread().state == "delivered"
    assert talk.edit("a.py").edit("b.py").thread().state == "in work"
    assert talk.thread().since == 2
    talk.prompt("give up on this, abandon the branch")
    assert talk.thread().state == "dropped"


def test_an_issue_alone_delivers_nothing() -> None:
    talk = _fix().call("create_issue", Issue(verb="opened", title="The PDF rounds by itself"))
    assert talk.thread().state == "in work"


def test_a_passed_test_delivers_nothing() -> None:
    assert _fix().shell("go test ./...", "ok  \tshop").thread().state == "in work"


# --- open


def _todos(*states: str) -> Todo:
    names = ("Write orders to both stores", "Backfill the orders", "Switch the order reads")
    items = [Item(name, state) for name, state in zip(names, states, strict=False)]  # type: ignore[arg-type]
    return Todo(items=tuple(items))


def test_to_dos_of_a_list_that_was_begun_are_open() -> None:
    talk = Talk().prompt("Move the orders to Postgres").edit("orders.py")
    talk.todo(_todos("pending", "pending", "pending"))
    assert talk.thread().state == "in work"
    talk.todo(_todos("done", "pending", "pending"))
    thread = talk.thread()
    assert thread.state == "open"
    assert {item.text for item in thread.open_items} == {
        "Backfill the orders",
        "Switch the order reads",
    }


def test_to_dos_of_a_list_that_was_replaced_are_not_open() -> None:
    talk = Talk().prompt("Move the orders to Postgres").edit("orders.py")
    talk.todo(_todos("done", "started", "pending"))
    talk.todo(Todo(items=(Item("Read orders from Postgres", "done"),)))
    assert talk.thread().open_items == ()


def test_a_pending_task_is_open_until_the_work_goes_on() -> None:
    recap = "Goal: move the orders to Postgres. Next: backfill the orders of closed shops."
    talk = _fix().add("recap", recap)
    assert [item.text for item in talk.thread().open_items] == [
        "Backfill the orders of closed shops"
    ]
    assert talk.edit("orders.py").thread().open_items == ()


def test_what_is_said_to_be_open_goes_when_it_is_done() -> None:
    talk = _fix().answer("Still open: the invoice PDF uses its own rounding.")
    assert talk.thread().state == "open"
    talk.prompt("Then fix the PDF").edit("pdf.py").answer(
        "The invoice PDF uses the rounding of the tax now."
    )
    assert talk.thread().state == "in work"


def test_an_offer_is_not_open_and_a_real_question_is() -> None:
    talk = _fix().answer("Replaced floats with Decimal. Want me to commit this change?")
    assert talk.thread().state == "in work"
    talk = _fix().answer("Should negative amounts be rounded away from zero in invoices?")
    assert [item.text for item in talk.thread().open_items] == [
        "asked: Should negative amounts be rounded away from zero in invoices?"
    ]


# --- what was undone


def test_what_a_later_prompt_takes_back_is_not_told() -> None:
    talk = (
        Talk(branch="alice/fix-tax")
        .prompt("the test for negative amounts fails now")
        .edit("tax.py")
    )
    talk.answer("All tests pass now: rounding uses ROUND_HALF_UP, as the tax office wants it.")
    talk.prompt("revert that, we agreed with finance on half-even; change the test instead")
    talk.edit("test_tax.py").answer("Reverted. The test now expects half-even.")
    told = " ".join(points(talk.thread()))
    assert "ROUND_HALF_UP" not in told
    assert "we agreed with finance on half-even" in told.lower()


def test_a_replaced_ask_is_no_headline() -> None:
    talk = Talk().prompt("Hide the start command from the help").edit("cli.py").answer("Done.")
    talk.prompt("Thinking again: let's completely remove the start command").edit("cli.py")
    assert "Hide" not in talk.thread().headline
    assert not any("Hide" in text for text in points(talk.thread()))


def test_a_correction_drops_the_answer_but_not_the_ask() -> None:
    talk = Talk().prompt("The new log folder should be ignored by git")
    talk.answer("The new log folder is already ignored by git.")
    talk.prompt("sorry, my point is that the installer does not write it").edit("setup.py")
    told = points(talk.thread())
    assert not any("already ignored" in text for text in told)
    assert "The new log folder should be ignored by git" in told


# --- points


def test_small_procedures_are_not_told() -> None:
    talk = Talk().prompt("Round the tax half even").edit("tax.py")
    names = ("Launch parallel agents", "Round the tax amounts")
    talk.todo(Todo(items=tuple(Item(name, "done") for name in names)))
    assert points(talk.thread(), "done") == ["Round the tax amounts"]


def test_a_commit_is_a_reference_once() -> None:
    talk = _fix()
    for number in ("1a2b3c4", "5d6e7f8"):
        talk.shell("git commit -m 'tax: Use Decimal'", f"[x {number}] tax: Use Decimal")
    (reference,) = talk.thread().references
    assert (reference.text, reference.key) == ("tax: Use Decimal", "5d6e7f8")


def test_somebody_elses_pull_request_is_only_seen() -> None:
    talk = Talk().prompt("Review the pull request 7").shell("gh pr view 7", "title: …")
    talk.answer("The pull request rounds the tax twice on invoices.")
    (reference,) = talk.thread().references
    assert (reference.number, reference.here, reference.verb) == (7, False, "seen")
    assert talk.thread().state == "answered"


def test_a_day_keeps_twenty_points_of_a_thread() -> None:
    talk = Talk(branch="alice/fix-tax").prompt("Fix the tax of all shops").edit("tax.py")
    items = [Item(f"Round the tax of shop q{chr(97 + n)} half even", "done") for n in range(30)]
    talk.todo(Todo(items=tuple(items)))
    assert len(talk.thread().points) == 20


@pytest.mark.parametrize(
    "prompt",
    [
        "Uh oh - it just happened again",
        "This has happened twice now just fyi",
        "I'd like to bring that part back.",
        "let's investigate 3 and 7 - use subagents if you need",
    ],
)
def test_a_prompt_that_points_at_something_unseen_is_neither_point_nor_headline(
    prompt: str,
) -> None:
    thread = Talk().prompt("Fix the rounding of the tax").edit("a.py").prompt(prompt).thread()
    assert points(thread, "ask", "decision") in ([], ["Fix the rounding of the tax"])
    alone = Talk().prompt(prompt).edit("a.py").thread()
    assert alone.headline == ""
    assert not alone.points


def test_what_was_before_and_what_an_item_does_is_no_result() -> None:
    answer = """Rounding now uses Decimal in the invoice module.

**Problem:** When an invoice has many lines, the sum was:
- Printed as a float to the customer
- Returned as a string by the exporter

Changes:
1. `TestRounding` - Covers the tax of an invoice:
   - Invoice 1: the tax is newer than the line
- Added a helper for the tax of one line
"""
    thread = Talk().prompt("Fix the rounding of the tax").edit("a.py").answer(answer).thread()
    told = " ".join(points(thread, "result"))
    assert "Rounding now uses Decimal" in told
    assert "Added a helper" in told
    assert "float" not in told
    assert "exporter" not in told
    assert "newer" not in told


def test_a_branch_that_is_a_whole_act_names_the_thread_alone() -> None:
    talk = Talk(branch="me/move-tax-to-invoice-module").prompt("Add a newTax helper to invoice.py")
    thread = talk.edit("invoice.py").edit("tax.py").thread()
    assert thread.headline == "Move tax to invoice module"


def test_a_day_does_not_repeat_the_headline_in_steps_and_a_month_shows_no_small_steps() -> None:
    steps = ("Wire the tax into the invoice form", "Cover negative amounts of refunds")
    items = tuple(Item(text, "done") for text in steps)
    talk = Talk().prompt("Wire the tax into the invoice").edit("invoice.py", "refunds.py")
    thread = talk.todo(Todo(items)).shell("git commit -m 'Wire the tax into the invoice'").thread()
    ((_, day),) = view_of([thread], Level.DAY).threads
    ((_, month),) = view_of([thread], Level.MONTH).threads
    assert "done" not in {point.kind for point in month}
    assert [point.text for point in day if point.kind == "done"] == [steps[1]]


def test_what_a_later_day_settles_is_not_shown_as_open() -> None:
    branch = "me/tax"
    first = Talk(branch=branch).prompt("Fix the rounding of the tax").edit("tax.py")
    first.answer(
        "Replaced floats with Decimal. The rounding of refunds is not yet covered by tests."
    )
    later = Talk("s2", branch, DAY_US).prompt("Cover the rounding of refunds").edit("tests.py")
    later.answer("Covered the rounding of refunds by tests.")
    days = [threads_of(first.turns), threads_of(later.turns)]
    ((_, told),) = view_of(days[0], Level.DAY).threads
    assert "open" in {point.kind for point in told}
    ((thread, told),) = view_of(join(days, Level.WEEK), Level.WEEK).threads
    assert thread.state != "open"
    assert "open" not in {point.kind for point in told}
