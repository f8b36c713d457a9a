"""What the extractive summarizer makes of children: each has its due, and what repeats is said once."""

from __future__ import annotations

from memtool.model.levels import Level
from memtool.model.summary import Draft, Request
from memtool.summarize import Options, check_draft, make
from tests.summarize.requests import cited_sections, period, written

DAYS = ("Sun 1", "Mon 2", "Tue 3", "Wed 4", "Thu 5", "Fri 6", "Sat 7")


def draft_of(request: Request, most: int = 5) -> Draft:
    return check_draft(request, written(make("extractive", Options(max_bullets=most)), request))


def texts(draft: Draft) -> list[str]:
    return [bullet.text for bullet in draft.bullets]


def test_what_repeats_through_the_week_is_said_once_and_cites_every_day() -> None:
    repeated = "Fix the flaky login test in the browser suite → Still fails on slow machines"
    last = "Fix the flaky login test in the browser suite → Waits for the redirect now"
    days = [(day, "Flaky login test", (repeated,)) for day in DAYS[:4]]
    draft = draft_of(period(*days, (DAYS[4], "Flaky login test", (last,)), level=Level.WEEK))
    asked, _, result = last.partition(" → ")
    assert texts(draft) == [f"{asked} (on 5 days) → {result}"]
    assert len(draft.bullets[0].citations) == 5
    assert draft.title == "Flaky login test"


def test_the_sixth_child_is_heard_although_five_bullets_were_wished() -> None:
    days = [(day, f"Port the {day} module", (f"Port the {day} module → Ported",)) for day in DAYS]
    draft = draft_of(period(*days, level=Level.WEEK))
    assert len(draft.bullets) == 7


def test_many_children_are_grouped_by_project_and_all_are_cited() -> None:
    names = ("parser", "cache", "mailer", "search", "upload", "export", "report", "quota", "audit")
    children = [
        (
            f"/src/{project}/x",
            f"Rewrite the {name}",
            (f"Rewrite the {name} of {project} → Done it",),
        )
        for name in names
        for project in ("shop", "blog")
    ]
    request = period(*children)
    draft = draft_of(request)
    assert len(draft.bullets) == 12
    assert cited_sections(request, draft) == set(range(18))
    for bullet in draft.bullets:
        assert ("shop: " in bullet.text) != ("blog: " in bullet.text)


def test_a_request_that_a_cut_tore_from_its_result_is_joined_to_it() -> None:
    draft = draft_of(
        period(
            ("/src/app/one", "Add the agent's name to all logs", (
                "Add the agent's name to all logs → Edited context.go",)),
            ("/src/app/one", "Edited logger.go", ("Edited logger.go for the agent's logs",)),
            ("/src/app/one", "Added the agent's name to the logs", (
                "Added agent names to the log context and the logger.",)),
        )
    )  # fmt: skip
    assert texts(draft) == [
        "app: Add the agent's name to all logs → Added agent names to the log context and the logger."
    ]
    assert len(draft.bullets[0].citations) == 3


def test_another_sessions_result_is_not_taken_for_an_answer() -> None:
    draft = draft_of(
        period(
            ("/src/app/one", "Add the agent's name to all logs", (
                "Add the agent's name to all logs → Edited context.go",)),
            ("/src/app/two", "Added the agent's name to the logs", (
                "Added agent names to the log context and the logger.",)),
        )
    )  # fmt: skip
    assert len(draft.bullets) == 2


def test_the_title_names_the_main_themes() -> None:
    draft = draft_of(
        period(
            (
                "a",
                "Refresh tokens per user",
                ("Refresh tokens per user → Added a lock", "Tests pass"),
            ),
            ("b", "Write down the store format", ("Write down the store format → 12 pages",)),
            ("c", "Commit this and push", ("Commit this and push → Pushed",)),
        )
    )
    assert draft.title == "Refresh tokens per user · Write down the store format"


def test_every_claim_of_a_day_names_its_project_for_the_week_to_know_it() -> None:
    draft = draft_of(period(("/src/app/x", "Parser", ("Fix the parser → Fixed it now",))))
    assert texts(draft) == ["app: Fix the parser → Fixed it now"]


def test_a_project_without_a_name_is_not_named() -> None:
    draft = draft_of(period(("x", "Parser", ("Fix the parser → Fixed it now",))))
    assert texts(draft) == ["Fix the parser → Fixed it now"]


def test_keywords_of_many_children_come_first() -> None:
    days = [(day, "Work", (f"Tune the scheduler on {day} → done", "Try zstd")) for day in DAYS[:3]]
    other = ("Thu 5", "Work", ("Paint the icon → blue",))
    assert draft_of(period(*days, other, level=Level.WEEK)).keywords[0] in {"scheduler", "tune"}
