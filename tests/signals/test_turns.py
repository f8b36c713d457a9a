"""Signals of each kind, from conversations as agents write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtool.model.actions import (
    Asked,
    Commit,
    Edit,
    Issue,
    Item,
    Plan,
    Question,
    Rejection,
    Subagent,
    Todo,
)
from memtool.model.words import content_words
from memtool.signals.turns import turns_of
from tests.signals.talk import PROJECT, Talk

# --- asks


@pytest.mark.parametrize(
    ("prompt", "asks"),
    [
        ("Can you please add a retry to the mail queue?", ["Add a retry to the mail queue"]),
        (
            "ok, now let's rename the config file to shop.toml",
            ["Rename the config file to shop.toml"],
        ),
        ("yes", []),
        ("yes, go on", []),
        ("commit this and push", []),
        ("/review", []),
        ("thanks, that's perfect", []),
        ("> ERROR: no such table\n> at line 3", []),
    ],
)
def test_an_ask_is_what_is_wanted(prompt: str, asks: list[str]) -> None:
    assert Talk().prompt(prompt).told("ask") == asks


def test_the_fullest_sentence_of_a_prompt_is_told_too() -> None:
    text = (
        "Since yesterday the nightly export of invoices times out after 40 seconds on the big shops. "
        "Can you find out why?"
    )
    told = Talk().prompt(text).told("ask")
    assert (
        "Since yesterday the nightly export of invoices times out after 40 seconds on the big shops"
        in told
    )


PYTEST = """\
  ⎿  Error: invoice hook failed
     Warning: the invoice is already open

       1. Close the other invoice to continue
