"""A period's title names one to three themes: no dates, no small talk, nothing clipped. Keywords are for search."""

from __future__ import annotations

import pytest

from memtool.model.levels import Level
from memtool.summarize.extractive.periods.dates import names_a_time, undated
from memtool.summarize.extractive.periods.draft import summarize_period
from memtool.summarize.extractive.periods.standing import (
    Standing,
    is_small_talk,
    round_of,
    standing_of,
)
from memtool.summarize.extractive.periods.themes import TITLE_LIMIT, headline
from memtool.summarize.extractive.phrases import SEPARATOR
from tests.summarize.requests import period

Child = tuple[str, str, tuple[str, ...]]


def child(label: str, title: str, *bullets: str) -> Child:
    return (label, title, bullets or (f"{title} → Added it, the tests pass",))


def title(*children: Child, level: Level = Level.WEEK) -> str:
    return summarize_period(period(*children, level=level), 5).title


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Fix the login since 3 November 2026", "Fix the login"),
        ("Our VAT total for February is off", "Our VAT total is off"),
        ("The concert tomorrow is oversold", "The concert is oversold"),
        ("Ship to Switzerland from June on", "Ship to Switzerland on"),
        ("Deploy by 2026-11-22", "Deploy"),
        ("Plan for Tue 3 Mar 2026: release", "Plan: release"),
        ("On Monday, fix the parser", "Fix the parser"),
        ("Twice since the weekend (since Nov 3rd)", "Twice"),
        ("Der Bericht vom 3. März fehlt", "Der Bericht fehlt"),
        ("22.11.2026", ""),
        ("May I add a cache", "May I add a cache"),
        ("Support CVE-2026-0412 in v2026.04", "Support CVE-2026-0412 in v2026.04"),
        ("Mar the march of decoders", "Mar the march of decoders"),
        ("修复登录", "修复登录"),
    ],
)
def test_dates_come_out_of_titles(text: str, left: str) -> None:
    assert undated(text) == left


def test_a_period_is_not_called_after_a_date_or_small_talk() -> None:
    found = title(
        child("a", "Concert tomorrow", "Concert tomorrow → Enjoy it"),
        child("b", "Good morning", "Good morning → Good morning, what shall we do?"),
        child("c", "Why is the checkout page slow since 3 Nov 2026"),
        child("d", "Thanks, see you tomorrow"),
    )
    assert found == "Why is the checkout page slow"


def test_three_themes_at_most_and_each_whole() -> None:
    names = ("the refresh tokens", "the store format", "the zone offsets", "the retry budget")
    found = title(*(child(str(at), f"Rewrite {name}") for at, name in enumerate(names)))
    assert found == SEPARATOR.join(f"Rewrite {name}" for name in names[:3])


def test_two_words_for_one_theme_are_one() -> None:
    found = title(
        child("a", "Fix the flaky test test_login_redirect"),
        child("b", "The login redirect test fails intermittently again"),
        child("c", "Write down the store format"),
    )
    assert found == "Fix the flaky test test_login_redirect · Write down the store format"


def test_routine_is_a_title_only_where_nothing_else_was_done() -> None:
    bump = child("a", "Bump the dependencies")
    work = child("b", "Compress the store")
    assert title(bump, child("c", "Bump the dependencies"), work) == "Compress the store"
    assert title(bump) == "Bump the dependencies"


def test_no_word_is_clipped() -> None:
    long = "Investigate supercalifragilistic regressions throughout internationalization layers everywhere"
    for size in range(20, len(long)):
        found = title(child("a", long[:size]), child("b", "Compress the store"))
        assert len(found) <= TITLE_LIMIT
        assert "…" not in found
        known = set(long[:size].split()) | {"Compress", "the", "store", "·"}
        assert set(found.split()) <= known


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The poems (Mörike, Heine, Bashō in Japanese) for the booklet of May", "The poems"),
        ("Add a flame graph or something to find out why", "Add a flame graph to find out why"),
        ("internationalization" * 4, ""),
    ],
)
def test_a_headline_ends_where_something_ends(text: str, found: str) -> None:
    assert headline(text, 40) in {found, ""} or headline(text, 40).startswith(found)
    assert headline(text, 40).count("(") == headline(text, 40).count(")")


@pytest.mark.parametrize(
    ("text", "talk"),
    [
        ("Concert tomorrow", True),
        ("Hi there", True),
        ("Thanks a lot", True),
        ("Have a nice weekend", True),
        ("Guten Morgen", True),
        ("The concert tomorrow is oversold", False),
        ("Train the classifier", False),
        ("Add the match of weekdays", False),
        ("Thanks, now fix the parser in a way that keeps its order", False),
    ],
)
def test_small_talk_is_known_by_what_it_is_all_about(text: str, talk: bool) -> None:
    assert is_small_talk(text) is talk


@pytest.mark.parametrize(
    ("asked", "result", "standing"),
    [
        ("Add a cache", "Added it", Standing.WORK),
        ("Add a cache", "What is left: eviction", Standing.OPEN),
        ("Add a cache", "It is not yet in place", Standing.OPEN),
        ("Wo speichern", "Noch nicht fertig", Standing.OPEN),
        ("Run the test", "It stopped and nothing was left.", Standing.WORK),
        ("Where to", "We decided on SQLite", Standing.DECIDED),
        ("Où", "Nous avons décidé", Standing.DECIDED),
        ("Bump deps", "Bumped", Standing.ROUTINE),
        ("Bump deps", "Still broken on Windows", Standing.OPEN),
    ],
)
def test_what_a_claim_stands_for(asked: str, result: str, standing: Standing) -> None:
    assert standing_of(asked, result) is standing


def test_rounds_are_known_in_other_words() -> None:
    assert round_of("Please renew our lock file") == "dependencies"
    assert round_of("Update the parser") == ""


def test_keywords_are_what_one_searches_for() -> None:
    told = (
        "shop: Fix the token refresh on Monday (on 3 days) → Fixed in auth.py since 3 November",
    )
    draft = summarize_period(period(("2026-11-08", "Token refresh", told), level=Level.WEEK), 5)
    assert {"refresh", "token", "auth.py"} <= set(draft.keywords)
    assert not any(names_a_time(word) for word in draft.keywords)
    assert "shop" not in draft.keywords
