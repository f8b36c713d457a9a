"""What comes back is one claim that says how often, what matters climbs, and nothing is said that is not so."""

from __future__ import annotations

from itertools import count

import pytest

from memtool.model.levels import Level
from memtool.model.summary import Draft, Item, Request, Section
from memtool.summarize import check_draft
from memtool.summarize.extractive.periods.draft import summarize_period
from memtool.summarize.extractive.periods.marks import parts_of_bullet, project_name, unmarked
from tests.summarize.requests import cited_sections, period, point

WEEKDAYS = ("2026-11-08", "2026-11-09", "2026-11-10", "2026-11-11", "2026-11-12")
DEPENDENCIES = (
    "Bump the dependencies → Bumped requests to 2.32.4; all tests pass.",
    "Update our deps → Refreshed the lock file.",
    "Upgrade outdated packages → Upgraded three packages.",
    "Merge dependabot's pull requests → Merged four of them.",
    "Bump the dependencies again → Bumped certifi; nothing else was outdated.",
)
FLAKY = (
    "Fix the flaky test test_login_redirect → It still fails on slow machines.",
    "The login redirect test fails intermittently again, have a look → Raised the timeout to 10 s.",
    "test_login_redirect is red again on CI → Still flaky, one run of fifty.",
    "The redirect test of the login is still flaky → It depends on the order of cookies.",
    "Fix test_login_redirect, it failed again → Waits for the redirect now, 200 runs were green.",
)
STANDUPS = (
    "Write the standup notes → Wrote the notes.",
    "standup for today → Here are the notes.",
    "Daily status update for the team → Wrote three lines.",
    "Prepare my stand-up → Prepared it.",
    "What did I do yesterday → You worked on the login test.",
)
DECISION = (
    "Where should we keep the refresh tokens → Decided to keep them in the database, not in Redis."
)
LEFT = "Implement the token rotation → What is left: the revocation endpoint."


def drafted(request: Request, most: int = 5) -> Draft:
    return check_draft(request, summarize_period(request, most))


def texts(draft: Draft) -> list[str]:
    return [bullet.text for bullet in draft.bullets]


def week(*of_days: tuple[str, ...]) -> Request:
    days = [(day, "", told) for day, told in zip(WEEKDAYS, of_days, strict=False)]
    return period(*days, level=Level.WEEK)


def climb(level: Level, *below: tuple[Request, str]) -> Request:
    """Return the request of a period whose children are drafts of these."""
    number = count(1)
    sections = []
    for request, label in below:
        draft = drafted(request)
        items = tuple(point(next(number), bullet.text) for bullet in draft.bullets)
        sections.append(Section(label, items, draft.title, draft.keywords))
    return Request(level, "scope", tuple(sections))


@pytest.mark.parametrize("told", [DEPENDENCIES, FLAKY, STANDUPS])
def test_what_comes_back_in_other_words_is_one_bullet_that_cites_every_day(
    told: tuple[str, ...],
) -> None:
    draft = drafted(week(*((each,) for each in told)))
    assert len(draft.bullets) == 1
    assert "(on 5 days) → " in texts(draft)[0]
    assert [citation.number for citation in draft.bullets[0].citations] == [1, 2, 3, 4, 5]


def test_a_week_of_routine_tells_each_round_once_and_last() -> None:
    request = week(*zip(DEPENDENCIES, FLAKY, STANDUPS, strict=True))
    draft = drafted(request)
    assert len(draft.bullets) == 3
    assert texts(draft)[0].endswith(
        "(on 5 days) → Waits for the redirect now, 200 runs were green."
    )
    assert "dependencies" in texts(draft)[1]
    assert cited_sections(request, draft) == {0, 1, 2, 3, 4}


def test_what_came_last_speaks_since_it_knows_how_it_ended() -> None:
    draft = drafted(week(FLAKY[:1], FLAKY[4:]))
    assert texts(draft) == [
        "Fix test_login_redirect, it failed again (on 2 days) → Waits for the redirect now, 200 runs were green."
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Port the Sun module → Ported", "Port the Mon module → Ported"),
        ("Add a cache to the parser → Added", "Profile the parser cache of imports → Profiled"),
        ("Move the search into the export → Moved", "Move the export into the search → Moved"),
        ("Fix the quota test when uploads fail → Fixed", "Fix the billing test on Mac → Fixed"),
        (
            "Decide where the audit keeps its files → Decided: in audit/",
            "Decide where the quota keeps its files → Decided: in quota/",
        ),
        ("Close parser issue 12 → Closed", "Close parser issue 13 → Closed"),
        (DECISION, "Implement the refresh tokens → Added refresh_token()."),
        ("a: Bump the dependencies → Bumped", "b: Bump the dependencies → Bumped both"),
    ],
)
def test_what_only_sounds_alike_stays_apart(one: str, other: str) -> None:
    assert all("(on " not in text for text in texts(drafted(week((one,), (other,)))))


