"""`memtool stats --cost`, and the line of a day: tokens and money, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from memtool.cli.options import Invocation
from memtool.cli.output import Page, number, print_json, print_line, progress
from memtool.cli.reading import read
from memtool.query.cost import Costs, OfDay, Price, Spent, costs, prices_in
from memtool.query.projects import shortest_paths

VERSION = 1
_MOST_DAYS = 14
_MOST_PROJECTS = 15
_UNITS = ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k"))


def prices_of(call: Invocation) -> tuple[Price, ...]:
    """Return the prices that are set."""
    return prices_in(call.config.cost.prices)


def print_costs(call: Invocation, year: int | None, *, as_json: bool) -> None:
    """Print what the models took, by model, project and day."""
    prices = prices_of(call)
    with progress(call.environ, "counting tokens") as show:
        found = read(
            call,
            lambda reader: costs(
                reader, prices, year=year, on_progress=lambda part: show(f"{part:.0%}")
            ),
            as_json=as_json,
        )
    if as_json:
        print_json("cost", VERSION, found)
    elif found.exists and not found.rows:
        print_line(
            f"No transcript says how many tokens it took, from {found.first} to {found.last}."
        )
    elif found.exists:
        _print(Page(call.environ), found)


def _print(page: Page, found: Costs) -> None:
    page.line(
        (f"Tokens from {found.first} to {found.last}", "bold"),
        (f" · {money(found.total)}" if found.total is not None else "", "bold"),
    )
    page.blank()
    page.row([(f"{_heads()}  MODEL", "dim")])
    for one in sorted(found.models, key=lambda one: -one.tokens):
        _row(page, [one], one.model or "(not said)")
    names = shortest_paths({row.project for row in found.rows})
    projects = _grouped(found.rows, {row.project: names[row.project] for row in found.rows})
    page.blank()
    page.row([(f"{_heads()}  PROJECT", "dim")])
    heaviest = sorted(projects.items(), key=lambda row: -sum(one.tokens for one in row[1]))
    for project, parts in heaviest[:_MOST_PROJECTS]:
        _row(page, parts, project)
    _more(page, len(projects) - _MOST_PROJECTS, "project")
    days: dict[str, list[Spent]] = {}
    for row in found.rows:
        days.setdefault(row.day, []).append(row.spent)
    page.blank()
    page.row([(f"{_heads()}  DAY", "dim")])
    for day, parts in sorted(days.items())[-_MOST_DAYS:]:
        _row(page, parts, day.removeprefix("day:"))
    _more(page, len(days) - _MOST_DAYS, "earlier day")
    if found.unpriced:
        page.blank()
        model = found.unpriced[0]
        page.line(
            (f"No price is set for {', '.join(found.unpriced)}. To set one: ", "yellow"),
            (f"memtool config set cost.prices '{model}=INPUT/OUTPUT/READ/WRITE'", ""),
        )


def _grouped(rows: Iterable[OfDay], names: Mapping[str, str]) -> dict[str, list[Spent]]:
    found: dict[str, list[Spent]] = {}
    for row in rows:
        found.setdefault(names[row.project], []).append(row.spent)
    return found


def _heads() -> str:
    return f"{'INPUT':>7} {'CACHED':>7} {'WRITTEN':>7} {'OUTPUT':>7} {'COST':>9}"


def _row(page: Page, parts: Sequence[Spent], name: str) -> None:
    sums = [
        sum(getattr(one, field) for one in parts)
        for field in ("input", "cache_read", "cache_write", "output")
    ]
    lead = " ".join(f"{amount(count):>7}" for count in sums)
    lead += f" {_cost(parts):>9}  "
    page.line(name, first=lead, rest=" " * len(lead), lead="")


def _more(page: Page, count: int, what: str) -> None:
    if count > 0:
        page.line((f"… and {number(count, what)} more: --json has all", "dim"))


def _cost(parts: Sequence[Spent]) -> str:
    """Return the cost of parts, with a + where some of them have no price."""
    known = [one.cost for one in parts if one.cost is not None]
    if not known:
        return "-"
    return money(sum(known)) + ("+" if len(known) < len(parts) else "")


def money(dollars: float) -> str:
    """Return such as `$12.34`."""
    return f"${dollars:,.2f}"


def amount(count: int) -> str:
    """Return a number of tokens such as `812`, `45.1k` and `1.2M`."""
    for unit, name in _UNITS:
        if count >= unit:
            return f"{count / unit:.1f}{name}"
    return str(count)


def in_words(parts: Sequence[Spent]) -> str:
    """Return what a day took in one line: `1.2M tokens in, 98.0M cached, 410.3k out, $12.34`."""
    taken = sum(one.input + one.cache_write for one in parts)
    cached = sum(one.cache_read for one in parts)
    words = [f"{amount(taken)} tokens in"]
    words += [f"{amount(cached)} cached"] if cached else []
    words.append(f"{amount(sum(one.output for one in parts))} out")
    cost = _cost(parts)
    return ", ".join([*words, cost] if cost != "-" else words)