"""


@pytest.mark.parametrize(
    ("prompt", "asks"),
    [
        (f"The invoice hook fails on every run:\n{PYTEST}", []),
        (
            "Printing of the invoice stops\n\nMedium Severity\n\nCompare with the voucher, which prints",
            ["Printing of the invoice stops"],
        ),
        (
            "[check] $ pytest tests/invoices\nThe rounding of vouchers was wrong\n\nFix the rounding of vouchers",
            ["Fix the rounding of vouchers"],
        ),
        (
            "Checkout takes four seconds and the orders are coming in. Find the queries.",
            ["Checkout takes four seconds and the orders are coming in"],
        ),
    ],
)
def test_what_a_program_said_is_no_ask(prompt: str, asks: list[str]) -> None:
    assert Talk().prompt(prompt).told("ask") == asks


def test_a_prompt_that_was_broken_at_a_width_is_one_sentence() -> None:
    text = (
        "Please add table tests for the rounding of negative amounts in the\n"
        "tax module and remove the old ones."
    )
    (ask,) = Talk().prompt(text).told("ask")
    assert ask.endswith("tax module and remove the old ones")


def test_an_accepted_offer_is_an_ask() -> None:
    talk = (
        Talk()
        .prompt("Where is the retry made?")
        .answer("In queue.py. Want me to move it to the worker?")
    )
    assert talk.prompt("yes").told("ask")[-1] == "Move it to the worker"


def test_yes_to_one_of_two_is_nothing() -> None:
    talk = (
        Talk().prompt("Where?").answer("Should I move the retry to the worker or keep the queue?")
    )
    assert talk.prompt("yes").told("ask", "decision") == []


# --- decisions


def test_an_answer_to_a_form_is_a_decision_with_its_question() -> None:
    asked = Asked(
        "Which registry should packages go to?", ("npm", "GitHub"), "GitHub, npm is blocked"
    )
    text = "Which registry should packages go to? → GitHub, npm is blocked"
    assert Talk().prompt(text, Question(asked=(asked,))).told("decision") == [text]


def test_a_form_about_how_to_go_on_is_no_decision() -> None:
    asked = Asked("What would you like to do next?", ("Start", "Stop"), "Start")
    assert Talk().prompt("What … → Start", Question(asked=(asked,))).told("decision") == []


def test_a_rejection_with_a_rule_is_a_decision_with_what_was_rejected() -> None:
    talk = Talk().prompt("Rename the config file")
    talk.add(
        "tool_call",
        "Edit: config.py",
        Edit(paths=("config.py",)),
        tool_use_id="c1",
        path="config.py",
    )
    talk.prompt("Keep the old name for one release and read both.", Rejection(), tool_use_id="c1")
    assert talk.told("decision") == [
        "Keep the old name for one release and read both (rejected: config.py)"
    ]
    assert len(talk.turns) == 1


def test_a_rejection_that_rules_nothing_is_an_ask() -> None:
    talk = Talk().prompt("Rename the config file")
    talk.prompt("please write down all steps that this rename takes", Rejection())
    assert talk.told("decision") == []
    assert "Write down all steps that this rename takes" in talk.told("ask")


def test_a_choice_is_told_with_the_options_words_and_proved_by_both() -> None:
    talk = Talk().prompt("How should we store the queue?")
    talk.answer("Three options:\n1. A table in the database\n2. A file per job\n3. Streams")
    talk.prompt("2")
    (turn,) = [turn for turn in talk.turns if any(s.kind == "decision" for s in turn.signals)]
    (decision,) = [signal for signal in turn.signals if signal.kind == "decision"]
    assert decision.text == "A file per job"
    assert [proof.excerpt for proof in decision.proofs] == ["A file per job", "2"]
    assert talk.told("found", "result") == []


@pytest.mark.parametrize(
    ("prompt", "is_ruling"),
    [
        ("no, we agreed with finance on half-even rounding", True),
        ("don't touch the invoice tables in this branch", True),
        ("revert that, we agreed with finance on half-even; change the test instead", True),
        ("don't you think that the invoice tables should stay?", False),
        ("the invoice tables are slow since yesterday", False),
        ("don't worry about linting for now, just continue", False),
        ("don't change anything yet, only find where the invoice rounds", False),
        ("we don't have a table of tax rates in the shop", False),
        ("let's adjust the tax rates of the invoice module", False),
        ("let's keep the tax rates in the invoice module", True),
        ("let's use half-even rounding in the invoice module", True),
    ],
)
def test_a_ruling_is_a_decision(prompt: str, is_ruling: bool) -> None:
    talk = Talk().prompt("Round the tax").answer("I changed the rounding of the invoice tables.")
    assert bool(talk.prompt(prompt).told("decision")) is is_ruling


# --- plans


def test_a_plan_that_is_pasted_gives_heading_goal_and_steps() -> None:
    talk = Talk().prompt(
        "Implement the following plan:\n\n# Implementation Plan: Move orders to Postgres\n\n## Context\n\n"
        "The order table outgrows sqlite on big shops.\n\n### Step 1: Write both for a week\n\n"
        "### Step 2: Switch the reads over\n"
    )
    assert talk.told("plan") == [
        "Move orders to Postgres",
        "Write both for a week",
        "Switch the reads over",
    ]
    assert talk.told("ask") == ["The order table outgrows sqlite on big shops"]


def test_the_findings_of_a_plan_are_no_steps() -> None:
    findings = "## Issues Found\n\n### 1. Two counters of failed jobs\n\n## Changes\n\n"
    steps = "### Step 1: Keep one counter of failed jobs\n\nIn queue.py."
    prompt = f"Implement the following plan:\n\n# Count failed jobs once\n\n{findings}{steps}"
    told = ["Count failed jobs once", "Keep one counter of failed jobs"]
    assert Talk().prompt(prompt).told("plan") == told


def test_only_an_approved_plan_is_a_plan() -> None:
    plan = Plan(heading="Plan: Move orders to Postgres", verdict="approved")
    assert Talk().prompt("Plan approved", plan).told("plan") == ["Move orders to Postgres"]
    rejected = Plan(heading="Move orders to Postgres", verdict="rejected")
    talk = Talk().prompt("don't move the archive tables", rejected)
    assert talk.told("plan") == []
    assert talk.told("decision") == [
        "Don't move the archive tables (rejected: plan “Move orders to Postgres”)"
    ]


# --- results


def test_only_the_last_answer_of_a_turn_gives_results() -> None:
    talk = (
        Talk()
        .prompt("Fix the rounding")
        .answer("The rounding is broken in tax.py because of floats.")
    )
    talk.edit("tax.py").answer("Done. I've replaced floats with Decimal in the tax module.")
    assert talk.told("result") == ["Replaced floats with Decimal in the tax module"]


@pytest.mark.parametrize(
    "answer",
    [
        "Done.",
        "All tests pass.",
        "Committed as `1a2b3c4`.",
        "All green — fmt, lint (0 issues), and all tests (unit + integration) pass.",
        "Here's a summary of the changes:",
        "Now let me run the tests.",
    ],
)
def test_leads_that_say_nothing_are_passed_over(answer: str) -> None:
    assert Talk().prompt("Fix the rounding").edit("tax.py").answer(answer).told("result") == []


LISTED = """\
The retry queue has been moved to its own module:

