"""Requests for summarizers: random ones of any script and size, and conversations written out by hand."""

from __future__ import annotations

import asyncio
from itertools import count

from hypothesis import strategies as st

from memtool.model.levels import Level
from memtool.model.records import ROLES, EventId, Grip, grip_id
from memtool.model.summary import Draft, Item, Request, Section
from memtool.model.threads import Candidate, Kind, Point, Proof, Thread
from memtool.summarize import Summarizer
from memtool.summarize.text.plain import plain
from tests.summarize.unmetered import unmetered

SCOPE = "Sun 22 Nov 2026"


def written(summarizer: Summarizer, request: Request) -> Draft:
    """Return what the summarizer makes of the request."""
    if summarizer.waits is True:
        return asyncio.run(summarizer.summarize(request, unmetered))
    return summarizer.summarize(request)


ODD_TEXTS = (
    "",
    " \n\t ",
    "\x00",
    "\x1b[31mred\x1b[0m and \x1b]8;;https://example.org\x07a link\x1b]8;;\x07",
    "```\n```",
    "```go\nfunc main() {}\n```",
    "```\nnever closed",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "***",
    "**Files modified:**\n\n1. **`a.go:12`** - Added `Agent`\n2. **`b.go:3`** - Fixed it",
    "# Heading only",
    "[redacted:token] [redacted:pem]",
    "\u202eright to left\u202c שלום עולם. مرحبا بالعالم؟ هذا اختبار",
    "認証トークンの更新に失敗します。原因を調べてください。",
    "修复登录页面的刷新令牌错误，并添加测试。",  # noqa: RUF001
    "รีเฟรชโทเค็นล้มเหลวเมื่อออฟไลน์",
    "👩‍👩‍👧‍👦" * 60,
    "e\u0301" * 400,
    "x" * 5_000,
    "word " * 5_000,
    ". " * 5_000,
    ": " * 2_000,
    ", , . . ; ; so that that " * 20,
    "I want to " * 50,
    "if you, " * 90,
    " · " * 60,
    "(" * 3_000,
    "a.b." * 3_000,
    "please " * 200,
    "ok",
    "→",
    "fix → this → that",
    "one\u2028two\u2029three\x85four\x1cfive",
    'Bash: git commit -m "Fix the parser"',
    "Edit: /home/me/src/app/auth.py\nnew_string: x\nold_string: y",
    '{"command": "git commit -m \\"x"}',
    "Done.",
    "Let me look at that:",
    "Implement the following plan:\n\n# Move the cache\n\n## Context\nIt is slow.",
)
texts = st.one_of(
    st.sampled_from(ODD_TEXTS),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
    st.lists(st.sampled_from(ODD_TEXTS), min_size=1, max_size=4).map("\n".join),
)


@st.composite
def segment_requests(draw: st.DrawFn) -> Request:
    """A segment: at least one event, of any kinds and texts."""
    said = draw(st.lists(st.tuples(st.sampled_from(sorted(ROLES)), texts), min_size=1, max_size=12))
    return segment(*said)


@st.composite
def period_requests(draw: st.DrawFn) -> Request:
    """A period of few or many children; every bullet has a grip, as those of real nodes do."""
    level = draw(st.sampled_from([Level.DAY, Level.WEEK, Level.MONTH, Level.YEAR]))
    names = st.sampled_from(["", "/home/me/src/app", "/srv/shop", "C:\\work\\site", "日本語"])
    bullets = st.lists(texts.filter(str.strip).map(lambda text: text[:300]), min_size=1, max_size=4)
    child = st.tuples(texts, bullets, names, st.lists(st.text(min_size=1, max_size=9), max_size=4))
    most = draw(st.sampled_from([3, 12, 40]))
    children = draw(st.lists(child, min_size=1, max_size=most))
    number = count(1)
    sections = [
        Section(
            name[-4:], tuple(point(next(number), text) for text in told), title, tuple(words), name
        )
        for title, told, name, words in children
    ]
    return Request(level, SCOPE, tuple(sections))


requests = st.one_of(segment_requests(), period_requests())


def segment(*said: tuple[str, str]) -> Request:
    """Return the request for a segment of these (kind, text)."""
    items = (
        Item(number, kind, text, event=EventId(f"{number:032x}"))
        for number, (kind, text) in enumerate(said, 1)
    )
    return Request(Level.SEGMENT, SCOPE, (Section("session-1", tuple(items), project="/src/app"),))


def point(number: int, text: str) -> Item:
    """Return a child's bullet."""
    events = (EventId(f"{number:032x}"),)
    return Item(number, "bullet", text, grips=(Grip(grip_id(events, 0, 1), events, 0, 1, "x"),))


def period(*children: tuple[str, str, tuple[str, ...]], level: Level = Level.DAY) -> Request:
    """Return the request for a period of these (label, title, bullets); a label of "project/x" has that project."""
    number = count(1)
    sections = (
        Section(
            label,
            tuple(point(next(number), text) for text in told),
            title,
            (),
            label.rpartition("/")[0],
        )
        for label, title, told in children
    )
    return Request(level, SCOPE, tuple(sections))


Said = tuple[Kind, str]


def thread(place: int, *said: Said, rank: int = 7, branch: str = "") -> Thread:
    """Return a thread with these signals (kind, text); the first is its headline, and they weigh less and less."""
    points = [
        Point(kind, text, 100 * place + at, round(0.9 - at / 50, 2), (proof(place, at, text),))
        for at, (kind, text) in enumerate(said)
    ]
    best = points[0]
    headline = Candidate(rank, 1.0, best.time_us, best.text, best.proofs)
    return Thread(
        project="/src/app",
        branch=branch,
        session=f"session-{place}",
        first_us=100 * place,
        last_us=100 * place + len(said),
        state="in work",
        headlines=(headline,),
        points=tuple(points[1:]),
        files=(("auth.py", 2),),
        edits=2,
        turns=1,
    )


def proof(place: int, at: int, text: str) -> Proof:
    """Return the proof of a signal: the beginning of a message of its own."""
    excerpt = text[:600]
    return Proof(EventId(f"{place:016x}{at:016x}"), 0, len(excerpt), excerpt)


def day(*threads: Thread, before: tuple[Thread, ...] = ()) -> Request:
    """Return the request for a day of these threads."""
    items = (Item(1, "prompt", "Fix the login", event=EventId("f" * 32)),)
    return Request(Level.DAY, SCOPE, (Section("s", items),), threads, before=before)


_NAMES: tuple[Kind, ...] = ("ask", "decision", "result", "open", "done", "recap", "pull request")
_KINDS = st.sampled_from(_NAMES)
_LINES = texts.map(lambda text: plain(text)[:200].strip()).filter(bool)


@st.composite
def day_requests(draw: st.DrawFn) -> Request:
    """A day of one or many threads, of few or many signals."""
    said = st.lists(st.tuples(_KINDS, _LINES), min_size=1, max_size=16)
    threads = draw(st.lists(said, min_size=1, max_size=14))
    return day(*(thread(place, *each) for place, each in enumerate(threads, 1)))


def cited_sections(request: Request, draft: Draft) -> set[int]:
    """Return which sections some bullet cites."""
    place = {i.number: at for at, section in enumerate(request.sections) for i in section.items}
    return {place[c.number] for bullet in draft.bullets for c in bullet.citations}
