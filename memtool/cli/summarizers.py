"""`memtool summarizers`: what can write summaries, and what has written those there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import typer
from msgspec.structs import asdict

from memtool.cli.options import Invocation, JsonOption, command_group
from memtool.cli.output import Page, number, print_json
from memtool.cli.reading import reading, recipe_json, say_no_memory
from memtool.errors import ConfigError, UsageError
from memtool.model.levels import Level
from memtool.model.records import Recipe
from memtool.query.reader import Reader
from memtool.query.recipes import Candidate, Counts, Outdated, Recipes, Today, candidates, recipes
from memtool.rollup.configured import budget_of, recipe_of
from memtool.summarize.calls import Budget

VERSION = 1
_MARGIN = "  "
_UPGRADE = "memtool rollup all --outdated"

summarizers = command_group()


@summarizers.callback(invoke_without_command=True)
def _default(context: typer.Context, *, json: JsonOption = False) -> None:
    """Show what can write summaries, and which recipes wrote those there are."""
    if context.invoked_subcommand is None:
        _list(context, as_json=json)
    elif json:
        name = context.invoked_subcommand
        raise UsageError(
            "--json stands before the subcommand", hint=f"memtool summarizers {name} … --json"
        )


@summarizers.command("list")
def list_command(context: typer.Context, *, json: JsonOption = False) -> None:
    """Show what can write summaries, and which recipes wrote those there are. The default."""
    _list(context, as_json=json)


def _list(context: typer.Context, *, as_json: bool) -> None:
    call, reader = reading(context)
    able = candidates(call.config, call.environ, reader.root)
    found = recipes(reader)
    if as_json:
        print_json("summarizers", VERSION, _json(call, reader, able, found))
        return
    page = Page(call.environ)
    _print_candidates(page, able)
    if reader.recipe is None:
        _print_no_recipe(page, call)
    page.blank()
    if found.exists:
        _print_recipes(page, found)
        _print_outdated(page, found.outdated, _configured(able))
        page.blank()
    page.line(_today_words(found.today, budget_of(call.config, None)))
    if not found.exists:
        say_no_memory(call)


def _configured(able: Iterable[Candidate]) -> Candidate | None:
    return next((one for one in able if one.is_configured), None)


def _print_candidates(page: Page, able: Sequence[Candidate]) -> None:
    page.line(("Summarizers", "bold"), " (* is the configured one)")
    width = max(len(one.row.name) for one in able)
    for one in able:
        page.line(
            (one.row.name.ljust(width), "bold" if one.is_configured else ""),
            f"  {one.row.about}",
            first="* " if one.is_configured else _MARGIN,
            rest=" " * (width + 4),
        )
        if one.problem is not None:
            hint = f"; {one.problem.hint}" if one.problem.hint else ""
            text = f"not ready: {one.problem.message}{hint}"
            page.line((text, "yellow"), first=" " * (width + 4))


def _print_no_recipe(page: Page, call: Invocation) -> None:
    """Say why nothing can be called outdated."""
    try:
        recipe_of(call.config)
    except ConfigError as error:
        hint = f"; {error.hint}" if error.hint else ""
        page.line((f"summarizer.name: {error.message}{hint}", "red"))


def _print_recipes(page: Page, found: Recipes) -> None:
    page.line(("Recipes of the nodes in the store", "bold"), " (* is in force now)")
    for one in found.written:
        page.line(signed(one.recipe), first="* " if one.is_current else _MARGIN, rest=_MARGIN * 3)
        nodes = _nodes_words(one.nodes) or "no node yet"
        page.line((nodes, "dim"), first=_MARGIN * 3)


def signed(recipe: Recipe) -> str:
    """Return a recipe as a person reads it, such as `mock (mock-1, max_bullets=5)`."""
    details = [part for part in (recipe.model, recipe.prompt, recipe.settings) if part]
    return f"{recipe.summarizer} ({', '.join(details)})" if details else recipe.summarizer


def _nodes_words(counts: Counts) -> str:
    return ", ".join(number(counts[level], level.word) for level in Level if counts.get(level))


def _print_outdated(page: Page, outdated: Outdated, configured: Candidate | None) -> None:
    total = sum(outdated.nodes.values())
    if not total:
        return
    page.blank()
    page.line((f"Outdated: {_nodes_words(outdated.nodes)}, of another recipe.", "yellow"))
    if outdated.open_nodes < total:
        is_free = configured is not None and not configured.row.waits
        price = number(outdated.price.calls, "call")
        price += ", free" if is_free else f", {number(outdated.price.spend, 'token')}"
        text = f"{_UPGRADE} writes them anew, newest first: about {price} (--dry-run tells more)"
        page.line(text, first=_MARGIN)
    if outdated.open_nodes:
        nodes = number(outdated.open_nodes, "node")
        text = f"{nodes} of periods that have not ended: --include-open, or when they have ended"
        page.line(text, first=_MARGIN)


def _today_words(today: Today, budget: Budget) -> str:
    spent = today.spent
    calls = f"{spent.calls:,}{_of(budget.calls_per_day)} {'call' if spent.calls == 1 else 'calls'}"
    failed = f" ({today.spent.failed:,} failed)" if today.spent.failed else ""
    tokens = f"{spent.tokens:,}{_of(budget.tokens_per_day)} tokens"
    return f"Today ({today.day.id}): {calls} to models{failed}, {tokens}"


def _of(most: int | None) -> str:
    return "" if most is None else f" of {most:,}"


def _json(
    call: Invocation, reader: Reader, able: Sequence[Candidate], found: Recipes
) -> dict[str, object]:
    today, budget, outdated = found.today, budget_of(call.config, None), found.outdated
    return {
        "exists": found.exists,
        "zone": found.zone,
        "summarizers": [_candidate_json(one) for one in able],
        "recipe": None if reader.recipe is None else recipe_json(reader.recipe),
        "recipes": [
            {
                **recipe_json(one.recipe),
                "current": one.is_current,
                "nodes": _counts_json(one.nodes),
            }
            for one in found.written
        ],
        "outdated": {
            "nodes": _counts_json(outdated.nodes),
            "open": outdated.open_nodes,
            "calls": outdated.price.calls,
            "spend": outdated.price.spend,
        },
        "today": {
            "day": today.day.id,
            "calls": today.spent.calls,
            "tokens": today.spent.tokens,
            "failed": today.spent.failed,
        },
        "budget": asdict(budget),
    }


def _candidate_json(one: Candidate) -> dict[str, object]:
    return {
        "name": one.row.name,
        "about": one.row.about,
        "needs_network": one.row.needs_network,
        "configured": one.is_configured,
        "ready": one.problem is None,
        "problem": one.problem.message if one.problem else "",
        "hint": one.problem.hint if one.problem else "",
    }


def _counts_json(counts: Counts) -> dict[str, int]:
    return {level.word: counts.get(level, 0) for level in Level}
