"""Threads of transcripts that once gave wrong summaries (tests/data/faults where the test data is)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from memtool.model.levels import Level
from memtool.model.segmenting import by_session, in_order
from memtool.model.threads import Thread, join
from memtool.signals.threads import threads_of
from memtool.signals.turns import turns_of
from tests.signals.talk import points
from tests.signals.transcripts import events_of

_FOLDER = Path(os.environ.get("MEMTOOL_TEST_DATA", "/nowhere")) / "faults" / "sessions"
pytestmark = pytest.mark.skipif(not _FOLDER.is_dir(), reason="MEMTOOL_TEST_DATA is not set")


def _threads(name: str) -> tuple[Thread, ...]:
    sessions = by_session(events_of([_FOLDER / f"{name}.jsonl"]))
    return threads_of(turn for events in sessions.values() for turn in turns_of(in_order(events)))


def _said(thread: Thread) -> str:
    return " · ".join([thread.headline, *points(thread)])


def test_a_choice_is_told_and_the_other_options_are_not() -> None:
    (thread,) = _threads("opt")
    assert points(thread, "decision") == ["A file per job"]
    assert "table" not in _said(thread).lower()


def test_an_answer_to_a_form_is_a_decision() -> None:
    (thread,) = _threads("ask")
    (decision,) = points(thread, "decision")
    assert decision.startswith("Which registry should packages go to? → GitHub Packages")


def test_a_rejection_with_a_rule_is_a_decision() -> None:
    (thread,) = _threads("reject")
    (decision,) = points(thread, "decision")
    assert decision.startswith("Keep the old name for one release and read both")


def test_an_approved_plan_names_the_thread_and_its_to_dos_are_open() -> None:
    (thread,) = _threads("plan")
    assert thread.headline == "Move orders to Postgres"
    assert {item.text for item in thread.open_items} == {"Backfill", "Switch reads"}


def test_a_branch_over_two_days_is_one_thread() -> None:
    days = [_threads("d1"), _threads("d2")]
    (thread,) = join(days, Level.WEEK)
    assert thread.headline == "Use Decimal in tax"
    assert [each.number for each in thread.references if each.kind == "pull request"] == [99]
    assert "ROUND_HALF_UP" not in _said(thread)
    (decision,) = points(thread, "decision")
    assert "half-even" in decision
    assert [item.text for item in thread.open_items] == ["The invoice PDF uses its own rounding"]


def test_a_title_that_the_agent_gave_and_its_next_step() -> None:
    (thread,) = _threads("titles")
    assert thread.headline == "Retry queue loses jobs on restart"
    assert [item.text for item in thread.open_items] == ["Test with power cuts"]


def test_a_notification_tells_what_a_subagent_found() -> None:
    (thread,) = _threads("async")
    assert "every row opens its own connection" in _said(thread)
    (thread,) = _threads("notif")
    assert "token" in _said(thread)


def test_a_branch_of_the_talk_that_was_left_is_not_told() -> None:
    (thread,) = _threads("rewind2")
    assert "asyncio" in _said(thread)
    assert "with threads" not in _said(thread)
