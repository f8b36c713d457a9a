"""No child is left out, at any level and size; and a draft stays cheap."""

from __future__ import annotations

from itertools import count
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtool.model.levels import PERIOD_LEVELS, Level
from memtool.model.records import Node, NodeId, Recipe
from memtool.model.summary import Draft, Origin, Request, Section, node_from
from memtool.summarize import check_draft
from memtool.summarize.extractive.periods.draft import MOST_BULLETS, summarize_period
from memtool.summarize.extractive.periods.grouping import MOST_SECTIONS
from memtool.summarize.extractive.periods.marks import parts_of_bullet
from tests.summarize.requests import ODD_TEXTS, cited_sections, period, period_requests, point

TOPICS = (
    "parser",
    "cache",
    "mailer",
    "search",
    "upload",
    "export",
    "report",
    "quota",
    "audit",
    "billing",
    "shipping",
    "invoice",
)
VERBS = ("Add", "Fix", "Rewrite", "Decide on", "Bump", "Explain")
RESULTS = (
    "Added it",
    "Still open: the tests",
    "We decided against it",
    "Edited a.py",
    "Fixed",
    "…",
)
phrases = st.builds(
    "{} the {} of the {} → {}".format,
    st.sampled_from(VERBS),
    st.sampled_from(TOPICS),
    st.sampled_from(TOPICS),
    st.sampled_from(RESULTS),
)
told = st.one_of(
    phrases,
    phrases.map("shop: {}".format),
    st.lists(phrases, min_size=2, max_size=4).map(" · ".join),
    st.sampled_from([text for text in ODD_TEXTS if text.strip()]).map(lambda text: text[:400]),
    st.sampled_from(["Concert tomorrow", "thanks!", "standup", "Bump deps (on 4 days) → done"]),
)
children = st.lists(
    st.tuples(
        st.sampled_from(["/src/shop", "/src/blog", ""]),
        st.one_of(phrases, st.sampled_from(ODD_TEXTS)),
        st.lists(told, max_size=4),
    ),
    min_size=1,
    max_size=16,
)


@st.composite
def busy_periods(draw: st.DrawFn) -> Request:
    """A period of many children that repeat one another, some of them empty."""
    number = count(1)
    sections = tuple(
        Section(label, tuple(point(next(number), text) for text in said), title, (), project)
        for at, (project, title, said) in enumerate(draw(children))
        for label in [f"2026-{at:02}"]
    )
    level = draw(st.sampled_from(PERIOD_LEVELS))
    return Request(
        level, "scope", (*sections, Section("last", (point(next(number), "Fix a → b"),)))
    )


def node_of(request: Request, draft: Draft) -> Node:
    return node_from(draft, request, Origin(NodeId("year:2026"), "", Recipe("extractive", "", "")))


@given(request_=st.one_of(busy_periods(), period_requests()), most=st.integers(1, 14))
def test_every_child_that_has_a_bullet_is_cited_and_proved(request_: Request, most: int) -> None:
    draft = check_draft(request_, summarize_period(request_, most))
    speaking = {at for at, section in enumerate(request_.sections) if section.items}
    assert cited_sections(request_, draft) == speaking
    node = node_of(request_, draft)
    proved = {grip for bullet in node.bullets for grip in bullet.grips}
    for section in request_.sections:
        own = {grip.id for item in section.items for grip in item.grips}
        assert not own or own & proved
    assert len(draft.bullets) <= max(MOST_BULLETS, most)


@given(
    days=st.lists(st.lists(phrases, min_size=1, max_size=4, unique=True), min_size=1, max_size=7),
    most=st.integers(1, 8),
)
def test_a_claim_came_on_no_more_days_than_its_bullet_proves(
    days: list[list[str]], most: int
) -> None:
    children = [(f"2026-11-{at:02}", "", tuple(day)) for at, day in enumerate(days, 8)]
    request = period(*children, level=Level.WEEK)
    section_of = {i.number: at for at, one in enumerate(request.sections) for i in one.items}
    for bullet in summarize_period(request, most).bullets:
        proved = {section_of[citation.number] for citation in bullet.citations}
        for part in parts_of_bullet(bullet.text, frozenset(), of=""):
            assert part.times <= len(proved)


@given(request_=busy_periods())
def test_the_same_request_gives_the_same_draft(request_: Request) -> None:
    assert summarize_period(request_, 5) == summarize_period(request_, 5)


@given(request_=busy_periods())
def test_a_draft_climbs_level_by_level(request_: Request) -> None:
    """What one level writes the next one reads, up to the year."""
    request = request_
    for level in (Level.WEEK, Level.MONTH, Level.YEAR):
        draft = check_draft(request, summarize_period(request, 5))
        items = tuple(point(at, bullet.text) for at, bullet in enumerate(draft.bullets, 1))
        request = Request(level, "scope", (Section("x", items, draft.title, draft.keywords),))
    check_draft(request, summarize_period(request, 5))


def test_a_day_of_twelve_segments_tells_them_all_although_five_were_wished() -> None:
    segments = [
        (f"/src/{'shop' if at % 2 else 'blog'}/s{at}", f"Rewrite the {topic}", (
            f"Rewrite the {topic} as a stream of rows → Memory is down to {at + 2}0 MB",))
        for at, topic in enumerate(TOPICS)
    ]  # fmt: skip
    request = period(*segments)
    draft = check_draft(request, summarize_period(request, 5))
    assert cited_sections(request, draft) == set(range(12))
    said = " ".join(bullet.text for bullet in draft.bullets)
    assert all(f"Rewrite the {topic}" in said for topic in TOPICS)


def year_of(months: int, bullets: int) -> Request:
    texts = [
        f"{VERBS[at % 4]} the {TOPICS[at % 12]} {at}x for {TOPICS[at * 5 % 11]} → It now keeps {at} rows"
        for at in range(months * bullets)
    ]
    children = [
        (f"2026-{month:02}", f"Work on the {TOPICS[month % 12]}", tuple(texts[month::months]))
        for month in range(months)
    ]
    return period(*children, level=Level.YEAR)


def test_a_year_names_what_mattered_and_counts_the_rest() -> None:
    request = year_of(12, 5)
    draft = check_draft(request, summarize_period(request, 5))
    assert cited_sections(request, draft) == set(range(12))
    cited = {citation.number for bullet in draft.bullets for citation in bullet.citations}
    assert cited == set(range(1, 61)), "every bullet of every month is told or counted"
    assert len(draft.bullets) <= MOST_BULLETS


@pytest.mark.parametrize("children", [1000, 2000])
def test_a_bullet_speaks_for_no_more_children_than_it_can_prove(children: int) -> None:
    said = [
        (f"/src/p{at % 3}/x{at}", "", (f"Add rule {at} to the parser → Added",))
        for at in range(children)
    ]
    request = period(*said)
    draft = check_draft(request, summarize_period(request, 5))
    assert cited_sections(request, draft) == set(range(children))
    assert all(len(bullet.citations) <= MOST_SECTIONS for bullet in draft.bullets)


def test_the_cost_grows_with_the_number_of_bullets() -> None:
    """500 bullets take some 50 ms; four times as many take about four times as long, not sixteen."""
    small, large = year_of(12, 40), year_of(48, 40)
    costs = []
    for request in (small, large):
        spent = []
        for _ in range(3):
            start = process_time()
            summarize_period(request, 5)
            spent.append(process_time() - start)
        costs.append(min(spent))
    assert costs[0] < 1
    assert costs[1] < 9 * costs[0]