def test_days_add_up_over_weeks_and_months() -> None:
    weeks = [(week(*((each,) for each in DEPENDENCIES)), f"2026-11-{day:02}") for day in (1, 8)]
    single = (week(DEPENDENCIES[:1]), "2026-11-29")
    month = climb(Level.MONTH, *weeks, single)
    assert "(on 11 days)" in texts(drafted(month))[0]
    year = climb(Level.YEAR, (month, "2026-11"), (month, "2026-12"))
    assert "(on 22 days)" in texts(drafted(year))[0]


def test_a_day_counts_its_segments_and_is_one_day_to_its_week() -> None:
    told = "Fix the flaky login redirect test → Waits for the redirect"
    day = period(("a", "", (told,)), ("b", "", (told,)), ("c", "", (told,)))
    assert "(3 times)" in texts(drafted(day))[0]
    request = climb(Level.WEEK, (day, "2026-11-08"), (period(("d", "", (told,))), "2026-11-09"))
    assert "(on 2 days)" in texts(drafted(request))[0]


def test_what_a_person_wrote_is_never_taken_for_a_sign_of_ours() -> None:
    told = "Retry the upload (on 99 days) → Retried · twice (and 7 more)"
    day = drafted(period(("/src/app/x", "", (told,))))
    assert texts(day) == ["app: Retry the upload on 99 days → Retried, twice and 7 more"]
    parts = parts_of_bullet(texts(day)[0], frozenset({"app"}), of="")
    assert [(part.project, part.times, part.unnamed) for part in parts] == [("app", 1, 0)]


def test_a_group_is_read_again_claim_by_claim() -> None:
    bullet = "shop: Fix a (on 3 days) → Fixed · Add b → Added · blog: Drop c (2 times) (and 4 more)"
    parts = parts_of_bullet(bullet, frozenset({"shop", "blog"}), of="")
    assert [(part.project, part.text, part.times, part.unnamed) for part in parts] == [
        ("shop", "Fix a → Fixed", 3, 4),
        ("shop", "Add b → Added", 1, 0),
        ("blog", "Drop c", 1, 0),
    ]


def test_a_colon_of_a_request_makes_no_project() -> None:
    (first, second) = parts_of_bullet(
        "shop: Add b → c · Cancelling: by mail → Sent", {"shop"}, of=""
    )
    assert (first.project, second.project) == ("shop", "shop")
    assert second.text == "Cancelling: by mail → Sent"
    assert parts_of_bullet("Committed: Fix the parser", set(), of="app")[0].project == "app"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/home/ada/shop", "shop"),
        ("/home/ada/shop/2", "shop"),
        ("C:\\Users\\ada\\My Shop", "My-Shop"),
        ("/home/ada/café", "café"),
        ("", ""),
        ("/", ""),
        ("/x/" + "a" * 60, "a" * 23 + "…"),
    ],
)
def test_a_project_is_named_by_the_last_folder_that_has_a_name(path: str, name: str) -> None:
    assert project_name(path) == name
    assert parts_of_bullet(f"{name}: x", set(), of="")[0].project == name or not name


def test_decisions_and_open_ends_climb_before_routine() -> None:
    chores = tuple(f"Rename the {name} folder → Renamed" for name in ("a1", "b1", "c1", "d1", "e1"))
    days = [(*chores, DEPENDENCIES[0], STANDUPS[0], told) for told in (DECISION, LEFT)]
    month = climb(Level.MONTH, (week(*days), "2026-11-08"), (week(chores), "2026-11-15"))
    year = climb(Level.YEAR, (month, "2026-11"), (week(DEPENDENCIES), "2026-12"))
    said = " ".join(texts(drafted(year)))
    assert "Decided to keep them in the database" in said
    assert "What is left: the revocation endpoint" in said


def test_a_decision_made_on_the_way_is_told_with_its_request() -> None:
    told = ("Rewrite the upload as a stream → Down to 40 MB.", "We decided to drop the old format.")
    draft = drafted(period(("a", "Rewrite the upload", told)))
    assert texts(draft) == [
        "Rewrite the upload as a stream → We decided to drop the old format; Down to 40 MB."
    ]
    assert len(draft.bullets[0].citations) == 2


def test_unmarked_text_is_plain() -> None:
    assert unmarked("**Fix** `a` · b\n(2 times)") == "Fix a, b 2 times"


def test_an_item_is_cited_once_by_a_bullet_though_it_holds_several_claims() -> None:
    items = (Item(1, "bullet", "Add a → b · Add c → d", grips=point(1, "x").grips),)
    request = Request(Level.WEEK, "scope", (Section("2026-11-08", items),))
    assert all(len(bullet.citations) == 1 for bullet in drafted(request).bullets)
