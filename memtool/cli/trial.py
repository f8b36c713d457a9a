"""How a trial of a summarizer looks: the stored node and the new one side by side, or one below the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from memtool.cli.render import Clock, Page, assembled, number, recipe_json, scope_of, state_parts
from memtool.cli.summarizers import signed
from memtool.core.model import Grip, Node
from memtool.jobs.reading.nodes import Shown
from memtool.jobs.trying import Cost, Trial

if TYPE_CHECKING:
    from rich.text import Text

VERSION = 1
_TWO_COLUMNS_FROM = 100
_WIDEST = 180
_MARGIN = "  "

Sections = list[list["Text"]]
"""The lines of one side by what they tell, so that the sides stay level: head, title, bullets, keywords."""


@dataclass(frozen=True, slots=True)
class _Side:
    name: str
    facts: tuple[str, ...]
    node: Node | None


def print_trial(page: Page, clock: Clock, trial: Trial) -> None:
    """Print both nodes, who wrote them, and what each cost."""
    shown = trial.shown
    page.line((scope_words(clock, shown), "bold"), *state_parts(shown.entry.state.words))
    page.line((shown.entry.id, "dim"), first=_MARGIN)
    if shown.node is not None and not trial.same_inputs:
        page.line(
            ("What it is made from has changed since it was written.", "yellow"), first=_MARGIN
        )
    page.blank()
    sides = (_stored(clock, trial), _new(trial))
    if page.width < _TWO_COLUMNS_FROM:
        _print_below(page, sides)
    else:
        _print_beside(page, sides)
    page.blank()
    page.line((_next(trial), "dim"))


def _stored(clock: Clock, trial: Trial) -> _Side:
    node, write = trial.shown.node, trial.shown.write
    if node is None:
        return _Side("STORED", ("not summarised yet",), None)
    when = "" if write is None else f", written {clock.moment(write.written_us)}"
    cost = trial.stored_cost
    spent = "no call on record" if cost is None else cost_words(cost)
    return _Side("STORED", (f"{signed(node.recipe)}{when}", spent), node)


def _new(trial: Trial) -> _Side:
    facts = (signed(trial.draft.recipe), cost_words(trial.draft_cost))
    return _Side("NEW, not stored", facts, trial.draft)


def cost_words(cost: Cost) -> str:
    """Return such as `2 calls, 1,204 tokens in, 310 out, 3.4 s`."""
    tokens = f", {number(cost.input_tokens, 'token')} in, {cost.output_tokens:,} out"
    calls = number(cost.calls, "call") + tokens if cost.calls else "no call"
    return f"{calls}, {cost.duration_ms / 1000:.1f} s"


def _next(trial: Trial) -> str:
    entry = trial.shown.entry
    level = "day" if entry.cut is not None else entry.level.word
    force = f"memtool rollup {level} --force {trial.shown.holding}"
    return f"Nothing was stored. To write it anew with the configured summarizer: {force}"


def _print_below(page: Page, sides: tuple[_Side, _Side]) -> None:
    for index, side in enumerate(sides):
        if index:
            page.blank()
        for row in _joined(_sections(page, side, page.prose_width)):
            page.row(row)


def _joined(sections: Sections) -> Iterator[Text]:
    for index, section in enumerate(one for one in sections if one):
        if index:
            yield assembled()
        yield from section


def _print_beside(page: Page, sides: tuple[_Side, _Side]) -> None:
    bar = " | " if page.is_ascii else " │ "
    width = (min(page.width, _WIDEST) - len(bar)) // 2
    left, right = (_sections(page, side, width) for side in sides)
    for index, (one, other) in enumerate(zip(left, right, strict=True)):
        if index and (one or other):
            page.row(assembled(" " * width, (bar, "dim")))
        for row, beside in zip_longest(one, other):
            first = row or assembled()
            padding = " " * (width - first.cell_len)
            page.row(assembled(first, padding, (bar, "dim"), beside or assembled()))


def _sections(page: Page, side: _Side, width: int) -> Sections:
    def lines(*parts: str | tuple[str, str], first: str = "") -> list[Text]:
        return _paragraph(page, assembled(*parts), width, first)

    head = lines((side.name, "bold"))
    for fact in side.facts:
        head += lines((fact, "dim"))
    if side.node is None:
        return [head, [], [], []]
    bullets: list[Text] = []
    for bullet in side.node.bullets:
        bullets += lines(bullet.text, first="• ")
        bullets += lines((number(len(bullet.grips), "grip"), "cyan"), first=_MARGIN)
    keywords = ", ".join(side.node.keywords)
    named = lines(("Keywords: ", "bold"), keywords) if keywords else []
    return [head, lines((side.node.title, "bold")), bullets, named]


def _paragraph(page: Page, text: Text, width: int, first: str) -> list[Text]:
    rows = page.wrapped(text, width - len(first))
    for row in rows:
        row.rstrip()
    rest = " " * len(first)
    return [assembled((rest if index else first, "dim"), row) for index, row in enumerate(rows)]


def scope_words(clock: Clock, shown: Shown) -> str:
    """Return what the node covers: a period's date, of a segment its day, times and project."""
    entry = shown.entry
    return shown.scope if entry.cut is None else f"{shown.scope} {scope_of(clock, entry)}"


def trial_json(clock: Clock, trial: Trial) -> dict[str, object]:
    """Return a trial as JSON has it."""
    shown = trial.shown
    node, write = shown.node, shown.write
    written = None if write is None else {**clock.both("time", write.written_us), "run": write.run}
    return {
        "id": shown.entry.id,
        "level": shown.entry.level.word,
        "scope": scope_words(clock, shown),
        "zone": clock.zone,
        "state": shown.entry.state.words,
        "same_inputs": trial.same_inputs,
        "stored": None
        if node is None
        else {**_node_json(node), "cost": _cost_json(trial.stored_cost), "written": written},
        "draft": {**_node_json(trial.draft), "cost": _cost_json(trial.draft_cost)},
    }


def _node_json(node: Node) -> dict[str, object]:
    return {
        "title": node.title,
        "bullets": [{"text": row.text, "grips": list(row.grips)} for row in node.bullets],
        "keywords": list(node.keywords),
        "grips": [_grip_json(grip) for grip in node.grips],
        "recipe": recipe_json(node.recipe),
    }


def _grip_json(grip: Grip) -> dict[str, object]:
    return {
        "id": grip.id,
        "events": list(grip.events),
        "start": grip.start,
        "end": grip.end,
        "excerpt": grip.excerpt,
    }


def _cost_json(cost: Cost | None) -> dict[str, object] | None:
    if cost is None:
        return None
    return {
        "calls": cost.calls,
        "input_tokens": cost.input_tokens,
        "output_tokens": cost.output_tokens,
        "duration_ms": cost.duration_ms,
    }