- **Retry queue** - keeps jobs that failed
- Removed the second timer of the worker (lines 48-62)
- Added a page to the manual of the worker that explains:
- shop/worker.py - Runs the queue once a minute
- Moved all settings of the worker into one place: `queue.size`, `queue.retry_s`, `queue.path`, `queue.mode`
- New queue helper:
"""


def test_deeds_are_results_and_parts_of_explanations_are_not() -> None:
    talk = Talk().prompt("Move the retry queue").edit("shop/queue.py").answer(LISTED)
    assert talk.told("result") == [
        "The retry queue has been moved to its own module",
        "Removed the second timer of the worker",
        "Added a page to the manual of the worker",
        "Moved all settings of the worker into one place",
    ]


SORTED = "Failed jobs are sorted by the time of their last try"
RATHER = "rather than by the time at which they were first added"


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        ("The command is now `shop queue retry`.", ["The command is now shop queue retry"]),
        (
            "Now the queue will show each failed job:\n\n    job 1",
            ["Now the queue will show each failed job"],
        ),
        ("The page of the queue now shows:\n\n    job 1", []),
        (f"{SORTED} (newest first, then by their number) {RATHER}.", [f"{SORTED} {RATHER}"]),
    ],
)
def test_what_is_so_now_is_a_result(answer: str, result: list[str]) -> None:
    assert (
        Talk().prompt("Retry failed jobs").edit("queue.py").answer(answer).told("result") == result
    )


def test_a_call_that_was_rejected_has_no_outcome() -> None:
    talk = Talk().prompt("Run the tests of invoices")
    talk.shell("pytest tests/invoices", "The user doesn't want to proceed", error="true")
    call = talk.events[-1].metadata["tool_use_id"]
    talk.prompt("not now", Rejection(subject="pytest tests/invoices"), tool_use_id=call)
    assert talk.told("test") == []


def test_steps_of_a_plan_are_told_as_far_as_the_event_holds_them() -> None:
    steps = ("Keep **jobs** that failed", "Backfill", "Add a timer for failed jobs")
    text = "Plan approved: Retry queue\n1. Keep **jobs** that failed\n2. Backfill"
    talk = Talk().prompt(text, Plan(heading="Retry queue of jobs", steps=steps, verdict="approved"))
    assert talk.told("plan") == ["Retry queue of jobs", "Keep jobs that failed", "Backfill"]


def test_an_answer_before_a_call_is_no_result() -> None:
    talk = (
        Talk().prompt("Fix it").answer("The rounding of negative amounts is wrong.").edit("tax.py")
    )
    assert talk.told("result", "found") == []


def test_an_interrupted_turn_has_no_result() -> None:
    talk = Talk().prompt("Fix it").edit("tax.py").answer("Replaced floats with Decimal in tax.")
    assert talk.add("note", "[Request interrupted by user]").told("result") == []


def test_talk_that_ends_in_a_question_gives_candidates_only() -> None:
    talk = Talk().prompt("How would you store the queue?")
    talk.answer(
        "A table keeps the order of the jobs. A file is simpler to inspect. Which one do you want?"
    )
    assert talk.told("result", "found") == []
    assert talk.turns[0].asks_back


def test_words_are_never_changed_on_the_way() -> None:
    talk = Talk().prompt("Fix it").edit("cli.py")
    talk.answer(
        "Now `shop enable --no-telemetry` really disables the telemetry of the shop, also in its interactive mode."
    )
    assert "--no-telemetry" in talk.told("result")[0]


def test_causes_and_deeds_come_before_other_items() -> None:
    talk = (
        Talk()
        .prompt("Fix it")
        .edit("tax.py")
        .answer(
            "The rounding follows the tax office now.\n\n"
            "- See tax.py\n"
            "- **Root cause:** floats cannot hold 0.005 exactly\n"
            "- Added table tests for negative amounts\n"
            "- the module\n"
        )
    )
    told = talk.told("result")
    assert told[0] == "The rounding follows the tax office now"
    assert any("floats cannot hold 0.005" in text for text in told)
    assert "Added table tests for negative amounts" in told


# --- to-dos


def _list(*states: str) -> Todo:
    names = ("Write to both stores", "Backfill the orders", "Switch the reads")
    items = [Item(name, state) for name, state in zip(names, states, strict=False)]  # type: ignore[arg-type]
    return Todo(items=tuple(items))


def test_the_last_state_of_a_to_do_counts_and_is_told_once() -> None:
    talk = Talk().prompt("Move the orders")
    talk.todo(_list("started", "pending", "pending"))
    talk.todo(_list("done", "started", "pending"))
    talk.todo(_list("done", "done", "pending"))
    states = {s.text: s.state for turn in talk.turns for s in turn.signals if s.kind == "todo"}
    assert states == {
        "Write to both stores": "done",
        "Backfill the orders": "done",
        "Switch the reads": "pending",
    }


def test_a_task_is_found_by_its_number() -> None:
    talk = Talk().prompt("Move the orders")
    talk.add(
        "tool_result",
        "Task 1: Backfill the orders",
        Todo(items=(Item("Backfill the orders", "pending", "1"),), partial=True),
    )
    talk.add("tool_call", "…", Todo(items=(Item("", "done", "1"),), partial=True))
    (todo,) = [s for turn in talk.turns for s in turn.signals if s.kind == "todo"]
    assert (todo.text, todo.state) == ("Backfill the orders", "done")


# --- commits, pull requests, issues, tests


def test_a_commit_has_its_subject_and_hash() -> None:
    talk = (
        Talk()
        .prompt("commit")
        .shell(
            "git commit -m \"$(cat <<'EOF'\ntax: Use Decimal\n\nWhy.\nEOF\n)\" && git status",
            "[main 1a2b3c4] tax: Use Decimal\n 1 file changed\nnothing to commit, working tree clean",
        )
    )
    (commit,) = [s for turn in talk.turns for s in turn.signals if s.kind == "commit"]
    assert (commit.text, commit.key) == ("tax: Use Decimal", "1a2b3c4")


def test_an_amended_commit_counts_once() -> None:
    talk = Talk().prompt("commit")
    talk.shell("git commit -m 'tax: Use Decimals'", "[main 1a2b3c4] tax: Use Decimals")
    talk.shell("git commit --amend -m 'tax: Use Decimal'", "[main 5d6e7f8] tax: Use Decimal")
    talk.shell("git commit --amend --no-edit", "[main 9a8b7c6] tax: Use Decimal")
    commits = [(s.text, s.key) for turn in talk.turns for s in turn.signals if s.kind == "commit"]
    assert commits == [("tax: Use Decimal", "9a8b7c6")]


@pytest.mark.parametrize(
    ("line", "result", "error"),
    [
        ("git commit -m 'tax: Use Decimal'", "nothing to commit, working tree clean", ""),
        ("git commit -m 'tax: Use Decimal'", "hook failed", "true"),
        ("git init && git commit -m initial", "[main (root-commit) 1a2b3c4] initial", ""),
        ("git commit -m \"Merge branch 'main' into x\"", "[x 1a2b3c4] Merge branch 'main'", ""),
    ],
)
def test_what_made_no_commit_is_none(line: str, result: str, error: str) -> None:
    assert Talk().prompt("commit").shell(line, result, error).told("commit") == []


def test_a_pull_request_has_title_and_link() -> None:
    link = "https://github.com/me/shop/pull/99"
    talk = Talk().prompt("open a PR").shell("gh pr create --title 'Use Decimal in tax'", link)
    (request,) = [s for turn in talk.turns for s in turn.signals if s.kind == "pull request"]
    assert (request.text, request.state, request.key) == ("Use Decimal in tax", "opened", link)


def test_a_tracker_issue_is_told() -> None:
    talk = (
        Talk()
        .prompt("log it")
        .call("create_issue: …", Issue(verb="opened", title="PDF rounds alone"))
    )
    assert talk.told("issue") == ["PDF rounds alone"]


def test_a_test_that_fails_and_then_passes_has_passed() -> None:
    talk = Talk().prompt("fix the tests")
    talk.shell("go test ./...", "--- FAIL: TestTax\nFAIL", "true").edit("tax.go")
    talk.shell("go test ./...", "ok  \tshop/tax\t0.2s")
    assert [s.state for turn in talk.turns for s in turn.signals if s.kind == "test"] == ["passed"]


# --- recaps, subagents, titles, errors, open ends

COMPACTION = """This session is being continued from a previous conversation that ran out of context.

