"""`memtool summarizers`: what can write summaries, and what has written those there are."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from memtool.cli.options import Invocation, JsonOption, command_group, invocation
from memtool.cli.output import Page, number, print_json
from memtool.cli.reading import reader_of, say_no_memory
from memtool.errors import ConfigError, UsageError
from memtool.model.records import Recipe
from memtool.query.recipes import Candidate, Counts, Summarizers, Today
from memtool.query.recipes import summarizers as summarizers_of
from memtool.rollup.configured import recipe_of
from memtool.summarize.calls import Budget

VERSION = 1
_MARGIN = "  "
_UPGRADE = "memtool rollup all --outdated"

summarizers = command_group()


@summarizers.callback(invoke_without_command=True)
def _default(context: typer.Context, *, json: JsonOption = False) -> None:
    """List summarizers, and the recipes of the current summaries."""
    if context.invoked_subcommand is None:
        _list(context, as_json=json)
    elif json:
        name = context.invoked_subcommand
        raise UsageError(
            "--json is an option of the subcommand", hint=f"memtool summarizers {name} … --json"
        )


@summarizers.command("list")
def list_command(context: typer.Context, *, json: JsonOption = False) -> None:
    """List summarizers, and the recipes of the current summaries. The default."""
    _list(context, as_json=json)


def _list(context: typer.Context, *, as_json: bool) -> None:
    call = invocation(context)
    found = summarizers_of(reader_of(call), call.config, call.environ)
    if as_json:
        print_json("summarizers", VERSION, found)
        return
    page = Page(call.environ)
    _print_candidates(page, found.summarizers)
    if found.recipe is None:
        _print_no_recipe(page, call)
    page.blank()
    if found.exists:
        _print_recipes(page, found)
        _print_outdated(page, found)
        page.blank()
    page.line(_today_words(found.today, found.budget))
    if not found.exists:
        say_no_memory(call)


def _print_candidates(page: Page, able: Sequence[Candidate]) -> None:
    page.line(("Summarizers", "bold"), " (* is the configured one)")
    width = max(len(one.name) for one in able)
    for one in able:
        page.line(
            (one.name.ljust(width), "bold" if one.configured else ""),
            f"  {one.about}",
            first="* " if one.configured else _MARGIN,
            rest=" " * (width + 4),
        )
        if not one.ready:
            hint = f"; {one.hint}" if one.hint else ""
            text = f"not ready: {one.problem}{hint}"
            page.line((text, "yellow"), first=" " * (width + 4))


def _print_no_recipe(page: Page, call: Invocation) -> None:
    """Print why nothing can be outdated."""
    try:
        recipe_of(call.config)
    except ConfigError as error:
        hint = f"; {error.hint}" if error.hint else ""
        page.line((f"summarizer.name: {error.message}{hint}", "red"))


def _print_recipes(page: Page, found: Summarizers) -> None:
    page.line(("Recipes of the nodes in the store", "bold"), " (* is in force now)")
    for one in found.recipes:
        page.line(signed(one), first="* " if one.current else _MARGIN, rest=_MARGIN * 3)
        nodes = _nodes_words(one.nodes) or "no node yet"
        page.line((nodes, "dim"), first=_MARGIN * 3)


def signed(recipe: Recipe) -> str:
    """Return a recipe as a person reads it, such as `mock (mock-1, max_bullets=5)`."""
    details = [part for part in (recipe.model, recipe.prompt, recipe.settings) if part]
    return f"{recipe.summarizer} ({', '.join(details)})" if details else recipe.summarizer


def _nodes_words(counts: Counts) -> str:
    return ", ".join(number(count, level) for level, count in counts.items() if count)


def _print_outdated(page: Page, found: Summarizers) -> None:
    outdated = found.outdated
    total = sum(outdated.nodes.values())
    if not total:
        return
    page.blank()
    page.line((f"Outdated: {_nodes_words(outdated.nodes)}, of another recipe.", "yellow"))
    if outdated.open < total:
        is_free = any(one.configured and not one.waits for one in found.summarizers)
        price = number(outdated.calls, "call")
        price += ", free" if is_free else f", {number(outdated.spend, 'token')}"
        text = f"{_UPGRADE} writes them again, newest first: about {price} (--dry-run tells more)"
        page.line(text, first=_MARGIN)
    if outdated.open:
        nodes = number(outdated.open, "node")
        text = f"{nodes} of periods that have not ended: --include-open, or when they have ended"
        page.line(text, first=_MARGIN)


def _today_words(today: Today, budget: Budget) -> str:
    calls = f"{today.calls:,}{_of(budget.calls_per_day)} {'call' if today.calls == 1 else 'calls'}"
    failed = f" ({today.failed:,} failed)" if today.failed else ""
    tokens = f"{today.tokens:,}{_of(budget.tokens_per_day)} tokens"
    return f"Today ({today.day}): {calls} to models{failed}, {tokens}"


def _of(most: int | None) -> str:
    return "" if most is None else f" of {most:,}"
