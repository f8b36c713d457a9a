"""A small history with everything a reader can meet: weeks across months, gaps, late events, an open day, wide text."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from memtool.agents.values import instant_us
from memtool.cli.app import run as memtool
from memtool.model.calendar import Calendar
from memtool.model.records import ROLES, Claim, Event, Recipe, digest_of, event_id
from memtool.model.summary import Citation, Draft, DraftBullet, Item, Request
from memtool.summarize import Options, SummaryFailed, make
from tests.memory import Memory

CALENDAR = Calendar("Europe/Berlin")
SECOND_US = 1_000_000
TEELADEN = Claim("1e223dd5-18a6-46ca-956a-675c93a19cf4", "/home/mira/src/teeladen")
STATION = Claim("c843cbd9-256e-482e-8d55-0cd7c25e6099", "/home/mira/src/wetterstation")
TODAY = Claim("ff3c4393-f15c-4042-9608-00112cbd53fe", "/home/mira/src/teeladen")


def at(text: str) -> int:
    """Return the instant that a UTC time such as `2026-11-22T09:30:00` names."""
    instant = instant_us(f"{text}Z")
    assert instant is not None, text
    return instant


NOW_US = at("2026-12-10T11:00:00")


def event(
    number: int, time: str, kind: str, text: str, claim: Claim = TEELADEN, **more: str
) -> Event:
    """Return an event; `number` makes its id."""
    group, parent = more.pop("group", ""), more.pop("parent", "")
    return Event(
        id=event_id(digest_of("history", number), 1),
        agent="claude-code",
        claims=(claim,),
        time_us=at(time),
        kind=kind,
        role=ROLES[kind],
        text=text,
        digest=digest_of(number, text),
        group=group,
        parent=parent,
        metadata=more,
    )


@dataclass
class Scribe:
    """A summarizer whose words only change with this file: it quotes, and fails on what it is told to."""

    fails_on: set[str] = field(default_factory=set)
    waits: Literal[False] = False

    @property
    def recipe(self) -> Recipe:
        """The one that `summarizer.name = mock` asks for, so that nothing is outdated."""
        return make("mock", Options(max_bullets=5)).recipe

    def summarize(self, request: Request) -> Draft:
        """Return the first item as title, and the first two of each section as bullets."""
        items = [item for section in request.sections for item in section.items]
        if any(word in item.text for word in self.fails_on for item in items):
            raise SummaryFailed("the answer was not usable")
        chosen = [item for section in request.sections for item in section.items[:2]]
        words = dict.fromkeys(
            word for item in chosen for word in item.text.split() if len(word) > 5
        )
        return Draft(_line(items[0], 40), tuple(map(_bullet, chosen)), tuple(words)[:5])


def _bullet(item: Item) -> DraftBullet:
    end = len(item.text.split("\n")[0]) if item.event else 0
    return DraftBullet(_line(item, 90), (Citation(item.number, 0, end),))


def _line(item: Item, limit: int) -> str:
    return item.text.split("\n")[0][:limit].strip()


EARLY = (
    event(1, "2025-12-31T10:00:00", "prompt", "Close the books of the year"),
    event(2, "2025-12-31T10:01:00", "answer", "Closed: 412 invoices, no gap in their numbers"),
)
NOVEMBER = (
    event(10, "2026-11-29T08:00:00", "prompt", "Why do three customers pay twice?\nSince the weekend."),
    event(11, "2026-11-29T08:00:04", "thinking", "A double submit, most likely.", group="m-1"),
    event(12, "2026-11-29T08:00:05", "answer", "I look at the checkout first.", group="m-1"),
    event(13, "2026-11-29T08:00:06", "tool_call", "Read: shop/views.py", group="m-1", tool="Read"),
    event(14, "2026-11-29T08:00:07", "tool_result", "def pay(cart):\n    charge(cart)", is_error="true"),
    event(15, "2026-11-29T08:01:00", "answer", "Nothing notices the second click. " + "So it charges again. " * 40),
    event(16, "2026-11-29T09:30:00", "prompt", "請求書に山田太郎様の名前が出ません 🫖 を直してください"),
    event(17, "2026-11-29T09:31:00", "answer", "フォントに漢字がありませんでした。Noto Sans JP を使います。"),
)  # fmt: skip
DECEMBER = (
    event(20, "2026-12-01T10:00:00", "prompt", "The battery lasts nine days only", STATION),
    event(21, "2026-12-01T10:02:00", "answer", "The LED draws 4 mA all the time", STATION),
    event(22, "2026-12-03T10:00:00", "prompt", "Poison: this one cannot be summarized", STATION),
    event(23, "2026-12-03T15:00:00", "prompt", "Measure the current while it is asleep", STATION),
    event(24, "2026-12-03T15:01:00", "answer", "151 µA", STATION),
)
LATE = (event(30, "2026-12-01T10:05:00", "prompt", "And without the LED?", STATION),)
OPEN = (
    event(40, "2026-12-10T08:00:00", "session_start", "Session started", TODAY),
    event(41, "2026-12-10T08:00:00", "prompt", "Add gift vouchers", TODAY),
)
ALL = (*EARLY, *NOVEMBER, *DECEMBER, *LATE, *OPEN)


def remember(root: Path, *, is_poisoned: bool = True) -> Memory:
    """Return a memory of it all, rolled up on 8 December; the late and the open events came after that."""
    memory = Memory(root, CALENDAR)
    memory.take_in([*EARLY, *NOVEMBER, *DECEMBER], now_us=NOW_US)
    scribe = Scribe({"Poison"} if is_poisoned else set())
    memory.roll_up_all(at("2026-12-08T04:00:00"), summarizer=scribe)
    memory.take_in([*LATE, *OPEN], now_us=NOW_US)
    return memory


def call(root: Path, *arguments: str, columns: int = 80, **environ: str) -> int:
    """Run the program on this store, at noon on 10 December in Berlin, and return its exit code."""
    variables = {
        "HOME": str(root.parent),
        "COLUMNS": str(columns),
        "MEMTOOL_SUMMARIZER__NAME": "mock",
        **environ,
    }
    return memtool(["--store", str(root), *arguments], variables, NOW_US)


def seen(root: Path, *arguments: str, columns: int = 80, summarizer: str = "mock") -> str:
    """Return what the program prints on a terminal of this width, without colours."""
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", terminal)
        environ = {"NO_COLOR": "1", "MEMTOOL_SUMMARIZER__NAME": summarizer}
        assert call(root, *arguments, columns=columns, **environ) in (0, 1)
    return terminal.getvalue()


def grips_of(memory: Memory, words: str) -> Sequence[str]:
    """Return the ids of the grips whose excerpt begins with these words."""
    with memory.access.reading() as store:
        found = {grip_id for grip_id, _ in store.citations()}
        grips = [store.grip(grip_id) for grip_id in sorted(found)]
        return [grip.id for grip in grips if grip is not None and grip.excerpt.startswith(words)]