Analysis:
1. The user asked for many wrong things.

Summary:
1. Primary Request and Intent:
   - User asked to move the orders to Postgres without downtime
   - User decided that the archive tables stay in sqlite

2. Key Technical Concepts:
   - Dual writes

7. Pending Tasks:
   - Backfill the orders of closed shops
   - Run the tests
   - Switch the reads (completed)

8. Current Work:
   Writing the backfill.
"""


def test_a_compaction_gives_requests_decisions_and_pending_tasks() -> None:
    talk = Talk().add("compaction", COMPACTION)
    assert talk.told("recap") == ["Move the orders to Postgres without downtime"]
    assert talk.told("decision") == ["The archive tables stay in sqlite"]
    assert talk.told("pending") == ["Backfill the orders of closed shops"]


def test_an_away_summary_has_goal_and_next() -> None:
    text = "Goal: stop the queue losing jobs on restart. Done: jobs are synced. Next: test with power cuts."
    talk = Talk().add("recap", text)
    assert talk.told("recap") == ["Stop the queue losing jobs on restart"]
    assert talk.told("pending") == ["Test with power cuts"]


def test_a_background_subagents_result_is_told() -> None:
    talk = Talk().prompt("Find out why exports time out")
    talk.call("Agent: Trace exports", Subagent(stage="started", task="Trace exports"))
    talk.answer("I started an agent.")
    talk.add(
        "subagent_end",
        "Exports time out because every row opens its own connection.",
        Subagent(stage="ended"),
    )
    assert talk.told("subagent") == ["Exports time out because every row opens its own connection"]


def test_a_subagents_own_talk_is_not_told() -> None:
    talk = Talk().prompt("Find out why exports time out")
    talk.add("answer", "Every row opens its own connection to the database.", sidechain="true")
    assert talk.told("found", "result") == []


def test_edits_of_subagents_count() -> None:
    talk = Talk().prompt("Fix the exports")
    talk.add("tool_call", "Edit", Edit(paths=(f"{PROJECT}/export.py",)), sidechain="true")
    assert [path for path, _, _ in talk.turns[0].edits] == ["export.py"]


def test_a_turn_that_ends_in_what_comes_next_is_cut() -> None:
    talk = Talk().prompt("Why does the invoice round twice?")
    talk.answer("I'll look at how the invoice module rounds.")
    assert talk.thread().state == "in work"
    talk.answer("The invoice rounds twice, once in the module and once in the report.")
    assert talk.thread().state == "answered"


def test_an_error_that_ended_the_session_is_told() -> None:
    talk = Talk().prompt("Fix the exports").add("error", "API Error: usage limit reached for today")
    assert talk.told("error") == ["API Error: usage limit reached for today"]
    assert talk.answer("The exports share one connection now.").told("error") == []


@pytest.mark.parametrize(
    ("answer", "is_open"),
    [
        ("Reverted. Still open: the invoice PDF uses its own rounding.", True),
        ("The backfill of closed shops is untested.", True),
        ("## Remaining\n\n- Backfill the orders of closed shops", True),
        ("The test was failing because of floats.", False),
        ("If the config is missing, it is created.", False),
        ("Want me to commit the change?", False),
        ("Everything works.", False),
    ],
)
def test_what_an_answer_says_is_open(answer: str, is_open: bool) -> None:
    assert bool(Talk().prompt("Fix it").edit("tax.py").answer(answer).told("open")) is is_open


# --- properties

_TEXTS = st.text(
    alphabet=st.sampled_from(list("abcdefgh XYZ.?!:,;`*#-_|>1234()[]\"'\n/")), max_size=300
)
_KINDS = st.sampled_from(["prompt", "answer", "tool_call", "compaction", "subagent_end", "recap"])


@given(st.lists(st.tuples(_KINDS, _TEXTS), max_size=12))
def test_each_proof_holds_its_words_and_the_points_words(said: list[tuple[str, str]]) -> None:
    talk = Talk()
    for kind, text in said:
        talk.add(kind, text)
    texts = {event.id: event.text for event in talk.events}
    for signal in (signal for turn in talk.turns for signal in turn.signals):
        for proof in signal.proofs:
            assert texts[proof.event][proof.start : proof.end] == proof.excerpt
        held = frozenset[str]().union(*(content_words(proof.excerpt) for proof in signal.proofs))
        assert content_words(signal.text) <= held


@given(st.lists(st.tuples(_KINDS, _TEXTS), max_size=8))
def test_the_same_events_give_the_same_signals(said: list[tuple[str, str]]) -> None:
    talk = Talk()
    for kind, text in said:
        talk.add(kind, text)
    assert turns_of(talk.events) == turns_of(tuple(talk.events))


def test_a_scratch_commit_is_no_commit() -> None:
    talk = Talk().prompt("try it").call("Bash: …", Commit(subject="initial", scratch=True))
    assert talk.told("commit") == []
